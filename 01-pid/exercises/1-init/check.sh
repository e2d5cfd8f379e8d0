#!/usr/bin/env bash
# -init: an init process that reaps orphans and forwards signals.
# Usage: 01-pid/exercises/1-init/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

run a -init
init=$(parent "${shell[a]}")
seen="process $(number "$init")"
[[ /proc/$init/ns/pid -ef /proc/${shell[a]}/ns/pid ]] || seen+=' of the host'
point init 'the parent of the command' "$seen" 'process 1' \
  'Who is process 1 in the namespace, and who starts the command?'

# Three orphans: the shell that has started them ends at once.
ask a 'sh -c "for i in 1 2 3; do sleep 1000 >/dev/null 2>&1 & echo \$!; done"'
orphans=() parents=()
for orphan in $answer; do
  orphans+=("$(outside a "$orphan")")
  parents+=("$(parent "${orphans[-1]}")")
done
point init 'the parents of three orphans' "${parents[*]//"$init"/init}" \
  'init init init' 'Who becomes the parent of a process whose own parent has ended?'

# One SIGCHLD may stand for all three.
kill_all "$(printf '%s\n' "${orphans[@]}")"
reaped() { ! ps -p "${orphans[*]}" >/dev/null; }
seen='all are reaped'
soon reaped || seen="zombies: $(ps -o stat= -p "${orphans[*]}" | grep -c '^Z')"
point init 'when all three are killed' "$seen" 'all are reaped' \
  'For whom does your init wait? A signal that comes again before it is handled comes once.'

ask a 'exit 7'
point init 'when the command exits with 7' "$(end_of a)" \
  'it ended with status 7' 'Of all the statuses that init gets: which one is its own?'

run b -init
ask b 'trap "exit 5" TERM'
signal b TERM
point init 'SIGTERM, and a command that exits with 5 then' "$(end_of b)" \
  'it ended with status 5' \
  'The kernel gives the signal to one process. Who gives it to the command?'

run c -init
signal c TERM
point init 'SIGTERM, and a command that has no handler' "$(end_of c)" \
  'it ended with status 143' \
  'SIGTERM ends any process that does not handle it, but for process 1. 143 is 128 + 15.'

finish_check
