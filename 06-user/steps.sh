# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(map name mounts)
draw 'hostname box' "hostname box-$((RANDOM % 900 + 100))"

step 'container && [[ -n ${seen[map]} ]]' 'root inside, without sudo, by a map of IDs'
first 'bin/06-user'
hint 'container && [[ -z ${seen[map]} ]]' 'There is a new user namespace, PID $box, without a map: whoever is in it is nobody.'

step renamed 'root inside changes the name inside'
first 'hostname box; hostname'
hint true 'The name inside is still ${seen[name]}.'

step own_mount 'and mounts what the host does not have'
first 'mount -t tmpfs tmpfs /mnt'

step ended 'the end of that one'
first 'exit'

step container 'a second one, to be looked at'
first 'bin/06-user -net=lo'

step ended 'its namespaces had an owner, and go with it'
second 'scripts/compare.sh --tree'
first 'exit'

step container 'a third one, to be entered'
first 'bin/06-user -net=lo'

step renamed 'its name is changed by somebody who has joined the user namespace that owns it'
second 'pid=$(pgrep --parent $(pgrep --newest --exact 06-user))'
second "nsenter --target \$pid --user --uts --preserve-credentials sh -c 'hostname box; hostname'"
hint host_renamed 'The host has a new name, ${seen[host_name]}: that is the wrong one.'
hint true 'The name there is still ${seen[name]}. To join --user alone is not enough: the name is in the namespace that --uts joins.'

step ended 'the end of that one, too'
first 'exit'

step 'container user && [[ -z ${seen[map]} ]]' 'a user namespace without a map'
first 'unshare --user bash --norc'

step '[[ ${seen[map]} == *,* ]]' 'a map of more IDs than one'
first 'echo $$ >/tmp/nsl.pid'
second 'maps=/proc/$(cat /tmp/nsl.pid)'
second 'printf "0 $(id -u) 1\n1 100000 65535\n" | sudo tee $maps/uid_map'
hint '[[ -n ${seen[map]} ]]' 'There is a map, and it can be written only once: ${seen[map]}. Leave, and begin again.'

step ended 'the end'
first 'exec bash'
first 'exit'
