#!/usr/bin/env bash
# test-vm-arch.sh is what scripts/dev/test-vm.sh --arch runs in the machine, as
# root. For each step it says PASS or FAIL in the words of `go test -v`.
# Usage: scripts/dev/test-vm-arch.sh [all]
#   all  everything for every lesson

set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"
[[ -d /lib/sandbox ]] || misused "this is for the machine of scripts/dev/test-vm.sh alone"
all=${1:-}
cd "$repo"
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step NAME COMMAND... passes if the command succeeds and prints something.
step() {
  local name=$1 status=0 begin=$SECONDS
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [[ -s $log ]] || status=silent
  if [[ $status == 0 ]]; then
    echo "--- PASS: $name ($((SECONDS - begin))s)"
  else
    echo "--- FAIL: $name ($((SECONDS - begin))s): status $status"
    cat "$log"
    failed=1
  fi
}

# tests_of LESSON runs its own tests. The suite that all lessons have in common does not
# depend on the processor, and takes long.
tests_of() {
  env -C / NSTEST_BIN="$repo/bin" NSTEST_REPO="$repo" NSTEST_PATIENCE=3m \
    "$repo/bin/$1.test" -test.v -test.short -test.timeout 10m -test.run '^Test' \
    -test.skip '^TestAllLessons$' || return
}

uname -m
step rootfs.sh scripts/rootfs.sh
export CHECK_TIMEOUT=120
while read -r lesson _; do
  step "$lesson, compare.sh" scripts/compare.sh "${lesson%%-*}"
  # An emulated processor is slow. So it runs the tests of lessons whose system calls Go
  # does not make itself, and the check of the last lesson, which has all points.
  [[ -z $all && $lesson != 0[57]-* ]] || step "$lesson, its tests" tests_of "$lesson"
  [[ -n $all || $lesson == 08-* ]] || continue
  step "$lesson, check.sh" scripts/check.sh "${lesson%%-*}" -- "bin/$lesson"
  step "$lesson, check.sh of its twin" scripts/check.sh --twin "${lesson%%-*}"
done < <(rows lessons)
step doctor.sh scripts/doctor.sh
exit "$failed"
