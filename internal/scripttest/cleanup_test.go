//go:build linux

package scripttest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// cover is a shell function that mounts an empty directory, in which $repo is still
// visible. Some tests mount something else than a tmpfs.
const cover = `
	cover() {
		cd "$repo"
		mount ${2:--t tmpfs none} "$1"
		[[ $repo != "$1"/* ]] || {
			mkdir -p "$repo"
			mount --no-canonicalize --bind /proc/self/cwd "$repo"
		}
		cd "$OLDPWD"
	}
`

// cleanupRoom is a shell script that makes a machine of its own, for tests:
// PIDs, mounts, network, files, users and cgroups are not the machine's, so
// that neither other people's leftovers nor their lessons are in sight. $1 is
// the directory with the lessons, $2 the repository, $3 a name for cgroups.
const cleanupRoom = cover + `
	built=$1 repo=$2 mine=$3
	mount -t tmpfs none /run
	mkdir -p /run/built /run/netns
	mount --bind $built /run/built
	cover /tmp
	cover /var/tmp
	mount -t tmpfs none /dev/shm
	[[ ! -d /dev/mqueue ]] || mount -t mqueue none /dev/mqueue
	mkdir /run/etc /run/etc/upper /run/etc/work
	mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work none /etc
	sed -i /^nsl-/d /etc/passwd /etc/group /etc/shadow /etc/gshadow

	# The cgroups go when the room does.
	cgroups=()
	leave_cgroups() {
		status=$?
		kill -KILL -1 2>/dev/null || true # all but this shell
		for outer in "${cgroups[@]}"; do
			umount ${outer%%:*} || true # what is below is in sight again
		done
		for outer in "${cgroups[@]}"; do
			outer=${outer#*:}
			echo $$ >$outer/cgroup.procs || true
			rmdir $outer/$mine/self 2>/dev/null || true
			rmdir $outer/$mine || true
		done
		exit $status
	}
	trap leave_cgroups EXIT

	# Of each hierarchy there is only a cgroup of ours to see, as its root.
	while read -r point type options; do
		names=${options##*,}
		case $type:$names in
		cgroup2:*) names='' ;;
		cgroup:memory | cgroup:pids | *cpu | *cpuacct) ;;
		*) umount $point && continue ;; # cpuset lets nobody in
		esac
		while IFS=: read -r _ name path; do
			[[ $name == "$names" ]] || continue
			outer=$point/${path#/}
			mkdir $outer/$mine
			cgroups+=($point:$outer)
			if [[ $type == cgroup2 && $point == /sys/fs/cgroup ]]; then
				mkdir $outer/$mine/self # v2 alone: no process beside the lessons'
				echo $$ >$outer/$mine/self/cgroup.procs
				echo +cpu +memory +pids >$outer/$mine/cgroup.subtree_control
			else
				echo $$ >$outer/$mine/cgroup.procs
			fi
			mount --bind $outer/$mine $point
		done </proc/self/cgroup
	done < <(awk '/ - cgroup/ { i = NF; print $5, $(i - 2), $i }' /proc/self/mountinfo)

	# What there is: all that cleanup.sh looks at, and all mounts.
	snapshot() {
		ip -o link show | sed 's/ <.*//' | cut -d: -f2
		ip netns list
		nft list ruleset
		cut -d' ' -f5- /proc/self/mountinfo
		find $(awk '/ - cgroup/ { print $5 }' /proc/self/mountinfo) -type d
		find /tmp /var/tmp /dev/shm /dev/mqueue /run -mount -mindepth 1 \
			! -path '/run/etc/*' ! -path /run/mount\*
		cut -d: -f1 /etc/passwd
		ps -A -o comm= | grep -v -e '^ps$' -e '^grep$' -e '^sort$' -e '^bash$' -e '^unshare$' || true
	} 2>&1
	cleanup() { $repo/scripts/cleanup.sh "$@" 2>&1; }
	# gone PID waits until a process is no more than a zombie.
	gone() { while grep -qs '^State:.[^Z]' /proc/$1/status; do sleep 0.01; done; }
	died() { true & died=$!; wait $died; }
	has() { [[ $1 == *"$2"* ]] || { echo "no '$2' in: $1" >&2; exit 1; }; }
	lacks() { [[ $1 != *"$2"* ]] || { echo "'$2' in: $1" >&2; exit 1; }; }
	same() {
		[[ $1 == "$2" ]] || { diff <(echo "$1") <(echo "$2") >&2; exit 1; }
	}
`

// cleanupIn runs a script in such a room, and returns what it prints.
func cleanupIn(t *testing.T, script string) string {
	t.Helper()
	repo := nstest.Repo(t)
	name := fmt.Sprintf("cleanup_test-%d-%d", os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		left, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
		require.NoError(t, err)
		assert.Empty(t, left, "the test itself has left cgroups")
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--pid", "--fork", "--kill-child",
		"--mount-proc", "--mount", "--net", "--ipc", "bash", "-euo", "pipefail", "-c",
		cleanupRoom+script,
		"bash", doctorBuild(t), repo, name)
	cmd.WaitDelay = 5 * time.Second
	// Without the mark of test.sh, which may run the tests.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "NSL_SCRIPT=")
	})
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), "%s\n%s", &out, &errs)
	return out.String()
}

func TestCleanup(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	t.Run("Leftovers", cleanupTestLeftovers)
	t.Run("LeavesTheLiving", cleanupTestLeavesTheLiving)
	t.Run("Cache", cleanupTestCache)
	t.Run("LookAlikes", cleanupTestLookAlikes)
	t.Run("Forged", cleanupTestForged)
	t.Run("Orphan", cleanupTestOrphan)
	t.Run("AfterKill", cleanupTestAfterKill)
	t.Run("AfterKilledDemonstration", cleanupTestAfterKilledDemonstration)
}

// This makes leftovers of each kind: --dry-run shows and leaves them, and one run removes
// all of them and nothing else.
func cleanupTestLeftovers(t *testing.T) {
	t.Parallel()
	out := cleanupIn(t, `
		mkdir /tmp/other /tmp/nslother /var/tmp/nsl
		ip link add other0 type bridge
		nft add table ip other
		ip netns add other # makes a mount of /run/netns
		before=$(snapshot)
		same "$(cleanup)" 'Nothing is left over.'

		died
		for top in $(awk '/ - cgroup/ { print $5 }' /proc/self/mountinfo | sort -u); do
			mkdir -p $top/nsl-$died-123/below
		done
		unshare --pid --fork --kill-child sleep 1000 & # of a container whose launcher is gone
		until sleeper=$(pgrep --parent $! sleep); do :; done
		echo $sleeper >$(awk '/ - cgroup/ { print $5; exit }' /proc/self/mountinfo)/nsl-$died-123/below/cgroup.procs
		ip link add nsl1 type veth peer name peer1
		ip address add 10.200.0.5/30 dev nsl1
		ip link add nslbr type bridge
		ip netns add nslwan
		ip link add nsl3 type veth peer name eth0 netns nslwan
		ip address add 10.200.0.13/30 dev nsl3
		nft add table ip nslnat
		nft add table bridge nslfilter
		mkdir -p '/tmp/nsl.0abcDEF/with 1 space' /var/tmp/nsl.0XYZ123 /tmp/nsl.0abcDEF/deep
		mount -t tmpfs none '/tmp/nsl.0abcDEF/with 1 space'
		mount -t tmpfs none /tmp/nsl.0abcDEF/deep
		mkdir /tmp/nsl.0abcDEF/deep/er
		mount -t tmpfs none /tmp/nsl.0abcDEF/deep/er
		ln -s /tmp/other /tmp/nsl.link
		touch /dev/shm/nsl-letters /dev/shm/nsl.0abcDEF
		useradd --no-create-home nsl-test
		mkdir -p /tmp/go-build1234567/b001
		( source $repo/scripts/lib/all.sh; NSL_SCRIPT=$died; sleep 2000 ) & marked=$!
		until [[ $(</proc/$marked/comm) == sleep ]]; do :; done

		left=$(snapshot)
		seen=$(cleanup --dry-run)
		echo "$seen"
		same "$left" "$(snapshot)"
		for what in "process $marked, sleep 2000" "cgroup /sys/fs/cgroup/" \
			'device nsl1' 'device nslbr' 'namespace nslwan' 'table ip nslnat' \
			'table bridge nslfilter' 'mount /tmp/nsl.0abcDEF/with 1 space' \
			'mount /tmp/nsl.0abcDEF/deep/er' 'directory /tmp/nsl.0abcDEF' 'directory /var/tmp/nsl.0XYZ123' \
			'file /dev/shm/nsl-letters' 'file /dev/shm/nsl.0abcDEF' 'user nsl-test' 'build /tmp/go-build1234567'; do
			has "$seen" "would remove"
			has "$seen" "$what"
		done
		lacks "$seen" nsl.link
		seen=$(cleanup)
		lacks "$seen" would
		rm /tmp/nsl.link
		gone $sleeper
		gone $marked
		same "$before" "$(snapshot)"
		same "$(cleanup)" 'Nothing is left over.'

		# What cannot be unmounted is not removed through the mount.
		mkdir -p /tmp/nsl.0abcDEF/busy
		touch /tmp/other/precious
		mount --bind /tmp/other /tmp/nsl.0abcDEF/busy
		sleep 2001 </tmp/nsl.0abcDEF/busy & sleeper=$!
		until [[ $(</proc/$sleeper/comm) == sleep ]]; do :; done
		seen=$(cleanup) && exit 1
		has "$seen" 'cannot remove mount /tmp/nsl.0abcDEF/busy'
		[[ -e /tmp/other/precious ]]
		kill $sleeper
		gone $sleeper
		cleanup >&2
		[[ -e /tmp/other/precious && ! -e /tmp/nsl.0abcDEF ]]
	`)
	assert.NotEmpty(t, out)
}

// A running lesson keeps what is its own, and what may be its own.
func cleanupTestLeavesTheLiving(t *testing.T) {
	t.Parallel()
	cleanupIn(t, `
		empty=$(snapshot)
		/run/built/bin/05-net sleep 1001 & five=$!
		/run/built/bin/08-cgroups -rootfs /run/built/rootfs sleep 1002 & eight=$!
		until [[ $(ps -A -o args=) == *$'\n'sleep\ 1001* && \
			$(ps -A -o args=) == *$'\n'sleep\ 1002* ]]; do sleep 0.02; done
		nft add table ip nslnat
		mkdir /tmp/nsl.0abcDEF
		ip link add nslbr type bridge
		# A lesson has just made it: it is about to start the child in it.
		mkdir $(awk '/ - cgroup/ { print $5; exit }' /proc/self/mountinfo)/nsl-$five-1
		before=$(snapshot)
		has "$before" nsl-$eight
		for how in --dry-run ''; do
			seen=$(cleanup $how)
			lacks "$seen" remove
			has "$seen" "in use       cgroup"
			has "$seen" "is at its other end"
			has "$seen" "ip nslnat: process"
			has "$seen" "/tmp/nsl.0abcDEF: process"
			same "$before" "$(snapshot)"
		done
		kill -0 $five $eight

		# As seen from another PID namespace, the PID in the name is nobody's. But
		# its processes have a parent that is a lesson.
		for top in $(awk '/ - cgroup/ { print $5 }' /proc/self/mountinfo | sort -u); do
			for dir in $top/nsl-$eight-*; do
				[[ ! -d $dir ]] || mkdir $top/nsl-999999-1
				[[ ! -d $dir ]] || echo $(pgrep -P $eight) >$top/nsl-999999-1/cgroup.procs
			done
		done
		has "$(cleanup)" "nsl-999999-1"
		kill -0 $eight

		# Nor has it one yet, but a lesson in that namespace has this PID.
		unshare --pid --fork --mount-proc --kill-child /run/built/bin/08-cgroups -rootfs \
			/run/built/rootfs sleep 1003 & outer=$!
		until [[ $(ps -A -o args=) == *$'\n'sleep\ 1003* ]]; do sleep 0.02; done
		mkdir $top/nsl-1-2 # process 1 is alive, whichever it is
		seen=$(cleanup)
		lacks "$seen" remove
		kill -0 $outer
		rmdir $top/nsl-1-2
		kill -KILL $outer
		gone $outer
		# Its name is that of a process that is alive here: no more than listed.
		has "$(cleanup)" nsl-1-
		find /sys/fs/cgroup -depth -type d -name 'nsl-1-*' -exec rmdir {} +

		kill -KILL $five
		gone $five
		seen=$(cleanup)
		kill -0 $eight
		kill -KILL $eight
		gone $eight
		cleanup
		same "$empty" "$(snapshot)"
	`)
}

// Things that only look like ours stay: ten of each kind.
func cleanupTestLookAlikes(t *testing.T) {
	t.Parallel()
	cleanupIn(t, `
		for i in {0..9}; do
			echo "nsl-ops$i:x:$((60000 + i)):100::/:/bin/sh" >>/etc/passwd
			ip link add nsl-br$i type bridge
			ip link add nsl$((i + 5)) type veth peer name foreign$i
			ip netns add nslookup-test$i
			nft add table ip nsl_firewall$i
			touch /dev/shm/nslcd.cache$i
			mkdir -p /tmp/nsl.backup /tmp/nsl.backup$i /tmp/nsl.0ABCDE$i
			chown 12345 /tmp/nsl.0ABCDE$i
			for top in $(awk '/ - cgroup/ { print $5 }' /proc/self/mountinfo | sort -u); do
				mkdir $top/nsl-77777-web$i
			done
		done
		sleep 1000 & web=$!
		echo $web >$top/nsl-77777-web0/cgroup.procs
		mkdir $top/nsl-77777-1 # our pattern, but with a process of the host's
		sleep 1000 & host=$!
		echo $host >$top/nsl-77777-1/cgroup.procs
		mkdir /tmp/tools
		printf '#!/bin/bash\n( while :; do sleep 1; done ) & echo $! >/tmp/tools/pid; exit\n' >/tmp/tools/start.sh
		chmod +x /tmp/tools/start.sh
		/tmp/tools/start.sh
		ln -s /tmp/tools /tmp/nsl.linked
		before=$(snapshot)
		seen=$(cleanup)
		lacks "$seen" 'remove '
		has "$seen" 'and 9 more: looks like ours, left alone'
		[[ $(wc -l <<<"$seen") -le 12 ]] || { echo "not one line a cause: $seen" >&2; exit 1; }
		same "$before" "$(snapshot)"
		kill -0 $web $host $(cat /tmp/tools/pid)
		kill -KILL $web $host
		gone $web
		gone $host
		find /sys/fs/cgroup -depth -type d -name 'nsl-77777-*' -exec rmdir {} +
	`)
}

// A name or a variable with a newline in it is one name, and one variable.
func cleanupTestForged(t *testing.T) {
	t.Parallel()
	cleanupIn(t, `
		sleep 1000 & victim=$!
		NSL_SCRIPT=$'1\n/proc/'$victim$'/environ:NSL_SCRIPT=3999999' sleep 1001 & forger=$!
		mkdir /tmp/at && cd /tmp/at && mkdir work && touch work/file
		mkdir $'/tmp/nsl.0abcDEF\nwork' $'/tmp/nsl.x\nwork'
		until [[ $(</proc/$forger/comm) == sleep ]]; do :; done
		seen=$(cleanup)
		kill -0 $victim $forger
		[[ -e work/file ]]
		lacks "$seen" 'remove '
	`)
}

// A container whose launcher is gone ends, when the kernel has dropped its
// death signal: see prctl(2).
func cleanupTestOrphan(t *testing.T) {
	t.Parallel()
	cleanupIn(t, `
		before=$(snapshot)
		/run/built/bin/05-net setpriv --pdeathsig clear sleep 1000 & launcher=$!
		until init=$(pgrep --parent $launcher sleep); do sleep 0.02; done
		kill -KILL $launcher
		gone $launcher
		kill -0 $init
		has "$(cleanup)" "remove process $init"
		gone $init
		cleanup
		same "$before" "$(snapshot)"
	`)
}

// The files of the sandbox's machines stay, unless --cache removes them.
func cleanupTestCache(t *testing.T) {
	t.Parallel()
	cleanupIn(t, `
		export XDG_CACHE_HOME=/tmp/cache
		cache=$XDG_CACHE_HOME/namespaces-sandbox
		mkdir -p $cache/run.1 $XDG_CACHE_HOME/other
		exec 9<$cache/run.1
		flock 9
		touch $cache/debian-bookworm.ext4
		before=$(snapshot)
		same "$(cleanup)" 'Nothing is left over.'
		has "$(cleanup --cache)" "in use       the cache $cache: a sandbox.sh runs"
		same "$before" "$(snapshot)"

		exec 9<&-
		before=$(snapshot)
		same "$(cleanup --dry-run --cache)" "would remove the cache $cache"
		same "$before" "$(snapshot)"
		same "$(cleanup --cache)" "remove the cache $cache"
		[[ ! -e $cache && -e $XDG_CACHE_HOME/other ]]
		same "$(cleanup --cache)" 'Nothing is left over.'
	`)
}

// After SIGKILL at sixty random moments, to the parent alone or to all of the
// process group, one run leaves things as they were.
func cleanupTestAfterKill(t *testing.T) {
	t.Parallel()
	out := cleanupIn(t, `
		before=$(snapshot)
		for ((round = 0; round < 12; round++)); do
			pids=()
			for ((i = 0; i < 5; i++)); do
				lesson=(/run/built/bin/05-net)
				((i % 2)) || lesson=(/run/built/bin/08-cgroups -rootfs /run/built/rootfs)
				setsid "${lesson[@]}" sleep 1000 2>/dev/null & pids+=($!)
			done
			for pid in "${pids[@]}"; do
				sleep 0.0$((RANDOM % 30 + 10))
				kill -KILL $( ((RANDOM % 2)) || echo -- -)$pid 2>/dev/null || kill -KILL $pid
				gone $pid
			done
			seen=$(cleanup) || { echo "$seen"; exit 1; }
			echo "$seen"
			lacks "$seen" 'in use'
			same "$before" "$(snapshot)"
		done
	`)
	assert.Contains(t, out, "remove cgroup", "there was nothing to clean up")
	t.Logf("%d leftovers", strings.Count(out, "remove "))
}

// Demonstrations can leave more behind: bridges, tables, namespaces, queues and
// processes. SIGKILL ends the script alone, or its group.
func cleanupTestAfterKilledDemonstration(t *testing.T) {
	t.Parallel()
	for _, demo := range []string{"05-net", "08-cgroups"} {
		t.Run(demo, func(t *testing.T) {
			t.Parallel()
			out := cleanupIn(t, `
				export NSL_BIN=/run/built/bin
				ip netns add other # makes a mount of /run/netns
				before=$(snapshot)
				for ((round = 0; round < 3; round++)); do
					setsid $repo/scripts/`+demo+`.sh --auto >/run/log 2>&1 & pid=$!
					steps=$((RANDOM % 13 + 1)) # each begins with an empty line
					until [[ $(grep -c '^$' /run/log) -ge $steps ]]; do sleep 0.01; done
					sleep 0.0$((RANDOM % 10))
					kill -KILL $( ((round % 2)) || echo -- -)$pid
					gone $pid
					rm /run/log
					cleanup || exit
					same "$before" "$(snapshot)"
				done
			`)
			assert.Contains(t, out, "remove ", "there was nothing to clean up")
			t.Logf("%s", out)
		})
	}
}
