#!/usr/bin/env bash
# follow.sh shows, step by step, what to type at which terminal in a lesson, and
# ticks a step when the kernel shows that it has happened. Start it at a third terminal.
# Usage: scripts/follow.sh [--stuck SECONDS | --lines | --steps] NN
#   NN       a lesson
#   --stuck  give a hint after so many seconds at a step (60)
#   --lines  for programs: one look for each line of input, and one line of output:
#            steps that are done, of how many, what is seen, a hint, with tabs between
#   --steps  nothing but the steps, as the lesson's text has them: number,
#            terminal, command, what becomes true, with tabs between
# What has become true counts, not what was typed. q or Ctrl-C ends it.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/cgroup.sh"
source "$lib/namespaces.sh"
source "$lib/rooms.sh"
answer_help "$@"

# --- The words of NN-name/steps.sh ---

titles=() conditions=() typed=() hints=() facts=() draws=()

# step CONDITION TITLE begins a step: it is done when the condition holds.
step() { conditions+=("$1") titles+=("$2") typed+=('') hints+=(''); }

# first and second COMMAND are what to type at these terminals, on the way.
first() { typed[-1]+="first"$'\t'"$1"$'\n'; }
second() { typed[-1]+="second"$'\t'"$1"$'\n'; }

# hint CONDITION TEXT is for whoever is stuck at this step while that holds.
hint() { hints[-1]+="$1"$'\t'"$2"$'\n'; }

# draw WORD NEW shows something new in the place of a word of the commands.
draw() { draws+=("$1" "$2"); }

# facts are what to look at, each by a function below: what is seen now, and what
# was seen when the present step began.
declare -A seen=() was=()

# inside TYPE FILE... prints files of the kernel as they are in that namespace of
# the container: they show their reader's namespace. It joins no mount namespace.
inside() {
  local enter=()
  [[ $EUID -eq 0 ]] || enter=(--user --preserve-credentials)
  nsenter --target "$box" "${enter[@]}" "--$1" cat "${@:2}" 2>/dev/null || true
}

# look_members notes which other processes are in the container's PID namespace, if no
# terminal waits for them: process group and foreground group of proc_pid_stat(5).
look_members() {
  local pid stat stat_name
  [[ -n $box ]] || return 0
  seen[members]=' '
  for pid in "${!born_at[@]}"; do
    [[ $pid -ne $box && /proc/$pid/ns/pid -ef /proc/$box/ns/pid ]] || continue
    read_stat "$pid" || continue
    [[ ${stat[2]} -eq ${stat[5]} ]] || seen[members]+="$pid "
  done
} 2>/dev/null

look_name() {
  seen[host_name]=$(</proc/sys/kernel/hostname)
  [[ -z $box ]] || seen[name]=$(inside uts /proc/sys/kernel/hostname)
}

# look_mounts notes the mounts, by number and place, and the device of the /proc
# that is on top: see proc_pid_mountinfo(5).
look_mounts() {
  local process id device point line
  for process in self $box; do
    seen["$process mounts"]=' '
    while read -r id _ device _ point line; do
      seen["$process mounts"]+="$id:$point "
      [[ $point != /proc ]] || seen["$process proc"]="$device ${line##* - }"
    done <"/proc/$process/mountinfo"
  done 2>/dev/null
}

# look_queues notes System V queues and shared memory, by their keys.
look_queues() {
  local line place what
  for place in host box; do
    while read -r line; do
      case $line in
      *' msqid '*) what="$place queues" ;;
      *' shmid '*) what="$place memory" ;;
      *)
        seen["$what"]+="${line%% *} "
        continue
        ;;
      esac
      seen["$what"]=' '
    done < <(if [[ $place == host ]]; then cat "${sysv[@]}"; else inside ipc "${sysv[@]}"; fi)
  done
}
sysv=(/proc/sysvipc/msg /proc/sysvipc/shm)

# look_net notes devices, that of the default route, listening sockets, and what has
# been answered.
look_net() {
  local line name values=() header=() i
  seen[host_devices]=' '
  while read -r name _; do
    [[ $name != *: ]] || seen[host_devices]+="${name%:} "
  done </proc/net/dev
  [[ -n $box ]] || return 0
  seen[devices]=' ' seen[route]='' seen[received]=0 seen[listen]='' seen[lo]=''
  while read -r name line; do
    [[ $name == *: ]] || continue
    seen[devices]+="${name%:} "
    [[ $name == lo: ]] || read -r _ line _ <<<"$line"
    [[ $name == lo: ]] || seen[received]=$((seen[received] + line))
  done <"/proc/$box/net/dev"
  while read -r name line _; do
    [[ $line != 00000000 ]] || seen[route]=$name
  done <"/proc/$box/net/route"
  while read -r line; do
    [[ $line != *127.0.0.1* ]] || seen[lo]=yes
  done <"/proc/$box/net/fib_trie"
  while read -r _ name _ line _; do
    [[ $line != 0A ]] || seen[listen]=$((16#${name##*:}))
  done < <(cat "/proc/$box/net/tcp" "/proc/$box/net/tcp6")
  while read -ra values; do
    if [[ ${values[1]} == *[A-Z]* ]]; then
      header=("${values[@]}")
      continue
    fi
    for i in "${!values[@]}"; do seen[${values[0]}${header[i]}]=${values[i]}; done
  done <"/proc/$box/net/snmp"
} 2>/dev/null

look_map() {
  [[ -n $box ]] || return 0
  seen[map]=''
  local from to count
  while read -r from to count; do
    seen[map]+="${seen[map]:+, }$from is $to (of $count)"
  done <"/proc/$box/uid_map"
} 2>/dev/null

# look_root notes the root, and the files in root's home there.
look_root() {
  local file
  [[ -n $box ]] || return 0
  seen[root]=ours seen[files]=' '
  [[ /proc/$box/root -ef / ]] || seen[root]=$(readlink "/proc/$box/root")
  for file in "/proc/$box/root/root"/*; do
    [[ ! -e $file ]] || seen[files]+="${file##*/} "
  done
}

# look_limits notes limits, how often each was reached, and the CPU time used in
# ms: see cgroups(7).
look_limits() {
  [[ -n $box ]] || return 0
  local dir file key value
  find_cgroups "/proc/$box/cgroup"
  seen[cgroup]='' seen[limits]='' seen[used]=0
  for dir in "${cgroup_dir[v2]:-}" "${cgroup_dir[memory]:-}" "${cgroup_dir[pids]:-}" \
    "${cgroup_dir[cpu]:-}" "${cgroup_dir[cpuacct]:-}"; do
    [[ -n $dir ]] || continue
    for file in memory.max memory.limit_in_bytes pids.max cpu.max cpu.cfs_quota_us; do
      read -r value _ <"$dir/$file" || continue
      [[ $value == max || $value -lt 0 || $value -ge $((1 << 60)) ]] ||
        seen[limits]+="${seen[limits]:+, }$file $value"
    done
    for file in memory.events memory.oom_control pids.events cpu.stat; do
      while read -r key value; do
        seen["$file $key"]=$value
        [[ $key != usage_usec ]] || seen[used]=$((value / 1000))
      done <"$dir/$file" || true
    done
    ! read -r value <"$dir/cpuacct.usage" || seen[used]=$((value / 1000000))
    [[ $dir != */nsl-* ]] || seen[cgroup]=$dir
  done
} 2>/dev/null

# --- Conditions ---

# container [TYPE...]: there is a new one of ours, whose namespaces of the lesson's
# types, or of these, are not the host's. The last that was started is the box.
box='' box_born='' old=()
container() {
  local pid newest=0 before=$box
  [[ $# -gt 0 ]] || set -- "${types[@]}"
  for pid in "${rooms[@]}"; do
    if ! is_new "$pid" || ! is_ready "$pid"; then continue; fi
    has_types "$pid" "$@" || continue
    [[ ${born_at[pid]} -ge $newest ]] || continue
    newest=${born_at[pid]} box=$pid box_born=$newest
  done
  [[ $box == "$before" ]] || note
  [[ $newest -gt 0 ]]
}

# has_types PID TYPE... sets lacks to those that are the host's.
has_types() {
  local type
  lacks=''
  for type in "${@:2}"; do
    [[ " ${room_own[$1]} " == *" $type "* ]] || lacks+="${lacks:+ }$type"
  done
  [[ -z $lacks ]]
}

# is_new PID says whether it was not there when we began, and is the learner's. sudo
# says who that is.
is_new() {
  local pid=$1
  [[ ${old[pid]:-} != "${born_at[pid]}" ]] || return 1
  [[ -n ${SUDO_UID:-} ]] || return 0
  while [[ ${pid:-0} -gt 1 ]]; do
    [[ $(uid_of "$pid") != "$SUDO_UID" ]] || return 0
    pid=${parent_of[pid]:-0}
  done
  return 1
}

uid_of() {
  local key uid
  while read -r key uid _; do
    [[ $key != Uid: ]] || echo "$uid"
  done <"/proc/$1/status"
} 2>/dev/null

# is_ready PID says whether a lesson has started its command.
is_ready() {
  local argument=''
  { read -r -d '' argument <"/proc/$1/cmdline"; } 2>/dev/null || return 1
  [[ $argument != 'child of '* ]]
}

is_there() { [[ -n $box && ${born_at[box]:-} == "$box_born" ]]; }

ended() { ! is_there; }

# members_ended says whether the other processes there have ended, too.
members_ended() {
  local pid
  for pid in ${was[members]:-}; do
    [[ ! -v born_at[pid] ]] || return 1
  done
}

own_proc() { [[ -n ${seen["$box proc"]:-} && ${seen["$box proc"]} != "${seen["self proc"]:-}" ]]; }

# has_new NOW BEFORE says whether a list has a word that was not in it before.
has_new() {
  local word all
  read -ra all <<<"$1"
  for word in "${all[@]}"; do
    [[ $2 == *" $word "* ]] || return 0
  done
  return 1
}

# more NAME says whether what is seen has a word that was not there before, and fewer
# whether one that was there is gone.
more() { has_new "${seen[$1]:-}" "${was[$1]:-}"; }
fewer() { has_new "${was[$1]:-}" "${seen[$1]:-}"; }

host_mount() { more 'self mounts'; }

# own_mount says whether there is a new mount in a place where the host has none.
own_mount() {
  local mount all
  read -ra all <<<"${seen["$box mounts"]:-}"
  for mount in "${all[@]}"; do
    [[ ${was["$box mounts"]:-} != *" $mount "* ]] || continue
    [[ ${seen["self mounts"]} == *":${mount#*:} "* ]] || return 0
  done
  return 1
}

renamed() { [[ -n ${seen[name]:-} && ${seen[name]} != "${was[name]:-}" &&
  ${seen[name]} != "${seen[host_name]}" && ${seen[host_name]} == "${was[host_name]}" ]]; }
host_renamed() { [[ ${seen[host_name]} != "${was[host_name]}" ]]; }

# grown NAME [BY] says whether a counter has grown.
grown() { [[ $((${seen[$1]:-0} - ${was[$1]:-0})) -ge ${2:-1} ]]; }

# --- Looking ---

now=0 began=$SECONDS # the present step, and since when

# note gathers the facts. A process can end at any moment, and its files with it.
note() {
  local fact
  seen[box]=$box
  for fact in "${facts[@]}"; do "look_$fact" || true; done
}

# begin_step begins a step with what the last look saw: more than one thing may
# have happened since. In a new container everything is new, except for these.
begin_step() {
  local key
  began=$SECONDS was=()
  for key in "${!last[@]}"; do was[$key]=${last[$key]}; done
  was[used]=${seen[used]:-0} # whatever happens takes time: from here on
  [[ ${seen[box]} != "${last[box]:-}" ]] || return 0
  was=()
  for key in "${!seen[@]}"; do
    case $key in name | used | host* | files | *mounts) was[$key]=${seen[$key]} ;; esac
  done
}

# keep keeps what is seen for the next look.
declare -A last=()
keep() {
  local key
  last=()
  for key in "${!seen[@]}"; do last[$key]=${seen[$key]}; done
}

look() {
  local pid
  find_rooms
  if [[ ${#last[@]} -eq 0 ]]; then
    # Those that were there before do not count, unless the lesson started them.
    for pid in "${rooms[@]}"; do
      [[ ${name_of[${parent_of[pid]}]:-} == "$lesson" ]] || old[pid]=${born_at[pid]}
    done
    note
    keep
    begin_step
  else
    note
  fi
  while [[ $now -lt ${#conditions[@]} ]]; do
    if eval "${conditions[now]}"; then
      now=$((now + 1))
      is_there || box=''
      note
      begin_step
      [[ ${seen[box]} == "${last[box]:-}" ]] || keep
    elif [[ -n $box ]] && ! is_there && [[ ${conditions[now]} != ended* ]]; then
      # It ended too early: back to the step that starts it.
      box=''
      until [[ ${conditions[now]} == container* ]]; do now=$((now - 1)); done
      note
      begin_step
    else
      break
    fi
  done
  keep
}

# listed NAME... prints the words that are seen there, or nothing, in that word.
listed() {
  local text='' list
  while [[ $# -gt 0 ]]; do
    text+=${seen[$1]:-}
    shift
  done
  read -ra list <<<"$text"
  [[ ${#list[@]} -gt 0 ]] || list=(nothing)
  echo "${list[*]}"
}

# sees sets sight to what is seen, in a sentence or two.
sees() {
  local key value inside='' cleaned
  sight='no new container'
  is_there || return 0
  while read -r key value; do
    [[ $key != NSpid: ]] || inside=${value##*$'\t'}
  done 2>/dev/null <"/proc/$box/status" || return 0
  sight="${name_of[box]}, PID $box, ${inside:-?} inside; not the host's: ${room_own[box]:-nothing}"
  for key in "${facts[@]}"; do
    case $key in
    members) sight+="; in the background: $(listed members)" ;;
    name) sight+="; name ${seen[name]:-?}, the host's ${seen[host_name]}" ;;
    mounts) own_proc && sight+='; a /proc of its own' || sight+="; /proc is the host's" ;;
    queues) sight+="; keys: $(listed "box queues" "box memory"), on the host: $(listed "host queues" "host memory")" ;;
    net)
      sight+="; devices: $(listed devices)${seen[route]:+, default route by ${seen[route]}}"
      sight+="${seen[listen]:+, listens on port ${seen[listen]}}"
      ;;
    map) sight+="; map: ${seen[map]:-none}" ;;
    root) sight+="; root: ${seen[root]/#ours/the host\'s}" ;;
    limits) sight+="; limits: ${seen[limits]:-none}; CPU time ${seen[used]:-0} ms" ;;
    esac
  done
  clean_text "$sight" 400
  sight=$cleaned
}

# advise sets advice to the first hint that holds, or to what can be said of any.
advise() {
  local pid condition text near='' least=9 words cleaned
  advice=''
  [[ $now -lt ${#conditions[@]} ]] || return 0
  while IFS=$'\t' read -r condition text; do
    if [[ -z $condition ]] || ! eval "$condition"; then continue; fi
    eval "advice=\"$text\"" # our own text, with names that are cleaned below
    break
  done <<<"${hints[now]}"
  if [[ -z $advice && ${conditions[now]} == container* ]]; then
    for pid in "${rooms[@]}"; do
      is_new "$pid" || continue
      has_types "$pid" "${types[@]}" || true
      read -ra words <<<"$lacks"
      [[ ${#words[@]} -ge $least ]] || near=$pid least=${#words[@]}
    done
    if [[ -n $near && $least -gt 0 ]]; then
      has_types "$near" "${types[@]}" || true
      advice="PID $near (${name_of[near]}) has namespaces of its own: ${room_own[near]}. Still the host's: $lacks."
    elif childless; then
      advice="PID $childless (${name_of[childless]}) has asked for a new PID namespace, and is not in it: its next child will be. See --fork in unshare(1)."
    else
      advice="There is nothing new here. What does the terminal say? If the lesson does not start: scripts/doctor.sh ${lesson%%-*}"
    fi
  elif [[ -z $advice ]]; then
    advice='Nothing has changed yet. Is the container at the first terminal, and the host at the second?'
  fi
  clean_text "$advice" 400
  advice=$cleaned
}

# childless says whether a process of ours unshared the PID namespace without a fork.
childless() {
  for childless in "${!born_at[@]}"; do
    [[ -e /proc/$childless/ns/pid && ! -e /proc/$childless/ns/pid_for_children ]] || continue
    ! is_new "$childless" || return 0
  done
  return 1
}

# --- What is shown ---

# drawn COMMAND... prints a command with its words that are drawn anew each time.
drawn() {
  local text=$1 i
  for ((i = 0; i < ${#draws[@]}; i += 2)); do
    text=${text//"${draws[i]}"/${draws[i + 1]}}
  done
  printf '%s\n' "$text"
}

draw_picture() {
  local i place command mark colour
  printf '%s\n' "$bold$lesson$plain: ${#conditions[@]} steps at two terminals on the host      (q ends this)"
  [[ ${#draws[@]} -eq 0 ]] || echo 'Names and numbers differ from those in the text: either will do.'
  echo
  for i in "${!conditions[@]}"; do
    mark='  ' colour=''
    [[ $i -ge $now ]] || mark=ok colour=$green
    [[ $i -ne $now ]] || mark='->' colour=$bold
    printf '%s\n' "$colour $mark $((i + 1))  ${titles[i]}$plain"
    [[ $i -eq $now ]] || continue
    while IFS=$'\t' read -r place command; do
      [[ -z $command ]] || printf '         %-7s terminal:  %s\n' "$place" "$(drawn "$command")"
    done <<<"${typed[i]}"
  done
  sees
  printf '\n%s\n' "I see: $sight"
  if [[ $now -eq ${#conditions[@]} ]]; then
    printf '\n%s\n' "${green}All of it has happened.$plain Next: scripts/check.sh ${lesson%%-*}, or the text from there."
  elif [[ $((SECONDS - began)) -ge $stuck ]]; then
    advise
    printf '\n%s\n' "${bold}Stuck?$plain $advice"
  fi
}

stuck=60 mode='' lesson=''
while [[ $# -gt 0 ]]; do
  case $1 in
  --lines | --steps) mode=$1 ;;
  --stuck)
    [[ ${2:-} =~ ^[0-9]+$ ]] || misused '--stuck takes a number of seconds'
    stuck=$2
    shift
    ;;
  *)
    [[ -z $lesson ]] || misused 'expected one lesson'
    lesson=$(full_name "$1") || misused "there is no lesson $1"
    ;;
  esac
  shift
done
[[ -n $lesson ]] || misused 'which lesson?'
[[ -r $repo/$lesson/steps.sh ]] || die "$lesson has no steps to follow" "less $lesson/README.md"
types=$(rows lessons | awk -F '\t' -v name="$lesson" '$1 == name { print $2 }')
read -ra types <<<"${types//,/ }"
# shellcheck source=/dev/null
source "$repo/$lesson/steps.sh"

if [[ $mode == --steps ]]; then
  for i in "${!conditions[@]}"; do
    while IFS=$'\t' read -r place command; do
      [[ -z $command ]] || printf '%s\t%s\t%s\t%s\n' $((i + 1)) "$place" "$command" "${titles[i]}"
    done <<<"${typed[i]}"
  done
  exit
fi

# If the lesson needs root, only root sees its processes.
if [[ ${typed[*]} == *'sudo bin/'* && $EUID -ne 0 ]]; then
  [[ -n $mode ]] || say "using sudo to see root's containers"
  as_root env NO_COLOR="${NO_COLOR:-}" bash "$0" ${mode:+"$mode"} --stuck "$stuck" "$lesson"
  exit
fi
find_cgroup_mounts

if [[ $mode == --lines ]]; then
  look
  while read -r _; do
    look
    sees
    advise
    printf '%s\t%s\t%s\t%s\n' "$now" "${#conditions[@]}" "$sight" "$advice"
  done
  exit
fi
[[ -t 0 && -t 1 && ${TERM:-dumb} != dumb ]] ||
  die "follow.sh needs a terminal of its own" "for programs: $0 --lines ${lesson%%-*}"

take_screen
shown='' key=''
trap "shown=''" WINCH
while [[ $key != [qQ] ]]; do
  look
  [[ $now -lt ${#conditions[@]} ]] || note_typed "$lesson"
  picture=$(draw_picture)
  [[ $picture == "$shown" ]] || printf '\e[H\e[J%s' "${picture//$'\n'/$'\r\n'}"
  shown=$picture
  read_key 1
done
