#!/usr/bin/env bash
# tour.sh builds the lessons, runs them one after the other, and shows which namespaces
# of each differ from the host's, and what that is good for.
# Usage: scripts/tour.sh [--demos]
#   --demos  run the demonstrations instead, scripts/01-pid.sh and so on:
#            at a terminal, step by step
# Exit status: 0 if the kernel showed everything that was expected, 1 if not.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/namespaces.sh"
answer_help "$@"
export LC_ALL=C # messages in English, which we expect

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

# What follows is for NN-name/tour.sh, which shows a lesson.

# title starts a lesson: its command comes next.
title() { printf '\n%s\n' "$bold$name: $1$plain"; }

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

# expect compares what the kernel showed with what is expected, and prints the result
# in one line.
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
  find_namespaces "$("${launch[@]}" sh -c '
    for t in '"${ns_types[*]}"'; do readlink /proc/self/ns/$t; done' 2>/dev/null)" || true
  expect "namespaces of its own" "${ns_own[*]}" \
    "$(rows lessons | awk -v name="$name" '$1 == name { gsub(",", " ", $2); print $2 }')"
  summary+=("$name"$'\t'"${ns_own[*]:-none}"$'\t'"$verdict")
}

install_for tour
if ! command -v go >/dev/null && [[ -x $repo/bin/$(rows lessons | sed -n '$s/\t.*//p') ]]; then
  say "there is no Go here: using the lessons in bin/ as they are"
else
  build_lessons
  [[ -z $go_off_path ]] || say "Go is not on your PATH. To type go yourself: $go_off_path"
fi
need_rootfs
# Ask for a password once, not at each lesson. sudo -v would ask those, too, of whom no
# command needs one.
may_sudo=yes
if [[ $EUID -ne 0 ]] && ! sudo true; then
  may_sudo=''
  say "without sudo: what needs root is left out. scripts/doctor.sh says what works"
fi
[[ -z $may_sudo ]] || need_mqueue
cd "$repo"
mapfile -t names < <(rows lessons | cut -f 1)
failed=0
if [[ -n $demos ]]; then
  for name in "${names[@]}"; do
    launcher "$name"
    [[ -z $may_sudo && ${launch[0]} == sudo ]] || bash "scripts/$name.sh" || failed=1
  done
  exit "$failed"
fi
host=$(hostname)
for name in "${names[@]}"; do
  verdict=ok
  launcher "$name"
  if [[ -z $may_sudo && ${launch[0]} == sudo ]]; then
    summary+=("$name"$'\t'-$'\t''needs root')
    continue
  fi
  # shellcheck source=03-uts/tour.sh
  source "$name/tour.sh"
  finish
done

printf '\n%s\n' "${bold}lesson          namespaces of its own              verdict$plain"
for row in "${summary[@]}"; do
  IFS=$'\t' read -r name own verdict <<<"$row"
  color=''
  [[ $verdict != ok ]] || color=$green
  [[ $verdict != FAILED ]] || failed=1 color=$red
  printf '%-16s%-34s %s\n' "$name" "$own" "$color$verdict$plain"
done
exit "$failed"
