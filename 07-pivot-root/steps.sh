# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(root mounts)
draw /tmp/nsl-1 /tmp/nsl-$((RANDOM % 900 + 100))

step 'container && [[ ${seen[root]} != ours ]]' 'a shell with another root'
second 'scripts/rootfs.sh /tmp/nsl-1'
first 'bin/07-pivot-root -net=lo -rootfs /tmp/nsl-1'
hint container 'There is a container, PID $box, and its root is still the host'\''s.'

step 'more files' 'a file that is written inside, and is in the directory on the host'
first 'ls /home /var'
first "mount | cut -d ' ' -f 3"
first 'env'
first 'echo hello >/root/letter'
hint true 'There is nothing new in /root inside.'

step ended 'the end: the directory is still there, and the mounts are gone'
first 'exit'
