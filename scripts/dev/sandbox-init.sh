#!/bin/bash
# sandbox-init.sh: the first process in the machine of scripts/sandbox.sh. It
# does what systemd does on a real one, as far as the lessons can see it, runs
# the command and switches off. The serial lines lead to sandbox.sh: 0 for the
# two scripts themselves; 1, 2, 3 are the command's stdin, stdout, stderr.
set -eu
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# pivot_root(2) refuses to work in the kernel's first filesystem. Mounted once
# more, on top of itself, it is as good as any other.
if [[ $# -eq 0 ]]; then
  busybox mount --bind / /mnt
  cd /mnt
  busybox mount --move . /
  exec chroot . /init again
fi

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o mode=755 devtmpfs /dev
mkdir /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm
mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
mount --make-rshared /
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
hostname sandbox
ip link set lo up

# A login's place in the cgroup tree, as systemd makes it.
session=/sys/fs/cgroup/user.slice/session-1.scope
mkdir -p $session
for group in /sys/fs/cgroup /sys/fs/cgroup/user.slice; do
  echo +cpu +memory +pids >$group/cgroup.subtree_control
done

tar -xf /dev/ubda -C /
chmod 1777 /tmp
user='' size='' directory='' terminal='' command=() # sandbox.sh wrote these:
# shellcheck disable=SC1091
source /job
rm /job
as=() home=/root
if [[ $user == learner ]]; then
  as=(setpriv --reuid learner --regid learner --init-groups) home=/home/learner
  # What systemd-run --user --scope -p Delegate=yes gives.
  chown learner $session $session/cgroup.{procs,threads,subtree_control}
fi

# run becomes the command.
run() {
  echo $BASHPID >$session/cgroup.procs
  cd "$directory"
  exec "$@" "${as[@]}" env -i PATH="$PATH" HOME="$home" USER="$user" \
    LOGNAME="$user" SHELL=/bin/bash LANG=C.UTF-8 TERM="$terminal" \
    "${command[@]}"
}

stty -F /dev/ttyS0 raw -echo
exec {host}<>/dev/ttyS0
if [[ -z $size ]]; then
  exec {in}</dev/ttyS1
  for line in 1 2 3; do stty -F /dev/ttyS$line raw -echo; done
fi
echo started >&"$host"
status=0
if [[ -n $size ]]; then
  chown "$user" /dev/tty0
  # shellcheck disable=SC2086 # rows and columns
  stty -F /dev/tty0 rows ${size% *} cols ${size#* }
  while read -r rows columns; do
    stty -F /dev/tty0 rows "$rows" cols "$columns"
  done <&"$host" &
  (run setsid -c -w) <>/dev/tty0 >&0 2>&0 {host}>&- || status=$?
else
  exec {out}> >(exec cat >/dev/ttyS2)
  out_cat=$!
  exec {err}> >(exec cat >/dev/ttyS3)
  err_cat=$!
  # A serial line has no end of file: a dot marks it.
  (run) < <(sed '/^\.$/q' <&"$in" | base64 -d) >&"$out" 2>&"$err" \
  {out}>&- {err}>&- {host}>&- || status=$?
  # What it left running ends too, so that the pipes do.
  for group in /sys/fs/cgroup/*/cgroup.kill; do echo 1 >"$group"; done
  exec {out}>&- {err}>&-
  wait "$out_cat" "$err_cat" || true
fi
echo "$status" >&"$host"
# stty waits until all output is out.
for line in tty0 ttyS0 ttyS2 ttyS3; do stty -F /dev/$line -echo; done
busybox poweroff -f
