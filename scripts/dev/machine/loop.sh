# shellcheck shell=dash
# loop: what process 1 does, once init has made the machine ready. It reads this
# from its stdin, so that its command line is /sbin/init and no more, as the
# texts have it. It waits for orphans, as dash does for whatever it gets.
terminal() {
  while :; do
    setsid -c /lib/machine/terminal "$1" <"/dev/ttyS$2" >"/dev/ttyS$2" 2>&1
  done
}
terminal 1 0 &
terminal 2 1 &
terminal 3 2 &
setsid /lib/machine/line </dev/ttyS3 >/dev/ttyS3 2>&1 &
while :; do wait; done
