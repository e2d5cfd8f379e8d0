# report.sh: the report of a check, a line for each point. It is sourced, by
# check.sh and by the checks of the exercises, not run.

# shellcheck disable=SC2154 # of say.sh

# What the script may set: only, the one type to check; twin and excuses, what is
# excused; quiet; first, to stop at the first point that fails; tap.
: "${only:=}" "${twin:=}" "${excuses:=}" "${quiet:=}" "${first:=}" "${tap:=}"
count=0 failed=0 pardoned=0 skipped=0

# wanted TYPE says whether its points are asked for.
wanted() { [[ -z $only || $only == "$1" || $1 == run ]]; }

# excused WORD says whether the launcher is a twin that leaves this out.
excused() { [[ -n $twin && -n ${1:-} && ,$excuses, == *,$1,* ]]; }

# point TYPE WHAT SEEN EXPECTED QUESTION [EXCUSE] reports whether SEEN is what was
# expected. Nothing else can be ok. SEEN may be a launcher's words.
point() {
  local verdict=ok note='' cleaned
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
  clean_text "${3//$'\n'/; }" 400
  set -- "$1" "$2" "$cleaned" "${@:4}"
  if [[ $tap ]]; then
    printf '%s\n' "$verdict $count - $1: $2$note"
    [[ $verdict == ok ]] ||
      printf '  %s\n' --- "seen: $(yaml "$3")" "expected: $(yaml "$4")" \
        "question: $(yaml "$5")" ...
  elif [[ $verdict == ok ]]; then
    [[ $quiet ]] || print_line "${green}ok$plain      $1: $2: $3"
  elif [[ $note ]]; then
    [[ $quiet ]] || print_line "excused $1: $2: seen $3, expected $4"
  else
    print_line "${red}not ok$plain  $1: $2: seen $3, expected $4"
    print_line "        $5"
  fi
  if [[ $verdict != ok && -z $note && $first ]]; then
    [[ -z $tap ]] || echo "1..$count"
    exit 1
  fi
}

# yaml TEXT prints it as YAML, on one line.
yaml() {
  local text=${1//[[:cntrl:]]/ }
  printf "'%s'" "${text//\'/\'\'}"
}

# skip TYPE WHAT WHY reports a point that cannot be tried on this machine.
skip() {
  wanted "$1" || return 0
  count=$((count + 1)) skipped=$((skipped + 1))
  if [[ $tap ]]; then
    printf '%s\n' "ok $count - $1: $2 # SKIP $3"
  elif [[ -z $quiet ]]; then
    print_line "skipped $1: $2: $3"
  fi
}

# verdict NAME ends the report. It fails unless points were tried, and all of them hold.
verdict() {
  if [[ $tap ]]; then
    echo "1..$count"
  elif [[ -z $quiet ]] || [[ $failed -eq 0 && $count -gt $skipped ]]; then
    say "$1: $((count - failed - pardoned - skipped)) of $count points hold$(
      [[ $pardoned -eq 0 ]] || printf ', %s excused' "$pardoned"
      [[ $skipped -eq 0 ]] || printf ', %s not tried' "$skipped"
    )"
  fi
  [[ $failed -eq 0 && $count -gt $skipped ]]
}
