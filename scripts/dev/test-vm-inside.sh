#!/usr/bin/env bash
# test-vm-inside.sh is what scripts/dev/test-vm.sh runs in the machine, as root or as the
# user learner, who has logged in. For each step it says PASS or FAIL in the words of
# `go test -v`. Without systemd it is a machine of --arch.
# Usage: scripts/dev/test-vm-inside.sh TESTS [all]
#   TESTS  the directory with the lessons' tests, compiled
#   all    leave nothing out
# NSL_SLOW is how many times slower than the host the machine may be.

set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"
[[ -d /lib/sandbox ]] || misused "this is for the machine of scripts/dev/test-vm.sh alone"
tests=${1:?TESTS} all=${2:-} slow=${NSL_SLOW:-1}
cd "$repo"
stdin=$(cat)
me=$(id -un)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0 skip=()

# step NAME COMMAND... passes if the command succeeds. Each line of a function must.
step() {
  local name=$1 status begin=$EPOCHREALTIME seconds
  shift
  set +e # what stands before || would never end at a line that fails
  (
    set -e
    "$@"
  ) >"$scratch/log" 2>&1 </dev/null
  status=$?
  set -e
  seconds=$(((${EPOCHREALTIME/./} - ${begin/./}) / 10000))
  printf -v seconds %d.%02d $((seconds / 100)) $((seconds % 100))
  if [[ $status -eq 0 ]]; then
    echo "--- PASS: $name as $me (${seconds}s)"
  else
    echo "--- FAIL: $name as $me (${seconds}s): status $status"
    cat "$scratch/log"
    failed=1
  fi
}

# tests_of LESSON TESTS [COMMAND...] runs these of its compiled tests, through a command.
tests_of() {
  local name=$1 status=0 begin=$SECONDS args=(-test.v -test.short -test.timeout "$((5 * slow))m")
  [[ -n $all ]] || args+=(-test.run "$2")
  args+=("${skip[@]}")
  shift 2
  "$@" env -C / NSTEST_BIN="$repo/bin" NSTEST_REPO="$repo" NSTEST_PATIENCE="${slow}m" \
    "$tests/$name.test" "${args[@]}" >"$scratch/log" 2>&1 </dev/null || status=$?
  cat "$scratch/log"
  echo "=== $name as $me${1:+, by $1}: $((SECONDS - begin)) s, status $status"
  if [[ $status -ne 0 ]]; then
    failed=1
  elif ! grep -q '^--- PASS' "$scratch/log"; then
    echo "--- FAIL: $name as $me: no test has passed"
    failed=1
  fi
}

# holds WHAT SEEN REGEX compares what was seen with what is expected.
holds() {
  [[ $2 =~ $3 ]] || {
    echo "$1: $2, expected $3"
    return 1
  }
}

# says COMMAND... wants it to succeed, and to print something.
says() { "$@" 2>&1 | tee "$scratch/said" && [[ -s $scratch/said ]]; }

# in_scope COMMAND... starts it as lesson 08 says.
in_scope() { systemd-run --user --scope --quiet -p Delegate=yes "$@"; }

# === A different kind of processor ===

if [[ ! -d /run/systemd/system ]]; then
  uname -m
  step rootfs.sh says scripts/rootfs.sh
  export CHECK_TIMEOUT=120
  # These do not depend on the processor, and take long.
  skip=(-test.skip '^Test(AllLessons|HostileRootfs|ManyAtOnce)$')
  while read -r lesson _; do
    step "$lesson, compare.sh" says scripts/compare.sh "${lesson%%-*}"
    # An emulated processor is slow. So it runs the tests of lessons whose system calls Go
    # does not make itself, and the check of the last lesson, which has all points.
    [[ -z $all && $lesson != 0[57]-* ]] || tests_of "$lesson" '^Test'
    [[ -n $all || $lesson == 08-* ]] || continue
    step "$lesson, check.sh" says scripts/check.sh "${lesson%%-*}" -- "bin/$lesson"
    step "$lesson, check.sh of its twin" says scripts/check.sh --twin "${lesson%%-*}"
  done < <(rows lessons)
  step doctor.sh says scripts/doctor.sh
  exit "$failed"
fi

# === The machine is what it should be ===

real() {
  local uid
  uid=$(id -u)
  holds 'process 1' "$(ps -o comm= -p 1)" '^systemd$'
  systemctl --failed
  holds 'the state of systemd' "$(systemctl is-system-running)" '^running$'
  holds 'file system at /sys/fs/cgroup' "$(stat -f -c %T /sys/fs/cgroup)" '^cgroup2fs$'
  holds 'mounts of cgroup v1' "$(grep -c ' - cgroup ' /proc/self/mountinfo || true)" '^0$'
  holds 'propagation of /' "$(findmnt -n -o PROPAGATION /)" '^shared$'
  holds 'our cgroup' "$(cat /proc/self/cgroup)" \
    "^0::/user.slice/user-$uid.slice/session-[c0-9]+.scope$"
  holds XDG_RUNTIME_DIR "${XDG_RUNTIME_DIR:-}" "^/run/user/$uid$"
  # From systemd 258 on, root has none.
  [[ $uid -eq 0 ]] || holds 'the manager of this user' \
    "$(systemctl --user is-active default.target)" '^active$'
  holds 'the name server' "$(readlink -f /etc/resolv.conf)" '/run/systemd/resolve/'
  holds systemd-networkd "$(systemctl is-active systemd-networkd)" '^active$'
  holds AppArmor "$(cat /sys/module/apparmor/parameters/enabled)" '^Y$'
  holds 'our profile' "$(cat /proc/self/attr/apparmor/current)" '^unconfined$'
  holds 'what came on stdin' "$stdin" '^to stdin$'
}
step 'a real machine' real

# === What a host does to the end of the veth pair that is on it ===

# veth NAME checks that a service that manages networks leaves the device alone.
veth() {
  local pid device address ours inside
  # The container says that it is ready, and waits for us to close a pipe.
  coproc container { as_root bin/05-net sh -c 'echo ready; read -r end'; }
  read -r inside <&"${container[0]}"
  holds 'the container' "$inside" '^ready$'
  # shellcheck disable=SC2154 # coproc sets it
  pid=$container_PID
  device=$(ip -o link show | sed -n 's/^[0-9]*: \(nsl[0-9]*\)@.*/\1/p')
  holds 'our device' "$device" '^nsl[0-9]+$'
  udevadm settle # it would have given another address to the device
  holds 'our device' "$(ip -o link show "$device")" 'link/ether 02:00:0a:c8:'
  "$1" "$device"
  ours=$(ip -4 -o address show "$device")
  address=$(grep -o '10\.200\.[0-9.]*/30' <<<"$ours")
  holds 'addresses of our device' "$ours" "inet $address .*global $device"
  address=${address%/*}
  holds 'a ping' "$(as_root busybox ping -qc1 "${address%.*}.$((${address##*.} + 1))")" \
    '1 packets received'
  echo >&"${container[1]}"
  wait "$pid"
}
networkd_knows() {
  networkctl status "$1"
  holds 'networkd about it' "$(networkctl list "$1")" "$1 +ether +[a-z-]+ +unmanaged"
}
manager_knows() {
  nmcli device
  holds 'NetworkManager about it' "$(nmcli -t -f DEVICE,STATE device)" \
    "$1:unmanaged"
}
with_manager() {
  as_root systemctl start NetworkManager
  veth manager_knows
  as_root systemctl stop NetworkManager
}
step 'a veth pair, with systemd-networkd' veth networkd_knows

# === As root, or as an ordinary user ===

# tries REFUSED COMMAND... is for a place where lesson 08 may not make a cgroup with all
# limits. The lesson says what is refused, and the doctor what to type, which works.
tries() {
  local refused=$1 said line status=0
  shift
  said=$("$@" bin/08-cgroups true 2>&1) || status=$?
  echo "$said"
  holds 'exit status' "$status" '^125$'
  holds 'what is refused' "$said" "$refused"
  line=$(sed -n 's|^  to see why: ||p' <<<"$said")
  # shellcheck disable=SC2086 # a line of words
  said=$("$@" $line 2>&1)
  echo "$said"
  holds 'the doctor' "$said" 'in a cgroup of its own'
  line=$(tail -n 1 <<<"$said")
  # shellcheck disable=SC2086
  said=$("$@" $line cat /sys/fs/cgroup/memory.max)
  holds "the limit, by $line" "$said" $'(^|\n)67108864$'
}

# hidden COMMAND... runs it where /proc shows nobody else's processes.
hidden() {
  as_root mount -o remount,hidepid=invisible /proc
  trap 'as_root mount -o remount,hidepid=off /proc' EXIT
  [[ ! -e /proc/1 ]]
  "$@"
}

# login COMMAND... runs it in a session that has just begun.
login() {
  as_root systemd-run --quiet --wait --collect --pipe --uid="$me" -p PAMName=login \
    -p WorkingDirectory="$repo" --setenv=PATH="$PATH" --setenv=USER="$me" -- "$@"
}

# few checks that lessons run with the lowest limits that limits.conf(5) can set. With too
# few processes they fail, and what the scripts say to type helps.
few() {
  local file=/etc/security/limits.conf said status most line
  trap 'as_root sed -i "/$me/d" /etc/security/limits.conf' EXIT
  printf "$me - %s\n" 'nofile 16' 'memlock 0' 'fsize 1000' | as_root tee -a "$file"
  launcher 08-cgroups
  said=$(login bash -c "ulimit -n; ulimit -l; ulimit -f
    for run in bin/06-user '${launch[*]}'; do \$run -net=lo sh -c 'id -u; true | cat'; done")
  holds 'the limits, and two lessons' "$said" $'^16\n0\n1000\n0\n0$'

  most=$(($(ps -L -u "$me" --no-headers | wc -l) + 6))
  echo "$me - nproc $most" | as_root tee -a "$file"
  for line in bin/06-user "${launch[*]}"; do
    status=0
    # shellcheck disable=SC2086 # a line of words
    said=$(login $line true 2>&1) || status=$?
    echo "$said"
    holds "status of $line" "$status" '^(2|125)$'
    holds "what $line says" "$said" 'ulimit -u|resource temporarily unavailable'
  done
  said=$(login bash -c 'for script in doctor tour; do scripts/$script.sh 2>&1; echo $?; done')
  echo "$said"
  line="sh: you have [0-9]+ processes and threads, and may have $most: ulimit -u"
  holds 'the scripts' "$said" "^doctor.$line.*tour.$line.*"$'\n1$'
  line=$(sed -n '/ >>/{ s/^ *//p; q }' <<<"$said")
  eval "$line"
  said=$(login bash -c 'ulimit -u; bin/06-user -net=lo id -u')
  holds 'the new limit, and a lesson' "$said" $'^1000\n0$'
}

# profile NAME RULES adds a profile of AppArmor until the step ends. It allows what
# Ubuntu's profile for unprivileged user namespaces allows, and RULES.
profile() {
  printf 'profile %s flags=(attach_disconnected, mediate_deleted) {
    file, network, unix, ptrace, signal, dbus, umount, pivot_root, %s\n}\n' "$@" |
    as_root apparmor_parser --replace
  profiles+=("$1")
  trap unload EXIT
}
profiles=()
unload() {
  local name
  for name in "${profiles[@]}"; do # some have gone already
    echo -n "$name" | as_root tee /sys/kernel/security/apparmor/.remove || true
  done &>/dev/null
}

# confined checks that a lesson says what is refused if a profile forbids capabilities and
# mounts. Without the profile it runs.
confined() {
  local said status=0
  profile "$repo/bin/06-user" ''
  said=$(bin/06-user true 2>&1) || status=$?
  echo "$said"
  holds 'exit status' "$status" '^125$'
  # From AppArmor 4 on, such a profile refuses user namespaces: permission denied.
  holds 'what is refused' "$said" '^06-user: clone the child: .*(not permitted|denied)'
  status=0
  said=$(scripts/doctor.sh 06 2>&1) || status=$?
  echo "$said"
  holds 'the status of the doctor' "$status" '^1$'
  holds 'the doctor' "$said" '^06-user: not here: .*(not permitted|denied)'
  unload
  bin/06-user true
}

# no_userns checks that the doctor names the profile that forbids user namespaces, which
# AppArmor 4 can.
no_userns() {
  local said
  printf '%s\n' 'abi <abi/4.0>,' \
    'profile nsl-no-userns { allow all, deny userns, }' >"$scratch/profile"
  as_root apparmor_parser --replace "$scratch/profile"
  trap 'as_root apparmor_parser --remove "$scratch/profile"' EXIT
  said=$(aa-exec -p nsl-no-userns scripts/doctor.sh 06) || true
  echo "$said"
  holds 'the doctor' "$said" "AppArmor's profile nsl-no-userns confines this shell"
}

# troubled checks that the doctor says so where systemd-networkd takes all devices, and in
# a shell whose profile forbids mounts, and that what it says to type helps.
troubled() {
  local file=/etc/systemd/network/50-all.network said line status=0
  printf '[Match]\nType=ether\n[Network]\nLinkLocalAddressing=no\n' >"$file"
  networkctl reload
  profile nsl-shell 'capability, deny mount,'
  said=$(timeout $((300 * slow)) aa-exec -p nsl-shell scripts/doctor.sh --json) || status=$?
  echo "$said"
  holds 'exit status' "$status" '^1$'
  holds 'the doctor about networkd' "$said" "\"note\": \"systemd-networkd .*: $file "
  line=$(sed -n 's/.*"fix": "\(printf .*networkctl reload\)".*/\1/p' <<<"$said")
  eval "${line//\\\\/\\}"
  veth networkd_knows

  holds 'the doctor about lesson 02' "$said" "\"02-mount\", \"status\": \"not here\", \
\"reason\": \"AppArmor's profile nsl-shell confines this shell \("
  holds 'the doctor about lesson 06' "$said" "\"06-user\", \"status\": \"not here\", \
\"reason\": \"AppArmor's profile nsl-shell confines this shell \("
  aa-exec -p nsl-shell true
  line=$(sed -n 's/.*"06-user".*"fix": "\(.*\)"},$/\1/p' <<<"$said")
  eval "$line"
  said=$(aa-exec -p nsl-shell true 2>&1) || true
  holds 'the profile' "$said" "'nsl-shell' does not exist"
}

# class: class.sh ends what outlives a learner's session, the manager of a user who
# lingers too, and systemd knows nothing of them then.
class() {
  local before
  mkdir -p docs
  touch README.md go.sum # nobody reads them here
  before=$(of_users)
  scripts/class.sh add 1
  me=learner1 login bash -c 'loginctl enable-linger; systemd-run --quiet --user sleep 1001
    systemd-run --quiet --user --on-active=1h true; touch $XDG_RUNTIME_DIR/file
    setsid sleep 1002 </dev/null &>/dev/null &'
  holds 'what has outlived the session' "$(of_users)" 'learner1 yes.*sleep 1001.*sleep 1002'
  scripts/class.sh remove
  holds 'what is left' "$(of_users)" "^$before$"
}
of_users() {
  {
    loginctl list-users --no-legend
    ls /var/lib/systemd/linger /run/user
    systemctl --failed --no-legend
    systemctl list-units --all --no-legend --plain 'user@*' 'user-*'
    ps -e -o uid=,args= | awk '$1 >= 1000'
  } | xargs
}

if [[ $EUID -eq 0 ]]; then
  demonstrations='02'
  # The small machine, which has cgroups like systemd's, runs the tests of lesson 08.
  if [[ -n $all ]]; then
    tests_of 05-net .
    tests_of 08-cgroups .
  fi
  in_service() {
    systemd-run --pipe --wait --quiet --collect -p WorkingDirectory="$repo" "$@"
  }
  step 'lesson 08 in a service' tries '/cpu\.max: no such file' in_service
  step 'doctor, with AppArmor and a greedy systemd-networkd' troubled
  step 'a class' class
else
  demonstrations='08'
  step 'a veth pair, with NetworkManager' with_manager
  [[ -z $all ]] || tests_of 06-user .
  # This is what systemd really delegates. The small machine imitates it.
  tests_of 08-cgroups 'InForce|Removed|Outside|NoInternal' in_scope
  step 'lesson 08 in a session, with hidepid' hidden tries 'permission denied' env
  step 'lesson 06, under a profile of AppArmor' confined
  step 'limits of PAM' few
  if grep -qs userns_create /sys/kernel/security/apparmor/features/namespaces/mask; then
    step 'doctor, with a profile that forbids user namespaces' no_userns
  fi
fi
# A user's tour runs the lessons that need root by sudo.
[[ -z $all && $EUID -eq 0 ]] || step tour timeout $((300 * slow)) scripts/tour.sh
while read -r lesson _; do
  [[ -n $all || $demonstrations == *"${lesson%%-*}"* ]] || continue
  step "demonstration $lesson" timeout $((600 * slow)) "scripts/$lesson.sh" --auto
done < <(rows lessons)

left_over() {
  local said
  said=$(scripts/cleanup.sh --dry-run)
  echo "$said"
  # The directory with the tests looks like one that a script left, but it came with us.
  said=$(grep -v " ${tests%/tests}: " <<<"$said") || true
  holds 'what is left' "$said" '^(Nothing is left over.)?$'
}
step 'nothing is left' left_over
[[ $failed -eq 0 ]] || exit 1
rm -rf "$scratch"
setsid sleep 1000 & # ends with the machine
kill -TERM $$
