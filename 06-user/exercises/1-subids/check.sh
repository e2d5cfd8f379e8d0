#!/usr/bin/env bash
# -subids: more IDs than one, from /etc/subuid, without privilege.
# Usage: 06-user/exercises/1-subids/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"
install_for exercise

# This is for ordinary users. As root the check runs the launcher as nobody,
# and gives that user IDs in the copies of the mounts that only it has.
if [[ $EUID -eq 0 ]]; then
  for file in subuid subgid; do
    echo nobody:200000:65536 >"$dir/$file"
    mount --bind "$dir/$file" "/etc/$file"
  done
  user=nobody
  command=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "${command[@]}")
else
  user=$(id -un)
fi
uid=$(id -u "$user") gid=$(id -g "$user")

# range FILE prints the first ID that the user has there, and how many.
range() {
  awk -F : -v name="$user" -v id="$uid" \
    '!found && ($1 == name || $1 == id) { print $2, $3; found = 1 }' "$1"
}
uids=$(range /etc/subuid) gids=$(range /etc/subgid)
[[ -n $uids && -n $gids ]] || die "$user has no IDs in /etc/subuid and /etc/subgid" \
  "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user"
mkdir -m 777 "$dir/shared"

run a -subids
point user 'uid_map: inside, outside, how many' "$(xargs <"/proc/${shell[a]}/uid_map")" \
  "0 $uid 1 1 $uids" 'Who may map more IDs than one, and which program does that for you?'
point user 'gid_map' "$(xargs <"/proc/${shell[a]}/gid_map")" "0 $gid 1 1 $gids" \
  'newgidmap(1). Which of the two maps is missing when your command starts?'

ask a "cd ${dir@Q}/shared && echo x >file && chown 33:44 file && stat -c %u:%g file"
point user 'chown 33:44 inside' "$answer" 33:44 \
  'What has your launcher lost when it called execve(2), and why? capabilities(7)'
point user 'the owner of that file outside' "$(stat -c %u:%g "$dir/shared/file")" \
  "$((${uids% *} + 32)):$((${gids% *} + 43))" 'The maps again: 0 is you. Who is 1?'

ask a 'setpriv --reuid 33 --regid 44 --clear-groups sh -c "echo \$(id -u):\$(id -g):\$(id -G)"'
point user 'to become user 33, group 44, with no other group' "$answer" 33:44:44 \
  'setgroups(2): who has allowed it in this user namespace?'

ask a 'mount -t tmpfs none /mnt && hostname more-ids && hostname'
point user 'root inside is still able to mount, and to set the hostname' "$answer" more-ids \
  'grep Cap /proc/self/status inside. In which order do the maps and execve(2) come?'

finish_check
