#!/usr/bin/env bash
# coverage.sh says how much of the lessons' code the tests have run. It is
# counted in the lessons' real processes, parents and children, as root and
# as an ordinary user.
# Usage: scripts/dev/coverage.sh [DIR]
#   DIR  where NN-name.test of all lessons is; without it they are compiled
# For each lesson: the share of its statements, and those that did not run.
# It fails where that share is less than 85 %.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

least=85
user=nsl-cover

cd "$repo"
need_go
[[ $EUID -eq 0 ]] || exec sudo -H env PATH="$PATH" "$0" "$@"
scratch=$(as_user mktemp -d /var/tmp/nsl.XXXXXX)
tests=${1:-$scratch}
clean_up() {
  rm -rf "$scratch"
  userdel --remove "$user" &>/dev/null || true
}
trap clean_up EXIT
exit_on_signals

# A copy of the lessons, with one change. A program writes its counters when
# it exits; but the child becomes the command, and never exits.
as_user mkdir "$scratch"/{src,bin,counters}
as_user cp -r 0* go.mod go.sum "$scratch/src"
rm "$scratch"/src/0*/*_test.go
for lesson in "$scratch"/src/0*; do
  sed -i 's/unix\.Exec(/execAndCount(/' "$lesson"/*.go
  cat >"$lesson/count.go" <<'GO'
//go:build linux

package main

import (
	"os"
	"runtime/coverage"

	"golang.org/x/sys/unix"
)

var counters = os.Getenv("GOCOVERDIR")

func execAndCount(path string, args, environ []string) error {
	coverage.WriteCountersDir(counters) // but where another lesson started it
	return unix.Exec(path, args, environ)
}
GO
done
(cd "$scratch/src" && as_user env CGO_ENABLED=0 go build -cover -covermode=atomic \
  -o "$scratch/bin/" ./0*)
[[ -n ${1:-} ]] || as_user env CGO_ENABLED=0 go test -c -o "$scratch/" ./0*

# The counters go to a directory by a descriptor that all processes have: in
# a new root, it has no path. Users write there, too.
chmod 777 "$scratch/counters"
chmod a+rX "$scratch" "$scratch/bin"
id "$user" &>/dev/null || useradd --create-home --shell /bin/bash "$user"
exec 200<"$scratch/counters"
export GOCOVERDIR=/proc/self/fd/200 NSTEST_BIN=$scratch/bin NSTEST_REPO=$repo
[[ ! -d $tests/repo ]] || export NSTEST_REPO=$tests/repo # test.sh's, for users

# run NAME COMMAND... runs a lesson's tests.
run() {
  local name=$1
  shift
  "$@" "$tests/$name.test" -test.skip \
    'TestAllLessons/(terminal|load)' >"$scratch/log" 2>&1 </dev/null || {
    grep -- '--- FAIL' "$scratch/log" || tail -n 5 "$scratch/log"
  }
}
for lesson in 0*; do
  run "$lesson" env -C "$lesson"
  [[ $lesson == 0[1-5]-* ]] ||
    run "$lesson" setpriv --reuid "$user" --regid "$user" --init-groups \
      env -C / HOME="/home/$user"
done

# A line of the profile is FILE:FROM,TO STATEMENTS TIMES.
as_user go tool covdata textfmt -i="$scratch/counters" -o "$scratch/profile"
failed=''
for lesson in 0*; do
  grep "^namespaces/$lesson/" "$scratch/profile" | grep -v /count.go: |
    sort -t : -k 1,1 -k 2,2n >"$scratch/own" || die "nothing counted: $lesson"
  awk -v lesson="$lesson" -v least=$least '
    { all += $2; if ($3 > 0) ran += $2; else missing = missing "\n  " $1 }
    END {
      printf "%-14s %5.1f %% of %d statements\n", lesson, 100 * ran / all, all
      exit 100 * ran < least * all
    }' "$scratch/own" || failed+=" $lesson"
  while read -r place _ times; do
    [[ $times == 0 ]] || continue
    file=${place%%:*} line=${place#*:} line=${line%%.*}
    printf '  %s:%s %s\n' "${file#namespaces/}" "$line" \
      "$(sed -n "${line}s/^[[:space:]]*//p" "${file#namespaces/}")"
  done <"$scratch/own"
done
[[ -z $failed ]] || die "less than $least %:$failed"
