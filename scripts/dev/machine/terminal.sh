#!/bin/sh
# shellcheck shell=sh
# terminal N: a shell of the guest's at one of the machine's terminals, in a
# cgroup of its own. loop starts it, and starts it again when it ends.
echo 0 >"/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/terminal-$1.scope/cgroup.procs"
stty sane iutf8 rows 24 columns 80
chown guest:tty "/dev/ttyS$(($1 - 1))"
cd /home/guest/namespaces || cd /
# What was started in the background ignores SIGINT and SIGQUIT, and so would
# all that starts from here.
exec env -i --default-signal=INT,QUIT HOME=/home/guest USER=guest LOGNAME=guest \
  SHELL=/bin/bash PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 TZ=UTC0 \
  TERM=xterm-256color setpriv --reuid guest --regid guest --init-groups bash
