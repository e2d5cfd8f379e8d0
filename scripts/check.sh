#!/usr/bin/env bash
# check.sh holds a launcher, any program that runs a command in new
# namespaces, against a lesson: are they the lesson's, and do they isolate?
#
#   scripts/check.sh [options] NN                 your own lesson, work/NN-name
#   scripts/check.sh [options] NN -- COMMAND...   the launcher COMMAND
#
#   --only TYPE   these points alone: pid mnt uts ipc net user root cgroup
#                 time host
#   --twin        the launcher is a shell twin: excuse what lessons.tsv says.
#                 Without COMMAND, it is the one of lessons.tsv
#   --quiet       print only what is not ok
#   --tap         print TAP, the Test Anything Protocol
#
#   scripts/check.sh 03 -- sudo bin/03-uts
#   scripts/check.sh 06 -- bin/06-user -hostname mine
#
# COMMAND gets a shell as its last arguments, and has to run that inside. The
# check talks to the shell, but believes what it sees from the outside: the
# files in /proc of the process that the shell is.
#
# A launcher that needs root (your own lessons 01 to 05, or a COMMAND that
# starts with sudo) is checked as root from start to end: only root can work
# on copies of the mounts, so that a launcher's fault can not cover yours.
#
# Exit status: 0 all points hold, 1 one does not, 2 the command line is wrong.
# CHECK_TIMEOUT: seconds to wait for an answer of the launcher (20).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check/points.sh
source "$(dirname "$0")/check/points.sh"
# shellcheck source-path=SCRIPTDIR source=check/host.sh
source "$(dirname "$0")/check/host.sh"

usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# misused NOTE: the command line makes no sense.
misused() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  printf '  %s -h\n' "$0" >&2
  exit 2
}

## What is asked for

types=(pid mnt uts ipc net user time cgroup)
only='' twin='' quiet='' tap='' number='' command=() options=()
while [[ $# -gt 0 ]]; do
  case $1 in
  -h | --help)
    usage
    exit 0
    ;;
  --only)
    only=${2:-}
    [[ " ${types[*]} root host " == *" ${only:-none} "* ]] ||
      misused "--only takes one of: ${types[*]} root host"
    options+=(--only "$only")
    shift
    ;;
  --twin) twin=yes options+=("$1") ;;
  --quiet) quiet=yes options+=("$1") ;;
  --tap) tap=yes options+=("$1") ;;
  --)
    shift
    command=("$@")
    [[ $# -gt 0 ]] || misused 'there is no COMMAND after --'
    break
    ;;
  -*) misused "unknown option $1" ;;
  *)
    [[ -z $number ]] || misused "one lesson, not both $number and $1"
    number=$1
    ;;
  esac
  shift
done
[[ $number =~ ^0?([1-8])(-[a-z-]+)?$ ]] || misused 'NN is 01 to 08'
number=0${BASH_REMATCH[1]}
IFS=$'\t' read -r lesson own twin_command excuses < <(rows lessons | grep "^$number-")
patience=${CHECK_TIMEOUT:-20}
[[ $patience =~ ^[1-9][0-9]*$ ]] || misused 'CHECK_TIMEOUT is in seconds'

# from_lesson NN tells if the lesson is that one or a later one.
from_lesson() { [[ $number > $1 || $number == "$1" ]]; }

# is_own TYPE tells if the lesson has its own namespace of that type. A root
# directory of its own, it has from 07 on.
is_own() {
  [[ ,$own, == *,$1,* ]] || { [[ $1 == root ]] && from_lesson 07; }
}

# check_as_root COMMAND... starts all over as root, for a launcher that needs root.
check_as_root() {
  say "sudo for the check: this launcher needs root" >&2
  exec sudo env CHECK_TIMEOUT="$patience" "$repo/scripts/check.sh" "${options[@]}" "$number" -- "$@"
}

# Without COMMAND: your own lesson, built as you, or the twin.
if [[ ${#command[@]} -eq 0 ]]; then
  cd "$repo"
  ! from_lesson 07 || need_rootfs
  if [[ $twin ]]; then
    read -ra command <<<"$twin_command"
    if [[ $EUID -ne 0 ]] && ! from_lesson 06; then check_as_root "${command[@]}"; fi
  else
    [[ -d work/$lesson ]] || die "there is no work/$lesson" \
      "scripts/start.sh $number" \
      "or another launcher: $0 $number -- COMMAND"
    need_go
    make_work
    (cd work && as_user env CGO_ENABLED=0 go build -o bin/ "./$lesson") ||
      die "work/$lesson does not build"
    launcher "$lesson" "work/bin/$lesson"
    command=("${launch[@]}")
  fi
fi
if [[ $EUID -ne 0 && ${command[0]} == sudo && ${command[1]:--} != -* ]]; then
  check_as_root "${command[@]:1}"
fi

# What root mounts, all would have, and the hostname, too. So root works on
# copies of the mounts, which are peers of each other as systemd makes them,
# and of the hostname: what a launcher leaks shows here, and goes no further.
if [[ $EUID -eq 0 && -z ${CHECK_COPIES:-} ]] && unshare --mount --uts true; then
  # shellcheck disable=SC2016 # $0 and $@ are for that shell
  CHECK_COPIES=yes exec unshare --mount --propagation private --uts \
    sh -c 'mount --make-rshared / && exec "$0" "$@"' \
    "$repo/scripts/check.sh" "${options[@]}" "$number" -- "${command[@]}"
fi
unset CHECK_COPIES

install_for tour
read -r mark </proc/sys/kernel/random/uuid
dir=$(mktemp -d -t check-XXXXXX)
mkdir "$dir/mnt"
echo "a file of the host" >"$dir/host"

# Two runs of it at the same time, a and b: what is a run's own is not the
# other's. For each: the descriptors that lead to and from its shell, the
# process that is the launcher, the one that is the shell, and how it ended.
# And what check/points.sh finds out about them: their namespaces, cgroups and
# processes.
declare -A to=() from=() launcher=() shell=() ended=() id=()
cgroups=() kin=() queue='' covered=''

# What the shell inside does: a line in, its output and a mark with its exit
# status out. All that it needs is a shell.
# shellcheck disable=SC2016 # $line, $0 and $? are for the shell inside
loop='while read -r line; do eval "$line" 2>&1; echo "$0 $?"; done'

# start RUN starts the launcher. Opened for both reading and writing, a FIFO
# does not wait for its other end. Descriptor 9 and the variable are there to
# see if they get inside.
start() {
  local run=$1 to_run from_run fd
  mkfifo "$dir/$run.to" "$dir/$run.from"
  exec {to_run}<>"$dir/$run.to" {from_run}<>"$dir/$run.from"
  to[$run]=$to_run from[$run]=$from_run
  (
    for fd in "${to[@]}" "${from[@]}"; do exec {fd}>&-; done
    NSL_CHECK=$mark "${command[@]}" /bin/sh -c "$loop" "$mark-$run" \
      9<"$dir" && status=0 || status=$?
    echo "$mark-end $status"
  ) <"$dir/$run.to" >"$dir/$run.from" 2>"$dir/$run.errors" &
  launcher[$run]=$!
}

# listen RUN reads what the shell inside prints, up to its mark: answer and
# status. A launcher that has ended, or says nothing in time, is done with.
# In short steps: bash answers no Ctrl-C while it reads.
listen() {
  local line='' part deadline=$((SECONDS + patience))
  answer='' status=none
  while [[ -z ${ended[$1]:-} ]]; do
    if [[ $SECONDS -gt $deadline || ${#answer} -gt 100000 ]]; then
      ended[$1]="it does not end, and gives no answer in $patience seconds"
      patience=1 # the other run has had its time as well
    elif ! IFS= read -r -t 0.5 part <&"${from[$1]}"; then
      line+=$part # not yet a whole line
    else
      line+=$part
      case $line in
      "$mark-end "*) ended[$1]="it has ended with status ${line##* }" ;;
      "$mark-$1 "*)
        status=${line##* } answer=${answer%$'\n'}
        return
        ;;
      *) answer+=$line$'\n' ;;
      esac
      line=''
    fi
  done
  answer="nothing: ${ended[$1]}"
}

# ask RUN LINE lets the shell inside run LINE.
ask() {
  [[ -n ${ended[$1]:-} ]] || printf '%s\n' "$2" >&"${to[$1]}"
  listen "$1"
}

# finish RUN closes the line to the shell inside: that ends, and so should
# the launcher. One that does not is ended here, with its descendants.
finish() {
  local fd=${to[$1]}
  exec {fd}>&-
  unset "to[$1]"
  listen "$1"
  uncover_proc
  [[ ${ended[$1]} == *has\ ended* ]] || kill_all "$(family "${launcher[$1]}")"
  wait "${launcher[$1]}" 2>/dev/null || true
  unset "launcher[$1]"
}

# kill_all LINES kills processes: each line starts with a PID.
kill_all() {
  local pid
  while read -r pid _; do
    [[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
  done <<<"$1"
}

# find_shell RUN finds the process that the shell is, for this side. What
# tells it from a fake: it has the mark as an argument, and the kernel shows
# for it the umask that the shell was told to set just now.
find_shell() {
  local bits pid
  shell[$1]=
  bits=$(umask)
  while [[ $bits == "$(umask)" ]]; do
    printf -v bits %04o $((RANDOM % 0777))
  done
  ask "$1" "umask $bits"
  uncover_proc
  [[ $status == 0 ]] || return 0
  for pid in $(grep -las "$mark-$1" /proc/[0-9]*/cmdline | tr -dc '0-9\n'); do
    if grep -qs "^Umask:.$bits\$" "/proc/$pid/status"; then
      shell[$1]=$pid
    fi
  done
  ask "$1" "umask $(umask)"
}

# uncover_proc unmounts a /proc in which we are not: it has come over the
# host's from a launcher, at most once for each run.
uncover_proc() {
  for _ in a b; do
    [[ ! -e /proc/self ]] || return 0
    covered=yes
    umount /proc
  done
}

# enter NAMESPACE COMMAND... runs a command of the host in one namespace of
# run a. Who is not root has to be in its user namespace for that.
enter() {
  local flags=("$1")
  shift
  [[ $EUID -eq 0 ]] || flags+=(--user --preserve-credentials)
  nsenter --target "${shell[a]}" "${flags[@]}" -- "$@"
}

# family PID... prints the descendants of processes: PID and time of birth.
family() {
  ps -e -o pid=,ppid= | awk -v roots="$*" '
    { parent[$1] = $2 }
    function from_root(pid) {
      return pid != "" && (pid in root || from_root(parent[pid]))
    }
    BEGIN { split(roots, list); for (i in list) root[list[i]] }
    END { for (pid in parent) if (from_root(pid)) print pid }' |
    while read -r pid; do born "$pid"; done
}

# born PID prints the PID and when the process started: together they name
# one process, while a PID alone is used again.
born() {
  local fields
  fields=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) || return 0
  # shellcheck disable=SC2086 # in words
  set -- "$1" $fields
  [[ ${2:-Z} == Z ]] || echo "$1 ${21:-}"
}

# clean_up ends what is left of the launchers. To remove a tree is to remove
# what is mounted in it.
clean_up() {
  local fd
  trap '' INT TERM HUP
  for fd in "${to[@]}"; do exec {fd}>&-; done
  kill_all "$(family "${launcher[@]}")"
  kill_all "$(host_processes)"
  wait 2>/dev/null || true
  [[ -z $queue ]] || ipcrm -q "$queue"
  uncover_proc
  umount "$dir/mnt" 2>/dev/null || true
  rm -rf --one-file-system -- "$dir"
}

## The report

count=0 failed=0 pardoned=0

# wanted TYPE tells if its points are asked for.
wanted() { [[ -z $only || $only == "$1" || $1 == run ]]; }

# excused WORD tells if the launcher is a twin that leaves this out.
excused() { [[ -n $twin && -n ${1:-} && ,$excuses, == *,$1,* ]]; }

# point TYPE WHAT SEEN EXPECTED QUESTION [EXCUSE] reports whether what was
# seen is what was expected. There is no other way to be ok.
point() {
  local verdict=ok note=''
  wanted "$1" || return 0
  set -- "$1" "$2" "${3:-nothing}" "${@:4}"
  count=$((count + 1))
  if [[ $3 != "$4" ]]; then
    verdict='not ok'
    if excused "${6:-}"; then
      pardoned=$((pardoned + 1)) note=" # TODO a twin is excused from: $6"
    else
      failed=$((failed + 1))
    fi
  fi
  if [[ $tap ]]; then
    printf '%s\n' "$verdict $count - $1: $2$note"
    [[ $verdict == ok ]] ||
      printf '  %s\n' --- "seen: ${3@Q}" "expected: ${4@Q}" "question: ${5@Q}" ...
  elif [[ $verdict == ok ]]; then
    [[ $quiet ]] || printf '%s\n' "${green}ok$plain      $1: $2: $3"
  elif [[ $note ]]; then
    [[ $quiet ]] || printf '%s\n' "excused $1: $2: seen $3, expected $4"
  else
    printf '%s\n' "${red}not ok$plain  $1: $2: seen $3, expected $4" "        $5"
  fi
}

# skip TYPE WHAT WHY reports a point that this machine does not allow to try.
skip() {
  wanted "$1" || return 0
  count=$((count + 1))
  if [[ $tap ]]; then
    printf '%s\n' "ok $count - $1: $2 # SKIP $3"
  elif [[ -z $quiet ]]; then
    printf '%s\n' "skipped $1: $2: $3"
  fi
}

## The check

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

[[ -z $tap ]] || echo 'TAP version 13'
remember_host
for run in a b; do
  start "$run"
  find_shell "$run"
done
mapfile -t kin < <(family "${launcher[@]}")
if runs_command; then
  read_namespaces a
  read_namespaces b
  for type in pid mnt uts ipc net user root time cgroup; do
    wanted "$type" || continue
    [[ $type == root ]] || check_namespace "$type"
    if is_own "$type"; then "check_$type"; fi
  done
fi
check_end
check_host

if [[ $tap ]]; then
  echo "1..$count"
elif [[ -z $quiet ]]; then
  say "$lesson: $((count - failed - pardoned)) of $count points hold$(
    [[ $pardoned -eq 0 ]] || echo ", $pardoned are excused"
  )"
fi
[[ $failed -eq 0 && $count -gt 0 ]]
