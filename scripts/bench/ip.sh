#!/bin/sh
# ip.sh: lesson 05 as a script: unshare(1), and the cable by ip(8).
#
#   ip.sh COMMAND [ARGUMENT ...]
set -eu

dir=$(mktemp -d -t nsl.XXXXXX)
trap 'rm -r "$dir"' EXIT
mkfifo "$dir/born" "$dir/ready"

# shellcheck disable=SC2016 # the inner shell's own $0, $1 and $@
unshare --fork --pid --mount-proc --uts --ipc --net sh -euc '
  echo >"$0/born"
  read -r inside gateway <"$0/ready"
  ip link set lo up
  ip address add "$inside" dev eth0
  ip link set eth0 up
  ip route add default via "$gateway"
  exec "$@"' "$dir" "$@" &
pid=$!

read -r _ <"$dir/born" # now it has its network namespace
subnet=10.200.$((pid % 250))
ip link add "nslb$pid" type veth peer name eth0 netns "$pid"
ip address add "$subnet.1/30" dev "nslb$pid"
ip link set "nslb$pid" up
echo "$subnet.2/30 $subnet.1" >"$dir/ready"
wait "$pid"
