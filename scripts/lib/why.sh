# why.sh says why a lesson does not run here, and what to type. It is sourced, by
# doctor.sh, which has tried things: result[WHO.NAME] is how they went.
# shellcheck disable=SC2034,SC2154 # what goes back and forth between the two

build='CGO_ENABLED=0 go build -o bin/ ./0*'

# explain WHO TEXT finds out why a lesson failed: TEXT is what it said, or what it
# needs. It sets reason, fix, and root_helps.
explain() {
  local who=$1 text=${2,,}
  reason=$2 fix="scripts/sandbox.sh bin/$lesson" root_helps=no
  ! explain_program "$text" || return 0
  ! explain_rootfs "$text" || return 0
  case $text in
  'not tried: no '*)
    reason="this was not tried: there is no ${text##* }"
    fix=$(install_line "${text##* }")
    ;;
  *'mount "cgroup2"'* | *newcgroup* | *user.cgroup*) explain_errno "$who" "$text" ;;
  *'make a cgroup'* | */sys/fs/cgroup* | *nsl-* | *'cgroup file system'* | *'no cgroup controller'* | 'no controller'*)
    explain_cgroup "$who" "$text"
    ;;
  *) explain_errno "$who" "$text" ;;
  esac
}

# explain_errno WHO TEXT goes by the error of the system call that failed.
explain_errno() {
  local answer=$reason type
  case $2 in
  gomemlimit=*) reason="Go does not accept this as a size: $answer" fix='unset GOMEMLIMIT' ;;
  'mount "'*'no space left'*)
    reason="the limit fs.mount-max=$(sysctl_value fs.mount-max) is reached"
    fix=$(sysctl_line fs.mount-max=1000000)
    ;;
  *'no space left'*) explain_limit "$1" ;;
  *keyring*'quota exceeded'*)
    type=kernel.keys.
    [[ $1 != root ]] || type+=root_
    reason="you have as many keys as ${type}maxkeys and maxbytes allow"
    fix=$(sysctl_line "${type}maxkeys=1000000 ${type}maxbytes=25000000")
    ;;
  *'resource temporarily unavailable'* | *'os thread'* | *errno=11*)
    explain_processes || true
    ;;
  *'too many open files'* | *'cannot allocate'* | *'failed to reserve'* | *'out of memory'*)
    [[ ${#short_reasons[@]} -eq 0 ]] ||
      reason=${short_reasons[0]} fix=${short_fixes[0]}
    ;;
  *'no such device'*) reason="this kernel has no such file system, see /proc/filesystems: $answer" ;;
  *veth*'not supported'*)
    reason='this kernel has no veth devices' fix=$(root_line 'modprobe veth')
    if [[ ! -d /lib/modules/$kernel ]]; then
      reason+=', and there is no /lib/modules/'$kernel': it was updated' fix=$(root_line reboot)
    fi
    ;;
  *'not implemented'*)
    reason="this kernel does not have that system call: $answer"
    if old_kernel; then
      reason="Linux $kernel does not have that system call, Linux 5.12 does: $answer"
      return
    elif [[ ${result[$1.is.Seccomp]} == 2 ]]; then
      reason="a seccomp filter blocks this: $answer"
    fi
    elsewhere
    ;;
  *'read-only file system'*)
    if [[ $2 != */proc/sys* ]]; then
      explain_mount user.proc || true
    else
      reason='/proc/sys is read-only' fix=$(root_line 'mount -o remount,bind,rw /proc/sys')
      elsewhere
    fi
    ;;
  *pivot*'invalid argument'*)
    reason='pivot_root: / is an initramfs, or the inside of a chroot'
    ;;
  *'invalid argument'*)
    for type in $namespaces; do
      [[ -e /proc/self/ns/$type ]] ||
        reason="this kernel has no $type namespaces: ls /proc/self/ns"
    done
    ;;
  *'not permitted'* | *denied* | *'only root'* | *superuser*)
    explain_permission "$1" "$2" "$answer"
    ;;
  esac
}

# elsewhere sets fix to what gives more rights.
privileged='start the container with --privileged'
elsewhere() { [[ $container == no ]] || fix=$privileged; }

# sysctl_line KEY=VALUE... prints the line that sets them.
sysctl_line() {
  if [[ -n $(findmnt -n -O ro /proc/sys) ]]; then
    echo "$privileged"
  elif command -v sysctl >/dev/null; then
    root_line "sysctl $*"
  else
    root_line "busybox sysctl $*"
  fi
}

# explain_program TEXT is about a program that cannot be started at all.
explain_program() {
  local file=$repo/bin/$lesson kind
  if [[ -e $file && ! -r $file ]]; then
    reason="you may not read bin/$lesson" fix=$(root_line 'chmod a+rx bin bin/*')
    return
  # The shell might take it for a script, and say something else.
  elif [[ -e $file && $(machine_of "$file") != "$(machine_of "$BASH")" ]]; then
    reason="bin/$lesson was built for another machine" fix=$build
    return
  fi
  [[ $1 == *'failed to run command'* || $1 == *'failed to execute'* ]] || return 1
  kind=$(stat -c %A "$file")
  if [[ $kind != *x* ]]; then
    reason="bin/$lesson is not executable" fix='chmod a+x bin/*'
  elif [[ -n $noexec ]]; then
    reason="no program in $repo may be executed: it is mounted noexec"
    fix="cp -r '$repo' ~/namespaces && cd ~/namespaces"
  fi
}

# machine_of FILE prints the number of the machine that a program is for: see
# elf(5), e_machine.
machine_of() { od -An -tx1 -j 18 -N 2 "$1"; }

# explain_rootfs TEXT is about the directory that lessons 07 and 08 enter.
explain_rootfs() {
  local name
  isolates "$lesson" root && [[ -e $repo/bin/$lesson ]] || return 1
  fix='scripts/rootfs.sh'
  if [[ ! -d $repo/rootfs ]]; then
    reason='there is no root filesystem in rootfs'
    return
  elif [[ -r $repo/rootfs && -z $(ls -A "$repo/rootfs") ]]; then
    reason='rootfs is empty'
    return
  fi
  if [[ $1 == chdir*denied* ]]; then
    reason='you may not enter rootfs'
    fix=$(root_line "chown -R ${SUDO_USER:-${USER:-$EUID}} rootfs")
    return
  fi
  fix='mv rootfs rootfs.old && scripts/rootfs.sh'
  for name in proc sys dev tmp; do
    if [[ -L $repo/rootfs/$name || (-e $repo/rootfs/$name && ! -d $repo/rootfs/$name) ]]; then
      reason="rootfs/$name is not a directory"
      return
    elif [[ ! -d $repo/rootfs/$name && $1 == *'in the new root'* ]]; then
      reason="there is no directory rootfs/$name"
      return
    fi
  done
  case $1 in
  exec*'executable file not found'* | exec*'no such file'* | exec*'format error'* | exec*denied*)
    reason="a program in rootfs cannot be run: $reason"
    return
    ;;
  esac
  fix="scripts/sandbox.sh bin/$lesson"
  return 1
}

# explain_limit WHO is about limits on namespaces, not about disks.
explain_limit() {
  local type key value
  try_namespaces "$1"
  for type in user pid mnt uts ipc net cgroup; do
    key=user.max_${type}_namespaces
    value=$(sysctl_value $key)
    if [[ $value == 0 ]]; then
      reason="this machine has $key=0"
    elif [[ ${result[$1.$type]:-} == *'No space left'* && $value -lt 1000 ]]; then
      reason="the limit $key=$value is reached"
    else
      continue
    fi
    fix=$(sysctl_line $key=10000)
    return 0
  done
  reason='namespaces are nested 32 deep here, or a limit further out is reached'
  fix='exit'
}

# explain_processes is about the limits on processes and threads.
explain_processes() {
  local name dir most now
  reason='a limit on processes is reached: ulimit -u' fix='ulimit -S -u $(ulimit -H -u)'
  find_cgroups /proc/self/cgroup
  for name in pids v2; do
    dir=${cgroup_dir[$name]:-}
    while [[ -n $dir && -e $dir/pids.max ]]; do
      read -r most <"$dir/pids.max"
      read -r now <"$dir/pids.current"
      if [[ $most != max && $((most - now)) -lt 20 ]]; then
        reason="this cgroup may have $most processes and threads, and has $now"
        fix=$(write_line max "$dir/pids.max")
        return
      fi
      [[ $dir != "${cgroup_top[$name]}" ]] || break
      dir=${dir%/*}
    done
  done
}

# write_line VALUE FILE prints how you type that to do it as root.
write_line() {
  case $become in
  '' | su) root_line "echo $1 >$2" ;;
  *) echo "echo $1 | $become tee $2" ;;
  esac
}

# has_cap WHO BIT says whether WHO has a capability, or would have it as root.
has_cap() {
  local set=CapEff
  [[ $1 == root ]] || set=CapBnd
  (((0x${result[$1.is.$set]} >> $2) & 1))
}
sys_admin=21 net_admin=12 # see <linux/capability.h>

# explain_capability NAME is about one that root lacks.
explain_capability() {
  reason="root lacks $1 here"
  [[ $container == no ]] || reason+=', as in a container'
  elsewhere
}

# explain_permission WHO TEXT ANSWER
explain_permission() {
  if [[ $namespaces == *user* ]]; then
    explain_user_namespace "$@"
  elif ! has_cap "$1" $sys_admin; then
    explain_capability CAP_SYS_ADMIN
  elif [[ $1 == user && ! $((0x${result[user.is.CapEff]} >> sys_admin & 1)) -eq 1 ]]; then
    reason='needs root' root_helps=yes
    if [[ ${result[user.is.NoNewPrivs]} == 0 ]]; then
      fix=$(root_line "bin/$lesson")
    elif [[ $container != no ]]; then
      fix='start the container without no-new-privileges'
    fi
  elif [[ $2 == *veth* || $2 == *'set lo'* || $2 == *rtnetlink* ]] &&
    ! has_cap "$1" $net_admin; then
    explain_capability CAP_NET_ADMIN
  else
    explain_refusal "$1" "$3"
  fi
}

# explain_refusal WHO ANSWER is about what forbids what the capabilities allow.
explain_refusal() {
  if [[ ${result[$1.is.Seccomp]} == 2 ]]; then
    reason="a seccomp filter forbids it ($2)"
    elsewhere
  elif ! explain_profile "$@"; then
    reason="forbidden ($2)"
    elsewhere
  fi
}

# explain_profile WHO ANSWER does so if AppArmor confines whoever has tried.
explain_profile() {
  local profile=${result[$1.is.AppArmor]}
  [[ $profile == *' (enforce)' ]] || return 1
  profile=${profile% (enforce)}
  reason="AppArmor's profile $profile confines this shell ($2)"
  fix=$privileged
  [[ $container != no ]] ||
    fix=$(write_line "-n '$profile'" /sys/kernel/security/apparmor/.remove)
}

# explain_user_namespace WHO TEXT ANSWER does so for what the kernel does not
# allow in a user namespace.
explain_user_namespace() {
  local key value bad
  for key in kernel.apparmor_restrict_unprivileged_userns=1 \
    kernel.unprivileged_userns_clone=0; do
    bad=${key#*=} key=${key%=*}
    value=$(sysctl_value "$key")
    [[ $1 == root || $value != "$bad" ]] || {
      reason="this machine has $key=$value; $(sysctl_line "$key=$((1 - bad))")"
      reason+=' changes that until the next boot'
      fix=$(root_line "bin/$lesson") root_helps=yes
      return
    }
  done
  if explain_mount "$2"; then
    :
  elif [[ $chroot == yes && $2 != *'mount "'* ]]; then
    reason='a chroot may not make user namespaces: leave it'
  else
    explain_refusal "$1" "$3"
  fi
}

# explain_mount TEXT is about a new /proc or /sys, which may not show more than the
# one that is there, nor update access times differently. See
# "Restrictions on mount namespaces" in mount_namespaces(7).
explain_mount() {
  local point options covered=$hidden
  case $1 in
  *'mount "proc"'* | *user.proc*) point=/proc ;;
  *'mount "sysfs"'* | *user.sysfs*) point=/sys covered=$hidden_sys ;;
  *) return 1 ;;
  esac
  options=$(awk -v point=$point '$5 == point { o = $6 } END { print o }' /proc/self/mountinfo)
  if [[ $point,$options, == /proc*,ro,* ]]; then
    reason="$point is read-only, and a new one would not be"
    fix=$(root_line "mount -o remount,bind,rw $point")
  elif [[ -n $covered ]]; then
    reason="a new $point would show what is covered here: $covered"
    elsewhere
  elif [[ ,$options, != *,relatime,* || $options == *nodiratime* ]]; then
    options=$(grep -oE 'noatime|nodiratime' <<<"$options" | xargs) || true
    reason="$point is mounted ${options:-without relatime}, and a new one would not be"
    fix=$(root_line "mount -o remount,bind,atime,diratime,relatime $point")
  else
    return 1
  fi
}

# explain_cgroup WHO TEXT does so for the first controller that did not work.
explain_cgroup() {
  local bad answer top
  bad=$(lacking "$1.cgroup")
  if [[ -z $bad ]]; then
    [[ $2 != *cpu*'invalid argument'* ]] ||
      reason='a cgroup above this one has less CPU time'
    return 0
  fi
  answer=${result[$1.cgroup.${bad%% *}]}
  top=${answer##* } # the directory, or cgroup.subtree_control in it
  reason="cgroup: $answer" root_helps=yes
  case $answer in
  *'no cgroup file system'*)
    fix=$(root_line 'mount -t cgroup2 cgroup2 /sys/fs/cgroup')
    ;;
  *'Read-only'*)
    reason='the cgroups are read-only' root_helps=no
    top=$(grep -o '/[^ ]*/nsl-' <<<"$answer" | head -n 1)
    top=$(findmnt --noheadings --output TARGET --target "${top%/nsl-}" 2>/dev/null) ||
      top=/sys/fs/cgroup
    fix=$(root_line "mount -o remount,bind,rw $top")
    elsewhere
    ;;
  'no controller '*)
    reason="no controller ${bad// /, } in $top"
    if [[ $bad == memory* ]] && grep -qw cgroup_disable=memory /proc/cmdline; then
      reason='the kernel was started with cgroup_disable=memory. For that limit, add'
      reason+=' cgroup_enable=memory to that command line, on a Raspberry Pi in'
      reason+=' /boot/firmware/cmdline.txt, and boot again'
    elif grep -qw "${bad##* }" "${top%/*}/cgroup.controllers" 2>/dev/null; then
      fix=$(write_line "\"+${bad// / +}\"" "$top")
    fi
    ;;
  *denied*)
    reason='this cgroup is not yours to divide'
    [[ $1 == root ]] || fix=$(root_line 'bin/08-cgroups')
    ;;
  esac
}
