#!/usr/bin/env bash
# -bind SRC:DST[:ro]: a directory of the host at another place inside.
# Usage: 02-mount/exercises/1-bind/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"
need_linux 5.12 'mount_setattr(2)'

# In SRC is a file, and a filesystem with another one.
src=$dir/src dst=$dir/dst
mkdir -p "$src/below" "$dst"
mount -t tmpfs check "$src/below"
echo one >"$src/file"
echo two >"$src/below/file"

# same RUN FILE says whether FILE of SRC is the file that is there below DST.
same() {
  if [[ $src/$2 -ef /proc/${shell[$1]}/root/$dst/$2 ]]; then
    echo 'the same file'
  else
    echo 'another file, or none'
  fi
}

# writes RUN FILE prints what happens when the command writes to a file.
writes() {
  ask "$1" "echo three >'$dst/$2'"
  if [[ $status == 0 ]]; then echo written; else echo "${answer##*: }"; fi
}

run a -bind "$src:$dst"
point bind 'a file of SRC at DST' "$(same a file)" 'the same file' \
  'findmnt, inside. mount(2): "Creating a bind mount".'
point bind 'a file in what is mounted below SRC' "$(same a below/file)" \
  'the same file' 'Of how many mounts does a bind mount make copies?'
seen=$(writes a new)
[[ -e $src/new ]] || seen+=', but not in SRC'
point bind 'a new file at DST' "$seen" written 'Whose filesystem is at DST?'
point bind 'DST on the host' "$(find "$dst" -mindepth 1 | wc -l) files" '0 files' \
  'In which mount namespace is the bind mount, and with whom does that share mounts?'

run b -bind "$src:$dst:ro"
point bind 'a file of SRC at DST, read-only' "$(same b file)" 'the same file' \
  'findmnt, inside. mount(2): "Creating a bind mount".'
point bind 'a new file there' "$(writes b no)" 'Read-only file system' \
  'findmnt -o TARGET,OPTIONS inside. Which flags does mount(2) ignore together with MS_BIND?'
point bind 'a new file in what is mounted below' "$(writes b below/no)" \
  'Read-only file system' 'To how many mounts does a remount apply? See mount_setattr(2).'
seen=written
touch "$src/host" "$src/below/host" || seen='Read-only file system'
point bind 'a new file in SRC, on the host' "$seen" written \
  'Is it the mount that is read-only, or the filesystem?'

point bind 'a SRC that is not there' "$(refuses c -bind "$src/none:$dst")" 'an error' \
  'Which of your system calls fails, and who looks at its result?'

finish_check
