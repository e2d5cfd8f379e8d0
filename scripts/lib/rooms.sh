# shellcheck disable=SC2154 # of namespaces.sh
# rooms.sh: all sets of namespaces that are not ours. It is sourced, not run, after
# namespaces.sh. It looks at every process and starts none, so it can be called
# every second.

source "$lib/stat.sh"

room_types=() # those that this kernel has
all_ours=true
for type in "${ns_types[@]}"; do
  [[ -e /proc/self/ns/$type ]] || continue
  room_types+=("$type")
  all_ours+=" && /proc/\$1/ns/$type -ef /proc/self/ns/$type"
done
# all_ours PID says whether the process is in all of our namespaces, as most are: one
# test instead of eight.
eval "all_ours() { [[ $all_ours ]]; }"

# own_types PID sets own to the types of the process's namespaces that are not ours, or
# to ? if we may not see them.
own_types() {
  local type
  own=''
  ! all_ours "$1" || return 0
  for type in "${room_types[@]}"; do
    if [[ ! -e /proc/$1/ns/$type ]]; then
      own='?'
      return
    elif [[ ! /proc/$1/ns/$type -ef /proc/self/ns/$type ]]; then
      own+="${own:+ }$type"
    fi
  done
}

# find_rooms looks for all sets of namespaces that are not ours. It sets rooms to
# the PIDs of the first process in each, room_own[PID] to the types that differ,
# and room_in[PID] to the set in which its parent is, if that is not ours. Of every
# process it sets parent_of[PID], born_at[PID] and name_of[PID], and room_of[PID].
find_rooms() {
  local pid parent type i own index=() stat stat_name
  declare -ga rooms=() room_own=() room_in=() room_of=()
  declare -ga parent_of=() born_at=() name_of=() hidden=()

  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    read_stat "$pid" || continue
    [[ ${stat[0]} != [ZX] ]] || continue
    # shellcheck disable=SC2034 # for the script
    parent_of[pid]=${stat[1]} born_at[pid]=${stat[19]} name_of[pid]=$stat_name
    own_types "$pid"
    case $own in
    '') continue ;;
    '?') hidden+=("$pid") && continue ;;
    esac
    room_own[pid]=$own
    for i in "${!rooms[@]}"; do
      [[ ${room_own[rooms[i]]} == "$own" ]] || continue
      for type in $own; do
        [[ /proc/$pid/ns/$type -ef /proc/${rooms[i]}/ns/$type ]] || continue 2
      done
      # The first process is the oldest.
      [[ ${born_at[rooms[i]]} -le ${born_at[pid]} ]] || rooms[i]=$pid
      index[pid]=$i
      continue 2
    done
    index[pid]=${#rooms[@]}
    rooms+=("$pid")
  done
  for pid in "${!index[@]}"; do room_of[pid]=${rooms[index[pid]]}; done
  for pid in "${rooms[@]}"; do
    parent=${parent_of[pid]}
    # shellcheck disable=SC2034 # for the script
    [[ ! -v room_of[parent] ]] || room_in[pid]=${room_of[parent]}
  done
}
