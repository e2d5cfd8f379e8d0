# shellcheck disable=SC2034
# The steps of this lesson, for scripts/follow.sh: commands as README.md has them.
facts=(net)
draw /tmp/www /tmp/www-$((RANDOM % 900 + 100))

step 'container && [[ -n ${seen[route]} ]]' 'a shell in a network of its own, and a way out of it'
first 'sudo bin/05-net'
hint 'container && [[ -z ${seen[lo]} ]]' 'There is a new network namespace, PID $box, but in it lo is down.'
hint 'container && [[ ${seen[devices]} == " lo " ]]' 'There is a new network namespace, PID $box, with lo alone: no veth pair.'
hint 'container' 'There is a new network namespace, PID $box, with these devices: $(listed devices), and no default route.'

step 'grown Icmp:InEchoReps' 'a packet goes to the host, and one comes back'
first "busybox ping -c 1 -q \$(ip route | awk '/default/ { print \$3 }')"
hint 'grown Icmp:OutEchos' 'A packet went out, and none came back. Is the host'\''s end of the pair up?'

step '[[ -n ${seen[listen]} ]]' 'a server listens inside'
first 'mkdir /tmp/www && echo hello from $(hostname) >/tmp/www/index.html'
first 'busybox httpd -p 80 -h /tmp/www'

step 'grown Tcp:PassiveOpens && grown received' 'the server has answered, by way of the veth pair'
second 'pid=$(pgrep --parent $(pgrep --newest --exact 05-net))'
second "address=\$(sudo nsenter --target \$pid --net hostname --all-ip-addresses | tr -d ' ')"
second 'busybox wget -q -O - http://$address/index.html'
hint 'grown Tcp:PassiveOpens' 'The server has answered somebody inside. Ask it from the host.'

step 'ended && fewer host_devices' 'the end: both ends of the pair are gone'
first 'exit'
hint ended 'The namespace is gone. The kernel removes the pair in its own time.'
