#!/usr/bin/env bash
# stick.sh makes the contents of a USB stick for a room without a network: for each kind
# of processor, the repository with bin/, rootfs/ and the Go modules that it needs.
# Usage: scripts/dev/stick.sh DIR
# It makes DIR/namespaces-x86_64.tar.gz and DIR/namespaces-aarch64.tar.gz: archives,
# since the filesystem of a stick has no links and no modes. A learner types, at home,
#   tar xzf /media/…/namespaces-$(uname -m).tar.gz && cd namespaces
# It needs Debian or Ubuntu, since busybox comes from their packages, and no root.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
source "$lib/sandbox-machine.sh" # own_apt
answer_help "$@"
[[ $# -eq 1 && -d $1 ]] || misused "DIR must be a directory: that of the stick"
as_caller "$@"
dir=$(realpath -- "$1")
native=$(dpkg --print-architecture 2>/dev/null) ||
  die "busybox comes from packages of Debian or Ubuntu" "run it on one of them"
need_go
scratch=$(mktemp -d /var/tmp/nsl.0XXXXXX)
trap 'rm -rf "$scratch"' EXIT
exit_on_signals

declare -A busybox
for arch in amd64 arm64; do
  apt=$scratch/apt-$arch
  own_apt "$apt" apt-get update -qq >"$scratch/log" 2>&1 || true
  (cd "$apt/debs" && own_apt "$apt" apt-get download -qq busybox-static) >"$scratch/log" 2>&1 ||
    die "cannot get busybox-static for $arch: is there a network?" "$(tail -n 5 "$scratch/log")"
  dpkg-deb -x "$apt"/debs/*.deb "$scratch/$arch"
  busybox[$arch]=$(find "$scratch/$arch" -name busybox -type f -perm -u+x)
done

tree=$scratch/namespaces
mkdir "$tree" "$tree/work"
tar -C "$repo" --anchored --exclude=./{.git,bin,rootfs,.rootfs\*,work,public} -c . |
  tar -C "$tree" -x
# With these, Go needs no network to build our lessons and the learner's own.
(cd "$tree" && go mod vendor)
ln -s ../vendor "$tree/work/vendor"
PATH=$(dirname "${busybox[$native]}"):$PATH "$tree/scripts/rootfs.sh"

# The links in rootfs/ fit both: both busyboxes have the same version.
for arch in amd64 arm64; do
  cp "${busybox[$arch]}" "$tree/rootfs/bin/busybox"
  (cd "$tree" && CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -o bin/ ./0*)
  machine=x86_64
  [[ $arch == amd64 ]] || machine=aarch64
  tar -C "$scratch" -czf "$scratch/new" namespaces
  mv "$scratch/new" "$dir/namespaces-$machine.tar.gz"
  say "$dir/namespaces-$machine.tar.gz"
done
