#!/usr/bin/env bash
# check.sh holds a launcher, any program that runs a command in new
# namespaces, against a lesson: are they the lesson's, and do they isolate?
#
#   scripts/check.sh [options] NN                 your own lesson, work/NN-name
#   scripts/check.sh [options] NN -- COMMAND...   the launcher COMMAND
#   scripts/check.sh --watch NN                   your own lesson, each time that you
#                                                 save: the first point that fails
#
#   --only TYPE   these points alone: pid mnt uts ipc net user root cgroup
#                 time host
#   --twin        the launcher is a shell twin: excuse what lessons.tsv says.
#                 Without COMMAND, it is that of lessons.tsv
#   --quiet       print only what is not ok, or that all is
#   --first       stop at the first point that is not ok, and print that alone
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
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/cgroup.sh"
source "$lib/namespaces.sh"
source "$lib/check/report.sh"
source "$lib/check/session.sh"
source "$lib/check/points.sh"
source "$lib/check/flags.sh"
source "$lib/check/host.sh"
source "$lib/check/watch.sh"
for file in "$repo"/*/points.sh; do # of a type that is in no lesson of the course
  # shellcheck source=/dev/null
  [[ ! -f $file ]] || source "$file"
done
answer_help "$@"

## What is asked for

only='' twin='' quiet='' tap='' watch='' serve='' lesson='' command=() options=()
while [[ $# -gt 0 ]]; do
  case $1 in
  --only)
    only=${2:-}
    [[ " ${ns_types[*]} root host " == *" ${only:-none} "* ]] ||
      misused "--only takes one of: ${ns_types[*]} root host"
    options+=(--only "$only")
    shift
    ;;
  --twin) twin=yes options+=("$1") ;;
  --quiet) quiet=yes options+=("$1") ;;
  --first) quiet=yes first=yes options+=("$1") ;;
  --tap) tap=yes options+=("$1") ;;
  --watch) watch=yes ;;
  --serve) serve=yes ;; # is the other half of --watch
  --)
    shift
    command=("$@")
    [[ $# -gt 0 ]] || misused 'there is no COMMAND after --'
    break
    ;;
  -*) misused "unknown option $1" ;;
  *)
    [[ -z $lesson ]] || misused "expected one lesson, not both $lesson and $1"
    lesson=$(need_lesson "$1")
    ;;
  esac
  shift
done
[[ -n $lesson ]] || need_lesson
number=${lesson%%-*}
IFS=$'\t' read -r _ own twin_command excuses < <(rows lessons | grep "^$lesson"$'\t')
patience=${CHECK_TIMEOUT:-20}
[[ $patience =~ ^[1-9][0-9]*$ ]] || misused 'CHECK_TIMEOUT must be a number of seconds'

# is_own TYPE says whether the lesson has its own namespace of that type, or root.
is_own() { isolates "$lesson" "$1"; }

# todo_in NN-name prints where there is a TODO left in your own lesson.
todo_in() { grep -rn --include='*.go' TODO "work/$1" | sed 's/\t\+/ /' | head -n 1 || true; }

check_todo() {
  point todo 'what is left to write' "${1:-nothing}" nothing \
    'Every point holds without it. Does a flag or an error lead there? If not, take it out.'
}

# check_as_root COMMAND... starts again as root, for a launcher that needs root.
check_as_root() {
  say "using sudo for the check: this launcher needs root" >&2
  exec sudo env CHECK_TIMEOUT="$patience" CHECK_MINE="$mine" CHECK_TODO="$todo" \
    bash "$repo/scripts/check.sh" "${options[@]}" "$number" -- "$@"
}

if [[ $watch || $serve ]]; then
  [[ ! $watch ]] || watch_lesson
  serve
  exit
fi

# Without COMMAND: your own lesson, built as you, or the twin. The build is of the
# files of the fingerprint, or of newer ones: then progress.sh will see that.
mine=${CHECK_MINE:-} todo=${CHECK_TODO:-}
if [[ ${#command[@]} -eq 0 ]]; then
  cd "$repo"
  ! is_own root || need_rootfs
  if [[ $twin ]]; then
    read -ra command <<<"$twin_command"
    if [[ $EUID -ne 0 ]] && ! is_own user; then check_as_root "${command[@]}"; fi
  else
    need_own "$lesson" "or another launcher: $0 $number -- COMMAND"
    mine=$(fingerprint "$lesson") todo=$(todo_in "$lesson")
    build_own "$lesson"
    command=("${launch[@]}")
  fi
fi
if [[ $EUID -ne 0 && ${command[0]} == sudo && ${command[1]:--} != -* ]]; then
  check_as_root "${command[@]:1}"
fi

export CHECK_MINE=$mine CHECK_TODO=$todo
work_on_copies \
  bash "$repo/scripts/check.sh" "${options[@]}" "$number" -- "${command[@]}"
unset CHECK_MINE CHECK_TODO

install_for tour

# Two runs at the same time, a and b: what belongs to one must not belong to the other.
# check/points.sh finds out their namespaces, cgroups and processes.
declare -A id=() own_of=()
cgroups=() kin=() queue=''

# Removing a tree removes what is mounted in it: so unmount first.
clean_up() {
  end_runs
  kill_all "$(host_processes)"
  [[ -z $queue ]] || ipcrm -q "$queue"
  umount "$session_dir/mnt" 2>/dev/null || true
  rm -rf --one-file-system -- "$session_dir"
}

## The check

dir=''
trap clean_up EXIT
exit_on_signals
new_session
mkdir "$dir/mnt"
echo "a file of the host" >"$dir/host"

[[ -z $tap ]] || echo 'TAP version 13'
remember_host
startup=$(hundredths)
for run in a b; do
  start "$run"
  find_shell "$run"
done
startup=$(($(hundredths) - startup))
mapfile -t kin < <(family "${launcher[@]}")
if runs_command; then
  read_namespaces a
  read_namespaces b
  for type in pid mnt uts ipc net user root time cgroup; do
    wanted "$type" || continue
    [[ $type == root ]] || check_namespace "$type"
    if is_own "$type"; then "check_$type"; fi
    try_flags "$type"
  done
fi
check_end
check_host

# First what the kernel says. If everything holds, is anything left to write?
if [[ -n $mine && -z $only && $failed -eq 0 ]]; then
  check_todo "$todo"
fi
verdict "$lesson" || exit 1
if [[ -n $only || (-z $mine && $twin) ]]; then
  : # not the whole lesson, or not yours
elif [[ -n $mine ]]; then
  as_user tee "$repo/work/.progress/$lesson.passed" <<<"$mine" >/dev/null
else
  note_typed "$lesson"
fi
