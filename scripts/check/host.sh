# shellcheck shell=bash
# host.sh: the host, before the launcher and after it. It is sourced by
# check.sh, not run.
#
# Other people's containers come and go in the meantime: what is theirs is
# left out.

# shellcheck disable=SC2154 # set by check.sh
kinds=(mounts hostname links addresses routes queues cgroups processes)

host_mounts() { cat /proc/self/mountinfo; }

host_hostname() { uname -n; }

# not_foreign FIELD drops the lines about a device whose peer is in another
# network namespace, unless that was one of ours. Its name is in FIELD.
cables=' '
not_foreign() {
  local foreign
  foreign=$(ip -o link | awk -v cables="$cables" '
    /link-netnsid/ && !index(cables, " " $1 " ") { print $2 }')
  awk -v field="$1" -v foreign="$foreign" '
    function bare(name) { sub("[@:].*", "", name); return name }
    BEGIN { split(foreign, list); for (i in list) drop[bare(list[i])] }
    !(bare($field) in drop)'
}

host_links() { ip -o link | not_foreign 2 | awk '{ print $1, $2 }'; }

host_addresses() {
  ip -o address | not_foreign 2 | awk '{ print $2, $3, $4 }'
}

# A route's line starts with where it leads to, and has the device in it.
host_routes() {
  ip -4 route | sed 's/.* dev \([^ ]*\).*/\1 &/' | not_foreign 1 |
    cut -d ' ' -f 2-
}

# Those of mode 0 are of a check, this one or another that runs now.
host_queues() {
  awk 'FNR > 1 && $3 != 0 { print FILENAME, $1, $2 }' /proc/sysvipc/*
}

host_cgroups() { find /sys/fs/cgroup -type d 2>/dev/null || true; }

# host_processes prints who was started by a launcher of ours and is still
# there: its descendants, who has our variable, and who is in a PID namespace
# that it has made.
host_processes() {
  local run process
  {
    for process in "${kin[@]}"; do
      [[ $(born "${process% *}") != "$process" ]] || echo "${process% *}"
    done
    as_owner grep -las "NSL_CHECK=$mark" /proc/[0-9]*/environ | tr -dc '0-9\n'
    for run in a b; do
      [[ -n ${id["$run pid"]:-} ]] &&
        [[ $(readlink /proc/self/ns/pid) != *"${id["$run pid"]}"* ]] || continue
      as_owner find /proc/[0-9]*/ns/pid -lname "*${id["$run pid"]}*" 2>/dev/null |
        tr -dc '0-9\n'
    done
  } | sort -un | xargs -r ps -o pid=,args= -p
}

remember_host() {
  local kind
  for kind in "${kinds[@]}"; do before[$kind]=$("host_$kind" | sort); done
}

# changes KIND prints what is new, and what is gone. systemd removes cgroups
# when it wants to, and makes them for others: a leftover is new and empty.
changes() {
  local line new gone
  new=$(comm -13 <(echo "${before[$1]}") <("host_$1" | sort))
  gone=$(comm -23 <(echo "${before[$1]}") <("host_$1" | sort))
  if [[ $1 == cgroups ]]; then
    gone=''
    new=$(while IFS= read -r line; do
      [[ -n $(cat "$line/cgroup.procs" 2>/dev/null || echo gone) ]] ||
        echo "$line"
    done <<<"$new")
  fi
  [[ -z $new ]] || echo "new: $(head -n 3 <<<"$new" | xargs -d '\n')"
  [[ -z $gone ]] || echo "gone: $(head -n 3 <<<"$gone" | xargs -d '\n')"
}

# check_host waits a moment for each kind: the kernel removes a network
# namespace, with the devices in it, only some time after its last process.
check_host() {
  local kind seen deadline=$((SECONDS + 3))
  wanted host || return 0
  unmount_ours
  for kind in "${kinds[@]}"; do
    seen=$(changes "$kind")
    while [[ -n $seen && $SECONDS -lt $deadline ]]; do
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
  [queues]='ipcs on the host. Which namespace was the process in that made it?'
  [cgroups]='When may a cgroup be removed, and who of yours is still there to do it?'
  [processes]='Your launcher is gone, they are not. Who is their parent, and what would have ended them?'
)
