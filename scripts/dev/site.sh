#!/usr/bin/env bash
# site.sh makes the handout in public/: the texts as pages that open from the
# disk, with the difference of each lesson, search, and a dark mode.
# Usage: scripts/dev/site.sh [--machine] [--check] | --sources DIR
#   --machine  with a Linux in the lesson pages: two terminals, offline
#              (installs npm packages, and builds a kernel, once)
#   --check    also open all pages in a browser without a network, and check links,
#              search, widths and contrast (installs chromium and npm packages);
#              with --machine, also use that
#   --sources  collect the source packages of what is in that machine, for
#              whoever publishes the pages
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

check='' machine=''
while [[ $# -gt 0 ]]; do
  case $1 in
  --check) check=yes ;;
  --machine) machine=yes ;;
  --sources) exec "$repo/scripts/dev/machine/build.sh" --sources "${2:-}" ;;
  *) misused "unknown argument: $1" ;;
  esac
  shift
done

cd "$repo"
need_go
[[ -z $check ]] || install_for site ${machine:+machine tour}

# Made elsewhere, and then moved: a page whose text is gone is gone, too.
as_user mkdir -p public
new=$(as_user mktemp -d public/.new.XXXXXX)
trap 'rm -rf "$new"' EXIT
size=0
if [[ -n $machine ]]; then
  state=$(as_user scripts/dev/machine/build.sh)
  modules=$(as_user scripts/dev/npm.sh)/node_modules
  size=$(as_user env NODE_PATH="$modules" \
    node scripts/dev/machine/pack.mjs "$state" "$new/machine")
fi
(cd scripts/dev/site && as_user go run . -repo "$repo" -out "$repo/$new" -machine "$size")
find public -mindepth 1 -maxdepth 1 ! -name slides ! -name "${new##*/}" \
  -exec rm -rf {} +
mv "$new"/* public
say "public/index.html${machine:+, with a machine of $size MB}"
[[ -n $machine ]] || say "there is no Linux in these pages. To include one: scripts/dev/site.sh --machine"

if [[ -n $check ]]; then
  modules=$(as_user scripts/dev/npm.sh)/node_modules
  for part in site ${machine:+machine}; do
    as_user env NODE_PATH="$modules" CHROME_PATH="$(command -v chromium)" \
      node "scripts/dev/$part/check.cjs" public
  done
fi
