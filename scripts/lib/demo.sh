# demo.sh: what the demonstrations 01-pid.sh to 08-cgroups.sh share. It is
# sourced, not run. A demonstration is a session at several terminals: `host`,
# and one for each container. The prompt shows at which one a line is typed,
# and $one is the PID, on the host, of the shell at the terminal `one`.
source "${BASH_SOURCE[0]%/*}/all.sh"
source "$lib/questions.sh"

export LC_ALL=C # messages in English, which we expect
unset http_proxy HTTP_PROXY

lesson=$(basename "$0" .sh)
auto='' silent='' from_step=0 tmp='' sentence='' seen='' status=0 job='' asked='' said=''
declare -A launcher=() to=() from=() answer=() color=()
# Each place has a word and a color, which also differ in brightness, on light and on
# dark screens: black on cyan, black on yellow, white on magenta, and any other place.
[[ -z $bold ]] ||
  color=([host]=$'\e[30;46m' [one]=$'\e[30;43m' [two]=$'\e[97;45m' [lab]=$'\e[30;42m')
undo=()
# shellcheck disable=SC2034 # as it was called: for the demonstration
arguments=("$@")
# shellcheck disable=SC2034 # a terminal's PID, set by start
one='' two='' three='' lab=''

# usage prints the comment at the top of a demonstration, and what all of them take.
usage() {
  sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0"
  cat <<'END'
  --auto      ask nothing, and do not wait for Enter
  --list      list the steps with their numbers
  --from      begin at the step with that number, or at the first one with that word
Exit status: 0 if the kernel showed everything that is said here, 1 if not.
END
}

# begin root|user|any ARG... reads the command line, makes sure that everything we need
# is there, becomes root or an ordinary user, and enters a scratch directory.
begin() {
  local who=$1
  shift
  # Of step_down, which makes it for an ordinary user.
  [[ $EUID -eq 0 || ${NSL_TMP:-} != /*/nsl.?????? || ! -O $NSL_TMP ]] || tmp=$NSL_TMP
  trap clean_up EXIT
  exit_on_signals
  trap : PIPE # ask sees it
  answer_help "$@"
  case ${1:-} in
  '') ;;
  --auto) auto=yes ;;
  --list) steps && exit ;;
  --from)
    from_step=$(steps | awk -v want="${2:-}" '
      want ~ /^[0-9]+$/ ? $1 == want : (" " $0 " ") ~ ("[^[:alnum:]]" want "[^[:alnum:]]") {
        print $1; exit }')
    [[ -n ${2:-} && -n $from_step ]] || misused "there is no step ${2:-}: see --list"
    silent=yes
    ;;
  *) misused "unknown argument: $1" ;;
  esac
  [[ $# -lt 2 || $1 == --from ]] || misused "unknown argument: $2"
  [[ -t 0 && -t 1 ]] || auto=yes
  need_limits
  [[ $who == root ]] && become_root "$@"
  install_for tour
  [[ -n ${NSL_BIN:-} || -x $repo/bin/$lesson ]] || build_lessons
  [[ $who == user && $EUID -eq 0 ]] && step_down "$@"
  read_quiz "$lesson"
  [[ -n $tmp ]] || scratch
  chmod 755 "$tmp" # a container's root may be an ordinary user here
  cd "$tmp" || exit
  [[ -e bin ]] || ln -s "$(cd "$repo" && realpath "${NSL_BIN:-bin}")" bin
  [[ -e scripts ]] || ln -s "$repo/scripts" scripts
  find_width
  printf '%s\n' "$bold$lesson$plain, in the scratch directory $tmp"
  [[ -n $auto ]] || echo 'Press Enter to run the line that is shown, Ctrl-C to stop.'
}

# scratch makes the directory tmp, where users may remove their own files (sticky bit,
# -k) and programs may be executed, which /tmp does not allow everywhere. Its name is set
# before it exists, so that clean_up finds it.
scratch() {
  local place
  for place in /var/tmp /tmp; do
    [[ $place == /tmp || (-k $place && -w $place) ]] || continue
    tmp=$(mktemp -du "$place/nsl.0XXXXXX")
    mkdir -m 700 "$tmp" || { tmp='' && exit 1; }
    install -m 755 /dev/null "$tmp/x"
    [[ ! -x $tmp/x ]] || { rm "$tmp/x" && return; }
    rm -r "$tmp"
    tmp=''
  done
  die "no program may be executed in $place: it is mounted noexec" \
    "sudo mount -o remount,exec $(findmnt -nfo TARGET --target "$place")"
}

become_root() {
  [[ $EUID -ne 0 ]] || return 0
  if [[ -n ${NSL_SUDO:-} ]] || ! command -v sudo >/dev/null; then
    die "this lesson needs root, and there is no sudo for you" "su -c '$0'"
  fi
  exec sudo env NSL_SUDO=yes NSL_BIN="${NSL_BIN:-}" NO_COLOR="${NO_COLOR:-}" bash "$0" "$@"
}

# step_down starts this script again as an ordinary user: the one who called sudo, or
# one without a name, who has no processes that could interfere. That user may not be
# able to read the repository, and so gets a copy of what it needs.
step_down() {
  local uid=${SUDO_UID:-1000} gid be signal
  while [[ -z ${SUDO_UID:-} ]] && getent passwd "$uid" >/dev/null; do uid=$((uid + 1)); done
  gid=${SUDO_GID:-$uid} be=(setpriv --reuid "$uid" --regid "$gid" --clear-groups)
  "${be[@]}" true 2>/dev/null ||
    die "this is for an ordinary user, and root cannot become one in here" \
      "leave this container, and start it again: $0"
  scratch
  cp -r "$repo/scripts" "${NSL_BIN:-$repo/bin}" "$tmp"
  mkdir "$tmp/$lesson"
  cp "$repo/$lesson/quiz.md" "$tmp/$lesson"
  chown -R "$uid:$gid" "$tmp"
  printf '%s\n' "You are root: this continues as the ordinary user $uid."
  # Not exec: root removes the directory if a signal comes before the other has a trap.
  "${be[@]}" --pdeathsig TERM env --default-signal=INT,QUIT -u SUDO_UID -u SUDO_GID -u SUDO_USER \
    HOME="$tmp" NSL_TMP="$tmp" NSL_BIN="$tmp/bin" bash "$tmp/scripts/${0##*/}" "$@" <&0 &
  for signal in HUP INT TERM; do
    # shellcheck disable=SC2064 # this process, now
    trap "[[ $signal == INT ]] || kill -$signal $!" "$signal"
  done
  while kill -0 $! 2>/dev/null; do # a signal interrupts wait
    status=0
    wait $! || status=$?
  done
  exit "$status"
}

# clean_up undoes everything, the last thing first. Neither a second Ctrl-C nor a
# terminal that is gone must stop it half-way.
clean_up() {
  local status=$? name i
  set +e
  trap '' INT TERM HUP
  [[ $status -lt 128 ]] || echo # after the line that waited for Enter
  for name in "${!launcher[@]}"; do
    stop "$name"
  done
  for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
    eval "${undo[i]}" >/dev/null 2>&1 || true
  done
  cd /
  [[ -z $tmp ]] || rm -rf --one-file-system "$tmp"
  exit "$status"
}

# steps lists them: the calls of step in the script, each by its first line.
steps() {
  sed -n "s/^ *step ['\"]//p" "$0" | sed "s/['\"][ 0-9]*\$//; t; s/\$/ .../" | cat -n |
    sed 's/^ *//; s/\t/  /'
}

# step SENTENCE [N] says what to look for next, and asks question N of quiz.md first:
# judge gets the kernel's answer to it.
step() {
  local number total
  number=$(head -n "${BASH_LINENO[0]}" "$0" | grep -c '^ *step ')
  total=$(steps | wc -l)
  [[ $number -lt $from_step ]] || silent=''
  sentence=$1 asked=${2:-} said=''
  [[ $width -eq 100 ]] || # for which it was written
    sentence=$(tr '\n' ' ' <<<"$1" | fold -s -w "$width" | sed 's/ *$//')
  [[ -z $silent ]] || return 0
  printf '\n%s\n' "${dim}step $number of $total$plain"
  if [[ -n $asked && -z $auto ]]; then
    show_question $((asked - 1))
    read_answer $((asked - 1)) || exit 1
    echo
  fi
  printf '%s\n' "$bold$sentence$plain"
}

# judge ANSWER says how the learner answered the question, and how the kernel did. The
# kernel's answer has to be the right option.
judge() {
  local i=$((asked - 1)) kernel
  kernel=$(printed "$i" "$1")
  [[ $kernel == "${keys[i]}" ]] || fail "the words: ${prints[$i${keys[i]}]-}" "$1"
  [[ -n $said ]] || return 0
  if [[ $said == "$kernel" ]]; then
    printf '%s\n' "${green}You and the kernel say $kernel: ${options[$i$kernel]# }$plain"
  else
    printf '%s\n' "${red}You said $said: ${options[$i$said]# }$plain" \
      "${green}The kernel says $kernel: ${options[$i$kernel]# }$plain"
  fi | fold -s -w "$width"
}

# type_line PLACES CMD shows a line at a prompt, and waits for Enter.
type_line() {
  local sign='#' place prompt=''
  [[ -z $silent ]] || return 0
  [[ $EUID -eq 0 || $1 != host ]] || sign='$'
  for place in $1; do prompt+="${prompt:+ }${color[$place]:-${color[lab]-}}$place"; done
  printf '%s' "$prompt$sign$plain $2"
  if [[ -z $auto ]]; then
    read -rs || exit 1
  fi
  echo
}

# start NAME CMD [TYPES] opens a terminal: CMD, typed on the host, ends in a
# shell. That must be in new namespaces of these types, or those of the
# lesson: what is done there would otherwise be done to the host.
start() {
  local name=$1 types type in out
  types=${3:-$(rows lessons | awk -v name="$lesson" '$1 == name { print $2 }')}
  type_line host "$2  (terminal ${color[$name]:-${color[lab]-}}$name$plain)"
  mkfifo "$tmp/$name.in" "$tmp/$name.out"
  eval "exec $2" <"$tmp/$name.in" >"$tmp/$name.out" 2>&1 &
  launcher[$name]=$!
  exec {in}>"$tmp/$name.in" {out}<"$tmp/$name.out"
  rm "$tmp/$name.in" "$tmp/$name.out"
  to[$name]=$in from[$name]=$out
  ask "$name" :
  show "$seen"
  printf -v "$name" %s "$(pgrep -P "${launcher[$name]}" || echo "${launcher[$name]}")"
  for type in ${types//,/ }; do
    [[ $(readlink "/proc/${!name}/ns/$type") != "$(readlink "/proc/$$/ns/$type")" ]] ||
      fail "\`$2\` to have a new $type namespace" "the host's"
  done
}

# stop NAME ends what start has started, and shows its last words.
stop() {
  local pid=${launcher[$1]} in=${to[$1]:-} out=${from[$1]:-}
  kill "$pid" 2>/dev/null || true
  [[ -z $in ]] || exec {in}>&-
  soon not kill -0 "$pid" 2>/dev/null || true
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  [[ -z $out ]] || {
    show "$(timeout 1 cat <&"$out")"
    exec {out}<&-
  }
  unset "launcher[$1]" "to[$1]" "from[$1]"
}

# lsns of util-linux 2.38 silently fails with status 1 if a process ends while it
# reads /proc: so ask it again.
lsns() {
  local n rows
  for ((n = 0; n < 20; n++)); do
    rows=$(command lsns "$@") && break
  done
  printf '%s\n' "$rows"
}

# ask PLACE CMD runs CMD there, and sets seen and status.
ask() {
  local line mark=--end-of-answer-- LF=$'\n' in=${to[$1]:-}
  status=0
  if [[ $1 == host ]]; then
    seen=$(eval "$2" 2>&1 </dev/null) || status=$?
    return
  fi
  seen='' # if nobody reads this, nobody answers
  { printf '{ %s\n} </dev/null 2>&1\necho "%s$?"\n' "$2" "$mark" >&"$in"; } 2>/dev/null || true
  while IFS= read -r -t 30 line <&"${from[$1]}"; do
    seen+=${line%"$mark"*}$LF
    if [[ $line == *"$mark"* ]]; then
      status=${line##*"$mark"} seen=${seen%"$LF"} seen=${seen%"$LF"}
      return
    fi
  done
  fail "an answer of the shell at $1" "$seen"
}

# show prints as much of an answer as a projector has room for.
show() {
  local lines
  [[ -n $1 && -z $silent ]] || return 0
  mapfile -t lines < <(expand <<<"$1")
  printf '%.100s\n' "${lines[@]:0:20}"
  [[ ${#lines[@]} -le 20 ]] || echo "... and $((${#lines[@]} - 20)) more lines"
}

# run PLACE CMD shows CMD and its answer, which must not be empty.
run() {
  type_line "$1" "$2"
  ask "$1" "$2"
  show "$seen"
  [[ -n $seen ]] || fail "an answer to: $2"
}

# quiet PLACE CMD is for a command that succeeds, and prints nothing.
quiet() {
  type_line "$1" "$2"
  ask "$1" "$2"
  show "$seen"
  [[ $status -eq 0 && -z $seen ]] || fail "no word, and status 0, from: $2"
}

# background CMD leaves CMD running on the host, as process $job.
background() {
  type_line host "$1 &"
  undo+=('kill $!') # before the job: a signal may come right after it
  bash -c "$1" >/dev/null 2>&1 </dev/null &
  job=$!
  undo[-1]="kill $job"
}

# await CMD waits until CMD succeeds: what runs in the background is ready.
await() { soon eval "$1" >/dev/null 2>&1 || fail "that within 5 seconds: $1" "nothing"; }

# side CMD [PLACE...] shows the answers of several terminals side by side.
side() {
  local cmd=$1 place columns=() paint=''
  shift
  [[ $# -gt 0 ]] || set -- host one two
  type_line "$*" "$cmd"
  for place in "$@"; do
    ask "$place" "$cmd"
    [[ -n $seen ]] || fail "an answer from $place to: $cmd"
    answer[$place]=$seen
    columns+=("$tmp/.$place")
    paint+="1s/\[$place\]/${color[$place]-}&$plain/;"
    printf '%s\n' "[$place]" "$seen" >"$tmp/.$place"
  done
  [[ -n $silent ]] || pr -m -t -w $((width < 80 ? 80 : width)) "${columns[@]}" | expand | sed "$paint s/ *\$//"
}

# expect REGEX... requires each of them in the last answer.
expect() {
  local regex
  for regex in "$@"; do
    grep -qE -e "$regex" <<<"$seen" || fail "a line that matches: $regex"
  done
}

# expect_at PLACE REGEX... requires them in what side has shown there.
expect_at() {
  seen=${answer[$1]}
  expect "${@:2}"
}

# expect_not REGEX... allows none of them in the last answer.
expect_not() {
  local regex
  for regex in "$@"; do
    ! grep -qE -e "$regex" <<<"$seen" || fail "no line that matches: $regex"
  done
}

# same PLACE PLACE... requires that the last answers, side by side, were the same.
same() {
  local place
  for place in "${@:2}"; do
    [[ ${answer[$place]} == "${answer[$1]}" ]] ||
      fail "the same on $1 and $place" "$1: ${answer[$1]}; $place: ${answer[$place]}"
  done
}

# differ PLACE PLACE... requires that no two of them were the same.
differ() {
  local place
  [[ $# -gt 1 ]] || return 0
  for place in "${@:2}"; do
    [[ ${answer[$place]} != "${answer[$1]}" ]] ||
      fail "something else on $1 than on $place" "${answer[$1]} on both"
  done
  differ "${@:2}"
}

# fail EXPECTED [SEEN] ends the demonstration.
fail() {
  silent=''
  {
    printf '\n%s\n' "${red}This did not hold:$plain" "$sentence"
    printf '  expected  %s\n' "$1"
    show "  seen      ${2:-${seen:-nothing}}"
    [[ $status -eq 0 ]] || printf '  status    %s\n' "$status"
    echo 'Does something on this machine stand in the way? scripts/doctor.sh'
  } >&2
  exit 1
}

# finish says that all of it held.
finish() { printf '\n%s\n' "${green}All of this held on this machine.$plain"; }
