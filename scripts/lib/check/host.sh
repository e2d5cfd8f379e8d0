# host.sh: the host, before the launcher and after it. It is sourced by
# check.sh, not run.
#
# Other people's containers come and go in the meantime: these are left out.

# shellcheck disable=SC2154 # set by check.sh
kinds=(mounts hostname links addresses routes queues cgroups processes)
declare -A before=()

host_mounts() { cat /proc/self/mountinfo; }

host_hostname() { uname -n; }

# addresses prints the host's devices and their addresses, a device in each
# line. It leaves out those like NAME@if7, whose peer is in another network
# namespace: they live as long as that, which a process or a mount keeps. If
# the answer changes while it is read, the kernel says so: then again.
addresses() {
  local answer
  answer=$(ip address 2>&1)
  while [[ $answer == *'Dump was interrupted'* ]]; do
    answer=$(ip address 2>&1)
  done
  awk '
    /^[0-9]/ { name = $2; sub("[:@].*", "", name); own = $2 !~ "@if[0-9]" }
    own && /^[0-9]/ { print name }
    own && $1 ~ "^inet" { print name, $1, $2 }' <<<"$answer"
}

host_links() { addresses | grep -v ' '; }

host_addresses() { addresses | grep ' ' || true; }

# It leaves out devices that are new: these are reported themselves.
host_routes() {
  local device
  for device in ${before[links]}; do
    ip -4 route show dev "$device" 2>/dev/null | sed "s/^/$device: /"
  done
}

# Those of mode 0 belong to a check or a tour, this one or another that is running. Other
# people make and remove theirs at any time.
host_queues() {
  awk -v me="$EUID" '
    FNR == 1 { for (i = 1; i <= NF; i++) if ($i == "cuid") creator = i }
    FNR > 1 && $3 != 0 && $creator == me { print FILENAME, $1, $2 }' /proc/sysvipc/*
}

# Before, all cgroups; afterwards, those that a run was in and the ones above. systemd
# and others make and remove cgroups at any time.
host_cgroups() {
  local path
  if [[ ! -v before[cgroups] ]]; then
    find /sys/fs/cgroup -type d 2>/dev/null || true
    return
  fi
  for path in "${cgroups[@]}"; do
    while [[ $path == /sys/fs/cgroup/* ]]; do
      [[ ! -d $path ]] || echo "$path"
      path=${path%/*}
    done
  done | sort -u
}

# host_processes prints the processes of a launcher of ours that are still there: its
# descendants, processes with our variable, and those in a PID namespace that it made.
# It leaves out zombies: they wait for the host's init process, which may take its time.
host_processes() {
  local run process
  {
    for process in "${kin[@]}"; do
      [[ $(born "${process% *}") != "$process" ]] || echo "${process% *}"
    done
    marked
    for run in a b; do
      [[ -n ${id["$run pid"]:-} ]] || continue
      [[ $(readlink /proc/self/ns/pid) != *"${id["$run pid"]}"* ]] || continue
      find /proc/[0-9]*/ns/pid -lname "*${id["$run pid"]}*" 2>/dev/null |
        tr -dc '0-9\n'
    done
  } | sort -un | xargs -r ps -o stat=,pid=,args= -p | sed '/^Z/d; s/^[^ ]* *//'
}

remember_host() {
  local kind
  for kind in "${kinds[@]}"; do before[$kind]=$("host_$kind" | sort); done
}

# on_places prints the lines of mountinfo whose mount point exists. Whoever removes a
# directory removes what is mounted on it, from our copies of the mounts, too.
on_places() {
  local line place
  while read -r line; do
    read -r _ _ _ _ place _ <<<"$line"
    unescape place "$place"
    [[ ! -e $place ]] || printf '%s\n' "$line"
  done
}

# changes KIND prints what is new, and what is gone.
changes() {
  local now new gone
  now=$("host_$1" | sort)
  [[ $now != "${before[$1]}" ]] || return 0
  new=$(comm -13 <(echo "${before[$1]}") <(echo "$now"))
  gone=$(comm -23 <(echo "${before[$1]}") <(echo "$now"))
  [[ $1 != mounts || -z $gone ]] || gone=$(on_places <<<"$gone")
  [[ -z $new ]] || echo "new: $(head -n 3 <<<"$new" | xargs -d '\n')"
  [[ -z $gone || $1 == cgroups ]] ||
    echo "gone: $(head -n 3 <<<"$gone" | xargs -d '\n')"
}

# check_host waits a moment, since the kernel removes a network namespace with its
# devices some time after its last process. It does not wait for what only a program
# can undo.
check_host() {
  local kind seen deadline=$((SECONDS + 5))
  wanted host || return 0
  # What our own attempt has left there has been reported already.
  ! grep -qs " tmpfs $mark " /proc/self/mountinfo || umount "$dir/mnt"
  for kind in "${kinds[@]}"; do
    seen=$(changes "$kind")
    while [[ -n $seen && $SECONDS -lt $deadline && $kind != @(mounts|hostname|queues) ]]; do
      sleep 0.05
      seen=$(changes "$kind")
    done
    point host "$kind" "${seen:-as before}" 'as before' "${question[$kind]}"
  done
}

declare -A question=(
  [mounts]='findmnt on the host. Who shares mounts with whom? See mount_namespaces(7).'
  [hostname]='Which process called sethostname(2), and in which namespace was it then?'
  [links]='ip link on the host. What ends the life of a veth?'
  [addresses]='ip address on the host. Whose device has it?'
  [routes]='ip route on the host. Who added it, and in which network namespace?'
  [queues]='ipcs on the host. In which namespace was the process that made it?'
  [cgroups]='When may a cgroup be removed, and who of yours is still there to do it?'
  [processes]='They outlive your launcher. Who is their parent, and what would have ended them?'
)
