#!/usr/bin/env bash
# npm.sh installs what package-lock.json names, once, outside the repository,
# and prints the directory that has it.
# Usage: scripts/dev/npm.sh
# It goes to ~/.cache/namespaces-npm, or below XDG_CACHE_HOME.
set -euo pipefail
source "$(dirname "$0")/../lib/all.sh"
answer_help "$@"

cd "$repo/scripts/dev"
sum=$(cat package.json package-lock.json | sha256sum | cut -c 1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/namespaces-npm
if [[ ! -d $cache/$sum ]]; then
  mkdir -p "$cache"
  new=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  cp package.json package-lock.json "$new"
  (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error >&2) ||
    die "npm could not install what scripts/dev/package-lock.json names"
  # Another run may have been quicker.
  mv -T "$new" "$cache/$sum" 2>/dev/null || [[ -d $cache/$sum ]]
fi
printf '%s\n' "$cache/$sum"
