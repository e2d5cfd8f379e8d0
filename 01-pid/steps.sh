# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(members)
draw 2000 $((RANDOM % 9000 + 1000))

step container 'a shell that is process 1 of a new PID namespace'
first 'sudo bin/01-pid'

step 'more members' 'another process lives in that namespace'
second 'pid=$(pgrep --parent $(pgrep --newest --exact 01-pid))'
second 'grep NSpid /proc/$pid/status'
first 'sleep 2000 &'
hint true 'PID $box is still alone. Is the sleep in the background, and at the first terminal?'

step 'ended && members_ended' 'process 1 is killed from the host, and the kernel kills the others'
second 'sudo kill -KILL $pid'
hint true 'PID $box is still there. Inside, nothing can kill it. From the host, SIGKILL can: sudo kill -KILL $box'

step container 'a shell in another PID namespace'
first 'sudo bin/01-pid'

step ended 'the end of it'
first 'exit'
