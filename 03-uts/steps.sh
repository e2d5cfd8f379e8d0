# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(name)
draw room-3 room-$((RANDOM % 900 + 100))
draw suite-3 suite-$((RANDOM % 900 + 100))

step container 'a shell in a UTS namespace of its own'
first 'sudo bin/03-uts -hostname room-3'

step renamed 'another name inside, and the host keeps its own'
first 'hostname suite-3'
hint host_renamed 'The host has a new name, ${seen[host_name]}. Put the old one back: sudo hostname ${was[host_name]}'
hint true 'The name inside is still ${seen[name]}. A prompt does not show it: bash reads the name once.'

step ended 'the end: the name goes with the namespace'
first 'exit'
