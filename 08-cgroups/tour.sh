# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "limits"
run -memory 32M tail /dev/zero
expect "a memory hog ends with status" "$status" 137
run -pids 20 sh -c 'while sleep 9 & do echo -n .; done; echo'
expect "a fork bomb gets" "$(grep -o 'Resource temporarily unavailable' <<<"$output" | head -n 1)" \
  "Resource temporarily unavailable"
