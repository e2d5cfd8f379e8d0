#!/usr/bin/env bash
# -join PID: run the command in a container that runs, in all its namespaces.
# Usage: 06-user/exercises/2-join/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

run a
container=${shell[a]}
run b "-join=$container"

seen=''
for type in user pid mnt uts ipc net cgroup time; do
  [[ ! /proc/${shell[b]}/ns/$type -ef /proc/$container/ns/$type ]] || seen+="$type "
done
point join 'the namespaces that both are in' "$seen" 'user pid mnt uts ipc net cgroup time ' \
  'setns(2). Which namespace does it refuse to a program with more than one thread?'

ask b "grep -q $mark-a /proc/1/cmdline && echo 'the first command'"
point join 'process 1, as the joined command sees it' "$answer" 'the first command' \
  'Who is in a PID namespace that a process has joined: the process, or its children?'

ask a 'hostname joined'
ask b 'hostname; id -u'
point join 'the name that the first one sets, and who the second one is' "${answer//$'\n'/ }" \
  'joined 0' 'Root of which user namespace may read the other namespaces of that process?'

# rights PID prints what the kernel says about those of a process.
rights() { grep -hE '^(CapEff|CapBnd|NoNewPrivs)' "/proc/$1/status" | xargs; }
point join 'its capabilities, and no_new_privs' "$(rights "${shell[b]}")" \
  "$(rights "$container")" 'What did the first command give up before it started?'

run c "-join=$container"
signal c KILL
point join 'when the launcher of a joined command is killed' \
  "$(gone_soon "${shell[c]}")" 'its command is gone' \
  'prctl(2), PR_SET_PDEATHSIG: who is the parent of the joined command?'
ask a 'echo here'
point join 'the container, after that' "$answer" here 'Whom did your launcher take along?'

run d "-join=$container"
ask d 'trap "exit 5" TERM'
signal d TERM
listen d
point join 'SIGTERM to the launcher of a joined command that exits with 5 then' \
  "${ended[d]:-it does not end}" 'it ended with status 5' \
  'Lesson 01 looks into /proc for handlers. Which /proc does each of your threads see now?'

finish a
point join 'when the container ends' "$(end_of b)" 'it ended with status 137' \
  'pid_namespaces(7): what does the kernel do when process 1 ends?'

finish_check
