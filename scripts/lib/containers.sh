# containers.sh: the lessons' containers on this machine. It is sourced, not run.

# shellcheck disable=SC2154 # of all.sh
source "$lib/stat.sh"

# find_containers looks for the lessons' containers that run on this machine. It sets
# containers to the host's PIDs of their first processes, in order, and for each of them
# lesson_of[PID], launcher_of[PID], and inside_of[PID] if it was started in another
# container. Once it has read the table it starts no process, so it can be called every
# second.
find_containers() {
  local pid parent argument parents=() launchers=() stat stat_name
  declare -gA lesson_of=() launcher_of=() inside_of=()
  declare -ga containers=()
  [[ -n ${lesson_names:-} ]] || lesson_names=$(rows lessons | cut -f 1 | xargs)

  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    read_stat "$pid" || continue
    [[ ${stat[0]} != [ZX] ]] || continue
    parents[pid]=${stat[1]}
    [[ " $lesson_names " != *" $stat_name "* ]] || launchers[pid]=$stat_name
  done
  for pid in "${!parents[@]}"; do
    parent=${parents[pid]}
    [[ -n ${launchers[parent]:-} ]] || continue
    { read -r -d '' argument <"/proc/$pid/cmdline"; } 2>/dev/null || continue
    [[ $argument != 'child of '* ]] || continue # not yet the command
    containers+=("$pid")
    lesson_of[$pid]=${launchers[parent]} launcher_of[$pid]=$parent
  done
  for pid in "${containers[@]}"; do
    parent=${launcher_of[$pid]}
    while [[ -n $parent && ! -v lesson_of[$parent] ]]; do
      parent=${parents[parent]:-}
    done
    # shellcheck disable=SC2034 # for the script
    [[ -z $parent ]] || inside_of[$pid]=$parent
  done
}
