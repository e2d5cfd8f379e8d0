#!/usr/bin/env bash
# -drop CAPABILITY,...: a root that may do less.
# Usage: 08-cgroups/exercises/2-drop/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

# try RUN COMMAND lets the shell inside run it: is root allowed to?
try() {
  ask "$1" "$2"
  if [[ $status == 0 ]]; then
    seen=yes
  elif grep -qiE 'not permitted|permission denied|are you root' <<<"$answer"; then
    seen=no
  else
    seen=$answer
  fi
}

run a -drop=sys_admin,sys_chroot
run b -drop=net_admin

try a 'mount -t tmpfs none /tmp'
point drop 'without sys_admin: to mount' "$seen" no \
  'grep Cap /proc/self/status inside. What does root get when it calls execve(2)?'
try a 'hostname mine'
point drop 'without sys_admin: to set the hostname' "$seen" no \
  'The hostname that you have set yourself: before or after?'
try a 'chroot / true'
point drop 'without sys_chroot: to change the root' "$seen" no \
  'One prctl(2) for each. Which of the sets of a process is the one that lasts?'
try a 'ip link set lo down && ip link set lo up'
point drop 'and still, to set lo down and up' "$seen" yes \
  'What else did you drop? capabilities(7): what a capability is for, and what not.'

try b 'ip link set lo down'
point drop 'without net_admin: to set lo down' "$seen" no \
  'Is it out of the bounding set, or of the set of the program that calls execve(2)?'
try b 'hostname mine && mount -t tmpfs none /tmp && chroot / true'
point drop 'and still, to set the hostname, to mount, to change the root' "$seen" yes \
  'What else did you drop?'

point drop 'a name that is no capability' "$(refuses c -drop=sys_admin,no_such)" 'an error' \
  'A typing error must not leave root with what was to be dropped.'

finish_check
