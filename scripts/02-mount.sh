#!/usr/bin/env bash
# 02-mount.sh shows a mount namespace, step by step: a /proc of its own, mounts
# that the host does not have, files that it shares all the same, and how mounts
# spread. What would harm the host is done to a throw-away mount namespace.
#
# Usage: scripts/02-mount.sh [--auto | --list | --from STEP]

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin root "$@"

step 'In lesson 01, ps still showed the host. Now it shows only what is in the namespace.'
start one 'bin/02-mount sh'
start two 'bin/02-mount sh'
side 'ps -e | wc -l'
differ host one
run one 'ps -e -o pid,ppid,args'
expect '^ *1 +0 sh$' '^ *[0-9]+ +1 ps '
expect_not '02-mount' 'kthreadd' 'init'

step 'What made the difference? Not the two new namespaces alone: ps reads /proc, which still shows
the PID namespace in which it was mounted. Mounted again from inside, it shows ours.' 2
run host "unshare --fork --pid --mount sh -c '
  busybox ps -o comm | grep -x -m 1 unshare || echo nobody else; mount -t proc proc /proc; ps -e'"
judge "$seen"
expect '^ *1 .* sh$'
expect_not "^ *$$ "

step 'lsns: pid and mnt differ from the host, and nothing else.'
side 'lsns -n -o TYPE,NS -p $$ | sort'
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^> pid ' '^> mnt '
expect_not 'uts|ipc|net|user|cgroup|time'

step 'A mount inside is neither on the host nor in two. There, ls shows the directory below it.' 1
quiet host 'mkdir room'
quiet one 'mount -t tmpfs tmpfs room && touch room/file letter'
run host 'echo host sees: $(ls -d letter room/file 2>/dev/null)'
judge "$seen"
side 'ls -s room'
differ host one
same host two
side 'grep -c " $PWD/room " /proc/self/mountinfo'
differ host one
same host two

step 'But where nothing is mounted, all see the same files: the new namespace has a copy of the
list of mounts, not of the files. Lesson 07 takes those away.'
quiet one 'echo hello from one > letter'
side 'cat letter'
same host one two
expect_at host '^hello from one$'

step "Each mount says whether it propagates: shared:N, master:N, or - for private, in the third
column. systemd makes / shared; our lesson made all of its own mounts private."
run host "grep ' / / ' /proc/self/mountinfo | cut -d ' ' -f 5-7"
expect '^/ '
run one "grep ' / / ' /proc/self/mountinfo | cut -d ' ' -f 5-7"
expect '^/ [^ ]+ -$'

step 'Try it in a throw-away mount namespace, lab, with a shared mount, m...'
start lab 'unshare --mount --propagation private sh' mnt
quiet lab 'mkdir m && mount -t tmpfs tmpfs m && mount --make-shared m && mkdir m/x m/y'
step '... and three copies of lab. In one, m stays a peer, in one it becomes a slave, and in one it
becomes private. shared:N is the peer group, master:N the group that a slave receives from.'
for kind in shared slave private; do
  option=$kind
  [[ $kind != shared ]] || option=unchanged
  start "$kind" "nsenter -t $lab -m -w unshare -m --propagation $option sh" mnt
done
side 'grep " $PWD/m " /proc/self/mountinfo | cut -d " " -f 7' lab shared slave private
same lab shared
expect_at shared '^shared:[0-9]+$'
group=${seen#shared:}
expect_at slave "^master:$group$"
expect_at private '^-$'

step 'A mount in lab propagates to the peer and to the slave, not to the private copy:'
quiet lab 'mount -t tmpfs from-lab m/x'
side "grep -c from-lab /proc/self/mountinfo" lab shared slave private
same lab shared slave
differ slave private
expect_at private '^0$'

step 'A mount in the peer propagates back. One in the slave or in the private copy does not:'
quiet shared 'mount -t tmpfs from-shared m/y'
quiet slave 'mount -t tmpfs from-slave m/y'
quiet private 'mount -t tmpfs from-private m/y'
run lab 'grep -o "from-[a-z]*" /proc/self/mountinfo'
expect '^from-lab$' '^from-shared$'
expect_not 'from-slave|from-private'

step 'Now lab plays a host with systemd: all its mounts are shared. What a program mounts in a new
mount namespace, without the first step of our lesson, lands on the host.' 3
quiet lab 'mount --make-rshared /'
run lab 'unshare --mount --propagation unchanged mount -t tmpfs from-inside m/x
  grep -o from-inside /proc/self/mountinfo || echo nothing'
judge "$seen"
quiet lab 'umount m/x'
step 'And if it is /proc...'
run lab "grep ' / / ' /proc/self/mountinfo | cut -d ' ' -f 5-7"
expect '^/ [^ ]+ shared:'
run lab 'ps -o pid,args -p $$'
expect ' sh$'
quiet lab 'unshare --fork --pid --mount --propagation unchanged mount -t proc proc /proc'
step '... it now covers the /proc of lab, and shows a PID namespace that no longer exists:'
run lab 'ps -o pid,args -p $$'
expect 'mount -t proc proc /proc'
run lab 'ls /proc/self/'
expect 'No such file'
step 'One umount gives it back: one for each time that this happened.'
quiet lab 'umount /proc'
run lab 'ps -o pid,args -p $$'
expect ' sh$'

step 'Our lesson, started in the same lab, does it no harm:'
run lab 'bin/02-mount ps -e'
expect '^ *1 .* ps$'
run lab 'ps -o pid,args -p $$'
expect ' sh$'

finish
