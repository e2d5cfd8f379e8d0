# namespaces.sh: which namespaces a process is in, and which of them are not ours.
# It is sourced, not run.

# shellcheck disable=SC2034 # for the script
ns_types=(pid mnt uts ipc net user cgroup time) ns_own=()
declare -A ns_number=() ns_ours=()

# links_of PID prints the names of its namespaces, in lines like pid:[4026531836].
links_of() { readlink "${ns_types[@]/#//proc/$1/ns/}" 2>/dev/null || true; }

# find_namespaces LINKS sets ns_number[TYPE] to the numbers in such lines, or to
# none if this kernel has no such type, and ns_own to the types of those that are
# not ours. It fails if one is missing.
find_namespaces() {
  local link type status=0
  if [[ ${#ns_ours[@]} -eq 0 ]]; then
    while IFS= read -r link; do ns_ours[${link%%:*}]=${link//[!0-9]/}; done < <(links_of self)
  fi
  ns_number=() ns_own=()
  while IFS= read -r link; do
    [[ ! $link =~ ^([a-z]+):\[([0-9]+)\]$ ]] || ns_number[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
  done <<<"$1"
  for type in "${ns_types[@]}"; do
    [[ -v ns_ours[$type] ]] || ns_number[$type]=none
    [[ -v ns_number[$type] ]] || { status=1 && continue; }
    [[ ${ns_number[$type]} == "${ns_ours[$type]:-none}" ]] || ns_own+=("$type")
  done
  return $status
}
