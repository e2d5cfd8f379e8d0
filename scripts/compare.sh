#!/usr/bin/env bash
# compare.sh puts the namespaces of the host and of containers side by side: a
# row for each type, a column for each of them, and a sign where they differ.
# Usage: scripts/compare.sh [--neutral] [NN | PID...]
#        scripts/compare.sh --tree
#   NN         a lesson: starts two containers of it, and ends them
#   PID...     these processes, by their PIDs on the host; low numbers are lessons
#   (nothing)  all containers of the lessons that run on this machine now
#   --neutral  host, new-1, new-2 instead of numbers: the same on any machine,
#              so that two people can compare theirs with diff
#   --tree     all namespaces here, below the user namespace that owns them: who
#              made it, and what keeps a namespace that has no process. = marks the
#              host's. Without root, only your own
# The host is where you type this. Exit status: 1 if an answer is missing.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/containers.sh"
source "$lib/namespaces.sh"
answer_help "$@"

neutral='' lesson='' dir='' hold='' pids=()
declare -A ids=() names=() own=()

# clean_up ends the containers: their read comes to the end of its file.
clean_up() {
  [[ -z $hold ]] || exec {hold}>&-
  wait
  [[ -z $dir ]] || rm -rf "$dir"
}
trap clean_up EXIT
exit_on_signals

# start runs a container of the lesson up to its first output. Its command
# then reads from a pipe of which only this script holds the other end: should
# the script be killed, the container ends too.
start() {
  local pid word='' flags=()
  # A lesson with a user namespace needs root only for a veth pair and limits.
  ! isolates "$lesson" net || flags+=(-net=lo)
  ! isolates "$lesson" root || flags+=(-rootfs "$repo/rootfs")
  ! isolates "$lesson" cgroup || flags+=(-memory max -pids max -cpus max)
  "$repo/bin/$lesson" "${flags[@]}" sh -c 'echo ready; read -r _' \
    <"$dir/hold" >"$dir/ready" {hold}>&- &
  read -r -t 20 word <"$dir/ready" || true
  find_containers
  for pid in "${containers[@]}"; do
    [[ $word == ready && ${launcher_of[$pid]} -eq $! ]] || continue
    pids+=("$pid") names[$pid]=$lesson
    return
  done
  die "bin/$lesson did not start its command" "bin/$lesson sh -c 'echo ready'"
}

# start_two starts two containers of the lesson NN.
start_two() {
  if [[ $EUID -ne 0 ]] && ! isolates "$lesson" user; then
    as_root env NO_COLOR="${NO_COLOR:-}" "$0" ${neutral:+--neutral} "$lesson"
    exit
  fi
  [[ -x $repo/bin/$lesson ]] || build_lessons >&2
  ! isolates "$lesson" root || need_rootfs >&2
  dir=$(mktemp -d -t nsl.0XXXXXX)
  mkfifo "$dir/hold" "$dir/ready"
  exec {hold}<>"$dir/hold"
  start
  start
  rm -r "$dir" # all have them open now, so nothing is left if we are killed
  dir=''
}

# read_ids PID looks up the namespaces of a process.
read_ids() {
  local type
  find_namespaces "$(links_of "$1")" || return 1
  for type in "${ns_types[@]}"; do ids["$1 $type"]=${ns_number[$type]}; done
  own[$1]=${ns_own[*]}
}

# missing PID says why there is no answer for a process.
missing() {
  local state=''
  [[ ! -r /proc/$1/status ]] || state=$(grep '^State:' "/proc/$1/status") || true
  case $state in
  '') die "there is no process $1 (any more)" "ps ax" ;;
  *[ZX]' ('*) die "process $1 has ended: it has no namespaces left" "ps ax" ;;
  esac
  [[ $EUID -eq 0 ]] || die "process $1 is not yours: only root sees its namespaces" \
    "sudo $0 ${pids[*]}"
  die "not even root may see the namespaces of process $1 here" \
    "it has capabilities that you lack: are you in a container?"
}

# neutralize replaces ids by words that are the same on any machine.
neutralize() {
  local type pid id count
  local -A word
  for type in "${ns_types[@]}"; do
    [[ ${ids["$$ $type"]} != none ]] || continue
    word=(["${ids["$$ $type"]}"]=host) count=0
    for pid in "${pids[@]}"; do
      id=${ids["$pid $type"]}
      [[ -n ${word[$id]:-} ]] || word[$id]=new-$((++count))
      ids["$pid $type"]=${word[$id]}
    done
    ids["$$ $type"]=host
  done
}

# show prints the table for these processes.
show() {
  local pid type host
  printf "$bold%-8s%-13s" "" host
  for pid in "$@"; do printf '%-15.13s' "${names[$pid]}"; done
  printf '%s\n' "$plain"
  if [[ -z $neutral ]]; then
    printf '%-8s%-13s' "" "PID $$"
    printf 'PID %-11s' "$@"
    printf '\n'
  fi
  for type in "${ns_types[@]}"; do
    host=${ids["$$ $type"]}
    if [[ $host == none ]]; then
      printf '%-8s%s\n' "$type" "not in this kernel"
      continue
    fi
    printf '%-8s%-13s' "$type" "$host"
    for pid in "$@"; do
      if [[ ${ids["$pid $type"]} == "$host" ]]; then
        printf "$dim%-10s =$plain   " "$host"
      else
        printf "$green%-10s *$plain   " "${ids["$pid $type"]}"
      fi
    done
    printf '\n'
  done
}

# sum_up says in one sentence what the table shows.
sum_up() {
  local pid type id sets='' new same first shared=''
  local -A seen=()
  for pid in "${pids[@]}"; do
    new=${own[$pid]:+ ${own[$pid]}} same=''
    for type in "${ns_types[@]}"; do
      id=${ids["$pid $type"]}
      if [[ "$new " == *" $type "* ]]; then
        [[ -z ${seen["$id $type"]:-} ]] || shared=yes
        seen["$id $type"]=yes
      elif [[ $id != none ]]; then
        same+=" $type"
      fi
    done
    first=${first-$new}
    [[ $new == "$first" ]] || sets=differ
  done
  if [[ -n $sets ]]; then
    say "* is a namespace that is not the host's, = is the host's"
  elif [[ -z $new ]]; then
    say "all namespaces are the host's (=): nothing is isolated"
  elif [[ -n $shared ]]; then
    say "not the host's (*):$new, some of them shared; the host's (=):$same"
  elif [[ ${#pids[@]} -eq 1 ]]; then
    say "not the host's (*):$new; the host's (=):$same"
  else
    say "new in each (*):$new; the host's (=):${same:- none}"
  fi
}

while [[ $# -gt 0 ]]; do
  if [[ $1 == --neutral ]]; then
    neutral=yes
  elif [[ $1 == --tree ]]; then
    [[ $# -eq 1 && -z $neutral$lesson && ${#pids[@]} -eq 0 ]] || misused "--tree takes no other argument"
    source "$lib/cgroup.sh" # unescape
    source "$lib/tree.sh"
    find_all_namespaces
    find_owners
    find_width
    show_tree | sed 's/ *$//'
    exit
  elif [[ -n $lesson ]]; then
    misused "expected one lesson, or PIDs"
  elif lesson=$(full_name "$1"); then
    [[ ${#pids[@]} -eq 0 ]] || misused "expected one lesson, or PIDs"
  else
    [[ $1 =~ ^[1-9][0-9]*$ ]] || misused "neither a lesson nor a PID: $1"
    [[ -v names[$1] ]] || pids+=("$1")
    names[$1]=$(cat "/proc/$1/comm" 2>/dev/null) || true
  fi
  shift
done

if [[ -n $lesson ]]; then
  start_two
elif [[ ${#pids[@]} -eq 0 ]]; then
  find_containers
  pids=("${containers[@]}")
  for pid in "${pids[@]}"; do names[$pid]=${lesson_of[$pid]}; done
  [[ ${#pids[@]} -gt 0 ]] || die "no container of a lesson is running on this machine" \
    "start one in another terminal, such as: sudo bin/01-pid" \
    "or let this script start two: $0 01"
fi

shown=()
for pid in $$ "${pids[@]}"; do
  if read_ids "$pid"; then
    shown+=("$pid")
  elif [[ -d /proc/$pid || ! -v lesson_of[$pid] ]]; then
    missing "$pid"
  fi # one that we found ourselves may have ended since
done
pids=("${shown[@]:1}")
[[ -z $neutral ]] || neutralize
find_width
fit=$(((width - 19) / 15))
for ((i = 0; i < ${#pids[@]}; i += fit)); do
  show "${pids[@]:i:fit}" | sed 's/ *$//'
  printf '\n'
done
sum_up
