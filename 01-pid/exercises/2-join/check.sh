#!/usr/bin/env bash
# -join PID: run the command in the PID namespace of a process.
# Usage: 01-pid/exercises/2-join/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

run a
run b -join "${shell[a]}"
point join 'the PID namespace' "$(whose pid b)" "run a's" \
  'readlink /proc/PID/ns/pid, on the host. Whom does setns(2) move: its caller, or others?'

ask b 'echo $$, parent $PPID'
point join 'its PID for itself, and its parent' "$answer" \
  "$(number "${shell[b]}"), parent 0" \
  'Which number has the parent in there, if it is not there itself?'

ask a "kill -KILL $(number "${shell[b]}")"
point join 'when process 1 in there kills it' "$(end_of b)" \
  'it ended with status 137' \
  'What does kill(2) look a number up in? And does the launcher tell how its command ended?'

run c -join "${shell[a]}"
signal c KILL
point join 'when its launcher is killed' "$(gone_soon "${shell[c]}")" 'its command is gone' \
  'Whose death does prctl(2), PR_SET_PDEATHSIG, wait for, and who has asked for it?'

run d -join "${shell[a]}"
finish a
point join 'when process 1 in there ends' "$(end_of d)" \
  'it ended with status 137' \
  'What does the kernel do with a PID namespace whose init process is gone?'

point join 'the namespace of a process that is gone' \
  "$(refuses e -join "${shell[a]}")" 'an error' \
  'Which of your system calls fails, and who looks at its result?'

finish_check
