# packages.sh: which packages of lib/packages.tsv this machine has, and how to install
# the rest. It is sourced, not run.

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

# have says whether this machine has what a row of packages.tsv needs.
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
  local column=2 line packages typed
  for line in 'apt-get install' 'dnf install' 'pacman -S' 'apk add' ''; do
    column=$((column + 1))
    ! command -v "${line%% *}" >/dev/null || break
  done
  if [[ -n $line ]]; then line="sudo $line"; else column=1 line='install'; fi
  packages=$(rows lib/packages | awk -F '\t' -v needs=" $* " -v column="$column" '
    index(needs, " " $1 " ") { print $column }' | tr ' ' '\n' | sort -u | xargs)
  as_typed "$line ${packages:-$*}"
  echo "$typed"
}

# install_for KIND... installs what the scripts of that kind need and this
# machine lacks.
install_for() {
  local need kind line said missing=() packages=()
  while read -r need kind _; do
    [[ " $* " != *" $kind "* ]] || have "$need" || missing+=("$need")
  done < <(rows lib/packages)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  line=$(install_line "${missing[@]}")
  [[ $line =~ ^(sudo )?apt-get ]] || die "missing: ${missing[*]}" "$line"
  read -ra packages <<<"${line#*apt-get install }"
  say "installing ${packages[*]} (for ${missing[*]})"
  # One of many sources may be broken: what counts are these packages.
  said=$(as_root sh -c 'apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"' \
    sh "${packages[@]}" 2>&1) ||
    die "apt cannot install ${packages[*]}: is there a network?" "$(tail -n 3 <<<"$said")"
  for need in "${missing[@]}"; do
    have "$need" ||
      die "$need is still missing after installing ${packages[*]}"
  done
}
