# shellcheck shell=bash
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

# as_user runs a command as the one who called sudo, so that what it makes
# does not belong to root; without sudo as ourselves.
as_user() {
  if [[ $EUID -eq 0 && -n ${SUDO_USER:-} ]]; then
    sudo -H -u "$SUDO_USER" env PATH="$PATH" "$@"
  else
    "$@"
  fi
}

# as_caller ARGUMENT... starts the script again as the one who called sudo, if
# there is one: what is in work/ should be theirs, not root's.
as_caller() {
  if [[ $EUID -eq 0 && ${SUDO_UID:-0} -ne 0 ]]; then
    exec sudo -H -u "$SUDO_USER" env PATH="$PATH" "$0" "$@"
  fi
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
