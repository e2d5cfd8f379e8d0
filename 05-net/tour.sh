# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "devices and addresses of its own"
# Without the state: the link is up a moment later.
run sh -c 'ip -brief address | awk "{ print \$1, \$3 }"'
expect "devices" "$(awk '{ sub("@.*", "", $1); print $1 }' <<<"$output" | xargs)" "lo eth0"
