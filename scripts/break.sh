#!/usr/bin/env bash
# break.sh breaks a lesson on purpose, and lets the check find out.
#
#   scripts/break.sh NN      list the breaks of lesson NN
#   scripts/break.sh NN K    break number K: the change, what follows from it,
#                            and what the check says
#   scripts/break.sh NN '?'  a mystery: a container with one of these breaks, beside a
#                            healthy one. docs/diagnosis.md says how to find out which
#   scripts/break.sh NN '?' K    the same with break K, for a whole class
#
# A break is a patch, NN-name/breaks/K-name.patch. The symptom that follows is at
# its top. It is applied to a copy of the lesson in work/broken.
#
# Exit status: 0 the check fails as predicted, 1 it does not, 2 the command
# line is wrong.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/questions.sh"
answer_help "$@"

[[ $# -ge 1 && $# -le 3 ]] || misused 'expected NN, or NN and K'
lesson=$(need_lesson "$1")
patches=("$repo/$lesson"/breaks/*.patch)

if [[ $# -eq 1 ]]; then
  for patch in "${patches[@]}"; do
    name=${patch##*/}
    printf '%s  %s\n' "${name%%-*}" "$(head -n 1 "$patch")"
  done
  exit
fi

mystery='' number=$2 built=''
if [[ $2 == '?' ]]; then
  mystery=yes
  number=${3:-$(basename "$(shuf -e -n 1 "${patches[@]}")" | cut -d - -f 1)}
elif [[ $# -eq 3 ]]; then
  misused "unknown argument $3"
fi
patch=$(printf '%s\n' "${patches[@]}" | grep "/$number-[^/]*\$") ||
  misused "$lesson has no break $number"
mapfile -t predicted < <(sed -n 's/^Fails: //p' "$patch")
[[ ${#predicted[@]} -gt 0 ]] || die "$patch predicts nothing"

change() { head -n 1 "$1"; }
symptom() { sed '1,2d;/^Fails:/,$d' "$1" | xargs -d '\n'; }

# choose QUESTION WHAT NOTHING lets the learner choose one of four answers: WHAT prints
# one for this break, and for others of this lesson and of those before; else NOTHING.
choose() {
  local file l right=''
  local all=("$patch")
  for file in "${patches[@]}"; do [[ $file == "$patch" ]] || all+=("$file"); done
  while read -r file; do
    [[ ${file#"$repo/"} > $lesson ]] || all+=("$file")
  done < <(printf '%s\n' "$repo"/*/breaks/*.patch | sort -r)
  mapfile -t all < <(printf '%s\n' "${all[@]:0:4}" | shuf)
  texts=([0]=$1) letters=([0]=abcd)
  declare -gA options=()
  for ((l = 0; l < 4; l++)); do
    options[0${letters[0]:l:1}]=$3
    [[ -z ${all[l]:-} ]] || options[0${letters[0]:l:1}]=$("$2" "${all[l]}")
    [[ ${all[l]:-} != "$patch" ]] || right=${letters[0]:l:1}
  done
  find_width
  show_question 0
  read_answer 0 || exit 1
  if [[ $said == "$right" ]]; then say 'Yes.'; else say "No: $right."; fi
}

install_for tour
need_mqueue
flags=()
if isolates "$lesson" root; then
  need_rootfs
  flags=(-rootfs "$repo/rootfs")
fi
exit_on_signals

# mystery lets the learner look at two containers in a lab, as root: in namespaces
# of their own, and with copies of the programs.
mystery() {
  local where=mystery-$$/$lesson dir
  [[ $EUID -eq 0 ]] || {
    say 'using sudo for the lab: it makes namespaces of its own'
    as_root bash "$repo/scripts/break.sh" "$@"
    exit
  }
  [[ -x $repo/bin/$lesson ]] || build_lessons
  [[ ! -x /usr/bin/prebuilt ]] || where+=-$number
  build_patched "$lesson" "$patch" "$where"
  exec {built}<"$repo/work/$where/${where##*/}"
  dir=$(mktemp -d /var/tmp/nsl.0XXXXXX)
  # shellcheck disable=SC2064 # these, now
  trap "rmdir '$dir'; rm -rf '$repo/work/mystery-$$'" EXIT
  # A job of its own: afterwards bash takes the terminal back from the shell in there.
  set -m
  unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    --uts --ipc --net bash "$repo/scripts/lib/lab.sh" "$lesson" "$repo/bin/$lesson" \
    "$repo/work/$where/${where##*/}" "$dir" "${flags[@]}" {built}<&- ||
    die "the lab failed"
  set +m
  choose 'What is broken in it?' change 'Nothing: it is as healthy as the other one.'
}
[[ -z $mystery ]] || mystery "$@"

broken=broken/$lesson-$number
build_patched "$lesson" "$patch" "$broken" "$built"

say "$(change "$patch")"
sed -n '/^--- /,$p' "$patch"
[[ -n $mystery || ! -t 0 || ! -t 1 ]] ||
  choose 'What follows from this change?' symptom 'Nothing that one could see.'
say "What follows: $(symptom "$patch")"

cd "$repo" # for rootfs
report=$(bash scripts/check.sh "$lesson" -- "${launch[@]}") ||
  [[ $report == *' points hold'* ]] || die "the check of $lesson did not finish" \
  "scripts/check.sh $lesson -- ${launch[*]}"
while IFS= read -r line; do
  print_line "$line"
done < <(grep -A 1 '^not ok' <<<"$report" | grep -v '^--' || true)

# Everything that was predicted fails, and nothing else does.
status=0
for point in "${predicted[@]}"; do
  if grep -q "^skipped $point" <<<"$report"; then
    say "this machine cannot show it: $(grep "^skipped $point" <<<"$report")"
  elif ! grep -q "^not ok  $point" <<<"$report"; then
    say "predicted, but not seen: $point"
    status=1
  fi
done
while IFS= read -r line; do
  for point in "${predicted[@]}"; do
    [[ $line != "not ok  $point"* ]] || continue 2
  done
  say "seen, but not predicted: ${line#not ok  }"
  status=1
done < <(grep '^not ok' <<<"$report" || true)
[[ $status -ne 0 ]] || say "The check finds this break."
exit "$status"
