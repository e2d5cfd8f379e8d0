# cgroup.sh finds the directory of a cgroup. It is sourced, not run. It starts
# no process: watch.sh calls it again and again.

# find_cgroups sets both. The key is the name of a v1 controller, or v2:
# shellcheck disable=SC2034 # for the scripts
declare -gA cgroup_dir=() # the directory of the process's cgroup
# shellcheck disable=SC2034
declare -gA cgroup_top=() # where that tree is mounted

# unescape VAR PATH sets VAR to a path that is written as in mountinfo. Not by
# printf %b: that takes \0401, a space and a 1, for one character.
unescape() {
  local text=${2//'\040'/ }
  text=${text//'\011'/$'\t'} text=${text//'\012'/$'\n'}
  printf -v "$1" %s "${text//'\134'/\\}"
}

mountinfo=/proc/self/mountinfo
cgroup_mounts=()

# find_cgroup_mounts reads where the trees are mounted, in the kernel's order:
# see proc_pid_mountinfo(5). The fields before the separator vary in number.
find_cgroup_mounts() {
  local root point line names
  cgroup_mounts=()
  while read -r _ _ _ root point line; do
    line=${line##* - }
    case $line in
    'cgroup '*) names=${line##* } ;; # its options name the controllers
    'cgroup2 '*) names=v2 ;;
    *) continue ;;
    esac
    unescape root "$root"
    unescape point "$point"
    cgroup_mounts+=(",$names," "$root" "$point")
  done <"$mountinfo"
}

# find_cgroups FILE looks up the cgroups of a process by its /proc/PID/cgroup,
# see proc_pid_cgroup(5). A mount shows a tree, or the part of it below its root. A
# later mount may be a copy, for example a read-only one: so the first mount that has
# the cgroup counts. Paths are relative to our cgroup namespace: what is above
# its root is /.., and has no name that leads back down.
find_cgroups() {
  local line names name path root below i
  [[ ${#cgroup_mounts[@]} -gt 0 ]] || find_cgroup_mounts
  cgroup_dir=() cgroup_top=()
  while IFS= read -r line; do
    line=${line#*:} names=${line%%:*} path=${line#*:}
    names=${names:-v2}
    while [[ -n $names ]]; do
      name=${names%%,*} names=${names#"$name"} names=${names#,}
      for ((i = 0; i < ${#cgroup_mounts[@]}; i += 3)); do
        root=${cgroup_mounts[i + 1]%/}
        [[ ${cgroup_mounts[i]} == *",$name,"* && $path/ == "$root"/* ]] || continue
        below=${path#"$root"}
        below=${below%/}
        [[ $below/ != */../* ]] || continue
        cgroup_dir[$name]=${cgroup_mounts[i + 2]%/}$below
        cgroup_top[$name]=${cgroup_mounts[i + 2]}
        break
      done
    done
  done <"$1"
}
