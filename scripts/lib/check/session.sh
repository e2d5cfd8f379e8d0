# session.sh: runs of a launcher, each with a shell inside that one can talk to
# and that the kernel knows. It is sourced, by check.sh and by the checks of
# the exercises, not run.
#
# The script sets: command, the launcher; patience, how many seconds to wait
# for an answer; and what new_session sets.

# shellcheck disable=SC2154,SC2034 # set or used by the script

source "$lib/stat.sh"

# work_on_copies SCRIPT... starts SCRIPT again where the mounts are copies, and what else
# these flags of unshare(1) are for. What root mounts, all would have: so root works on
# copies, which are peers of each other as systemd makes them. What a launcher leaks shows
# here, and goes no further.
copies=(--mount --uts --ipc)
work_on_copies() {
  if [[ $EUID -eq 0 && -z ${CHECK_COPIES:-} ]] && unshare "${copies[@]}" true; then
    CHECK_COPIES=yes exec unshare "${copies[@]}" --propagation private \
      sh -c 'mount --make-rshared / && exec "$0" "$@"' "$@"
  fi
  unset CHECK_COPIES
}

# new_session sets mark, which nobody can guess, and dir, a directory that the
# script removes; or cleanup.sh, which knows its name, if the script is killed.
# Without a launcher there is nothing to check, not even the host.
new_session() {
  command -v "${command[0]}" >/dev/null ||
    die "there is no program ${command[0]} to execute" \
      "if it is one of ours: CGO_ENABLED=0 go build -o bin/ ./0*"
  read -r mark </proc/sys/kernel/random/uuid
  dir=$(mktemp -d -t nsl.0XXXXXX)
  session_dir=$dir # for clean_up: exit in a function leaves its local dir in sight
}

# For each run: the descriptors that lead to and from its shell, the process
# that is the launcher, the one that is the shell, and how it ended.
declare -A to=() from=() launcher=() shell=() ended=()
covered='' most=${CHECK_MOST:-1500} # processes

# What the shell inside does: a line in, its output and a mark with its exit
# status out. All that it needs is a shell.
loop='while read -r line; do eval "$line" 2>&1; echo "$0 $?"; done'

# start RUN [FLAG...] starts the launcher, with its flags. Opened for both
# reading and writing, a FIFO does not wait for its other end. Descriptor 9
# and the variable are there to see if they get inside.
start() {
  local run=$1 to_run from_run fd
  mkfifo --mode=600 "$dir/$run.to" "$dir/$run.from"
  exec {to_run}<>"$dir/$run.to" {from_run}<>"$dir/$run.from"
  to[$run]=$to_run from[$run]=$from_run
  (
    for fd in "${to[@]}" "${from[@]}"; do exec {fd}>&-; done
    NSL_CHECK=$mark "${command[@]}" "${@:2}" /bin/sh -c "$loop" \
      "$mark-$run" 9<"$dir" && status=0 || status=$?
    echo "$mark-end $status"
  ) <"$dir/$run.to" >"$dir/$run.from" 2>"$dir/$run.errors" &
  launcher[$run]=$!
}

# listen RUN reads what the shell inside prints, up to its mark, and sets answer and
# status. It gives up on a launcher that has ended, or does not answer in time. It
# reads in short steps, since bash does not react to Ctrl-C while it reads.
listen() {
  local line='' part deadline=$((SECONDS + patience))
  answer='' status=none
  while [[ -z ${ended[$1]:-} ]]; do
    if [[ $SECONDS -gt $deadline || ${#answer} -gt 100000 ]]; then
      ended[$1]="it neither ends nor answers within $patience s"
      patience=1 # the other run has had its time as well
    elif ! IFS= read -r -t 0.5 part <&"${from[$1]}"; then
      line+=$part # not yet a whole line
      # One that starts itself again and again would fill the machine.
      if [[ $(marked | wc -l) -gt $most ]]; then
        ended[$1]="it keeps starting processes: more than $most"
        pkill -KILL -P "${launcher[$1]}" || true
        patience=1
      fi
    else
      line+=$part
      case $line in
      "$mark-end "*) ended[$1]="it ended with status ${line##* }" ;;
      "$mark-$1 "*)
        status=${line##* } answer=${answer%$'\n'}
        return
        ;;
      *) answer+=$line$'\n' ;;
      esac
      line=''
    fi
  done
  answer="no answer: ${ended[$1]}"
}

# hundredths prints the time, in 1/100 s.
hundredths() {
  local time
  read -r time _ </proc/uptime
  echo "${time/./}"
}

# ask RUN LINE lets the shell inside run LINE.
ask() {
  [[ -n ${ended[$1]:-} ]] || printf '%s\n' "$2" >&"${to[$1]}"
  listen "$1"
}

# finish RUN closes the line to the shell inside. The shell ends, and so should the
# launcher. If it does not, it is ended here, with its descendants.
finish() {
  local fd=${to[$1]}
  exec {fd}>&-
  unset "to[$1]"
  listen "$1"
  uncover_proc
  [[ ${ended[$1]} == it\ ended* ]] || kill_all "$(family "${launcher[$1]}")"
  wait "${launcher[$1]}" 2>/dev/null || true
  unset "launcher[$1]"
}

# kill_all LINES kills processes: each line starts with a PID. It waits for our own
# jobs: otherwise bash would later report on the terminal that they were killed.
kill_all() {
  local pid
  {
    while read -r pid _; do [[ -z $pid ]] || kill -KILL "$pid" || true; done <<<"$1"
    while read -r pid _; do [[ -z $pid ]] || wait "$pid" || true; done <<<"$1"
  } 2>/dev/null
}

# find_shell RUN finds the PID of the shell, as seen from here. A fake cannot be taken
# for it: the shell has the mark as an argument, and the kernel shows for it the umask
# that the shell was just told to set.
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

# found RUN prints whether the shell inside answers, or why there is none.
found() {
  if [[ -n ${shell[$1]} ]]; then
    echo 'it answers'
  elif [[ -n ${ended[$1]:-} ]]; then
    echo "${ended[$1]}$(errors "$1")"
  else
    echo 'it answers, but the kernel knows no such process'
  fi
}

# errors RUN prints the end of the launcher's messages. A Go program that panics says
# why first, and then where; one that does not know a flag lists those it knows.
# The doctor's advice is only for our lessons.
errors() {
  [[ ${ended[$1]} != *keeps\ starting* ]] || return 0 # ended by us
  sed -i '/scripts\/doctor.sh/d' "$dir/$1.errors"
  { grep -m 1 -E '^panic: |not defined: -|option' "$dir/$1.errors" || tail -n 2 "$dir/$1.errors"; } |
    tr '\n' ' ' | sed 's/^/; it says: /; s/ $//'
}

# why RUN sets follow_up to what to ask about a run that has no shell inside.
why() {
  local other=b
  [[ $1 == a ]] || other=a
  follow_up='What does your launcher do with its arguments? Try: COMMAND sh -c "echo hello"'
  if [[ -n ${shell[$other]:-} ]]; then
    follow_up='It works alone, but not beside a second one: two run together here.'
    follow_up+=' What does yours make that can exist only once on a machine?'
  elif [[ ${ended[$1]:-} == *neither\ ends* ]]; then
    follow_up="It hangs$(waits "$1"). Which step waits, for whom, and is that one still to come?"
  elif [[ ${ended[$1]:-} == *keeps\ starting* ]]; then
    follow_up='It starts itself again and again. How does the child know that it is the child?'
  elif [[ ${ended[$1]:-} == *status\ [1-9]* ]]; then
    follow_up='It ends with an error. Which of your steps failed, and what does the manual page say about that error?'
    [[ -s $dir/$1.errors ]] ||
      follow_up='It fails, but prints no error. Where does the error get lost?'
  fi
}

# waits RUN prints where in the kernel the launcher's last process waits.
waits() {
  local pid place words=''
  pid=$(family "${launcher[$1]}" | sort -n | tail -n 1)
  place=$(cat "/proc/${pid% *}/wchan" 2>/dev/null) || return 0
  words=$(tr '\0' ' ' <"/proc/${pid% *}/cmdline")
  [[ $place != [a-z]* ]] || echo ": process ${pid% *}, ${words:0:16}, is in $place"
}

# refused RUN sets seen: whether a launcher that was started has refused its
# flags, with an error, before it has run anything.
refused() {
  find_shell "$1"
  if [[ -n ${shell[$1]} ]]; then
    seen='it runs its command'
  elif [[ ${ended[$1]} != *status\ [1-9]* ]]; then
    seen=${ended[$1]}
  elif [[ ! -s $dir/$1.errors ]]; then
    seen='it fails, and prints no error'
  else
    seen='an error'
  fi
}

# uncover_proc unmounts a /proc that does not show us: a launcher has mounted it over
# the host's, at most once for each run.
uncover_proc() {
  for _ in a b; do
    [[ ! -e /proc/self ]] || return 0
    covered=yes
    umount /proc
  done
}

# enter NAMESPACE COMMAND... runs a command of the host in one namespace of
# run a, or $subject. Without root, that takes its user namespace, too.
enter() {
  local flags=("$1")
  shift
  [[ $EUID -eq 0 ]] || flags+=(--user --preserve-credentials)
  nsenter --target "${shell[${subject:-a}]}" "${flags[@]}" -- "$@"
}

# family PID... prints the descendants of processes: PID and time of birth.
family() {
  ps -e -o pid=,ppid= | awk -v roots="$*" '
    { parent[$1] = $2 }
    # A number that was used again while ps looked may lead in a circle.
    function from_root(pid,    depth) {
      while (pid != "" && !(pid in root) && depth++ < 1000) pid = parent[pid]
      return pid in root
    }
    BEGIN { split(roots, list); for (i in list) root[list[i]] }
    END { for (pid in parent) if (from_root(pid)) print pid }' |
    while read -r pid; do born "$pid"; done
}

# born PID prints the PID and when the process started: together they name
# one process, while a PID alone is used again.
born() {
  local stat stat_name
  read_stat "$1" || return 0
  [[ ${stat[0]} == Z ]] || echo "$1 ${stat[19]}"
}

# marked prints the processes that have our variable.
marked() { grep -las "NSL_CHECK=$mark" /proc/[0-9]*/environ | tr -dc '0-9\n'; }

# end_runs ends what is left of the launchers.
end_runs() {
  local fd
  trap '' INT TERM HUP
  for fd in "${to[@]}"; do exec {fd}>&-; done
  kill_all "$(family "${launcher[@]}")"
  kill_all "$(marked)"
  wait || true
  uncover_proc
}
