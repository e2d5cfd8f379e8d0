# user.sh: as whom a command runs: you, root, or the caller of sudo. It is sourced,
# not run.

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

# as_user runs a command as the caller of sudo, so that what it makes does not belong
# to root; without sudo, as ourselves.
as_user() {
  if [[ $EUID -eq 0 && -n ${SUDO_USER:-} ]]; then
    sudo -H -u "$SUDO_USER" env PATH="$PATH" "$@"
  else
    "$@"
  fi
}

# as_caller ARGUMENT... starts the script again as the caller of sudo, if there is
# one: what is in work/ should be theirs, not root's. In a shell of root's, it says so.
as_caller() {
  local name
  if [[ $EUID -eq 0 && ${SUDO_UID:-0} -ne 0 ]]; then
    name=${SUDO_USER:-#$SUDO_UID}
    [[ $(cat "/proc/$PPID/comm" 2>/dev/null) == sudo ]] ||
      echo "${0##*/}: as $name, who became root by sudo" >&2
    exec sudo -H -u "$name" env PATH="$PATH" bash "$0" "$@"
  fi
}

# need_processes ends the script if this user may not start enough processes: bash
# would try again and again, and not say what is missing. It starts none itself.
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
      "sudo sh -c 'echo ${USER:-:$EUID} - nproc 1000 >>/etc/security/limits.conf'" \
      "and log in again. See limits.conf(5)"
}

# read_limits sets short_reasons and short_fixes: which limits are too low for Go, whose
# runtime reserves much and uses little of it, and what to type.
read_limits() {
  local line option least line_of_file reason fix typed
  short_reasons=() short_fixes=()
  while read -r line; do
    case $line in
    'Max open files '*) option=-n least=32 line_of_file='nofile 1024' ;;
    'Max address space '*) option=-v least=$((2 << 30)) line_of_file='as unlimited' ;;
    'Max data size '*) option=-d least=$((256 << 20)) line_of_file='data unlimited' ;;
    'Max file size '*) option=-f least=$((64 << 20)) line_of_file='fsize unlimited' ;;
    *) continue ;;
    esac
    [[ $line =~ ^(Max.*[a-z])\ +([0-9]+)\ +([0-9]+|unlimited)\  ]] || continue
    [[ ${BASH_REMATCH[2]} -lt $least ]] || continue
    reason="${BASH_REMATCH[1]} is ${BASH_REMATCH[2]} (ulimit $option), but Go needs $least."
    if [[ ${BASH_REMATCH[3]} == unlimited || ${BASH_REMATCH[3]} -ge $least ]]; then
      fix="ulimit -S $option \$(ulimit -H $option)"
    elif [[ $EUID -eq 0 ]]; then
      fix="ulimit $option ${line_of_file#* }"
    else
      reason+=' Log in again after this, see limits.conf(5).'
      as_typed "sudo sh -c 'echo ${USER:-:$EUID} - $line_of_file >>/etc/security/limits.conf'"
      fix=$typed
    fi
    short_reasons+=("$reason") short_fixes+=("$fix")
  done </proc/self/limits
}

# need_limits ends the script if the limits are too low to run a lesson.
need_limits() {
  need_processes
  read_limits
  [[ ${#short_reasons[@]} -eq 0 ]] || die "${short_reasons[0]}" "${short_fixes[0]}"
}
