#!/usr/bin/env bash
# inside.sh: sets the stage for a benchmark, in a mount namespace of its own,
# and runs it.
#
#   inside.sh COMMAND [ARGUMENT ...]
set -euo pipefail

# /run is empty, so that what the tools note there is gone at the end. crun 1.8
# refuses a cgroup v2 beside v1.
mount -t tmpfs tmpfs /run
if mountpoint -q /sys/fs/cgroup/unified; then
  umount /sys/fs/cgroup/unified
fi

# own CONTROLLER prints the directory of the cgroup that we are in.
own() {
  sed -n "s|^[0-9]*:\([^:]*,\)*$1\(,[^:]*\)*:|/sys/fs/cgroup/$1|p" \
    /proc/self/cgroup
}

# Where the floor makes its cgroup: beside ours on v2, below ours on v1.
if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
  ours=$(sed -n 's/^0:://p' /proc/self/cgroup)
  CGROUP=/sys/fs/cgroup${ours%/*}
  export CGROUP
else
  MEMORY=$(own memory) PIDS=$(own pids) CPU=$(own cpu)
  export MEMORY PIDS CPU
fi
exec "$@"
