# points.sh: what check.sh looks at, type by type. It is sourced, not run.
#
# Each point has what was seen, what is expected, and a question for when they differ.
# `ask a` lets the command inside look; `enter` and /proc/PID, where PID is the
# command's on the host, are the kernel's answer to us. What would change the host is
# tried only once the kernel has said that the namespace is not the host's.

# shellcheck disable=SC2154 # set by check.sh
# shellcheck disable=SC2002 # with cat, a process that has gone ends no script
# shellcheck disable=SC2012,SC2017 # numbers in /proc; memory in whole pages
untried="not tried: the namespace is the host's"

# runs_command: is the shell inside there, and is it the one that answers?
runs_command() {
  local run
  for run in a b; do
    why "$run"
    point run "the command inside, run $run" "$(found "$run")" 'it answers' "$follow_up"
  done
  [[ -n ${shell[a]} && -n ${shell[b]} ]] || return 1
  if ! readlink "/proc/${shell[a]}/ns/pid" >/dev/null; then
    is_own user || die "the command inside is root's: you may not see its namespaces" \
      "sudo $0 $number -- ${command[*]}"
    point run 'the user of the command' \
      "$(grep -hE '^[UG]id' "/proc/${shell[a]}/status" | xargs)" 'one that you may look at' \
      'Which IDs does it have here, and which map gave it those? See user_namespaces(7).'
    return 1
  fi
}

# count TEXT prints how many lines have it in them.
count() { grep -cF -- "$1" || true; }

# read_namespaces RUN asks the kernel in which namespaces and cgroups the shell is.
read_namespaces() {
  local line
  find_namespaces "$(links_of "${shell[$1]}")" || true
  for line in "${!ns_number[@]}"; do id["$1 $line"]=${ns_number[$line]}; done
  own_of[$1]=${ns_own[*]}
  # Held open, it keeps its number: nobody else's namespace gets the same.
  exec {line}<"/proc/${shell[$1]}/ns/pid"
  mapfile -t -O "${#cgroups[@]}" cgroups < <(cgroups_of "$1")
}

# cgroups_of RUN prints the directories of all cgroups that its shell is in.
cgroups_of() {
  find_cgroups "/proc/${shell[$1]}/cgroup"
  printf '%s\n' "${cgroup_dir[@]}" | sort -u
}

# differs TYPE says whether run a is in a different namespace from ours.
differs() { [[ " ${own_of[a]} " == *" $1 "* ]]; }

check_namespace() {
  local seen="the host's" expected="the host's"
  if [[ ! -e /proc/self/ns/$1 ]]; then
    skip "$1" 'the namespace' 'this kernel has no such type'
    return
  fi
  if [[ -z ${id["a $1"]:-} ]]; then
    seen='unreadable'
  elif differs "$1"; then
    seen='its own'
    [[ ${id["a $1"]} != "${id["b $1"]:-}" ]] || seen='shared by two runs'
  fi
  if is_own "$1"; then expected='its own'; fi
  point "$1" "the namespace, ${id["a $1"]:-}" "$seen" "$expected" \
    "Outside and inside: readlink /proc/self/ns/$1. Which call makes a new one, and when does it?"
}

check_pid() {
  ask a 'echo process $$, parent $PPID'
  point pid 'the command is the first process' \
    "$answer; the kernel says $(awk '/^NSpid/ { print $NF }' "/proc/${shell[a]}/status")" \
    'process 1, parent 0; the kernel says 1' \
    'Who is the first process in the namespace: the command, or one that started it?'
}

# mount_at PLACE [PID] prints type and device of what is mounted there last.
mount_at() {
  cat "/proc/${2:-${shell[a]}}/mountinfo" | awk -v place="$1" '
    $5 == place { for (i = 6; $i != "-"; i++); last = $(i + 1) " " $3 }
    END { print (last ? last : "nothing") }'
}

check_mnt() {
  local here there
  here=$(mount_at /proc)
  if [[ $here == "$(mount_at /proc self)" ]]; then
    here="the host's proc"
  else
    here="a new ${here% *}"
  fi
  ask a 'echo /proc/[0-9]*'
  [[ $answer != /proc/*/proc/* ]] || answer="$(wc -w <<<"$answer") processes"
  point mnt 'what ps sees' "$answer in $here" '/proc/1 in a new proc' \
    'Whose processes does a proc filesystem show: those of its reader, or of whoever mounted it?'

  if ! differs mnt; then here=$untried; else
    ask a "d=${dir@Q}/mnt; [ -d \"\$d\" ] || d=/tmp; mount -t tmpfs $mark \"\$d\""
    here=$(cat "/proc/${shell[a]}/mountinfo" | count " tmpfs $mark ")
    there=$(count " tmpfs $mark " </proc/self/mountinfo)
    here="inside $here, on the host $there"
  fi
  [[ -z $covered ]] || here="its /proc covers the host's"
  point mnt 'a mount made inside stays inside' "$here" 'inside 1, on the host 0' \
    'findmnt -o TARGET,PROPAGATION / -- and who else is in that peer group?'
}

check_uts() {
  local host name seen=$untried
  host=$(uname -n)
  ask a 'uname -n'
  name="a name of its own"
  [[ $answer != "$host" ]] || name="the host's"
  [[ -n $answer ]] || name='no name'
  point uts "the hostname, $answer" "$name" 'a name of its own' \
    'A new UTS namespace starts as a copy. Who gives it a name?' hostname

  name=check-$RANDOM
  if differs uts; then
    ask a "hostname $name || echo $name >/proc/sys/kernel/hostname; uname -n"
    seen="inside ${answer##*$'\n'}, on the host $(uname -n)"
    ask b 'uname -n'
    [[ $answer != "$name" ]] || seen+=', and the same in the other run'
  fi
  point uts 'a hostname set inside stays inside' "$seen" \
    "inside $name, on the host $host" \
    'Which name does sethostname(2) set, and whose is it?'
}

# queue_keys prints the keys of this IPC namespace's message queues.
queue_keys() { awk 'FNR > 1 { print $1 }' /proc/sysvipc/msg; }

check_ipc() {
  local key='' seen
  queue=$(ipcmk -Q -p 0 | grep -o '[0-9]*$')
  ask a 'cat /proc/sysvipc/msg /proc/sysvipc/sem /proc/sysvipc/shm | grep -vc key'
  ipcrm -q "$queue"
  queue=
  point ipc 'System V objects inside, while the host has a queue' \
    "$answer" 0 'ipcmk -Q outside, ipcs inside. What decides which queues a process sees?'

  seen=$untried
  if differs ipc; then
    enter --ipc ipcmk -Q -p 0 >/dev/null
    ask a 'cat /proc/sysvipc/msg'
    key=$(awk 'NR > 1 { print $1 }' <<<"$answer")
    seen="inside $(wc -w <<<"$key")"
    seen+=", on the host $(queue_keys | grep -cxF -- "${key:-none}" || true)"
  fi
  point ipc 'a queue made inside stays inside' "$seen" 'inside 1, on the host 0' \
    'Compare the keys, not the ids: each namespace counts its ids from 0.'

  if [[ ! -d /dev/mqueue ]] && ! is_own root; then
    skip ipc 'POSIX message queues' 'there is no /dev/mqueue: sudo mkdir /dev/mqueue'
    return
  fi
  seen=$(mount_at /dev/mqueue)
  if [[ $seen != nothing && $seen == "$(mount_at /dev/mqueue self)" ]]; then
    seen="the host's"
  elif ! differs ipc; then
    seen=$untried
  elif [[ $seen == mqueue* ]]; then
    # It counts as a tenth of what a user may have, in all namespaces: see mq_overview(7).
    ask a ": >/dev/mqueue/$mark; ls /dev/mqueue; rm /dev/mqueue/$mark 2>/dev/null || :"
    seen="${seen% *} with ${answer//"$mark"/the queue made inside}"
  fi
  point ipc '/dev/mqueue' "$seen" 'mqueue with the queue made inside' \
    'Whose POSIX queues does an mqueue filesystem show? What did lesson 02 do about /proc?' mqueue
}

# devices prints the names in /proc/net/dev, sorted, without those that some
# modules make in every network namespace.
devices() {
  tr -d ' ' | sed -n 's/:.*//p' |
    grep -vxE 'tunl0|sit0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|ip6tnl0|ip6gre0' |
    sort | xargs
}

# reach ADDRESS knocks at a port of it from the network namespace of run a.
# A refusal is an answer. A firewall may give none: then it is enough that
# somebody has said whose address it is.
reach() {
  local said
  said=$(enter --net timeout 2 bash -c ": 2>&1 <>/dev/tcp/$1/9" 2>&1) && said=refused
  if [[ $said == *refused* || $(enter --net ip neighbour show "$1") == *lladdr* ]]; then
    echo answers
  else
    said=${said##*: }
    echo "${said:-no answer}"
  fi
}

# address_of RUN prints the address of its eth0.
address_of() {
  # shellcheck disable=SC2034 # enter reads it
  local subject=$1
  enter --net ip -o -4 address show dev eth0 | awk '{ print $4 }'
}

check_net() {
  local expected='eth0 lo' parent user gateway seen
  # Only root outside can make a veth pair to the host.
  parent=$(awk '/^PPid/ { print $2 }' "/proc/${shell[a]}/status")
  user=$(awk '/^Uid/ { print $3 }' "/proc/$parent/status" 2>/dev/null) || true
  [[ $user == 0 ]] || expected=lo
  ask a 'cat /proc/net/dev'
  point net 'the devices' "$(devices <<<"$answer")" "$expected" \
    'ip link, outside and inside. A veth has two ends: where is each, and who put it there?' veth

  if ! differs net; then seen=$untried; else seen=$(reach 127.0.0.1); fi
  point net 'lo, 127.0.0.1' "$seen" answers \
    'ip -brief link inside. In which state are the devices of a new network namespace?' lo

  if [[ $expected == lo ]]; then
    skip net 'the host' "a veth pair to it needs root on it, and your launcher's user is ${user:-gone}"
    return
  fi
  gateway=
  if differs net; then
    gateway=$(enter --net ip -4 route show default | awk '{ print $3 }')
    seen='no default route'
  fi
  [[ -z $gateway ]] || seen=$(reach "$gateway")
  if [[ -n $gateway && $(ip -o -4 address) != *" $gateway/"* ]]; then
    seen="the default route leads to $gateway, which is not the host"
  elif [[ -n $gateway && $(address_of a) == "$(address_of b)" ]]; then
    seen='two runs have the same address'
  fi
  point net "the host${gateway:+, $gateway}" "$seen" answers \
    'ip address and ip route, on both sides. Which address is the next hop, and is its link up?' \
    veth
}

check_user() {
  local me=$EUID map
  ask a 'id -u; id -g'
  point user 'root inside: uid and gid' "${answer//$'\n'/ }" '0 0' \
    'id inside, as your launcher starts it. What does the kernel show for an ID that is not mapped?'
  for map in uid_map gid_map; do
    # Behind sudo, the caller of sudo is as good as root.
    me=$EUID
    [[ $map == uid_map ]] || me=$(id -g)
    seen=$(xargs <"/proc/${shell[a]}/$map")
    if [[ -n ${SUDO_UID:-} && $seen != "0 $me 1" ]]; then
      me=$SUDO_UID
      [[ $map == uid_map ]] || me=${SUDO_GID:-}
    fi
    point user "$map: inside, outside, how many" "$seen" "0 $me 1" \
      'user_namespaces(7), "Defining user and group ID mappings": which ids may you map?'
  done
  point user 'setgroups' "$(cat "/proc/${shell[a]}/setgroups")" deny \
    'Why must whoever maps a gid without privilege give up setgroups(2) first?'
}

check_root() {
  local seen pid=${shell[a]}
  seen='its own'
  ! test "/proc/$pid/root" -ef / || seen="the host's"
  point root 'the root directory' "$seen" 'its own' \
    'ls / inside. Which call changes what / means, and for whom?'

  ask a "[ -e ${dir@Q}/host ] && echo there || echo gone"
  point root 'a file of the host' "$answer" gone \
    'Which paths inside still lead to the host?'

  seen=there
  if ! differs mnt; then
    seen=$untried
  elif [[ $(enter --mount /bin/sh -c 'stat -c %d:%i /') == "$(stat -L -c %d:%i "/proc/$pid/root")" ]]; then
    seen=gone # whoever enters the mount namespace sees its topmost root
  fi
  point root 'the old root in the mount namespace' "$seen" gone \
    'After pivot_root(2) there are two roots. What becomes of the old one?' pivot

  seen=/
  test "/proc/$pid/cwd" -ef "/proc/$pid/root" || seen=elsewhere
  point root 'the working directory' "$seen" / \
    'pwd inside. Does a new root move a process that is somewhere else?'

  ask a '[ -c /dev/null ] && echo x >/dev/null && head -c 3 /dev/zero | wc -c'
  ! test "/proc/$pid/root/dev" -ef /dev || answer+=" in the host's /dev"
  point root 'bytes from /dev/zero' "$answer" 3 \
    'ls -l /dev inside. May root of a user namespace make a device?' dev

  seen=$(cat "/proc/$pid/mountinfo" | awk '
    BEGIN { how["/sys"] = how["/proc/sys"] = "no mount" }
    $5 == "/sys" || $5 == "/proc/sys" { sub(",.*", "", $6); how[$5] = $6 }
    END { print "/sys " how["/sys"] ", /proc/sys " how["/proc/sys"] }')
  point root 'settings of the machine' "$seen" '/sys ro, /proc/sys ro' \
    'Which files below /proc and /sys are the whole machine'\''s, and who may write to them?' \
    readonly

  seen=$(cat "/proc/$pid/environ" | tr '\0' '\n' | count "$mark")
  point root 'your variables inside' "$seen" 0 \
    'export SECRET=1, then env inside. Who should give a container its variables?' environment

  seen=$(ls "/proc/$pid/fd" | sort -n | xargs)
  point root 'open files' "$seen" '0 1 2' \
    'ls -l /proc/self/fd inside, with 9</ on the command line. What does execve(2) leave open?' \
    descriptors
}

# cgroup_of RUN CONTROLLER prints the directory of the cgroup that the run's
# shell is in: that of the controller's v1 hierarchy if it has one, or that of v2.
cgroup_of() {
  find_cgroups "/proc/${shell[$1]}/cgroup"
  echo "${cgroup_dir[$2]:-${cgroup_dir[v2]:-}}"
}

# limit_of FILE... prints the number in the first of the files that is there.
limit_of() {
  local file value
  for file in "$@"; do
    [[ -f $file ]] || continue
    read -r value _ <"$file"
    # v1 has no word for no limit, but the largest number of pages.
    [[ $value =~ ^[0-9]+$ && ${#value} -lt 18 ]] || value=none
    echo "$value"
    return
  done
  echo none
}

check_cgroup() {
  local dir limit swap seen
  ask a 'cut -d : -f 3 /proc/self/cgroup | sort -u'
  point cgroup 'paths in /proc/self/cgroup' "${answer//$'\n'/ }" / \
    'cat /proc/self/cgroup inside. Which cgroup was the process in when it got its namespace?'

  if ! differs pid; then return; fi
  # Run b is for what may end a run.
  check_memory "$(cgroup_of b memory)"
  check_pids "$(cgroup_of b pids)"
  check_cpu "$(cgroup_of a cpu)"
}

# try_block BYTES lets run b fill that much memory: dd reads a whole block
# before it writes.
try_block() {
  ask b "dd if=/dev/zero of=/dev/null bs=$1 count=1"
  [[ -n ${ended[b]:-} ]] || seen+="$2: status $status"
}

check_memory() {
  local limit swap seen='' file
  limit=$(limit_of "$1"/memory.{max,limit_in_bytes})
  if [[ $limit == none ]]; then
    seen='no limit'
  elif [[ $1 == "$(cgroup_of a memory)" ]]; then
    seen='two runs share it'
  elif [[ $limit -gt $((1 << 30)) ]]; then
    seen="$limit bytes, too much to try"
  else
    try_block $((limit / 2)) 'half the limit'
    try_block $((limit / 4 * 5)) ', more than the limit'
  fi
  point cgroup "memory, at most $limit bytes" "${seen:-$answer}" \
    'half the limit: status 0, more than the limit: status 137' \
    'Is the process in the cgroup whose limit you wrote? grep memory /proc/PID/cgroup outside.' \
    limits

  for file in "$1"/memory.swap.max "$1"/memory.memsw.limit_in_bytes; do
    [[ -f $file ]] || continue
    swap=$(limit_of "$file")
    # v1 counts memory and swap together.
    [[ $file != *memsw* || $swap != "$limit" || $limit == none ]] || swap=0
    point cgroup 'swap beyond that' "$swap" 0 \
      'Where does a page go when there is no more room for it in memory?' limits
    return
  done
  skip cgroup 'swap beyond that' 'this kernel does not count swap'
}

check_pids() {
  local limit seen='no limit' refused
  limit=$(limit_of "$1/pids.max")
  if [[ $limit != none && $limit -gt 1000 ]]; then
    seen="$limit, too many to try"
  elif [[ $limit != none ]]; then
    ask b "(i=0; while [ \$i -lt $limit ]; do sleep 60 & i=\$((i + 1)); done)"
    refused=$(awk '$1 == "max" { print $2 }' "$1/pids.events")
    seen="one more is refused"
    [[ ${refused:-0} -gt 0 ]] || seen="$limit more are created"
  fi
  point cgroup "processes, at most $limit" "$seen" 'one more is refused' \
    'Is the process in the cgroup whose limit you wrote? grep pids /proc/PID/cgroup outside.' limits
}

# period_of CGROUP prints the microseconds in which it may use its share of CPU.
period_of() {
  local words=(100000)
  [[ ! -f $1/cpu.cfs_period_us ]] || read -ra words <"$1/cpu.cfs_period_us"
  [[ ! -f $1/cpu.max ]] || read -ra words <"$1/cpu.max"
  echo "${words[-1]}"
}

# cpu_time CGROUP prints what its processes have used, in 1/100 s.
cpu_time() {
  sed 's|.*|/proc/&/stat|' "$1/cgroup.procs" | xargs cat 2>/dev/null |
    awk '{ sub(/.*\) /, ""); n += $12 + $13 } END { print n + 0 }'
}

check_cpu() {
  local limit period seen='no limit' since used gone allowed
  limit=$(limit_of "$1"/cpu.{max,cfs_quota_us})
  period=$(period_of "$1")
  if [[ $limit != none ]]; then
    # More of them than CPUs: then others do not keep them from their quota.
    ask a 'loops=; i=0; while [ $i -lt 8 ]; do while :; do :; done & loops="$loops $!" i=$((i + 1)); done'
    # What they use, against the time that has gone by, both in 1/100 s. On a busy
    # machine they may not get so much in any period that the kernel has to throttle
    # them.
    since=$(hundredths) used=$(cpu_time "$1")
    until grep -qE '^nr_throttled [1-9]' "$1/cpu.stat"; do
      sleep 0.05
      gone=$(($(hundredths) - since))
      allowed=$((gone * limit / period))
      [[ $gone -lt 500 && $(($(cpu_time "$1") - used)) -lt $((allowed + 50)) ]] || break
    done
    used=$(($(cpu_time "$1") - used)) gone=$(($(hundredths) - since))
    ask a 'kill -KILL $loops'
    allowed=$((gone * limit / period + 20))
    if [[ $used -gt $allowed ]]; then
      seen="$used/100 s in $gone/100 s"
    elif [[ $used -ge $((allowed / 2)) ]] || grep -qE '^nr_throttled [1-9]' "$1/cpu.stat"; then
      seen='no more than that'
    else
      skip cgroup 'CPU time' "the machine is busy: they got only $used/100 s in $gone/100 s"
      return
    fi
  fi
  point cgroup "CPU time, at most $limit of $period microseconds" "$seen" 'no more than that' \
    'Is the process in the cgroup whose limit you wrote? grep cpu /proc/PID/cgroup outside.' limits
}

remove_cgroup() { rmdir "$1" 2>/dev/null || [[ ! -d $1 ]]; }

# check_end ends run a as it should end, and run b as it should not.
check_end() {
  local seen dirs=() dir
  finish a
  if [[ -z ${shell[a]} || -z ${shell[b]} ]]; then
    finish b
    return
  fi
  seen=${ended[a]}
  [[ $seen != it\ ended* ]] || seen='it ended'
  point run 'when its command ends' "$seen" 'it ended' \
    'For which process does your launcher wait?'

  # A launcher that is killed cannot remove its cgroup. That is done here, unless another
  # lesson 08 has done it. check_host will see what could not be removed.
  mapfile -t dirs < <(cgroups_of b)
  pkill -KILL -P "${launcher[b]}" || true
  # A process that is about to end has given up its arguments already.
  seen='its command is still there'
  ! within=2 soon not grep -qs . "/proc/${shell[b]}/cmdline" || seen='its command is gone'
  point run 'when it is killed' "$seen" 'its command is gone' \
    'Who ends the command then? prctl(2), PR_SET_PDEATHSIG. And which signals does process 1 get?' \
    killed
  finish b
  for dir in "${dirs[@]}"; do
    [[ $'\n'${before[cgroups]}$'\n' != *$'\n'"$dir"$'\n'* ]] || continue
    soon remove_cgroup "$dir" || true # whoever was in there may take a moment to end
  done
}
