#!/usr/bin/env bash
# -sysctl NAME=VALUE: settings of its own IPC namespace, and of nothing else.
# Usage: 04-ipc/exercises/2-sysctl/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

# setting NAME prints its value on the host.
setting() { cat "/proc/sys/${1//.//}"; }
before=$(setting kernel.msgmni)
queues=$(setting fs.mqueue.queues_max)

run a -sysctl kernel.msgmni=2 -sysctl fs.mqueue.queues_max=3
run b
ask a 'cat /proc/sys/kernel/msgmni /proc/sys/fs/mqueue/queues_max'
point sysctl 'kernel.msgmni and fs.mqueue.queues_max' "${answer//$'\n'/ }" '2 3' \
  'sysctl -a inside. Which file is kernel.msgmni?'

for _ in 1 2 3; do ask a 'ipcmk --queue'; done
[[ $answer != *'No space left'* ]] || answer=refused
point sysctl 'one queue more than kernel.msgmni allows' "$answer" refused \
  'Whose limit does msgget(2) look at? And who wrote to /proc/sys, in which namespace?'

ask b 'cat /proc/sys/kernel/msgmni /proc/sys/fs/mqueue/queues_max'
point sysctl 'in another container' "${answer//$'\n'/ }" "$before $queues" \
  'Whose settings are they?'
point sysctl 'on the host' \
  "$(setting kernel.msgmni) $(setting fs.mqueue.queues_max)" "$before $queues" \
  'In which namespace was the process that wrote to /proc/sys?'

# With the value that it has, so that nothing happens if it is not refused.
value=$(setting kernel.threads-max)
point sysctl "kernel.threads-max, a setting of the whole machine" \
  "$(refuses c -sysctl "kernel.threads-max=$value")" 'an error' \
  'ipc_namespaces(7) lists what belongs to the namespace. And the rest of /proc/sys?'
point sysctl 'a value that the kernel does not take' \
  "$(refuses d -sysctl kernel.msgmni=many)" 'an error' \
  'Which of your system calls fails, and who looks at its result?'

finish_check
