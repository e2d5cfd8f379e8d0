#!/usr/bin/env bash
# start.sh lays a lesson out in work/NN-name for you to write: the code of the lesson
# before, with a TODO where the parent and the child do something new, and a new file
# whose functions have no body yet. (A file with a single function is given, and so is
# what reads the command line.) It builds, it runs, and scripts/check.sh NN says what is
# missing.
#
# Usage: scripts/start.sh NN
#
# Lesson 01 starts from a program that runs a command, and isolates nothing.
# It overwrites nothing of yours: to start again, scripts/progress.sh reset NN.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
answer_help "$@"

lesson=$(need_lesson "$@")
number=${lesson%%-*}
as_caller "$@"

# with_gaps OLD NEW prints NEW with a TODO for what its parent and child do in addition
# to OLD. The rest, such as the flags of the command line, is given.
with_gaps() {
  {
    diff --old-line-format='' --unchanged-line-format='=%L' --new-line-format='+%L' \
      "$1" "$2" || [[ $? -eq 1 ]]
  } | awk -v number="$number" '
    /^.func / { inside = /^.func (parent|child)\(/ }
    inside && /^\+/ { new += !/^\+\t*(\/\/|$)/; next }
    new { printf "\t// TODO: %d new %s in lesson %s\n", new, new == 1 ? "line" : "lines", number; new = 0 }
    { print substr($0, 2) }' | usable_imports
}

# usable_imports marks what a Go file imports but does not use yet: Go accepts that
# only as _.
usable_imports() {
  awk '
    { line[++n] = $0; if ($0 !~ /^\t*\/\//) code = code $0 "\n" }
    END {
      for (i = 1; i <= n; i++) {
        package = line[i]
        gsub(/.*\/|["\t]/, "", package)
        if (line[i] ~ /^\t"[^ ]+"$/ && code !~ "[^a-z]" package "\\.")
          sub(/\t/, "\t_ ", line[i])
        print line[i]
      }
    }'
}

# without_bodies FILE prints a Go file whose functions are still to be written.
# Functions of one line stay.
without_bodies() {
  awk '
    skip && !/^}/ { next }
    { print; skip = "" }
    /^func / && !/}$/ { name = $0; sub(/^func (\([^)]*\) )?/, "", name) }
    name && /{$/ {
      sub(/\(.*/, "", name)
      print "\tpanic(\"TODO: " name "\")"
      name = ""; skip = 1
    }' "$1" | usable_imports
}

cd "$repo"
[[ ! -e work/$lesson ]] || die "work/$lesson exists already, and stays as it is" \
  "to start again without it: scripts/progress.sh reset $number"
before=$(rows lessons | cut -f 1 | grep -x -B 1 "$lesson" | head -n 1)
make_work
new=$(mktemp -d work/.progress/start.XXXXXX)
trap 'rm -rf "$new"' EXIT
chmod 755 "$new"
for file in "$lesson"/*.go; do
  name=${file##*/}
  if [[ $name == *_test.go ]]; then
    continue
  elif [[ $before == "$lesson" ]]; then
    cp "$file" "$new"
  elif [[ $name == main.go ]]; then
    with_gaps "$before/$name" "$file" >"$new/$name"
  elif [[ -f $before/$name ]]; then
    cp "$file" "$new"
  elif [[ $name != *_* && $(grep -c '^func ' "$file") -gt 1 ]]; then
    without_bodies "$file" >"$new/$name"
  else
    cp "$file" "$new" # one function, or for older hosts: main.go calls it
  fi
done
if [[ $before == "$lesson" ]]; then
  apply_patch "$lesson/start.patch" "$new" ||
    die "$lesson/start.patch does not apply to $lesson any more"
  say "work/$lesson: a program that runs a command"
else
  say "work/$lesson: $before, with a TODO for each place where something is new"
fi
# If the directory exists by now, this moves nothing.
mv -T "$new" "work/$lesson"

grep -n TODO "work/$lesson"/*.go | sed 's/\t\+/ /'
say "To build and check it: scripts/check.sh $number"
say "If you are stuck:      scripts/hint.sh $number"
