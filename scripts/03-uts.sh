#!/usr/bin/env bash
# 03-uts.sh shows a UTS namespace, step by step: three hostnames at the same
# time, what else is in the namespace, and two ways to be fooled.
#
# Usage: scripts/03-uts.sh [--auto | --list | --from STEP]

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin root "$@"

step 'One kernel, three names:'
start one 'bin/03-uts -hostname room-1 sh'
start two 'bin/03-uts -hostname room-2 sh'
side 'hostname'
differ host one two
before=${answer[host]}
expect_at one '^room-1$'

step 'lsns: pid, mnt and now uts differ from the host, and nothing else.'
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^> pid ' '^> mnt ' '^> uts '
expect_not 'ipc|net|user|cgroup|time'

step 'A new name inside is the name of that namespace alone. The host keeps its own.' 1
run one "hostname room-3; bash -c 'hostname suite-3; p=\"\h\"
  echo \"hostname \$(hostname), prompt \${p@P}, file \$(cat /etc/hostname)\"'"
judge "$seen"
quiet one 'hostname room-9'
side 'hostname'
expect_at one '^room-9$'
[[ ${answer[host]} == "$before" ]] || fail "the host to be $before" "${answer[host]}"

step "sethostname(2) sets the name of the namespace in which it is called. Without the lesson's flag, that
is the host's: here, lab plays the host." 2
run host "unshare --uts sh -c 'hostname lab
  unshare --fork --pid hostname room-3; echo now it is \$(hostname)'"
judge "$seen"

step "A UTS namespace has two names: nodename, which hostname and uname -n show, and domainname, from
the days of NIS, which is not the domain of DNS and is hardly used."
side 'uname -n; cat /proc/sys/kernel/hostname; cat /proc/sys/kernel/domainname'
quiet one 'echo lesson > /proc/sys/kernel/domainname'
side 'cat /proc/sys/kernel/domainname'
differ host one
same host two
expect_at one '^lesson$'
step 'Everything else that uname shows describes the kernel, which is the same for all:'
side 'uname -sr'
same host one two

step 'Your prompt may fool you: bash reads the name once, when it starts. The shell below
shows its prompt, changes the name, shows its prompt, and becomes a new bash by exec.'
quiet two "export prompt='[\\h]#' show='echo \"prompt \${prompt@P}  hostname \$(hostname)\"'"
run two "bash -c 'eval \"\$show\"; hostname new; eval \"\$show\"; exec bash -c \"\$show\"'"
expect '^prompt \[room-2\]#  hostname room-2$' \
  '^prompt \[room-2\]#  hostname new$' '^prompt \[new\]#  hostname new$'

step "So may hostnamectl. It does not change the name itself, but asks systemd-hostnamed, through a
socket in the filesystem, and that is a process of the host. So \`hostnamectl hostname box\`, typed
inside, renames the host. We will not run it, but something like it: a process of the host that
waits for a question at a FIFO, and answers with its own name."
quiet host 'mkfifo question answer'
background 'read -r _ <question && hostname >answer'
run one 'echo who are you? >question; cat answer; hostname'
expect "^$before\$" '^room-9$'

finish
