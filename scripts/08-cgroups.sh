#!/usr/bin/env bash
# 08-cgroups.sh shows limits that bite, step by step, and then the whole
# container: a web server in it, and a shell that joins it, as docker exec does.
# It takes the least privilege with which this machine lets it make a cgroup:
# none, a scope that systemd delegates to you, or sudo.
#
# Usage: scripts/08-cgroups.sh [--auto | --list | --from STEP]

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin any "$@"

# again COMMAND... starts this script again through COMMAND.
again() {
  local script scope=''
  script=$repo/scripts/${0##*/}
  [[ $1 != systemd-run ]] || scope=yes
  trap - EXIT
  cd /
  rm -rf --one-file-system "$tmp"
  exec "$@" env NSL_SUDO="$*" NSL_SCOPE="$scope" NSL_BIN="${NSL_BIN:-}" NO_COLOR="${NO_COLOR:-}" \
    "$script" "${arguments[@]}"
}

# cgroups NAME prints the line that finds the cgroup of a container, and
# knob NAME FILE the one that shows a file in it. With cgroup v2 it is one
# directory, with v1 one for each controller.
cgroups() { echo "find /sys/fs/cgroup -name 'nsl-${launcher[$1]}-*'"; }
knob() { echo "cat \$(find /sys/fs/cgroup -path '*/nsl-${launcher[$1]}-*/$2')"; }

step 'A limit needs a cgroup, and that is a directory in a filesystem. May we make one?'
run host 'scripts/rootfs.sh one; scripts/rootfs.sh two'
run host 'bin/08-cgroups -net=lo -rootfs one echo yes, limits are possible'
if [[ $status -ne 0 && -z ${NSL_SCOPE:-} ]]; then
  if [[ $EUID -eq 0 && -d /run/systemd/system ]]; then
    step 'No. But systemd makes a part of the tree for us, with all controllers:'
    type_line host 'systemd-run --scope -p Delegate=yes scripts/08-cgroups.sh'
    again systemd-run --scope --quiet -p Delegate=yes
  elif systemctl --user --quiet is-active default.target 2>/dev/null &&
    [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
    step 'No. But systemd delegates a part of the tree to you if it is asked to:'
    type_line host 'systemd-run --user --scope -p Delegate=yes scripts/08-cgroups.sh'
    again systemd-run --user --scope --quiet -p Delegate=yes
  fi
fi
if [[ $status -ne 0 && $EUID -ne 0 && ${NSL_SUDO:-} != sudo ]] && command -v sudo >/dev/null; then
  step 'No. This tree belongs to root: so we ask sudo for the rest.'
  type_line host 'sudo scripts/08-cgroups.sh'
  again sudo
fi
expect '^yes, limits are possible$'

step 'A container with a little of everything: 32 MiB, 20 processes, a tenth of a CPU. And a second.'
start one 'bin/08-cgroups -hostname room-1 -memory 32M -pids 20 -cpus 0.1 -rootfs one'
start two 'bin/08-cgroups -hostname room-2 -rootfs two'

step 'lsns: pid, mnt, uts, ipc, net, user and now cgroup differ from the host.'
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^> pid ' '^> mnt ' '^> uts ' '^> ipc ' '^> net ' '^> user ' '^> cgroup '
expect_not 'time'

step 'Namespaces limit what is seen, cgroups what is used. The limits are files in its cgroup: one
directory with cgroup v2, one for each controller with v1.'
run host "$(cgroups one)"
files=(memory.limit_in_bytes pids.max cpu.cfs_quota_us memory.oom_control)
[[ $(wc -l <<<"$seen") -gt 1 ]] || files=(memory.max pids.max cpu.max memory.events)
run host "$(knob one "${files[0]}")"
expect '^33554432$'
run host "$(knob one "${files[1]}")"
expect '^20$'
run host "$(knob one "${files[2]}")"
expect '^10000( 100000)?$'

step 'The cgroup namespace hides the rest of the tree: inside, its own cgroup is the root, /.'
run host "grep nsl- /proc/$one/cgroup"
expect "/nsl-${launcher[one]}-"
run one 'cat /proc/self/cgroup'
expect ':/$'
expect_not ':/.'

step 'Memory. dd asks for a buffer, and the kernel gives it page by page. 16 MiB are fine. At 100 it
hits the limit, nothing is left to free, and the kernel kills dd: status 137, 128 + SIGKILL.' 1
run one 'dd if=/dev/zero of=/dev/null bs=16M count=1; echo status $?'
expect '^status 0$'
run one 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo status $?'
expect '^status 137$'
judge "$seen"
run host "$(knob one "${files[3]}")"
expect '^oom_kill [1-9]'
run two 'dd if=/dev/zero of=/dev/null bs=32M count=1; echo status $?'
expect '^status 0$'

step 'Processes. The shell is one, so 30 more are too many: fork fails, in this container alone.' 2
run one "sh -c 'for i in \$(seq 30); do sleep 1 & done'; sleep 2"
expect "can't fork: Resource temporarily unavailable"
judge "$seen"
run host "$(knob one pids.events)"
expect '^max [1-9]'
run one 'echo it works again'
expect 'it works again'

step 'CPU time. A loop that could use a whole CPU for a second gets a tenth of one: in each period of
100 ms it stops after 10. Compare user with real.'
run one "time timeout 1 sh -c 'while :; do :; done'"
expect '^real\s+0m [1-9]'
awk '/^real/ { r = $3 } /^user/ { u = $3 } END { exit !(u + 0 < 0.3 * r) }' <<<"$seen" ||
  fail 'a tenth of real as user'
run host "$(knob one cpu.stat) | grep throttled"
expect '^nr_throttled [1-9]'

step 'Now all of it together. A web server in the container:'
quiet one 'mkdir /tmp/www; echo pong from room-1 >/tmp/www/ping; httpd -p 80 -h /tmp/www'
quiet two 'mkdir /tmp/www; echo pong from room-2 >/tmp/www/ping; httpd -p 80 -h /tmp/www'
address=''
ask one 'ip -4 address show eth0'
address=$(sed -n 's/^ *inet \([0-9.]*\)\/.*/\1/p' <<<"$seen")
if [[ -n $address ]]; then
  run host "busybox wget -q -O - http://$address/ping"
  expect '^pong from room-1$'
  ask two 'ip -4 address show eth0'
  address=$(sed -n 's/^ *inet \([0-9.]*\)\/.*/\1/p' <<<"$seen")
  run host "busybox wget -q -O - http://$address/ping"
else
  step 'There is no veth pair: you are not root on the host. But you own the user namespace to which the
network belongs, so you may enter both. That is what rootless tools build on.'
  run host "nsenter -t $one -U -n --preserve-credentials busybox wget -qO- http://127.0.0.1/ping"
  expect '^pong from room-1$'
  run host "nsenter -t $two -U -n --preserve-credentials busybox wget -qO- http://127.0.0.1/ping"
fi
expect '^pong from room-2$'
step 'Root inside is, outside, the user who started it:'
run host "ps -o uid,pid,args -p $one"
expect "^ *${SUDO_UID:-$EUID} +$one "

step "With Docker, the line that means the same would be (it is not run here):
  docker run --rm -it --memory 32m --memory-swap 32m --pids-limit 20 --cpus 0.1 \\
    --hostname room-1 busybox"

enter="nsenter -t $one -a"
# You are root there already. And -a takes the host's time namespace, too, which
# only root may enter.
[[ $EUID -eq 0 ]] || enter="${enter% -a} -U -m -u -i -n -p -C --preserve-credentials"
step 'And docker exec? It is nsenter: a process that enters all namespaces of another process.'
run host "$enter sh -c 'hostname; ps; cat /tmp/www/ping'"
expect '^room-1$' 'httpd' '^pong from room-1$'
expect '^ *1 '

step 'That process sees what the container sees, but its limits do not apply: it is in another cgroup.
docker exec moves it, too. The kernel lets whoever may write to both directories do that.' 3
run host "$enter sh -c 'if grep -q :/\\.\\. /proc/self/cgroup
  then echo in another cgroup; else echo in the cgroup of the container; fi'"
judge "$seen"
run host "$enter cat /proc/self/cgroup"
expect ':/\.\.'
run host "for dir in \$($(cgroups one)); do echo 0 >\$dir/cgroup.procs; done
  $enter cat /proc/self/cgroup"
expect ':/$'
expect_not ':/\.\.'

step 'When the container ends, its cgroup ends, and nothing is left.'
run host "$(cgroups one) | wc -l"
expect '^[1-9]'
type_line one exit
gone=$(cgroups one)
stop one
run host "$gone | wc -l"
expect '^0$'

finish
