# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(queues)
draw 4096 $((4096 * (RANDOM % 9 + 1)))

step 'more "host queues"' 'a message queue on the host'
second 'id=$(ipcmk --queue | grep -o '\''[0-9]*$'\'')'

step container 'a shell in an IPC namespace of its own'
first 'sudo bin/04-ipc'

step 'more "box queues" && ! more "host queues"' 'a queue inside, with a key that the host does not have'
first 'ipcmk --queue'
hint 'more "host queues"' 'The host has one more. That was the wrong terminal: ipcs there, and ipcrm --queue-id'

step 'more "box memory" && ! more "host memory"' 'shared memory inside, of which the host has none'
first 'ipcmk --shmem 4096'
hint 'more "host memory"' 'The host has one more. That was the wrong terminal: ipcs there, and ipcrm --shmem-id'

step 'fewer "host queues" && ! fewer "box queues"' 'the queue on the host is removed, and the one inside stays'
second 'ipcrm --queue-id $id'
hint 'fewer "box queues"' 'The one inside is gone, and that of the host is still there.'

step ended 'the end: what is inside goes with the namespace'
first 'exit'
