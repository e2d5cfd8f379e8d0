#!/usr/bin/env bash
# bench.sh measures what a start costs: each lesson beside the tools of the
# field, and beside the floor, which is what the kernel alone asks for. It runs
# them in turn, as whole processes, with a command that does nothing, and
# compares medians. It fails where a ratio is above scripts/bench/lines.tsv.
#
# Usage: scripts/bench.sh [--quick] [--json | --write] [--v2]
#                         [--only REGEX] [--runs N]
#   --quick  installs nothing, runs each a few times, and leaves out what takes
#            long; fails only beyond twice a line
#   --json   prints everything as JSON
#   --write  puts the tables and the picture into docs/performance.md
#   --v2     in a virtual machine with cgroup v2 (scripts/sandbox.sh): slower,
#            and beside the floor and unshare only
#   --only   measures the rows that match, such as 'floor|lesson'
#   --runs   so many runs of each; 40 if not given
# NSL_BIN is where the lessons are, if not to be built into bin/.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

quick='' v2='' only='' runs=40
options=() output=()
while [[ $# -gt 0 ]]; do
  case $1 in
  -h | --help) usage && exit ;;
  --quick) quick=yes runs=8 options+=(-quick -pause 60ms) ;;
  --json | --write) output+=("-${1#--}") ;;
  --v2) v2=yes options+=(-v2) ;;
  --only) only=${2:?"--only needs a regular expression"} && shift ;;
  --runs) runs=${2:?"--runs needs a number"} && shift ;;
  *) misused "unknown argument: $1" ;;
  esac
  shift
done
options+=(-only "$only" -runs "$runs")

[[ -n $quick ]] || install_for test bench ${v2:+vm} >&2
need_go
command -v gcc >/dev/null || die "there is no gcc" "$(install_line gcc)"
[[ -n ${NSL_BIN:-} ]] || build_lessons >&2
need_mqueue >&2
bin=${NSL_BIN:-$repo/bin}

# Below /var/tmp: some machines have a /tmp in which nothing may be executed.
work=$(as_user mktemp -d /var/tmp/nsl.XXXXXX)
chmod 755 "$work"

# cgroups lists what the tools make: runc, crun and podman below nsl-PID-bench,
# systemd-nspawn and the floor below our own cgroup.
cgroups() {
  find /sys/fs/cgroup -depth -type d \( -path "*/nsl-$$-bench*" \
    -o -path '*/payload' -o -path '*/supervisor' -o -name 'nsl-*-floor' \) \
    2>/dev/null || true # some go while it looks
}
cgroups_before=$(cgroups)

# clean_up removes what was made, and the cgroups that were not there before:
# tools leave some behind, and if they are interrupted, a process in them.
clean_up() {
  local dir left
  for _ in {1..50}; do
    left=''
    while read -r dir; do
      [[ $'\n'$cgroups_before$'\n' != *$'\n'$dir$'\n'* ]] || continue
      if [[ $dir == */nsl-$$-bench* ]]; then
        as_root xargs -r kill -KILL 2>/dev/null <"$dir/cgroup.procs" || true
      fi
      as_root rmdir "$dir" 2>/dev/null || left+=" $dir"
    done < <(cgroups)
    [[ -n $left ]] || break
    sleep 0.1 # no event tells when the last process has left a cgroup of v1
  done
  [[ -z $left ]] || printf 'bench.sh: could not remove%s\n' "$left" >&2
  as_root rm -rf "$work"
}
trap clean_up EXIT
exit_on_signals

# --- the programs ---

for program in measure floor stay cpuid; do
  gcc -O2 -Wall -Wextra -static -o "$work/$program" "$repo/scripts/bench/$program.c"
done
gcc -O2 -static -nostartfiles -o "$work/nothing" "$repo/scripts/bench/nothing.c"
(cd "$repo" && as_user env CGO_ENABLED=0 go build -o "$work/" ./scripts/bench/...)

# The new root of lessons 07 and 08 and of their peers: only what is run, and
# what systemd-nspawn takes a root for.
root=$work/root
mkdir -p "$root"/{proc,sys,dev,tmp,usr,etc}
cp "$work/nothing" "$work/stay" "$root"

# --- the table of what is run: series, name, command ---

# row SERIES NAME COMMAND... adds a row, unless its command is not installed, or
# not in the virtual machine.
row() {
  local IFS=$'\t'
  command -v "$3" >/dev/null || return 0
  [[ -z $v2 || $2 != @(ip|bwrap|crun|runc|nspawn|podman)-* ]] || return 0
  printf '%s\n' "$1	$2	$(command -v "$3")	${*:4}" >>"$work/rows"
}

# bundle N makes directories as runc and crun want them, with the namespaces and
# the limits of lesson N: for {} = 0 to 99, since each needs its own cgroup.
bundle() {
  local i edits=() types='"pid" "mount" "uts" "ipc" "network"'
  if [[ $1 == 05 ]]; then
    edits+=(-e '/Mappings/d')
  else
    types+=' "user"'
  fi
  if [[ $1 == 08 ]]; then
    types+=' "cgroup"'
  else
    edits+=(-e '/resources/d')
  fi
  types=$(sed 's/"[a-z]*"/{"type": &}/g; s/} {/}, {/g' <<<"$types")
  for i in {0..99}; do
    mkdir "$work/bundle-$1-$i"
    sed "${edits[@]}" -e "s|@root@|$root|; s|@cgroup@|/nsl-$$-bench/$1-$i|" \
      -e "s|@namespaces@|$types|" "$repo/scripts/bench/config.json" \
      >"$work/bundle-$1-$i/config.json"
    [[ $1 == 08 ]] || break
  done
}

nothing=$work/nothing
row isolated exec "$nothing"
row isolated go "$work/empty"
while IFS=$'\t' read -r lesson _ twin _; do
  n=${lesson%%-*}
  number=${n#0}
  program=("$bin/$lesson")
  command=$nothing
  if [[ $number -ge 7 ]]; then
    program+=(-rootfs "$root")
    command=/nothing
  fi
  floor=("$work/floor" "$number")
  row isolated "floor-$n" "${floor[@]}" lo "$root" "$command"
  if [[ $number -lt 5 ]]; then
    row isolated "lesson-$n" "${program[@]}" "$command"
  else
    row isolated "floor-$n-veth" "${floor[@]}" veth "$root" "$command"
    row isolated "lesson-$n" "${program[@]}" -net=lo "$command"
    row isolated "lesson-$n-veth" "${program[@]}" "$command"
  fi
  if [[ $number -lt 7 ]]; then
    # shellcheck disable=SC2086 # the words of a command
    row isolated "unshare-$n" $twin "$command"
  fi
done < <(rows lessons)

row isolated ip-05-veth "$repo/scripts/bench/ip.sh" "$nothing"

# bubblewrap makes a mount namespace in any case.
flags=(--die-with-parent --unshare-pid --as-pid-1)
view=(--bind / / --proc /proc)
row isolated bwrap-02 bwrap "${flags[@]}" "${view[@]}" "$nothing"
flags+=(--unshare-uts --hostname bench)
row isolated bwrap-03 bwrap "${flags[@]}" "${view[@]}" "$nothing"
flags+=(--unshare-ipc)
view+=(--mqueue /dev/mqueue)
row isolated bwrap-04 bwrap "${flags[@]}" "${view[@]}" "$nothing"
flags+=(--unshare-net)
row isolated bwrap-05 bwrap "${flags[@]}" "${view[@]}" "$nothing"
flags+=(--unshare-user --uid 0 --gid 0)
row isolated bwrap-06 bwrap "${flags[@]}" "${view[@]}" "$nothing"
row isolated bwrap-07 bwrap "${flags[@]}" --bind "$root" / --proc /proc \
  --dev /dev --mqueue /dev/mqueue --ro-bind /sys /sys --tmpfs /tmp /nothing

crun=(crun --root "$work/crun")
runc=(runc --root "$work/runc")
for n in 05 06 07 08; do
  bundle "$n"
  run=(run --bundle "$work/bundle-$n-{}" "bench-$n-{}")
  if [[ $n == 08 ]]; then
    row isolated crun-08 "${crun[@]}" "${run[@]}"
  else
    row isolated "crun-$n" "${crun[@]}" --cgroup-manager=disabled "${run[@]}"
  fi
  row isolated "runc-$n" "${runc[@]}" "${run[@]}"
done
row isolated nspawn-08 systemd-nspawn --quiet --register=no --keep-unit \
  --private-network --private-users=0:65536 -D "$root" /nothing
row isolated podman-08 podman --root "$work/podman" --runroot "$work/podman-run" \
  --cgroup-manager=cgroupfs --events-backend=none run --rm --log-driver=none \
  --cgroup-parent="/nsl-$$-bench/podman" \
  --network=none --uidmap=0:0:1 --gidmap=0:0:1 --cgroupns=private \
  --ulimit=nofile=1024:1024 --ulimit=nproc=1024:1024 \
  --memory=64m --pids-limit=64 --cpus=0.5 --rootfs "$root" /nothing

if [[ -z $quick$v2 ]]; then
  grep -P '^isolated\t(lesson-08-veth|floor-08-veth|crun-08|runc-08)\t' "$work/rows" |
    sed 's/^isolated/back to back/; p; s/^back to back/a hundred at once/' >"$work/more"
  grep -P '^isolated\t(lesson-08-veth|floor-08-veth)\t' "$work/rows" |
    sed 's/^isolated/among 500/' >>"$work/more"
  cat "$work/more" >>"$work/rows"
fi

# --- run it ---

# In a mount namespace, where what is mounted and unmounted is nobody else's.
# sudo's variables would make lesson 06 map another user.
report=("$repo/scripts/bench/inside.sh" "$work/report" -tools "$work"
  -rows "$work/rows" -lines "$repo/scripts/bench/lines.tsv" -bin "$bin"
  -repo "$repo")
if [[ -z $v2 ]]; then
  as_root env -u SUDO_UID -u SUDO_GID PATH="$PATH" \
    unshare --mount "${report[@]}" "${options[@]}" "${output[@]}"
else
  "$repo/scripts/sandbox.sh" --with "$work" \
    "${report[@]}" "${options[@]}" -json >"$work/v2.json" || [[ -s $work/v2.json ]]
  "$work/report" -repo "$repo" -from "$work/v2.json" "${options[@]}" "${output[@]}"
fi
