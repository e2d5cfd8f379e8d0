# shellcheck shell=bash disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "devices and addresses of its own"
run ip -brief address
expect "devices" "$(awk '{ sub("@.*", "", $1); print $1 }' <<<"$output" | xargs)" "lo eth0"
