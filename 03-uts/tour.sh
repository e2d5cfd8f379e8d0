# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "a name of its own"
run -hostname room-3 hostname
expect "hostname inside" "$output" room-3
expect "hostname outside" "$(hostname)" "$host"
