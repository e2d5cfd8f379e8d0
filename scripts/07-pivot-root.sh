#!/usr/bin/env bash
# 07-pivot-root.sh shows a root filesystem of its own, step by step: other files,
# another PATH, and why it is pivot_root and not chroot. Started by root, it
# continues as an ordinary user.
#
# Usage: [NSL_ALPINE=FILE.tar.gz] scripts/07-pivot-root.sh [--auto | --list | --from STEP]
#   NSL_ALPINE  take Alpine's root filesystem from FILE, and download nothing

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin user "$@"

step 'A root filesystem is a directory with the files that a system needs. We make two, and mark them.'
run host 'scripts/rootfs.sh one; scripts/rootfs.sh two'
expect '/one: busybox' '/two: busybox'
quiet host 'touch one/namespace1.txt two/namespace2.txt'

step 'Each container has one of them as its /. Nothing of the host can be seen.'
start one 'bin/07-pivot-root -net=lo -hostname room-1 -rootfs one'
start two 'bin/07-pivot-root -net=lo -hostname room-2 -rootfs two'
side 'ls /'
differ host one two
expect_at one '^namespace1.txt$'
expect_not '^namespace2.txt$' '^var$'
expect_at two '^namespace2.txt$'
expect_not '^namespace1.txt$' '^var$'
expect_at host '^var$'
expect_not '^namespace'

step 'lsns: nothing new since lesson 06. The root is not a namespace: it is what a mount
namespace has at /.'
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^> pid ' '^> mnt ' '^> uts ' '^> ipc ' '^> net ' '^> user '
expect_not 'cgroup|time'

step "df shows mounts. Of the host's, only the one with our directory is left, and the devices that
the lesson has bound."
run one 'df'
expect ' /tmp$' ' /dev/null$'
expect_not ' /(home|boot|run|var|mnt|work|snap)'

step 'The files are still in that directory, and still yours.'
quiet one 'echo hello from one >/root/letter'
run host 'cat one/root/letter; stat -c "owner: %u" one/root/letter'
expect '^hello from one$' "^owner: $(id -u)$"

step "The environment is new: PATH is for this root, and only TERM is yours. A command is looked up
after the root has changed, so ls is not the host's."
run host 'echo $PATH'
run one 'echo $PATH'
expect '^/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin$'
run one 'env | cut -d = -f 1 | sort'
expect '^PATH$' '^HOME$'
expect_not '^LC_ALL$' # this script has set it
run one 'ls -l $(which ls)'
expect 'ls -> .*busybox$'

step "Why not chroot, which is older and simpler? It only changes what / means. At first sight,
that is enough:"
run host 'unshare --user --map-root-user chroot one ls /'
expect '^namespace1.txt$'
expect_not '^var$'

step "But the host's mounts are all still there, out of sight. A working directory left outside is
enough to get out. / is that of one, and then we climb:" 1
climb="cd ../../../../../..
  test -e namespace1.txt && echo the root of rootfs || echo the root of the host"
run host "unshare --user --map-root-user --root=one --wd=. sh -c '
  ls /namespace1.txt; $climb'"
expect '^/namespace1.txt$'
judge "$seen"

step "The same trick after pivot_root: a chroot inside one, and out of it. We get as far as the root
of one. There is nothing above: the host's mounts are gone from this namespace." 2
quiet one 'mkdir -p /tmp/jail/bin; cp /bin/busybox /tmp/jail/bin/sh; touch /tmp/jail/in-jail.txt'
run one "nsenter -r/tmp/jail -w. sh -c '
  echo /*.txt; $climb; echo *'"
expect '^/in-jail.txt$' '(^| )namespace1.txt( |$)'
expect_not '(^| )var( |$)'
judge "$seen"

step 'Any root filesystem will do. This is the one of Alpine Linux. The kernel stays that of the
host.'
stop two
line="scripts/rootfs.sh --alpine ${NSL_ALPINE:+$(printf %q "$NSL_ALPINE") }alpine"
type_line host "$line"
ask host "$line"
show "$seen"
if [[ $status -eq 0 ]]; then
  start two 'bin/07-pivot-root -net=lo -hostname room-2 -rootfs alpine'
  side 'uname -sr; grep -s ^PRETTY_NAME /etc/os-release || echo no os-release'
  for place in one two; do
    expect_at "$place" "^$(uname -sr)$"
  done
  expect_at two '^PRETTY_NAME="Alpine Linux'
  run two 'cat /etc/alpine-release; apk --version'
  expect '^3\.' '^apk-tools'
else
  step "That could not be had, for the reason above. With the archive in a file:
NSL_ALPINE=FILE.tar.gz scripts/07-pivot-root.sh. All that was shown before, held."
fi

finish
