# exercise.sh: what the checks of the exercises share. It is sourced, not run.

source "${BASH_SOURCE[0]%/*}/all.sh"
source "$lib/check/report.sh"
source "$lib/check/session.sh"

# begin COMMAND... prepares the check of the launcher COMMAND. A launcher that needs root is
# checked as root from start to end. Root's check has copies of what a fault in the launcher
# could change. dir is a directory in a file system that only the check has.
begin() {
  [[ $# -gt 0 ]] || misused 'there is no COMMAND'
  answer_help "$1"
  command=("$@")
  patience=${CHECK_TIMEOUT:-20}
  export LC_ALL=C # for the messages of the kernel's errors
  if [[ $EUID -ne 0 && $1 == sudo && ${2:--} != -* ]]; then
    say "using sudo for the check: this launcher needs root" >&2
    exec sudo env CHECK_TIMEOUT="$patience" bash "$0" "${@:2}"
  fi
  [[ $EUID -ne 0 ]] || unshare "${copies[@]}" true ||
    die "root may not make namespaces here: are you in a container?" \
      "start the container with --privileged, or use scripts/sandbox.sh"
  finished=''
  work_on_copies bash "$0" "$@"
  install_for tour
  new_session
  trap clean_up EXIT
  exit_on_signals
  [[ $EUID -ne 0 ]] || mount -t tmpfs check "$dir"
}

clean_up() {
  set +e # the terminal may be gone, and that echo fail
  [[ $finished ]] || echo "${0##*/}: the check is not finished" >&2
  end_runs
  [[ $EUID -ne 0 ]] || umount --recursive --lazy "$session_dir"
  rm -rf --one-file-system -- "$session_dir"
}

# need_linux VERSION CALL ends the check where the kernel is older, and so lacks
# a system call of the solution.
need_linux() {
  local version program
  version=$(uname -r)
  [[ $(printf '%s\n' "$1" "$version" | sort -V | head -n 1) != "$1" ]] || return 0
  finished=yes
  program=$(realpath -s -- "${command[0]}")
  die "this is Linux $version, and $2 came with $1" \
    "scripts/sandbox.sh --with $program $0 $program ${command[*]:1}"
}

# run RUN [FLAG...] starts the launcher with these flags and a shell to run.
# If that shell is not there, there is nothing more to check.
run() {
  start "$@"
  find_shell "$1"
  why "$1"
  point run "${2:+with ${*:2}: }the command inside" "$(found "$1")" 'it answers' "$follow_up"
  [[ -n ${shell[$1]} ]] || finish_check
}

# refuses RUN FLAG... prints whether the launcher refuses these flags: with an
# error, before it runs anything.
refuses() {
  local seen
  start "$@"
  refused "$1"
  echo "$seen"
}

# finish_check ends the check.
finish_check() {
  finished=yes
  local name # of NN-name/exercises/K-what/check.sh
  name=$(cd -- "$(dirname -- "$0")" && pwd | sed -E 's|.*/([0-9]+)-[^/]*/exercises/|\1-|')
  verdict "$name" && exit 0
  exit 1
}

# whose TYPE RUN prints whose namespace of that type the run's command is in.
whose() {
  if [[ /proc/${shell[$2]}/ns/$1 -ef /proc/self/ns/$1 ]]; then
    echo "the host's"
  elif [[ $2 != a && /proc/${shell[$2]}/ns/$1 -ef /proc/${shell[a]}/ns/$1 ]]; then
    echo "run a's"
  else
    echo 'its own'
  fi
}

# parent PID prints the PID of its parent.
parent() { awk '/^PPid/ { print $2 }' "/proc/$1/status" || echo none; }

# number PID prints the number that a process has in its own PID namespace.
number() { awk '/^NSpid/ { print $NF }' "/proc/$1/status" || echo none; }

# outside RUN N prints the PID of process N of that run's PID namespace.
outside() {
  local pid
  for pid in $(grep -ls "^NSpid:.*[[:space:]]$2\$" /proc/[0-9]*/status | tr -dc '0-9\n'); do
    [[ ! /proc/$pid/ns/pid -ef /proc/${shell[$1]}/ns/pid ]] || echo "$pid"
  done
}

# signal RUN NAME sends a signal to the launcher.
signal() { pkill "-$2" --parent "${launcher[$1]}"; }

# end_of RUN prints how the launcher ends, if it does soon.
end_of() {
  soon gone "${shell[$1]}" || { echo 'it goes on' && return; }
  listen "$1"
  echo "${ended[$1]}"
}

# gone PID... says whether all of these processes have ended. A zombie has: it
# waits for its parent, and if that is the host's init process, for long.
gone() {
  local pid
  for pid in "$@"; do
    ! grep -qs '^State:.[^Z]' "/proc/$pid/status" || return 1
  done
}

# gone_soon PID... prints whether these processes of a command end soon.
gone_soon() {
  if soon gone "$@"; then echo 'its command is gone'; else echo 'its command is still there'; fi
}
