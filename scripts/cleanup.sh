#!/usr/bin/env bash
# cleanup.sh removes what lessons, demonstrations and tests have left behind,
# should somebody have killed them. It shows each thing that it removes.
#
# Usage: scripts/cleanup.sh [--dry-run] [--cache]
#
#   --dry-run   show what there is to remove, and leave it
#   --cache     remove the files of sandbox.sh's machines, too: it would have
#               to make them again
#
# It knows our things by their names, all with nsl: processes that a script
# has started, cgroups, network devices, namespaces and nftables tables,
# mounts and scratch directories, message queues, users. What a lesson or a
# script that runs may need stays. Its status is 1 if something could not be
# removed.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export LC_ALL=C

dry='' cache=''
for option; do
  case $option in
  --dry-run) dry=yes ;;
  --cache) cache=${XDG_CACHE_HOME:-$HOME/.cache}/namespaces-sandbox ;;
  -h | --help) usage && exit ;;
  *) misused "unknown argument: $option" ;;
  esac
done

found='' failed=''

# remove WHAT NAME COMMAND... shows it, and removes it by the command.
remove() {
  local what=$1 name=$2
  shift 2
  found=yes
  if [[ -n $dry ]]; then
    echo "would remove $what $name"
    return 0
  fi
  say "remove $what $name"
  "$@" || {
    echo "cannot remove $what $name" >&2
    failed=yes
  }
}

# keep WHAT NAME WHY shows what stays, and why.
keep() {
  found=yes
  echo "in use       $1 $2: $3"
}

# === Who of us is alive ===

# ours[PID] is the name of a lesson, script or test that runs.
declare -A ours=()
known=' hostile.test nstest.test scripttest.test texts.test '
for name in "$repo"/scripts/*.sh "$repo"/scripts/dev/*.sh; do
  case ${name##*/} in
  # These have nothing that bears our mark.
  cleanup.sh | doctor*.sh | sandbox*.sh | watch.sh) ;;
  *) known+="${name##*/} " ;;
  esac
done
while read -r name _; do known+="$name $name.test "; done < <(rows lessons)

# name_of PID sets name, if it is one of ours. A zombie has no arguments.
name_of() {
  local argv=()
  name=''
  { mapfile -d '' -t argv <"/proc/$1/cmdline"; } 2>/dev/null || return 0
  name=${argv[0]:-} name=${name#child of } name=${name##*/}
  [[ $name != bash || -z ${argv[1]:-} ]] || name=${argv[1]##*/}
  [[ $known == *" $name "* ]] || name=''
}

for pid in /proc/[0-9]*; do
  pid=${pid#/proc/}
  name_of "$pid"
  [[ -z $name ]] || ours[$pid]=$name
done

# alive PID tells whether there is such a process. A zombie has no arguments,
# nor has a thread of the kernel: those have the low numbers that lessons in
# another PID namespace have, too.
alive() { { read -rN1 _ <"/proc/$1/cmdline"; } 2>/dev/null; }

# somebody prints one of us who is alive. Most names do not tell whose a
# thing is: it may belong to that one.
somebody() {
  local pid
  for pid in "${!ours[@]}"; do
    if alive "$pid"; then
      echo "process $pid, ${ours[$pid]}, may need it"
      return
    fi
  done
}

# remove_unless_used WHAT NAME COMMAND... removes it if none of us is alive.
remove_unless_used() {
  local who
  who=$(somebody)
  if [[ -n $who ]]; then keep "$1" "$2" "$who"; else remove "$@"; fi
}

# === Processes ===

# end_process PID: it may end by itself, as much does whose script is gone. It
# has to be gone before its cgroups and devices are looked at.
end_process() {
  local tries
  kill -KILL "$1" 2>/dev/null || ! alive "$1" || return
  for ((tries = 0; tries < 100; tries++)); do
    alive "$1" || return 0
    sleep 0.02
  done
  return 1
}

remove_process() {
  remove "process $1," "$(ps -o args= -p "$1")" end_process "$1"
  unset "ours[$1]"
}

# What a script starts has NSL_SCRIPT=PID in its environment (lib.sh). When
# process PID is gone, so should they be.
while IFS=: read -r pid owner; do
  pid=${pid//[!0-9]/} owner=${owner#*=}
  [[ $owner =~ ^[0-9]+$ ]] || continue
  # In another PID namespace, the number means another process.
  [[ /proc/$pid/ns/pid -ef /proc/$$/ns/pid ]] || continue
  if alive "$pid" && ! alive "$owner"; then remove_process "$pid"; fi
done < <(grep -Hazs '^NSL_SCRIPT=' /proc/[0-9]*/environ | tr '\0' '\n')

# A subshell is a copy of its script, older than that mark: it was forked but
# has not executed anything, and its parent should be the script or another
# subshell. See flags in proc_pid_stat(5), and PF_FORKNOEXEC of Linux.
more=yes
while [[ -n $more ]]; do
  more=''
  for pid in "${!ours[@]}"; do
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
    read -r _ parent _ _ _ _ flags _ <<<"${stat##*) }"
    if [[ ${ours[$pid]} == *.sh && -z ${ours[$parent]:-} ]] &&
      ((flags & 0x40)) && alive "$pid"; then
      remove_process "$pid"
      more=yes
    fi
  done
done

# === Cgroups ===

# user_of_cgroup DIR PID prints who uses it: the lesson with that PID, or with
# another one in another PID namespace, where it has locked the directory; or
# the parent of a process in it, if that is a lesson.
user_of_cgroup() {
  local member parent name
  if alive "$2"; then
    echo "process $2"
    return
  fi
  if command -v flock >/dev/null && ! flock --nonblock "$1" true; then
    echo 'its lesson has locked it'
    return
  fi
  while read -r member; do
    parent=$(sed -n 's/^PPid:\t//p' "/proc/$member/status" 2>/dev/null) ||
      continue
    name_of "$parent"
    [[ -z $name ]] || {
      echo "process $member"
      return
    }
  done < <(find "$1" -name cgroup.procs -exec cat {} +)
}

# remove_cgroup DIR kills who is still in it: their parent, the lesson, is
# gone.
remove_cgroup() {
  local tries member
  for ((tries = 0; tries < 100; tries++)); do
    find "$1" -name cgroup.procs -exec cat {} + | while read -r member; do
      kill -KILL "$member" 2>/dev/null || true
    done
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -e $1 ]] || return 0
    sleep 0.02 # until the killed are gone
  done
  [[ ! -e $1 ]] || rmdir "$1" # says why not
}

while read -r top; do
  while read -r dir; do
    pid=${dir##*/nsl-} pid=${pid%%-*}
    [[ $pid =~ ^[0-9]+$ ]] || continue
    who=$(user_of_cgroup "$dir" "$pid")
    if [[ -n $who ]]; then
      keep cgroup "$dir" "$who"
    else
      remove cgroup "$dir" remove_cgroup "$dir"
    fi
  done < <(find "$top" -type d -name 'nsl-*' -prune 2>/dev/null)
  wait $! || true # or the next cleanup.sh would find it
done < <(awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo | sort -u)

# === The network ===

# delete_link NAME: it may go by itself, as a killed lesson's does.
delete_link() { ip link delete "$1" 2>/dev/null || ! ip link show "$1" 2>/dev/null; }

if command -v ip >/dev/null; then
  while read -r name; do
    read -r who < <(ip netns pids "$name") || true
    if [[ -n $who ]]; then
      keep 'network namespace' "$name" "process $who is in it"
    else
      remove_unless_used 'network namespace' "$name" ip netns delete "$name"
    fi
  done < <(ip netns list | awk '/^nsl/ { print $1 }')

  while read -r name netns_id; do
    who=''
    ip link show "$name" >/dev/null 2>&1 || continue # gone with another
    [[ -z $netns_id ]] ||
      who=$(lsns -n -t net -o NETNSID,PID 2>/dev/null |
        awk -v id="$netns_id" '$1 == id { p = "process " $2 } END { print p }')
    if [[ -n $who ]]; then
      keep 'network device' "$name" "$who is at its other end"
    else
      remove_unless_used 'network device' "$name" delete_link "$name"
    fi
  done < <(ip -o link show | sed -n \
    's/^[0-9]*: \(nsl[^:@]*\)[:@]\(.* link-netnsid \([0-9]*\)\)\{0,1\}.*/\1 \3/p')
fi
if command -v nft >/dev/null; then
  while read -r _ family name; do
    remove_unless_used 'nftables table' "$family $name" \
      nft delete table "$family" "$name"
  done < <(nft list tables 2>/dev/null | grep ' nsl')
fi

# === Files ===

shopt -s nullglob
while read -r dir; do
  who=$(somebody)
  if [[ -n $who ]]; then
    keep 'scratch directory' "$dir" "$who"
    continue
  fi
  while read -r point; do
    printf -v point %b "$point" # a space is written as \040
    remove mount "$point" umount "$point"
  done < <(awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' \
    /proc/self/mountinfo | sort -r)
  remove 'scratch directory' "$dir" rm -rf --one-file-system "$dir"
done < <(find -H /tmp /var/tmp "${TMPDIR:-/tmp}" -maxdepth 1 -type d \
  -name 'nsl.*' 2>/dev/null | sort -u)
# A machine that runs, or is being made, has a directory run.PID in there.
if [[ -n $cache && -d $cache ]]; then
  who=''
  for dir in "$cache"/run.*; do
    ! alive "${dir##*.}" || who="process ${dir##*.}, sandbox.sh"
  done
  if [[ -n $who ]]; then
    keep 'the cache' "$cache" "$who"
  else
    remove 'the cache' "$cache" rm -rf --one-file-system "$cache"
  fi
fi
for file in /dev/mqueue/nsl* /dev/shm/nsl*; do
  remove_unless_used file "$file" rm "$file"
done

# === Users ===

# delete_user NAME: userdel complains of each thing that is not there.
delete_user() { userdel --remove "$1" 2>/dev/null || ! id "$1" 2>/dev/null; }

while IFS=: read -r name _; do
  remove_unless_used user "$name" delete_user "$name"
done < <(grep '^nsl-' /etc/passwd)

[[ -n $found ]] || echo 'Nothing is left over.'
if [[ -n $failed ]]; then
  [[ $EUID -eq 0 ]] || echo "Not all is yours to remove: sudo $0" >&2
  exit 1
fi
