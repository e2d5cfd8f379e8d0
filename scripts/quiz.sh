#!/usr/bin/env bash
# quiz.sh asks the questions of a lesson. One key is an answer; then each option
# says why it is right or wrong.
#
#   scripts/quiz.sh NN         the questions of lesson NN
#   scripts/quiz.sh --before   twelve questions from all lessons, without the answers,
#   scripts/quiz.sh --after    for a class: before it begins, and when it is over
#
# Your first answers are kept in work/.progress. scripts/progress.sh --share shares them,
# and scripts/progress.sh reset NN or reset all forgets them.
#
# Exit status: 0 all questions are answered, 1 not all, 2 the command line is wrong.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/questions.sh"
answer_help "$@"

kind=quiz lesson=''
case ${1:-} in
--before | --after) kind=${1#--} ;;
*) lesson=$(need_lesson "$@") ;;
esac
[[ $# -eq 1 ]] || misused 'expected NN, --before or --after'
as_caller "$@"
make_work
exit_on_signals
cd "$repo"
find_width

if [[ $kind != quiz ]]; then
  : >"work/.progress/$kind"
  mapfile -t asked < <(twelve)
else
  read_quiz "$lesson"
  asked=("${!titles[@]}")
  asked=("${asked[@]/#/$lesson }")
fi

right=0 number=0
for question in "${asked[@]}"; do
  i=${question#* } number=$((number + 1))
  [[ $lesson == "${question% *}" ]] || read_quiz "${question% *}"
  lesson=${question% *}
  printf '\n%s' "$dim$number of ${#asked[@]}$plain"
  show_question "$i"
  read_answer "$i" || die "question $number was not answered: the quiz ends here" "$0 $*"
  remember "$kind" "$question" "$said"
  [[ $said != "${keys[i]}" ]] || right=$((right + 1))
  [[ $kind == quiz ]] || continue
  if [[ $said == "${keys[i]}" ]]; then say "Yes."; else say "No: ${keys[i]}."; fi
  show_reasons "$i"
done
if [[ $kind == before ]]; then
  say "Thank you. When the class is over, type scripts/quiz.sh --after."
else
  say "$right of ${#asked[@]} right"
fi
