#!/usr/bin/env bash
# sandbox.sh starts a throw-away Linux in three seconds, for you to break: a virtual
# machine in qemu, with KVM where that works. It needs no root. Everything that the
# machine has is in its own memory.
#
#   scripts/sandbox.sh [--user] [--mem SIZE] [--with PATH]... [--debian SUITE]
#                      [--arch ARCH] [COMMAND [ARG]...]
#
#   --user          you are the ordinary user "learner" inside, not root
#   --mem SIZE      memory of the machine (512M; 192M is the least)
#   --with PATH     take this file or directory along, to the same path inside
#   --debian SUITE  a whole Debian, such as bookworm, with the kernel of that
#                   release, where systemd is process 1. The first time, it makes
#                   the disk, which takes root, a mirror of Debian, and a minute
#   --arch ARCH     another kind of processor, amd64 or arm64. The programs in bin/
#                   have to be built for it
#
# Without COMMAND, you get a shell. With COMMAND, you get its output and its exit
# status, and the machine is gone. Status 125: the machine failed. COMMAND has a terminal
# if sandbox.sh has one on stdin, stdout and stderr. If not, it has pipes, and
# stdin comes to it in blocks of 30 KB and slowly (200 KB/s).
# bin/, scripts/, rootfs/ and what scripts read of the lessons are at the same path
# inside as outside, and COMMAND starts there.
#
# The first time, it gets Debian's kernel for virtual machines with apt, and
# unpacks it without installing it. scripts/cleanup.sh --cache removes what it
# keeps.
#
# The machine has no file, device or network of the host. Whoever breaks out of it is in
# a process in namespaces, which can write only to /dev/kvm and to a file with the
# changes to the disk of --debian. Where namespaces are forbidden, sandbox.sh warns.

[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
umask 022
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
source "$lib/sandbox-tree.sh"
source "$lib/sandbox-debian.sh"
source "$lib/sandbox-machine.sh"

# broken NOTE: the machine failed, not the command. Its kernel says why, in
# the lines that are not a stack trace.
broken() {
  local why
  why=$(sed -E 's/^\[ *[0-9.]+\] //; /^(Call Trace|CPU: |Workqueue: |Hardware name|RIP:|R[A-Z]{2}|[A-Z]S:|R[0-9]{2}|Code:|Modules linked|Kernel Offset|---\[|PKRU| *<| .*\+0x|\r?$)/d' \
    "/dev/fd/$log" | tail -n 6)
  (die "$1" "$why" "${elsewhere[@]}") || exit 125
}

elsewhere=('a virtual machine does it too: multipass shell, or limactl start'
  'with no right to install one: the pages that scripts/dev/site.sh --machine makes')
user=root uid=0 mem=512M bring=() suite='' arch='' kernel=''
while [[ ${1:-} == -* ]]; do
  case $1 in
  -h | --help)
    usage
    exit 0
    ;;
  --user) user=learner uid=1000 ;;
  --mem)
    mem=${2:-}
    [[ $mem =~ ^[0-9]{1,9}[MG]$ ]] || misused "--mem takes a size, such as 512M"
    [[ $mem == *G || ${mem%M} -ge 192 ]] || misused "--mem: the machine itself needs 192M"
    shift
    ;;
  --with)
    bring+=("$(realpath -es -- "${2:-}")") || misused "--with takes a path"
    shift
    ;;
  --debian)
    suite=${2:-}
    [[ $suite =~ ^[a-z]+$ ]] || misused "--debian takes a release, such as bookworm"
    shift
    ;;
  --arch)
    arch=${2:-}
    [[ $arch =~ ^(amd64|arm64)$ ]] || misused "--arch takes amd64 or arm64"
    shift
    ;;
  *) misused "unknown option $1" ;;
  esac
  shift
done
native=$(dpkg --print-architecture 2>/dev/null) || true
arch=${arch:-$native}
[[ -z $suite || $arch == "$native" ]] || misused "--debian is for $native alone"
case $arch in
amd64) qemu=qemu-system-x86_64 board=q35 plain_cpu=qemu64 ;;
arm64) qemu=qemu-system-aarch64 board=virt plain_cpu=cortex-a57 ;;
*) qemu='' ;;
esac
[[ -n $native && -n $qemu ]] ||
  die "the machine is made of packages of Debian or Ubuntu, for amd64 or arm64" \
    "${elsewhere[@]}"
(install_for vm "vm-$arch") >&2 || {
  printf '  %s\n' "${elsewhere[@]}" >&2
  exit 1
}
[[ -d $repo/bin ]] || die "there is no $repo/bin" "CGO_ENABLED=0 go build -o bin/ ./0*"
for part in "$repo"/{bin,scripts,rootfs} "$repo"/[0-9]*/{*.sh,quiz.md}; do
  [[ ! -e $part ]] || bring+=("$part")
done
closed=$(find "${bring[@]}" ! -readable -print -quit 2>/dev/null) || true
[[ -z $closed ]] || die "cannot read $closed" "sudo chown -R \$USER '$closed'"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/namespaces-sandbox
scratch=$cache/run.$$
vm='' feeder='' terminal='' builder=''
cleanup() {
  if [[ -n $builder ]]; then
    as_root kill -KILL "$builder" 2>/dev/null || true
    wait "$builder" || true
    # Its files are root's, and its last processes may still be ending.
    for _ in {1..50}; do
      if as_root rm -rf --one-file-system "$scratch/build"; then break; fi
      sleep 0.1
    done 2>/dev/null
  fi
  if [[ -n $vm ]]; then
    kill "$vm" 2>/dev/null || true
    wait "$vm" || true
  fi
  [[ -z $feeder ]] || kill "$feeder" 2>/dev/null || true
  [[ -z $terminal ]] || stty "$terminal" || true
  rm -rf "$scratch"
}
trap cleanup EXIT
exit_on_signals
# Whoever uses a directory holds its lock. The PID in its name does not show that: a
# container with the same cache has other PIDs.
until [[ ${in_use:-} && $scratch -ef /proc/self/fd/$in_use ]]; do
  mkdir -p "$scratch" 2>/dev/null ||
    die "cannot write to $cache" "export XDG_CACHE_HOME=… (a directory of yours)"
  # A clean-up may have removed it in the meantime.
  { exec {in_use}<"$scratch"; } 2>/dev/null && flock "$in_use"
done
for old in "$cache"/run.*; do
  [[ $old -ef $scratch ]] ||
    flock --nonblock "$old" rm -rf --one-file-system "$old" || true
done

# lock and unlock: of two runs at once, the second waits, and finds what the first has
# made.
lock() {
  exec {locked}>"$cache/lock"
  flock "$locked"
}
unlock() { exec {locked}>&-; }

# The machine's own files are made once, and again when one of them changes.
if [[ -n $suite ]]; then
  machine=$(debian_disk "$suite")
else
  kernel=linux-$arch-$({
    echo "$modules"
    declare -f get_kernel get_modules get_needed unpack_kernel
  } | sha256sum | cut -c -16)
  version=$(cat "$repo"/scripts/lib/sandbox-{init,machine,tree}.sh \
    <(stat -c %Y /var/lib/dpkg/status) | sha256sum | cut -c -16)
  machine=$version-$arch.cpio
  if [[ ! -e $cache/$kernel ]]; then
    lock
    if [[ ! -e $cache/$kernel ]]; then
      say "getting a kernel, the first time: for $cache" >&2
      mkdir "$scratch/kernel"
      get_kernel "$scratch/kernel"
      mv -T "$scratch/kernel" "$cache/$kernel"
      find "$cache" -maxdepth 1 -name "linux-$arch-*" -mmin +60 -exec rm -r {} +
    fi
    unlock
  fi
fi
if [[ ! -e $cache/$machine && -n $suite ]]; then
  install_for debian >&2
  lock
  if [[ ! -e $cache/$machine ]]; then
    say "making a disk with Debian $suite in $cache" >&2
    mkdir "$scratch/build"
    build_debian "$suite" "$scratch/build" >&2
    for part in .kernel .initrd ''; do
      [[ ! -e $scratch/build/disk$part ]] ||
        mv "$scratch/build/disk$part" "$cache/$machine$part"
    done
    rm -r "$scratch/build"
    find "$cache" -maxdepth 1 -name "debian-$suite-*" -mmin +60 -delete
  fi
  unlock
elif [[ ! -e $cache/$machine ]]; then
  build_tree "$scratch/tree" "$cache/$kernel"
  pack "$scratch/tree" "$scratch/cpio"
  mv "$scratch/cpio" "$cache/$machine"
  find "$cache" -maxdepth 1 -name '*.cpio' -mmin +60 -delete
fi
touch "$cache/$machine"* ${kernel:+"$cache/$kernel"}

# The files of this run are a tar archive on a disk: the checkout, what --with names,
# and the job.
if [[ -t 0 && -t 1 && -t 2 ]]; then
  terminal=$(stty -g)
fi
[[ $# -gt 0 ]] || set -- bash
size=${terminal:+$(stty size)}
[[ $size != '0 0' ]] || size='24 80' # a terminal that does not know its size
set -- "$user" "$repo" "${TERM:-dumb}" "$size" "$@"
quote="'\\''"
printf "'%s' " set -- "${@//\'/$quote}" >"$scratch/job"
tar -cf "$scratch/disk" --owner=$uid --group=$uid -C "$scratch" job \
  -C / "${bring[@]#/}" --no-recursion "${repo#/}"

wall=(bwrap --unshare-all --die-with-parent --cap-drop ALL --ro-bind /usr /usr
  --ro-bind /lib /lib --ro-bind-try /lib64 /lib64 --dev /dev --tmpfs /tmp
  --ro-bind "$cache" /cache --chdir /cache)
[[ -z $suite ]] || wall+=(--bind "$scratch" "/cache/run.$$")
if ! "${wall[@]}" true 2>"$scratch/log"; then
  say "qemu runs without namespaces of its own ($(cat "$scratch/log")):" \
    "it contains mistakes, not malice" >&2
  wall=()
fi
# The machine is several processes. They end as a group, at the latest when
# this script does: in its first moments bwrap would leave one behind.
leader=(setpriv --pdeathsig TERM bash -c '
  trap "kill -KILL -- -\$! \$! 2>/dev/null; wait; exit" TERM
  [[ $PPID -eq $0 ]] || exit # the parent died before the kernel was asked to tell us
  setsid "$@" &
  wait' "$$")

set_machine
if [[ -n $terminal ]]; then
  exec {in}<>/dev/tty {out}>/dev/null {err}>/dev/null
else
  mkfifo "$scratch/in"
  exec {in}<>"$scratch/in" {feed}<>"$scratch/in"
  # When nobody reads the command's output, it ends as if by SIGPIPE.
  trap 'exit 141' USR1
  exec {out}> >(cat || kill -USR1 $$)
  out_cat=$!
  exec {err}> >(cat >&2 || kill -USR1 $$)
  err_cat=$!
fi
exec {log}>>"$scratch/log"
coproc machine {
  cd "$cache"
  exec "${leader[@]}" "${wall[@]}" "${command[@]}" \
    7<&0 3>&1 8>&"$log" >&8 2>&1 4<&"$in" 5>&"$out" 6>&"$err"
}
vm=$!
exec {from_vm}<&"${machine[0]}" {to_vm}>&"${machine[1]}" {out}>&- {err}>&-

# A trap runs during wait, not during read.
timeout "$minutes"m sh -c 'read -r word && [ "$word" = started ]' <&"$from_vm" {to_vm}>&- &
wait $! || broken "the machine did not start"
# qemu has opened everything: nothing is left here, even if this script is killed.
rm -r "$scratch"
if [[ -n $terminal ]]; then
  stty raw -echo # from here on Ctrl-C is for what is inside
  trap 'stty size >&"$to_vm"' WINCH
else
  setpriv --pdeathsig KILL bash -c \
    'setpriv --pdeathsig KILL base64; echo .' <&0 >&"$feed" 2>/dev/null {to_vm}>&- &
  feeder=$!
  disown
fi
while kill -0 "$vm" 2>/dev/null; do wait "$vm" || true; done
vm=''
if [[ -z $terminal ]]; then
  wait "$out_cat" "$err_cat" || true
fi
read -r -u "$from_vm" status ||
  broken "the machine stopped before the command did"
exit "$status"
