# shellcheck disable=SC2154 # of env.sh, say.sh and namespaces.sh
# tree.sh: which user namespace owns which namespaces, for compare.sh --tree. It
# is sourced, not run.

# Of each namespace, by its number:
declare -A ns_type=() ns_size=() ns_pid=() ns_pin=() ns_path=() ns_owner=() ns_maker=()

# find_all_namespaces notes those in which a process is, that a process has open, or
# that are mounted. The kernel writes these links: other files' begin with a slash.
find_all_namespaces() {
  local path link number pid
  while IFS= read -r -d '' path && IFS= read -r -d '' link; do
    [[ $link =~ ^([a-z]+):\[([0-9]+)\]$ && " ${ns_types[*]} " == *" ${BASH_REMATCH[1]} "* ]] ||
      continue
    number=${BASH_REMATCH[2]} pid=${path#/proc/}
    pid=${pid%%/*}
    ns_type[$number]=${BASH_REMATCH[1]}
    case $path in
    */fd/*)
      [[ -n ${ns_path[$number]:-} ]] || ns_path[$number]=$path
      [[ -n ${ns_pin[$number]:-} ]] || ns_pin[$number]="open in $pid, descriptor ${path##*/}"
      ;;
    *_for_children) ;;
    *)
      ns_size[$number]=$((${ns_size[$number]:-0} + 1))
      [[ ${ns_pid[$number]:-$pid} -lt $pid ]] || ns_pid[$number]=$pid ns_path[$number]=$path
      ;;
    esac
  done < <(find /proc/[0-9]*/{ns,fd} -type l ! -lname '/*' -printf '%p\0%l\0' 2>/dev/null)
  [[ ${#ns_type[@]} -gt 0 ]] || die "find has found no namespace" "is this GNU find?"

  # Each mount namespace has mounts of its own: look at all of them.
  for number in "${!ns_pid[@]}"; do
    [[ ${ns_type[$number]} != mnt ]] || find_mounted "${ns_pid[$number]}" || true # it has ended
  done
}

# find_mounted PID notes what is mounted there: see proc_pid_mountinfo(5).
find_mounted() {
  local root point line number
  while read -r _ _ _ root point line; do
    [[ $line == *' - nsfs '* && $root =~ ^([a-z]+):\[([0-9]+)\]$ ]] || continue
    number=${BASH_REMATCH[2]}
    ns_type[$number]=${BASH_REMATCH[1]}
    unescape point "$point"
    ns_pin[$number]="mounted on $point"
    [[ /proc/$1/ns/mnt -ef /proc/self/ns/mnt ]] || ns_pin[$number]+=", as $1 has it"
    [[ -n ${ns_path[$number]:-} || $point == *$'\n'* ]] ||
      ns_path[$number]=/proc/$1/root$point
  done <"/proc/$1/mountinfo"
} 2>/dev/null

fork='|-' corner='`-' pipe='| '
[[ $locale != *[Uu][Tt][Ff]* ]] || fork='├─' corner='└─' pipe='│ '

# find_owners asks the kernel, through Perl, which most machines have, or else through
# lsns, which can since 2.38. lsns does not say who made a user namespace: then it is the
# user of its first process.
find_owners() {
  local number type owner maker
  while read -r number type owner maker; do
    ns_type[$number]=$type ns_owner[$number]=$owner
    [[ $type != user ]] || ns_maker[$number]=$maker
  done < <(if command -v perl >/dev/null; then
    printf '%s\n' "${ns_path[@]}" | perl "$lib/owners.pl"
  else
    lsns --noheadings --raw --output NS,TYPE,ONS,UID
  fi 2>/dev/null)
  [[ ${#ns_owner[@]} -gt 0 ]] ||
    die "this needs Perl, or an lsns that shows owners" "$(install_line perl)"
}

# show_tree prints what was found: each user namespace, and what it owns below it.
show_tree() {
  local number type owner order
  local -A owned=() user=()
  order=$(for type in "${ns_types[@]/user/}" user; do
    for number in "${!ns_type[@]}"; do
      [[ ${ns_type[$number]} != "$type" ]] || echo "$number"
    done | sort -n
  done)
  while read -r number; do
    owner=${ns_owner[$number]:--}
    # Without an owner, it has ended in the meantime, unless we may not see it.
    [[ -n ${ns_owner[$number]:-} || -e ${ns_path[$number]:-/} ]] || continue
    [[ -n ${ns_type[$owner]:-} && $owner != "$number" ]] || owner=-
    owned[$owner]+="$number "
  done <<<"$order"
  printf '%s%-21s%-7s%6s %7s %-9s%s%s\n' "$bold" NAMESPACE TYPE NPROCS PID 'MADE BY' COMMAND "$plain"
  show_owned - ''
}

# show_owned NUMBER INDENT prints what that one owns, user namespaces last.
show_owned() {
  local number type label bar all maker words cleaned
  read -ra all <<<"${owned[$1]:-}"
  for number in "${all[@]}"; do
    type=${ns_type[$number]} label=$2$fork$number bar=$2$pipe
    [[ $number != "${all[-1]}" ]] || label=$2$corner$number bar="$2  "
    [[ $1 != - ]] || label=$number bar=''
    [[ ! /proc/self/ns/$type -ef ${ns_path[$number]:-/} ]] || label+=' ='
    maker=${ns_maker[$number]:-}
    if [[ $maker =~ ^[0-9]+$ && -z ${user[$maker]:-} ]]; then
      user[$maker]=$(id -nu "$maker" 2>/dev/null) || user[$maker]=$maker
    fi
    maker=${user[${maker:--}]:-$maker}
    words=("${ns_pin[$number]:-owns what is below}")
    if [[ -n ${ns_pid[$number]:-} ]]; then
      mapfile -d '' -t -n 40 words < <(head -c 400 "/proc/${ns_pid[$number]}/cmdline")
      [[ -n ${words[*]} ]] || words=("[$(cat "/proc/${ns_pid[$number]}/comm")]") # the kernel's
    fi 2>/dev/null
    clean_text "${words[*]}" $((width - 52))
    printf '%s%*s%-7s%6s %7s %-9.8s%s\n' "$label" $((${#label} < 21 ? 21 - ${#label} : 1)) '' \
      "$type" "${ns_size[$number]:-0}" "${ns_pid[$number]:--}" "$maker" "$cleaned"
    show_owned "$number" "$bar"
  done
}
