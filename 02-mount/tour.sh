# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "a /proc of its own, so ps shows nobody else"
run ps ax
expect "processes" "$(grep -c '[0-9]:[0-9]' <<<"$output")" 1
