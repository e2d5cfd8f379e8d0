# shellcheck disable=SC2154 # of env.sh
# lessons.sh: the lessons, and what starts one. It is sourced, not run.

# rows prints the rows of a table, lessons or lib/packages, without its comments.
rows() {
  local row all=''
  while IFS= read -r row || [[ -n $row ]]; do
    [[ $row == '#'* ]] || all+=$row$'\n'
  done <"$repo/scripts/$1.tsv"
  printf %s "$all" # at once: a reader may not wait for the rest
}

# full_name NN prints the name of a lesson: 03, 3 and 03-uts are 03-uts.
full_name() {
  local name
  [[ $# -eq 1 ]] || return 1
  while read -r name _; do
    case $1 in
    "$name" | "${name%%-*}" | "${name:1:1}") echo "$name" && return ;;
    esac
  done < <(rows lessons)
  return 1
}

# need_lesson NN prints it, too, and ends the script if there is no such lesson.
need_lesson() {
  full_name "$@" || misused "NN must be $(rows lessons | sed -n '1s/-.*//p; $s/-.*//p' | xargs | sed 's/ / to /')"
}

# isolates NN-name THING says whether the lesson has a namespace of that type, or a root
# directory of its own: root.
isolates() {
  local name own twin
  while IFS=$'\t' read -r name own twin _; do
    [[ $twin != *' --root '* ]] || own+=,root
    [[ $name != "$1" || ,$own, != *",$2,"* ]] || return 0
  done <"$repo/scripts/lessons.tsv"
  return 1
}

# need_go ends the script where there is no Go that can build the lessons.
need_go() {
  local least have
  least=$(sed -n 's/^go //p' "$repo/go.mod")
  command -v go >/dev/null ||
    die "there is no go on this machine" \
      "install Go $least or newer: https://go.dev/doc/install"
  have=$(GOTOOLCHAIN=local go env GOVERSION) # else it may try to get another Go
  [[ $(printf '%s\n' "$least" "${have#go}" | sort -V | head -n 1) == "$least" ]] ||
    die "$have is too old: go.mod says $least" \
      "install a newer Go: https://go.dev/doc/install"
}

# go_build DIR ARGUMENT... is go build in DIR, without cgo, so that what it makes runs in
# any root filesystem and on any distribution. What only a debugger reads takes the linker
# half of its time.
go_build() {
  local said
  ! said=$(cd "$1" && as_user env CGO_ENABLED=0 go build -ldflags='-s -w' "${@:2}" 2>&1) || return 0
  [[ $said != *' cache'*': '* ]] ||
    die "Go has no place for its cache: ${said#* cache*: }" "export HOME=… (a directory of yours)"
  # Without a network, Go fails at the modules that it does not have, and lists them all.
  [[ $(cd "$1" && as_user env GOPROXY=off go build "${@:2}" 2>&1) != *GOPROXY=off* ]] ||
    die "Go has to download what the lessons import, and cannot: ${said##*: }" \
      "once, where there is a network: go mod download"
  printf '%s\n' "$said" >&2
  return 1
}

# build_lessons builds bin/01-pid to bin/08-cgroups.
build_lessons() {
  need_go
  say "building the lessons into bin/"
  go_build "$repo" -o bin/ "$repo"/0*
}

# need_rootfs makes rootfs/ for lessons 07 and 08, unless there is one.
need_rootfs() {
  [[ -d $repo/rootfs ]] || as_user bash "$repo/scripts/rootfs.sh"
}

# need_mqueue makes the directory in which lessons from 04 on show POSIX
# message queues. Where systemd runs, it is there.
need_mqueue() {
  [[ ! -d /dev/mqueue ]] || return 0
  say "making the directory /dev/mqueue"
  as_root mkdir -p /dev/mqueue
}

# launcher NN-name [PROGRAM] sets the array launch to what starts that lesson
# here, bin/NN-name or PROGRAM: without a user namespace it needs root, and with
# limits the right to make a cgroup.
launcher() {
  launch=("${2:-$repo/bin/$1}")
  [[ $EUID -ne 0 ]] || return 0
  if isolates "$1" cgroup && systemctl --user --quiet is-active default.target 2>/dev/null &&
    [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
    launch=(systemd-run --user --scope --quiet -p Delegate=yes "${launch[@]}")
  elif isolates "$1" cgroup || ! isolates "$1" user; then
    launch=(sudo "${launch[@]}")
  fi
}
