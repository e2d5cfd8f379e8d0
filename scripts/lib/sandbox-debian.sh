# shellcheck shell=bash
# sandbox-debian.sh: the disk of a real Debian, for scripts/sandbox.sh --debian.
# It is sourced, not run.

# debian_packages prints what a server or a laptop has, two services that
# manage networks among it, and what the scripts need.
debian_packages() {
  echo systemd-sysv systemd-resolved udev dbus dbus-user-session libpam-systemd \
    apparmor kmod login passwd sudo less strace iputils-ping network-manager
  rows lib/packages | awk -F '\t' '$2 ~ /^(tour|demo|net)$/ { print $3 }' | sort -u
}

# debian_disk SUITE prints the name of that disk, which changes when something on it
# does.
debian_disk() {
  local hash dir=${BASH_SOURCE[0]%/*}
  hash=$({
    debian_packages
    declare -f get_kernel get_modules get_needed unpack_kernel build_initrd
    cat "$dir"/sandbox-{debian,init,tree}.sh
  } | sha256sum)
  echo "debian-$1-${hash:0:16}.ext4"
}

# build_debian SUITE DIR makes DIR/disk, with packages from the mirror of this machine's
# apt. mmdebstrap needs root, since the files belong to many users. It mounts /proc, /sys
# and /dev there, and leaves them if it is killed: hence namespaces of its own, which end
# when this process does. While it runs, builder is its PID: it is in the background,
# since a trap does not wait for a background job.
build_debian() {
  local mirror dir=$2 files=$2/files unit root=()
  [[ $EUID -eq 0 ]] || root=(sudo) # as_root would be one process more
  mirror=$(apt-get indextargets --format "\$(REPO_URI)" \
    'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  [[ -n $mirror ]] ||
    die "apt has no index of a Debian mirror" "sudo apt-get update"
  # This machine's proxies and the like, but not other files that apt is to download.
  apt-config dump | grep '^Acquire::[^"]* "[^"]\+"' |
    grep -v '^Acquire::IndexTargets' >"$dir/apt.conf" || true

  mkdir -p "$dir/kernel" "$files"/{etc/{sudoers.d,systemd/system},home}
  install_init "$files/usr" lib/sandbox/init
  echo debian >"$files/etc/hostname"
  printf '127.0.0.1 %s\n' localhost debian >"$files/etc/hosts"
  echo 'learner ALL=(ALL:ALL) NOPASSWD: ALL' >"$files/etc/sudoers.d/learner"
  # No line of its own for each boot, no service that waits for a network, and nothing
  # that takes an emulated processor seconds and has no part in what runs there: udev
  # hears of new devices, but not again of those that were there first.
  : >"$files/etc/machine-id"
  for unit in {apt-daily,apt-daily-upgrade,dpkg-db-backup,e2scrub_all}.timer \
    {e2scrub_reap,getty@tty1,ldconfig}.service modprobe@{dm_mod,drm,efi_pstore,loop}.service \
    systemd-{journal-catalog-update,network-generator,networkd-persistent-storage}.service \
    systemd-{networkd-wait-online,random-seed,udev-load-credentials,udev-trigger}.service \
    systemd-{update-done,update-utmp,update-utmp-runlevel}.service; do
    ln -s /dev/null "$files/etc/systemd/system/$unit"
  done
  cat >"$files/etc/systemd/system/sandbox.service" <<'END'
[Unit]
Description=The command that sandbox.sh brings
After=dbus.service systemd-logind.service systemd-user-sessions.service

[Service]
ExecStart=/lib/sandbox/init service
StandardError=journal+console
FailureAction=poweroff-immediate

[Install]
WantedBy=multi-user.target
END

  # A hook is a line of sh, and $1 the new root.
  # shellcheck disable=SC2016
  "${root[@]}" env TMPDIR="$dir" NSL_FILES="$files" \
    setpriv --pdeathsig KILL unshare --mount --pid --mount-proc --fork --kill-child \
    mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
    --include="$(debian_packages | xargs | tr ' ' ,)" \
    --aptopt="$dir/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='chmod 755 "$1/root"; chroot "$1" useradd -m -s /bin/bash learner' \
    --customize-hook='cp -r "$NSL_FILES/." "$1"' \
    --customize-hook='chroot "$1" systemctl --quiet disable NetworkManager' \
    --customize-hook='chroot "$1" systemctl --quiet enable sandbox \
      systemd-networkd systemd-resolved' \
    "$1" "$dir/root" "$mirror" &
  builder=$!
  wait "$builder"
  builder=''
  get_kernel "$dir/kernel" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main"
  build_initrd "$dir/kernel" "$dir/disk.initrd"
  mv "$dir/kernel/vmlinux" "$dir/disk.kernel"
  as_root cp -r "$dir/kernel/modules" "$dir/root/usr/lib/"
  as_root chown -R 0:0 "$dir/root/usr/lib/modules"
  # kmod reads an index that busybox's depmod does not make.
  as_root chroot "$dir/root" /sbin/depmod "$(ls "$dir/kernel/modules")"
  as_root mke2fs -q -F -t ext4 -d "$dir/root" "$dir/disk" 2500M
  as_root rm -r "$dir/root"
  as_root chown "$(id -u):$(id -g)" "$dir"/disk*
}
