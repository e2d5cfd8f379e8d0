#!/usr/bin/env bash
# -publish HOST:CONTAINER: a port of the host that leads into the container.
# Usage: 05-net/exercises/2-publish/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
copies+=(--net)
begin "$@"
ip link set lo up
busybox=$(static_busybox)

# The server inside sends back what it gets, and when that has ended, a line.
printf '#!/bin/sh\ncat\necho over\n' >"$dir/serve"
chmod +x "$dir/serve"

# listens checks whether somebody listens on port 80 inside: 0A is LISTEN.
listens() { grep -q ':0050 [0-9A-F:]* 0A ' "/proc/${shell[a]}"/net/tcp{,6}; }

# say_hello FD says it to an open connection, and prints the answer.
say_hello() {
  local line
  echo hello >&"$1"
  read -r -t 5 line <&"$1" || true
  echo "${line:-no answer}"
}

run a -publish=8080:80
ask a "$busybox nc -ll -p 80 -e ${dir@Q}/serve <&- >&- 2>&- &"
soon listens || die 'the server of this check does not start'

seen='no answer'
if exec {one}<>/dev/tcp/127.0.0.1/8080; then seen=$(say_hello "$one"); fi 2>/dev/null
point net 'hello, to port 8080 of the host' "$seen" hello \
  'ss -ltn on the host: who listens? In which network namespace is a socket?'
[[ $seen == hello ]] || exec {one}>/dev/null

seen='no answer'
if exec {two}<>/dev/tcp/127.0.0.1/8080; then seen=$(say_hello "$two"); fi 2>/dev/null
point net 'and by a second connection, while the first is open' "$seen" hello \
  'What does your launcher wait for while it copies for the first connection?'
[[ $seen == hello ]] || exec {two}>/dev/null
exec {one}>&- {two}>&-

seen=$(head -c 1000000 /dev/zero | timeout 10 "$busybox" nc 127.0.0.1 8080 2>&1 | tail -c 5) || true
point net 'a million bytes, the end of them, and the last line of the answer' "$seen" over \
  'shutdown(2): whoever has no more to send may still want to read.'

# The address of the host that the container has for a gateway.
gateway=$(enter --net ip -4 route show default | awk '{ print $3 }')
seen='nobody answers'
! (exec 3<>"/dev/tcp/$gateway/8080") 2>/dev/null || seen='it is open'
point net "port 8080 of the host's other address, $gateway" "$seen" 'nobody answers' \
  'For which addresses does your launcher listen, and who is able to use those?'

point net 'a second container with the same port of the host' \
  "$(refuses b -publish=8080:81)" 'an error' \
  'bind(2): EADDRINUSE. When is it too late to find that out?'
finish a
seen='nobody answers'
! (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null || seen='it is open'
point net 'port 8080 when the container has ended' "$seen" 'nobody answers' \
  'Who still has the socket?'

finish_check
