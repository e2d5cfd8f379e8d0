# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # sandbox.sh's variables
# shellcheck disable=SC2054 # the commas are meant
# sandbox-engines.sh: what can run the machine of scripts/sandbox.sh. It is
# sourced, not run. An engine is three functions:
#   NAME_packages       prints what a Debian has for it, beyond the others
#   NAME_disk ROOT DIR  mends a Debian in ROOT, and keeps in DIR what goes with
#                       its disk
#   NAME_machine        sets engine_command, and minutes, the time to start in.
#                       It may add to wall.
# fd 7 and 3 of the command are the line to the init script, 4 to 6 the streams
# of what it runs, 8 is the log. It starts in $cache, and has relative paths:
# $cache may have blanks and commas.

# === uml: a kernel of Debian that is an ordinary process ===

uml_packages() { :; }

uml_disk() {
  install_modules "$1/usr"
  mend_procps "$1"
}

# hostfs gives root inside the host's files, as the user who runs this: it must
# not start. The other two take a second, for what nobody needs here.
uml_machine() {
  local dir=/tmp/ boot=("initrd=$machine" root=)
  [[ ${#wall[@]} -gt 0 ]] || dir=run.$$/
  minutes=0.5
  if [[ -n $suite ]]; then # what it writes to the disk goes to another file
    boot=("ubd1=run.$$/changes,$machine" root=/dev/ubdb rw security=apparmor)
    minutes=2
  fi
  engine_command=(linux.uml quiet "mem=$mem" "${boot[@]}"
    "ubd0r=run.$$/disk" "uml_dir=$dir" noreboot pty.legacy_count=0
    initcall_blacklist=init_hostfs,raid6_select_algo,init_zswap
    con=null con1=null,fd:8 console=tty1 ssl=null ssl0=fd:7,fd:3)
  if [[ -n $terminal ]]; then
    engine_command+=(con0=fd:4)
  else
    engine_command+=(ssl1=fd:4,null ssl2=null,fd:5 ssl3=null,fd:6)
  fi
}

# === qemu: a PC, with the kernel of the suite itself ===

qemu_packages() { echo linux-image-amd64; }

qemu_disk() {
  cp "$1"/boot/vmlinuz-* "$2/disk.kernel"
  cp "$1"/boot/initrd.img-* "$2/disk.initrd"
}

qemu_machine() {
  local accel=tcg fd line lines=()
  # A machine that is virtual itself may have the device without what it needs.
  if [[ -w /dev/kvm ]] && grep -qE '^flags.* (vmx|svm) ' /proc/cpuinfo; then
    accel=kvm
    [[ ${#wall[@]} -eq 0 ]] || wall+=(--dev-bind /dev/kvm /dev/kvm)
  fi
  minutes=10
  for fd in 4 5 6 8; do lines+=(-add-fd "fd=$fd,set=$fd"); done
  lines+=(-chardev file,id=log,path=/dev/fdset/8,append=on -serial chardev:log)
  lines+=(-chardev stdio,id=line0,signal=off)
  lines+=(-chardev pipe,id=line1,path=/dev/fdset/4
    -chardev file,id=line2,path=/dev/fdset/5,append=on
    -chardev file,id=line3,path=/dev/fdset/6,append=on)
  line=pci-serial-4x,chardev1=line0,chardev2=line1,chardev3=line2,chardev4=line3
  # shellcheck disable=SC2016 # bash expands it
  engine_command=(bash -c 'TMPDIR=$0 exec "$@" <&7 >&3' "run.$$"
    qemu-system-x86_64 -nodefaults
    -no-user-config -display none -no-reboot -sandbox on,spawn=deny
    -accel "$accel" -smp 2 -m "$mem" "${lines[@]}" -device "$line"
    -drive "file=$machine,format=raw,if=virtio,snapshot=on"
    -drive "file=run.$$/disk,format=raw,if=virtio,readonly=on"
    -kernel "$machine.kernel" -initrd "$machine.initrd" -append "quiet panic=-1
      console=ttyS0 8250.nr_uarts=8 root=/dev/vda rw systemd.getty_auto=no")
}
