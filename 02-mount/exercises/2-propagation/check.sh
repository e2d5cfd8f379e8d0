#!/usr/bin/env bash
# -propagation slave: what the host mounts later appears inside, too.
# Usage: 02-mount/exercises/2-propagation/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

mkdir "$dir/before" "$dir/later" "$dir/inside"

# mounts PID prints how many mounts of this check a process sees.
mounts() {
  awk -v dir="$dir/" 'index($5, dir) == 1 { n++ } END { print n + 0 }' \
    "/proc/$1/mountinfo"
}

mount -t tmpfs from-host "$dir/before"
run a
run b -propagation slave
run c -propagation private
point propagation 'mounts of the host from before' \
  "inside $(mounts "${shell[b]}")" 'inside 1' \
  'With what does a new mount namespace begin?'

mount -t tmpfs from-host "$dir/later"
point propagation 'slave: a mount that the host makes later' \
  "inside $(($(mounts "${shell[b]}") - 1))" 'inside 1' \
  'findmnt -o TARGET,PROPAGATION inside. Who is in which peer group, and who is a slave of it?'
point propagation 'private: a mount that the host makes later' \
  "inside $(($(mounts "${shell[c]}") - 1))" 'inside 0' \
  'findmnt -o TARGET,PROPAGATION inside. Which of them can get anything from the host?'
point propagation 'without the flag' \
  "inside $(($(mounts "${shell[a]}") - 1))" 'inside 0' \
  'What is your default? The lesson is about being private.'

umount "$dir/later"
point propagation 'slave: when the host unmounts it' \
  "inside $(($(mounts "${shell[b]}") - 1))" 'inside 0' \
  'Mounts come from the master. Do unmounts?'

ask b "mount -t tmpfs from-inside '$dir/inside'"
point propagation 'slave: a mount made inside' \
  "inside $(($(mounts "${shell[b]}") - 1)), on the host $(($(mounts self) - 1))" \
  'inside 1, on the host 0' 'Is it a slave, or still a peer?'

ask b 'echo /proc/[0-9]*'
point propagation 'slave: the processes in /proc inside' "$answer" /proc/1 \
  'Which of your steps came first: the one about propagation, or the new /proc?'
seen='not covered'
[[ -z $covered ]] || seen='covered by the one inside'
point propagation "the host's /proc" "$seen" 'not covered' \
  'Who gets what a slave mounts? And what a peer mounts?'

point propagation 'a word that is no type' \
  "$(refuses d -propagation sideways)" 'an error' \
  'What does your launcher make of a value that it does not know?'

finish_check
