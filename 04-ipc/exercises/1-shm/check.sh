#!/usr/bin/env bash
# -shm SIZE: a /dev/shm of its own, with a limit.
# Usage: 04-ipc/exercises/1-shm/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

# The host's /dev/shm is a copy, too, for as long as this runs.
[[ -d /dev/shm ]] ||
  die 'there is no directory /dev/shm on this machine' 'sudo mkdir /dev/shm'
mount -t tmpfs -o size=64m check /dev/shm
echo secret >/dev/shm/of-the-host

run a -shm 4m
run b -shm 8m
ask a 'ls /dev/shm | wc -l'
point shm 'files in /dev/shm at the beginning' "$answer" 0 \
  'Whose filesystem is it? What did lesson 02 do about /proc?'

ask a 'echo hello >/dev/shm/note && ls /dev/shm'
seen="run a: ${answer//$'\n'/ }, run b: "
ask b 'ls /dev/shm'
answer=${answer//$'\n'/ }
seen+="${answer:-nothing}, host: $(find /dev/shm -name note | wc -l)"
point shm 'a file made in run a' "$seen" 'run a: note, run b: nothing, host: 0' \
  'Which mount namespace is the new filesystem in? And is it the same one for both?'

# fill RUN MIB prints whether a file of that size has room.
fill() {
  ask "$1" "dd if=/dev/zero of=/dev/shm/big bs=1M count=$2 2>&1; rm -f /dev/shm/big"
  case $answer in
  *'No space left'*) echo 'no space left' ;;
  *copied* | *"$2+0 records out"*) echo fits ;;
  *) echo "$answer" ;;
  esac
}
point shm '-shm 4m: 3 MiB, and 5 MiB' "$(fill a 3), $(fill a 5)" \
  'fits, no space left' 'df -h /dev/shm inside. See tmpfs(5).'
point shm '-shm 8m: 5 MiB, and 9 MiB' "$(fill b 5), $(fill b 9)" \
  'fits, no space left' 'df -h /dev/shm inside. See tmpfs(5).'

point shm 'who may write there' "$(stat -c %a "/proc/${shell[a]}/root/dev/shm")" 1777 \
  'ls -ld /dev/shm, outside and inside. Who uses shared memory besides root?'
seen=$(awk '$5 == "/dev/shm" { flags = $6 } END { print flags }' \
  "/proc/${shell[a]}/mountinfo" | tr , '\n' | sed -nE '/^no(suid|dev|exec)$/p' | sort | xargs)
point shm 'what the mount does not allow' "$seen" 'nodev noexec nosuid' \
  'findmnt /dev/shm inside. Which flags has your /proc?'

point shm 'options where a size should be' "$(refuses c -shm 4m,mode=0)" 'an error' \
  'Who reads the last argument of mount(2), and what does a comma mean there?'

finish_check
