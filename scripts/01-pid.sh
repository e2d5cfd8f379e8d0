#!/usr/bin/env bash
# 01-pid.sh shows a PID namespace, step by step: the command is process 1, the
# host sees it under another number, and nobody in it can reach the host.
#
# Usage: scripts/01-pid.sh [--auto | --list | --from STEP]

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin root "$@"

step 'Every process is in one namespace of each type. lsns lists those of this shell:
NS is the number of the namespace, TYPE what it isolates, NPROCS how many processes
are in it. PID, USER and COMMAND are those of the process with the lowest PID in it.'
run host "lsns -p $$"
expect 'NS +TYPE +NPROCS +PID' '[0-9]{10} pid ' '[0-9]{10} mnt ' '[0-9]{10} uts '

step 'Two shells, each in a new PID namespace. Each is process 1 there. Their parents are outside,
where they cannot see, so they show as PID 0.' 1
start one 'bin/01-pid sh'
run one 'echo "process $$, sees $(busybox ps -o comm | grep -x -m 1 01-pid || echo nobody)"'
judge "$seen"
start two 'bin/01-pid sh'
side 'echo "PID $$, parent $PPID"'
differ host one
same one two
expect_at one '^PID 1, parent 0$'

step 'The flag CLONE_NEWPID does this. unshare(1) is another launcher: without --pid, its command
is a process like any other, and unshare is its parent.'
run host "unshare --fork sh -c 'echo PID \$\$; ps -o pid,args -p \$PPID'"
expect '^PID [0-9]{2}' '^ *[0-9]+ unshare --fork'
run host "unshare --fork --pid sh -c 'echo PID \$\$, parent \$PPID'"
expect '^PID 1, parent 0$'

step "lsns: the pid namespaces differ; all others are the host's."
side 'readlink /proc/self/ns/pid'
differ host one two
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^< pid ' '^> pid '
expect_not 'mnt|uts|ipc|net|user|cgroup|time'

step 'The host sees the same process under a different number. NSpid in its status lists both: the
number on the host, and the one in its own namespace.'
run host "ps -o pid,ppid,args -p ${launcher[one]},$one"
expect "^ *$one +${launcher[one]} sh"
run host "grep NSpid /proc/$one/status"
expect "^NSpid:\s+$one\s+1$"

step "ps inside still shows the host. It reads /proc, and that is still the host's: lesson 02 is
about that. (This is busybox's ps. The one of procps 4 looks itself up in /proc, by the number
that it has inside, and gives up if the host has no such process.)"
run one "busybox ps -o pid,ppid,args | grep -w -e ${launcher[one]} -e $one"
expect "^ *${launcher[one]} .*bin/01-pid"

step 'But a number means something only in its namespace. A process on the host...'
background 'sleep 300'
victim=$job
await "pgrep -f '^sleep 300' | grep -x $victim" # the shell has become sleep
run host "ps -o pid,args -p $victim"
expect 'sleep 300'
step '... cannot be killed from inside, though ps shows it there:'
run one "busybox ps -o pid,args | grep -w $victim; kill $victim"
expect 'sleep 300' 'No such process'
run host "ps -o pid,args -p $victim"
expect 'sleep 300'

step 'The kernel protects process 1: from inside, not even SIGKILL ends it.' 2
run one 'kill -KILL 1; echo "process $$ is still here"'
expect '^process 1 is still here$'
judge "$seen"

step 'Namespaces nest. Three levels deep, a process has four numbers: one for each
namespace in which it can be seen. In the innermost it is process 1.'
run host 'bin/01-pid bin/01-pid bin/01-pid grep NSpid /proc/self/status'
expect '^NSpid:(\s+[0-9]+){3}\s+1$'

step 'In two, something runs that is not process 1:'
run two 'sleep 301 & echo "inside it is process $!"'
await "pgrep -P $two -x sleep"
run host "ps -o pid,ppid,args --ppid $two"
expect 'sleep 301'
sleeper=$(pgrep -P "$two")
step 'When process 1 ends, the kernel kills everything else in its namespace.' 3
quiet host "kill -KILL $two"
wait "${launcher[two]}" 2>/dev/null || true # it has seen the end of process 1
run host "ps -p $two,$sleeper || echo neither is there"
expect 'neither is there'
judge "$seen"
expect_not 'sleep|sh$'

step 'Why unshare --pid needs --fork: unshare itself does not move, only its children are in the new
namespace. The first is process 1. When it ends, no more processes can start there, and the
next fork fails with an error that has nothing to do with memory.' 4
run host "unshare --pid bash -c 'ls -d /; ls -d /; echo the end'"
judge "$seen"
expect '^/$' 'fork: Cannot allocate memory'
run host "unshare --pid --fork bash -c 'ls -d /; ls -d /; echo the end'"
expect '^the end$'
expect_not 'Cannot'

finish
