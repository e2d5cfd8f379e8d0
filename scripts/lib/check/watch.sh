# watch.sh: check.sh --watch, in two halves with a pipe between them. One is the
# learner's: it builds, shows, and reads keys. The other checks, as root where the
# lesson needs root. It is sourced by check.sh, not run.

# shellcheck disable=SC2154 # set by check.sh

## The half that checks

# serve reads the size of a program and the program, checks it, and prints the report
# and a NUL. The next program ends the check of the one before, and the end of the input
# ends everything. Root runs for a long time here, and the learner's files may change in
# the meantime: so root opens none of them, and runs scripts from a copy.
serve() {
  local size running=''
  install_for tour
  place=$(mktemp -d -t nsl.0XXXXXX)
  trap 'stop; rm -rf --one-file-system -- "$place"' EXIT
  exit_on_signals
  mkdir "$place/bin"
  cp -rL "$repo/scripts" "$place"
  (cd "$repo" && find 0* -maxdepth 1 -name points.sh -exec cp --parents -t "$place" {} +)
  launcher "$lesson" "$place/bin/$lesson"
  printf '\0' # it is ready
  while read -r size; do
    stop
    rm -f "$place/bin/$lesson"
    head -c "$size" >"$place/bin/$lesson"
    chmod +x "$place/bin/$lesson"
    {
      trap - EXIT
      bash "$place/scripts/check.sh" --first "$number" -- "${launch[@]}" </dev/null 2>&1 || true
      printf '\0'
    } &
    running=$!
  done
}

# stop ends a check that runs. It cleans up when it is told to end.
stop() {
  [[ -n ${running:-} ]] || return 0
  while kill -0 "$running" 2>/dev/null; do
    pkill -TERM -P "$running" || true
    sleep 0.02
  done
  running=''
}

## The learner's half

# watch_lesson shows the first point that fails, for what is in work/ at each moment.
watch_lesson() {
  local as=() reports text part key status sent=0 got=0 awaited='' state='' before tick=0 holds=''
  [[ -t 0 && -t 1 ]] || misused '--watch needs a terminal'
  as_caller --watch "$number"
  cd "$repo" || return
  need_own "$lesson"
  need_go
  make_work
  ! is_own root || need_rootfs
  launcher "$lesson" none
  [[ ${launch[0]} != sudo ]] || as=(sudo)
  coproc SERVER { exec "${as[@]}" env CHECK_TIMEOUT="${CHECK_TIMEOUT:-5}" \
    bash "$repo/scripts/check.sh" --serve "$number"; }

  # sudo may ask for a password first.
  exec {reports}<&"${SERVER[0]}"
  IFS= read -r -d '' -u "$reports" text || exit 1

  before=$(stty -g)
  trap leave EXIT
  exit_on_signals
  trap '' PIPE
  stty -echo -icanon susp undef
  say "building work/$lesson"
  while :; do
    # bash may lose a character that comes just as -t ends: so only -t 0, which takes none.
    if read -r -t 0 -u "$reports"; then
      IFS= read -r -d '' -u "$reports" text ||
        die 'the half of check.sh that checks has ended'
      got=$((got + 1))
      [[ $got != "$awaited" ]] || show_report
    fi

    key='' status=0
    read -rsn 1 -t 0.05 key || status=$?
    [[ $status -eq 0 || $status -gt 128 ]] || exit 1 # the terminal is gone
    case $key in
    q | Q) exit 0 ;;
    h | H) scripts/hint.sh --last "$number" ;;
    d | D) [[ -z $holds ]] || scripts/diff.sh "$number" --mine ;;
    esac

    tick=$(((tick + 1) % 4))
    [[ $tick -eq 0 ]] || continue
    part=$(stat --format '%n %.Y %s %i' work/"$lesson"/*.go 2>&1) || true
    [[ $part != "$state" ]] || continue
    state=$part
    build_and_send
  done
}

# leave restores the terminal, and waits until the other half has cleaned up.
leave() {
  local to=${SERVER[1]:-}
  stty "$before" 2>/dev/null || true
  [[ -z $to ]] || { exec {to}>&- && wait "$SERVER_PID"; } 2>/dev/null || true
}

build_and_send() {
  local program=work/bin/$lesson said
  holds='' awaited=''
  mine=$(fingerprint "$lesson")
  if said=$(cd work && CGO_ENABLED=0 go build -ldflags='-s -w' -o bin/ "./$lesson" 2>&1); then
    sent=$((sent + 1))
    awaited=$sent
    { stat --format %s "$program" && cat "$program"; } >&"${SERVER[1]}" || true
  else
    said=$(grep -m 1 -v '^#' <<<"$said")
    show "${red}not ok$plain  build: ${said/#.\//}" \
      "        Which file, line and column does the compiler name, in work/?"
  fi
}

# show_report shows what the check says, or what it does not look at.
show_report() {
  local todo lines
  mapfile -t lines <<<"${text%$'\n'}"
  if [[ $text == *' points hold'* ]]; then
    todo=$(todo_in "$lesson")
    if [[ -n $todo ]]; then
      mapfile -t lines < <(check_todo "$todo")
    elif [[ $(fingerprint "$lesson") == "$mine" ]]; then
      holds=yes
      echo "$mine" >"work/.progress/$lesson.passed"
    fi
  fi
  lines[0]=${lines[0]/#not ok/"${red}not ok$plain"}
  show "${lines[@]}"
}

# show LINE... clears the screen, and shows these and the keys.
show() {
  # shellcheck disable=SC2034 # for print_line
  local line width=''
  printf '\e[H\e[2J'
  for line; do print_line "$line"; done
  printf '%s\n' '' "${dim}work/$lesson, $(date +%T)    h: hint$(
    [[ -z $holds ]] || printf '    d: the difference'
  )    q: leave$plain"
}
