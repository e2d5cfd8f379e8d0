# shellcheck shell=bash
# lib.sh: what the scripts share. It is sourced, not run.

# Nothing in the caller's environment is to change what a script does.
# - functions with the names of commands, and files that bash runs first
while read -r _ _ name; do unset -f "$name"; done < <(declare -F)
# - cd says where it goes, read gives up, echo and grep behave in another way
unset CDPATH TMOUT BASH_ENV ENV POSIXLY_CORRECT GLOBIGNORE GREP_OPTIONS GREP_COLORS
# - sizes and times in other units, and columns
unset BLOCK_SIZE BLOCKSIZE DF_BLOCK_SIZE LS_BLOCK_SIZE TIME_STYLE PS_FORMAT COLUMNS
# - Go builds something else, or for another machine; git looks elsewhere
unset GO111MODULE GOOS GOARCH GOWORK GOROOT GOBIN GOEXPERIMENT GCCGO
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_CONFIG GIT_CONFIG_GLOBAL GIT_CONFIG_COUNT
export GOFLAGS=-buildvcs=false # a checkout may belong to somebody else
# - a home and a place for files that are not there
[[ -n ${HOME:-} ]] || HOME=$(getent passwd "$EUID" | cut -d : -f 6)
export HOME=${HOME:-/}
[[ -d ${TMPDIR:-/tmp} && -w ${TMPDIR:-/tmp} ]] || unset TMPDIR
# - the tools' messages in another language: scripts read them
# shellcheck disable=SC2034 # watch.sh draws with it
locale=${LC_ALL:-${LC_CTYPE:-${LANG:-}}}
unset LANGUAGE
export LC_ALL=C.UTF-8
[[ $(LC_ALL=C.UTF-8 printf '\u00e9' 2>&1) == $'\xc3\xa9' ]] || LC_ALL=C

repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# An ordinary user's PATH often lacks the directories of ip and sysctl, and
# sudo's lacks the one of go.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin

# All processes that a script starts bear its PID, that of the outermost one:
# cleanup.sh knows by it what outlives a script that was killed.
[[ -e /proc/${NSL_SCRIPT:-none} ]] || NSL_SCRIPT=$$
export NSL_SCRIPT

# shellcheck disable=SC2034 # used by the scripts that source this file
bold='' red='' green='' dim='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  # shellcheck disable=SC2034
  bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' dim=$'\e[2m' plain=$'\e[0m'
fi

# An ordinary user was not made one by sudo from somebody else, whatever the
# environment of the login says: these are for root alone.
[[ $EUID -eq 0 && ${SUDO_UID:-} =~ ^[0-9]+$ && ${SUDO_GID:-} =~ ^[0-9]+$ ]] ||
  unset SUDO_UID SUDO_GID SUDO_USER

# find_width sets width to the columns that a text may have: those of the
# terminal, from 40 to 100.
find_width() {
  width=100
  [[ ! -t 0 || ! -t 1 ]] || read -r _ width < <(stty size)
  [[ $width -ge 40 && $width -lt 100 ]] || width=100
}

# clean_text TEXT MOST sets cleaned to TEXT, in which a stranger may have a part: cut
# to so many characters first, and then without what could move the cursor, turn
# the direction of writing, or is no character at all.
clean_text() {
  cleaned=${1:0:$2}
  cleaned=${cleaned//[[:cntrl:]]/?}
  cleaned=${cleaned//[$'\u80'-$'\u9f\u200b'-$'\u200f\u202a'-$'\u202e\u2066'-$'\u2069']/?}
  cleaned=${cleaned//[![:print:]]/?}
}

# clean TEXT prints it so, as a line.
clean() {
  local cleaned
  clean_text "$1" 400
  printf '%s\n' "$cleaned"
}

# say prints a line about what the script does; the commands' own output
# stays as it is.
say() { printf '%s\n' "$bold$*$plain"; }

# die ends the script: what failed, and what to type.
die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  [[ $# -eq 0 ]] || printf '  %s\n' "$@" >&2
  exit 1
}

# need_processes ends the script where this user may not start enough of them:
# bash would wait and try again, many times, and not say what is short. It starts
# none itself.
need_processes() {
  local least=20 line most=unlimited task used=0
  while read -r line; do
    [[ ! $line =~ ^Max\ processes\ +([0-9]+)\  ]] || most=${BASH_REMATCH[1]}
  done </proc/self/limits
  [[ $EUID -ne 0 && $most != unlimited ]] || return 0
  for task in /proc/[0-9]*/task/*; do
    [[ ! -O $task ]] || used=$((used + 1))
  done
  [[ $((most - used)) -ge $least ]] ||
    die "you have $used processes and threads, and may have $most: ulimit -u" \
      "echo '${USER:-*} - nproc 1000' | sudo tee -a /etc/security/limits.conf" \
      "and log in again. See limits.conf(5)"
}

# usage prints the comment at the top of a script. All of them answer -h so,
# before they do anything.
usage() { sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0"; }
case ${1:-} in
-h | --help) usage && exit ;;
esac

# misused NOTE: the command line makes no sense.
misused() {
  printf '%s: %s\n  %s -h\n' "${0##*/}" "$1" "$0" >&2
  exit 2
}

# exit_on_signals lets the trap for EXIT clean up after a signal, too: once the
# command that runs has ended.
exit_on_signals() {
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# as_root runs a command as root: through sudo unless we are root already.
as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root, and there is no sudo: $*" "su -c '$0'"
  fi
}

# rows prints the rows of a table, lessons or lib/packages, without its comments.
rows() { grep -v '^#' "$repo/scripts/$1.tsv"; }

# static_busybox prints the path of a busybox that is one file: a dynamic one
# needs libraries that a new root does not have. It asks the kernel, which
# lists a library that a program has mapped like any other file.
static_busybox() {
  local candidate maps
  while read -r candidate; do
    maps=$("$candidate" cat /proc/self/maps 2>/dev/null) || continue
    if [[ -n $maps && $maps != *.so* ]]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done < <(type -ap busybox busybox.static)
  return 1
}

# have tells if this machine has what a row of packages.tsv needs.
have() {
  if [[ $1 == busybox ]]; then
    static_busybox >/dev/null
  else
    command -v "$1" >/dev/null
  fi
}

# install_line NEED... prints what installs them on this machine: packages.tsv
# has a column for each package manager.
install_line() {
  local column line packages
  if command -v apt-get; then
    column=3 line='sudo apt-get install'
  elif command -v dnf; then
    column=4 line='sudo dnf install'
  elif command -v pacman; then
    column=5 line='sudo pacman -S'
  elif command -v apk; then
    column=6 line='sudo apk add'
  else
    column=1 line='install'
  fi >/dev/null
  packages=$(rows lib/packages | awk -F '\t' -v needs=" $* " -v column="$column" '
    index(needs, " " $1 " ") { print $column }' | tr ' ' '\n' | sort -u | xargs)
  echo "$line ${packages:-$*}"
}

# install_for KIND... installs what the scripts of that kind need and this
# machine lacks.
install_for() {
  local need kind line missing=() packages=()
  while read -r need kind _; do
    [[ " $* " != *" $kind "* ]] || have "$need" || missing+=("$need")
  done < <(rows lib/packages)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  line=$(install_line "${missing[@]}")
  [[ $line == 'sudo apt-get '* ]] || die "missing: ${missing[*]}" "$line"
  read -ra packages <<<"${line#sudo apt-get install }"
  say "installing ${packages[*]} (for ${missing[*]})"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
  for need in "${missing[@]}"; do
    have "$need" ||
      die "$need is still missing after installing ${packages[*]}"
  done
}

# as_user runs a command as the one who called sudo, so that what it makes
# does not belong to root; without sudo as ourselves.
as_user() {
  if [[ $EUID -eq 0 && -n ${SUDO_USER:-} ]]; then
    sudo -H -u "$SUDO_USER" env PATH="$PATH" "$@"
  else
    "$@"
  fi
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

# build_lessons builds bin/01-pid to bin/08-cgroups. Without cgo, so that
# they run in any root filesystem and on any distribution.
build_lessons() {
  need_go
  say "building the lessons into bin/"
  (cd "$repo" && as_user env CGO_ENABLED=0 go build -o bin/ ./0*)
}

# need_rootfs makes rootfs/ for lessons 07 and 08, unless there is one.
need_rootfs() {
  [[ -d $repo/rootfs ]] || as_user "$repo/scripts/rootfs.sh"
}

# need_mqueue makes the directory in which lessons from 04 on show POSIX
# message queues. Where systemd runs, it is there.
need_mqueue() {
  [[ ! -d /dev/mqueue ]] || return 0
  say "making the directory /dev/mqueue"
  as_root mkdir -p /dev/mqueue
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

# as_caller ARGUMENT... starts the script again as the one who called sudo, if
# there is one: what is in work/ should be theirs, not root's.
as_caller() {
  if [[ $EUID -eq 0 && ${SUDO_UID:-0} -ne 0 ]]; then
    exec sudo -H -u "$SUDO_USER" env PATH="$PATH" "$0" "$@"
  fi
}

# make_work makes work/, where a learner's own lessons are: a Go module of its
# own, so that what does not build there is no fault of the repository.
make_work() {
  as_user mkdir -p "$repo/work/.progress" ||
    die "cannot write to $repo/work" "sudo chown -R \$USER $repo"
  local file
  for file in go.mod go.sum; do
    [[ ! -e $repo/work/$file || $repo/$file -nt $repo/work/$file ]] || continue
    # Renamed to its name: another script may be doing the same.
    as_user cp "$repo/$file" "$repo/work/.progress/$file.$$"
    as_user mv "$repo/work/.progress/$file.$$" "$repo/work/$file"
  done
}

# fingerprint NN-name prints a checksum of the Go files in work/NN-name: those
# that a check has seen are those of now if it is the same.
fingerprint() {
  (cd "$repo/work/$1" && find . -type f -name '*.go' -exec sha256sum {} + |
    LC_ALL=C sort -k 2 | sha256sum | cut -d ' ' -f 1)
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
  (cd "$repo/work" && as_user env CGO_ENABLED=0 go build -o bin/ "./$1") ||
    die "work/$1 does not build"
  launcher "$1" "work/bin/$1"
}

# build_patched NN-name PATCH DIR builds work/DIR from a copy of that lesson
# with PATCH applied, and sets launch to what starts it.
build_patched() {
  local file program=work/$3/${3##*/}
  # The page has no Go, and these programs instead.
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
  as_user patch --quiet --strip 2 --fuzz 0 --directory "$repo/work/$3" <"$2" ||
    die "${2#"$repo/"} does not apply to $1 any more"
  (cd "$repo/work" && as_user env CGO_ENABLED=0 go build -o "$3/" "./$3") ||
    die "$1 with ${2#"$repo/"} does not build"
  launcher "$1" "$program"
}

# launcher NN-name [PROGRAM] sets the array launch to what starts that lesson
# here, bin/NN-name or PROGRAM: 01 to 05 need root, 08 the right to make a
# cgroup.
launcher() {
  launch=("${2:-$repo/bin/$1}")
  [[ $EUID -ne 0 ]] || return 0
  case $1 in
  0[1-5]-*) launch=(sudo "${launch[@]}") ;;
  08-*)
    if systemctl --user --quiet is-active default.target 2>/dev/null &&
      [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
      launch=(systemd-run --user --scope --quiet -p Delegate=yes "${launch[@]}")
    else
      launch=(sudo "${launch[@]}")
    fi
    ;;
  esac
}

# find_containers looks for the lessons' containers that run on this machine.
# It sets containers to the host's PIDs of their first processes, in order,
# and for each lesson_of[PID], launcher_of[PID], and if it was started in
# another one, inside_of[PID]. It starts no process once it has read the
# table: so it can be called every second.
find_containers() {
  local stat line pid parent name state argument parents=() launchers=()
  declare -gA lesson_of=() launcher_of=() inside_of=()
  declare -ga containers=()
  [[ -n ${lesson_names:-} ]] || lesson_names=$(rows lessons | cut -f 1 | xargs)

  # Each file is one line: PID (name) state parent ... The last ) ends a name,
  # which has up to 63 bytes if it is a kernel thread's. What follows is numbers,
  # and bash is slow to search a long text.
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue # it has just ended
    line=${line:0:96}
    pid=${line%% *} name=${line#*(} line=${line##*) }
    name=${name%)*} state=${line%% *} line=${line#* }
    [[ $state != [ZX] ]] || continue
    parents[pid]=${line%% *}
    [[ " $lesson_names " != *" $name "* ]] || launchers[pid]=$name
  done
  for pid in "${!parents[@]}"; do
    parent=${parents[pid]}
    [[ -n ${launchers[parent]:-} ]] || continue
    { read -r -d '' argument <"/proc/$pid/cmdline"; } 2>/dev/null || continue
    [[ $argument != 'child of '* ]] || continue # not yet the command
    containers+=("$pid")
    lesson_of[$pid]=${launchers[parent]} launcher_of[$pid]=$parent
  done
  for pid in "${containers[@]}"; do
    parent=${launcher_of[$pid]}
    while [[ -n $parent && ! -v lesson_of[$parent] ]]; do
      parent=${parents[parent]:-}
    done
    # shellcheck disable=SC2034 # for the script
    [[ -z $parent ]] || inside_of[$pid]=$parent
  done
}
