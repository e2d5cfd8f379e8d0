#!/usr/bin/env bash
# -volume SRC:DST[:ro]: a directory of the host inside.
# Usage: 07-pivot-root/exercises/2-volume/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"
need_linux 5.12 'mount_setattr(2)'

# A root of our own, with a link that leads to a directory in there, and to
# another one if it is followed on the host.
"$repo/scripts/rootfs.sh" "$dir/root" >/dev/null
mkdir -p "$dir"/{data,locked/deep} "$dir/root/mnt"
ln -s /mnt "$dir/root/link"
echo data >"$dir/data/file"
echo locked >"$dir/locked/file"
# Behind sudo, root inside is who called it.
[[ $EUID -ne 0 ]] || chown -R "${SUDO_UID:-0}:${SUDO_GID:-0}" "$dir"/{root,data}
# Only root can mount something there.
[[ $EUID -ne 0 ]] || mount -t tmpfs deep "$dir/locked/deep"

before=$(cat /proc/self/mountinfo)
run a "-rootfs=$dir/root" "-volume=$dir/data:/data" "-volume=$dir/locked:/locked:ro" \
  "-volume=$dir/data:/link"
ask a 'cat /data/file'
point volume 'a file of the host' "$answer" data \
  'When do the paths of the host stop to mean the host?'

echo new >"$dir/data/outside"
ask a 'echo new >/data/inside; cat /data/outside'
point volume 'what is written outside, inside' "$answer" new \
  'Is it the directory, or a copy of it?'
point volume 'what is written inside, outside' "$(cat "$dir/data/inside" 2>&1)" new \
  'Is it the directory, or a copy of it?'

# write FILE lets the shell inside write to it, and prints what comes of that.
write() {
  ask a "echo x >$1"
  if [[ $status == 0 ]]; then echo 'it is written'; else echo "${answer##*: }"; fi
}

ask a 'cat /locked/file'
point volume 'a file in a read-only volume' "$answer" locked \
  'Read-only is a flag of the mount. Of which one?'
point volume 'to write to it' "$(write /locked/file)" 'Read-only file system' \
  'mount(2), "Remounting an existing mount": what does MS_BIND ignore the first time?'
point volume 'to write to a mount below that one' "$(write /locked/deep/file)" \
  'Read-only file system' \
  'For which mounts is MS_REMOUNT, and for which is mount_setattr(2) with AT_RECURSIVE?'

ask a "cat /mnt/file"
point volume 'a volume whose DST is a symbolic link' "$answer" data \
  'In which root was the link followed when you mounted?'

finish a
seen=$(diff <(echo "$before") /proc/self/mountinfo | grep -m 1 '^[<>]') || true
point volume 'the mounts of the host' "${seen:-as before}" 'as before' \
  'Which step of lesson 02 has to come first?'

finish_check
