#!/bin/sh
# shellcheck shell=sh
# line: the page's own line to the machine, the fourth serial one. It takes a
# request a line, and answers each by its first word:
#   size N ROWS COLUMNS   of terminal N
#   date SECONDS          since 1970: the machine was saved long ago
#   entropy TEXT          so that no two machines draw the same numbers
#   forked PID            wait until the newest process with that number, in a
#                         namespace of its own or not, has become its command
#   follow NN             a guide through that lesson, scripts/follow.sh, begins
#   look                  it looks, and what it says is the line before the answer
busybox stty raw -echo
trap '' PIPE # of a guide that has ended

# is_forked PID: a shell's child that has not called execve yet bears
# PF_FORKNOEXEC in its flags, proc_pid_stat(5).
is_forked() {
  # shellcheck disable=SC2013 # names without spaces
  for status in $(busybox grep -l "^NSpid:.*	$1\$" /proc/[0-9]*/status); do
    stat=$(busybox sed 's/.*) //' "${status%us}") || continue
    # shellcheck disable=SC2086 # in words
    set -- $stat
    [ $(($7 & 0x40)) -eq 0 ] || return 0
  done 2>/dev/null
  return 1
}

echo ready
while read -r what a b c; do
  case $what in
  size) busybox stty -F "/dev/ttyS$((a - 1))" rows "$b" cols "$c" ;;
  date) busybox date -s "@$a" >/dev/null ;;
  entropy) echo "$a" >/dev/urandom ;;
  forked)
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      is_forked "$a" || break
      busybox usleep 20000
    done
    ;;
  follow)
    rm -f /run/guide.in /run/guide.out
    mkfifo /run/guide.in /run/guide.out
    (cd /home/guest/namespaces && exec nice bash scripts/follow.sh --lines "$a") \
      </run/guide.in >/run/guide.out 2>/dev/null &
    exec 3>/run/guide.in 4</run/guide.out
    ;;
  look)
    said=''
    { echo >&3 && IFS= read -r said <&4; } 2>/dev/null
    printf '%s\n' "$said"
    ;;
  esac
  echo "$what"
done
