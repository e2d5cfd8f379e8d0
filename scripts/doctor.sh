#!/usr/bin/env bash
# doctor.sh says which lessons run on this machine, why the others do not, and
# what to type.
#
# Usage: scripts/doctor.sh [NN | --json]
#
#   NN       that lesson alone: one line if it runs, else why not and what to type
#   --json   all of it as one JSON object, to collect from many machines
#
# It runs each lesson that is built, in a mount namespace that is thrown away;
# for those that are not, it tries what they need: as you, and as root if you are
# root or sudo asks for no password. It never asks for one. It needs no Go, and
# changes nothing. Its status is 0 if the lesson runs in some way, or all of them
# do, 1 otherwise.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
# Without /proc, not even bash can do all that follows.
if [[ ! -e /proc/self/exe ]]; then
  echo '/proc is not mounted, or shows another PID namespace'
  echo "  $([[ $EUID -eq 0 ]] || echo 'sudo ')mount -t proc proc /proc"
  exit 1
fi
# Nor with less than 7 files.
if ! "$BASH" -c 'true 6</proc/self/status' 2>&-; then
  echo 'a limit on open files is reached: ulimit -n'
  for fix in 'ulimit -S -n 1024' 'ulimit -n 1024'; do
    ! (eval "$fix") 2>&- || { echo "  $fix" && exit 1; }
  done
  echo '  raise it, as limits.conf(5) says, and log in again'
  exit 1
fi
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
source "$lib/cgroup.sh"
source "$lib/why.sh"
answer_help "$@"
export LC_ALL=C # messages are matched below

json='' only=''
case ${1:-} in
--json) json=yes ;;
'') ;;
*) only=$(full_name "$1") || misused "unknown argument: $1" ;;
esac

need_processes
read_limits

# === Who tries it ===

try=$repo/scripts/lib/doctor-try.sh
declare -A result=() # of WHO.NAME, with WHO user or root
whos=()              # those who have tried: you first
declare -A as=()     # the command that does something as that WHO

# collect WHO COMMAND... lets this script try things, run by that command.
collect() {
  local who=$1
  whos+=("$who")
  as[$who]=${*:2}
  run_try "$who" "$who" --lessons "${lessons[@]}"
}

# examine WHO finds out what explains that a lesson does not run. Where the
# cgroup is not ours to divide, systemd may make one that is.
examine() {
  local scope="timeout 20 systemd-run --scope --quiet -p Delegate=yes"
  [[ -z ${result[$1.is.CapEff]:-} ]] || return 0
  run_try "$1" "$1" --facts
  [[ -n ${result[$1.is.CapEff]:-} ]] || die "$try does not run" "bash -x $try"
  [[ ${result[$1.is.chroot]} == no ]] || chroot=yes
  [[ $1 == root ]] || scope+=' --user'
  [[ ! -d /run/systemd/system || -z $(lacking "$1.cgroup") ]] ||
    run_try "$1.scope" "$1" --cgroup "$scope"
}

# try_namespaces WHO tries what the lessons do, one by one.
try_namespaces() {
  [[ -n ${result[$1.pid]:-} ]] || run_try "$1" "$1" --namespaces
}

# run_try PREFIX WHO [ARGUMENT...] reads results. What follows --cgroup is a
# command that runs it.
run_try() {
  local prefix=$1 command=() name answer
  read -ra command <<<"${as[$2]}"
  shift 2
  if [[ ${1:-} == --cgroup ]]; then
    # shellcheck disable=SC2206 # words without spaces in them
    command+=($2)
    set -- --cgroup
  fi
  while IFS=$'\t' read -r name answer; do
    [[ -z $name ]] || result[$prefix.$name]=$answer
  done < <("${command[@]}" "$BASH" "$try" "$@" 2>/dev/null)
}

# lacking PREFIX prints the controllers that did not work.
lacking() {
  local controller list=''
  for controller in memory pids cpu; do
    [[ ${result[$1.$controller]:-} == ok ]] || list+=" $controller"
  done
  echo "${list# }"
}

# What makes you root, or why nothing was tried as root.
become='' no_root=''
try_sudo() {
  local answer
  if grep -q '^NoNewPrivs:.*1' /proc/self/status; then
    no_root='no_new_privs is set: no program makes you root, see prctl(2)'
    return
  fi
  for become in sudo doas su ''; do
    [[ -z $become ]] || ! command -v $become >/dev/null || break
  done
  case $become in
  sudo | doas)
    # They all know -n, and each has its own words for a password.
    if answer=$($become -n true 2>&1); then
      no_root=''
    elif [[ $answer =~ [Pp]assword|[Aa]uthentica ]]; then
      no_root="$become, not tried: it asks for a password"
      # sudo asks those for one, too, who may not use it. To them, -v says so.
      if [[ $become == sudo ]] && ! answer=$(sudo -n -v 2>&1) &&
        [[ ! $answer =~ [Pp]assword|[Aa]uthentica ]]; then
        no_root="${answer%%$'\n'*}" become=su
      fi
    else
      no_root="${answer%%$'\n'*}" become=su
    fi
    ;;
  *) no_root='there is no sudo' ;;
  esac
}

# root_line LINE prints how you type that to do it as root.
root_line() {
  case $become in
  '') echo "$([[ $EUID -eq 0 ]] || echo 'as root: ')$1" ;;
  su) echo "su -c '$1'" ;;
  *) echo "$become $1" ;;
  esac
}

# === The lessons ===

# needs[LESSON] is what it needs, by the names of what is tried if it is not built.
# From lesson 06 on, everything is done in a user namespace.
declare -A needs=()
lessons=()
while IFS=$'\t' read -r lesson names _; do
  [[ -z $only || $only == "$lesson" ]] || continue
  lessons+=("$lesson")
  names=" ${names//,/ } "
  names=${names/ mnt / mnt proc } names=${names/ ipc / ipc mqueue }
  names=${names/ net / net lo }
  if [[ $names == *' user '* ]]; then
    names=${names/ user / map } names="user${names// / user.}"
    names=${names%user.}
  fi
  ! isolates "$lesson" root || names+='user.sysfs user.devpts user.pivot'
  needs[$lesson]=$names
done < <(rows lessons)

# first_bad WHO LESSON prints the first thing it needs that did not work.
first_bad() {
  local name
  for name in ${needs[$2]}; do
    # What was not tried, because a tool is missing, may work.
    [[ ${result[$1.$name]:-ok} == ok ]] || {
      echo "$name"
      return
    }
  done
}

# === This machine ===

# sysctl_value KEY prints it, or - where this kernel has none.
sysctl_value() { cat "/proc/sys/${1//.//}" 2>/dev/null || echo -; }

# mount_points PATTERN prints where file systems are mounted.
mount_points() {
  awk -v pattern="$1" '$5 ~ pattern { print $5 }' /proc/self/mountinfo
}

kernel=$(uname -r)
# old_kernel says whether it is older than what lessons 07 and 08 call.
old_kernel() {
  [[ $kernel =~ ^([0-9]+)\.([0-9]+) ]] &&
    ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 5012))
}
wsl=no
case $kernel in
*-Microsoft) wsl=1 ;;
*microsoft*) wsl=2 ;;
esac

# look_around finds out, once, what else may explain that a lesson does not run.
container='' hidden='' hidden_sys='' noexec='' chroot=no
look_around() {
  local numbers
  [[ -z $container ]] || return 0
  # Such a file may come from the image that a machine was made of. But a container
  # has namespaces other than those of the boot, whose numbers are constants: see
  # <linux/proc_ns.h> of the kernel.
  container=no
  if [[ -e /.dockerenv ]]; then
    container=docker
  elif [[ -e /run/.containerenv ]]; then
    container=podman
  elif [[ -e /run/systemd/container ]] ||
    grep -Eqs 'docker|containerd|kubepods|lxc' /proc/1/cgroup; then
    container=yes
  fi
  numbers=$(readlink /proc/self/ns/{pid,uts,ipc,user,cgroup} | tr -dc '0-9\n' | xargs)
  [[ $numbers != '4026531836 4026531838 4026531839 4026531837 4026531835' ]] ||
    container=no

  # binfmt_misc is mounted over an empty directory, which hides nothing.
  hidden=$(mount_points '^/proc/' | grep -v '/sys/fs/binfmt_misc' |
    sort -u | xargs) || hidden=''
  hidden_sys=$(mount_points '^/sys/' | grep -Ev \
    '^/sys/(fs/(cgroup|bpf|pstore|selinux|fuse)|kernel/(security|debug|tracing|config)|firmware/efi)' |
    sort -u | xargs) || hidden_sys=''

  # Whether programs may be executed here. The kernel's error is the same for a file
  # that is not executable and for a file system mounted noexec.
  noexec=$(findmnt --noheadings --output OPTIONS --target "$repo" 2>/dev/null |
    grep -ow noexec | head -n 1) || noexec=''
}

# === Whether each lesson runs ===

# guess WHO LESSON sets the result of a lesson that is not built, by what it needs.
guess() {
  local bad why flags=''
  [[ ! -e $repo/bin/$2 && -z ${result[$1.lesson.$2]:-} ]] || return 0
  look_around
  examine "$1"
  try_namespaces "$1"
  bad=$(first_bad "$1" "$2")
  if isolates "$2" root && old_kernel; then
    bad=mount_setattr result[$1.$bad]='Function not implemented'
  fi
  if [[ -n $bad ]]; then
    result[$1.said.$2]="$bad: ${result[$1.$bad]}"
    [[ ${result[$1.$bad]} != 'not tried: '* ]] || result[$1.said.$2]=${result[$1.$bad]}
    result[$1.lesson.$2]=${result[$1.said.$2]}
    return
  fi
  if isolates "$2" net; then
    why=${result[$1.host_net]:-ok}
    [[ $why != ok ]] || why=${result[$1.veth]:-ok}
    # From lesson 06 on they do so by themselves, if a veth pair is not permitted.
    ! isolates "$2" user || [[ $why != *'not permitted'* ]] || why=ok
    [[ $why == ok ]] || result[$1.said.$2]="veth: $why" flags=' -net=lo'
  fi
  if isolates "$2" cgroup; then
    [[ -n $(lacking "$1.scope.cgroup") ]] || result[$1.scope.lesson.$2]="ok$flags"
    bad=$(lacking "$1.cgroup")
    if [[ -n $bad ]]; then
      result[$1.said.$2]="cgroup: ${result[$1.cgroup.${bad%% *}]}"
      [[ ${result[$1.said.$2]} != 'cgroup: no controller'* ]] ||
        result[$1.said.$2]=${result[$1.said.$2]#cgroup: }
      if [[ $bad == 'memory pids cpu' ]]; then
        result[$1.lesson.$2]="make a cgroup: ${result[$1.cgroup.memory]}"
        result[$1.said.$2]=${result[$1.lesson.$2]}
        return
      fi
      bad=" -${bad// / max -} max"
      flags="${bad/cpu/cpus}$flags"
    fi
  fi
  result[$1.lesson.$2]="ok$flags"
}

# runs WHO says whether the lesson runs as WHO. It sets flags, with which, and
# scope, the command that gives it a cgroup of its own.
runs() {
  flags=${result[$1.lesson.$lesson]:-} scope=''
  [[ ${flags/ -net=lo/} == ok ]] || ! isolates "$lesson" cgroup || examine "$1" # for a scope
  if [[ ${flags/ -net=lo/} != ok && ${result[$1.scope.lesson.$lesson]:-} == ok* ]]; then
    flags=${result[$1.scope.lesson.$lesson]}
    scope='systemd-run --scope -p Delegate=yes '
    [[ $1 == root ]] || scope='systemd-run --user --scope -p Delegate=yes '
  fi
  [[ $flags == ok* ]] || return 1
  flags=${flags#ok}
}

# why WHO explains what the lesson said as WHO.
why() {
  look_around
  examine "$1"
  local said=${result[$1.said.$lesson]:-}
  explain "$1" "${said#"$lesson: "}"
}

# judge LESSON sets status, reason and fix. Where it runs as it is, fix is empty.
judge() {
  local lesson=$1 who flags scope root_helps=no namespaces
  status='not here' reason='' fix=''
  namespaces=$(rows lessons | awk -F '\t' -v lesson="$lesson" \
    '$1 == lesson { gsub(",", " ", $2); print $2 }')

  if [[ $wsl == 1 ]]; then
    reason='WSL 1 does not have a Linux kernel'
    fix='in Windows: wsl --set-version DISTRIBUTION 2'
    return
  fi

  for who in "${whos[@]}"; do
    guess "$who" "$lesson"
    runs "$who" || continue
    status=ready
    # With a user namespace, it is interesting why you need root.
    [[ $who == "$me" ]] || ! isolates "$lesson" user || why "$me"
    fix=''
    if [[ -n $scope ]]; then
      reason='in a cgroup of its own' fix="${scope}bin/$lesson$flags"
    elif [[ -n $flags ]]; then
      why "$who"
      [[ $flags != *-net=lo || $reason == *'no veth pair'* ]] ||
        reason="no veth pair to the host: $reason"
      [[ $fix == scripts/* || $fix == *--privileged* || $fix == *"bin/$lesson"* ]] ||
        reason+=". To change that: $fix. To run without:"
      fix="bin/$lesson$flags"
    fi
    if [[ $who == root && -n $become ]]; then
      status="ready with $become" fix="$become ${fix:-bin/$lesson}"
    elif [[ -z $fix && ! -d /dev/mqueue ]] && isolates "$lesson" ipc && ! isolates "$lesson" root; then
      reason='there is no /dev/mqueue to show POSIX queues in'
      fix=$(root_line 'mkdir /dev/mqueue')
    fi
    return 0
  done

  # Nobody can: say why the most privileged user who has tried cannot.
  why "${whos[-1]}"
  if [[ -n $no_root && $root_helps == yes ]]; then
    reason+=" ($no_root)"
    [[ $no_root != *'not tried'* ]] || status='not tried' fix="$become -v"
    [[ $become != doas || $status != 'not tried' ]] || fix='doas true'
  fi
}

# === Try it ===

if [[ $EUID -eq 0 ]]; then
  if [[ -n ${SUDO_UID:-} ]]; then
    become=sudo
    # shellcheck disable=SC2153 # sudo sets both
    collect user setpriv "--reuid=$SUDO_UID" "--regid=$SUDO_GID" \
      --clear-groups env "XDG_RUNTIME_DIR=/run/user/$SUDO_UID"
  fi
  collect root env
else
  collect user env
  if [[ -z $only || ${result[user.lesson.$only]:-} != ok ]]; then
    try_sudo
    [[ -n $no_root ]] || collect root $become -n
  fi
fi
me=${whos[0]}

# === One lesson ===

if [[ -n $only ]]; then
  judge "$only"
  if [[ ! -e $repo/bin/$only ]]; then
    status='not built' fix=${go_off_path:+"$go_off_path && "}$build
    command -v go >/dev/null || reason='there is no Go' fix='see go.dev/doc/install'
  fi
  if [[ $status$fix == ready && ! -d rootfs ]] && isolates "$only" root; then
    reason='in the directory of rootfs' fix="cd '$repo'"
  fi
  [[ $status != 'ready with '* || -n $reason ]] || status+=": $fix" fix=''
  echo "$only: $status${reason:+: $reason}${fix:+$(printf '\n  %s' "$fix")}"
  case $status in
  ready*) exit 0 ;;
  *) exit 1 ;;
  esac
fi

# === All of them ===

look_around
for who in "${whos[@]}"; do examine "$who" && try_namespaces "$who"; done
statuses=() reasons=() fixes=()
all_ready=true
for lesson in "${lessons[@]}"; do
  judge "$lesson"
  statuses+=("$status") reasons+=("$reason") fixes+=("$fix")
  [[ $status == ready* ]] || all_ready=false
done

propagation=$(awk '$5 == "/" { p = "private"
  for (i = 7; $i != "-"; i++) if ($i ~ /^shared/) p = "shared"
  } END { print p ? p : "unknown" }' /proc/self/mountinfo)
hidepid=$(sed -n 's/.* - proc .*\(hidepid=[a-z0-9]*\).*/\1/p' \
  /proc/self/mountinfo | tail -n 1)
hidepid=${hidepid:-hidepid=no}

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

forward=${result[${whos[-1]}.is.forward]} input=${result[${whos[-1]}.is.input]}
reach=${result[${whos[-1]}.is.reach]} table=''
[[ $reach != no ]] || table=$(ip -4 route get 10.200.255.254 2>/dev/null | grep -o 'table [^ ]*') || true
bridge_filter=$(sysctl_value net.bridge.bridge-nf-call-iptables)

# greedy_file prints the file of systemd-networkd, if there is one, that takes
# all devices, and so the address from the veth pair of lesson 05. The first one
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

# The Go that is there, without running it: it would write statistics.
go=$(command -v go) && go=$(readlink -f "$go") &&
  go=$(head -n 1 "${go%/bin/go}/VERSION" 2>/dev/null) || go=${go:+unknown}
go_wanted=$(sed -n 's/^go //p' "$repo/go.mod" 2>/dev/null) || go_wanted=1.22

# === What stops no lesson, but is good to know ===

notes=() note_fixes=()
note() {
  notes+=("$1") note_fixes+=("$2")
}

[[ " ${statuses[*]}" != *'not here'* ]] ||
  note 'A throw-away virtual machine runs all lessons, without root.' \
    scripts/sandbox.sh
[[ -z $no_root ]] ||
  note "Nothing was tried as root: ${no_root%.}. With root it sees more." \
    "$(root_line "$0")"
# As on a server for a class: root of one's own namespaces is enough for the others.
for i in "${!lessons[@]}"; do
  isolates "${lessons[i]}" user || continue
  [[ -z $no_root || $no_root == *'not tried'* || ${statuses[i]} != ready ]] ||
    note "You are not root here: begin with ${lessons[i]}, and do the lessons before it inside, without sudo." \
      "bin/${lessons[i]} -net=lo"
  break
done
if [[ ! -x $repo/bin/08-cgroups ]]; then
  if [[ -z $go ]]; then
    note "There is no Go to build the lessons with: get $go_wanted or newer." \
      'see go.dev/doc/install'
  else
    note 'The lessons are not built yet.' "$build"
  fi
fi
[[ -z $go_off_path ]] ||
  note 'Go is not on your PATH: what you type does not find it.' "$go_off_path"
if [[ $go =~ ^go1\.([0-9]+) ]] &&
  [[ ${BASH_REMATCH[1]} -lt ${go_wanted#1.} ]]; then
  note "$go is too old to build the lessons: get $go_wanted or newer." \
    'see go.dev/doc/install'
fi
[[ -d $repo/rootfs ]] ||
  note 'Lessons 07 and 08 need a root filesystem.' scripts/rootfs.sh
for i in "${!short_reasons[@]}"; do note "${short_reasons[i]}" "${short_fixes[i]}"; done
[[ $(stat -c %A "$repo/scripts/doctor.sh") == *x* ]] ||
  note 'The scripts are not executable.' 'chmod a+x scripts/*.sh'
missing=()
while read -r need kind _; do
  [[ ! $kind =~ ^(tour|demo|net)$ ]] || have "$need" || missing+=("$need")
done < <(rows lib/packages)
[[ ${#missing[@]} -eq 0 ]] ||
  note "The scripts also need: ${missing[*]}" "$(install_line "${missing[@]}")"
# accept_line CHAIN POLICY prints what lets packets from the veth pairs through.
accept_line() {
  if [[ $2 == drop ]]; then
    root_line "iptables -I $1 -i nsl+ -j ACCEPT"
  else
    root_line "nft insert rule ${2#drop } iifname nsl\\* accept"
  fi
}
[[ $forward != drop* ]] ||
  note "The host drops what containers send each other (${forward/drop/FORWARD})." \
    "$(accept_line FORWARD "$forward")"
if [[ $input == drop* && $reach != yes ]]; then
  note "The host drops most of what containers send to it (${input/drop/INPUT})." \
    "$(accept_line INPUT "$input")"
elif [[ -n $table ]]; then
  note "Answers of the host do not reach containers: a rule sends them to routing $table, see ip rule." \
    "$(root_line 'ip rule add to 10.200.0.0/16 lookup main priority 100')"
elif [[ $reach == no && $(sysctl_value net.ipv4.icmp_echo_ignore_all) == 1 ]]; then
  note 'The host answers no ping: net.ipv4.icmp_echo_ignore_all=1.' \
    "$(sysctl_line net.ipv4.icmp_echo_ignore_all=0)"
elif [[ $reach == no ]]; then
  note "Containers get no answer from the host: something drops it." "$(root_line 'nft list ruleset')"
fi
[[ $forward != drop* || $bridge_filter != 1 ]] ||
  note 'It also drops what they send across a bridge (br_netfilter).' \
    "$(sysctl_line net.bridge.bridge-nf-call-iptables=0)"
[[ -z $greedy ]] ||
  note "systemd-networkd takes the address from the veth pair of lesson 05: $greedy matches it." \
    "printf '[Match]\nName=nsl*\n[Link]\nUnmanaged=yes\n' |
    ${become:+$become }tee /etc/systemd/network/10-nsl.network && ${become:+$become }networkctl reload"
[[ $hidepid =~ =(no|0|off)$ ]] ||
  note "/proc has $hidepid: ps shows you only your own processes." \
    'use sudo where a script looks at processes'
[[ -d /dev/mqueue ]] ||
  note 'There is no /dev/mqueue to show POSIX queues in (lesson 04).' \
    "$(root_line 'mkdir /dev/mqueue')"
if left=$(bash "$repo/scripts/cleanup.sh" --dry-run 2>/dev/null) &&
  grep -q '^would remove' <<<"$left"; then
  note "Things that lessons or scripts left behind: $(grep -c '^would remove' <<<"$left")." \
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
    is.* | said.*) ;;
    *:ok*) good=$((good + 1)) ;;
    *) list+=", $name" ;;
    esac
  done < <(printf '%s\n' "${!result[@]}" | grep "^$1\." | sort)
  echo "$good work${list:+, these do not: ${list#, }}"
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

machine=(
  kernel "$kernel $(uname -m), ${distribution:-unknown}; WSL $wsl; systemd $systemd"
  you "euid $EUID, CapEff ${result[$me.is.CapEff]}, CapBnd ${result[$me.is.CapBnd]}, \
Seccomp ${result[$me.is.Seccomp]}, NoNewPrivs ${result[$me.is.NoNewPrivs]}; terminal $terminal"
  inside "container $container, chroot $chroot, AppArmor ${result[$me.is.AppArmor]}"
  limits "namespaces ${limits//_namespaces:/ }, unprivileged_userns_clone \
$(sysctl_value kernel.unprivileged_userns_clone), \
apparmor_restrict_unprivileged_userns \
$(sysctl_value kernel.apparmor_restrict_unprivileged_userns)"
  mounts "/ $propagation; covered in /proc: ${hidden:-nothing}; $hidepid; \
programs run from here: $([[ -n $noexec ]] && echo no || echo yes)"
  cgroups "$cgroup_mode; lesson 08: $place; swap $swap"
  network "FORWARD $forward; INPUT $input; br_netfilter $bridge_filter; \
systemd-networkd $networkd"
  tools "util-linux $util_linux; Go ${go:-none}, go.mod $go_wanted; \
missing: ${missing[*]:-none}"
  'as user' "$(failures user)"
  'as root' "$(failures root)"
)

# === The report ===

# json_string TEXT
json_string() {
  local text cleaned
  clean_text "${1//[$'\n\t']/ }" 2000
  text=${cleaned//\\/\\\\}
  text=${text//\"/\\\"}
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
  printf '],\n"machine": %s,\n' "$(json_object "${machine[@]}")"
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
    [[ ${statuses[i]} == ready* ]] || colour=$red
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
  for ((i = 0; i < ${#machine[@]}; i += 2)); do
    printf '  %-9s' "${machine[i]}"
    beside 11 "${machine[i + 1]}"
  done
}

if [[ -n $json ]]; then print_json; else print_text; fi
$all_ready
