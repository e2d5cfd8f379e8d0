#!/usr/bin/env bash
# diff.sh shows what a lesson adds to the one before it: its new files whole,
# and what is new in the others, each part under the function that it is in.
# Usage: scripts/diff.sh NN [--mine]
#   NN      a lesson; of 01, the whole main.go, since no lesson comes before it
#   --mine  compare your own copy, work/NN-name, with the lesson: + marks lines
#           that only you have, - lines that only the lesson has
# It leaves out tests, and what differs in every lesson: the comment at the top
# of main.go, and the name of the lesson.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
answer_help "$@"

# without_noise prints a file without what differs in every lesson.
without_noise() {
  [[ -f $1 ]] || return 0
  sed -e '/^\/\*$/,/^\*\/$/d' -e '/^const lesson = /d' "$1" | expand -t 4
}

# merged prints two files as one: + marks a line that only the new one has,
# - one that only the old one has, and a blank the others.
merged() {
  diff --text --unified=100000 <(without_noise "$1") <(without_noise "$2") |
    sed -e '1,3d' -e '/^\\/d'
}

# show_line prints a line in the colour of its sign. A line that is too long for the
# terminal continues below, under the same sign.
show_line() {
  local sign=$1 text=${2:+ $2} colour=$dim
  [[ $sign != + ]] || colour=$green
  [[ $sign != - ]] || colour=$red
  printf '%s\n' "$colour$sign${text:0:width-1}$plain"
  [[ ${#text} -lt $width ]] || show_line "$sign" "${text:width-1}"
}

# show_whole prints all lines of a file that only one of the two has.
show_whole() {
  local line
  printf '\n'
  say "$1"
  while IFS= read -r line; do
    show_line "${line:0:1}" "${line:1}"
  done < <(merged "$2" "$3")
}

# What begins a part of a file, up to its name.
part='^(func (\([^)]*\) )?[A-Za-z0-9_]+|(type|const|var) [A-Za-z0-9_]+|import)'

# show_changes prints the lines that differ, with the one before and the one
# after, under the name of the file and of the function or type around them.
show_changes() {
  local line sign text around='' before='' state=far
  while IFS= read -r line; do
    sign=${line:0:1} text=${line:1}
    case $before in # ends a part, unless it is the last line of its head
    *'{') ;;
    '}'* | ')'*) around='' ;;
    esac
    case $text in
    *'{' | *'(') [[ ! $text =~ $part ]] || around=", ${BASH_REMATCH[1]}" ;;
    esac
    if [[ $sign != ' ' ]]; then
      if [[ $state == far ]]; then
        printf '\n'
        say "$1$around"
        [[ -z $before ]] || show_line ' ' "$before"
      elif [[ $state == after && -z $before ]]; then
        show_line ' ' ''
      fi
      show_line "$sign" "$text"
      state=in
    elif [[ $state == in ]]; then
      [[ -z $text ]] || show_line ' ' "$text"
      state=after
    else
      state=far
    fi
    before=$text
  done < <(merged "$2" "$3")
}

find_width
lesson='' mine=''
for argument; do
  case $argument in
  --mine) mine=yes ;;
  *)
    [[ -z $lesson ]] || misused "expected one lesson, not both $lesson and $argument"
    lesson=$(need_lesson "$argument")
    ;;
  esac
done
[[ -n $lesson ]] || need_lesson

cd "$repo"
old=$(rows lessons | cut -f 1 | grep -x -B 1 "$lesson" | head -n 1) new=$lesson
if [[ -n $mine ]]; then
  old=$lesson new=work/$lesson
  need_own "$lesson"
  say "$new against $old"
elif [[ $old == "$new" ]]; then
  say "$new is the first lesson: all of main.go is new"
  old=none
else
  say "what $new adds to $old"
fi

for dir in "$old" "$new"; do
  [[ $dir == none || -d $dir ]] || die "there is no directory $dir" "git checkout $dir"
done

shown=0
# First the files that only one of the two has, then the others.
for pass in whole changed; do
  while read -r name; do
    if [[ $old == none && $name != main.go ]]; then
      continue
    elif [[ -f $old/$name && -f $new/$name ]]; then
      [[ $pass == changed ]] || continue
      ! cmp -s <(without_noise "$old/$name") <(without_noise "$new/$name") || continue
      show_changes "$name" "$old/$name" "$new/$name"
    elif [[ $pass == whole ]]; then
      show_whole "$([[ -f $new/$name ]] && echo "$name, new" || echo "$name, only in $old")" \
        "$old/$name" "$new/$name"
    else
      continue
    fi
    shown=$((shown + 1))
  done < <(basename -a "$new"/*.go "$old"/*.go | grep -v '_test\.go$' | sort -u)
done
if [[ $shown -eq 0 ]]; then
  [[ -n $mine ]] || die "$new adds nothing to $old: that cannot be"
  say "no difference"
fi
