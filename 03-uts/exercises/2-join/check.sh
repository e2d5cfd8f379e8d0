#!/usr/bin/env bash
# -join PID: run the command in all namespaces of a container that runs.
# Usage: 03-uts/exercises/2-join/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

mkdir "$dir/one" "$dir/two"
run a -hostname room-1
run b -join "${shell[a]}"
for type in pid mnt uts; do
  point join "the $type namespace" "$(whose $type b)" "run a's" \
    "readlink /proc/PID/ns/$type, on the host. When does setns(2) refuse this type, and to whom?"
done

ask b 'hostname room-2; echo done'
ask a 'uname -n'
point join 'the hostname in run a, when run b has set it' "$answer" room-2 \
  'Which process called sethostname(2) last, and in which namespace was it then?'

ask a "mount -t tmpfs made-in-a '$dir/one' && echo yes >'$dir/one/file'"
ask b "cat '$dir/one/file'"
point join 'a file in what run a has mounted' "${answer##*: }" yes \
  'Which list of mounts does run b look at, and from which root directory?'
ask b "mount -t tmpfs made-in-b '$dir/two' && echo yes >'$dir/two/file'"
ask a "cat '$dir/two/file'"
point join 'a file in what run b has mounted' "${answer##*: }" yes \
  'Which list of mounts does mount(2) change?'

ask b 'echo /proc/[0-9]* parent $PPID'
point join 'the processes in /proc, for run b' "$answer" \
  "/proc/1 /proc/$(number "${shell[b]}") parent 0" \
  'Who has mounted this /proc, and when?'

run c -join "${shell[a]}"
signal c KILL
point join 'when its launcher is killed' "$(gone_soon "${shell[c]}")" 'its command is gone' \
  'Whose death does prctl(2), PR_SET_PDEATHSIG, wait for, and who has asked for it?'

finish a
point join 'when the container ends' "$(end_of b)" \
  'it ended with status 137' \
  'What does the kernel do with a PID namespace whose init process is gone?'

point join 'a container that is gone' \
  "$(refuses d -join "${shell[a]}")" 'an error' \
  'Which of your system calls fails, and who looks at its result?'

finish_check
