#!/usr/bin/env bash
# test.sh runs everything that has to pass: formatting, linters, and the tests
# as root, as an ordinary user, and in a virtual machine with cgroup v2.
# Usage: scripts/test.sh [--quick | --soak]
#   --quick  install nothing, and leave out the browser and the virtual machine
#   --soak   nothing but the lessons under load, for ten minutes
# With NS_STRICT=1 a test that is skipped without a good reason fails.
# At the end: what has passed only when it was run again, why tests were
# skipped, and N passed, N failed, N skipped
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

quick=''
case ${1:-} in
'') ;;
--quick) quick=yes ;;
--soak) exec "$repo/scripts/dev/soak.sh" ;;
*) misused "unknown argument: $1" ;;
esac

cd "$repo"
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.6.1
user=nsl-test
passed=0 failed=0 skipped=0
# Below /var/tmp, where an ordinary user may run programs; some machines have
# a /tmp that does not let anybody.
out=$(as_user mktemp -d /var/tmp/nsl.XXXXXX)

machines='' # the process that runs them
clean_up() {
  if [[ -n $machines ]]; then
    kill "$machines" 2>/dev/null || true
    wait "$machines" || true
  fi
  as_root rm -rf "$out"
  if id "$user" &>/dev/null; then
    as_root userdel --remove "$user" &>/dev/null || true
  fi
}
trap clean_up EXIT
exit_on_signals

# twice NAME COMMAND... runs a command, and once more if it fails: of a Go test
# what has failed, unless it has ended before its time. If that passes, it
# depends on something that it should not, such as how busy the machine is: it
# is listed at the end.
twice() {
  local name=$1 log=$out/log status=0 tests
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [[ $status -ne 0 ]] || return 0
  mv "$log" "$out/first"
  # A panic, a signal: there are tests that have not run. All of it again.
  tests=''
  if [[ $status -eq 1 && " $* " == *' -test.v '* ]]; then
    tests=$(sed -n 's/^--- FAIL: \([^ ]*\).*/\1/p' "$out/first" | paste -sd '|')
  fi
  [[ -z $tests ]] || set -- "$@" -test.run "^($tests)$"
  if "$@" >"$log" 2>&1 </dev/null; then
    echo "$name: ${tests:-all of it}" >>"$out/again"
    grep -m 5 -A 12 -E 'Error Trace|^panic' "$out/first" >>"$out/again" ||
      tail -n 20 "$out/first" >>"$out/again"
    [[ -z $tests ]] || sed 's/--- FAIL:/--- PASS:/' "$out/first" >"$log"
  else
    mv "$out/first" "$log"
    return "$status"
  fi
}

# check NAME COMMAND... is one test: it passes if the command succeeds.
check() {
  local name=$1
  shift
  if twice "$name" "$@"; then
    printf '%s\n' "${green}ok$plain    $name"
    passed=$((passed + 1))
  else
    printf '%s\n' "${red}FAIL$plain  $name"
    cat "$out/log"
    failed=$((failed + 1))
  fi
}

# count NAME COMMAND... runs a compiled Go test, and counts what it says.
# A test binary that runs no test has failed, and so has one with a test that
# is skipped but does not say so through nstest.Skip.
count() {
  local name=$1 status=0 log pass fail skip
  log=$out/log
  shift
  SECONDS=0 seconds=''
  twice "$name" "$@" || status=$?
  pass=$(grep -c '^ *--- PASS' "$log") || true
  fail=$(grep -c '^ *--- FAIL' "$log") || true
  skip=$(grep -c '^ *--- SKIP' "$log") || true
  [[ $status -eq 0 || $fail -gt 0 ]] || fail=1
  [[ $((pass + skip)) -gt 0 ]] || fail=$((fail + 1))
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

# ahead NAME COMMAND... runs a test, to be counted later.
ahead() {
  local log=$out/ahead/$1 status=0
  shift
  SECONDS=0
  "$@" &>"$log" </dev/null &
  wait $! || status=$?
  echo "$status $SECONDS" >"$log.status"
}

# ahead_of NAME COMMAND... says what that has said. When it is asked again, it
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
# shellcheck disable=SC2317 # in_machines calls it
counted() { count "$1" ahead_of "$@"; }

# in_machines VERB calls it with the name and the command of each test in a
# virtual machine.
in_machines() {
  local verb=$1 who brought=(--with "$out/repo")
  [[ ! -d $out/shared ]] || brought+=(--with "$out/shared")
  for who in '' --user; do
    # Of the faults, those at a step that is otherwise with this kernel's cgroups;
    # a user's are no others.
    # shellcheck disable=SC2086 # none is none
    "$verb" "08-cgroups, v2${who:+ $who}" scripts/sandbox.sh $who "${brought[@]}" \
      --with "$out/08-cgroups.test" env "${settings[@]}" \
      "$out/08-cgroups.test" -test.v -test.short -test.run \
      '^Test[^A]|^Fuzz|AllLessons/^[^f]|AllLessons/faults/./(clone|openat|mkdir|chmod|write|unshare)' \
      -test.skip "AllLessons/(conditions|random|load${who:+|faults})"
    # shellcheck disable=SC2086
    "$verb" "hostile, v2${who:+ $who}" scripts/sandbox.sh $who "${brought[@]}" \
      --with "$out/hostile.test" env "${settings[@]}" \
      "$out/hostile.test" -test.v \
      -test.run 'Attempts/08.*/(take|start|leave|raise)|Sudo/(take|start|leave|raise)'
  done
  for who in root user; do
    "$verb" "test-vm as $who" env NSL_TESTS="$out" NS_STRICT="${NS_STRICT:-}" \
      scripts/dev/test-vm.sh --as "$who"
  done
}

formatted() { ! gofmt -l . | grep .; }
scripts() { git ls-files '*.sh' .ci/run; }
shell_formatted() { scripts | xargs shfmt -d; }
shell_linted() { scripts | xargs shellcheck -x; }
vetted() { env GOOS="$1" GOARCH="$2" go vet ./...; }

if [[ -z $quick ]]; then
  install_for tour demo net exercise test vm site
else
  say "--quick: nothing is installed, and the browser and the virtual machine are left out"
fi
need_go
need_mqueue

# Built once, run many times: by root without a Go of its own, and where
# there is no Go at all.
build_lessons
need_rootfs
as_user env CGO_ENABLED=0 go test -c -o "$out/" ./...

# What the tests read, where an ordinary user can: the repository itself may
# be in a home directory that is closed to others.
mkdir "$out/repo"
cp -r bin docs scripts go.mod "$out/repo"
[[ ! -d ../shared ]] || cp -r ../shared "$out/shared"
chmod -R go+rX "$out"
settings=(PATH="$PATH" NSTEST_BIN="$out/repo/bin" NSTEST_REPO="$out/repo"
  NSTEST_MODULES="$(as_user go env GOMODCACHE)"
  NSTEST_BUILDS="$(as_user go env GOCACHE)" NS_STRICT="${NS_STRICT:-}")

# as_root_run TEST... runs compiled tests.
as_root_run() {
  local test name dir own
  for test; do
    name=$(basename "$test" .test)
    dir=$(find 0* internal scripts -type d -name "$name")
    own=()
    # These mount over /tmp and /var/tmp, and so want what is elsewhere.
    [[ $dir == 0* ]] || own=(NSTEST_BIN="$repo/bin" NSTEST_REPO="$repo")
    count "$name" as_root env -C "$dir" "${settings[@]}" "${own[@]}" \
      "$test" -test.v -test.skip '^TestBench'
  done
}

say "the lessons, as root"
as_root_run "$out"/0*.test

# A virtual machine takes one processor: they run beside what follows. What
# measures time has come already, or comes when they have ended.
if [[ -z $quick ]]; then
  mkdir "$out/ahead"
  (
    trap 'kill %% && wait; exit 143' TERM
    in_machines ahead
  ) &
  machines=$!
fi

say "formatting and linters"
check gofmt formatted
for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do
  check "go vet for $target" vetted "${target%/*}" "${target#*/}"
done
check staticcheck go run "$staticcheck" ./...
# A module of its own, so that the course's has no more than it needs.
check "go vet of the site" env -C scripts/dev/site go vet ./...
check "staticcheck of the site" env -C scripts/dev/site go run "$staticcheck" ./...
check shfmt shell_formatted
check shellcheck shell_linted

say "the rest, as root"
as_root_run "$out"/[^0]*.test

say "the handout and the slides"
if [[ -n $quick ]]; then
  check "site.sh" scripts/dev/site.sh
else
  SECONDS=0
  check "site.sh --check, in a browser" scripts/dev/site.sh --check
  check "slides.sh --check, in a browser" scripts/dev/slides.sh --check
  printf '      %s s\n' "$SECONDS"
fi

say "as an ordinary user"
id "$user" &>/dev/null || as_root useradd --create-home --shell /bin/bash "$user"
for name in 06-user 07-pivot-root 08-cgroups hostile; do
  count "$name" as_root setpriv --reuid "$user" --regid "$user" --init-groups \
    env -C / HOME="/home/$user" "${settings[@]}" "$out/$name.test" -test.v
done

# Lesson 08 has all that is concurrent in a lesson.
say "with the race detector"
as_user env CGO_ENABLED=1 go build -race -o "$out/race/" ./08-cgroups
count 08-cgroups as_root env -C 08-cgroups "${settings[@]}" \
  NSTEST_BIN="$out/race" GORACE='exitcode=66 halt_on_error=1 atexit_sleep_ms=0' \
  "$out/08-cgroups.test" -test.v -test.run 'AllLessons/(signals|streams|host)'

say "what the tests have run of the lessons"
check "coverage of each lesson" scripts/dev/coverage.sh "$out"
sed -n '/ % of /p' "$out/log"

if [[ -z $quick ]]; then
  say "in virtual machines: cgroup v2, and a real Debian with systemd"
  wait "$machines"
  machines=''
  in_machines counted
fi

say "what a start costs"
check "bench.sh --quick" env NSL_BIN="$repo/bin" scripts/bench.sh --quick
count "scripttest, bench" as_root env -C internal/scripttest "${settings[@]}" \
  NSTEST_BIN="$repo/bin" NSTEST_REPO="$repo" \
  "$out/scripttest.test" -test.v -test.run '^TestBench'

if [[ -s $out/again ]]; then
  say "failed once, and passed when it was run again"
  cat "$out/again"
fi
if [[ $skipped -gt 0 ]]; then
  say "skipped, how often and why"
  sort "$out/skipped" | uniq -c
fi
printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[[ $failed -eq 0 ]]
