# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "the command is process 1"
run sh -c 'echo I am process $$, child of $PPID; lsns --type pid'
expect "the first line says" "$(head -n 1 <<<"$output")" "I am process 1, child of 0"
