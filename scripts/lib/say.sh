# say.sh: how a script prints messages, and how it ends. It is sourced, not run.

# shellcheck disable=SC2034 # used by the scripts that source this file
bold='' red='' green='' dim='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  # shellcheck disable=SC2034
  bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' dim=$'\e[2m' plain=$'\e[0m'
fi

# find_width sets width to the columns that a text may have: those of the
# terminal, from 40 to 100.
find_width() {
  width=100
  [[ ! -t 0 || ! -t 1 ]] || read -r _ width < <(stty size)
  [[ $width -ge 40 && $width -lt 100 ]] || width=100
}

# print_line TEXT prints a line of a report: at a terminal, no word is cut at the edge.
print_line() {
  local rest=$1 line indent=''
  [[ ! -t 1 || -n ${width:-} ]] || find_width
  while [[ -t 1 && $((${#indent} + ${#rest})) -gt $width ]]; do
    line=${rest:0:width-${#indent}+1}
    [[ $line == *[!' ']*' '* ]] || break
    line=${line% *}
    printf '%s\n' "$indent$line"
    rest=${rest:${#line}+1} indent='        '
  done
  printf '%s\n' "$indent$rest"
}

# clean_text TEXT MOST sets cleaned to TEXT, of which a stranger may have written a
# part: first cut to MOST characters, then without what could move the cursor, change
# the direction of writing, or is not a character at all.
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

# as_typed LINE sets typed to it: sudo needs a sudo, and root does not need it.
as_typed() {
  typed=$1
  [[ $1 == 'sudo '* ]] || return 0
  if [[ $EUID -eq 0 ]]; then
    typed=${1#sudo }
  elif ! command -v sudo >/dev/null; then
    typed="su -c \"${1#sudo }\""
  fi
}

# die ends the script: what failed, and what to type.
die() {
  local typed
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  while [[ $# -gt 1 ]]; do
    as_typed "$2"
    printf '  %s\n' "${typed//$'\n'/$'\n  '}" >&2
    shift
  done
  exit 1
}

# usage prints the comment at the top of a script.
usage() { sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0"; }

# answer_help ARGUMENT... answers -h, before the script does anything.
answer_help() {
  while [[ $# -gt 0 && $1 != -- ]]; do
    case $1 in
    -h | --help) usage && exit ;;
    esac
    shift
  done
}

# misused NOTE: the command line makes no sense.
misused() {
  printf '%s: %s\n  %s -h\n' "${0##*/}" "$1" "$0" >&2
  exit 2
}

# exit_on_signals lets the trap for EXIT clean up after a signal, too: once the
# command that runs has ended. Only the first signal counts: bash may take one Ctrl-C
# twice, for itself and for the command that it ended, and a second exit would cut the
# trap for EXIT short.
exit_on_signals() {
  trap "trap '' HUP INT TERM; exit 129" HUP
  trap "trap '' HUP INT TERM; exit 130" INT
  trap "trap '' HUP INT TERM; exit 143" TERM
}

# take_screen gives the script a screen of its own until it ends, without a cursor, and
# keys that are not shown. Ctrl-Z is off: it would leave the terminal like this.
take_screen() {
  terminal=$(stty -g)
  trap 'stty "$terminal"; printf "\e[?25h\e[?1049l"' EXIT
  trap 'exit 0' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  stty -echo -icanon susp undef
  printf '\e[?1049h\e[?25l'
}

# read_key SECONDS sets key to the one that somebody presses in that time, or to nothing.
read_key() {
  # Its status is 1 at the end of file: the terminal is gone.
  read -rsn 1 -t "$1" key || [[ $? -gt 128 ]] || exit 1
}

# soon COMMAND... waits until COMMAND succeeds, and soon not COMMAND... until it fails, but
# for no more than $within seconds.
within=5
soon() {
  local deadline=$((SECONDS + within))
  until "$@"; do
    [[ $SECONDS -lt $deadline ]] || return 1
    sleep 0.02
  done
}
not() { ! "$@"; }
