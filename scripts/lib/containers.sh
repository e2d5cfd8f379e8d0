# shellcheck shell=bash
# containers.sh: the lessons' containers that run on this machine. It is sourced, not
# run.

# find_containers looks for the lessons' containers that run on this machine.
# It sets containers to the host's PIDs of their first processes, in order,
# and for each lesson_of[PID], launcher_of[PID], and if it was started in
# another one, inside_of[PID]. It starts no process once it has read the
# table: so it can be called every second.
find_containers() {
  local stat line pid parent name state argument parents=() launchers=()
  declare -gA lesson_of=() launcher_of=() inside_of=()
  declare -ga containers=()
  [[ -n ${lesson_names:-} ]] || lesson_names=$(rows lessons | cut -f 1 | xargs)

  # Each file is one line: PID (name) state parent ... The last ) ends a name,
  # which has up to 63 bytes if it is a kernel thread's. What follows is numbers,
  # and bash is slow to search a long text.
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue # it has just ended
    line=${line:0:96}
    pid=${line%% *} name=${line#*(} line=${line##*) }
    name=${name%)*} state=${line%% *} line=${line#* }
    [[ $state != [ZX] ]] || continue
    parents[pid]=${line%% *}
    [[ " $lesson_names " != *" $name "* ]] || launchers[pid]=$name
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
