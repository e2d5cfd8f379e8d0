#!/usr/bin/env bash
# -net=bridge: containers that reach each other.
# Usage: 05-net/exercises/1-bridge/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
copies+=(--net)
begin "$@"
ip link set lo up
busybox=$(static_busybox)

# on RUN COMMAND... runs a command of the host in the network of that run.
on() { nsenter --target "${shell[$1]}" --net -- "${@:2}"; }

# address RUN prints that of its eth0.
address() { on "$1" ip -4 -o address show eth0 | awk '{ sub("/.*", "", $4); print $4 }'; }

# reaches RUN ADDRESS [FLAG...] prints whether that answers, when called from RUN.
reaches() {
  on "$1" "$busybox" ping -q -c 1 -W 2 "${@:3}" "$2" >/dev/null 2>&1 && echo yes || echo no
}

# host_devices prints those of the host.
host_devices() { ip -o link | awk -F '[:@] *' '{ print $2 }' | xargs; }

devices=$(host_devices)
run a -net=bridge
run c -net=bridge
run d -net=bridge
run b -net=bridge
a=$(address a) b=$(address b)
seen='two addresses'
[[ -n $a && -n $b && $a != "$b" ]] || seen="${a:-none} and ${b:-none}"
point net 'the addresses of two containers' "$seen" 'two addresses' \
  'Who gives out the addresses, and how does the next one know which are taken?'
[[ -n $a && -n $b ]] || finish_check

# With a time to live of 1, no router can have helped.
point net 'the first reaches the second' "$(reaches a "$b" -t 1)" yes \
  'ip link on the host: which devices have the same master? ip route inside: who is on the link?'
point net 'the second reaches the first' "$(reaches b "$a" -t 1)" yes \
  'ip neighbour inside. What does a bridge do with an ARP request?'

gateway=$(on b ip -4 route show default | awk '{ print $3 }')
seen='no default route'
[[ -z $gateway ]] || seen="$(reaches b "$gateway")"
[[ $seen != yes || $(ip -o -4 address) == *" $gateway/"* ]] || seen='yes, but it is not the host'
point net 'the second reaches the host, by its default route' "$seen" yes \
  'A bridge is a device of the host, too: which address has it, and is it up?'

# Whose port had the MAC address that the second one knows the host by?
finish a
finish c
finish d
point net 'the second still reaches the host when all others have ended' \
  "$(reaches b "$gateway")" yes \
  'Is the bridge still there? ip neighbour inside: which MAC address is that, and which was it?'

finish b
as_before() { [[ $(host_devices) == "$devices" ]]; }
seen='as before'
soon as_before || seen=$(host_devices)
point net 'the devices of the host when all have ended' "$seen" 'as before' \
  'The kernel removes a veth with the namespace that an end is in. Who removes the bridge?'

run e -net=bridge
seen=$(reaches e "$(on e ip -4 route show default | awk '{ print $3 }')")
point net 'a new one, after that, reaches the host' "$seen" yes \
  'What if the bridge is there, what if it is not?'
finish e

finish_check
