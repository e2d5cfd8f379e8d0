#!/usr/bin/env bash
# sandbox.sh: a throw-away Linux in a second or two, to break at will. It needs
# no root and no virtualisation: user-mode-linux is a kernel that runs as an
# ordinary process. Its root filesystem is in its own memory.
#
# Usage: sandbox.sh [--user] [--mem SIZE] [--with PATH]... [COMMAND [ARG]...]
#
#   --user       be the ordinary user "learner" inside (default: root)
#   --mem SIZE   memory of the machine (default: 512M)
#   --with PATH  copy this file or directory too, to the same path inside
#
# Without COMMAND: a shell. With COMMAND: its output and its exit status, and
# the machine is gone; 125 means that the machine itself failed. If stdin and
# stdout are terminals, COMMAND has a terminal too; if not, it has pipes.
# bin/, scripts/ and rootfs/ are in the same directory inside as outside, and
# COMMAND starts there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# What the machine has: these tools with their libraries, busybox for the rest,
# and these kernel modules.
tools="awk basename bash base64 busybox cat chgrp chmod chown chroot comm cp
  cut date dd df diff dirname du env expr false find findmnt getent grep groups
  head hostname id ip ipcmk ipcrm ipcs kill ln ls lsns mkdir mkfifo mknod mktemp
  mount mountpoint mv nl nproc nsenter od paste pgrep pivot_root pkill printenv
  prlimit ps readlink realpath rm rmdir sed seq setpriv setsid sh sha256sum
  sleep sort stat strace stty sync sysctl tac tail tar tee timeout top touch
  tput tr true truncate tty umount uname uniq unshare uptime watch wc xargs
  xtables-legacy-multi"
modules="bridge dummy iptable_filter iptable_nat ipv6 overlay tun veth
  xt_MASQUERADE xt_conntrack xt_tcpudp"

# build_tree DIR puts the machine's own files there.
build_tree() {
  local tool lib module kernel modules_to
  mkdir -p "$1"/{dev,etc,home/learner,mnt,proc,root,run,sys,tmp,var}
  mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
  for lib in bin sbin lib lib64; do ln -s "usr/$lib" "$1/$lib"; done
  for tool in "${tool_paths[@]}"; do
    cp -L --parents "$tool" "$1"
    for lib in $(ldd "$tool" 2>/dev/null | grep -o '/[^ ]*'); do
      [[ -e $1$lib ]] || cp -L --parents "$lib" "$1"
    done
  done
  for tool in $(busybox --list); do
    [[ -e $1/bin/$tool || -e $1/sbin/$tool ]] ||
      ln -s busybox "$1/bin/$tool"
  done

  # The kernel runs /sbin/modprobe when something asks for a module.
  ln -sf ../bin/busybox "$1/sbin/modprobe"
  kernel=$(echo /usr/lib/uml/modules/*)
  modules_to=$1/lib/modules/${kernel##*/}
  mkdir -p "$modules_to"
  cp "$kernel"/modules.{alias,dep} "$modules_to"
  for module in $modules; do
    grep "/$module.ko:" "$kernel/modules.dep"
  done | tr -d : | tr ' ' '\n' | sort -u |
    (cd "$kernel" && xargs cp --parents -t "$modules_to")

  cp -rL --parents /etc/os-release /lib/terminfo "$1"
  cp "$repo/scripts/dev/sandbox-init.sh" "$1/init"
  echo sandbox >"$1/etc/hostname"
  echo '127.0.0.1 localhost sandbox' >"$1/etc/hosts"
  echo "PS1='\u@\h:\w\\$ '" >"$1/etc/bash.bashrc"
  cat >"$1/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/bash
learner:x:1000:1000:learner:/home/learner:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
END
  printf '%s\n' root:x:0: tty:x:5: learner:x:1000: nogroup:x:65534: \
    >"$1/etc/group"
}

user=root mem=512M extra=()
while [[ ${1:-} == -* ]]; do
  case $1 in
  --user) user=learner ;;
  --mem) mem=${2:?--mem needs a size} && shift ;;
  --with) extra+=("$(realpath -es "${2:?--with needs a path}")") && shift ;;
  -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" && exit 0 ;;
  --) shift && break ;;
  *) die "unknown option $1" "$0 -h" ;;
  esac
  shift
done

if ! command -v linux.uml >/dev/null && ! grep -qs '^ID.*\(debian\|ubuntu\)' \
  /etc/os-release; then
  die "user-mode-linux has packages on Debian and Ubuntu only" \
    "use a virtual machine, for example: multipass shell, or limactl start"
fi
install_for vm
[[ -d $repo/bin ]] || die "there is no bin/" "go build -o bin/ ./..."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/namespaces-sandbox
mkdir -p "$cache"
scratch=$(mktemp -d "$cache/run.XXXXXX")
terminal_state='' vm='' feeder=''
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  [[ -z $vm ]] || kill -KILL "$vm" 2>/dev/null || true
  [[ -z $feeder ]] || kill -KILL "$feeder" 2>/dev/null || true
  [[ -z $terminal_state ]] || stty "$terminal_state"
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The machine's own files, made once for each version of them.
mapfile -t tool_paths < <(
  PATH=/usr/sbin:/usr/bin:/sbin:/bin
  for tool in $tools; do type -P "$tool" || true; done
)
version=$(stat -Lc '%n %s %Y' "$0" "$repo/scripts/dev/sandbox-init.sh" \
  /etc/ld.so.cache "$(command -v linux.uml)" "${tool_paths[@]}" |
  sha256sum | cut -c -16)
tree=$cache/$version.cpio
if [[ ! -e $tree ]]; then
  build_tree "$scratch/tree"
  (cd "$scratch/tree" && find . | busybox cpio -o -H newc -R 0:0) \
    >"$scratch/tree.cpio" 2>/dev/null
  mv "$scratch/tree.cpio" "$tree"
fi

# This time's files: the checkout, what --with names, and the job.
terminal=''
if [[ -t 0 && -t 1 ]]; then
  terminal=$(tty)
fi
cat >"$scratch/job" <<END
user=$user
directory=$(printf %q "$repo")
terminal=$(printf %q "${TERM:-dumb}")
size='${terminal:+$(stty size)}'
command=($([[ $# -eq 0 ]] || printf '%q ' "$@"))
END
[[ $# -gt 0 ]] || echo 'command=(bash)' >>"$scratch/job"
for part in bin scripts rootfs; do
  [[ ! -e $repo/$part ]] || extra+=("$repo/$part")
done
uid=0
[[ $user == root ]] || uid=1000
tar -cPf "$scratch/disk" --owner=$uid --group=$uid -C "$scratch" \
  job "${extra[@]}" --no-recursion "$repo"

# The machine's process sees no file of the host that it could write.
wall=(bwrap --unshare-all --die-with-parent --ro-bind /usr /usr
  --ro-bind /lib /lib --ro-bind-try /lib64 /lib64 --dev /dev --tmpfs /tmp
  --ro-bind "$cache" "$cache")
uml_dir=/tmp/
if ! "${wall[@]}" true 2>"$scratch/log"; then
  say "no user namespaces here" >&2
  wall=(setpriv --pdeathsig KILL)
  uml_dir=$scratch/
fi
if [[ -n $terminal ]]; then
  lines=("con0=fd:4" "ssl=null")
else
  lines=("con0=null" "ssl=null" "ssl1=fd:4,null" "ssl2=null,fd:5"
    "ssl3=null,fd:6")
fi
# hostfs would give the host's files to root inside. The other two take a second
# and are of no use here.
kernel=(linux.uml "mem=$mem" "initrd=$tree" "root=" "ubd0r=$scratch/disk"
  "uml_dir=$uml_dir" quiet "con=null" "con1=null,fd:1" "console=tty1"
  "pty.legacy_count=0" "ssl0=fd:0,fd:3" "${lines[@]}"
  "initcall_blacklist=init_hostfs,raid6_select_algo,init_zswap")
if [[ -n $terminal ]]; then
  terminal_state=$(stty -g)
  exec {in}<>"$terminal" {out}>/dev/null {err}>/dev/null
else
  mkfifo "$scratch/stdin"
  exec {in}<>"$scratch/stdin"
  exec {out}> >(exec cat)
  out_cat=$!
  exec {err}> >(exec cat >&2)
  err_cat=$!
fi
coproc machine {
  exec "${wall[@]}" "${kernel[@]}" 3>&1 >"$scratch/log" 2>&1 \
    4<&"$in" 5>&"$out" 6>&"$err"
}
vm=$!
exec {from_vm}<&"${machine[0]}" {to_vm}>&"${machine[1]}" \
  {out}>&- {err}>&-

if ! read -r -t 30 -u "$from_vm" answer || [[ $answer != started ]]; then
  (die "the machine did not start" "$(tail -n 20 "$scratch/log")") || exit 125
fi
rm "$scratch/disk"
if [[ -n $terminal ]]; then
  trap 'stty size <"$terminal" >&"$to_vm"' WINCH
else
  # The machine hears only what comes after it has opened its serial line.
  setpriv --pdeathsig KILL bash -c \
    'setpriv --pdeathsig KILL base64; echo .' <&0 >"$scratch/stdin" &
  feeder=$!
  disown
fi
read -r -u "$from_vm" status || status=125
exec {to_vm}>&-
[[ -n $terminal ]] || wait "$out_cat" "$err_cat" || true
wait "$vm" || true
vm=''
exit "$status"
