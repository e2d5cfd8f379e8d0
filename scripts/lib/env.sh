# shellcheck disable=SC2034 # for what sources it
# env.sh: the environment of a script. Nothing in the caller's environment may change
# what a script does. It is sourced, not run.

# - functions with the names of commands, and files that bash runs first
while read -r _ _ name; do unset -f "$name"; done < <(declare -F)
# - cd prints where it goes, read gives up, echo and grep behave differently
unset CDPATH TMOUT BASH_ENV ENV POSIXLY_CORRECT GLOBIGNORE GREP_OPTIONS GREP_COLORS
# - patterns that stay as they are, files that are not overwritten (SHELLOPTS)
set +fC
# - sizes and times in other units, and columns
unset BLOCK_SIZE BLOCKSIZE DF_BLOCK_SIZE LS_BLOCK_SIZE TIME_STYLE PS_FORMAT COLUMNS
# - Go builds something else, or for a different machine; git looks elsewhere
unset GO111MODULE GOOS GOARCH GOWORK GOROOT GOBIN GOEXPERIMENT GCCGO
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_CONFIG GIT_CONFIG_GLOBAL GIT_CONFIG_COUNT
export GOFLAGS=-buildvcs=false # a checkout may belong to somebody else
# - a home directory and a place for files that do not exist
[[ -n ${HOME:-} ]] || HOME=$(getent passwd "$EUID" | cut -d : -f 6) || true
export HOME=${HOME:-/}
[[ -d ${TMPDIR:-/tmp} && -w ${TMPDIR:-/tmp} ]] || unset TMPDIR
# - the tools' messages in another language: scripts read them
locale=${LC_ALL:-${LC_CTYPE:-${LANG:-}}}
unset LANGUAGE
{
  export LC_ALL=C.UTF-8 # where there is none, bash warns, and it is as C
  printf -v letter '\u00e9'
  [[ $letter == $'\xc3\xa9' ]] || LC_ALL=C
} 2>/dev/null

repo=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P)

# An ordinary user's PATH often lacks the directories of ip and sysctl, and
# sudo's lacks the one of go. The caller's own go commands need it on theirs.
go_off_path=''
command -v go >/dev/null || [[ -n ${SUDO_UID:-} || ! -x /usr/local/go/bin/go ]] ||
  go_off_path='PATH=$PATH:/usr/local/go/bin'
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin

# All processes that a script starts carry the PID of the outermost script: by it,
# cleanup.sh knows what has outlived a script that was killed.
[[ -e /proc/${NSL_SCRIPT:-none} ]] || NSL_SCRIPT=$$
export NSL_SCRIPT

# Only root may have been called through sudo. In an ordinary user's environment these
# variables come from elsewhere. A shell of root's may have kept them longer than the
# user was there, and took them into a user namespace that does not have that user.
known_caller() {
  local inside count
  [[ $EUID -eq 0 && ${SUDO_UID:-} =~ ^[0-9]+$ && ${SUDO_GID:-} =~ ^[0-9]+$ ]] || return
  [[ -z ${SUDO_USER:-} || $(id -u -- "$SUDO_USER" 2>/dev/null) == "$SUDO_UID" ]] || return
  while read -r inside _ count; do
    [[ $SUDO_UID -lt $inside || $SUDO_UID -ge $((inside + count)) ]] || return 0
  done </proc/self/uid_map
  return 1
} 2>/dev/null
known_caller || unset SUDO_UID SUDO_GID SUDO_USER
