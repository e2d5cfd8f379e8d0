#!/usr/bin/env bash
# 04-ipc.sh shows an IPC namespace, step by step: message queues, semaphores and
# shared memory of its own, POSIX queues, and what is not isolated.
#
# Usage: scripts/04-ipc.sh [--auto | --list | --from STEP]

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin root "$@"
install_for demo
need_mqueue

# made prints the id that ipcmk has just printed.
made() { grep -o '[0-9]*$' <<<"$seen"; }

# key ID prints the key of a queue with that id, from the last answer.
key() { awk -v id="$1" '$2 == id { print $1 }' <<<"$seen"; }

step 'A message queue on the host, and one in each of two containers:' 1
start one 'bin/04-ipc -hostname room-1 sh'
start two 'bin/04-ipc -hostname room-2 sh'
run host 'ipcmk -Q'
host_id=$(made)
undo+=("ipcrm -q $host_id")
run one 'echo "sees $(ipcs -q | grep -c 0x), makes $(ipcmk -Q | grep -o "[0-9]*$")"'
judge "$seen"
one_id=$(made)
run two 'ipcmk -Q'
two_id=$(made)

step 'Each sees only its own queue. Compare the keys, which are random: each namespace counts its
msqids from 0, so the same number is a different queue.'
side 'ipcs -q | cut -c 1-21'
expect_at host "^0x[0-9a-f]+ +$host_id *$"
host_key=$(key "$host_id")
expect_at one '^0x[0-9a-f]+ +0 *$'
expect_not "$host_key"
one_key=$(key "$one_id")
expect_at two '^0x[0-9a-f]+ +0 *$'
expect_not "$host_key" "$one_key"
[[ $one_id == "$two_id" ]] || fail 'the same id in one and two' "$one_id and $two_id"

step 'lsns: pid, mnt, uts and now ipc differ from the host, and nothing else.'
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^> pid ' '^> mnt ' '^> uts ' '^> ipc '
expect_not 'net|user|cgroup|time'

step 'The same holds for shared memory and semaphores: made in one, they are only in one.'
run one 'ipcmk -M 4096; ipcmk -S 1'
run one 'ipcs -m -s'
expect 'Shared Memory' 'Semaphore'
mapfile -t both < <(grep -o '^0x[0-9a-f]*' <<<"$seen")
[[ ${#both[@]} -eq 2 ]] || fail 'two keys'
run two 'ipcs -m -s'
expect 'Shared Memory' 'Semaphore'
expect_not '^0x'
run host "ipcs -m -s | grep -c -e ${both[0]} -e ${both[1]}"
expect '^0$'

step 'POSIX message queues have names, and are files where an mqueue filesystem is mounted.
Like /proc, it shows the namespace in which it was mounted: so the lesson mounts a new one.'
quiet one 'touch /dev/mqueue/nsl-letters'
run one 'ls /dev/mqueue; cat /dev/mqueue/nsl-letters'
expect '^nsl-letters$' '^QSIZE:0 '
run two 'ls /dev/mqueue/nsl-letters'
expect 'No such file'
run host 'ls /dev/mqueue/nsl-letters'
expect 'No such file'

step 'A queue outlives the process that made it: ipcmk ended long ago. It does not outlive its
namespace, which ends with the last process in it. One starts again, and has no queue:' 2
quiet host "kill -KILL $one"
stop one
start one 'bin/04-ipc -hostname room-1 sh'
run one 'ipcs -q | grep 0x || echo no queue; ls -s /dev/mqueue'
judge "$seen"
expect '^total 0$'
step 'On the host, a queue stays until the next boot, unless it is removed:'
run host 'ipcs -q | cut -c 1-21'
expect "^$host_key +$host_id *$"
quiet host "ipcrm -q $host_id"
run host 'ipcs -q | cut -c 1-21'
expect_not "^$host_key"

step 'What is not isolated? POSIX shared memory is a file in /dev/shm, and up to lesson 07 files
are shared.' 3
name=/dev/shm/${tmp##*/}
undo+=("rm -f $name")
quiet one "echo a page of one > $name"
side "cat $name"
same host one two
judge "${answer[host]}"
quiet host "rm $name"

step 'A socket with a path is a file, too. This server runs on the host, and says its name.'
background 'socat -U UNIX-LISTEN:socket,fork EXEC:hostname'
await 'test -S socket'
side 'echo I am $(hostname), it is $(socat -u UNIX-CONNECT:socket -)'
for place in one two; do
  expect_at "$place" "^I am room-., it is $(hostname)$"
done

step 'An abstract socket has a name but no file. It belongs to a network namespace, so up to
lesson 05 it can be reached from inside.'
name=${tmp##*/}
background "socat -U ABSTRACT-LISTEN:$name,fork EXEC:hostname"
await "grep -q @$name /proc/net/unix"
run one "echo \"I am \$(hostname), it is \$(socat -u ABSTRACT-CONNECT:$name -)\""
expect "^I am room-1, it is $(hostname)$"

finish
