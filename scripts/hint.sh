#!/usr/bin/env bash
# hint.sh helps you to write a lesson, a little more each time you ask:
# first a question, then where to read, then the system calls.
#
#   scripts/hint.sh NN          all that you have had, and one more
#   scripts/hint.sh --last NN   that one alone
#
# The hints are in NN-name/hints.md. How many you have had is in work/.progress,
# and scripts/progress.sh reset NN forgets it.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
answer_help "$@"

last=''
[[ ${1:-} != --last ]] || { last=yes && shift; }
lesson=$(need_lesson "$@")
as_caller ${last:+--last} "$@"

cd "$repo"
make_work
all=$(grep -c '^## ' "$lesson/hints.md")
[[ -f work/.progress/$lesson.hints ]] &&
  read -r had <"work/.progress/$lesson.hints" || had=0
[[ $had -ge $all ]] || had=$((had + 1))
echo "$had" >"work/.progress/$lesson.hints"

for ((hint = 1; hint <= had; hint++)); do
  [[ -z $last || $hint -eq $had ]] || continue
  [[ $hint -eq 1 ]] || echo
  say "$hint of $all: $(grep '^## ' "$lesson/hints.md" | sed -n "${hint}s/## //p")"
  # The shell removes the empty lines at the end.
  text=$(awk -v hint="$hint" '/^## / { n++; next } n == hint' "$lesson/hints.md")
  printf '%s\n' "$text"
done
if [[ $had -eq $all ]]; then
  echo
  say "That was the last one. How the lesson does it: scripts/diff.sh ${lesson%%-*} --mine"
fi
