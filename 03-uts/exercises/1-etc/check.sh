#!/usr/bin/env bash
# -etc: an /etc/hostname and an /etc/hosts that know the name.
# Usage: 03-uts/exercises/1-etc/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

# The files of the host are copies, too, for as long as this runs.
for file in hosts hostname; do
  [[ -f /etc/$file ]] ||
    die "there is no /etc/$file on this machine" "sudo touch /etc/$file"
  cp "/etc/$file" "$dir"
  cp "/etc/$file" "$dir/before-$file"
  mount --bind "$dir/$file" "/etc/$file"
done
name=room-$RANDOM$RANDOM

# address FILE prints which address the name has in a file like /etc/hosts.
address() {
  awk -v name="$name" '
    !/^#/ { for (i = 2; i <= NF; i++) if ($i == name) address = $1 }
    END { print (address ? address : "none") }' "$1"
}

run a -hostname "$name" -etc
run b -hostname other-room -etc
inside=/proc/${shell[a]}/root/etc
point etc '/etc/hostname' "$(cat "$inside/hostname")" "$name" \
  'cat /etc/hostname inside. Whose file is it?'
point etc 'the address of the name in /etc/hosts' "$(address "$inside/hosts")" \
  127.0.1.1 'How does a program find an address for a name, without a network?'
seen=$(grep -cvxFf "$inside/hosts" "$dir/before-hosts" || true)
point etc "lines of the host's /etc/hosts that are missing" "$seen" 0 \
  'What else is in that file, and who needs it?'
point etc 'the name in another container' \
  "$(address "/proc/${shell[b]}/root/etc/hosts")" none 'Whose are your files?'

ask a 'echo changed >>/etc/hosts; echo changed >/etc/hostname; cat /etc/hostname'
seen=''
for file in hosts hostname; do
  cmp -s "$dir/before-$file" "/etc/$file" || seen+=" /etc/$file"
done
point etc 'written inside, and on the host' "$answer,${seen:- nothing}" \
  'changed, nothing' 'On the host: findmnt --task PID. What is between your file and that of the host?'

# Files of everybody, in which only this launcher writes such lines.
lines="^(127[0-9.]*[[:space:]]+)?$name([[:space:]].*)?$"
point etc 'files on the host that have the name in them' "$(
  find /etc /run /tmp /var/tmp /dev/shm -xdev -newer "$dir/before-hosts" \
    -size -99k -type f -exec grep -Els "$lines" {} + 2>/dev/null | paste -sd ' '
)" nothing 'Who removes them, if the launcher is killed? Which filesystems end with a mount namespace?'

finish_check
