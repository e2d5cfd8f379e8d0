# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "root inside, you outside"
run sh -c 'id; cat /proc/self/uid_map'
expect "inside" "$(grep -o '^uid=[^ ]*' <<<"$output")" "uid=0(root)"
expect "outside" "uid $(awk 'END { print $2 }' <<<"$output")" "uid ${SUDO_UID:-$EUID}"
