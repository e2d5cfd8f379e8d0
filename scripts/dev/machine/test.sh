#!/usr/bin/env bash
# test.sh makes the machine of the lesson pages, uses it in a browser, and types
# the texts of all lessons into it, the tour and the checks among them, in Node.
# Usage: scripts/dev/machine/test.sh
set -euo pipefail
source "$(dirname "$0")/../../lib/all.sh"
answer_help "$@"
[[ $# -eq 0 ]] || misused 'no arguments'

cd "$repo"
scripts/dev/site.sh --machine --check
state=$(as_user scripts/dev/machine/build.sh)
modules=$(as_user scripts/dev/npm.sh)/node_modules
as_user env NODE_PATH="$modules" NSTEST_PAGE="$state" \
  go test -count=1 -timeout 30m -run '^TestPage$' ./internal/texts
