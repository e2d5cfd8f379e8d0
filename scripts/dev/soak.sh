#!/usr/bin/env bash
# soak.sh runs the lessons under load for some time, and compares the machine
# before and after: namespaces, devices, cgroups, mounts, memory.
# Usage: scripts/dev/soak.sh [MINUTES]     (10)
# In each round, each lesson starts a thousand containers one after another and a hundred
# at once, as root and as ten users, with and without sudo, and with faults at each step.
# Nobody else may run lessons on the machine: soak.sh sees their cgroups.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

minutes=${1:-10}
user=nsl-soak

cd "$repo"
need_go
[[ $EUID -eq 0 ]] || exec sudo -H env PATH="$PATH" "$0" "$@"
# In namespaces of its own, it sees only what it makes.
if [[ $$ -ne 1 ]]; then
  build_lessons
  as_user env CGO_ENABLED=0 go test -c -o /dev/null ./0* # while there is a network
  exec unshare --mount --uts --ipc --net --pid --fork --mount-proc \
    --kill-child "$0" "$@"
fi
scratch=$(as_user mktemp -d /var/tmp/nsl.0XXXXXX)
clean_up() {
  rm -rf "$scratch"
  userdel --remove "$user" &>/dev/null || true
}
trap clean_up EXIT
exit_on_signals

# What the machine has, except for what changes by itself.
things() {
  lsns -n -r -o TYPE | sort | uniq -c
  ip -o link | awk '{ print "link", $2 }'
  awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo | while read -r top; do
    find "$top" -type d -name 'nsl-*' 2>/dev/null || true # one has just gone
  done | sort -u
  awk '{ print "mount", $5 }' /proc/self/mountinfo
  pgrep -a '^0[0-9]-' || true
}

# Memory of the kernel and of all programs in KiB, and open files.
memory() {
  awk '/^(SUnreclaim|PageTables|KernelStack|Percpu):/ { print $1, $2 }' \
    /proc/meminfo
  awk '{ print "files:", $1 }' /proc/sys/fs/file-nr
}

as_user env CGO_ENABLED=0 go test -c -o "$scratch/" ./0*
as_user mkdir "$scratch/repo"
cp -r bin scripts go.mod "$scratch/repo"
chmod -R go+rX "$scratch"
id "$user" &>/dev/null || useradd --create-home --shell /bin/bash "$user"
export NSTEST_REPO=$scratch/repo NSTEST_BIN=$scratch/repo/bin
export NSTEST_LOAD=1000
only='TestAllLessons/(faults|load)'

# run NAME COMMAND... runs a round of one lesson.
run() {
  local name=$1
  shift
  "$@" "$scratch/$name.test" -test.run "$only" >"$scratch/log" 2>&1 </dev/null || {
    cat "$scratch/log"
    die "$name failed after $((SECONDS / 60)) minutes"
  }
}

things >"$scratch/before"
memory >"$scratch/memory"
SECONDS=0 rounds=0
until [[ $SECONDS -ge $((minutes * 60)) ]]; do
  for lesson in 0*; do
    [[ $SECONDS -lt $((minutes * 60)) ]] || break
    say "$((SECONDS / 60)) min: $lesson"
    run "$lesson" env -C "$lesson"
    ! isolates "$lesson" user ||
      run "$lesson" setpriv --reuid "$user" --regid "$user" --init-groups \
        env -C / HOME="/home/$user"
    rounds=$((rounds + 1))
  done
done

# The kernel takes some time to free memory.
for ((try = 0; try < 100; try++)); do
  things >"$scratch/after"
  ! cmp -s "$scratch/before" "$scratch/after" || break
  sleep 0.1
done
say "$rounds rounds. Before and after, in KiB:"
memory | paste "$scratch/memory" - | awk '{ print $1, $2, $4 }' | column -t
diff "$scratch/before" "$scratch/after" || die "the machine is not as it was before"
