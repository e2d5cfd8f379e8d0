#!/usr/bin/env bash
# rootfs.sh makes a small root filesystem for lessons 07 and 08.
#
#   scripts/rootfs.sh [DIR]                      from this machine's busybox
#   scripts/rootfs.sh --alpine [DIR]             Alpine Linux, downloaded
#   scripts/rootfs.sh --alpine FILE.tar.gz [DIR] Alpine Linux, from a file
#
# DIR is `rootfs` in the repository if none is given. It needs no root, and
# no network unless it downloads. The argument after --alpine is an archive
# if its name ends in .tar.gz; downloaded or not, it must have the SHA-512
# sum that Alpine published (scripts/lib/alpine.sha512).
#
# The new root is built beside DIR, and renamed to DIR when it is complete. A DIR
# that this script made is kept if it is of the kind that you ask for, and replaced if
# not. A DIR that it did not make is left alone, unless it is empty.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
source "$lib/cgroup.sh" # unescape
answer_help "$@"

kind=busybox tarball='' dir=''
while [[ $# -gt 0 ]]; do
  case $1 in
  --alpine)
    kind=alpine
    if [[ ${2:-} == *.tar.gz ]]; then
      tarball=$2
      shift
    fi
    ;;
  -*) misused "unknown option $1" ;;
  '') misused 'DIR is empty' ;;
  *.tar.gz) misused "$1 is an archive: it goes after --alpine" ;;
  *)
    [[ -z $dir ]] || misused "expected one DIR, not both $dir and $1"
    dir=$1
    ;;
  esac
  shift
done

dir=$(realpath -m -- "${dir:-$repo/rootfs}")
parent=$(dirname -- "$dir")
mark=.made-by-rootfs.sh
# Always the same name, so that the next run finds what a killed one left.
work=$parent/.${dir##*/}.unfinished-by-rootfs.sh
new=$work/new

# check_sum FILE ends the script unless FILE is the archive that Alpine
# published for this machine.
check_sum() {
  local found
  found=$(sha512sum <"$1")
  [[ ${found%% *} == "$sum" ]] ||
    die "$1 is not Alpine's $archive: its SHA-512 sum differs" \
      "found      ${found%% *}" "published  $sum" \
      "download it again: $url"
}

if [[ $kind == alpine ]]; then
  version=3.20.3 machine=$(uname -m)
  archive=alpine-minirootfs-$version-$machine.tar.gz
  url=https://dl-cdn.alpinelinux.org/alpine/v${version%.*}/releases
  url+=/$machine/$archive
  sum=$(awk -v name="$archive" '$2 == name { print $1 }' \
    "$repo/scripts/lib/alpine.sha512")
  [[ -n $sum ]] ||
    die "there is no SHA-512 sum for $archive in scripts/lib/alpine.sha512" \
      "without --alpine: $0"
  kind=${archive%.tar.gz}
  if [[ -n $tarball ]]; then
    [[ -f $tarball && -r $tarball ]] || die "cannot read the file $tarball" \
      "download it: $url"
    check_sum "$tarball"
  fi
fi

# made_kind prints what kind of root this script made of DIR, if it did.
made_kind() { cat -- "$dir/$mark" 2>/dev/null || true; }

# is_there says whether DIR is already what was asked for. A learner may have removed
# /bin in a container, so the mark alone does not prove it.
is_there() {
  [[ $(made_kind) == "$kind" && -x $dir/bin/busybox ]]
}

# may_replace ends the script if replacing DIR would do harm.
may_replace() {
  local pid point
  [[ -e $dir ]] || return 0
  if [[ ! -e $dir/$mark ]]; then
    [[ -z $(ls -A -- "$dir") ]] ||
      die "this script did not make $dir, and leaves it as it is" \
        "name a different directory: $0 DIR" "or, if you need nothing in it: rm -r '$dir'"
  fi
  for pid in /proc/[0-9]*; do
    [[ ! $pid/root -ef $dir ]] ||
      die "$dir is the root of process ${pid#/proc/}: end that first" \
        "ps -fp ${pid#/proc/}"
  done
  # Removing a tree removes what is mounted in it: so unmount first.
  while read -r _ _ _ _ point _; do
    unescape point "$point"
    [[ $point/ != "$dir"/* ]] ||
      die "something is mounted on $point: unmount it first" \
        "sudo umount '$point'"
  done </proc/self/mountinfo
  [[ $EUID -eq 0 || -z $(find "$dir" ! -uid "$EUID" -print -quit) ]] ||
    die "$dir has files of another user, which only root can remove" \
      "sudo rm -r '$dir'"
}

# make_busybox fills the new root with busybox, a link to it for each of the
# commands it can be, and the few files that a shell looks for.
make_busybox() {
  local busybox
  busybox=$(static_busybox)
  mkdir "$new"/{bin,dev,etc,proc,sys,tmp,usr}
  mkdir -m 700 "$new/root"
  chmod 1777 "$new/tmp"
  # Every directory that a PATH or a script's first line may name leads to /bin.
  ln -s bin "$new/sbin"
  ln -s ../bin "$new/usr/bin"
  ln -s ../bin "$new/usr/sbin"

  cp -- "$busybox" "$new/bin/busybox"
  chmod 755 "$new/bin/busybox"
  # Its shell has ln built in: a process less for each of 300 links.
  # shellcheck disable=SC2016 # for that shell
  "$busybox" --list | "$busybox" sh -euc 'cd -- "$0"
    while read -r applet; do [ "$applet" = busybox ] || ln -s busybox "$applet"; done' "$new/bin"

  # nobody is how the kernel shows an owner who has no uid in the namespace.
  cat >"$new/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
END
  cat >"$new/etc/group" <<'END'
root:x:0:
nogroup:x:65534:
END
  echo '127.0.0.1 localhost' >"$new/etc/hosts"
}

# download URL FILE runs in the background: while bash waits for a command in the
# foreground, it does not react to signals.
download() {
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 10 -o "$2" "$1" &
  elif command -v wget >/dev/null; then
    wget -q -T 10 -O "$2" "$1" &
  else
    die 'a download needs curl or wget' 'apt-get install curl' \
      "or, from a file: $0 --alpine $archive"
  fi
  wait $! || die "cannot download $1" \
    "download it where there is a network, and: $0 --alpine $archive" \
    "or without --alpine, from this machine's busybox: $0"
}

make_alpine() {
  if [[ -z $tarball ]]; then
    tarball=$work/$archive
    say "downloading $url"
    download "$url" "$tarball"
    check_sum "$tarball"
  fi
  # The files are the same for root as for an ordinary user, who cannot give any away.
  tar -xzf "$tarball" -C "$new" --no-same-owner --same-permissions
}

# clean_up ends a download that still runs. A second Ctrl-C must not end it.
clean_up() {
  trap '' INT TERM HUP
  jobs -p | xargs -r kill || true
  wait
  rm -rf --one-file-system -- "$work"
}

# lock_work makes the directory to work in, and locks it: one run at a time in one
# place. It does not lock the parent: in /tmp, anybody could hold that lock for ever. The
# kernel releases the lock when the last process of this run is gone, whatever ended it.
lock_work() {
  local status
  while true; do
    mkdir -- "$work" 2>/dev/null || [[ -d $work && ! -L $work && -O $work ]] ||
      die "cannot make $work" "name a different place: $0 DIR"
    exec {lock}<"$work"
    status=0
    flock -n "$lock" || status=$?
    if [[ $status -eq 1 ]]; then
      say "waiting for another ${0##*/} in $parent"
      flock "$lock" || status=$?
      [[ $status -ne 1 ]] || status=0
    fi
    [[ $status -eq 0 ]] ||
      die "cannot lock $work: flock(1) says why, and ends with $status" \
        "name a place on a local disk: $0 DIR"
    # The other run has removed it: what we have locked no longer has a name.
    [[ ! $work -ef /proc/self/fd/$lock ]] || return 0
    exec {lock}<&-
  done
}

[[ -d $parent ]] || die "there is no directory $parent" "mkdir -p '$parent'"
if [[ -e $dir ]]; then
  owner=$(stat -c %u -- "$dir")
  [[ $owner -eq $EUID || $owner -eq 0 || $owner -eq ${SUDO_UID:-0} ]] ||
    die "$dir belongs to another user, and stays as it is" "name a different directory: $0 DIR"
fi
is_there || may_replace # before anything is touched
if ! is_there; then
  lock_work
  trap clean_up EXIT # from here on it is ours to remove
  exit_on_signals
fi
if is_there; then # another run may have made it in the meantime
  say "$dir is there already: $kind"
  exit 0
fi
may_replace
[[ $kind != busybox ]] || install_for tour
rm -rf --one-file-system -- "${work:?}"/* ||
  die "cannot remove what a killed run left" "sudo rm -r '$work'"

umask 022
mkdir -- "$new"

if [[ $kind == busybox ]]; then make_busybox; else make_alpine; fi
printf '%s\n' "$kind" >"$new/$mark"
# As in the lessons, it belongs to the caller of sudo.
[[ $EUID -ne 0 || -z ${SUDO_UID:-} ]] ||
  chown -hR "$SUDO_UID:${SUDO_GID:?}" "$new"

may_replace          # it may have changed in the meantime
trap '' INT TERM HUP # nothing may come between the two renames
if [[ -e $dir/$mark ]]; then
  say "replacing $dir, which was $(made_kind)"
  mv -T -- "$dir" "$work/old"
fi
mv -T -- "$new" "$dir" || {
  [[ ! -e $work/old ]] || mv -T -- "$work/old" "$dir"
  die "cannot put the new root at $dir"
}
say "made $dir: $kind"
