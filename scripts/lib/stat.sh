# stat.sh: what proc_pid_stat(5) has of a process. It is sourced, not run.

# read_stat PID sets stat_name and stat, the fields from the state on: stat[0] is the
# state, stat[1] the parent, stat[19] when it was born. The process chooses its name,
# with spaces, parentheses and newlines in it: so the last ) of the whole file ends it,
# and only then all that follows is the kernel's. It starts no process.
read_stat() {
  local file text
  { mapfile file <"/proc/$1/stat"; } 2>/dev/null || return 1 # it has just ended
  printf -v text %s "${file[@]}"
  text=${text:0:400} # bash is slow to search a long text
  [[ $text == *') '* ]] || return 1
  # shellcheck disable=SC2034 # for the script
  read -ra stat <<<"${text##*) }"
  text=${text#*(}
  # shellcheck disable=SC2034 # for the script
  stat_name=${text%)*}
}
