//go:build linux

package scripttest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// classRoom is a server: a room of cleanup.sh's tests with other homes, /srv and
// spools, in which $class is class.sh in a checkout that only root may read.
const classRoom = `
	for dir in /home /srv /var/mail /var/spool /var/log /root /var/lib; do cover $dir; done
	mkdir -p /run/place/bin /var/spool/cron/crontabs /home/other /var/lib/systemd/linger
	cd $repo
	cp -r scripts 0* docs go.mod go.sum README.md /run/place
	cp /run/built/bin/0* /run/place/bin
	cp -r /run/built/rootfs /run/place
	chmod 700 /run/place
	cd /
	class=/run/place/scripts/class.sh
	for file in subuid subgid; do [[ -e /etc/$file ]] || : >/etc/$file; done
	state() {
		cat /etc/{passwd,group,shadow,gshadow,subuid,subgid} /proc/sysvipc/{msg,sem,shm}
		find /home /srv /var/mail /var/spool /var/tmp /tmp /dev/shm /dev/mqueue /var/lib/systemd/linger
		running
	} 2>&1
	running() {
		grep -lE '^Uid:\s+[1-9][0-9]{3,}' /proc/[0-9]*/status 2>/dev/null | while read -r file; do
			grep -h ^Name: $file
		done || true
	}
	as() { setpriv --reuid $1 --regid $1 --clear-groups env -i HOME=/home/$1 USER=$1 PATH=$PATH "${@:2}"; }
	until_it() { for ((i = 0; i < 500; i++)); do ! "$@" || return 0; sleep 0.01; done; echo "not: $*" >&2; exit 1; }
`

// Learners, and nobody else, can use what add makes. remove finds whatever they do
// against it.
func TestClass(t *testing.T) {
	nstest.NeedRoot(t)
	out := cleanupIn(t, classRoom+`
		useradd --no-create-home --uid 4321 learner2
		before=$(state)
		umask 077
		$class add 2
		$class add 1

		# A card is enough: its password opens the account.
		cards=$($class cards hotel.example)
		has "$cards" "ssh learner4@hotel.example"
		pass=$(sed -n '/learner1@/,/password/s/.*password: *//p' <<<"$cards")
		[[ $pass =~ ^[a-z2-9]{10}$ ]]
		perl -e 'exit(crypt($ARGV[0], $ARGV[1]) ne $ARGV[1])' "$pass" \
			"$(awk -F : '$1 == "learner1" { print $2 }' /etc/shadow)"

		# Nobody reads another's files or the passwords, or changes the programs.
		for file in /srv/namespaces/class /home/learner3/namespaces/README.md; do
			if as learner1 cat $file; then echo "learner1 reads $file" >&2; exit 1; fi
		done 2>/dev/null
		same "$(find /home/learner[134] -user root; find /srv/* -perm /022 ! -type l)" /srv/class

		# The first terminal, and the second.
		cd /home/learner1/namespaces
		as learner1 bin/06-user -net=lo sh -c 'mount -t tmpfs tmpfs /tmp; touch /tmp/mine; exec sleep 1001' &
		until_it pgrep -xf 'sleep 1001'
		until_it as learner1 bin/second test -e /tmp/mine
		same "$(as learner1 bin/second sh -c 'id -un; pwd; ls /tmp')" $'root\n/home/learner1/namespaces\nmine'
		has "$(as learner3 bin/second 2>&1)" 'no bin/06-user of yours runs'
		as learner1 bash -ic 'echo "${PS1@P}"' 2>/dev/null | grep learner1@hotel
		echo 'not the host:'; as learner1 bin/second bash -ic 'echo "${PS1@P}"' 2>/dev/null | tail -n 1
		# sudo asks one who may not use it for a password, as it does one who may.
		echo 'learner3 ALL=(ALL:ALL) ALL' >>/etc/sudoers
		has "$(as learner1 scripts/doctor.sh 01 2>&1)" 'not here: needs root (Sorry, user learner1 may not run sudo'
		has "$(cd ~learner3/namespaces; as learner3 scripts/doctor.sh 01 2>&1)" 'not tried: it asks for a password)'
		cd /

		# What is in the way of remove.
		as learner1 prlimit --nproc=60 perl -e 'while (1) { fork; select undef, undef, undef, 0.02 }' &
		as learner1 unshare --user --pid --mount-proc --fork --map-root-user sleep 1002 &
		as learner3 unshare --user --map-auto --map-root-user setpriv --reuid 7 --clear-groups \
			sh -c 'ipcmk --queue; touch /tmp/subordinate; exec sleep 1003' &
		as learner3 sh -c 'trap "" TERM HUP INT; while :; do sleep 1004; done' &
		until_it test -e /tmp/subordinate
		until_it pgrep -xf 'sleep 1002'
		until_it eval '[[ $(pgrep --count perl) -gt 30 ]]'
		as learner1 ipcmk --queue --shmem 10 --semaphore 1
		as learner1 busybox mkdir -p /tmp/a/b /var/tmp/a /dev/shm/a
		as learner1 ln -s /home/other /srv/class/link
		as learner3 mkfifo /srv/class/learner1
		as learner4 touch /dev/mqueue/letters
		touch /var/lib/systemd/linger/learner1 /var/spool/cron/crontabs/learner1
		chown learner1 /var/spool/cron/crontabs/learner1
		touch /home/other/file; usermod --comment me learner4

		# It says what it cannot remove, and goes on from there when it can.
		mkdir /home/learner3/busy; mount -t tmpfs none /home/learner3/busy; touch /home/learner3/busy/disk
		if said=$(prlimit --nproc=20: $class remove 2>&1); then echo "nothing is busy: $said" >&2; exit 1; fi
		has "$said" 'not all could be removed: /home/learner3'
		[[ -e /srv/namespaces/class ]]
		same "$(running)" ''
		rm /home/learner3/busy/disk; umount /home/learner3/busy
		$class remove
		rm /home/other/file
		same "$before" "$(state)"

		# Nor does it touch who has come instead of a learner.
		$class add 1
		uid=$(id -u learner1); userdel learner1; useradd --no-create-home --uid $uid heir
		if said=$($class remove 2>&1); then echo "heir is removed: $said" >&2; exit 1; fi
		has "$said" "learner1 was user $uid, and that is heir now: nothing is removed"
		[[ -e /home/learner1/namespaces/README.md ]]
		id heir

		# Root's demonstrations do not go on as one of them.
		getent passwd 1000 || useradd --no-create-home --uid 1000 first
		mkdir /run/stub; ln -s /bin/true /run/stub/setpriv
		env -u SUDO_UID PATH=/run/stub:$PATH /run/place/scripts/06-user.sh --auto >/run/said
		n=$(sed -n 's/.*the ordinary user \([0-9]*\)\./\1/p' /run/said)
		[[ $n -gt 1000 && -z $(getent passwd $n) ]] || { cat /run/said >&2; exit 1; }`)
	assert.Contains(t, out, "learner2 is here already, and not of this class: left alone\n")
	assert.Regexp(t, `not the host:\n.*container one.*:~/namespaces# `, out)
}

// The workshop of 90 minutes holds on this machine. A rehearsal that fails says so, and
// removes its class.
func TestRehearsal(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	t.Parallel()
	out := cleanupIn(t, classRoom+`
		before=$(state)
		/run/place/scripts/dev/rehearse.sh </dev/null
		same "$before" "$(state)"

		ln -sf /bin/false /run/place/bin/02-mount
		if said=$(/run/place/scripts/dev/rehearse.sh 2>&1 </dev/null); then echo "no fault: $said" >&2; exit 1; fi
		has "$said" 'rehearse.sh: 02: type: status 1, expected'
		same "$before" "$(state)"`)
	assert.Contains(t, out, " s  after class\n")
	_, plan, _ := strings.Cut(nstest.Read(t, "../../docs", "workshop.md"), "\n### Short: 90 minutes\n")
	plan, _, _ = strings.Cut(plan, "\n**")
	rows := regexp.MustCompile(`(?m)^\| \d+ \| \[(\d\d)-.*\) \| (.*) \|$`).FindAllStringSubmatch(plan, -1)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		for _, what := range strings.Split(strings.Replace(row[2], "the whole container: ", "", 1), ", ") {
			assert.Contains(t, out, " s  "+row[1]+": "+what+"\n", "the plan has more")
		}
	}
}
