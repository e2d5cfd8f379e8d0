#!/bin/busybox sh
# shellcheck shell=dash
# sandbox-init.sh: the first process in the machine of scripts/sandbox.sh. It
# does what systemd does on a real one, as far as the lessons can see it, runs
# the command and switches off. With --debian systemd is the first process, and
# this a service: its argument is "service". Four serial lines lead to
# sandbox.sh: one for what the two scripts tell each other, and the command's
# stdin, stdout and stderr. All tools here are busybox's: without KVM, programs
# with shared libraries take five times as long to start.
set -eu
if [ ! -d /lib/sandbox/bin ]; then
  echo "${0##*/}: this is for the machine of scripts/sandbox.sh alone" >&2
  exit 2
fi
export PATH=/lib/sandbox/bin

# pivot_root(2) refuses to leave the kernel's first root filesystem. Mounted
# once more and moved over itself it is a mount like any other. (The kernel
# gives its own arguments to this script.)
case ${1:-} in
service) ;;
again)
  mount -t devtmpfs -o mode=755 devtmpfs /dev
  cp -a /lib/sandbox/dev/. /dev/
  mount -a
  mount --make-rshared /
  echo sandbox >/proc/sys/kernel/hostname
  ip link set lo up
  modprobe -a virtio_pci virtio_blk
  ;;
*)
  mount --bind / /mnt
  cd /mnt
  mount --move . /
  exec chroot . /init again
  ;;
esac
systemd=''
[ "$1" != service ] || systemd=yes

# The lines, of which the second is also the terminal, and the disk with the job.
# The kernel of a PC leaves the first four names to what is on its board.
first=4 disk=/dev/vda
[ ! -e /dev/ttyAMA0 ] || first=0
[ -z "$systemd" ] || disk=/dev/vdb
line=/dev/ttyS$first in=/dev/ttyS$((first + 1)) out=/dev/ttyS$((first + 2))
err=/dev/ttyS$((first + 3)) terminal=$in

# watch takes the new sizes of sandbox.sh's terminal. When sandbox.sh ends, by
# whatever means, the line does, and then the machine.
watch() {
  while read -r rows columns; do
    stty rows "$rows" columns "$columns" <$terminal
  done
  poweroff -f
}

# Each line is opened once: closing it would throw away what waits in it. This one is
# opened before the disk is read: the kernel notices that the other end has gone only
# when it looks at all lines, as it does when the disk answers.
exec 3<>$line
stty raw -echo <&3
watch <&3 3>&- &

# What sandbox.sh brings. Its job sets the arguments.
tar -xf $disk -C /
chmod 1777 /tmp
# shellcheck disable=SC1091
. /job
mv /job /run
user=$1 directory=$2 TERM=$3 size=$4
shift 4

as='' home=/root
paths=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
chown learner:learner /home/learner
if [ "$user" = learner ]; then
  as='/bin/setpriv --reuid learner --regid learner --init-groups'
  home=/home/learner
fi

# make_session SLICE... does what logind does: it makes the place in the tree of
# cgroups that systemd gives to root's login, and to the scope of
# systemd-run --user --scope -p Delegate=yes
make_session() {
  cd /sys/fs/cgroup
  for name in user.slice "$@"; do
    echo +cpu +memory +pids >cgroup.subtree_control
    mkdir -p "$name"
    cd "$name"
  done
}
if [ -z "$systemd" ]; then
  make_session user-1000.slice user@1000.service app.slice run-1.scope
  session=$PWD
  cd ../.. # user@1000.service: its limits stay root's
  chown learner:learner . cgroup.procs cgroup.threads cgroup.subtree_control
  chown -R learner:learner app.slice
  if [ "$user" = root ]; then
    make_session user-0.slice session-1.scope
    session=$PWD
  fi
fi

# run becomes the command. With systemd that is in a session as of login(1). It takes
# the command from the job, since systemd-run changes arguments with a $ in them. A
# command that a signal ends must not pass for success.
run() {
  if [ -n "$systemd" ]; then
    [ "$user" = root ] || paths=/usr/local/bin:/usr/bin:/bin
    streams=--pipe
    [ -z "$size" ] || streams="-p TTYPath=$terminal -p StandardInput=tty
      -p StandardOutput=tty -p StandardError=tty"
    # shellcheck disable=SC2086,SC2016 # several words; for the sh in there
    exec /bin/systemd-run --quiet --wait --collect $streams --uid="$user" \
      -p PAMName=login -p IgnoreSIGPIPE=no -p WorkingDirectory="$directory" \
      --setenv=PATH=$paths --setenv=LANG=C.UTF-8 --setenv=TERM="$TERM" \
      -- /bin/sh -c '. /run/job; shift 4; "$@"; exit $?'
  fi
  echo 0 >"$session/cgroup.procs"
  cd "$directory"
  # shellcheck disable=SC2086 # several words, or none
  exec $as env -i HOME=$home USER="$user" LOGNAME="$user" SHELL=/bin/bash \
    PATH=$paths LANG=C.UTF-8 TERM="$TERM" "$@"
}

status=0
if [ -n "$size" ]; then
  echo started >&3
  chown "$user" $terminal
  exec 4<>$terminal # if nobody had it open, it would forget its size
  # shellcheck disable=SC2086 # rows and columns
  stty rows ${size% *} columns ${size#* } <&4
  (run setsid -c "$@") <&4 >&4 2>&4 3>&- 4>&- || status=$?
else
  exec 4<$in 5>$out 6>$err
  for fd in 4 5 6; do stty raw -echo <&$fd; done
  echo started >&3
  mkfifo /run/in /run/out /run/err
  cat /run/out >&5 &
  cats=$!
  cat /run/err >&6 &
  cats="$cats $!"
  exec 7>/run/out 8>/run/err
  # A serial line has no end of file: a dot takes its place.
  awk '/^\.$/ { exit } { print }' <&4 7>&- 8>&- |
    base64 -d >/run/in 7>&- 8>&- &
  (run "$@") </run/in >&7 2>&8 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- || status=$?
  # What the command left running ends with it.
  # With systemd, whose own are others, it is in this one.
  for group in /sys/fs/cgroup/"${systemd:+user.slice}"*/cgroup.kill; do
    echo 1 >"$group"
  done
  exec 7>&- 8>&-
  # shellcheck disable=SC2086 # two words
  wait $cats || true
fi
echo $status >&3
# stty waits until everything is written.
for tty in $terminal $line $out $err; do stty raw -echo <"$tty"; done
poweroff -f
