#!/usr/bin/env bash
# lab.sh: what break.sh NN ? runs in namespaces of its own, which play the host: a
# healthy container of a lesson, one that is broken, and a shell to look at both.
# Usage, inside: lab.sh NN-name HEALTHY UNKNOWN DIR [FLAG...], two programs and an
# empty directory
set -euo pipefail
source "$(dirname "$0")/all.sh"
answer_help "$@"

lesson=$1 dir=$4
[[ $$ -eq 1 ]] || misused "this is for break.sh"

# What a container leaks reaches the lab, as it would a host with systemd, and ends with
# the lab.
mount --make-rshared /
mount -t mqueue mqueue /dev/mqueue
hostname lab
ip link set lo up
mount -t tmpfs -o mode=755 lab "$dir"
cd "$dir"
mkdir proc healthy unknown
cp "$2" "healthy/$lesson"
cp "$3" "unknown/$lesson"
rm -r "${3%/*/*}" # its source
ln -s "$repo/scripts" "$repo/docs" .
# A /proc that no container covers.
mount -t proc proc proc
mount --make-private proc

launchers=() healthy='' unknown=''
flags=("${@:5}")

# start NAME starts that container, and sets NAME to the PID of its command, or of its
# last process. A file that is open shows whether descriptors get inside.
start() {
  local pid child n
  "$1/$lesson" "${flags[@]}" sleep 100000 </dev/null >"$1/said" 2>&1 9<"$dir" &
  launchers+=($!)
  disown
  for ((n = 0; n < 60; n++)); do
    pid=$!
    while child=$(cut -d ' ' -f 1 "proc/$pid/task/$pid/children" 2>/dev/null) && [[ -n $child ]]; do
      pid=$child
    done
    [[ $(cat "proc/$pid/comm" 2>/dev/null) != sleep ]] || break
    sleep 0.05
  done
  printf -v "$1" %s "$pid"
  export "${1?}"
}
start healthy
start unknown
umount "$dir/proc"
rmdir proc

say "This lab has namespaces of its own, and two containers of lesson $lesson:"
cat <<END_OF_TEXT
  \$healthy  is process $healthy, the command in a healthy one
  \$unknown  is process $unknown, of one in which something is broken
  healthy/$lesson and unknown/$lesson start more of them, healthy/said and
  unknown/said have what they said. How to find out: docs/diagnosis.md
Type exit when you know what is broken.
END_OF_TEXT

export PS1='lab# '
bash --norc || true
# They remove their cgroups. Everything else ends with process 1.
kill "${launchers[@]}" 2>/dev/null || true
soon not kill -0 "${launchers[@]}" 2>/dev/null || true
