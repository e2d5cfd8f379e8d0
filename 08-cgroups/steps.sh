# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(limits net)
draw room-1 room-$((RANDOM % 900 + 100))

step 'container && [[ -n ${seen[limits]} ]]' 'a shell in a cgroup of its own, with limits'
first 'sudo bin/08-cgroups -hostname room-1 -memory 32M -pids 20 -cpus 0.1'
hint container 'There is a container, PID $box, without a limit: cat /proc/$box/cgroup'

step 'grown "memory.events oom_kill" || grown "memory.oom_control oom_kill"' 'the kernel kills a process at the limit of memory'
first 'dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo $?'

step 'grown "pids.events max"' 'the kernel refuses a process'
first "sh -c 'for i in \$(seq 30); do sleep 1 & done'; sleep 2"

step '[[ ${seen[limits]} == *cpu.* ]] && grown used 80' 'a loop gets its share of CPU time, and no more'
first "time timeout 2 sh -c 'while :; do :; done'"
hint '[[ ${seen[limits]} != *cpu.* ]]' 'There is no limit on CPU time here: -cpus 0.1'

step '[[ -n ${seen[listen]} ]]' 'a server listens inside'
first 'mkdir /tmp/www; echo pong from $(hostname) >/tmp/www/ping'
first 'httpd -p 80 -h /tmp/www'

step 'grown Tcp:PassiveOpens && grown received' 'the server has answered, by way of the veth pair'
second 'pid=$(pgrep --parent $(pgrep --newest --exact 08-cgroups))'
second "address=\$(sudo nsenter --target \$pid --net hostname --all-ip-addresses | tr -d ' ')"
second 'busybox wget -q -O - http://$address/ping'
hint 'grown Tcp:PassiveOpens' 'The server has answered somebody inside. Ask it from the host.'

step 'ended && [[ ! -d ${was[cgroup]} ]]' 'the end: the cgroup goes with the container'
first 'exit'
