# all.sh: what every script begins with. It is sourced, not run.

lib=${BASH_SOURCE[0]%/*}
source "$lib/env.sh" # first: what follows relies on it
source "$lib/say.sh"
source "$lib/user.sh"
source "$lib/lessons.sh"
source "$lib/packages.sh"
source "$lib/work.sh"
