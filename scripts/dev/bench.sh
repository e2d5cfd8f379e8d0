#!/usr/bin/env bash
# bench.sh measures what a start costs: each lesson beside unshare, bubblewrap,
# crun, runc and podman, as far as they are installed. The command does nothing.
# Usage: scripts/dev/bench.sh [RUNS]     (50)
# It prints the table of docs/performance.md: milliseconds from start to exit (median)
# and, in parentheses, of CPU time. Run it as root, on a quiet machine.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

runs=${1:-50}
[[ $# -le 1 && $runs =~ ^[1-9][0-9]*$ ]] || misused "RUNS must be a number"
[[ $EUID -eq 0 ]] || exec sudo -H env PATH="$PATH" "$0" "$@"
if mountpoint -q /sys/fs/cgroup/unified; then # crun refuses it beside v1, if it has a controller
  exec unshare --mount bash -c 'umount /sys/fs/cgroup/unified && exec "$0" "$@"' "$0" "$@"
fi
install_for bench
build_lessons
need_rootfs
cd "$repo"

scratch=$(mktemp -d /var/tmp/nsl.0XXXXXX)
trap 'umount "$scratch/podman/overlay" 2>/dev/null || true; rm -rf --one-file-system "$scratch"' EXIT
exit_on_signals
cp -r rootfs "$scratch/rootfs" # crun, runc and podman write to theirs
root=$scratch/rootfs

# bundle TOOL makes what crun and runc need: config.json and a root.
bundle() {
  mkdir "$scratch/$1"
  (cd "$scratch/$1" && "$1" spec)
  sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"sh"$/"true"/' \
    -e "s|\"path\": \"rootfs\"|\"path\": \"$root\"|" "$scratch/$1/config.json"
}

# measure NAME COMMAND... adds a cell: its median, and its CPU time.
measure() {
  local name=$1 said
  shift
  if ! command -v "$1" >/dev/null; then
    cells+=' |'
    return
  fi
  said=$(hyperfine -N --warmup 3 --runs "$runs" --export-csv "$scratch/csv" "${*@Q}" 2>&1) ||
    die "$name does not run: $*" "$said"
  cells+=$(awk -F , 'END { printf " %.1f (%.1f) |", 1000 * $(NF - 4), 1000 * ($(NF - 3) + $(NF - 2)) }' \
    "$scratch/csv")
}

echo "$(uname -sr), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(go env GOVERSION)"
echo
echo "| ms | the lesson | unshare | bubblewrap | crun | runc | podman |"
echo "|---|--:|--:|--:|--:|--:|--:|"
view=(--bind / / --unshare-pid --dev-bind /dev /dev --proc /proc)
while IFS=$'\t' read -r lesson names twin _; do
  cells='' nothing=(true)
  [[ $twin != *--root* ]] || nothing=(/bin/true)
  measure "$lesson" "$repo/bin/$lesson" "${nothing[@]}"
  # shellcheck disable=SC2086 # a line of words
  measure "unshare, $lesson" ${twin/--root rootfs/--root $root} "${nothing[@]}"
  for name in uts ipc net user cgroup; do
    [[ ,$names, != *,$name,* || " ${view[*]} " == *" --unshare-$name "* ]] || view+=("--unshare-$name")
  done
  [[ $lesson != 07* ]] || view[1]=$root
  if [[ $names == pid ]]; then cells+=' |'; else measure "bwrap, $lesson" bwrap "${view[@]}" "${nothing[@]}"; fi
  if [[ ,$names, == *,cgroup,* ]]; then # these always make what lesson 08 makes
    for tool in crun runc; do
      ! command -v "$tool" >/dev/null || bundle "$tool"
      measure "$tool" "$tool" --root "$scratch/$tool-state" run --bundle "$scratch/$tool" "nsl-$$"
    done
    measure podman podman --root "$scratch/podman" --runroot "$scratch/podman-run" \
      --cgroup-manager cgroupfs run --rm --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
      --network none --rootfs "$root" /bin/true
  else
    cells+=' | | |'
  fi
  echo "| ${lesson} |$cells"
done < <(rows lessons)
