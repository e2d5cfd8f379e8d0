#!/usr/bin/env bash
# -freeze: SIGTSTP freezes all of the container, then stops the launcher.
# Usage: 08-cgroups/exercises/1-freeze/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"

# ticks PID prints the CPU time that a process has had.
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

# progress PID watches a process for two seconds at most.
progress() {
  local before deadline=$((SECONDS + 3))
  before=$(ticks "$1")
  until [[ $(ticks "$1") -gt $before ]]; do
    [[ $SECONDS -lt $deadline ]] || { echo 'it stands still' && return; }
    sleep 0.05
  done
  echo 'it runs'
}

# stopped checks whether the launcher is: its shell would print a prompt now.
stopped() { [[ $(ps -o stat= --ppid "${launcher[a]}") == T* ]]; }

run a -freeze
ask a '(while :; do :; done) & echo $!'
background=$(outside a "$answer")
[[ -n $background ]] || die "the shell inside started no process: $answer"
point freeze 'a process in the background' "$(progress "$background")" 'it runs' \
  'What has stopped it?'

signal a TSTP
seen='it is not stopped'
! soon stopped || seen='it is stopped'
point freeze 'after SIGTSTP, as from Ctrl-Z: the launcher' "$seen" 'it is stopped' \
  'For what does your launcher wait before it stops itself?'
point freeze 'the process in the background' "$(progress "$background")" 'it stands still' \
  'Which processes get your signal? Which file of the cgroup is for all of them?'
seen=$(ps -o stat= -p "${shell[a]},$background" | grep -c '^T') || true
point freeze 'processes that have been sent a stop signal' "$seen" 0 \
  'waitpid(2), WUNTRACED: who is told of a stopped process? The freezer of cgroups notifies nobody.'

signal a CONT
point freeze 'after SIGCONT: the process in the background' "$(progress "$background")" \
  'it runs' 'Who hears of SIGCONT?'
ask a 'echo here'
point freeze 'the shell' "$answer" here 'Is it frozen, or stopped, or both?'

# Once more, to be killed. Then nobody is left to remove the cgroup.
cgroups=$(cut -d : -f 3 "/proc/${shell[a]}/cgroup" | sort -u)
signal a TSTP
soon stopped || true
signal a KILL
point freeze 'when the launcher is killed while all are frozen' \
  "$(gone_soon "${shell[a]}" "$background")" 'its command is gone' \
  'Which signal reaches a frozen process? Not the same on cgroup v1 and v2.'
for path in $cgroups; do
  grep -qxF "$path" <(cut -d : -f 3 /proc/self/cgroup) ||
    find /sys/fs/cgroup -ignore_readdir_race -depth -type d -path "/sys/fs/cgroup*$path" -exec rmdir {} \;
done

finish_check
