#!/usr/bin/env bash
# progress.sh tells which lessons you have written, and what to do next.
#
#   scripts/progress.sh              done, begun, not begun
#   scripts/progress.sh reset NN     lesson NN from the start again
#   scripts/progress.sh reset all    all lessons, as if you had written none
#   scripts/progress.sh --share FILE [NAME]
#                                    add a line about you to FILE, as NAME or
#                                    USER@HOST; with - for NAME without a name
#   scripts/progress.sh --room DIR   all who have a line in the files of DIR, and
#                                    what they have answered to scripts/quiz.sh
#
# Done is a lesson whose check has passed with the files that are there now:
# change one, and it is begun again until scripts/check.sh NN has passed.
#
# A line of FILE: when, in seconds since 1970; x done, o begun, . not begun,
# for each lesson, and what was answered: to all questions, before the class, after
# it; the name. What stands last for a name, counts.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/questions.sh"
answer_help "$@"
export LC_ALL=C.UTF-8 # a name may have any letters

mapfile -t lessons < <(rows lessons | cut -f 1)

# sign_of LESSON prints x, o or . for it.
sign_of() {
  local passed=''
  if [[ ! -d work/$1 ]]; then
    echo .
    return
  fi
  [[ ! -f work/.progress/$1.passed ]] || read -r passed <"work/.progress/$1.passed"
  if [[ $passed == "$(fingerprint "$1")" ]]; then echo x; else echo o; fi
}

show() {
  local lesson left next='' advice=''
  for lesson in "${lessons[@]}"; do
    case $(sign_of "$lesson") in
    x)
      printf '%-15s %s\n' "$lesson" "${green}done$plain"
      continue
      ;;
    o)
      left=$(cat "work/$lesson"/*.go 2>/dev/null | grep -c TODO) || true
      if [[ -f work/.progress/$lesson.passed ]]; then
        printf '%-15s %s\n' "$lesson" "begun: changed since its check passed"
      elif [[ $left -gt 0 ]]; then
        printf '%-15s %s\n' "$lesson" "begun: TODO is in $left lines"
      else
        printf '%-15s %s\n' "$lesson" "begun: its check has not passed yet"
      fi
      advice=check
      ;;
    .)
      printf '%-15s %s\n' "$lesson" "${dim}not begun$plain"
      advice=start
      ;;
    esac
    [[ -n $next ]] || next="scripts/$advice.sh ${lesson%%-*}"
  done
  if [[ -n $next ]]; then
    say "next: $next"
  else
    say "All are done. Yours and ours: scripts/diff.sh ${lessons[-1]%%-*} --mine"
  fi
}

# remove NAME... removes what is there of these below work/.
remove() {
  local name there=() answer=''
  for name; do [[ ! -e work/$name ]] || there+=("work/$name"); done
  [[ ${#there[@]} -gt 0 ]] || return 0
  printf '%s\n' "${there[@]}"
  printf 'Remove this, with all that you have written in it? [y/N] '
  read -r answer || echo
  [[ $answer == [yY]* ]] || die "nothing is removed"
  rm -rf -- "${there[@]}" ||
    die "not all of it is yours to remove" "sudo rm -rf ${there[*]}"
}

reset() {
  local lesson
  if [[ ${1:-} == all ]]; then
    remove "${lessons[@]}" bin broken .progress
    say "no lesson is begun"
    return
  fi
  lesson=$(full_name "$@") || misused 'reset NN, or reset all'
  remove "$lesson" ".progress/$lesson".{hints,passed} "bin/$lesson"
  [[ ! -e work/.progress/quiz ]] || sed -i "/^$lesson /d" work/.progress/quiz
  "$repo/scripts/start.sh" "$lesson"
}

# answers prints what was answered, . for no answer, if anything was.
answers() {
  local kind all=''
  for kind in quiz before after; do
    all+=:$(questions_of "$kind" | awk -v file="work/.progress/$kind" '
      BEGIN { while ((getline line <file) > 0) { split(line, f, " "); said[f[1] " " f[2]] = f[3] } }
      { printf "%s", $0 in said ? said[$0] : "." }')
  done
  [[ $all != *[a-z]* ]] || echo "$all"
}

# questions_of KIND prints them, quiz, before or after, in the order of a line's letters.
questions_of() { if [[ $1 == quiz ]]; then every_question; else twelve; fi; }

# share FILE NAME adds one line. It is short and written at once, at what is
# then the end of the file, so that nobody's line gets into another's.
share() {
  local file=$1 name=${2:-$(id -un)@$(uname -n)} signs='' lesson line cleaned
  [[ -d $(dirname "$file") ]] || die "there is no directory $(dirname "$file")"
  if [[ $name == - ]]; then # the same number each time
    make_work
    [[ -s work/.progress/nobody ]] || echo "nobody-$RANDOM$RANDOM" >work/.progress/nobody
    name=$(<work/.progress/nobody)
  fi
  clean_text "$name" 30
  name=$cleaned
  for lesson in "${lessons[@]}"; do signs+=$(sign_of "$lesson"); done
  line="$(date +%s) $signs$(answers) $name"
  if [[ -e $file ]]; then
    # Without O_CREAT, which protected_regular of proc_sys_fs(5) refuses for a
    # file of somebody else's in /tmp.
    dd oflag=append conv=notrunc,nocreat of="$file" status=none <<<"$line"
  else
    echo "$line" >>"$file"
  fi || die "cannot write to $file" "its owner can let you: chmod a+w $file"
  say "$line"
}

# lines_of DIR prints the last line of each name in the files there. A stranger may
# have written them: no line counts for more than its first 250 bytes, no file for
# more than its last 100,000, and all for no more than 1,000 names.
lines_of() {
  find -H "$(realpath -- "$1")" -maxdepth 1 -type f -exec sh -c '
    for file; do tail -c 100000 -- "$file" | cut -b 1-250; echo; done' sh {} + |
    LC_ALL=C awk '
      $1 ~ /^[0-9]+$/ && length($1) < 12 && $2 ~ /^[xo.]+(:[a-z.]+)*$/ && length($2) < 120 {
        name = $0
        sub(/^[^ ]+ +[^ ]+ +/, "", name)
        if (!(name in when) || $1 + 0 >= when[name]) { when[name] = $1 + 0; line[name] = $0 }
      }
      END { for (name in line) if (n++ < 1000) print line[name] }'
}

# room DIR shows everybody, as a table.
room() {
  local when signs name now lesson pad cleaned
  local -A last=() seen=() said=()
  [[ -d $1 ]] || die "there is no directory $1"
  while read -r when signs name; do
    clean_text "$name" 30
    name=$cleaned
    [[ $when =~ ^[0-9]{1,11}$ && ${signs%%:*} =~ ^[xo.]{${#lessons[@]}}$ && -n $name ]] || continue
    [[ $when -ge ${seen[$name]:-0} ]] || continue
    seen[$name]=$when last[$name]=${signs%%:*} said[$name]=${signs#"${last[$name]}"}
  done < <(lines_of "$1")
  [[ ${#last[@]} -gt 0 ]] || die "nobody has a line in a file of $1" \
    "scripts/progress.sh --share $1/FILE"

  printf -v now '%(%s)T'
  printf '%30s  ' ''
  for lesson in "${lessons[@]}"; do printf '%s  ' "${lesson%%-*}"; done
  printf 'minutes ago\n'
  while IFS= read -r name; do
    signs=${last[$name]}
    printf -v pad '%*s' $((30 - ${#name})) ''
    signs=$(sed "s/./&   /g; s/x/${green}x$plain/g; s/o/${bold}o$plain/g" <<<"$signs")
    printf '%s  %s%11d\n' "$name$pad" "$signs" $(((now - ${seen[$name]}) / 60))
  done < <(printf '%s\n' "${!last[@]}" | sort)
  printf '\nx done, o begun\n'
  answered "${said[@]}"
}

# answered ANSWERS... shows how many took which option of each question that somebody has
# answered, * is the right one, and how many were right before and after.
answered() {
  local kind lesson question i number letter row count all asked field=1
  for kind in quiz before after; do
    field=$((field + 1))
    mapfile -t asked < <(questions_of "$kind")
    # Of a line with more or fewer letters nobody knows what they answer.
    mapfile -t all < <(printf '%s\n' "$@" | cut -s -d : -f "$field" |
      grep -E "^[a-e.]{${#asked[@]}}$" | grep '[a-e]')
    [[ ${#all[@]} -gt 0 ]] || continue
    printf '\n%-40s%s\n' "$kind: what ${#all[@]} have answered" 'a    b    c    d    e'
    number=0
    for question in "${asked[@]}"; do
      lesson=${question% *} i=${question#* }
      read_quiz "$lesson"
      row=''
      for letter in a b c d e; do
        count=$(printf '%s\n' "${all[@]:0:1000}" | cut -c $((number + 1)) | grep -c "$letter") || true
        [[ ${letters[i]} == *"$letter"* ]] || count=''
        [[ $letter != "${keys[i]}" ]] || count+='*'
        printf -v row '%s%-5s' "$row" "$count"
      done
      number=$((number + 1))
      [[ $row != *[1-9]* ]] || printf '%-40s%s\n' "${lesson%%-*} ${titles[i]}" "${row%"${row##*[! ]}"}"
    done
  done
}

case ${1:-} in
reset) as_caller "$@" ;;
--share)
  [[ -n ${2:-} ]] || misused 'in which FILE?'
  as_caller "$@"
  [[ $2 == /* ]] || set -- "$1" "$PWD/$2" "${@:3}"
  ;;
--room)
  [[ -n ${2:-} ]] || misused 'which DIR?'
  room "$2"
  exit
  ;;
'') ;;
*) misused "unknown argument $1" ;;
esac

cd "$repo"
case ${1:-} in
reset) reset "${@:2}" ;;
--share) share "$2" "${3:-}" ;;
*) show ;;
esac
