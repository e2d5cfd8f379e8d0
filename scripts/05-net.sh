#!/usr/bin/env bash
# 05-net.sh shows a network namespace, step by step: devices, addresses and
# ports of its own, the veth pair to the host, a bridge, NAT and a firewall. The
# last three are made in throw-away network namespaces: one plays a host, one
# the internet. The host's own firewall and forwarding stay as they are.
#
# Usage: scripts/05-net.sh [--auto | --list | --from STEP]

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/demo.sh"
begin root "$@"
install_for demo net

step 'A new network namespace has lo, none of the devices of the host, and even lo is down:' 1
run host 'unshare --net busybox ping -qc1 127.1'
judge "$seen"
run host 'unshare --net ip -brief link'
expect '^lo +DOWN'
expect_not ' UP '
run host "unshare --net sh -c 'ip link set lo up; busybox ping -qc1 127.1'"
expect '1 packets received'

step 'The lesson sets lo up, and makes a veth pair, two devices that are like the ends of a cable.
One of them, eth0, is inside.'
run host 'ip -brief link'
expect '^lo '
start one 'bin/05-net -hostname room-1 sh'
start two 'bin/05-net -hostname room-2 sh'
run one 'ip -brief link'
expect '^lo ' '^eth0@'
expect_not '^nsl'

index=$(sed -n 's/^eth0@if\([0-9]*\) .*/\1/p' <<<"$seen")

step 'The other end is on the host, which has a new device for each container. The number after @
is the index of the other end, in the other namespace.'
run host 'ip -brief link'
expect '^nsl[0-9]+@if2 '
run host "ip link | grep ^$index:"
expect "^$index: nsl[0-9]+@if2: .*,UP"
outer=$(grep -o 'nsl[0-9]*' <<<"$seen")

step 'lsns: pid, mnt, uts, ipc and now net differ from the host, and nothing else.'
run host "diff <(lsns -n -o TYPE,NS -p $$ | sort) <(lsns -n -o TYPE,NS -p $one | sort)"
expect '^> pid ' '^> mnt ' '^> uts ' '^> ipc ' '^> net '
expect_not 'user|cgroup|time'

step 'Both ends have an address in the same small subnet, and the way to everything else leads
through the host: the default route.'
run one 'ip -4 -brief address; ip route'
expect '^eth0@.*10\.200\.[0-9.]+/30' '^default via 10\.200\.'
one_address=$(sed -n 's/^eth0@.* \([0-9.]*\)\/30.*/\1/p' <<<"$seen")
gateway=$(sed -n 's/^default via \([0-9.]*\) .*/\1/p' <<<"$seen")
ask two 'ip -4 -brief address'
two_address=$(sed -n 's/^eth0@.* \([0-9.]*\)\/30.*/\1/p' <<<"$seen")
run host "ip -4 -brief address | grep $gateway/; ip route | grep $gateway"
expect "^$outer@.* $gateway/30" "^10\.200\.[0-9.]+/30 dev $outer "
run one "busybox ping -qc1 $gateway"
expect '1 packets received'
run host "busybox ping -qc1 $one_address"
expect '1 packets received'

step 'Both ends are in that subnet, which needs no extra route. Everything else needs the default
route.' 3
run one "ip route delete default
  busybox ping -qc1 $gateway >/dev/null 2>&1; host=\$?
  busybox ping -qc1 192.0.2.1 >/dev/null 2>&1; echo host \$host, beyond \$?"
judge "$seen"
quiet one "ip route add default via $gateway"

step 'Each namespace has its own ports: two web servers listen on port 80, and the host reaches both.' 2
quiet host 'mkdir one two; echo hello from room-1 >one/ping; echo hello from room-2 >two/ping'
quiet one 'busybox httpd -p 80 -h one'
quiet two 'busybox httpd -p 80 -h two'
run host "busybox wget -q -O - http://$one_address/ping http://$two_address/ping && echo both listen"
judge "$seen"
expect '^hello from room-1$' '^hello from room-2$'
run one "busybox wget -q -O - http://127.0.0.1/ping"
expect '^hello from room-1$'

step 'A Unix socket with a path is not affected: it is a file. This server runs on the host.'
background 'socat -U UNIX-LISTEN:socket,fork EXEC:hostname'
await 'test -S socket'
run one 'echo "I am $(hostname), it is $(socat -u UNIX-CONNECT:socket -)"'
expect "^I am room-1, it is $(hostname)$"
step 'An abstract one, without a file, could be reached up to lesson 04. No longer:'
name=${tmp##*/}
background "socat -U ABSTRACT-LISTEN:$name,fork EXEC:hostname"
await "grep -q @$name /proc/net/unix"
run host "socat -u ABSTRACT-CONNECT:$name -"
expect "^$(hostname)$"
run one "socat -u ABSTRACT-CONNECT:$name -"
expect 'Connection refused'

step 'Now a bridge, the virtual switch to which Docker connects its containers. lab plays the host.
Its containers get no veth pair from the lesson: we make the pairs ourselves.'
stop one
stop two
start lab 'unshare --net sh' net
start one "nsenter -t $lab -n bin/05-net -net=lo -hostname room-1 sh"
start two "nsenter -t $lab -n bin/05-net -net=lo -hostname room-2 sh"
quiet lab 'ip link add nslbr type bridge && ip link set nslbr up'
quiet lab 'ip address add 10.201.0.1/24 dev nslbr'
quiet lab "ip link add nsl1 master nslbr up type veth peer name eth0 netns $one"
quiet lab "ip link add nsl2 master nslbr up type veth peer name eth0 netns $two"
quiet one 'ip address add 10.201.0.2/24 dev eth0 && ip link set eth0 up'
quiet two 'ip address add 10.201.0.3/24 dev eth0 && ip link set eth0 up'
run lab 'ip -brief link show master nslbr'
expect '^nsl1@' '^nsl2@'

step 'The two reach each other, and the host:'
run one 'busybox ping -qc1 10.201.0.3'
expect '1 packets received'
run one 'busybox ping -qc1 10.201.0.1'
expect '1 packets received'

step 'And the internet? A third namespace plays it, with an address from the range reserved for
examples. Its web server says who asked. Nobody there has a route to 10.201.0.0.'
start internet 'bin/05-net -net=lo -hostname internet sh'
# shellcheck disable=SC2154 # start sets it
quiet lab "ip link add nslwan up type veth peer name eth0 netns $internet"
quiet lab 'ip address add 203.0.113.1/24 dev nslwan'
quiet internet 'ip address add 203.0.113.2/24 dev eth0 && ip link set eth0 up'
mkdir -p www/cgi-bin
printf '#!/bin/sh\necho; echo "hello $REMOTE_ADDR"\n' >www/cgi-bin/hello
chmod +x www/cgi-bin/hello
quiet internet 'busybox httpd -p 203.0.113.2:80 -h www'
# It is no longer a child of that shell, and would outlive it.
undo+=("kill $(pgrep --ns "$internet" --nslist net -x busybox)")
run lab 'busybox wget -q -O - http://203.0.113.2/cgi-bin/hello'
expect '^hello 203\.0\.113\.1$'

step 'At first, a container has no route to it. With one, the packets get as far as the host, which
does not forward them until told to. That setting belongs to its network namespace.'
run one 'busybox wget -q -O - http://203.0.113.2/cgi-bin/hello'
expect 'unreachable'
quiet one 'ip route add default via 10.201.0.1'
quiet two 'ip route add default via 10.201.0.1'
quiet lab 'echo 0 >/proc/sys/net/ipv4/ip_forward'
run one 'timeout 1 busybox wget -q -O - http://203.0.113.2/cgi-bin/hello || echo no answer'
expect '^no answer$'
quiet lab 'echo 1 >/proc/sys/net/ipv4/ip_forward'

# Some kernels have no nftables for IPv4.
if unshare --net nft add table ip nslnat 2>/dev/null; then
  step 'Still no answer: what arrives is from 10.201.0.2, and the internet has no way back to there.
NAT writes the address of the host on what leaves. The server sees nobody else.'
  run one 'timeout 1 busybox wget -q -O - http://203.0.113.2/cgi-bin/hello || echo no answer'
  expect '^no answer$'
  quiet lab 'nft add table ip nslnat'
  quiet lab 'nft "add chain ip nslnat post { type nat hook postrouting priority 100; }"'
  quiet lab 'nft add rule ip nslnat post ip saddr 10.201.0.0/24 oifname nslwan masquerade'
  run one 'busybox wget -q -O - http://203.0.113.2/cgi-bin/hello'
  expect '^hello 203\.0\.113\.1$'

  step 'Docker makes such rules, and one more: on its hosts the policy of FORWARD is drop. Whatever
no rule allows is lost, without an error. Other containers than those of Docker hang, like this:'
  quiet lab 'nft add table ip nslfilter'
  quiet lab 'nft "add chain ip nslfilter nslfwd {
    type filter hook forward priority 0; policy drop; }"'
  run one 'timeout 1 busybox wget -q -O - http://203.0.113.2/cgi-bin/hello || echo no answer'
  expect '^no answer$'
  step 'Host and container still reach each other: that is not forwarding. A rule for what comes
from our bridge, and a second for the answers, fix it.'
  run one 'busybox ping -qc1 10.201.0.1'
  expect '1 packets received'
  quiet lab 'nft add rule ip nslfilter nslfwd iifname nslbr accept'
  quiet lab 'nft add rule ip nslfilter nslfwd ct state established accept'
  run one 'busybox wget -q -O - http://203.0.113.2/cgi-bin/hello'
  expect '^hello 203\.0\.113\.1$'
else
  step 'Still no answer: what arrives is from 10.201.0.2, and the internet has no way back to there.
What is missing is NAT, but this kernel has no nftables to make it with: that is left out here.'
  run lab 'nft add table ip nslnat 2>&1 || echo status $?'
  run one 'timeout 1 busybox wget -q -O - http://203.0.113.2/cgi-bin/hello || echo no answer'
  expect '^no answer$'
fi

step 'None of this was on the host. Its end of the first veth pair is gone, too: when a network
namespace ends, so do its veth devices, and a veth pair has two ends or none.'
run host "ip link show $outer"
expect 'does not exist'

finish
