#!/usr/bin/env bash
# cleanup.sh removes what lessons, demonstrations and tests have left behind
# because somebody killed them. It shows each thing that it removes.
#
# Usage: scripts/cleanup.sh [--dry-run] [--cache]
#
#   --dry-run   show what there is to remove, and leave it
#   --cache     remove the files of sandbox.sh's machines, too: it has to make
#               them again
#
# A thing is ours by its exact name, its kind and its owner: processes that a
# script has started, cgroups, network devices, namespaces and nftables tables,
# mounts and scratch directories, message queues, a user. What a running lesson or
# script may need stays, and so does what only looks like ours.
# Exit status: 1 if something could not be removed.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
source "$lib/cgroup.sh"
source "$lib/stat.sh"
answer_help "$@"
unset NSL_SCRIPT # or the next cleanup.sh might take a find of this one for a leftover
export LC_ALL=C

dry='' cache=''
for option; do
  case $option in
  --dry-run) dry=yes ;;
  --cache) cache=${XDG_CACHE_HOME:-$HOME/.cache}/namespaces-sandbox ;;
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
    clean "would remove $what $name"
    return 0
  fi
  say "$(clean "remove $what $name")"
  "$@" || {
    clean "cannot remove $what $name" >&2
    failed=yes
  }
}

# keep WHAT NAME WHY notes what stays, and why. show_kept shows it: one line for
# each cause, with the first name and how many there are.
declare -A kept=() kept_first=()
keep() {
  found=yes
  kept["$1: $3"]=$((${kept["$1: $3"]:-0} + 1))
  [[ -v kept_first["$1: $3"] ]] || kept_first["$1: $3"]=$2
}
alike() { keep "$1" "$2" 'looks like ours, left alone'; }
show_kept() {
  local cause more
  while IFS= read -r cause; do
    [[ -n $cause ]] || continue
    more=''
    [[ ${kept[$cause]} -eq 1 ]] || more=" and $((kept[$cause] - 1)) more"
    clean "in use       ${cause%%: *} ${kept_first[$cause]}$more: ${cause#*: }"
  done < <(printf '%s\n' "${!kept[@]}" | sort)
}

# is_own PATH: nothing that another user has made, or only named, is ours. Root
# cleans up for the caller of sudo, too. A symbolic link is never ours.
is_own() {
  local owner
  [[ ! -L $1 ]] && owner=$(stat -c %u -- "$1" 2>/dev/null) || return 1
  [[ $owner -eq $EUID || ($EUID -eq 0 && $owner -eq ${SUDO_UID:-0}) ]]
}

# === Which of our processes are alive ===

# ours[PID] is the name of a lesson, script or test that runs.
declare -A ours=()
known=' hostile.test nstest.test scripttest.test texts.test '
for name in "$repo"/scripts/*.sh "$repo"/scripts/dev/*.sh; do
  case ${name##*/} in
  # What these scripts make does not carry our mark.
  cleanup.sh | doctor.sh | sandbox.sh | watch.sh) ;;
  *) known+="${name##*/} " ;;
  esac
done
while read -r name _; do known+="$name $name.test "; done < <(rows lessons)

# name_of PID sets name if the process is one of ours. A zombie has no arguments.
name_of() {
  local argv=() file
  name=''
  { mapfile -d '' -t argv <"/proc/$1/cmdline"; } 2>/dev/null || return 0
  name=${argv[0]:-} name=${name#child of } name=${name##*/}
  if [[ $name == bash && -n ${argv[1]:-} ]]; then # a script: one of these files?
    name=${argv[1]##*/} file=${argv[1]}
    [[ $file == /* ]] || file=/proc/$1/cwd/$file
    [[ $file -ef $repo/scripts/$name || $file -ef $repo/scripts/dev/$name ]] || name=''
  fi
  [[ $known == *" $name "* ]] || name=''
}

for pid in /proc/[0-9]*; do
  pid=${pid#/proc/}
  name_of "$pid"
  [[ -z $name ]] || ours[$pid]=$name
done

# alive PID says whether there is such a process. A zombie has no arguments, and
# neither has a kernel thread: these have low numbers, as lessons in another PID
# namespace do.
alive() { { read -rN1 _ <"/proc/$1/cmdline"; } 2>/dev/null; }

# somebody prints one of our live processes. Most names do not say whose a thing is:
# it may belong to that process.
somebody() {
  local pid
  for pid in "${!ours[@]}"; do
    if alive "$pid"; then
      echo "process $pid, ${ours[$pid]}, may need it"
      return
    fi
  done
}

# remove_unless_used WHAT NAME COMMAND... removes it if no process of ours is alive.
remove_unless_used() {
  local who
  who=$(somebody)
  if [[ -n $who ]]; then keep "$1" "$2" "$who"; else remove "$@"; fi
}

# === Processes ===

# end_process PID ends it, unless it ends by itself, as most do whose script is gone.
# It has to be gone before its cgroups and devices are looked at.
end_process() {
  kill -KILL "$1" 2>/dev/null || ! alive "$1" || return
  soon not alive "$1"
}

remove_process() {
  remove "process $1," "$(ps -o args= -p "$1")" end_process "$1"
  unset "ours[$1]"
}

# What a script starts has NSL_SCRIPT=PID in its environment (lib/env.sh). When
# process PID is gone, they should be gone, too. The variables of each process are read
# NUL by NUL: what one process says cannot be about another.
for directory in /proc/[0-9]*; do
  pid=${directory#/proc/} owner=''
  { mapfile -d '' -t variables <"$directory/environ"; } 2>/dev/null || continue
  for variable in "${variables[@]}"; do
    [[ ! $variable =~ ^NSL_SCRIPT=([0-9]+)$ ]] || owner=${BASH_REMATCH[1]}
  done
  [[ -n $owner && $pid -ne $$ ]] || continue
  # In another PID namespace, the number means another process.
  [[ $directory/ns/pid -ef /proc/$$/ns/pid ]] || continue
  if alive "$pid" && ! alive "$owner"; then remove_process "$pid"; fi
done

# A subshell is a copy of its script, from before that mark was set: it was forked but
# has not executed anything, and its parent should be the script or another
# subshell. See flags in proc_pid_stat(5), and PF_FORKNOEXEC of Linux.
more=yes
while [[ -n $more ]]; do
  more=''
  for pid in "${!ours[@]}"; do
    read_stat "$pid" || continue
    if [[ ${ours[$pid]} == *.sh && -z ${ours[${stat[1]}]:-} ]] &&
      ((stat[6] & 0x40)) && alive "$pid"; then
      remove_process "$pid"
      more=yes
    fi
  done
done

# === Cgroups ===

# user_of_cgroup DIR PID prints who uses it: the process with that PID, or a lesson
# that has it in a PID namespace of its own; or the parent of a process in it, if
# it is a lesson. A process in our own PID namespace is not in a container: then
# the cgroup is not ours.
user_of_cgroup() {
  local member parent name
  if alive "$2"; then
    echo "process $2"
    return
  fi
  for member in "${!ours[@]}"; do
    if [[ $(sed -n 's/^NSpid://p' "/proc/$member/status" 2>/dev/null)$'\t' == *$'\t'$2$'\t'* ]]; then
      echo "process $member"
      return
    fi
  done
  while read -r member; do
    parent=$(sed -n 's/^PPid:\t//p' "/proc/$member/status" 2>/dev/null) ||
      continue
    name_of "$parent"
    if [[ -n $name ]]; then
      echo "process $member"
      return
    elif [[ /proc/$member/ns/pid -ef /proc/$$/ns/pid ]]; then
      echo 'looks like ours, left alone'
      return
    fi
  done < <(find "$1" -name cgroup.procs -exec cat {} +)
}

# remove_cgroup DIR kills the processes that are still in it: their parent, the
# lesson, is gone.
remove_cgroup() {
  local tries member
  for ((tries = 0; tries < 100; tries++)); do
    find "$1" -name cgroup.procs -exec cat {} + | while read -r member; do
      kill -KILL "$member" 2>/dev/null || true
    done
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -e $1 ]] || return 0
    sleep 0.02 # until they are gone
  done
  [[ ! -e $1 ]] || rmdir "$1" # says why not
}

find_cgroup_mounts
for ((i = 2; i < ${#cgroup_mounts[@]}; i += 3)); do
  while IFS= read -r -d '' dir; do
    [[ ${dir##*/} =~ ^nsl-([0-9]+)-[0-9]+$ ]] || {
      alike cgroup "$dir"
      continue
    }
    who=$(user_of_cgroup "$dir" "${BASH_REMATCH[1]}")
    if ! is_own "$dir"; then
      keep cgroup "$dir" "another user's"
    elif [[ -n $who ]]; then
      keep cgroup "$dir" "$who"
    else
      remove cgroup "$dir" remove_cgroup "$dir"
    fi
  done < <(find "${cgroup_mounts[i]}" -type d -name 'nsl-*' -print0 -prune 2>/dev/null)
done

# === The network ===

# delete_link NAME deletes it, unless it goes by itself, as a killed lesson's does.
delete_link() { ip link delete "$1" 2>/dev/null || ! ip link show "$1" 2>/dev/null; }

# is_our_link NAME: a lesson's end of a veth pair is nslN, and has the address
# 10.200.x.y that goes with N (05-net/net.go). scripts/05-net.sh and exercise 05-1 make the
# others: exactly these names, of these kinds.
is_our_link() {
  local n kind
  kind=$(ip -d -o link show "$1" | grep -oE ' (veth|bridge|dummy) ' | head -n 1)
  case $1:${kind// /} in
  nslbr:bridge | nslbr0:bridge | nslwan:veth | nslwan:dummy) return ;;
  nsl[0-9]*:veth)
    n=${1#nsl}
    [[ $n =~ ^(0|[1-9][0-9]{0,4})$ && $n -lt 16384 ]] || return 1
    [[ $(ip -o -4 address show "$1") == *" 10.200.$((n >> 6)).$(((n << 2 & 255) + 1))/30 "* ]]
    ;;
  *) return 1 ;;
  esac
}

# is_orphan PID says whether it is process 1 of a PID namespace without a lesson as
# its parent.
is_orphan() {
  local parent name
  [[ $(sed -n 's/^NSpid:.*\t//p' "/proc/$1/status") == 1 ]] || return 1
  [[ ! /proc/$1/ns/pid -ef /proc/$$/ns/pid ]] || return 1
  parent=$(sed -n 's/^PPid:\t//p' "/proc/$1/status")
  name_of "$parent"
  [[ -z $name ]]
}

if command -v ip >/dev/null; then
  while read -r name; do
    [[ $name =~ ^nsl(wan|net|[0-9]+)$ ]] || {
      alike 'network namespace' "$name"
      continue
    }
    read -r who < <(ip netns pids "$name") || true
    if [[ -n $who ]]; then
      keep 'network namespace' "$name" "process $who is in it"
    else
      remove_unless_used 'network namespace' "$name" ip netns delete "$name"
    fi
  done < <(ip netns list | awk '/^nsl/ { print $1 }')

  while read -r name netns_id; do
    who=''
    is_our_link "$name" 2>/dev/null || {
      # Or it went with its peer.
      ! ip link show "$name" &>/dev/null || alike 'network device' "$name"
      continue
    }
    if [[ -n $netns_id ]]; then
      who=$(lsns -n -t net -o NETNSID,PID 2>/dev/null |
        awk -v id="$netns_id" '$1 == id { print $2 }' | head -n 1)
    fi
    if [[ -z $who ]]; then
      remove_unless_used 'network device' "$name" delete_link "$name"
    elif is_orphan "$who"; then # its launcher is gone: it ends, and so does this
      remove_process "$who"
    else
      keep 'network device' "$name" "process $who is at its other end"
    fi
  done < <(ip -o link show | sed -n \
    's/^[0-9]*: \(nsl[^:@]*\)[:@]\(.* link-netnsid \([0-9]*\)\)\{0,1\}.*/\1 \3/p')
fi
if command -v nft >/dev/null; then
  while read -r _ family name; do
    [[ $name =~ ^nsl(nat|fwd|filter)$ ]] || {
      alike 'nftables table' "$family $name"
      continue
    }
    remove_unless_used 'nftables table' "$family $name" \
      nft delete table "$family" "$name"
  done < <(nft list tables 2>/dev/null | grep ' nsl')
fi

# === Files ===

# mounts_below DIR prints what is mounted there, as in mountinfo, innermost first.
mounts_below() { awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }

shopt -s nullglob
while IFS= read -r -d '' dir; do
  if [[ ! ${dir##*/} =~ ^nsl\.(0[A-Za-z0-9]{6}|(test|texts|doctor)-[0-9]+)$ ]] || ! is_own "$dir"; then
    alike 'scratch directory' "$dir"
    continue
  fi
  who=$(somebody)
  if [[ -n $who ]]; then
    keep 'scratch directory' "$dir" "$who"
    continue
  fi
  while read -r point; do
    unescape point "$point"
    remove mount "$point" umount "$point"
  done < <(mounts_below "$dir")
  [[ -n $dry || -z $(mounts_below "$dir") ]] || continue # rm would go through them
  remove 'scratch directory' "$dir" rm -rf --one-file-system -- "$dir"
done < <(find -H /tmp /var/tmp -maxdepth 1 -type d -name 'nsl.*' -print0 2>/dev/null)
# A build that a killed script started leaves its directory. This name is its only
# mark: so it stays while its owner runs any go(1), or a process that is in it.
while IFS= read -r -d '' dir; do
  is_own "$dir" || continue
  if pgrep -x -U "$(stat -c %u -- "$dir")" 'go|compile|link' >/dev/null ||
    [[ -n $(find /proc/[0-9]*/{cwd,exe,fd} -lname "$dir/*" -print -quit 2>/dev/null) ]]; then
    continue
  fi
  remove 'directory of a build' "$dir" rm -rf --one-file-system -- "$dir"
done < <(find -H /tmp -maxdepth 1 -type d -name 'go-build[0-9]*' -print0 2>/dev/null)
# A machine that runs, or is being made, holds a lock on its directory.
if [[ -n $cache && -d $cache ]] && is_own "$cache"; then
  who=''
  for dir in "$cache"/run.*; do
    flock --nonblock "$dir" true || who='a sandbox.sh runs'
  done
  if [[ -n $who ]]; then
    keep 'the cache' "$cache" "$who"
  else
    remove 'the cache' "$cache" rm -rf --one-file-system -- "$cache"
  fi
fi
for file in /dev/mqueue/nsl* /dev/shm/nsl*; do
  if [[ ${file##*/} =~ ^nsl(-(letters|note)|\.0[A-Za-z0-9]{6})$ ]] && is_own "$file"; then
    remove_unless_used file "$file" rm -- "$file"
  else
    alike file "$file"
  fi
done

# === Users ===

# delete_user NAME deletes it quietly: userdel complains about each missing thing.
delete_user() { userdel --remove "$1" 2>/dev/null || ! id "$1" 2>/dev/null; }

while IFS=: read -r name _; do
  [[ $name == nsl-test ]] || {
    alike user "$name"
    continue
  }
  remove_unless_used user "$name" delete_user "$name"
done < <(grep '^nsl-' /etc/passwd)

show_kept
[[ -n $found ]] || echo 'Nothing is left over.'
if [[ -n $failed ]]; then
  [[ $EUID -eq 0 ]] || echo "Some of it is not yours to remove: sudo $0" >&2
  exit 1
fi
