#!/usr/bin/env bash
# exercise.sh lists the exercises of the lessons, and checks yours.
#
#   scripts/exercise.sh                      list all
#   scripts/exercise.sh NN                   list those of lesson NN
#   scripts/exercise.sh NN K                 check exercise K of lesson NN on
#                                            your own lesson, work/NN-name
#   scripts/exercise.sh NN K -- COMMAND...   on the launcher COMMAND
#   scripts/exercise.sh --solution NN K      on the lesson with the solution,
#                                            NN-name/exercises/K-*/solution.patch
#
# The README.md of an exercise says what to build. COMMAND gets the flags of the exercise
# and a shell as its last arguments, and has to run that inside.
#
# Exit status: 0 all points hold, 1 one does not, 2 the command line is wrong.
# CHECK_TIMEOUT: seconds to wait for an answer of the launcher (20).
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
answer_help "$@"

solution='' words=() command=()
while [[ $# -gt 0 ]]; do
  case $1 in
  --solution) solution=yes ;;
  --)
    shift
    command=("$@")
    [[ $# -gt 0 ]] || misused 'there is no COMMAND after --'
    break
    ;;
  -*) misused "unknown option $1" ;;
  *) words+=("$1") ;;
  esac
  shift
done
[[ ${#words[@]} -le 2 ]] || misused 'expected NN, or NN and K'

number='' lesson=''
[[ ! ${words[*]} =~ ^([0-9]+)-([0-9])$ ]] || # as the list has it
  words=("${BASH_REMATCH[@]:1}")
if [[ ${#words[@]} -gt 0 ]]; then
  lesson=$(need_lesson "${words[0]}")
  number=${lesson%%-*}
fi

# The list: what the check of an exercise says in its first line.
if [[ ${#words[@]} -lt 2 ]]; then
  [[ -z $solution && ${#command[@]} -eq 0 ]] || misused 'expected NN and K'
  for check in "$repo/$number"*/exercises/*/check.sh; do
    name=${check#"$repo/"} exercise=$(basename "$(dirname "$check")")
    printf '%s  %s\n' "${name%%-*}-${exercise%%-*}" "$(sed -n '2s/^# //p' "$check")"
  done
  exit
fi

check=$(find "$repo/$lesson/exercises" -path "*/${words[1]}-*/check.sh" | grep .) ||
  misused "lesson $number has no exercise ${words[1]}"
dir=${check%/check.sh} name=$number-$(basename "${check%/check.sh}")

if [[ ${#command[@]} -eq 0 ]]; then
  cd "$repo" # for rootfs
  install_for tour
  need_mqueue
  ! isolates "$lesson" root || need_rootfs
  if [[ $solution ]]; then
    build_patched "$lesson" "${dir#"$repo/"}/solution.patch" "solution/$name"
  else
    need_own "$lesson" "or another launcher: $0 ${words[*]} -- COMMAND"
    build_own "$lesson"
  fi
  command=("${launch[@]}")
fi
exec "$check" "${command[@]}"
