#!/usr/bin/env bash
# break.sh breaks a lesson on purpose, and lets the check find out.
#
#   scripts/break.sh NN      list what may be broken in lesson NN
#   scripts/break.sh NN K    break number K: the change, what follows from it,
#                            and what the check says
#
# A breakage is a patch, NN-name/breaks/K-name.patch, with the symptom that
# follows at its top. It is applied to a copy of the lesson in work/broken.
#
# Exit status: 0 the check fails as predicted, 1 it does not, 2 the command
# line is wrong.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
answer_help "$@"

[[ $# -eq 1 || $# -eq 2 ]] || misused 'NN, or NN and K'
lesson=$(need_lesson "$1")
patches=("$repo/$lesson"/breaks/*.patch)

if [[ $# -eq 1 ]]; then
  for patch in "${patches[@]}"; do
    name=${patch##*/}
    printf '%s  %s\n' "${name%%-*}" "$(head -n 1 "$patch")"
  done
  exit
fi

patch=$(printf '%s\n' "${patches[@]}" | grep "/$2-[^/]*\$") ||
  misused "$lesson has no breakage $2"
mapfile -t predicted < <(sed -n 's/^Fails: //p' "$patch")
[[ ${#predicted[@]} -gt 0 ]] || die "$patch predicts nothing"

install_for tour
need_mqueue
broken=broken/$lesson-$2
build_patched "$lesson" "$patch" "$broken"

say "$(head -n 1 "$patch")"
sed -n '/^--- /,$p' "$patch"
say "What follows: $(sed '1,2d;/^Fails:/,$d' "$patch" | xargs -d '\n')"

! isolates "$lesson" root || need_rootfs
cd "$repo" # for rootfs
report=$(scripts/check.sh "$lesson" -- "${launch[@]}") ||
  [[ $report == *' points hold'* ]] || die "the check of $lesson has broken off" \
  "scripts/check.sh $lesson -- ${launch[*]}"
grep -A 1 '^not ok' <<<"$report" | grep -v '^--' || true

# All that was predicted fails, and nothing else does.
status=0
for point in "${predicted[@]}"; do
  if grep -q "^skipped $point" <<<"$report"; then
    say "this machine can not show it: $(grep "^skipped $point" <<<"$report")"
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
[[ $status -ne 0 ]] || say "as predicted: the check fails"
exit "$status"
