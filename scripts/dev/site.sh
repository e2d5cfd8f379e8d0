#!/usr/bin/env bash
# site.sh makes the handout in public/: the texts as pages that open from the
# disk, with the difference of each lesson, search, and a dark mode.
# Usage: scripts/dev/site.sh [--check]
#   --check  and open all pages in a browser, which has no network: links,
#            search, widths, contrast (installs chromium and npm packages)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR/.. source=lib.sh
source "$(dirname "$0")/../lib.sh"

check=''
case ${1:-} in
'') ;;
--check) check=yes ;;
*) misused "unknown argument: $1" ;;
esac

cd "$repo"
need_go
[[ -z $check ]] || install_for site

# Made elsewhere, and then moved: a page whose text is gone is gone, too.
as_user mkdir -p public
new=$(as_user mktemp -d public/.new.XXXXXX)
trap 'rm -rf "$new"' EXIT
(cd scripts/dev/site && as_user go run . -repo "$repo" -out "$repo/$new")
find public -mindepth 1 -maxdepth 1 ! -name slides ! -name "${new##*/}" \
  -exec rm -rf {} +
mv "$new"/* public
say "public/index.html"

if [[ -n $check ]]; then
  modules=$(as_user scripts/dev/npm.sh)/node_modules
  as_user env NODE_PATH="$modules" CHROME_PATH="$(command -v chromium)" \
    node scripts/dev/site/check.cjs public
fi
