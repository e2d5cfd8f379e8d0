#!/usr/bin/env bash
# tour.sh builds the eight lessons and runs them one after the other: the
# namespaces of each that differ from the host's, and what that is good for.
# Usage: scripts/tour.sh [--demos]
#   --demos  run the eight demonstrations instead, scripts/01-pid.sh and so on:
#            step by step on a terminal
# Exit status: 0 if the kernel showed all that was expected, 1 if not.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/namespaces.sh"
answer_help "$@"
export LC_ALL=C # the messages in the words that we expect

demos=
case ${1:-} in
'') ;;
--demos) demos=yes ;;
*) misused "unknown argument: $1" ;;
esac

need_limits
summary=()
queue=

trap '[[ -z $queue ]] || ipcrm -q "$queue"' EXIT

# lesson TITLE starts a lesson: its command comes next.
lesson() {
  name=$1 verdict=ok
  launcher "$name"
  printf '\n%s\n' "$bold$name: $2$plain"
}

# run shows a command as it is typed, runs it in the lesson, and shows what
# it prints.
run() {
  local line shown=("${launch[@]/#"$repo/"/}")
  printf '%s\n' "$dim\$ ${shown[*]} ${*@Q}$plain" | sed "s/'\([a-zA-Z0-9/_.=-]*\)'/\1/g"
  output=$("${launch[@]}" "$@" 2>&1) && status=0 || status=$?
  while IFS= read -r line; do
    printf '  %.98s\n' "$line"
  done <<<"$output"
}

# expect compares what the kernel showed with what is expected: one line
# that says so.
expect() {
  local what=$1 seen=$2 want=$3
  if [[ -n $seen && $seen == "$want" ]]; then
    printf '%s\n' "  ${green}ok${plain}  $what: $seen"
  else
    verdict=FAILED
    printf '%s\n' "  ${red}FAILED${plain}  $what: ${seen:-nothing}, expected ${want:-something}"
  fi
}

# finish compares the namespaces inside with the host's, and notes the result.
finish() {
  # shellcheck disable=SC2016 # $t is for the shell inside
  find_namespaces "$("${launch[@]}" sh -c '
    for t in '"${ns_types[*]}"'; do readlink /proc/self/ns/$t; done' 2>/dev/null)" || true
  expect "namespaces of its own" "${ns_own[*]}" \
    "$(rows lessons | awk -v name="$name" '$1 == name { gsub(",", " ", $2); print $2 }')"
  summary+=("$name"$'\t'"${ns_own[*]:-none}"$'\t'"$verdict")
}

install_for tour
if ! command -v go >/dev/null && [[ -x $repo/bin/08-cgroups ]]; then
  say "there is no go here: the lessons are taken from bin/ as they are"
else
  build_lessons
fi
need_rootfs
need_mqueue
cd "$repo"
if [[ -n $demos ]]; then
  failed=0
  while read -r name _; do
    "scripts/$name.sh" <&3 || failed=1
  done 3<&0 < <(rows lessons)
  exit "$failed"
fi
host=$(hostname)

lesson 01-pid "the command is process 1"
# shellcheck disable=SC2016 # for the shell inside
run sh -c 'echo I am process $$, child of $PPID; lsns --type pid'
expect "the first line says" "$(head -n 1 <<<"$output")" "I am process 1, child of 0"
finish

lesson 02-mount "a /proc of its own, so ps shows nobody else"
run ps ax
expect "processes" "$(grep -c '[0-9]:[0-9]' <<<"$output")" 1
finish

lesson 03-uts "a name of its own"
run -hostname room-3 hostname
expect "hostname inside" "$output" room-3
expect "hostname outside" "$(hostname)" "$host"
finish

lesson 04-ipc "message queues of its own"
queue=$(ipcmk -Q | grep -o '[0-9]*$')
key=$(ipcs -q | awk -v id="$queue" '$2 == id { print $1 }')
printf '%s\n' "  the host has a queue with the key $key"
run ipcs -q
expect "queues inside" "$(grep -c 'msqid' <<<"$output") table, $(grep -c ^0x <<<"$output") queues" \
  "1 table, 0 queues"
ipcrm -q "$queue" && queue=
finish

lesson 05-net "devices and addresses of its own"
run ip -brief address
expect "devices" "$(awk '{ sub("@.*", "", $1); print $1 }' <<<"$output" | xargs)" "lo eth0"
finish

lesson 06-user "root inside, you outside"
run sh -c 'id; cat /proc/self/uid_map'
expect "inside" "$(grep -o '^uid=[^ ]*' <<<"$output")" "uid=0(root)"
expect "outside" "uid $(awk 'END { print $2 }' <<<"$output")" "uid ${SUDO_UID:-$EUID}"
finish

lesson 07-pivot-root "a root filesystem of its own"
run -net=lo ls /
expect "the new root is" "${output//$'\n'/ }" "$(printf '%s ' rootfs/* | sed 's#rootfs/##g; s# $##')"
finish

lesson 08-cgroups "limits"
run -memory 32M tail /dev/zero
expect "a memory hog ends with status" "$status" 137
# shellcheck disable=SC2016
run -pids 20 sh -c 'while sleep 9 & do echo -n .; done; echo'
expect "a fork bomb gets" "$(grep -o 'Resource temporarily unavailable' <<<"$output" | head -n 1)" \
  "Resource temporarily unavailable"
finish

printf '\n%s\n' "${bold}lesson          namespaces of its own              verdict$plain"
failed=0
for row in "${summary[@]}"; do
  IFS=$'\t' read -r name own verdict <<<"$row"
  color=$green
  [[ $verdict == ok ]] || failed=1 color=$red
  printf '%-16s%-35s%s\n' "$name" "$own" "$color$verdict$plain"
done
exit "$failed"
