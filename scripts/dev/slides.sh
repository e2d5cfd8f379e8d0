#!/usr/bin/env bash
# slides.sh makes slides in public/slides/: a PDF, and an HTML file that needs no other
# file and no network. In the browser, p opens the presenter's view with
# what to say, f fills the screen, and the arrows turn the pages.
# Usage: scripts/dev/slides.sh [--check] [NN | --plan 90|half|day]
#   NN       one lesson; without it, one deck of all
#   --plan   the deck of a plan of docs/workshop.md: title, agenda, the parts of each
#            lesson that the plan has, pauses and the form
#   --check  also look at each slide in a browser, for what is cut or too small
# It installs chromium and npm packages if they are missing.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

check='' name=all title='Linux namespaces, by hand'
cd "$repo"
decks=("$repo"/*/slides.md)
while [[ $# -gt 0 ]]; do
  case $1 in
  --check) check=yes ;;
  --plan)
    case ${2:-} in
    90) decks=(-plan 90) ;;
    half) decks=(-plan 210) ;;
    day) decks=(-plan 480) ;;
    *) misused "--plan is 90, half or day" ;;
    esac
    name=$2
    shift
    ;;
  *)
    name=$(full_name "$1") || misused "there is no lesson $1"
    title=$name
    decks=("$repo/$name/slides.md")
    ;;
  esac
  shift
done

need_go
install_for site
modules=$(as_user scripts/dev/npm.sh)/node_modules
out=public/slides
as_user mkdir -p "$out"
scratch=$(as_user mktemp -d /var/tmp/nsl.0XXXXXX)
trap 'rm -rf "$scratch"' EXIT

(cd scripts/dev/site && as_user go run . -repo "$repo" -slides "$title" "${decks[@]}") >"$scratch/$name.md"

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
    node scripts/dev/slides/check.cjs "$out/$name.html" "$out/$name.pdf" "$scratch/$name.md"
