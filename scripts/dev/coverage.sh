#!/usr/bin/env bash
# coverage.sh measures how much of the lessons' code the tests run that scripts/test.sh
# runs as root: in the lessons' real processes, parents and children.
# Usage: scripts/dev/coverage.sh build|report DIR
# It builds programs into DIR/bin that count, in DIR/counters, which of their statements
# run. It reports the share for each lesson, lists the statements that did not run, and
# fails if a share is less than 85%.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

least=85
cd "$repo"

# build DIR builds a copy of the lessons, with one change. A program writes its counters
# when it exits, but the child becomes the command and never exits.
build() {
  local lesson
  as_user mkdir -p "$1"/{src,bin,counters}
  as_user cp -r 0* go.mod go.sum "$1/src"
  rm "$1"/src/0*/*_test.go
  for lesson in "$1"/src/0*; do
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
  (cd "$1/src" && as_user env CGO_ENABLED=0 go build -cover -covermode=atomic \
    -o "../bin/" ./0*)
  chmod 777 "$1/counters"
  chmod a+rX "$1" "$1/bin"
}

# report DIR reads the profile. Its lines are FILE:FROM,TO STATEMENTS TIMES.
report() {
  local lesson failed='' place times file line
  go tool covdata textfmt -i="$1/counters" -o "$1/profile"
  for lesson in 0*; do
    grep "^namespaces/$lesson/" "$1/profile" | grep -v /count.go: |
      sort -t : -k 1,1 -k 2,2n >"$1/own" || die "nothing was counted for $lesson"
    awk -v lesson="$lesson" -v least=$least '
      { all += $2; if ($3 > 0) ran += $2; else missing = missing "\n  " $1 }
      END {
        printf "%-14s %5.1f %% of %d statements\n", lesson, 100 * ran / all, all
        exit 100 * ran < least * all
      }' "$1/own" || failed+=" $lesson"
    while read -r place _ times; do
      [[ $times == 0 ]] || continue
      file=${place%%:*} line=${place#*:} line=${line%%.*}
      printf '  %s:%s %s\n' "${file#namespaces/}" "$line" \
        "$(sed -n "${line}s/^[[:space:]]*//p" "${file#namespaces/}")"
    done <"$1/own"
  done
  [[ -z $failed ]] || die "less than $least%:$failed"
}

[[ ${1:-} =~ ^(build|report)$ && -n ${2:-} ]] || misused "expected build or report, and a directory"
"$1" "$2"
