#!/usr/bin/env bash
# prebuilt.sh compiles all breakages of the lessons for the machine in the page,
# where there is no Go: break.sh takes them from bin/prebuilt then.
# Usage: scripts/dev/machine/prebuilt.sh COURSE SCRATCH
#   COURSE   the repository as it is in the machine, with bin/
#   SCRATCH  a directory
# build.sh calls it.
set -euo pipefail
source "$(dirname "$0")/../../lib/all.sh"
answer_help "$@"
[[ $# -eq 2 ]] || misused 'COURSE and SCRATCH'

cd "$repo"
go build -o "$2/pack" ./scripts/dev/machine/pack
module=$2/module
mkdir -p "$module" "$1/bin/prebuilt"
cp go.mod go.sum "$module"
for patch in 0*/breaks/*.patch; do
  lesson=${patch%%/*} name=${patch##*/}
  broken=$module/$lesson-${name%%-*}
  mkdir "$broken"
  find "$lesson" -maxdepth 1 -name '*.go' ! -name '*_test.go' -exec cp -t "$broken" {} +
  apply_patch "$patch" "$broken" ||
    die "$patch does not apply to $lesson any more"
done
(cd "$module" && GOOS=linux GOARCH=386 CGO_ENABLED=0 \
  go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$2/broken/" ./...) ||
  die 'a breakage does not build'
for broken in "$2"/broken/*; do
  name=${broken##*/}
  "$2/pack" "$1/bin/${name%-*}" "$broken" >"$1/bin/prebuilt/$name"
done
