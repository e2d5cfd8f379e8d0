# flags.sh: the flags that a lesson adds, each tried with a good value and with a
# bad one, where the launcher is called as the lesson is. It is sourced by
# check.sh, not run.

# shellcheck disable=SC2154 # set by check.sh

# try_flags TYPE tries them, if TYPE is what the lesson is about.
try_flags() {
  local about=${own##*,}
  ! is_own root || [[ $about != user ]] || about=root
  [[ $1 == "$about" && " ${command[*]##*/} " == *" $lesson "* ]] || return 0
  ! declare -F "flags_$1" >/dev/null || "flags_$1"
}

# good RUN PART sets seen to the answer of the shell inside to PART, or to why there
# is no shell.
good() {
  find_shell "$1"
  if [[ -n ${shell[$1]} ]]; then
    ask "$1" "$2"
    seen=$answer
  else
    seen=$(found "$1")
  fi
}

# bad RUN FLAG VALUE reports whether the run with that value was refused.
bad() {
  local seen
  refused "$1"
  point "$about" "$2 $3" "$seen" 'an error' \
    'Who notices that this value makes no sense, you or the kernel? What becomes of the error?'
  finish "$1"
}

flags_uts() {
  local seen name=check-$RANDOM long
  printf -v long '%065d' 0
  start c -hostname "$name"
  start d -hostname "$long"
  good c 'uname -n'
  point uts "-hostname $name" "$seen" "$name" \
    'Which half of your program reads the flag, and what does it do with it?'
  bad d -hostname 'with 65 bytes'
  finish c
}

flags_net() {
  # shellcheck disable=SC2034 # what it calls reads subject
  local seen subject=c parent child='' held since
  ! differs net || hold_parent
  start c -net=lo
  start d -net=nonsense
  good c 'cat /proc/net/dev'
  [[ -z ${shell[c]} ]] || seen="$(devices <<<"$seen"), 127.0.0.1 $(reach 127.0.0.1)"
  point net '-net=lo' "$seen" 'lo, 127.0.0.1 answers' \
    'With -net=lo, what is there still to do for the parent, and what for the child?'
  bad d -net nonsense
  finish c
  check_wait
}

# hold_parent starts a run, $held, and stops the parent when it has a child, but has
# not yet made a veth pair to it.
hold_parent() {
  local file pid deadline command=(nice -n 20 "${command[@]}")
  chrt --reset-on-fork --fifo --pid 1 $$ 2>/dev/null || true # before all others
  for held in e f g h i j k l; do
    start "$held"
    parent='' child='' deadline=$((SECONDS + patience))
    # That takes a millisecond. So the parent runs for a fraction of one at a time, and
    # nothing is started in here. read serves only to wait: nobody writes there.
    while [[ -z $child && $SECONDS -lt $deadline ]] && kill -0 "${launcher[$held]}" 2>/dev/null; do
      [[ -z $parent ]] || kill -CONT "$parent" 2>/dev/null || break
      ! read -r -t 0.0003 -u "${to[$held]}" || break
      [[ -z $parent ]] || kill -STOP "$parent" 2>/dev/null || break
      for file in /proc/"${parent:-${launcher[$held]}}"/task/*/children; do
        { read -r pid _ <"$file"; } 2>/dev/null || [[ -n $pid ]] || continue
        [[ -n $parent ]] || parent=$pid
        [[ ! -e /proc/$pid/ns/net || /proc/$pid/ns/net -ef /proc/self/ns/net ]] || child=$pid
      done
    done
    since=$(hundredths)
    if [[ -n $child ]] && kill -STOP "$parent" &&
      [[ $(in_child cat /proc/net/dev | devices) == lo ]]; then break; fi
    child=''
    kill_all "$(family "$parent")"
    finish "$held"
  done
  chrt --other --pid 0 $$ 2>/dev/null || true
}

in_child() { nsenter --target "$child" --net -- "$@" 2>/dev/null; }

# check_wait finds out whether a child waits for its parent, or only sleeps for a while.
# A sleep is no longer than runs a and b took to start; it looks after twice that time,
# since this run has the lowest priority.
check_wait() {
  local seen='the child goes on' index='' deadline=$((SECONDS + 5))
  if [[ -z $child ]]; then
    skip net 'while the parent is stopped' 'the child could not be caught in time'
    skip net 'when eth0 is gone' 'the child could not be caught in time'
    return
  fi
  while [[ $(hundredths) -lt $((since + 2 * startup + 20)) ]]; do sleep 0.05; done
  [[ ! /proc/$child/exe -ef /proc/$parent/exe ]] || seen='the child waits'
  point net 'while the parent is stopped' "$seen" 'the child waits' \
    'Only the parent knows when the veth pair is there: what could it write, and the child read? A sleep is a guess.'
  if [[ $seen != 'the child waits' ]]; then
    kill_all "$(family "$parent")"
    finish "$held"
    return
  fi

  # A child that is stopped must notice later that what it needs is gone again.
  kill -STOP "$child"
  kill -CONT "$parent"
  until [[ -n $index && $(ip -o link show up) == *$'\n'"$index: "* || $SECONDS -gt $deadline ]]; do
    index=$(in_child ip -o link show dev eth0 | sed -n 's/.*@if\([0-9]*\):.*/\1/p') || true
  done
  if [[ $(in_child ip -o -4 address show dev eth0) == '' ]] && in_child ip link delete eth0; then
    kill -CONT "$child"
    refused "$held"
    point net 'when eth0 is gone' "$seen" 'an error' \
      'Which step of the child needs eth0? What becomes of the error of that step?'
  else
    kill -CONT "$child"
    skip net 'when eth0 is gone' 'the parent has set it up'
  fi
  finish "$held"
}

# This root has a shell, and a file that identifies it.
flags_root() {
  local seen root=$dir/root
  mkdir -p "$root"/{bin,proc,sys,dev,tmp}
  cp "$(static_busybox)" "$root/bin/sh"
  : >"$root/$mark"
  chmod 711 "$dir" # behind sudo, root inside is the caller
  start c -rootfs "$root"
  start d -rootfs "$dir/none"
  good c "[ -e /$mark ] && echo the one given || echo a different one"
  point root '-rootfs DIR, the root' "$seen" 'the one given' \
    'Which of your steps take the directory from the flag?'
  bad d -rootfs 'that is not there'
  finish c
}

flags_cgroup() {
  local seen cpu
  start c -memory 32M -pids 20 -cpus 0.2
  start d -memory nonsense
  start e -pids nonsense
  start f -cpus nonsense
  good c 'echo runs'
  if [[ -n ${shell[c]} ]]; then
    cpu=$(cgroup_of c cpu)
    seen=$(limit_of "$cpu"/cpu.{max,cfs_quota_us})
    [[ $seen == none ]] || seen=$((seen * 100 / $(period_of "$cpu")))
    seen="$(limit_of "$(cgroup_of c memory)"/memory.{max,limit_in_bytes}) bytes, $(
      limit_of "$(cgroup_of c pids)/pids.max"
    ) processes, $seen% of a CPU"
  fi
  point cgroup '-memory 32M -pids 20 -cpus 0.2' "$seen" \
    '33554432 bytes, 20 processes, 20% of a CPU' \
    'Which file is each limit written to, and in which unit? cat them, outside.'
  bad d -memory nonsense
  bad e -pids nonsense
  bad f -cpus nonsense
  finish c
}
