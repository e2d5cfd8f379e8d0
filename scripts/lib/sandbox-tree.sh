# shellcheck shell=bash
# shellcheck disable=SC2154 # sandbox.sh's variables
# sandbox-tree.sh: the files of the machine that scripts/sandbox.sh starts. It
# is sourced, not run.

# What the machine gets from this one.
from_packages="bash bsdextrautils bsdutils coreutils dash diffutils findutils
  grep hostname iproute2 iptables iputils-ping less libc-bin libcap2-bin mawk
  mount ncurses-bin nftables procps sed socat strace tar util-linux util-linux-extra"
# install_init DIR FILE puts the init script there as FILE, and its programs.
install_init() {
  local program
  mkdir -p "$1/lib/sandbox/bin"
  for program in $(busybox --list); do
    ln -s /bin/busybox "$1/lib/sandbox/bin/$program"
  done
  cp "${BASH_SOURCE[0]%-tree.sh}-init.sh" "$1/$2"
}

# copy_programs DIR puts there what this machine has of those packages.
copy_programs() {
  local programs libraries
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
  [[ ! -e $1/sbin/iptables-nft ]] || cp -r --parents /usr/lib/*/xtables "$1"
}

# get_programs DIR APT puts there the files of those packages, and of all that they
# need, for another kind of processor. None of them runs here.
get_programs() {
  local package
  own_apt "$2" apt-get update -qq >"$2.log" 2>&1 || true
  # shellcheck disable=SC2086 # a list
  own_apt "$2" apt-get install -qq -y --download-only --no-install-recommends \
    $from_packages busybox-static iptables base-files libc6 >"$2.log" 2>&1 ||
    die "cannot get the programs for $arch: is there a network?" "$(tail -n 5 "$2.log")"
  for package in "$2"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -xf - -C "$1" --keep-directory-symlink \
      --exclude=./usr/share/{doc,man,locale,i18n,perl,zoneinfo} --exclude=./{var,dev} \
      --exclude=./usr/lib/\*/{gconv,perl,perl-base} --exclude=./usr/bin/perl\*
  done
  ln -sf mawk "$1/bin/awk"
  rm -rf "$2" "$2.log"
}

# build_tree DIR KERNEL puts the machine's files there, with the modules of that
# kernel.
build_tree() {
  local dir program
  mkdir -p "$1"/{etc,dev,home/learner,mnt,opt,proc,root,run,srv,sys,tmp,var/tmp}
  chmod 1777 "$1/var/tmp"
  mkdir -p "$1"/usr/{bin,lib,lib64,local/bin,sbin,share}
  for dir in bin lib lib64 sbin; do ln -s "usr/$dir" "$1/$dir"; done
  if [[ $arch == "$native" ]]; then
    copy_programs "$1"
  else
    get_programs "$1" "$1.apt"
  fi
  [[ ! -e $1/sbin/iptables-nft ]] || ln -sf iptables-nft "$1/sbin/iptables"

  # The init script takes all programs from busybox. Everybody else takes others first.
  mkdir -p "$1"/lib/sandbox/dev/{mqueue,pts,shm}
  install_init "$1" init
  for program in $(busybox --list); do
    [[ -e $1/bin/$program || -e $1/sbin/$program ]] ||
      ln -s /bin/busybox "$1/bin/$program"
  done
  ln -s /proc/self/fd "$1/lib/sandbox/dev/fd"
  ln -s fd/0 "$1/lib/sandbox/dev/stdin"
  ln -s fd/1 "$1/lib/sandbox/dev/stdout"
  ln -s fd/2 "$1/lib/sandbox/dev/stderr"

  # The kernel runs /sbin/modprobe when it lacks a module that it has here.
  ln -sf /bin/busybox "$1/sbin/modprobe"
  mkdir -p "$1/lib/modules"
  cp -r "$2"/modules/. "$1/lib/modules"

  echo sandbox >"$1/etc/hostname"
  echo '127.0.0.1 localhost sandbox' >"$1/etc/hosts"
  # A terminal that is dumb edits a line itself.
  cat >"$1/etc/bash.bashrc" <<'END'
PS1='\u@\h:\w\$ '
[ "$TERM" != dumb ] || set +o emacs
END
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
tmpfs   /var/tmp       tmpfs   nosuid,nodev,mode=1777,size=100%
END
}
