# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # sandbox.sh's variables
# shellcheck disable=SC2054 # the commas are meant
# sandbox-machine.sh: the kernel of the machine of scripts/sandbox.sh, and the
# command that starts it. It is sourced, not run.

# What the lessons, the scripts and a disk need that Debian's kernel has as a
# module.
modules="virtio_pci virtio_blk bridge dummy inet_diag iptable_filter iptable_nat
  macvlan netlink_diag nft_chain_nat nft_compat nft_ct nft_masq nft_nat overlay
  tcp_diag tun unix_diag veth xt_MASQUERADE xt_comment xt_conntrack xt_tcpudp"

# own_apt DIR COMMAND... runs a command of apt with lists of its own: it needs no
# root, and does not believe lists that are old. DIR/sources, if there is one, is
# where from, else what this machine has.
own_apt() {
  local apt=$1
  if [[ ! -e $apt/conf ]]; then
    mkdir -p "$apt"/{lists/partial,cache/archives/partial,debs}
    printf '%s "%s";\n' APT::Architecture "$arch" APT::Sandbox::User "$(id -un)" \
      APT::Get::List-Cleanup false Acquire::Languages none \
      Debug::NoLocking true \
      Dir::State::Lists "$apt/lists" Dir::Cache "$apt/cache" \
      Dir::State::status "$apt/status" >"$apt/conf"
    : >"$apt/status"
    [[ ! -e $apt/sources ]] || printf '%s "%s";\n' Dir::Etc::SourceList "$apt/sources" \
      Dir::Etc::SourceParts /dev/null >>"$apt/conf"
  fi
  APT_CONFIG=$apt/conf "${@:2}"
}

# get_kernel DIR [SOURCE] puts there the kernel that Debian or Ubuntu has for
# virtual machines, vmlinux, and its modules: from their packages, which are
# unpacked and not installed. SOURCE is a line as of sources.list(5); then it is
# all modules.
get_kernel() {
  local apt=$1/apt meta name names=() modules=$modules
  if [[ -n ${2:-} ]]; then
    modules=all
    mkdir "$apt"
    echo "$2" >"$apt/sources"
  fi
  # One of many sources may be broken: what counts is the kernel.
  own_apt "$apt" apt-get update -qq >"$apt.log" 2>&1 || true
  for meta in "linux-image-cloud-$arch" linux-image-virtual; do
    mapfile -t names < <(own_apt "$apt" apt-cache depends --recurse -i "$meta" \
      2>/dev/null | grep -E '^linux-(image|binary|modules)-[0-9]' | sort -u)
    [[ ${#names[@]} -eq 0 ]] || break
  done
  [[ ${#names[@]} -gt 0 ]] ||
    die "no kernel for virtual machines: apt does not know linux-image-cloud-$arch" \
      'is there a network?' 'sudo apt-get update' "$(tail -n 5 "$apt.log")"
  # The program with which its parts are packed, if that is not installed.
  for name in lz4 zstd; do
    [[ $arch != "$native" ]] || command -v "$name" >/dev/null || names+=("$name")
  done
  (
    cd "$apt/debs" || exit
    own_apt "$apt" apt-get download -qq "${names[@]}" >"$apt.log" 2>&1 ||
      die "cannot get the kernel, ${names[*]}: is there a network?" "$(tail -n 5 "$apt.log")"
    for name in *.deb; do dpkg-deb -x "$name" "$1"; done
  )
  local PATH=$PATH:$1/usr/bin
  # From Linux 7 on, Debian has it beside its modules.
  for name in "$1"/boot/vmlinuz-* "$1"/usr/lib/modules/*/vmlinuz; do
    [[ ! -e $name ]] || unpack_kernel "$name" "$1/vmlinux"
  done
  [[ -e $1/vmlinux ]] || die "there is no vmlinuz in ${names[*]}"
  for name in "$1"/{usr/,}lib/modules/*; do
    [[ ! -d $name ]] || get_modules "$name" "$1/modules"
  done
  rm -rf "$apt" "$apt.log" "${1:?}"/{boot,lib,usr}
}

# number FILE OFFSET SIZE prints a number in a file.
number() { od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# unpack_kernel FILE TO: without KVM the kernel takes a second or two to
# unpack itself. Where that does not work here, it has to.
unpack_kernel() {
  local begin size magic unpack
  cp "$1" "$2"
  [[ $(number "$1" 514 4) == 1400005704 ]] || return 0 # "HdrS": not a PC's
  begin=$((($(number "$1" 497 1) + 1) * 512 + $(number "$1" 584 4)))
  size=$(number "$1" 588 4)
  magic=$(number "$1" "$begin" 4)
  case $magic in
  407642370) unpack=lz4 ;;
  4247762216) unpack=zstd ;;
  *) return 0 ;;
  esac
  # Behind it are four bytes more, its size.
  tail -c "+$((begin + 1))" "$1" | head -c "$((size - 4))" |
    "$unpack" -dc >"$2.elf" 2>/dev/null || true
  if [[ $(head -c 4 "$2.elf") == $'\x7fELF' ]]; then mv "$2.elf" "$2"; fi
  rm -f "$2.elf"
}

# get_modules FROM TO copies those that we need, or all, as they are below
# /lib/modules.
get_modules() {
  find "$1" -name '*.ko.xz' -exec busybox unxz {} +
  find "$1" -name '*.ko.zst' -exec zstd -dq --rm {} +
  busybox depmod -b "${1%/lib/modules/*}" "${1##*/}"
  mkdir -p "$2"
  if [[ $modules == all ]]; then mv "$1" "$2"; else get_needed "$1" "$2"; fi
}

# get_needed FROM TO copies those that we need, with what they need themselves. A
# module that is missing is built into the kernel.
get_needed() {
  local module to=$2/${1##*/}
  mkdir -p "$to"
  cp "$1"/modules.{alias,dep}* "$to"
  for module in $modules; do grep "/$module.ko:" "$1/modules.dep" || true; done |
    tr -s ' :' '\n' | sort -u | (cd "$1" && xargs cp --parents -t "$to")
}

# build_initrd KERNEL FILE makes of those modules an initramfs that finds a disk.
build_initrd() {
  local tree=$2.tree modules="virtio_pci virtio_blk ext4"
  mkdir -p "$tree"/{bin,dev,lib/modules,proc,root}
  cp "$(static_busybox)" "$tree/bin/busybox"
  get_needed "$(echo "$1"/modules/*)" "$tree/lib/modules"
  cat >"$tree/init" <<'END'
#!/bin/busybox sh
busybox=/bin/busybox
$busybox mount -t devtmpfs devtmpfs /dev
$busybox mount -t proc proc /proc
$busybox modprobe -a virtio_pci virtio_blk
$busybox modprobe ext4
$busybox mount -t ext4 /dev/vda /root
$busybox umount /proc
$busybox mount --move /dev /root/dev
exec $busybox switch_root /root /sbin/init
END
  chmod 755 "$tree/init"
  pack "$tree" "$2"
}

# pack TREE FILE makes an initramfs of it.
pack() {
  (cd "$1" && find . | busybox cpio -o -H newc -R 0:0) 2>/dev/null >"$2"
  rm -r "$1"
}

# set_machine sets command, which starts the machine, and minutes, the time to
# start in. It may add to wall. fd 7 and 3 of the command are the line to the
# init script, 4 to 6 the streams of what that runs, 8 is the log. It starts in
# $cache, and has relative paths: $cache may have blanks and commas. A CPU that
# can do little starts faster: where it is emulated, the kernel has less to set up.
set_machine() {
  local accel=tcg cpu=$plain_cpu fd line lines=() console=ttyS0 boot disks=() more=''
  # A virtual machine may have the device, but not what it needs.
  if [[ $arch == "$native" && -w /dev/kvm ]] &&
    { [[ $arch != amd64 ]] || grep -qE '^flags.* (vmx|svm) ' /proc/cpuinfo; }; then
    accel=kvm cpu=host
    [[ ${#wall[@]} -eq 0 ]] || wall+=(--dev-bind /dev/kvm /dev/kvm)
  fi
  # Mitigations protect nothing in an emulated processor, and make each system call
  # twice as slow.
  # And on a busy host its timer may be late, which the kernel would take for a fault.
  [[ $accel == kvm ]] || more='mitigations=off kpti=off no_timer_check'
  for fd in 4 5 6 8; do lines+=(-add-fd "fd=$fd,set=$fd"); done
  lines+=(-chardev file,id=log,path=/dev/fdset/8,append=on -serial chardev:log)
  lines+=(-chardev stdio,id=line0,signal=off)
  lines+=(-chardev pipe,id=line1,path=/dev/fdset/4
    -chardev file,id=line2,path=/dev/fdset/5,append=on
    -chardev file,id=line3,path=/dev/fdset/6,append=on)
  line=pci-serial-4x,chardev1=line0,chardev2=line1,chardev3=line2,chardev4=line3
  if [[ -n $suite ]]; then
    minutes=10
    boot=(-kernel "$machine.kernel" -initrd "$machine.initrd"
      -drive "file=$machine,format=raw,if=virtio,snapshot=on")
  else
    minutes=1 boot=(-kernel "$kernel/vmlinux" -initrd "$machine")
  fi
  disks=(-drive "file=run.$$/disk,format=raw,if=virtio,readonly=on")
  [[ $arch == amd64 ]] || console=ttyAMA0
  # shellcheck disable=SC2016 # bash expands it
  command=(bash -c 'TMPDIR=$0 exec "$@" <&7 >&3' "run.$$"
    "$qemu" -M "$board" -accel "$accel" -cpu "$cpu" -nodefaults -no-user-config
    -display none -no-reboot -sandbox on,spawn=deny -m "$mem"
    "${lines[@]}" -device "$line" "${boot[@]}" "${disks[@]}" -append "quiet panic=-1 $more
      console=$console 8250.nr_uarts=8 root=/dev/vda rw systemd.getty_auto=no")
}
