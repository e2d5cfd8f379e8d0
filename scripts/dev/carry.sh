#!/usr/bin/env bash
# carry.sh carries a change of one lesson through all later ones: it applies the
# difference between NN-name/*.go and their last commit to the same files there.
# Each lesson keeps what is its own: tests, and in main.go the comment at the top,
# the example, and the number in the host name.
#
# Usage: scripts/dev/carry.sh [--check] NN
#
#   --check   change nothing, and say what would change
#
# All or nothing: if the change does not fit one later file, it says so, and touches no
# file. Then change that file by hand, and run it again: if the change does not fit a
# file that you have changed, that file stays as it is.
# At the end it names the patches that do not apply any more: breaks/, those in
# exercises/, and start.patch.
#
# Exit status: 0 all is done, 1 something is left to do by hand, 2 the command
# line is wrong.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

dry=''
if [[ ${1:-} == --check ]]; then
  dry=yes
  shift
fi
lesson=$(need_lesson "$@")
cd "$repo"
mapfile -t later < <(rows lessons | cut -f 1 | sed "0,/^$lesson\$/d")

scratch=$(mktemp -d /var/tmp/nsl.0XXXXXX)
trap 'rm -rf "$scratch"' EXIT

# committed FILE prints it as it was at the last commit, or nothing if it was not there.
committed() { git show "HEAD:./$1" 2>/dev/null || true; }

# edited FILE says whether somebody has changed it since then.
edited() { ! committed "$1" | cmp --quiet - "$1"; }

# without_own prints a file without the parts that differ in each lesson.
without_own() {
  sed -e '/^\/\*$/,/^\*\/$/d' -e '/^const lesson = /d'
}

# What to do with each file: the scratch directory has its new contents, an empty file if
# it is to be removed.
todo=() conflicts=0

# carry NAME LATER looks at one file of a later lesson. base is the lesson's file at the
# last commit, and theirs the file now: empty if there is none.
carry() {
  local file=$2/$1 merged=$scratch/$2/$1 ours=/dev/null
  [[ ! -e $file ]] || ours=$file
  mkdir -p "$scratch/$2"
  if cmp --quiet "$theirs" "$ours"; then
    return # it has it already
  elif cmp --quiet "$base" "$ours"; then
    cp "$theirs" "$merged"
  elif [[ -e $lesson/$1 ]] && git merge-file -p -L "$file" -L "$lesson before" -L "$lesson now" \
    "$ours" "$base" "$theirs" >"$merged"; then
    ! cmp --quiet "$merged" "$ours" || return 0
  elif edited "$file"; then
    say "$file: you have changed it, so it stays"
    return
  else
    say "$file: the change does not fit"
    [[ ! -e $merged ]] || sed -n '/^<<<<<<< /,/^>>>>>>> /p' "$merged"
    conflicts=$((conflicts + 1))
    return
  fi
  todo+=("$file")
}

changed=0
base=$scratch/base theirs=$scratch/theirs
while read -r name; do
  committed "$lesson/$name" | without_own >"$base"
  : >"$theirs"
  [[ ! -e $lesson/$name ]] || without_own <"$lesson/$name" >"$theirs"
  ! cmp --quiet "$base" "$theirs" || continue
  changed=$((changed + 1))
  say "changed: $lesson/$name"
  for dir in "${later[@]}"; do carry "$name" "$dir"; done
done < <({ git ls-tree --name-only HEAD "$lesson/" && ls -d "$lesson"/*; } |
  grep '\.go$' | grep -v '_test\.go$' | xargs -n 1 basename | sort -u)
[[ $changed -gt 0 ]] ||
  die "no file of $lesson differs from the last commit" "git diff HEAD $lesson"
[[ $conflicts -eq 0 ]] ||
  die "nothing is carried: $conflicts files do not fit" \
    "change these by hand, and run it again"

for file in "${todo[@]}"; do
  if [[ -n $dry ]]; then
    echo "would change $file"
  elif [[ -s $scratch/$file ]]; then
    cat "$scratch/$file" >"$file"
    echo "carried to $file"
  else
    rm "$file"
    echo "removed $file"
  fi
done
[[ -z $dry ]] || exit 0

# applies PATCH DIR says whether a patch fits a lesson, as scripts apply it.
applies() {
  rm -rf "$scratch/try"
  cp -r "$2" "$scratch/try"
  apply_patch "$1" "$scratch/try" >/dev/null
}

left=0
for dir in "$lesson" "${later[@]}"; do
  for patch in "$dir"/*.patch "$dir"/breaks/*.patch \
    "$dir"/exercises/*/solution.patch; do
    if [[ -e $patch ]] && ! applies "$patch" "$dir"; then
      say "does not apply any more: $patch"
      left=$((left + 1))
    fi
  done
done
say "now: go test ./internal/lessons, and go test ./internal/texts -update"
[[ $left -eq 0 ]]
