#!/usr/bin/env bash
# rehearse.sh plays the workshop of 90 minutes (docs/workshop.md) for three learners with
# accounts of class.sh, from the doctor to pong, and ends at the first failure. It says how
# long each step took this machine, not people.
# Usage, as root, on a server without a class: scripts/dev/rehearse.sh
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"
[[ $# -eq 0 ]] || misused "unknown argument: $1"
[[ $EUID -eq 0 ]] || {
  as_root "$0"
  exit
}
[[ ! -e /srv/namespaces && ! -e /srv/class ]] || die 'there is a class here' 'scripts/class.sh remove'

said=$(mktemp)
trap 'rm -f "$said"; [[ ! -e /srv/namespaces/class ]] || "$repo/scripts/class.sh" remove' EXIT
exit_on_signals

# step TITLE EXPECTED COMMAND... runs it, and expects a line that matches from each
# learner.
step() {
  local started=${EPOCHREALTIME/[.,]/} status=0 least=1
  [[ $3 != each && $3 != inside ]] || least=3
  "${@:3}" >"$said" 2>&1 || status=$?
  if [[ $status -ne 0 || $(grep -cE "$2" "$said") -lt $least ]]; then
    cat "$said" >&2
    die "$1: status $status, expected $2 of: ${*:3}"
  fi
  started=$((${EPOCHREALTIME/[.,]/} - started))
  printf '%6d.%d s  %s\n' $((started / 1000000)) $((started / 100000 % 10)) "$1"
}

# each COMMAND has all learners type it at the same time. It must succeed for all of them.
each() {
  local n jobs=()
  for n in 1 2 3; do
    setsid --wait runuser --login "learner$n" -c "cd namespaces && $1" </dev/null &
    jobs+=($!)
  done
  for n in "${jobs[@]}"; do wait "$n" || return; done
}

# inside COMMAND does the same at the second terminal.
inside() { each "bin/second sh -c $(printf %q "$1")"; }

begin_06() {
  each "(bin/06-user -net=lo sh -c 'mount -t tmpfs tmpfs /tmp && exec sleep 3600' >/dev/null 2>&1 &)
    for n in \$(seq 100); do bin/second mountpoint -q /tmp && exit; sleep 0.1; done; exit 1"
  inside 'id -un'
}

class=$repo/scripts/class.sh
step 'accounts' '^learner3$' "$class" add 3
step 'cards' 'ssh learner3@hotel' "$class" cards hotel
step 'start: the doctor' '^06-user: ready' each 'scripts/doctor.sh 06'
step 'start: a line in the room' 'learner[1-3]$' each "scripts/progress.sh --share /srv/class/\$USER \$USER"
step 'two terminals' '^root$' begin_06
step '01: question' 'of [0-9]+ right$' each 'yes a | scripts/quiz.sh 01'
step '01: type' '^1$' inside "bin/01-pid sh -c 'echo \$\$'"
step '01: check' 'ok' inside 'scripts/check.sh 01 -- bin/01-pid'
step '01: code' 'CLONE_NEWPID' each 'scripts/diff.sh 01'
step '02: question' 'of [0-9]+ right$' each 'yes a | scripts/quiz.sh 02'
step '02: type' '^1$' inside "bin/02-mount sh -c 'ps -A -o pid= | tr -d \" \" | head -n 1'"
step '02: check' 'ok' inside 'scripts/check.sh 02 -- bin/02-mount'
step '06: question' 'of [0-9]+ right$' each 'yes a | scripts/quiz.sh 06'
step '06: type' '^root$' each 'bin/06-user -net=lo id -un'
step '06: check' 'ok' each 'scripts/check.sh 06 -- bin/06-user -net=lo'
step '07: question' 'of [0-9]+ right$' each 'yes a | scripts/quiz.sh 07'
step '07: show' 'step' "$repo/scripts/07-pivot-root.sh" --auto
step '08: the web server' '^pong from room-2$' "$repo/scripts/08-cgroups.sh" --from web
step 'pong, for each' '^pong$' each "bin/07-pivot-root -net=lo sh -c 'mkdir /tmp/www
  echo pong >/tmp/www/ping; httpd -p 80 -h /tmp/www; wget -q -O - http://127.0.0.1/ping'"
step 'a hand' '!05:a[^ ]* learner[1-3]$' each 'scripts/progress.sh --help-me 5'
step 'the room' '^learner3 .*hand 05' "$repo/scripts/progress.sh" --room /srv/class --watch
step 'after class' 'are removed$' "$class" remove
