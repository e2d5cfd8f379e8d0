#!/usr/bin/env bash
# sandbox.sh, as the machine in the page has it: that is a throw-away Linux
# already. So this is a command there, or a shell of root's, in a cgroup like those
# of systemd. When it ends, so does all that it has started.
# Usage: scripts/sandbox.sh [--user] [COMMAND...]
set -euo pipefail
[[ ${1:-} != --user ]] || exec "${@:2}"
[[ $# -gt 0 ]] || set -- bash
# shellcheck disable=SC2016 # for root's shell
exec sudo unshare --pid --fork --kill-child --mount-proc bash -euc '
  slice=/sys/fs/cgroup/user.slice/user-0.slice
  mkdir -p "$slice/session-1.scope"
  echo +cpu +memory +pids >"$slice/cgroup.subtree_control"
  echo 0 >"$slice/session-1.scope/cgroup.procs"
  exec "$@"' - "$@"
