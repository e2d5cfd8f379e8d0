# shellcheck disable=SC2154 # of env.sh
# work.sh: work/, where a learner's own lessons are, and broken ones. It is sourced,
# not run.

# make_work makes work/, where a learner's own lessons are: a Go module of its own, so
# that code which does not build there is no fault in the repository.
make_work() {
  as_user mkdir -p "$repo/work/.progress" ||
    die "cannot write to $repo/work" "sudo chown -R \$USER $repo"
  local file
  for file in go.mod go.sum; do
    [[ ! -e $repo/work/$file || $repo/$file -nt $repo/work/$file ]] || continue
    # It is renamed to its name, since another script may be doing the same.
    as_user cp "$repo/$file" "$repo/work/.progress/$file.$$"
    as_user mv "$repo/work/.progress/$file.$$" "$repo/work/$file"
  done
}

# fingerprint NN-name prints a checksum of the Go files in work/NN-name: if it is the
# same, a check has seen the files as they are now.
fingerprint() {
  (cd "$repo/work/$1" && find . -type f -name '*.go' -exec sha256sum {} + |
    LC_ALL=C sort -k 2 | sha256sum | cut -d ' ' -f 1)
}

# note_typed NN-name notes for progress.sh --share that this lesson was typed, once there
# is a place to note it. follow.sh calls it again and again.
note_typed() {
  local dir=$repo/work/.progress
  [[ ! -d $dir || -e $dir/$1.typed ]] || as_user touch "$dir/$1.typed"
}

# need_own NN-name [LINE] ends the script if the learner has not begun that
# lesson. LINE is what else to type.
need_own() {
  [[ -d $repo/work/$1 ]] ||
    die "there is no work/$1" "scripts/start.sh ${1%%-*}" "${@:2}"
}

# build_own NN-name builds the learner's own lesson in work/, and sets launch
# to what starts it.
build_own() {
  need_go
  make_work
  go_build "$repo/work" -o bin/ "./$1" ||
    die "work/$1 does not build"
  launcher "$1" "work/bin/$1"
}

# apply_patch PATCH DIR changes DIR, a copy of a lesson, if the patch fits exactly.
apply_patch() { as_user patch --quiet --strip 2 --fuzz 0 --directory "$2" <"$1"; }

# build_patched NN-name PATCH DIR [FD] builds work/DIR from a copy of that lesson
# with PATCH applied, and sets launch to what starts it. From FD comes the program, if it
# was built before.
build_patched() {
  local file program=work/$3/${3##*/}
  # The page has these programs, since it has no Go.
  if [[ -x /usr/bin/prebuilt && -r $repo/bin/prebuilt/${3##*/} ]]; then
    as_user mkdir -p "$repo/work/$3"
    prebuilt "$repo/bin/$1" "$repo/bin/prebuilt/${3##*/}" |
      as_user tee "$repo/$program" >/dev/null
    as_user chmod +x "$repo/$program"
    launcher "$1" "$program"
    return
  fi
  need_go
  make_work
  as_user rm -rf "$repo/work/$3"
  as_user mkdir -p "$repo/work/$3"
  for file in "$repo/$1"/*.go; do
    [[ $file == *_test.go ]] || as_user cp "$file" "$repo/work/$3"
  done
  apply_patch "$2" "$repo/work/$3" ||
    die "${2#"$repo/"} does not apply to $1 any more"
  if [[ ${4:-} ]]; then
    as_user tee "$repo/$program" <&"$4" >/dev/null
    as_user chmod +x "$repo/$program"
  else
    go_build "$repo/work" -o "$3/" "./$3" ||
      die "$1 with ${2#"$repo/"} does not build"
  fi
  launcher "$1" "$program"
}
