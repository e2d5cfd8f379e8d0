# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "message queues of its own"
# Of mode 0: a check that runs meanwhile does not take it for its lesson's.
queue=$(ipcmk -Q -p 0 | grep -o '[0-9]*$')
key=$(ipcs -q | awk -v id="$queue" '$2 == id { print $1 }')
printf '%s\n' "  the host has a queue with the key $key"
run ipcs -q
expect "queues inside" "$(grep -c 'msqid' <<<"$output") table, $(grep -c ^0x <<<"$output") queues" \
  "1 table, 0 queues"
ipcrm -q "$queue" && queue=
