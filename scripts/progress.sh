#!/usr/bin/env bash
# progress.sh says which lessons you have written, and what to do next.
#
#   scripts/progress.sh              done, begun, not begun
#   scripts/progress.sh reset NN     lesson NN from the start again
#   scripts/progress.sh reset all    all lessons, as if you had written none
#   scripts/progress.sh --share FILE [NAME]
#                                    add a line about you to FILE, as NAME or
#                                    USER@HOST; with - for NAME without a name
#   scripts/progress.sh --help-me [NN]
#                                    the same again, with a hand up at lesson NN, or at
#                                    the one you are at; --share puts it down
#   scripts/progress.sh --room DIR [--watch]
#                                    all who have a line in the files of DIR, and
#                                    what they have answered to scripts/quiz.sh; with
#                                    --watch live, whoever needs help first, q ends it
#
# Done is a lesson whose check has passed with the files that are there now:
# change one, and it is begun again until scripts/check.sh NN has passed.
#
# A line of FILE: when, in seconds since 1970; x done, o begun, t typed and not begun,
# . none of it, for each lesson; ! and a lesson is a hand that is up; what was answered:
# to all questions, before the class, after it; the name. What stands last for a name,
# counts.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
source "$lib/questions.sh"
answer_help "$@"
export LC_ALL=C.UTF-8 # a name may have any letters

mapfile -t lessons < <(rows lessons | cut -f 1)

# sign_of LESSON prints x, o, t or . for it.
sign_of() {
  local passed=''
  if [[ ! -d work/$1 ]]; then
    if [[ -e work/.progress/$1.typed ]]; then echo t; else echo .; fi
    return
  fi
  [[ ! -f work/.progress/$1.passed ]] || read -r passed <"work/.progress/$1.passed"
  if [[ $passed == "$(fingerprint "$1")" ]]; then echo x; else echo o; fi
}

# next_lesson prints the first lesson that is begun and not done, else the first that is
# not begun.
next_lesson() {
  local lesson sign next=''
  for lesson in "${lessons[@]}"; do
    sign=$(sign_of "$lesson")
    [[ $sign != o ]] || { echo "$lesson" && return; }
    [[ $sign == x || -n $next ]] || next=$lesson
  done
  echo "$next"
}

show() {
  local lesson state left next
  for lesson in "${lessons[@]}"; do
    case $(sign_of "$lesson") in
    x) state=${green}done$plain ;;
    o)
      state='begun: its check has not passed yet'
      left=$(cat "work/$lesson"/*.go 2>/dev/null | grep -c TODO) || true
      [[ $left -eq 0 ]] || state="begun: TODO is in $left lines"
      [[ ! -f work/.progress/$lesson.passed ]] || state='begun: changed since its check passed'
      ;;
    *) state="${dim}not begun$plain" ;;
    esac
    printf '%-15s %s\n' "$lesson" "$state"
  done
  next=$(next_lesson)
  if [[ -d work/$next && -n $next ]]; then
    say "next: scripts/check.sh ${next%%-*}"
  elif [[ -n $next ]]; then
    say "next: scripts/start.sh ${next%%-*}"
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
  remove "$lesson" ".progress/$lesson".{hints,passed,typed} "bin/$lesson"
  [[ ! -e work/.progress/quiz ]] || sed -i "/^$lesson /d" work/.progress/quiz
  bash "$repo/scripts/start.sh" "$lesson"
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

# share FILE NAME [NN] adds one line, with a hand up at lesson NN. It is short and
# written at once, at what is then the end of the file, so that nobody's line gets
# into another's. Others may have put something else there than a file: no link is
# followed, and no FIFO waited for.
share() {
  local file=$1 name=${2:-$(id -un 2>/dev/null)@$(uname -n)} hand=${3:+!$3} signs='' lesson line cleaned
  local how=notrunc
  [[ -d $(dirname "$file") ]] || die "there is no directory $(dirname "$file")"
  make_work
  if [[ $name == - ]]; then # the same number each time
    [[ -s work/.progress/nobody ]] || echo "nobody-$RANDOM$RANDOM" >work/.progress/nobody
    name=$(<work/.progress/nobody)
  fi
  printf '%s\0' "$file" "$name" >work/.progress/shared
  clean_text "$name" 30
  name=$cleaned
  for lesson in "${lessons[@]}"; do signs+=$(sign_of "$lesson"); done
  line="$(date +%s) $signs$hand$(answers) $name"
  # Without O_CREAT, which protected_regular of proc_sys_fs(5) refuses for a file of
  # somebody else's in /tmp.
  [[ ! -e $file ]] || how+=,nocreat
  dd oflag=append,nofollow,nonblock conv="$how" of="$file" status=none <<<"$line" ||
    die "cannot write to $file" "its owner can let you: chmod a+w $file"
  say "In $file: $(tr -dc x <<<"$signs" | wc -c) done${hand/!/, hand up in }. Your line:"
  printf '%s\n' "$line"
}

# help_me [NN] puts up a hand where you have shared your line.
help_me() {
  local to=() lesson
  [[ ! -s work/.progress/shared ]] || mapfile -d '' -t to <work/.progress/shared
  [[ ${#to[@]} -eq 2 ]] ||
    die 'nobody would see your hand: you have not shared a line yet' "$0 --share FILE"
  lesson=${1:-$(next_lesson)}
  lesson=${lesson:-${lessons[-1]}}
  share "${to[@]}" "${lesson%%-*}"
}

# lines_of DIR prints the lines in the files there, oldest first. A stranger may have
# written them, or put a link or a FIFO in their place: no line counts for more than its
# first 250 bytes, no file for more than its last 100,000.
lines_of() {
  local size file
  find -H "$(realpath -- "$1")" -maxdepth 1 -type f -printf '%s %p\0' |
    while read -r -d '' size file; do
      dd if="$file" iflag=nofollow,nonblock,skip_bytes bs=100000 count=1 \
        skip=$((size > 100000 ? size - 100000 : 0)) status=none 2>/dev/null | cut -b 1-250 || true
      echo
    done |
    LC_ALL=C grep -aE "^[0-9]{1,11} [xot.]{${#lessons[@]}}(![0-9]{1,2})?(:[a-z.]+)* " |
    LC_ALL=C sort -s -n -k 1,1
}

# read_room DIR reads them: by name, last has the signs, seen when, since when they are
# so, hands the lesson where a hand is up, said the answers. times is the median time
# from begun to done of each lesson, as far as there is one. All for no more than 1,000
# names.
read_room() {
  local when changed signs name now cleaned hand
  declare -gA last=() seen=() since=() hands=() said=()
  times=''
  [[ -d $1 ]] || die "there is no directory $1"
  printf -v now '%(%s)T'
  while read -r when changed signs name; do
    if [[ $when == median ]]; then
      times+="  ${lessons[changed - 1]%%-*} $signs ($name)"
      continue
    fi
    clean_text "$name" 30
    name=$cleaned
    [[ -n $name && $when -ge ${seen[$name]:-0} ]] || continue
    seen[$name]=$when since[$name]=$changed last[$name]=${signs:0:${#lessons[@]}}
    signs=${signs:${#lessons[@]}} hand=''
    [[ $signs != '!'* ]] || hand=${signs:1} hand=${hand%%:*}
    hands[$name]=$hand said[$name]=${signs#"${hand:+!$hand}"}
  done < <(lines_of "$1" | LC_ALL=C awk -v now="$now" -v lessons="${#lessons[@]}" '
    $1 + 0 <= now + 60 {
      name = $0
      sub(/^[^ ]+ +[^ ]+ +/, "", name)
      if (!(name in line) && ++names > 1000) next
      signs = substr($2, 1, lessons)
      if (!(name in line) || signs != had[name]) since[name] = $1
      for (i = 1; i <= lessons; i++) {
        sign = substr(signs, i, 1)
        if (sign ~ /[ot]/ && !((name, i) in begun)) begun[name, i] = $1
        if (sign == "x" && (name, i) in begun && !((name, i) in done)) {
          done[name, i] = 1
          for (k = ++n[i]; k > 1 && took[i, k - 1] > $1 - begun[name, i]; k--) took[i, k] = took[i, k - 1]
          took[i, k] = $1 - begun[name, i]
        }
      }
      had[name] = signs; line[name] = $1 " " since[name] substr($0, length($1) + 1)
    }
    END {
      for (name in line) print line[name]
      for (i = 1; i <= lessons; i++)
        if (n[i]) print "median", i, int((took[i, int((n[i] + 1) / 2)] + took[i, int(n[i] / 2) + 1]) / 120 + 0.5), n[i]
    }')
}

# pad VAR NAME COLUMNS sets VAR to a name that takes so many columns: some letters are
# two columns wide.
pad() {
  local text=${2:0:$3} wide
  wide=$(wc -L <<<"$text")
  [[ $wide -le $3 ]] || { text=${2:0:$(($3 / 2))} && wide=$(wc -L <<<"$text"); }
  printf -v "$1" '%s%*s' "$text" $(($3 - wide)) ''
}

# room DIR shows everybody, as a table.
room() {
  local signs name now lesson padded hand
  read_room "$1"
  [[ ${#last[@]} -gt 0 ]] || die "nobody has a line in a file of $1" \
    "scripts/progress.sh --share $1/FILE"

  printf -v now '%(%s)T'
  printf '%30s  ' ''
  for lesson in "${lessons[@]}"; do printf '%s  ' "${lesson%%-*}"; done
  printf 'minutes ago\n'
  while IFS= read -r name; do
    signs=$(sed "s/./&   /g; s/x/${green}x$plain/g; s/o/${bold}o$plain/g" <<<"${last[$name]}")
    hand=${hands[$name]:+  hand up in ${hands[$name]}}
    pad padded "$name" 30
    printf '%s  %s%11d%s\n' "$padded" "$signs" $(((now - ${seen[$name]}) / 60)) "$hand"
  done < <(printf '%s\n' "${!last[@]}" | sort)
  printf '\nt typed, o begun, x done\n'
  measured
  answered "${said[@]}"
}

measured() {
  [[ -z $times ]] || printf '%s\n' 'minutes from begun to done, measured, median (n = how many):' "$times"
}

# crowd DIR LINES COLUMNS shows everybody on one screen: first those with a hand up, then
# those with whom nothing has changed for longest, and last those who are done.
crowd() {
  local name now i n=0 rank rows most=$(($2 - 6)) padded cells=() numbers title
  read_room "$1"
  printf -v now '%(%s)T'
  while read -r _ _ name; do
    [[ -n $name ]] || continue
    pad padded "$name" 20
    printf -v "cells[n]" '%s %s %4d %-7s' "$padded" "${last[$name]}" \
      $(((now - ${since[$name]}) / 60)) "${hands[$name]:+hand ${hands[$name]}}"
    n=$((n + 1))
  done < <(for name in "${!last[@]}"; do
    rank=1
    [[ ${last[$name]} == *[!x]* ]] || rank=2
    [[ -z ${hands[$name]} ]] || rank=0
    printf '%s %s %s\n' "$rank" "${since[$name]}" "$name"
  done | sort -k 1,1n -k 2,2n)

  rows=$n
  [[ $n -le $most || $3 -lt 92 ]] || rows=$(((n + 1) / 2))
  [[ $rows -le $most ]] || rows=$most
  numbers=$(printf '%.2s\n' "${lessons[@]}" | cut -b 2 | tr -d '\n')
  printf -v title '%-20s %s  min' "$n in this room" "$numbers"
  if [[ $rows -lt $n && $3 -ge 92 ]]; then
    printf '%-67s%s  min\n' "$title" "$numbers"
  else
    printf '%s\n' "$title"
  fi
  for ((i = 0; i < rows; i++)); do
    name=${cells[i]}
    [[ $3 -lt 92 ]] || name+="    ${cells[i + rows]:-}"
    printf '%s\n' "${name%"${name##*[! ]}"}"
  done
  n=$((n - rows * ($3 < 92 ? 1 : 2)))
  [[ $n -le 0 ]] || echo "... and $n more"
  printf '\nt typed, o begun, x done; min: minutes since that changed\n'
  measured
}

# watch_room DIR shows it again and again, until q.
watch_room() {
  local picture key='' size=(28 100)
  if [[ ! -t 0 || ! -t 1 ]]; then
    crowd "$1" "${size[@]}"
    return
  fi
  take_screen
  while [[ $key != [qQ] ]]; do
    read -ra size < <(stty size)
    picture=$(crowd "$1" "${size[@]}")
    printf '\e[H%s\e[K\e[J' "${picture//$'\n'/$'\e[K\n'}"
    read_key 2
  done
}

# answered ANSWERS... shows how many took which option of each question that somebody has
# answered: * is the right one.
answered() {
  local kind lesson question i number letter row count all asked field=1
  for kind in quiz before after; do
    field=$((field + 1))
    mapfile -t asked < <(questions_of "$kind")
    # In a line with more or fewer letters, it is unknown which question each answers.
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
--help-me)
  [[ -z ${2:-} ]] || full_name "$2" >/dev/null || misused "there is no lesson $2"
  as_caller "$@"
  ;;
--share)
  [[ -n ${2:-} ]] || misused 'in which FILE?'
  as_caller "$@"
  [[ $2 == /* ]] || set -- "$1" "$PWD/$2" "${@:3}"
  ;;
--room)
  [[ -n ${2:-} ]] || misused 'which DIR?'
  case ${3:-} in
  '') room "$2" ;;
  --watch) watch_room "$2" ;;
  *) misused "unknown argument $3" ;;
  esac
  exit
  ;;
'') ;;
*) misused "unknown argument $1" ;;
esac

cd "$repo"
case ${1:-} in
reset) reset "${@:2}" ;;
--share) share "$2" "${3:-}" ;;
--help-me) help_me "$(full_name "${2:-}")" ;;
*) show ;;
esac
