#!/usr/bin/env bash
# sandbox.sh starts a throw-away Linux in a second, to break at will. It needs
# no root and no virtualisation: user-mode-linux is a kernel that runs as an
# ordinary process. All that the machine has is in its own memory.
#
#   scripts/sandbox.sh [--user] [--mem SIZE] [--with PATH]... [COMMAND [ARG]...]
#
#   --user       be the ordinary user "learner" inside, not root
#   --mem SIZE   memory of the machine (512M)
#   --with PATH  bring this file or directory too, to the same path inside
#
# Without COMMAND: a shell. With COMMAND: its output and its exit status, and
# the machine is gone. Status 125: the machine failed. COMMAND has a terminal
# if sandbox.sh has one on stdin, stdout and stderr. If not, it has pipes, and
# reads what is on stdin once that has ended or in blocks (200 KB/s).
# bin/, scripts/ and rootfs/ are brought, to the same path inside as outside,
# and COMMAND starts there.
#
# The machine has no file, device or network of the host. Should somebody break
# out of its kernel, that is a process in namespaces, with nothing to write to;
# where these are forbidden, sandbox.sh warns that there is one wall only.

set -euo pipefail
umask 022
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What the machine gets of this one: programs, and modules for its kernel.
from_packages="bash bsdutils coreutils dash diffutils findutils grep hostname
  iproute2 iptables iputils-ping less libc-bin libcap2-bin mawk mount
  ncurses-bin procps sed socat strace tar util-linux util-linux-extra"
modules="bridge dummy iptable_filter iptable_nat ipv6 overlay tun veth
  xt_MASQUERADE xt_comment xt_conntrack xt_tcpudp"

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }

# misused NOTE: the command line makes no sense.
misused() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  usage >&2
  exit 2
}

# broken NOTE: the machine failed, not the command. Its kernel says why, in
# the lines that are not a stack trace.
broken() {
  (die "$1" "$(grep -v '\[<' "/dev/fd/$log" | tail -n 12)") || exit 125
}

# build_tree DIR puts the machine's files there.
build_tree() {
  local dir program kernel module programs libraries
  mkdir -p "$1"/{etc,dev,home/learner,mnt,opt,proc,root,run,srv,sys,tmp,var/tmp}
  mkdir -p "$1"/usr/{bin,lib,lib64,local/bin,sbin,share}
  for dir in bin lib lib64 sbin; do ln -s "usr/$dir" "$1/$dir"; done

  # shellcheck disable=SC2086 # a list
  mapfile -t programs < <(dpkg -L $from_packages 2>/dev/null |
    grep -E '^(/usr)?/s?bin/' | while read -r file; do
    [[ ! -f $file ]] || echo "$file"
  done)
  programs+=(/usr/bin/awk "$(command -v busybox)")
  mapfile -t libraries < <(ldd "${programs[@]}" 2>/dev/null |
    grep -o '/[^ ]* (' | sed 's:^/lib:/usr/lib:' | sort -u)
  # -L: what a link leads to. Two names of one file stay one file.
  cp -L --preserve=links --parents "${programs[@]}" "${libraries[@]% (}" "$1"
  cp -rL --parents /etc/os-release /lib/terminfo "$1"
  if [[ -e $1/sbin/iptables-legacy ]]; then
    cp -r --parents /usr/lib/*/xtables "$1"
    ln -sf iptables-legacy "$1/sbin/iptables"
  fi
  # procps cannot read this kernel's /proc/cpuinfo (ps aux fails). It looks for
  # two kinds of cores there, and is content with an empty file.
  sed -i s:/proc/cpuinfo:/dev/././null: "$1"/lib/*/libproc2.so*

  # The init script takes all programs from busybox, others what else is there.
  mkdir -p "$1"/lib/sandbox/{bin,dev/{mqueue,pts,shm}}
  for program in $(busybox --list); do
    ln -s /bin/busybox "$1/lib/sandbox/bin/$program"
    [[ -e $1/bin/$program || -e $1/sbin/$program ]] ||
      ln -s /bin/busybox "$1/bin/$program"
  done
  cp "$repo/scripts/dev/sandbox-init.sh" "$1/init"
  ln -s /proc/self/fd "$1/lib/sandbox/dev/fd"
  ln -s fd/0 "$1/lib/sandbox/dev/stdin"
  ln -s fd/1 "$1/lib/sandbox/dev/stdout"
  ln -s fd/2 "$1/lib/sandbox/dev/stderr"

  # The kernel runs /sbin/modprobe when it lacks a module that it has here.
  ln -sf /bin/busybox "$1/sbin/modprobe"
  kernel=$(echo /usr/lib/uml/modules/*)
  dir=$1/lib/modules/${kernel##*/}
  mkdir -p "$dir"
  cp "$kernel"/modules.{alias,dep} "$dir"
  for module in $modules; do grep "/$module.ko:" "$kernel/modules.dep"; done |
    tr -s ' :' '\n' | sort -u | (cd "$kernel" && xargs cp --parents -t "$dir")

  echo sandbox >"$1/etc/hostname"
  echo '127.0.0.1 localhost sandbox' >"$1/etc/hosts"
  echo "PS1='\u@\h:\w\\$ '" >"$1/etc/bash.bashrc"
  cat >"$1/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/bash
learner:x:1000:1000:learner:/home/learner:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
END
  printf '%s:\n' root:x:0 tty:x:5 learner:x:1000 nogroup:x:65534 \
    >"$1/etc/group"
  cat >"$1/etc/fstab" <<'END'
proc    /proc          proc    nosuid,nodev,noexec
sysfs   /sys           sysfs   nosuid,nodev,noexec
cgroup2 /sys/fs/cgroup cgroup2 nosuid,nodev,noexec,nsdelegate
devpts  /dev/pts       devpts  nosuid,noexec,gid=5,mode=620,ptmxmode=666
tmpfs   /dev/shm       tmpfs   nosuid,nodev,mode=1777
mqueue  /dev/mqueue    mqueue  nosuid,nodev,noexec
tmpfs   /run           tmpfs   nosuid,nodev,mode=755
END
}

user=root uid=0 mem=512M bring=()
while [[ ${1:-} == -* ]]; do
  case $1 in
  -h | --help)
    usage
    exit 0
    ;;
  --user) user=learner uid=1000 ;;
  --mem)
    mem=${2:-}
    [[ $mem =~ ^[0-9]+[KMG]$ ]] || misused "--mem takes a size, such as 512M"
    shift
    ;;
  --with)
    bring+=("$(realpath -es -- "${2:-}")") || misused "--with takes a path"
    shift
    ;;
  *) misused "unknown option $1" ;;
  esac
  shift
done

if ! command -v linux.uml >/dev/null &&
  [[ $(dpkg --print-architecture 2>/dev/null) != amd64 ]]; then
  die "user-mode-linux is a package of Debian and Ubuntu on amd64 alone" \
    "a virtual machine does it too: multipass shell, or limactl start"
fi
install_for vm
[[ -d $repo/bin ]] || die "there is no $repo/bin" "go build -o bin/ ./..."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/namespaces-sandbox
scratch=$cache/run.$$
vm='' feeder='' terminal=''
# shellcheck disable=SC2317 # trap calls it
cleanup() {
  [[ -z $vm ]] || kill "$vm" 2>/dev/null || true
  [[ -z $feeder ]] || kill "$feeder" 2>/dev/null || true
  [[ -z $terminal ]] || stty "$terminal" || true
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$scratch"
for old in "$cache"/run.*; do
  [[ -e /proc/${old##*.} ]] || rm -rf "$old"
done

# The files of the machine itself are made once, and again when one changes.
version=$(cat "$0" "$repo/scripts/dev/sandbox-init.sh" \
  <(stat -c %Y /var/lib/dpkg/status) | sha256sum | cut -c -16)
tree=$cache/$version.cpio
if [[ ! -e $tree ]]; then
  build_tree "$scratch/tree"
  (cd "$scratch/tree" && find . | busybox cpio -o -H newc -R 0:0) \
    2>/dev/null >"$scratch/cpio"
  mv "$scratch/cpio" "$tree"
  rm -r "$scratch/tree"
  find "$cache" -name '*.cpio' -mtime +7 -delete
fi
touch "$tree"

# This time's files are a tar archive on a disk: the checkout, what --with
# names, and the job.
if [[ -t 0 && -t 1 && -t 2 ]]; then
  terminal=$(stty -g)
fi
[[ $# -gt 0 ]] || set -- bash
set -- "$user" "$repo" "${TERM:-dumb}" "${terminal:+$(stty size)}" "$@"
quote="'\\''"
printf "'%s' " set -- "${@//\'/$quote}" >"$scratch/job"
for part in bin scripts rootfs; do
  [[ ! -e $repo/$part ]] || bring+=("$repo/$part")
done
tar -cf "$scratch/disk" --owner=$uid --group=$uid -C "$scratch" job \
  -C / "${bring[@]#/}" --no-recursion "${repo#/}"

wall=(bwrap --unshare-all --die-with-parent --ro-bind /usr /usr
  --ro-bind /lib /lib --ro-bind-try /lib64 /lib64 --dev /dev --tmpfs /tmp
  --ro-bind "$cache" "$cache")
uml_dir=/tmp/
if ! "${wall[@]}" true 2>"$scratch/log"; then
  say "no namespaces for the sandbox itself ($(cat "$scratch/log")):" \
    "it holds mistakes, not malice" >&2
  wall=(setpriv --pdeathsig TERM)
  uml_dir=$scratch/
fi

# hostfs gives root inside the host's files, as the user who runs this: it must
# not start. The other two take a second, for what nobody needs here.
# fd 0 and 3 are the line to the init script, 4 to 6 the command's streams.
kernel=("${wall[@]}" linux.uml quiet "mem=$mem" "initrd=$tree" "root="
  "ubd0r=$scratch/disk" "uml_dir=$uml_dir" noreboot "pty.legacy_count=0"
  "initcall_blacklist=init_hostfs,raid6_select_algo,init_zswap"
  "con=null" "con1=null,fd:1" "console=tty1" "ssl=null" "ssl0=fd:0,fd:3")
if [[ -n $terminal ]]; then
  exec {in}<>/dev/tty {out}>/dev/null {err}>/dev/null
  kernel+=("con0=fd:4")
else
  mkfifo "$scratch/in"
  exec {in}<>"$scratch/in" {feed}<>"$scratch/in"
  exec {out}> >(exec cat)
  out_cat=$!
  exec {err}> >(exec cat >&2)
  err_cat=$!
  kernel+=("ssl1=fd:4,null" "ssl2=null,fd:5" "ssl3=null,fd:6")
fi
exec {log}<>"$scratch/log"
coproc machine {
  exec "${kernel[@]}" 3>&1 1>&"$log" 2>&1 4<&"$in" 5>&"$out" 6>&"$err"
}
vm=$!
exec {from_vm}<&"${machine[0]}" {to_vm}>&"${machine[1]}" {out}>&- {err}>&-

# A trap runs during wait, not during read.
# shellcheck disable=SC2016 # sh expands it
timeout 30 sh -c 'read -r word && [ "$word" = started ]' <&"$from_vm" &
wait $! || broken "the machine did not start"
# It has opened all: nothing stays here, even if this script is killed.
rm -r "$scratch"
if [[ -n $terminal ]]; then
  trap 'stty size >&"$to_vm"' WINCH
else
  setpriv --pdeathsig KILL bash -c \
    'setpriv --pdeathsig KILL base64; echo .' <&0 >&"$feed" 2>/dev/null &
  feeder=$!
  disown
fi
while kill -0 "$vm" 2>/dev/null; do wait "$vm" || true; done
vm=''
if [[ -z $terminal ]]; then
  wait "$err_cat" || true
  wait "$out_cat" || exit $?
fi
read -r -u "$from_vm" status ||
  broken "the machine stopped before the command did"
exit "$status"
