#!/usr/bin/env bash
# test.sh makes the machine of the lesson pages, uses it in a browser, and types
# the texts of all lessons into it, the tour and the checks among them, in Node.
# Usage: scripts/dev/machine/test.sh [TEST ARGUMENT...]
#   TEST  the tests of internal/texts, compiled: no browser then, and no more than
#         its arguments say
set -euo pipefail
source "$(dirname "$0")/../../lib/all.sh"
answer_help "$@"

cd "$repo"
if [[ $# -eq 0 ]]; then
  scripts/dev/site.sh --machine --check
  set -- go test -count=1 -timeout 30m -run '^TestPage$' .
fi
state=$(as_user scripts/dev/machine/build.sh)
modules=$(as_user scripts/dev/npm.sh)/node_modules
as_user env -C internal/texts NODE_PATH="$modules" NSTEST_PAGE="$state" "$@"
