#!/bin/sh
# shellcheck shell=sh
# init: what the machine in the page does when it starts: what systemd does, as
# far as the lessons can see it. Then it becomes /sbin/init,
# which keeps a shell at each terminal. It runs once, when the machine is built:
# the page begins with the memory of after that.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# pivot_root(2) refuses to leave the kernel's first root filesystem. Mounted
# once more and moved over itself it is a mount like any other.
case ${1:-} in
again) ;;
*)
  busybox mount -o bind / /mnt
  cd /mnt
  busybox mount -o move . /
  exec busybox chroot . /lib/machine/init again
  ;;
esac
busybox mount -t devtmpfs -o nosuid,mode=755 devtmpfs /dev
exec </dev/console >/dev/console 2>&1
mkdir -p /dev/pts /dev/shm /dev/mqueue
ln -s /proc/self/fd /dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${n%:*}" "/dev/${n#*:}"; done
busybox mount -a
mount --make-rshared /
/lib/machine/setserial
hostname hotel
ip link set lo up
echo 1 >/proc/sys/kernel/printk # nothing on the first terminal but the learner's

# The place in the tree of cgroups that systemd gives to a login, and below it
# a scope for each terminal, as of systemd-run --user --scope -p Delegate=yes
cd /sys/fs/cgroup
for name in user.slice user-1000.slice user@1000.service app.slice; do
  echo '+cpu +memory +pids' >cgroup.subtree_control
  mkdir $name
  cd $name
done
echo '+cpu +memory +pids' >cgroup.subtree_control
mkdir terminal-1.scope terminal-2.scope terminal-3.scope
cd ../..
chown guest:guest user@1000.service/cgroup.procs \
  user@1000.service/cgroup.threads user@1000.service/cgroup.subtree_control \
  user@1000.service
chown -R guest:guest user@1000.service/app.slice

chown -R guest:guest /home/guest
mkdir -m 755 /run/sudo
echo 32768 >/proc/sys/kernel/pid_max
echo 20000 >/proc/sys/kernel/ns_last_pid # the texts count from there
cd /
exec bash -c 'exec -a /sbin/init dash' </lib/machine/loop
