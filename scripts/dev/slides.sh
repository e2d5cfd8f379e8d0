#!/usr/bin/env bash
# slides.sh makes slides in public/slides/: an HTML file that needs no other
# and no network, and a PDF. In the browser, p opens the presenter's view with
# what to say, f fills the screen, and the arrows turn the pages.
# Usage: scripts/dev/slides.sh [--check] [NN]
#   NN       one lesson; without it, one deck of all
#   --check  and look at each slide in a browser: nothing cut, nothing small
# It installs chromium and npm packages if they are missing.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

check='' name=all title='Linux namespaces, by hand'
cd "$repo"
decks=("$repo"/*/slides.md)
for argument; do
  case $argument in
  --check) check=yes ;;
  *)
    name=$(full_name "$argument") || misused "there is no lesson $argument"
    title=$name
    decks=("$repo/$name/slides.md")
    ;;
  esac
done

need_go
install_for site
modules=$(as_user scripts/dev/npm.sh)/node_modules
out=public/slides
as_user mkdir -p "$out"
scratch=$(as_user mktemp -d /var/tmp/nsl.XXXXXX)
trap 'rm -rf "$scratch"' EXIT

(cd scripts/dev/site && as_user go run . -slides "$title" "${decks[@]}") >"$scratch/$name.md"

# Chromium has no sandbox of its own for root.
settings=(CHROME_PATH="$(command -v chromium)")
[[ $(as_user id -u) -ne 0 ]] || settings+=(CHROME_NO_SANDBOX=1)
marp() {
  as_user env "${settings[@]}" "$modules/.bin/marp" --config-file scripts/dev/slides/marp.json \
    --no-stdin "$@" </dev/null 2>"$scratch/log" || {
    cat "$scratch/log" >&2
    die "marp could not make the slides"
  }
}
marp "$scratch/$name.md" --output "$out/$name.html"
marp "$scratch/$name.md" --pdf --pdf-notes --browser-timeout 120 --output "$out/$name.pdf"
say "$out/$name.html and $out/$name.pdf"

[[ -z $check ]] ||
  as_user env "${settings[@]}" NODE_PATH="$modules" \
    node scripts/dev/slides/check.cjs "$out/$name.html" "$out/$name.pdf" "${decks[@]}"
