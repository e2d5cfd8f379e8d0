#!/usr/bin/env bash
# 06-user.sh shows a user namespace, step by step: root inside, you outside, and
# no sudo. Then it tries what that root still may not do. Started by root, it
# continues as an ordinary user.
#
# Usage: scripts/06-user.sh [--auto | --list | --from STEP]

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin user "$@"
uid=$(id -u) gid=$(id -g)

step 'No sudo: an ordinary user starts it, and is root inside. Only the veth pair to the host is
missing, since the network of the host is not ours.'
start one 'bin/06-user -hostname room-1 sh'
start two 'bin/06-user -hostname room-2 sh'
side 'id | tr " " "\n"'
expect_at host "^uid=$uid" "^gid=$gid"
for place in one two; do
  expect_at "$place" '^uid=0\(root\)$' '^gid=0\(root\)$'
done

step 'Root inside may do some of what root may:' 1
run two 'touch mine; works=""; for line in "hostname box" "mount -t tmpfs tmpfs /mnt" \
  "cat /etc/shadow" "chown 1 mine" "date --set now"
  do $line >/dev/null 2>&1 && works="$works ${line%% *}"; done; echo "works:${works:- nothing}"'
judge "$seen"

step 'lsns: pid, mnt, uts, ipc, net and now user differ from the host, and nothing else.'
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^> pid ' '^> mnt ' '^> uts ' '^> ipc ' '^> net ' '^> user '
expect_not 'cgroup|time'

step 'The same process, seen from the host, is yours. The maps say how: the first ID inside, the
first ID outside, how many. Each maps a single ID, your own.'
run host "ps -o uid,pid,args -p $one"
expect "^ *$uid +$one "
run host "cat /proc/$one/uid_map /proc/$one/gid_map"
expect "^ +0 +$uid +1$" "^ +0 +$gid +1$"

step 'What root makes inside belongs to you outside: nothing needs to be given to you afterwards.' 2
quiet one 'touch made-inside'
side 'stat -c "%n: %u" made-inside'
differ host one
same one two
expect_at host "^made-inside: $uid$"
expect_at one '^made-inside: 0$'
run host 'if test -O made-inside; then echo it is mine; else echo it is not mine; fi'
judge "$seen"

step "Users who are not in the map have no number inside, such as the host's root. The kernel shows
65534, nobody, instead. And nothing can be given to a user who is not in the map." 3
side 'stat -c "%n: %u %U" /etc/passwd'
expect_at host '^/etc/passwd: 0 root$'
expect_at one '^/etc/passwd: 65534 '
judge "$seen"
run one 'chown 1 made-inside'
expect 'Invalid argument'

step 'Root inside has all capabilities: each bit is one. You have none, although you started it.'
side 'grep CapEff /proc/self/status'
differ host one
expect_at host ':\s+0+$'
expect_at one ':\s+0*[1-9a-f][0-9a-f]*ff$'
step 'They count for what this user namespace owns: its own hostname, mounts, devices.'
quiet one 'hostname room-9 && mkdir m && mount -t tmpfs tmpfs m && ip link set lo down'
run one 'hostname'
expect '^room-9$'

step 'Each namespace is owned by a user namespace. As an ordinary user you see those of your own
processes; with sudo, lsns would show all.'
run host 'lsns -t user'
user=$(readlink "/proc/$one/ns/user") user=${user//[^0-9]/}
expect "^ *[0-9]+ user "
if grep -q -e --tree <<<"$(lsns --help)"; then
  step "lsns draws that tree. Those of one are below its user namespace, $user:"
  run host "lsns --tree=owner -p $one -o NS,TYPE,PID,USER,COMMAND"
  expect "$user +user "
  for type in mnt uts ipc pid net; do
    ns=$(readlink "/proc/$one/ns/$type")
    expect " [^ ]*${ns//[^0-9]/} +$type "
  done
else
  step 'lsns draws that tree from util-linux 2.38 on. This one is older, and cannot.'
  run host 'lsns --version'
fi

step "What may root inside still not do? Change groups: a group may be there to keep somebody
out, and you could leave it. So before a user may map groups, setgroups has to be denied."
side 'cat /proc/self/setgroups'
expect_at one '^deny$'
run one 'setpriv --clear-groups true'
expect 'setgroups failed: Operation not permitted'

step "Set the clock: there is one for the whole machine."
run one 'date -s "$(date)"'
expect 'cannot set date: Operation not permitted'

step 'Make a device: that would be a way to all disks.'
run one 'mknod disk b 8 0'
expect 'Operation not permitted'

step "Read what only the root of the host may:"
secret=/etc/shadow
[[ -e $secret ]] || secret=/proc/kmsg
run one "cat $secret"
expect 'Permission denied'

step "Touch the host's namespaces. We join only the user namespace of one: so we are root, but
hostname, network and mounts are the host's, and the host's root owns them."
run host "nsenter -t $one -U --preserve-credentials id -u"
expect '^0$'
run host "nsenter -t $one -U --preserve-credentials hostname $(hostname)"
expect 'must be root|not permitted'
run host "nsenter -t $one -U --preserve-credentials ip link set lo up"
expect 'Operation not permitted'
run host "nsenter -t $one -U --preserve-credentials mount -t tmpfs tmpfs m"
expect 'permission denied|not permitted'

finish
