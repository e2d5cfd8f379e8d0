#!/usr/bin/env bash
# test-vm.sh runs, on a real Debian, whatever systemd, AppArmor, PAM and its kernel can
# change: tests of lesson 08, the tour, the doctor, demonstrations. There systemd is
# process 1, / is shared, all cgroups are v2, and the user has logged in.
# It is a machine of scripts/sandbox.sh.
#
# Usage: scripts/dev/test-vm.sh [--suite SUITE] [--as root|user] [--all]
#        scripts/dev/test-vm.sh --arch ARCH [--all]
#
#   --suite SUITE  bookworm (the default), or another release of Debian
#   --as WHO       only as root, or only as an ordinary user; without it both, at
#                  the same time
#   --all          leave nothing out; without it, what also runs elsewhere, or as the
#                  other user, runs once
#   --arch ARCH    arm64 or amd64, and no systemd: the lessons, the checks of
#                  them and of their twins, compare.sh, the doctor and rootfs.sh
#                  on a different kind of processor, emulated
#
# NSL_TESTS names a directory with the lessons' tests, compiled. Without it,
# they are compiled here. The exit status is 0 if everything passed.

set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

suite=bookworm arch='' slow=3 whos=(root user) all=''
while [[ $# -gt 0 ]]; do
  case $1 in
  --all) all=all ;;
  --suite)
    [[ -n ${2:-} ]] || misused "--suite takes a release of Debian"
    suite=$2
    shift
    ;;
  --arch)
    [[ ${2:-} =~ ^(amd64|arm64)$ ]] || misused "--arch takes amd64 or arm64"
    arch=$2
    shift
    ;;
  --as)
    [[ ${2:-} =~ ^(root|user)$ ]] || misused "--as takes root or user"
    whos=("$2")
    shift
    ;;
  *) misused "unknown argument: $1" ;;
  esac
  shift
done

out=$(mktemp -d /var/tmp/nsl.0XXXXXX)
running=()
clean_up() {
  local pid
  trap '' INT TERM HUP
  for pid in "${running[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" || true
  done
  rm -rf "$out"
}
trap clean_up EXIT
exit_on_signals

# A checkout of its own, with programs for that processor.
if [[ -n $arch ]]; then
  need_go
  mkdir "$out/repo" "$out/repo/bin"
  cp -r "$repo/scripts" "$repo/go.mod" "$out/repo"
  (cd "$repo" && cp --parents [0-9]*/{*.sh,quiz.md} "$out/repo")
  (
    cd "$repo"
    export CGO_ENABLED=0 GOOS=linux GOARCH=$arch
    go build -ldflags='-s -w' -o "$out/repo/bin/" ./0*
    go test -c -ldflags='-s -w' -o "$out/repo/bin/" ./0*
  )
  "$out/repo/scripts/sandbox.sh" --arch "$arch" --mem 768M --with "$out/repo/go.mod" \
    env NSL_SLOW="$slow" "$out/repo/scripts/dev/test-vm-inside.sh" "$out/repo/bin" \
    ${all:+"$all"} </dev/null &
  running=($!)
  status=0
  wait $! || status=$?
  running=()
  exit "$status"
fi

tests=${NSL_TESTS:-}
if [[ -z $tests ]]; then
  tests=$out/tests
  build_lessons
  need_rootfs
  say "compiling the lessons' tests"
  mkdir "$tests"
  (cd "$repo" && CGO_ENABLED=0 go test -c -o "$tests/" ./0*)
fi

# machine WHO runs everything in a machine.
machine() {
  local args=(--debian "$suite" --mem 768M
    --with "$repo/go.mod") test
  [[ $1 == root ]] || args+=(--user)
  for test in "$tests"/0*.test; do args+=(--with "$test"); done
  exec "$repo/scripts/sandbox.sh" "${args[@]}" \
    env NS_STRICT="${NS_STRICT:-}" NSL_SLOW="$slow" \
    "$repo/scripts/dev/test-vm-inside.sh" "$tests" ${all:+"$all"}
}

# A command that a signal ends has failed, and its two streams stay apart: once everything
# has passed, test-vm-inside.sh ends itself with SIGTERM.
for who in "${whos[@]}"; do
  machine "$who" >"$out/$who" 2>"$out/$who.err" <<<'to stdin' &
  running+=($!)
done
failed=0
for i in "${!whos[@]}"; do
  status=0
  wait "${running[i]}" || status=$?
  say "on Debian $suite, as ${whos[i]}: status $status"
  cat "$out/${whos[i]}"
  [[ $status -eq 143 && $(tail -n 1 "$out/${whos[i]}.err") == Terminated ]] || {
    cat "$out/${whos[i]}.err"
    failed=1
  }
done
running=()
exit "$failed"
