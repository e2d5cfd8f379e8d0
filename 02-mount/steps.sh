# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(mounts)
draw /tmp/room /tmp/room-$((RANDOM % 900 + 100))

step 'container && own_proc' 'a shell with mounts of its own, and a new /proc'
first 'sudo bin/02-mount'
hint 'container && ! own_proc' 'There is a new namespace, PID $box, but its /proc is still the host'\''s.'

step own_mount 'a mount that the host does not have'
first 'mkdir /tmp/room'
first 'mount -t tmpfs tmpfs /tmp/room'
hint host_mount 'The host has a new mount: it was made at the wrong terminal, or the mounts inside are shared. findmnt -o TARGET,PROPAGATION'

step '! own_proc' 'the /proc inside is the host'\''s again: the new one only covered it'
first 'umount /proc'
hint true 'The new /proc still covers the old one. findmnt /proc lists both.'

step ended 'the end: its mounts go with the namespace'
first 'exit'
