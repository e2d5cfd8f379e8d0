#!/usr/bin/env bash
# doctor.sh tells which lessons can run on this machine, why another cannot,
# and the line that mends it.
#
# Usage: scripts/doctor.sh [--json]
#
#   --json   the same as one JSON object, to collect from many machines
#
# It tries each thing in a child that is thrown away: as you, and as root if
# you are root or sudo asks for no password. It never asks for one. It needs
# no Go, and changes nothing. Its status is 0 if all lessons can run in some
# way, 1 otherwise.

set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export LC_ALL=C # messages are matched below

json=''
case ${1:-} in
--json) json=yes ;;
'') ;;
*) misused "unknown argument: $1" ;;
esac

need_processes

# === Who tries it ===

try=$repo/scripts/doctor-try.sh
declare -A result=() # of WHO.NAME, with WHO user or root
whos=()              # those who have tried: you first

# collect WHO COMMAND... lets this script try things, run by that command.
# Where the cgroup is not ours to divide, systemd may make one that is.
collect() {
  local who=$1 scope=(timeout 2 systemd-run --scope --quiet)
  shift
  read_results "$who" < <("$@" "$BASH" "$try" 2>/dev/null)
  [[ -n ${result[$who.is.CapEff]:-} ]] || return 0
  whos+=("$who")
  [[ $who == root ]] || scope+=(--user)
  [[ ! -d /run/systemd/system || -z $(lacking "$who.cgroup") ]] ||
    read_results "$who" < <("$@" "${scope[@]}" -p Delegate=yes \
      "$BASH" "$try" --cgroup scope 2>/dev/null)
}

read_results() {
  local name answer
  while IFS=$'\t' read -r name answer; do
    [[ -z $name ]] || result[$1.$name]=$answer
  done
}

# lacking PREFIX prints the controllers that did not work.
lacking() {
  local controller list=''
  for controller in memory pids cpu; do
    [[ ${result[$1.$controller]:-} == ok ]] || list+=" $controller"
  done
  echo "${list# }"
}

sudo=''    # what it takes you to be root: '', sudo or su
no_root='' # why nothing was tried as root
if [[ $EUID -eq 0 ]]; then
  if [[ -n ${SUDO_UID:-} ]]; then
    sudo=sudo
    # shellcheck disable=SC2153 # sudo sets both
    collect user setpriv "--reuid=$SUDO_UID" "--regid=$SUDO_GID" \
      --clear-groups env "XDG_RUNTIME_DIR=/run/user/$SUDO_UID"
  fi
  collect root env
else
  sudo=su
  collect user env
  if ! command -v sudo >/dev/null; then
    no_root='there is no sudo'
  elif no_root=$(sudo -n true 2>&1); then
    sudo=sudo no_root=''
    collect root sudo -n
  elif [[ $no_root == *password* ]]; then
    sudo=sudo no_root='sudo asks for a password'
  else
    no_root=${no_root%%$'\n'*}
  fi
fi
[[ ${#whos[@]} -gt 0 ]] || die "$try does not run" "bash -x $try"
me=${whos[0]}

# === The machine ===

# sysctl_value KEY prints it, or - where this kernel has none.
sysctl_value() { cat "/proc/sys/${1//.//}" 2>/dev/null || echo -; }

# mount_points PATTERN prints where file systems are mounted.
mount_points() {
  awk -v pattern="$1" '$5 ~ pattern { print $5 }' /proc/self/mountinfo
}

kernel=$(uname -r)
wsl=no
case $kernel in
*-Microsoft) wsl=1 ;;
*microsoft*) wsl=2 ;;
esac

container=${container:-no}
if [[ -e /.dockerenv ]]; then
  container=docker
elif [[ -e /run/.containerenv ]]; then
  container=podman
elif grep -Eqs 'docker|containerd|kubepods|lxc' /proc/1/cgroup; then
  container=yes
fi

chroot=no
for who in "${whos[@]}"; do
  [[ ${result[$who.is.chroot]} == no ]] || chroot=yes
done

# binfmt_misc is mounted over an empty directory, which hides nothing.
hidden=$(mount_points '^/proc/' | grep -v '/sys/fs/binfmt_misc' |
  sort -u | xargs) || hidden=''
propagation=$(awk '$5 == "/" { p = "private"
  for (i = 7; $i != "-"; i++) if ($i ~ /^shared/) p = "shared"
  } END { print p ? p : "unknown" }' /proc/self/mountinfo)
hidepid=$(sed -n 's/.* - proc .*\(hidepid=[a-z0-9]*\).*/\1/p' \
  /proc/self/mountinfo | tail -n 1)
hidepid=${hidepid:-hidepid=no}

# Whether programs in this directory may be run: try one.
can_exec=yes
"$repo/scripts/doctor.sh" -h >/dev/null 2>&1 || can_exec=no
[[ ! -x $repo/bin/01-pid ]] || "$repo/bin/01-pid" -h >/dev/null 2>&1 ||
  can_exec=no

cgroup_mode=$(awk '/ - cgroup / { v1 = 1 } / - cgroup2 / { v2 = 1 }
  END { print v1 && v2 ? "hybrid" : v1 ? "v1" : v2 ? "v2" : "none" }' \
  /proc/self/mountinfo)
place=unknown
for who in "${whos[@]}"; do place=${result[$who.is.cgroup]}; done
if [[ $place == v2* ]]; then
  dir=${place#v2 }
  place+=", controllers $(<"$dir/cgroup.controllers")"
  place+=", enabled below $(<"$dir/cgroup.subtree_control")"
fi
swap=$(awk '/^SwapTotal/ { print $2 " " $3 }' /proc/meminfo)

forward=unknown
for who in "${whos[@]}"; do forward=${result[$who.is.forward]}; done
bridge_filter=$(sysctl_value net.bridge.bridge-nf-call-iptables)

# greedy_file prints the file of systemd-networkd, if there is one, that takes
# all devices, and so the address from the cable of lesson 05. The first one
# that matches counts: see systemd.network(5).
greedy_file() {
  local file line lines pattern matches
  while read -r file; do
    mapfile -t lines < <(sed -n \
      '/^\[Match\]/,/^\[[^M]/s/^\([A-Za-z]*\) *= */\1=/p' "$file")
    matches=${lines:+yes}
    for line in "${lines[@]}"; do
      case $line in
      Name=*)
        matches=''
        for pattern in ${line#*=}; do
          # shellcheck disable=SC2053 # a pattern
          [[ nsl1 != $pattern ]] || matches=yes
        done
        ;;
      Type=*) [[ " ${line#*=} " == *' ether '* ]] || matches='' ;;
      *) matches='' ;; # of one device, or of a kind
      esac
      [[ -n $matches ]] || continue 2
    done
    [[ -n $matches ]] || continue
    grep -Eqi '^Unmanaged *= *(yes|true|on|1)' "$file" || echo "$file"
    return
  done < <(find /{etc,run,usr/local/lib,usr/lib}/systemd/network \
    -name '*.network' -printf '%f %p\n' 2>/dev/null | sort | cut -d ' ' -f 2-)
}
networkd=no greedy=''
[[ ! -e /run/systemd/netif/state ]] || networkd=yes greedy=$(set -f && greedy_file)

# number ADDRESS prints an IPv4 address as a number.
number() {
  local a b c d
  IFS=. read -r a b c d <<<"$1"
  echo $((a << 24 | b << 16 | c << 8 | d))
}

# free_subnet prints a /30 of 10.200.0.0/16 that overlaps no address and no
# route, as lesson 05 looks for one (05-net/veth.go).
free_subnet() {
  local prefix bits first i n from=() to=()
  while read -r prefix; do
    bits=${prefix#*/}
    [[ $prefix == */* ]] || bits=32
    [[ $bits -gt 0 ]] || continue
    first=$(($(number "${prefix%/*}") & (0xffffffff << (32 - bits))))
    from+=("$first") to+=($((first + (1 << (32 - bits)) - 1)))
  done < <({ ip -4 -o address && ip -4 route; } |
    grep -Eo '(^|inet |^[a-z]+ )[0-9]+(\.[0-9]+){3}(/[0-9]+)?' |
    sed 's/.* //' | sort -u)
  for ((n = 0; n < 1 << 14; n++)); do
    first=$(((10 << 24 | 200 << 16) + 4 * n))
    for i in "${!from[@]}"; do
      [[ $first -gt ${to[i]} || $((first + 3)) -lt ${from[i]} ]] || continue 2
    done
    echo "10.200.$((n >> 6)).$((n * 4 & 255))/30"
    return
  done
  echo none
}
subnet=unknown
! command -v ip >/dev/null || subnet=$(free_subnet)

# The Go that is there, without running it: it would write statistics.
go=$(command -v go) && go=$(readlink -f "$go") &&
  go=$(head -n 1 "${go%/bin/go}/VERSION" 2>/dev/null) || go=${go:+unknown}
go_wanted=$(sed -n 's/^go //p' "$repo/go.mod" 2>/dev/null) || go_wanted=1.22

# === The lessons ===

# needs[LESSON] is what it needs, by the names of what was tried. From lesson
# 06 on, all is done in a user namespace.
declare -A needs=()
lessons=()
while IFS=$'\t' read -r lesson names _; do
  lessons+=("$lesson")
  names=" ${names//,/ } "
  names=${names/ mnt / mnt proc } names=${names/ ipc / ipc mqueue }
  names=${names/ net / net lo }
  if [[ $names == *' user '* ]]; then
    names=${names/ user / map } names="user${names// / user.}"
    names=${names%user.}
  fi
  case $lesson in
  07* | 08*) names+='user.sysfs user.devpts user.pivot' ;;
  esac
  needs[$lesson]=$names
done < <(rows lessons)

# first_bad WHO LESSON prints the first thing it needs that did not work.
first_bad() {
  local name
  for name in ${needs[$2]}; do
    # What was not tried, for want of a tool, may work.
    [[ ${result[$1.$name]:-ok} == ok ]] || {
      echo "$name"
      return
    }
  done
}

# has_cap WHO SET BIT tells whether a set of capabilities has one.
has_cap() { (((0x${result[$1.is.$2]} >> $3) & 1)); }
sys_admin=21 net_admin=12 # see <linux/capability.h>

privileged='start the container with --privileged'

# explain WHO NAME says why that did not work for the lesson of judge. It sets reason, fix,
# and root_helps. The lessons' own hints say the same (exit.go, user.go).
explain() {
  local who=$1 name=$2 answer=${result[$1.$2]} key
  reason="$name: $answer" fix="scripts/sandbox.sh bin/$lesson" root_helps=no
  case $answer in
  'not tried: no '*)
    reason="cannot try, there is no ${answer##* }"
    fix=$(install_line "${answer##* }")
    ;;
  *'No space left'*) # this is not about disks
    reason='a limit on namespaces is reached, or they are nested 32 deep'
    fix='grep . /proc/sys/user/max_*_namespaces'
    for key in user pid mnt uts ipc net cgroup; do
      key=user.max_${key}_namespaces
      [[ $(sysctl_value $key) != 0 ]] || {
        reason="$key=0 ($fix)" fix="sudo sysctl $key=10000"
        break
      }
    done
    ;;
  *'Invalid argument'*)
    if [[ $name == user.pivot ]]; then
      reason='pivot_root: / is an initramfs, or the inside of a chroot'
    else
      reason="this kernel lacks a namespace ($name): ls /proc/self/ns"
    fi
    ;;
  *'not permitted'* | *denied* | *'only root'* | *superuser*)
    if [[ $name == user* ]]; then
      explain_user_namespace "$who" "$name"
    elif [[ $who == user ]] && has_cap user CapBnd $sys_admin; then
      reason='needs root' fix="sudo bin/$lesson" root_helps=yes
    elif ! has_cap "$who" CapBnd $sys_admin; then
      reason='root lacks CAP_SYS_ADMIN here, as in a container' fix=$privileged
    elif [[ $name == lo ]] && ! has_cap "$who" CapBnd $net_admin; then
      reason='root lacks CAP_NET_ADMIN here, as in a container' fix=$privileged
    elif [[ ${result[$who.is.Seccomp]} == 2 ]]; then
      reason="a seccomp filter forbids it ($name), as in a container"
      fix=$privileged
    elif ! explain_profile "$who" "$name"; then
      reason="root may not do all here, as in a container ($name: $answer)"
      fix=$privileged
    fi
    ;;
  esac
}

# explain_profile WHO NAME does so for AppArmor, if that confines who has tried.
explain_profile() {
  local profile=${result[$1.is.AppArmor]}
  [[ $profile == *' (enforce)' ]] || return 1
  profile=${profile% (enforce)}
  reason="AppArmor's profile $profile confines this shell ($2: ${result[$1.$2]})"
  fix=$privileged
  [[ $container != no ]] ||
    fix="echo -n '$profile' | sudo tee /sys/kernel/security/apparmor/.remove"
}

# explain_user_namespace WHO NAME does so for a user namespace that the
# kernel does not allow.
explain_user_namespace() {
  local key value bad
  for key in kernel.apparmor_restrict_unprivileged_userns=1 \
    kernel.unprivileged_userns_clone=0; do
    bad=${key#*=} key=${key%=*}
    value=$(sysctl_value "$key")
    [[ $1 == root || $value != "$bad" ]] || {
      reason="this machine has $key=$value; sudo sysctl $key=$((1 - bad))"
      reason+=' changes that until the next boot'
      fix="sudo bin/$lesson" root_helps=yes
      return
    }
  done
  fix=$privileged
  if [[ $chroot == yes ]]; then
    reason='no user namespace is made in a chroot: leave it'
    fix="scripts/sandbox.sh bin/$lesson"
  elif [[ $2 == user.proc && -n $hidden ]]; then
    reason="a new /proc would show what is covered here: $hidden"
    fix+=' (podman: --security-opt unmask=ALL)'
  elif [[ ${result[$1.is.Seccomp]} == 2 ]]; then
    reason="a seccomp filter forbids it ($2), as in a container"
  elif ! explain_profile "$1" "$2"; then
    reason="forbidden, as in a container ($2: ${result[$1.$2]})"
  fi
}

# explain_cgroup WHO does so for the first controller that did not work.
explain_cgroup() {
  local bad answer top
  bad=$(lacking "$1.cgroup") answer=${result[$1.cgroup.${bad%% *}]}
  top=${answer##* } # the directory, or cgroup.subtree_control in it
  reason="cgroup: $answer" fix="scripts/sandbox.sh bin/08-cgroups"
  root_helps=yes
  case $answer in
  *'no cgroup file system'*)
    fix='sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup'
    ;;
  *'Read-only'*) reason='the cgroups are read-only' fix=$privileged ;;
  'no controller '*)
    reason="no controller ${bad// /, } in $top"
    bad=+${bad// / +}
    ! grep -qw "${bad##*+}" "${top%/*}/cgroup.controllers" 2>/dev/null ||
      fix="echo $bad | sudo tee $top"
    ;;
  *denied*)
    [[ $1 == root ]] || {
      reason='this cgroup is not yours to divide' fix='sudo bin/08-cgroups'
    }
    ;;
  esac
}

# ready WHO sets the status: WHO can run the lesson, by the line in fix.
ready() {
  status=ready
  [[ $1 == user || -z $sudo ]] || {
    status='ready with sudo' fix="sudo ${fix:-bin/$lesson}"
  }
}

# without_cable WHO says so where lesson 05 or a later one has to do without.
without_cable() {
  local why=${result[$1.cable]:-ok}
  [[ $why != ok ]] || why=${result[$1.veth]:-ok}
  # From lesson 06 on they do so by themselves, if a cable is not permitted.
  [[ $lesson == 05* || $why != *'not permitted'* ]] || why=ok
  [[ $subnet != none ]] || why='no /30 of 10.200.0.0/16 is free'
  [[ $why != ok ]] || return 0
  reason+="${reason:+, }no cable to the host: $why"
  fix="${fix:-bin/$lesson} -net=lo"
}

# explain_any WHO says why the lesson, of judge, does not run.
explain_any() {
  local bad
  bad=$(first_bad "$1" "$lesson")
  if [[ -n $bad ]]; then
    explain "$1" "$bad"
  else
    explain_cgroup "$1"
  fi
}

# judge LESSON sets status, reason and fix.
judge() {
  local lesson=$1 who bad root_helps=no
  status='' reason='' fix=''

  if [[ $wsl == 1 ]]; then
    status='not here' reason='WSL 1 is no Linux kernel'
    fix='in Windows: wsl --set-version DISTRIBUTION 2'
  elif [[ ! $kernel =~ ^([0-9]+)\.([0-9]+) ]] ||
    ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 5011)); then
    status='not here' reason="Linux $kernel, the lessons need 5.11"
    fix="scripts/sandbox.sh bin/$lesson"
  elif [[ $can_exec == no ]]; then
    status='not here' reason="no program in $repo can be run: noexec?"
    fix="cp -r '$repo' ~/namespaces && cd ~/namespaces"
  fi
  [[ -z $status ]] || return 0

  for who in "${whos[@]}"; do
    [[ -z $(first_bad "$who" "$lesson") ]] || continue
    # From lesson 06 on it is of interest why you need root.
    [[ $who == "$me" || $lesson == 0[1-5]* ]] || explain_any "$me"
    fix=''
    if [[ $lesson == 08* && -n $(lacking "$who.cgroup") ]]; then
      [[ -z $(lacking "$who.scope") ]] || continue
      reason='in a cgroup of its own'
      fix="systemd-run --scope -p Delegate=yes bin/$lesson"
      [[ $who == root ]] || fix=${fix/run /run --user }
    fi
    ready "$who"
    [[ $lesson == 0[1-4]* ]] || without_cable "$who"
    return 0
  done

  # Nobody can: say why, for the mightiest who has tried.
  who=${whos[-1]}
  status='not here'
  explain_any "$who"
  bad=$(lacking "$who.cgroup")
  if [[ -z $(first_bad "$who" "$lesson") && $bad != 'memory pids cpu' ]]; then
    # A limit that does bite is better than none.
    [[ $fix != echo* ]] || reason+=", for that: $fix. Or without:"
    bad="-${bad// / max -} max"
    fix="bin/$lesson ${bad/cpu/cpus}"
    ready "$who"
  fi
  [[ -n $no_root && $root_helps == yes && $status == 'not here' ]] || return 0
  reason+=" ($no_root)"
  case $sudo in
  sudo) status='ready with sudo' ;;
  su) fix="su -c bin/$lesson" ;;
  esac
}

statuses=() reasons=() fixes=()
all_ready=true
for lesson in "${lessons[@]}"; do
  judge "$lesson"
  statuses+=("$status") reasons+=("$reason") fixes+=("$fix")
  [[ $status != 'not here' ]] || all_ready=false
done

# === What keeps no lesson from running, but is good to know ===

notes=() note_fixes=()
note() {
  notes+=("$1") note_fixes+=("$2")
}

$all_ready || note 'A throw-away virtual machine runs all lessons, without root.' \
  scripts/sandbox.sh
[[ -z $no_root ]] ||
  note "Nothing was tried as root, $no_root. With root it sees more." \
    "$([[ $sudo == su ]] && echo "su -c '$0'" || echo "sudo $0")"
if [[ ! -x $repo/bin/08-cgroups ]]; then
  if [[ -z $go ]]; then
    note "There is no Go to build the lessons with: get $go_wanted or newer." \
      'see go.dev/doc/install'
  else
    note 'The lessons are not built yet.' 'go build -o bin/ ./0*'
  fi
fi
if [[ $go =~ ^go1\.([0-9]+) ]] &&
  [[ ${BASH_REMATCH[1]} -lt ${go_wanted#1.} ]]; then
  note "$go is too old to build the lessons: get $go_wanted or newer." \
    'see go.dev/doc/install'
fi
[[ -d $repo/rootfs ]] ||
  note 'Lessons 07 and 08 want a root filesystem.' scripts/rootfs.sh
# What is too little for Go: its runtime reserves much, and uses little of it.
while read -r line; do
  case $line in
  'Max open files '*) option=-n least=32 line_of_file='nofile 1024' ;;
  'Max address space '*) option=-v least=$((2 << 30)) line_of_file='as unlimited' ;;
  'Max data size '*) option=-d least=$((256 << 20)) line_of_file='data unlimited' ;;
  'Max file size '*) option=-f least=$((64 << 20)) line_of_file='fsize unlimited' ;;
  *) continue ;;
  esac
  [[ $line =~ ^(Max.*[a-z])\ +([0-9]+)\ +([0-9]+|unlimited)\  ]] || continue
  [[ ${BASH_REMATCH[2]} -lt $least ]] || continue
  reason="${BASH_REMATCH[1]} is ${BASH_REMATCH[2]} (ulimit $option), Go needs $least."
  if [[ ${BASH_REMATCH[3]} == unlimited || ${BASH_REMATCH[3]} -ge $least ]]; then
    note "$reason" "ulimit -S $option \$(ulimit -H $option)"
  else
    note "$reason Log in again after this, see limits.conf(5)." \
      "echo '${USER:-*} - $line_of_file' | sudo tee -a /etc/security/limits.conf"
  fi
done </proc/self/limits
missing=()
while read -r need kind _; do
  [[ ! $kind =~ ^(tour|demo|net)$ ]] || have "$need" || missing+=("$need")
done < <(rows packages)
[[ ${#missing[@]} -eq 0 ]] ||
  note "The scripts also need: ${missing[*]}" "$(install_line "${missing[@]}")"
[[ $forward != drop* ]] ||
  note "The host drops what containers send each other (${forward/drop/FORWARD})." \
    "$(if [[ $forward == drop ]]; then
      echo "sudo iptables -I FORWARD -i 'nsl+' -j ACCEPT"
    else
      echo "sudo nft insert rule ${forward#drop } 'iifname \"nsl*\" accept'"
    fi)"
[[ $forward != drop* || $bridge_filter != 1 ]] ||
  note 'So it does on a bridge (br_netfilter).' \
    'sudo sysctl net.bridge.bridge-nf-call-iptables=0'
[[ -z $greedy ]] ||
  note "systemd-networkd takes the address from the cable of lesson 05: $greedy matches it." \
    "printf '[Match]\nName=nsl*\n[Link]\nUnmanaged=yes\n' |
    sudo tee /etc/systemd/network/10-nsl.network && sudo networkctl reload"
[[ $hidepid =~ =(no|0|off)$ ]] ||
  note "/proc has $hidepid: ps shows you only what is yours." \
    'use sudo where a script looks at processes'
[[ -d /dev/mqueue ]] ||
  note 'There is no /dev/mqueue to show POSIX queues in (lesson 04).' \
    'sudo mkdir /dev/mqueue'
if left=$("$repo/scripts/cleanup.sh" --dry-run 2>/dev/null) &&
  grep -q '^would remove' <<<"$left"; then
  note "Something is left over: $(grep -c '^would remove' <<<"$left") in all." \
    'scripts/cleanup.sh --dry-run'
fi

# === The machine, to paste into a bug report ===

# failures WHO prints what did not work.
failures() {
  local name list='' good=0 key
  [[ " ${whos[*]} " == *" $1 "* ]] || {
    echo "not tried${no_root:+, $no_root}"
    return
  }
  while read -r key; do
    name=${key#"$1".}
    case $name:${result[$key]} in
    is.*) ;;
    *:ok) good=$((good + 1)) ;;
    *) list+=", $name" ;;
    esac
  done < <(printf '%s\n' "${!result[@]}" | grep "^$1\." | sort)
  echo "$good work${list:+, these do not: ${list#, }}"
}

# masks WHO... prints what the kernel says about who has tried.
masks() {
  printf 'CapEff %s, CapBnd %s, Seccomp %s, NoNewPrivs %s' \
    "${result[$1.is.CapEff]}" "${result[$1.is.CapBnd]}" \
    "${result[$1.is.Seccomp]}" "${result[$1.is.NoNewPrivs]}"
}

distribution=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}") || true
systemd=no
[[ ! -d /run/systemd/system ]] || systemd=yes
terminal=no
[[ ! -t 0 ]] || terminal=yes
util_linux=$(lsns --version 2>/dev/null | grep -o '[0-9.]*$') ||
  util_linux=unknown
limits=$(grep -E '^[0-9]{1,3}$' /proc/sys/user/max_*_namespaces |
  sed 's/.*max_//' | xargs) || limits=enough

labels=(kernel you inside limits mounts cgroups network tools
  'as user' 'as root')
values=(
  "$kernel $(uname -m), ${distribution:-unknown}; WSL $wsl; systemd $systemd"
  "euid $EUID, $(masks "$me"); terminal $terminal"
  "container $container, chroot $chroot, AppArmor ${result[$me.is.AppArmor]}"
  "namespaces ${limits//_namespaces:/ }, unprivileged_userns_clone \
$(sysctl_value kernel.unprivileged_userns_clone), \
apparmor_restrict_unprivileged_userns \
$(sysctl_value kernel.apparmor_restrict_unprivileged_userns)"
  "/ $propagation; covered in /proc: ${hidden:-nothing}; $hidepid; \
programs run from here: $can_exec"
  "$cgroup_mode; lesson 08: $place; swap $swap"
  "FORWARD $forward; br_netfilter $bridge_filter; free $subnet; \
systemd-networkd $networkd"
  "util-linux $util_linux; Go ${go:-none}, go.mod $go_wanted; \
missing: ${missing[*]:-none}"
  "$(failures user)"
  "$(failures root)"
)

# === The report ===

# json_string TEXT
json_string() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"} text=${text//[[:cntrl:]]/ }
  printf '"%s"' "$text"
}

# json_object NAME VALUE... prints an object of strings.
json_object() {
  local comma=''
  printf '{'
  while [[ $# -gt 0 ]]; do
    printf '%s%s: %s' "$comma" "$(json_string "$1")" "$(json_string "$2")"
    comma=', '
    shift 2
  done
  printf '}'
}

print_json() {
  local i comma='' pairs=()
  printf '{"ready": %s, "lessons": [' "$all_ready"
  for i in "${!lessons[@]}"; do
    printf '%s\n  ' "$comma"
    comma=,
    json_object lesson "${lessons[i]}" status "${statuses[i]}" \
      reason "${reasons[i]}" fix "${fixes[i]}"
  done
  printf '],\n"notes": ['
  comma=''
  for i in "${!notes[@]}"; do
    printf '%s\n  ' "$comma"
    comma=,
    json_object note "${notes[i]}" fix "${note_fixes[i]}"
  done
  for i in "${!labels[@]}"; do pairs+=("${labels[i]}" "${values[i]}"); done
  printf '],\n"machine": %s,\n' "$(json_object "${pairs[@]}")"
  pairs=()
  while read -r i; do
    pairs+=("$i" "${result[$i]}")
  done < <(printf '%s\n' "${!result[@]}" | sort)
  printf '"tried": %s}\n' "$(json_object "${pairs[@]}")"
}

# beside COLUMN TEXT prints text in lines that fit the terminal, the first of
# them where the cursor is, the others from that column on.
beside() {
  local line first=yes
  while IFS= read -r line; do
    [[ -n $first ]] || printf '%*s' "$1" ''
    printf '%s\n' "${line% }"
    first=''
  done < <(fold -s -w $((width - $1)) <<<"$2")
}

print_text() {
  local i colour indent
  find_width
  for i in "${!lessons[@]}"; do
    colour=$green
    [[ ${statuses[i]} != 'not here' ]] || colour=$red
    printf '%-15s%s' "${lessons[i]}" "$colour${statuses[i]}$plain"
    indent=$((17 - ${#statuses[i]}))
    if [[ -n ${reasons[i]} ]]; then
      printf '%*s' "$indent" ''
      beside 32 "${reasons[i]}"
      indent=32
    fi
    # A line to be typed is not broken in two.
    [[ -z ${reasons[i]} || ${#fixes[i]} -le $((width - 32)) ]] || indent=4
    [[ -z ${fixes[i]} ]] || printf '%*s%s' "$indent" '' "$bold${fixes[i]}$plain"
    [[ -n ${reasons[i]} && -z ${fixes[i]} ]] || echo
  done
  [[ ${#notes[@]} -eq 0 ]] || echo
  for i in "${!notes[@]}"; do
    beside 0 "${notes[i]}"
    say "    ${note_fixes[i]}"
  done
  printf '\nThe machine, to paste into a bug report:\n'
  for i in "${!labels[@]}"; do
    printf '  %-9s' "${labels[i]}"
    beside 11 "${values[i]}"
  done
}

if [[ -n $json ]]; then print_json; else print_text; fi
$all_ready
