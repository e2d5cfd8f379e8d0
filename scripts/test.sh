#!/usr/bin/env bash
# test.sh runs everything that has to pass: formatting, linters, and the tests
# as root, as an ordinary user, and in virtual machines with cgroup v2.
# Usage: scripts/test.sh [--quick | --soak | --machine]
#   --quick    takes two minutes instead of twenty: no machine, no browser, no slow test
#   --soak     runs the lessons under load for ten minutes, and nothing else
#   --machine  makes the machine in the lesson pages, uses it in a browser, and types all
#              texts into it, and nothing else: without it, README.md's, and 03's in the browser
# With NS_STRICT=1 a test fails if it is skipped without a good reason. With CI=true
# more than two flaky tests are a failure.
# At its end it says which tests were flaky (they failed, and passed when they were run
# again), why tests were skipped, and N passed, N failed, N skipped
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
answer_help "$@"

quick=''
case ${1:-} in
'') ;;
--quick) quick=yes ;;
--soak) exec "$repo/scripts/dev/soak.sh" ;;
--machine) exec "$repo/scripts/dev/machine/test.sh" ;;
*) misused "unknown argument: $1" ;;
esac

cd "$repo"
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.6.1
user=nsl-test
machines='Sandbox|VM' # tests that start a virtual machine
passed=0 failed=0 skipped=0 flaky=0
# Below /var/tmp, where an ordinary user may run programs: some machines mount /tmp
# with noexec.
out=$(as_user mktemp -d /var/tmp/nsl.0XXXXXX)

groups=() # process groups of what runs beside the rest
clean_up() {
  local group
  for group in "${groups[@]}"; do
    kill -- "-$group" 2>/dev/null || true
    wait "$group" || true
  done
  as_root rm -rf "$out"
  if id "$user" &>/dev/null; then
    as_root userdel --remove "$user" &>/dev/null || true
  fi
}
trap clean_up EXIT
exit_on_signals

# twice NAME COMMAND... runs a command, and runs it again if it fails: of a Go test, only
# what failed, unless it ended early. What passes then is flaky, neither passed nor failed:
# it depends on something on which it should not, such as how busy the machine is.
twice() {
  local name=$1 log=$out/log status=0 tests
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [[ $status -ne 0 ]] || return 0
  mv "$log" "$out/first"
  # After a panic or a signal, some tests have not run: run all of them again.
  tests=''
  if [[ $status -eq 1 && " $* " == *' -test.v '* ]]; then
    tests=$(sed -n 's/^--- FAIL: \([^ ]*\).*/\1/p' "$out/first" | paste -sd '|')
  fi
  [[ -z $tests ]] || set -- "$@" -test.run "^($tests)$"
  if "$@" >"$log" 2>&1 </dev/null; then
    echo "$name: ${tests:-all of it}" >>"$out/again"
    grep -m 5 -A 12 -E 'Error Trace|^panic' "$out/first" >>"$out/again" ||
      tail -n 20 "$out/first" >>"$out/again"
    flaky=$((flaky + 1))
    [[ -z $tests ]] || sed 's/--- FAIL:/--- FLAKY:/' "$out/first" >"$log"
    [[ -n $tests || " $* " == *' -test.v '* ]] || once=flaky
  else
    mv "$out/first" "$log"
    return "$status"
  fi
}

# check NAME COMMAND... is one test: it passes if the command succeeds.
check() {
  local name=$1 once=''
  shift
  seconds='' SECONDS=0
  if twice "$name" "$@"; then
    printf '%s\n' "${green}ok$plain    $name, ${seconds:-$SECONDS} s"
    [[ -n $once ]] || passed=$((passed + 1))
  else
    printf '%s\n' "${red}FAIL$plain  $name"
    cat "$out/log"
    failed=$((failed + 1))
  fi
}

# count NAME COMMAND... runs a compiled Go test, and counts its results.
# A test binary that runs no test has failed, and so has one with a test that
# is skipped but does not say so through nstest.Skip.
count() {
  local name=$1 status=0 log pass fail skip once
  log=$out/log
  shift
  SECONDS=0 seconds=''
  twice "$name" "$@" || status=$?
  pass=$(grep -c '^ *--- PASS' "$log") || true
  fail=$(grep -c '^ *--- FAIL' "$log") || true
  skip=$(grep -c '^ *--- SKIP' "$log") || true
  [[ $status -eq 0 || $fail -gt 0 ]] || fail=1
  [[ $((pass + skip)) -gt 0 ]] || grep -q -- '--- FLAKY' "$log" || fail=$((fail + 1))
  sed -n "s/^.*: skipped: /$name: /p" "$log" >"$out/why"
  [[ $(wc -l <"$out/why") -ge $skip ]] || fail=$((fail + 1))
  cat "$out/why" >>"$out/skipped"
  passed=$((passed + pass)) failed=$((failed + fail)) skipped=$((skipped + skip))
  if [[ $fail -eq 0 ]]; then
    printf '%s\n' "${green}ok$plain    $name: $pass passed, $skip skipped, ${seconds:-$SECONDS} s"
  else
    printf '%s\n' "${red}FAIL$plain  $name: $fail failed, status $status"
    cat "$log"
  fi
}

# beside COMMAND... runs it beside the rest, in a process group of its own, to end all of it.
beside() {
  set -m
  (
    set +m
    trap 'wait; exit 143' TERM
    "$@"
  ) &
  set +m
  groups+=($!)
}

# ahead NAME COMMAND... runs a test, to be counted later.
ahead() {
  local log=$out/ahead/$1 status=0
  shift
  SECONDS=0
  "$@" &>"$log" </dev/null &
  wait $! || status=$?
  echo "$status $SECONDS" >"$log.status"
}

# ahead_of NAME COMMAND... prints the output of that run. When it is called again, it
# runs the command.
ahead_of() {
  local log=$out/ahead/$1 status
  shift
  if [[ -e $log.status ]]; then
    cat "$log"
    read -r status seconds <"$log.status"
    rm "$log.status"
    return "$status"
  fi
  "$@"
}
# shellcheck disable=SC2317 # in_machines and the like call them
counted() { count "$1" ahead_of "$@"; }
# shellcheck disable=SC2317
checked() { check "$1" ahead_of "$@"; }

# in_machines VERB calls VERB with the name and the command of each test of lessons in a
# virtual machine. What differs there is cgroup v2, systemd, and the kernel. Root's tests
# and a user's share a machine where they can.
in_machines() {
  local verb=$1 brought=(--with "$out/repo" --with "$out/08-cgroups.test"
    --with "$out/hostile.test")
  [[ ! -d $out/shared ]] || brought+=(--with "$out/shared")
  # shellcheck disable=SC2016 # for the shell inside
  "$verb" "cgroup v2" scripts/sandbox.sh "${brought[@]}" \
    env "${settings[@]}" bash -c '
      status=0
      "$0/hostile.test" -test.v \
        -test.run "Attempts/08.*/(take|start|leave|raise.the)|Sudo/(leave|raise.the)" || status=$?
      for who in "" "setpriv --reuid learner --regid learner --init-groups env HOME=/home/learner"; do
        $who "$0/08-cgroups.test" -test.v -test.skip "AllLessons/[^h]" || status=$?
        cd /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service # who has logged in
        echo $$ >app.slice/run-1.scope/cgroup.procs
      done
      exit $status' "$out"
  "$verb" "Debian bookworm, as root" env NSL_TESTS="$out" NS_STRICT="${NS_STRICT:-}" \
    scripts/dev/test-vm.sh --suite bookworm --as root
  "$verb" "Debian trixie, as a user" env NSL_TESTS="$out" NS_STRICT="${NS_STRICT:-}" \
    scripts/dev/test-vm.sh --suite trixie --as user
}

# in_sandboxes VERB does so for another processor, and for sandbox.sh itself.
in_sandboxes() {
  "$1" "arm64, emulated" scripts/dev/test-vm.sh --arch arm64
  "$1" sandbox as_root env -C internal/scripttest "${settings[@]}" NSTEST_BIN="$repo/bin" \
    NSTEST_REPO="$repo" "$out/scripttest.test" -test.v -test.run "^Test($machines)"
}

# in_pages VERB VERB calls the first with the name and the command of what is done in the
# Linux of the lesson pages, which is made for it: the tour and all checks. The second is
# called with what a browser does.
in_pages() {
  if [[ -n $machine ]]; then
    "$1" "the tour and the checks, in the Linux of the pages" scripts/dev/machine/test.sh \
      "$out/texts.test" -test.v -test.run '^TestPage$/^(README.md|internal)'
  fi
  # shellcheck disable=SC2086 # it may be empty
  "$2" "site.sh --check, in a browser" scripts/dev/site.sh $machine --check
  "$2" "slides.sh --check, in a browser" scripts/dev/slides.sh --check --plan day
}

formatted() { ! gofmt -l . | grep .; }
scripts() { git ls-files '*.sh' .ci/run; }
shell_formatted() { scripts | xargs shfmt -d; }
# Demonstrations and exercises are read without the library, which would take most of the
# time. Tests run all of them, and set -u finds a variable that it does not have.
shell_linted() {
  local sourcing='^scripts/0|/exercises/'
  scripts | grep -vE "$sourcing" | xargs -n 12 -P "$(nproc)" shellcheck -x || return
  scripts | grep -E "$sourcing" | xargs shellcheck --norc -e SC1091,SC2016,SC2034,SC2154,SC2317
}
vetted() { env GOOS="${1%/*}" GOARCH="${1#*/}" go vet ./...; }

# linters VERB calls VERB with the name and the command of each linter.
linters() {
  local verb=$1 target targets=(linux/amd64 linux/arm64 darwin/arm64 windows/amd64)
  [[ -z $quick ]] || targets=(linux/amd64)
  "$verb" gofmt formatted
  for target in "${targets[@]}"; do
    "$verb" "go vet for ${target/\// on }" vetted "$target"
  done
  "$verb" staticcheck go run "$staticcheck" ./...
  # A module of its own, so that the course's has no more than it needs.
  [[ -n $quick ]] || "$verb" "go vet of the site" env -C scripts/dev/site go vet ./...
  [[ -n $quick ]] ||
    "$verb" "staticcheck of the site" env -C scripts/dev/site go run "$staticcheck" ./...
  "$verb" shfmt shell_formatted
  [[ -n $quick ]] || "$verb" shellcheck shell_linted
}

begin=$EPOCHSECONDS
machine=--machine
if [[ $(uname -m) != x86_64 && -z $quick ]]; then
  machine='' skipped=$((skipped + 1))
  echo "all tests of the Linux in the pages: it is made on x86_64 alone" >>"$out/skipped"
fi
if [[ -z $quick ]]; then
  say "this takes about twenty minutes on two quiet CPUs; --quick takes two"
  install_for tour demo net exercise test vm vm-amd64 vm-arm64 site debian ${machine:+machine}
  # systemd starts a Docker that is installed, and that changes the host's firewall.
  if [[ ! -d /run/systemd/system ]]; then
    (install_for engines) || say "so tests with Docker are skipped"
  fi
else
  say "this takes two minutes on two quiet CPUs, and is not all: see -h"
  install_for tour demo net exercise test
fi
need_go
need_mqueue

# The tests are built once and run many times, also by root, who may not have Go.
build_lessons
need_rootfs
as_user env CGO_ENABLED=0 go test -c -ldflags='-s -w' -o "$out/" ./...

[[ -n $quick ]] || as_user scripts/dev/coverage.sh build "$out/cover"

# What the tests read is copied to where an ordinary user can read it: the repository
# itself may be in a home directory that is closed to others.
mkdir "$out/repo"
cp -r --parents bin docs scripts go.mod 0*/quiz.md "$out/repo"
[[ ! -d ../shared ]] || cp -r ../shared "$out/shared"
chmod -R go+rX "$out"
settings=(PATH="$PATH" NSTEST_PATIENCE=1m NSTEST_BIN="$out/repo/bin" NSTEST_REPO="$out/repo"
  NSTEST_MODULES="$(as_user go env GOMODCACHE)"
  NSTEST_BUILDS="$(as_user go env GOCACHE)" NS_STRICT="${NS_STRICT:-}")

# as_root_run TEST... runs compiled tests. The lessons' own run programs that count which
# statements run, but not without a /proc, where such a program prints more than the
# lesson does. All other tests run the lessons as they are.
as_root_run() {
  local test name dir own leave_out="^Test($machines)"
  for test; do
    name=$(basename "$test" .test)
    dir=$(find 0* internal scripts -type d -name "$name")
    own=()
    if [[ $dir != 0* ]]; then
      # These mount over /tmp and /var/tmp, and so need their files elsewhere.
      own=(NSTEST_BIN="$repo/bin" NSTEST_REPO="$repo")
    elif [[ -z $quick ]]; then
      # Through a descriptor that all processes inherit: in a new root the file has no path.
      # shellcheck disable=SC2016 # for the shell
      own=(NSTEST_BIN="$out/cover/bin" GOCOVERDIR=/proc/self/fd/200
        bash -c 'exec "$@" 200<"$0"' "$out/cover/counters")
      leave_out='AllLessons/conditions/no_'
    fi
    count "$name" as_root env -C "$dir" "${settings[@]}" "${own[@]}" \
      "$test" -test.v ${quick:+-test.short} -test.skip "$leave_out"
  done
}

# The machines and the pages, or with --quick the linters, run beside the rest. If no
# machine starts, that is one failure.
no_machine=''
mkdir "$out/ahead"
if [[ -n $quick ]]; then
  beside linters ahead
else
  beside in_pages ahead ahead
  check "a virtual machine starts" scripts/sandbox.sh true
  if [[ $failed -eq 0 ]]; then
    beside in_machines ahead
    beside in_sandboxes ahead
  else
    no_machine=yes skipped=$((skipped + 1))
    echo "all tests in a virtual machine: it does not start, see the failure" >>"$out/skipped"
  fi
fi

say "the lessons, as root"
as_root_run "$out"/0*.test

if [[ -z $quick ]]; then
  say "formatting and linters"
  linters check
fi

say "the rest, as root"
# Backwards: the last ones keep all CPUs busy when what runs beside them has ended.
mapfile -t rest < <(printf '%s\n' "$out"/[^0]*.test | tac)
as_root_run "${rest[@]}"

if [[ -n $quick ]]; then
  say "the handout"
  check "site.sh" scripts/dev/site.sh
fi

# What a user may do differs. How a lesson ends, and what it says about a fault, does not.
say "as an ordinary user"
id "$user" &>/dev/null || as_root useradd --create-home --shell /bin/bash "$user"
for name in 06-user 07-pivot-root 08-cgroups hostile; do
  count "$name" as_root setpriv --reuid "$user" --regid "$user" --init-groups \
    env -C / HOME="/home/$user" "${settings[@]}" "$out/$name.test" -test.v \
    -test.skip 'AllLessons/(usage|exit|streams|descriptors|shell|faults|load)'
done

# Lesson 08 has everything that is concurrent in any lesson.
if [[ -z $quick ]]; then
  say "with the race detector"
  as_user env CGO_ENABLED=1 go build -race -o "$out/race/" ./08-cgroups
  count 08-cgroups as_root env -C 08-cgroups "${settings[@]}" \
    NSTEST_BIN="$out/race" GORACE='exitcode=66 halt_on_error=1 atexit_sleep_ms=0' \
    "$out/08-cgroups.test" -test.v -test.run 'AllLessons/(signals|streams|host)'

  say "how much of the lessons the tests have run"
  check "coverage of each lesson" scripts/dev/coverage.sh report "$out/cover"
  sed -n '/ % of /p' "$out/log"
fi

for group in "${groups[@]}"; do
  wait "$group" || true
done
groups=()
if [[ -n $quick ]]; then
  say "formatting and linters"
  linters checked
else
  if [[ -z $no_machine ]]; then
    say "in virtual machines: cgroup v2, and a real Debian with systemd"
    in_machines counted
    in_sandboxes counted
  fi
  say "the handout and the slides, and the Linux in them"
  in_pages counted checked
fi

if [[ -s $out/again ]]; then
  say "failed once, and passed when it was run again"
  cat "$out/again"
fi
if [[ $skipped -gt 0 ]]; then
  say "skipped, how often and why"
  sort "$out/skipped" | uniq -c
fi
[[ -z $quick ]] || say "left out, too: machines, browser, shellcheck, coverage"
if [[ ${CI:-} == true && $flaky -gt 2 ]]; then
  failed=$((failed + 1))
  say "more than two are flaky: that is a failure"
fi
printf '\n%s s\n%s flaky\n' $((EPOCHSECONDS - begin)) "$flaky"
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[[ $failed -eq 0 ]]
