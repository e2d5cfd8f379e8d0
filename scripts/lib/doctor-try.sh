#!/usr/bin/env bash
# doctor-try.sh tries what the lessons do, and the lessons themselves, each in a
# child that is thrown away, and prints how it went: a name, a tab, and "ok" or
# what went wrong. doctor.sh runs it, as you and as root, and draws the conclusions.
#
# Usage: scripts/lib/doctor-try.sh --lessons NN-NAME... | --namespaces | --facts | --cgroup
#
#   --lessons     these, if they are built
#   --namespaces  what they do, but for the cgroup
#   --facts       who tries it, and the controllers of lesson 08
#   --cgroup      lesson 08, and its controllers

set -euo pipefail
source "${BASH_SOURCE[0]%/*}/all.sh"
source "$lib/cgroup.sh"
export LC_ALL=C # doctor.sh knows the messages in English

# --- The lessons ---

# A throw-away mount namespace protects the host from what root's lessons might do
# wrong. Whoever may not make one does not need it.
away=()
if [[ $EUID -eq 0 ]] && unshare --mount true 2>/dev/null; then
  away=(unshare --mount)
fi

# try_lesson NAME runs it, if it is built: first as it is, then without what this
# machine does not allow. It prints the flags with which it ran, or what it said. It keeps
# the message of the first attempt: that says why flags are needed.
try_lesson() {
  local lesson=$1 line attempt said='' root='' answer status max='' attempts=('')
  [[ -e $repo/bin/$lesson ]] || return 0
  ! isolates "$lesson" root || root=$repo/rootfs
  ! isolates "$lesson" net || attempts+=('-net=lo')
  for ((attempt = 0; attempt < ${#attempts[@]}; attempt++)); do
    status=0
    # shellcheck disable=SC2086 # flags without spaces in them
    answer=$(timeout 20 "${away[@]}" "$repo/bin/$lesson" ${attempts[attempt]} \
      ${root:+-rootfs "$root"} true 2>&1 >/dev/null </dev/null) || status=$?
    [[ $status -ne 0 ]] || break
    line=$(grep "^$lesson: " <<<"$answer" | grep -Ev ': no (veth without root|/dev/mqueue)' |
      tail -n 1) || true
    line=${line:-${answer%%$'\n'*}}
    [[ -n $said ]] || said="${line:-ended with status $status, and did not say why}"
    [[ $attempt -ne 1 ]] || ! isolates "$lesson" cgroup || max=$(without "$said")
    [[ -z $max ]] || attempts+=("$max" "$max -net=lo")
    max=''
  done
  [[ -z $said ]] || printf 'said.%s\t%s\n' "$lesson" "$said"
  [[ $status -ne 0 ]] || said="ok ${attempts[attempt]}"
  printf 'lesson.%s\t%s\n' "$lesson" "${said% }"
}

# without SAID prints the flags that leave out the limits which this machine cannot
# set, if it can set others.
without() {
  local controller flags=''
  for controller in memory pids cpu; do
    if ! (try_limit $controller) >/dev/null 2>&1; then
      flags+=" -$controller max"
    elif [[ $controller == cpu && $1 == *cpu*'invalid argument' ]]; then
      flags+=' -cpu max' # a cgroup above has less
    fi
  done
  flags=${flags/cpu/cpus}
  [[ $flags == *memory*pids*cpus* ]] || echo "${flags# }"
}

# --- What they do, one by one ---

# try NAME COMMAND... runs the command in a child.
try() {
  local name=$1 answer
  shift
  if ! command -v "$1" >/dev/null; then
    answer="not tried: no $1"
  elif answer=$("$@" 2>&1 >/dev/null </dev/null); then
    answer=ok
  fi
  printf '%s\t%s\n' "$name" "${answer%%$'\n'*}"
}

# try_namespaces does what the lessons do, but for the cgroup. unshare makes
# a new mount namespace private: no mount in here reaches the host. -n keeps
# mount from making /run/mount there.
try_namespaces() {
  local root=(unshare --map-root-user) dir=$repo/scripts pivot=pivot_root
  local new="mount -n --rbind '$dir' '$dir' && cd '$dir'"
  local mount_overlay='mount -n -t tmpfs tmpfs /tmp && cd /tmp &&
    mkdir lower upper work new &&
    mount -n -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none new'

  try pid unshare --pid --fork true
  try mnt unshare --mount true
  try proc unshare --pid --fork --mount mount -n -t proc proc /proc
  try uts unshare --uts true
  try ipc unshare --ipc true
  try mqueue unshare --ipc --mount mount -n -t mqueue mqueue /tmp
  try net unshare --net true
  try overlay unshare --mount sh -c "$mount_overlay"

  # A user namespace without and with a map, and with each of the others.
  try user unshare --user true
  try user.map "${root[@]}" true
  try user.pid "${root[@]}" --pid --fork true
  try user.mnt "${root[@]}" --mount mount -n -t tmpfs tmpfs /tmp
  try user.proc "${root[@]}" --mount --pid --fork mount -n -t proc proc /proc
  try user.uts "${root[@]}" --uts true
  try user.ipc "${root[@]}" --ipc true
  try user.mqueue "${root[@]}" --ipc --mount mount -n -t mqueue mqueue /tmp
  try user.net "${root[@]}" --net true
  try user.sysfs "${root[@]}" --net --mount mount -n -t sysfs sysfs /sys
  try user.devpts "${root[@]}" --mount \
    mount -n -t devpts -o newinstance devpts /tmp
  try user.overlay "${root[@]}" --mount sh -c "$mount_overlay"
  try user.cgroup "${root[@]}" --cgroup true
  ! grep -q '^0::' <(head -n 1 /proc/self/cgroup) || # cgroup v2 alone
    try user.cgroup "${root[@]}" --cgroup --mount mount -n -t cgroup2 none /tmp

  # By sudo, a lesson's root inside is you outside, and so has a way into your
  # home. The root that unshare makes here has none if it is closed to others.
  [[ $EUID -ne 0 || -z ${SUDO_UID:-} ]] ||
    new='mount -n -t tmpfs tmpfs /tmp && cd /tmp'
  # If a tool is missing we cannot try this, but a lesson may still do it.
  command -v pivot_root >/dev/null || pivot='busybox pivot_root'
  ! command -v "${pivot%% *}" >/dev/null ||
    try user.pivot "${root[@]}" --mount sh -c "$new && $pivot . ."
  command -v ip >/dev/null || return 0
  try lo unshare --net ip link set lo up
  try veth unshare --net ip link add nsl0 type veth peer name nsl1
  try user.lo "${root[@]}" --net ip link set lo up
  try host_net may_change_network
}

# may_change_network asks to delete a route that does not exist. Whoever may change
# this network namespace gets "no such"; whoever may not, "not permitted".
may_change_network() {
  local answer
  answer=$(ip route del 10.200.255.254/32 table 10200 2>&1) || true
  [[ $answer != *'not permitted'* ]] || {
    echo "$answer" >&2
    return 1
  }
}

# cgroup_place CONTROLLER prints v1 or v2, and the directory in which lesson
# 08 makes its cgroup: on v1 our own, on v2 the one above it.
cgroup_place() {
  local own
  find_cgroups /proc/self/cgroup
  if [[ -n ${cgroup_dir[$1]:-} ]]; then
    echo "v1 ${cgroup_dir[$1]}"
  elif [[ -n ${cgroup_dir[v2]:-} ]]; then
    own=${cgroup_dir[v2]}
    [[ $own == "${cgroup_top[v2]}" ]] || own=${own%/*}
    echo "v2 $own"
  else
    echo 'no cgroup file system is mounted' >&2
    return 1
  fi
}

# try_limit CONTROLLER makes a cgroup, writes a limit, lets a child in, and
# removes the cgroup. It ends the subshell that it runs in.
try_limit() {
  local kind place new limit=$1.max none=max procs=cgroup.procs
  place=$(cgroup_place "$1") || exit 1
  kind=${place%% *} place=${place#* }
  if [[ $kind == v1 ]]; then
    procs=tasks
    case $1 in
    memory) limit=memory.limit_in_bytes none=-1 ;;
    cpu) limit=cpu.cfs_quota_us none=-1 ;;
    esac
  fi
  new=$place/nsl-$BASHPID-doctor # cleanup.sh knows this mark
  mkdir "$new" || exit 1
  # shellcheck disable=SC2064 # the name as it is now
  trap "rmdir '$new'" EXIT
  [[ -e $new/$limit ]] || {
    echo "no controller $1: $place/cgroup.subtree_control" >&2
    exit 1
  }
  echo "$none" >"$new/$limit" || exit 1
  sh -c 'echo $$ >"$1"' sh "$new/$procs" || exit 1
}

# policy HOOK prints what happens to packets from device to device (forward) or to
# the host (input), and for drop, which nft table and chain says so.
policy() {
  local found=''
  if command -v nft >/dev/null; then
    found=$(nft list chains 2>/dev/null | awk -v hook="hook $1.*policy drop" '
      $1 == "table" { table = $2 " " $3 }
      $1 == "chain" { chain = $2 }
      $0 ~ hook { found = "drop " table " " chain }
      END { print found }') || found='unknown, not root'
  elif ! command -v iptables >/dev/null; then
    found='unknown, no nft'
  fi
  # Where no such table is, iptables would make one.
  if [[ $found != drop* ]] && command -v iptables >/dev/null &&
    grep -qs '^filter' /proc/net/ip_tables_names &&
    [[ $(iptables -S "${1^^}" 2>/dev/null) == "-P ${1^^} DROP"* ]]; then
    found=drop
  fi
  echo "${found:-accept}"
}

# reaches_host prints whether a container of lesson 05 gets an answer from the host. The
# first packet may be lost: the link is up a moment after both ends are.
reaches_host() {
  local answer=''
  if [[ $EUID -eq 0 && -x $repo/bin/05-net ]]; then
    answer=$("${away[@]}" timeout 5 "$repo/bin/05-net" sh -c '
      gateway=$(ip route | sed -n "s/^default via \([^ ]*\) .*/\1/p")
      if busybox ping -c 1 -W 3 "$gateway" >&2; then echo yes; else echo no; fi' \
      2>/dev/null </dev/null) || true
  fi
  echo "${answer:-unknown}"
}

# facts prints what the kernel says of the process that tries.
facts() {
  local chroot=no place profile
  awk -v OFS='\t' '/^(CapEff|CapBnd|Seccomp|NoNewPrivs):/ {
    print "is." substr($1, 1, length($1) - 1), $2 }' /proc/self/status
  # A chroot is mostly a directory on which nothing is mounted.
  grep -q '^[^ ]* [^ ]* [^ ]* [^ ]* / ' /proc/self/mountinfo || chroot=yes
  [[ ! -e /proc/1/root/. || /proc/1/root/. -ef /. ]] || chroot=yes
  place=$(cgroup_place memory 2>&1) || true
  profile=$(cat /proc/self/attr/apparmor/current 2>/dev/null) || profile=none
  printf 'is.%s\t%s\n' chroot "$chroot" forward "$(policy forward)" input "$(policy input)" \
    reach "$(reaches_host)" \
    cgroup "$place" AppArmor "$profile"
}

case ${1:-} in
--lessons)
  for lesson in "${@:2}"; do try_lesson "$lesson"; done
  exit
  ;;
--namespaces) try_namespaces && exit ;;
--cgroup) try_lesson 08-cgroups ;;
--facts) facts ;;
*) misused "unknown argument: $1" ;;
esac
for controller in memory pids cpu; do
  try "cgroup.$controller" try_limit "$controller"
done
