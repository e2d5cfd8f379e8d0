#!/usr/bin/env bash
# watch.sh shows the lessons' containers that run on this machine, below the
# host, as a picture that is live: start it on the projector.
# Usage: scripts/watch.sh [--all] [--once]
#   --all   whatever has namespaces of its own, started by Docker, podman, runc,
#           bubblewrap, unshare or by anything else, by the first process in them
#   --once  one picture and no more, as it also is where there is no terminal
# q or Ctrl-C ends it, ? shows this. + is a new container, - one that has just ended.
#   first line   lesson, or what has started it, PID on the host > inside, whose
#                process that is on the host, and its command
#   second line  its namespaces that are not the host's
#   third line   its hostname, address, memory and processes used of its limits
# Where they do not fit, each has one line. A ? is what only root can see.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/cgroup.sh"
source "$lib/containers.sh"
source "$lib/namespaces.sh"
source "$lib/rooms.sh"
answer_help "$@"

moment=3 # seconds that a container is marked as new or gone

# What is known about a container, by its PID on the host.
born=() gone=() lesson=() pids=() user=() command=() own=() hostname=() address=()
memory=() processes=() within=() memory_dir=() pids_dir=() v1=()

declare -A name_of_user=()

# enter are the namespaces to enter on the way to another UTS namespace: root
# may go there at once, and you with the rights that its user namespace gives.
enter=(--uts)
[[ $EUID -eq 0 ]] || enter=(--user --preserve-credentials --uts)

# From here on, all comes from files of the kernel that bash reads itself: to
# start a program for each would take more time than everything else together.

# see notes what seldom changes about a container.
see() {
  local pid=$1 uid='' key value line last='' words=() cleaned
  while read -r key value; do
    [[ $key != NSpid: ]] || pids[pid]=${value//$'\t'/ > }
    [[ $key != Uid: ]] || uid=${value%%$'\t'*}
  done <"/proc/$pid/status"
  [[ -n $uid ]] || return 0 # it has ended
  [[ -n ${name_of_user[$uid]:-} ]] ||
    name_of_user[$uid]=$(getent passwd "$uid" | cut -d : -f 1) || name_of_user[$uid]=$uid
  user[pid]=${name_of_user[$uid]}
  mapfile -d '' -t -n 40 words < <(head -c 400 "/proc/$pid/cmdline")
  clean_text "${words[*]:-[${name_of[pid]:-}]}" 400 # a kernel thread has no command
  command[pid]=$cleaned

  own[pid]='?' # not for us to see
  ! find_namespaces "$(links_of "$pid")" || own[pid]=${ns_own[*]}

  hostname[pid]='' address[pid]=''
  [[ ${own[pid]} != '?' ]] || hostname[pid]='?' address[pid]='?'
  if [[ ${own[pid]} == *uts* ]]; then
    # No file has the name that another UTS namespace gives the host.
    line=$(nsenter --target "$pid" "${enter[@]}" uname -n) || line='?'
    clean_text "$line" 64
    hostname[pid]=$cleaned
  fi
  if [[ ${own[pid]} == *net* ]]; then
    address[pid]='no address'
    while read -r line; do # "|-- 10.200.3.2", and then "/32 host LOCAL"
      if [[ $line == '/32 host LOCAL' && $last != *' 127.'* ]]; then
        address[pid]=${last##* }
      fi
      last=$line
    done <"/proc/$pid/net/fib_trie"
  fi
}

# size writes bytes in VAR as a person would.
size() {
  local -n text=$2
  if [[ $1 == max || $1 -ge $((1 << 60)) ]]; then
    text=max
  elif [[ $1 -lt $((1 << 20)) ]]; then
    text=$(($1 >> 10))K
  else
    text=$((($1 * 10) >> 20))
    text=${text%?}.${text: -1}M
    text=${text/.0M/M}
  fi
}

# has_limits DIR: is this a cgroup of its own?
has_limits() {
  [[ $1 == */nsl-* || (-n $all && -n $1 && " ${not_own[*]} " != *" $1 "*) ]]
}

# place notes the directories in which files say what a container uses, if it
# is in a cgroup of its own.
place() {
  local pid=$1 dir
  memory_dir[pid]='' pids_dir[pid]='' v1[pid]='' memory[pid]='' processes[pid]=''
  find_cgroups "/proc/$pid/cgroup"
  dir=${cgroup_dir[v2]:-}
  ! has_limits "$dir" || memory_dir[pid]=$dir pids_dir[pid]=$dir
  dir=${cgroup_dir[memory]:-}
  ! has_limits "$dir" || memory_dir[pid]=$dir
  dir=${cgroup_dir[pids]:-}
  ! has_limits "$dir" || pids_dir[pid]=$dir
  [[ ! -e ${memory_dir[pid]}/memory.usage_in_bytes ]] || v1[pid]=yes
}

# measure notes what a container uses of its limits.
measure() {
  local pid=$1 now limit used=memory.current most=memory.max
  [[ -z ${v1[pid]} ]] || used=memory.usage_in_bytes most=memory.limit_in_bytes
  [[ -z ${memory_dir[pid]} ]] ||
    { read -r now <"${memory_dir[pid]}/$used" &&
      read -r limit <"${memory_dir[pid]}/$most" &&
      size "$now" now && size "$limit" limit &&
      memory[pid]="$now of $limit"; }
  [[ -z ${pids_dir[pid]} ]] ||
    { read -r now <"${pids_dir[pid]}/pids.current" &&
      read -r limit <"${pids_dir[pid]}/pids.max" &&
      processes[pid]="$now of $limit"; }
}

# find_all is find_containers for all that has namespaces of its own.
find_all() {
  local pid parent cleaned
  find_rooms
  containers=("${rooms[@]}")
  lesson_of=() inside_of=()
  for pid in "${rooms[@]}"; do
    parent=${parent_of[pid]}
    clean_text "${name_of[parent]:-the kernel}" 15
    lesson_of[$pid]=$cleaned
    [[ ! -v room_in[pid] ]] || inside_of[$pid]=${room_in[pid]}
  done
  [[ ${#hidden[@]} -eq 0 ]] || unseen=yes
}

# look brings what is known up to date. A process can end at any moment, and
# its files with it: what could not be read stays as it was.
turn=0 unseen=''
look() {
  local pid first=''
  [[ ${#born[@]} -gt 0 || $turn -gt 0 ]] || first=yes
  unseen=''
  "find_${all:-containers}"
  for pid in "${containers[@]}"; do
    if [[ ! -v born[pid] || -v gone[pid] ]]; then
      unset "gone[pid]"
      born[pid]=$SECONDS lesson[pid]=${lesson_of[$pid]}
      within[pid]=${inside_of[$pid]:-0}
      [[ -z $first ]] || born[pid]=-$moment
      see "$pid" 2>/dev/null || true
      place "$pid" 2>/dev/null || true
    fi
    measure "$pid" 2>/dev/null || true
  done
  for pid in "${!born[@]}"; do
    if [[ -v lesson_of[$pid] ]]; then
      continue
    elif [[ ! -v gone[pid] ]]; then
      gone[pid]=$SECONDS
    elif [[ $((SECONDS - gone[pid])) -ge $moment ]]; then
      unset "born[pid]" "gone[pid]"
    fi
  done
  # One of them each time: somebody may have given it another name.
  turn=$((turn + 1))
  [[ ${#containers[@]} -eq 0 ]] ||
    see "${containers[turn % ${#containers[@]}]}" 2>/dev/null || true
}

# draw makes the picture: an array of lines, each cut to the terminal's width.
draw() {
  local pid parent text long=yes below=() picture=()
  for pid in "${!born[@]}"; do
    parent=${within[pid]}
    [[ -v born[parent] ]] || parent=0
    below[parent]+="$pid "
  done
  [[ $lines -eq 0 || $((3 * ${#born[@]} + 2)) -le $lines ]] || long=''
  set -- /proc/[0-9]*
  line "$bold" "host $HOSTNAME: $# processes," \
    "${#containers[@]} $what${live:+      (q ends this, ? explains it)}"
  [[ -n $long ]] || titles
  branch 0 ''
  [[ ${#born[@]} -gt 0 ]] ||
    line '' "none runs; start one in another terminal: sudo bin/01-pid"
  [[ -z $unseen || ($lines -gt 0 && ${#picture[@]} -ge $((lines - 1))) ]] ||
    line "$dim" "? is what only root can see: sudo scripts/watch.sh${all:+ --all}"

  local last=$((${#picture[@]} - 1))
  if [[ $lines -gt 0 && $last -gt $((lines - 2)) ]]; then
    picture=("${picture[@]:0:lines-2}" "... and $((last - lines + 3)) more")
  fi
  if [[ -n $live ]]; then
    printf -v text "%s$end_of_line\n" "${picture[@]}"
    printf '%s' "$home$text$end_of_screen"
  else
    printf '%s\n' "${picture[@]}"
  fi
}

# line COLOUR TEXT... adds a line to the picture.
line() {
  local colour=$1 text=${*:2}
  picture+=("$colour${text:0:columns}$plain")
}

# cells COLUMN... sets text to a line of the short form.
cells() {
  printf -v text '%-13s %-11s %-10s %-10s %-14s %-12s %-8s' "${@:1:7}"
  [[ $columns -lt 130 ]] || printf -v text '%s %-31s' "$text" "$8"
}

titles() {
  cells LESSON PID USER HOSTNAME ADDRESS MEMORY PROCESSES NAMESPACES
  line "$dim" "     $text COMMAND"
}

# branch adds the containers that were started in another one, by its PID, or
# on the host, 0.
branch() {
  local indent=$2 pid tee bar mark colour text limits children=()
  read -ra children <<<"${below[$1]:-}"
  [[ ${#children[@]} -gt 0 ]] || return 0
  for pid in "${children[@]}"; do
    tee=$indent$fork bar=$indent$pipe mark=' ' colour=''
    [[ $pid != "${children[-1]}" ]] || tee=$indent$corner bar="$indent  "
    [[ $((SECONDS - born[pid])) -ge $moment ]] || mark=+ colour=$green
    [[ ! -v gone[pid] ]] || mark=- colour=$red
    [[ ${own[pid]:-} != '?' ]] || unseen=yes
    if [[ -n $long ]]; then
      limits="no limits of its own"
      [[ -z ${memory[pid]:-}${processes[pid]:-} ]] ||
        limits="memory ${memory[pid]:-max}  processes ${processes[pid]:-max}"
      line "$colour" "$tee$mark ${lesson[pid]}  PID ${pids[pid]:-$pid}  ${user[pid]:-?}  ${command[pid]:-}"
      line "$colour" "$bar   own: ${own[pid]:-}"
      text=${hostname[pid]:+${hostname[pid]}  }${address[pid]:+${address[pid]}  }
      line "$colour" "$bar   $text$limits"
    else
      cells "${lesson[pid]}" "${pids[pid]:-$pid}" "${user[pid]:-?}" "${hostname[pid]:--}" \
        "${address[pid]:--}" "${memory[pid]:--}" "${processes[pid]:--}" "${own[pid]:-}"
      line "$colour" "$tee$mark $text ${command[pid]:-}"
    fi
    branch "$pid" "$bar  "
  done
}

once='' live='' all='' what='containers of lessons'
while [[ $# -gt 0 ]]; do
  case $1 in
  --all) all=all what="sets of namespaces that are not the host's" ;;
  --once) once=yes ;;
  *) misused "unknown argument: $1" ;;
  esac
  shift
done

fork='|-' corner='`-' pipe='| '
if [[ $locale == *[Uu][Tt][Ff]* ]]; then
  fork='├─' corner='└─' pipe='│ '
fi
find_cgroup_mounts
find_cgroups /proc/self/cgroup
not_own=("${cgroup_dir[@]}" "${cgroup_top[@]}")
columns=100 lines=0 # no bottom
if [[ -n $once || ! -t 0 || ! -t 1 || ${TERM:-dumb} == dumb ]]; then
  look
  draw
  exit
fi

live=yes resized=yes key=''
home=$'\e[H' end_of_line=$'\e[K' end_of_screen=$'\e[J'
take_screen
trap resized=yes WINCH
while [[ $key != [qQ] ]]; do
  if [[ -n $resized ]]; then
    resized=''
    read -r lines columns < <(stty size)
  fi
  look
  if [[ $key != '?' ]]; then
    draw
  else # until the next key
    text=$(usage)
    printf '%s' "$home${text//$'\n'/$end_of_line$'\n'}$end_of_line$end_of_screen"
    read -rsn 1 || exit 1
  fi
  read_key 1
done
