#!/usr/bin/env bash
# record.sh makes the recordings of the demonstrations, docs/recordings/*.svg,
# for people without Linux. Each demonstration runs in the machine of scripts/sandbox.sh.
# That machine has no nftables, so 05 runs here, in namespaces that play a host. If only
# numbers in its text have changed, a recording stays as it is.
#
# Usage: [NSL_ALPINE=FILE.tar.gz] scripts/dev/record.sh [NN...]
#   NN           only these lessons
#   NSL_ALPINE   Alpine's root filesystem for 07: the sandbox has no network
# Exit status: 0 if all of them came to their end.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

cd "$repo"
out=$(mktemp -d /var/tmp/nsl.0XXXXXX)
trap 'rm -rf "$out"' EXIT
exit_on_signals

# terminal COMMAND... runs it at a terminal, where demonstrations print in colours.
terminal() {
  TERM=xterm script -qec "stty rows 40 columns 100; ${*@Q}" /dev/null </dev/null
}

# in_namespaces COMMAND... runs it at a terminal, as root of a host that has lo.
in_namespaces() {
  terminal unshare --mount --uts --ipc --net --pid --fork --mount-proc \
    sh -c 'hostname sandbox; ip link set lo up; exec "$@"' sh "$@"
}

# demonstrate NN-name runs a demonstration.
demonstrate() {
  local show=("scripts/$1.sh" --auto)
  case $1 in
  05-*) in_namespaces "${show[@]}" ;;
  06-*) terminal scripts/sandbox.sh --user "${show[@]}" ;;
  07-*) terminal scripts/sandbox.sh --user --with "$alpine" \
    env NSL_ALPINE="$alpine" "${show[@]}" ;;
  *) terminal scripts/sandbox.sh "${show[@]}" ;;
  esac
}

[[ $EUID -eq 0 ]] || die "05 is recorded as root" "sudo $0"
[[ -r ${NSL_ALPINE:=} ]] ||
  die "07 needs the root filesystem of Alpine" "NSL_ALPINE=FILE.tar.gz $0"
install_for tour demo net vm dev
build_lessons
go build -o "$out/record" ./scripts/dev/record
mkdir -p docs/recordings
# It runs from a copy, since the path of this checkout means nothing to others.
alpine=$out/$(basename "$NSL_ALPINE")
cp "$NSL_ALPINE" "$alpine"
cp -r --parents bin scripts go.mod [0-9]*/{*.sh,quiz.md} "$out"
for lesson in $(rows lessons | cut -f 1); do
  [[ $# -eq 0 || " $* " == *" ${lesson%%-*} "* ]] || continue
  (cd "$out" && demonstrate "$lesson") >"$out/typed" ||
    die "$lesson failed" "$(cat "$out/typed")"
  file=docs/recordings/$lesson.svg
  "$out/record" "$file" <"$out/typed"
  say "$file: $(stat -c %s "$file") bytes"
done
