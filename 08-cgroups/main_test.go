//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

var suite = nstest.New("08-cgroups")

func TestMain(m *testing.M) {
	suite.Main(m, nstest.Helpers{
		"place": place, "threads": threads,
	})
}

func TestAllLessons(t *testing.T) {
	suite.All(t, map[string]string{
		"hostname": "08-cgroups", "net": "veth", "rootfs": "rootfs",
		"memory": "64M", "pids": "64", "cpus": "0.5",
	})
}

// The limits in force are read from the kernel's files on the host.
func TestLimitsInForce(t *testing.T) {
	nstest.NeedCgroup(t)
	for name, test := range map[string]struct {
		flags              []string
		memory, pids, cpus string
	}{
		"default": {nil, "67108864", "64", "50000"},
		"units":   {[]string{"-memory", "64M", "-cpus", "1.5"}, "67108864", "64", "150000"},
		"K":       {[]string{"-memory", "65536K"}, "67108864", "64", "50000"},
		"G":       {[]string{"-memory", "1G", "-pids", "100"}, "1073741824", "100", "50000"},
		"bytes":   {[]string{"-memory", "33554432", "-cpus", "0.25"}, "33554432", "64", "25000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := suite.Cat(t, append(test.flags, "cat")...)
			file := func(controller, v1, v2 string) string {
				return nstest.CgroupFile(t, c.Init, controller, v1, v2)
			}
			require.Equal(t, test.memory,
				file("memory", "memory.limit_in_bytes", "memory.max"))
			require.Contains(t, []string{"0", test.memory},
				file("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"))
			require.Equal(t, test.pids, file("pids", "pids.max", "pids.max"))
			quota, period, _ := strings.Cut(
				file("cpu", "cpu.cfs_quota_us", "cpu.max"), " ")
			require.Equal(t, test.cpus, quota)
			if period == "" {
				period = file("cpu", "cpu.cfs_period_us", "")
			}
			require.Equal(t, "100000", period)
			require.Zero(t, c.Finish().Status)
		})
	}
}

// max means no limit. Without any limit there is no cgroup, and the right to make one is
// not needed.
func TestNoLimits(t *testing.T) {
	c := suite.Cat(t, append(nstest.NoLimits, "cat")...)
	made, err := nstest.Cgroups(c.Parent)
	require.NoError(t, err)
	require.Empty(t, made)
	require.Zero(t, c.Finish().Status)
}

func TestBadLimits(t *testing.T) {
	nstest.NeedCgroup(t)
	for flag, values := range map[string][]string{
		"-memory": {"64MB", "50%", "1.5G", "much"},
		"-pids":   {"-1", "1e3", "64K", "many"},
		"-cpus":   {"0", "0.001", "abc", "50%"},
	} {
		for _, value := range values {
			r := suite.Run(t, flag+"="+value, "echo", "started")
			require.Contains(t, []int{2, 125}, r.Status, "%s=%s: %s", flag, value, r.Stderr)
			require.Empty(t, r.Stdout, "%s=%s", flag, value)
			require.NotContains(t, r.Stderr, "goroutine")
		}
	}
}

func TestMemoryHog(t *testing.T) {
	nstest.NeedCgroup(t)
	hog := func(limit string) nstest.Result { // a buffer of 64 MiB
		return suite.Run(t, "-memory", limit, "dd", "if=/dev/zero",
			"of=/dev/null", "bs=64M", "count=1")
	}
	r := hog("32M")
	require.Equal(t, 128+9, r.Status)
	require.Regexp(t, `(?m)^08-cgroups: out of memory: `, r.Stderr)

	r = hog("128M")
	require.Zero(t, r.Status, r.Stderr)
	require.Contains(t, r.Stderr, "1+0 records out")
	require.NotContains(t, r.Stderr, "out of memory")
}

// A loop that never sleeps gets its share of each period, and no more: the test compares
// its CPU time with the time that has passed.
func TestBusyLoop(t *testing.T) {
	nstest.NeedCgroup(t)
	c := suite.Start(t, suite.Command(t, append([]string{"-cpus", "0.2"},
		nstest.Sh("read start; echo ready; exec sh -c 'while :; do :; done'")...)...))
	begin := time.Now()
	c.Say("start")
	c.Ready()
	nstest.Until(t, "the loop has had 200 ms of CPU time", func() bool {
		return nstest.Ticks(t, c.Init) >= 20
	})
	// 200 ms at a fifth of a CPU take one second, minus what is left of the first
	// period.
	require.Greater(t, time.Since(begin), 600*time.Millisecond)
	throttled := nstest.CgroupFile(t, c.Init, "cpu", "cpu.stat", "cpu.stat")
	require.Regexp(t, `(?m)^nr_throttled [1-9]`, throttled)
	require.NoError(t, unix.Kill(c.Parent, unix.SIGTERM))
	require.Equal(t, 128+9, c.Wait().Status)
}

// Inside, the container's cgroup is the root of all cgroups.
func TestCgroupNamespace(t *testing.T) {
	nstest.NeedCgroup(t)
	out := suite.Output(t, "cat", "/proc/self/cgroup")
	seen := 0
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		part := strings.SplitN(line, ":", 3)
		require.Len(t, part, 3, out)
		for _, controller := range strings.Split(part[1], ",") {
			switch controller {
			case "memory", "pids", "cpu", "":
				require.Equal(t, "/", part[2], line)
				seen++
			}
		}
	}
	require.NotZero(t, seen, out)
}

// On v2 the container sees its own limits, and may not change them.
func TestOwnCgroupFiles(t *testing.T) {
	nstest.NeedCgroup(t)
	needVersion2(t)
	r := suite.Run(t, append([]string{"-memory", "32M"}, nstest.Sh(
		`cd /sys/fs/cgroup; cat memory.max pids.max cpu.max
		echo max >memory.max`)...)...)
	require.Equal(t, "33554432\n64\n50000 100000\n", r.Stdout)
	require.Contains(t, r.Stderr, "Read-only file system")
}

// On v1 it sees no limits.
func TestNoCgroupFiles(t *testing.T) {
	nstest.NeedCgroup(t)
	needVersion1(t)
	require.Equal(t, "0\n", suite.Output(t,
		nstest.Sh("cd /sys/fs/cgroup && ls -A | wc -l")...))
}

// The container is in its cgroup from its first moment: on v2 clone(2) puts it there, and
// on v1 the thread that calls clone(2) is in it.
func TestBornInside(t *testing.T) {
	nstest.NeedCgroup(t)
	log := filepath.Join(t.TempDir(), "strace")
	cmd := exec.Command("strace", append([]string{"-f", "-o", log,
		"-e", "trace=clone,clone3,openat"}, suite.Command(t, "true").Args...)...)
	r := suite.Start(t, cmd).Finish()
	require.Zero(t, r.Status, r.Stderr)
	text := nstest.Read(t, log)
	require.NotContains(t, text, "cgroup.procs")

	before, after, born := strings.Cut(text, "CLONE_NEWPID")
	require.True(t, born, "no clone in:\n%s", text)
	thread := before[strings.LastIndexByte(before, '\n')+1:]
	thread, _, _ = strings.Cut(thread, " ")
	call, _, _ := strings.Cut(after, "\n")
	if version2(t) {
		require.Contains(t, call, "CLONE_INTO_CGROUP")
		return
	}
	for _, controller := range []string{"memory", "pids", "cpu"} {
		require.Regexp(t, `(?m)^`+thread+` .*/`+controller+`/.*nsl-.*/tasks"`, before)
	}
}

// The lesson itself stays where it was, with all its threads.
func TestParentStaysOutside(t *testing.T) {
	nstest.NeedCgroup(t)
	c := suite.Cat(t)
	own := nstest.Read(t, "/proc/self/cgroup")
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/cgroup", c.Parent))
	require.NoError(t, err)
	require.NotEmpty(t, threads)
	for _, thread := range threads {
		text := nstest.Read(t, thread)
		require.Equal(t, own, text)
	}
	inside := nstest.Read(t, fmt.Sprintf("/proc/%d/cgroup", c.Init))
	require.NotEqual(t, own, inside)
	require.Zero(t, c.Finish().Status)
}

// However the lesson ends, it removes its cgroup.
func TestCgroupIsRemoved(t *testing.T) {
	nstest.NeedCgroup(t)
	removed := func(t *testing.T, c *nstest.Container) {
		t.Helper()
		left, err := nstest.Cgroups(c.Parent)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	made := func(t *testing.T, c *nstest.Container) {
		t.Helper()
		there, err := nstest.Cgroups(c.Parent)
		require.NoError(t, err)
		require.NotEmpty(t, there)
	}
	for name, signal := range map[string]func(c *nstest.Container) error{
		"end of input": func(c *nstest.Container) error { c.Close(); return nil },
		"SIGKILL to the command": func(c *nstest.Container) error {
			return unix.Kill(c.Init, unix.SIGKILL)
		},
		"SIGTERM to the lesson": func(c *nstest.Container) error {
			return unix.Kill(c.Parent, unix.SIGTERM)
		},
		"SIGHUP to the lesson": func(c *nstest.Container) error {
			return unix.Kill(c.Parent, unix.SIGHUP)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := suite.Cat(t, nstest.Sh("sleep 1000 & sleep 1000 & exec cat")...)
			made(t, c)
			require.NoError(t, signal(c))
			c.Wait()
			removed(t, c)
		})
	}
	t.Run("not by SIGHUP, under nohup", func(t *testing.T) {
		c := suite.Start(t, exec.Command("nohup", suite.Command(t, "cat").Args...), nstest.Echo)
		c.Signal(unix.SIGHUP)
		require.Regexp(t, "[13579bdf]$", nstest.Status(t, c.Parent, "SigIgn"))
		require.Equal(t, 0, c.Finish().Status)
		removed(t, c)
	})
	t.Run("command not found", func(t *testing.T) {
		c := suite.Start(t, suite.Command(t, "/no/such/command"))
		require.Equal(t, 127, c.Finish().Status)
		removed(t, c)
	})
	t.Run("refused by the kernel", func(t *testing.T) {
		// A user namespace in between has a limit on namespaces.
		c := suite.Start(t, suite.Forbidden(t, "uts"))
		r := c.Finish()
		require.Equal(t, 125, r.Status)
		require.Contains(t, r.Stderr, "no space left on device")
		removed(t, c)
	})
}

// The next lesson removes the cgroup of one that was killed.
func TestSweep(t *testing.T) {
	nstest.NeedCgroup(t)
	c := suite.Cat(t)
	made, err := nstest.Cgroups(c.Parent)
	require.NoError(t, err)
	require.NotEmpty(t, made)
	gone := nstest.Watch(t, c.Init)
	c.Signal(unix.SIGKILL)
	c.Wait()
	gone()
	left, err := nstest.Cgroups(c.Parent)
	require.NoError(t, err)
	require.Equal(t, made, left)
	// A different lesson may be about to enter a young one.
	require.Zero(t, suite.Run(t, "true").Status)
	left, err = nstest.Cgroups(c.Parent)
	require.NoError(t, err)
	require.Equal(t, made, left)
	nstest.AgeCgroups(t, c.Parent)
	require.Zero(t, suite.Run(t, "true").Status)
	left, err = nstest.Cgroups(c.Parent)
	require.NoError(t, err)
	require.Empty(t, left)
}

// A command runs with the smallest limits, however many CPUs there are.
func TestLeast(t *testing.T) {
	nstest.NeedCgroup(t)
	t.Setenv("GOMAXPROCS", "256")
	check := suite.UnchangedHost(t)
	r := suite.Run(t, "-memory", "4M", "-pids", "16", "-cpus", "0.05",
		"echo", "started")
	require.Zero(t, r.Status, r.Stderr)
	require.Equal(t, "started\n", r.Stdout)
	check()
}

// Where the cgroup filesystem is read-only, as in most containers, the lesson
// says so.
func TestReadOnlyCgroups(t *testing.T) {
	nstest.NeedCgroup(t)
	nstest.OnlyRoot(t)
	cmd := suite.InMounts(t, `for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
		! mountpoint -q $d || mount -o remount,bind,ro $d || exit
	done`, "true")
	suite.RequireRefusal(t, suite.Start(t, cmd).Finish(), "read-only file system")
}

// Without the right to make a cgroup nothing starts, and the lesson names the way out.
func TestNoRight(t *testing.T) {
	cmd := suite.Bare("-rootfs", suite.Rootfs(t), "touch", "/started")
	if nstest.Root() {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: 12345, Gid: 12345},
		}
	} else if nstest.CgroupWritable() {
		nstest.Skip(t, nstest.OtherCgroups)
	}
	suite.RequireRefusal(t, suite.Start(t, cmd).Finish(), "permission denied")

	require.NoFileExists(t, filepath.Join(suite.Rootfs(t), "started"))
}

// The lesson names a missing controller, and the file that shows it.
func TestControllerMissing(t *testing.T) {
	nstest.NeedCgroup(t)
	r := runIn(t, "no cpu", "true")
	require.Contains(t, r.Stderr, "exit status 125")
	require.Contains(t, r.Stderr, "cpu")
	r = runIn(t, "no cpu", "-cpus", "max", "echo", "started")
	require.Zero(t, r.Status, r.Stderr)
	require.Equal(t, "started\n", r.Stdout)
}

// The cgroup in which the lesson starts holds a process, the lesson itself. So it cannot
// be divided, and the lesson makes one beside it.
func TestNoInternalProcesses(t *testing.T) {
	nstest.NeedCgroup(t)
	needVersion2(t)
	own, _, err := nstest.CgroupOf(os.Getpid(), "memory")
	require.NoError(t, err)
	err = put(filepath.Join(own, "cgroup.subtree_control"), "+memory")
	require.ErrorIs(t, err, unix.EBUSY)

	c := suite.Cat(t)
	inside, _, err := nstest.CgroupOf(c.Init, "memory")
	require.NoError(t, err)
	require.Equal(t, filepath.Dir(own), filepath.Dir(inside))
	require.Zero(t, c.Finish().Status)

	// If the cgroup above hands nothing down, there is nothing to divide.
	r := runIn(t, "none", "echo", "started")
	require.Empty(t, r.Stdout)
	require.Contains(t, r.Stderr, "exit status 125")
	require.Regexp(t, `open .*/memory.max: no such file or directory`, r.Stderr)
	require.Contains(t, r.Stderr, "scripts/doctor.sh 08")
}

// On v1, a cgroup with processes may be divided: the lesson makes its own in it.
func TestInternalProcesses(t *testing.T) {
	nstest.NeedCgroup(t)
	needVersion1(t)
	for _, controller := range []string{"memory", "pids", "cpu"} {
		own, _, err := nstest.CgroupOf(os.Getpid(), controller)
		require.NoError(t, err)
		c := suite.Cat(t)
		inside, _, err := nstest.CgroupOf(c.Init, controller)
		require.NoError(t, err)
		require.Equal(t, own, filepath.Dir(inside))
		members := nstest.Read(t, own, "cgroup.procs")
		require.Contains(t, strings.Fields(members), strconv.Itoa(c.Parent))
		require.Zero(t, c.Finish().Status)
	}
}

// A cgroup gets no more than those above it, whatever the flags say.
func TestNestedLimits(t *testing.T) {
	nstest.NeedCgroup(t)
	dd := []string{"dd", "if=/dev/zero", "of=/dev/null", "count=1"}
	r := runIn(t, "48M", append(append([]string{"-memory", "1G"}, dd...), "bs=16M")...)
	require.Zero(t, r.Status, r.Stderr)
	r = runIn(t, "48M", append(append([]string{"-memory", "1G"}, dd...), "bs=64M")...)
	require.Contains(t, r.Stderr, "exit status 137")
	require.Contains(t, r.Stderr, "out of memory")

	bomb := nstest.Sh(`i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done`)
	r = runIn(t, "30 pids", append([]string{"-pids", "200"}, bomb...)...)
	require.Contains(t, r.Stderr, "Resource temporarily unavailable")

	// v1 refuses a share larger than that of the cgroup above.
	r = runIn(t, "0.2 CPUs", "-cpus", "0.1", "true")
	require.Zero(t, r.Status, r.Stderr)
	r = runIn(t, "0.2 CPUs", "-cpus", "0.5", "true")
	if version2(t) {
		require.Zero(t, r.Status, r.Stderr)
	} else {
		require.Contains(t, r.Stderr, "exit status 125")
		require.Contains(t, r.Stderr, "invalid argument")
	}
	r = runIn(t, "0.2 CPUs", "-cpus", "max", "true")
	require.Zero(t, r.Status, r.Stderr)
}

// The lesson does not run in itself, and says why: a container has no cgroup to divide,
// and parts of its /proc are covered.
func TestInItself(t *testing.T) {
	nstest.NeedCgroup(t)
	program := nstest.Read(t, suite.Path())
	lesson := suite.Put(t, program, 0o755)
	inner := filepath.Join(suite.Rootfs(t), filepath.Dir(lesson), "inner")
	require.NoError(t, nstest.MakeRootfs(inner))
	args := []string{lesson, "-net=lo", "-rootfs", filepath.Join(filepath.Dir(lesson), "inner")}

	why := "read-only file system"
	if !version2(t) {
		why = "no cgroup"
	}
	r := suite.Run(t, append(args, "echo", "started")...)
	require.Equal(t, 125, r.Status, r.Stderr)
	require.Empty(t, r.Stdout)
	require.Contains(t, r.Stderr, why)

	args = append(append(args, nstest.NoLimits...), "echo", "started")
	r = suite.Run(t, args...)
	require.Equal(t, 125, r.Status, r.Stderr)
	require.Empty(t, r.Stdout)
	require.Contains(t, r.Stderr, `mount "proc" on "/proc"`)
}

// Whoever owns a cgroup may divide it. On v2, systemd gives a user one, and the tests run
// as a user there, too.
func TestGivenCgroup(t *testing.T) {
	nstest.NeedCgroup(t)
	nstest.OnlyRoot(t)
	r := runIn(t, "given", "cat", "/proc/self/uid_map")
	require.Zero(t, r.Status, r.Stderr)
	require.Equal(t, "0 12345 1", strings.Join(strings.Fields(r.Stdout), " "))
	require.NotContains(t, r.Stderr, "denied")
}

// A threaded subtree, see cgroups(7), has no controller for memory.
func TestThreadedCgroup(t *testing.T) {
	nstest.NeedCgroup(t)
	needVersion2(t)
	r := runIn(t, "threaded", "echo", "started")
	require.Empty(t, r.Stdout)
	require.Contains(t, r.Stderr, "exit status 125")
	require.Regexp(t, `open .*/memory.max: no such file or directory`, r.Stderr)
	r = runIn(t, "threaded", "-memory", "max", "echo", "started")
	require.Empty(t, r.Stdout)
	require.Regexp(t, "clone the child: .*: operation not supported", r.Stderr)
}

// Each thread counts as a process.
func TestThreadsCount(t *testing.T) {
	nstest.NeedCgroup(t)
	c := suite.Cat(t)
	current := func() string {
		return nstest.CgroupFile(t, c.Init, "pids", "pids.current", "pids.current")
	}
	require.Equal(t, "1", current())
	command := nstest.Helper("threads", "25")
	busy := suite.Start(t, exec.Command(command[0], command[1:]...))
	require.Equal(t, "ready", busy.Line())
	dir, _, err := nstest.CgroupOf(c.Init, "pids")
	require.NoError(t, err)
	require.NoError(t, put(filepath.Join(dir, "cgroup.procs"),
		strconv.Itoa(busy.Parent)))
	members, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", busy.Parent))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(members), 25)
	require.Equal(t, strconv.Itoa(1+len(members)), current())
	require.Zero(t, busy.Finish().Status)
	require.Equal(t, "1", current())
	require.Zero(t, c.Finish().Status)
}

// threads keeps that many threads until its input ends.
func threads(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var ready sync.WaitGroup
	ready.Add(n)
	for range n {
		go func() {
			runtime.LockOSThread() // so that the next one needs a thread of its own
			ready.Done()
			select {}
		}()
	}
	ready.Wait()
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// version2 says whether the controllers of this host are in cgroup v2.
func version2(t *testing.T) bool {
	t.Helper()
	_, v1, err := nstest.CgroupOf(os.Getpid(), "memory")
	require.NoError(t, err)
	return !v1
}

func needVersion1(t *testing.T) {
	t.Helper()
	if version2(t) {
		nstest.Skip(t, nstest.OtherCgroups)
	}
}

func needVersion2(t *testing.T) {
	t.Helper()
	if !version2(t) {
		nstest.Skip(t, nstest.OtherCgroups)
	}
}

// runIn runs the lesson in one of the places. Its stderr has the exit status.
func runIn(t *testing.T, place string, args ...string) nstest.Result {
	t.Helper()
	command := nstest.Helper("place", place)
	command = append(command, suite.Command(t, args...).Args...)
	return suite.Start(t, exec.Command(command[0], command[1:]...)).Finish()
}

// places are cgroups of v2 in which a lesson may start: what is written to one, "parent",
// and to its child, in which the lesson then starts.
var places = map[string][][2]string{
	"none":   {},
	"no cpu": {{"cgroup.subtree_control", "+memory +pids"}},
	"threaded": {
		{"child/cgroup.type", "threaded"},
		{"cgroup.subtree_control", "+cpu +pids"},
		{"cgroup.procs", "0"}, // a process may enter the child only from here
	},
	"48M":      {all, {"memory.max", "48M"}},
	"30 pids":  {all, {"pids.max", "30"}},
	"0.2 CPUs": {all, {"cpu.max", "20000 100000"}},
	"given":    {all},
}

var all = [2]string{"cgroup.subtree_control", "+cpu +memory +pids"}

// places1 are those of v1: a controller, and what is written to a cgroup of its tree.
var places1 = map[string][][3]string{
	"48M":      {{"memory", "memory.limit_in_bytes", "48M"}},
	"30 pids":  {{"pids", "pids.max", "30"}},
	"0.2 CPUs": {{"cpu", "cpu.cfs_quota_us", "20000"}},
	"given": {{"memory", "memory.limit_in_bytes", "1G"},
		{"pids", "pids.max", "max"}, {"cpu", "cpu.cfs_quota_us", "-1"}},
}

// place runs a command in one of the places.
func place(args []string) error {
	name, command := args[0], args[1:]
	if name == "given" {
		command = append([]string{"setpriv", "--reuid=12345", "--regid=23456",
			"--clear-groups"}, command...)
	}
	own, v1, err := nstest.CgroupOf(os.Getpid(), "cpu")
	if err != nil {
		return err
	}
	if v1 {
		return place1(name, own, command)
	}
	parent, err := os.MkdirTemp(filepath.Dir(own), "nstest-")
	if err != nil {
		return err
	}
	child := filepath.Join(parent, "child")
	if err := os.Mkdir(child, 0o755); err != nil {
		return err
	}
	for _, w := range append(places[name], [2]string{"child/cgroup.procs", "0"}) {
		if err := put(filepath.Join(parent, w[0]), w[1]); err != nil {
			return err
		}
	}
	if name == "given" {
		err = give(parent, child)
	}
	err = errors.Join(err, run(command[0], command[1:]...))
	return errors.Join(err, put(filepath.Join(own, "cgroup.procs"), "0"),
		os.Remove(child), os.Remove(parent))
}

// place1 does so on v1. A place without the controller cpu is a mount namespace in which
// its tree is not mounted.
func place1(name, cpu string, command []string) (err error) {
	if name == "no cpu" {
		top := "/sys/fs/cgroup/cpu"
		for ; cpu != "/" && !isMount(cpu); cpu = filepath.Dir(cpu) {
			top = filepath.Dir(cpu)
		}
		return run("unshare", append([]string{"--mount", "sh", "-c",
			`umount "$0" && exec "$@"`, top}, command...)...)
	}
	for _, p := range places1[name] {
		own, _, err1 := nstest.CgroupOf(os.Getpid(), p[0])
		dir, err2 := os.MkdirTemp(own, "nstest-")
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, put(own+"/cgroup.procs", "0"), os.Remove(dir))
		}()
		err = errors.Join(put(filepath.Join(dir, p[1]), p[2]),
			put(dir+"/cgroup.procs", "0"))
		if name == "given" && err == nil {
			err = give(dir)
		}
		if err != nil {
			return err
		}
	}
	return run(command[0], command[1:]...)
}

// give makes a user the owner of cgroups but not of their limits: see "Cgroups v2
// delegation" in cgroups(7).
func give(dirs ...string) error {
	var errs []error
	for _, dir := range dirs {
		for _, name := range []string{"", "tasks", "cgroup.procs", "cgroup.subtree_control"} {
			err := os.Chown(filepath.Join(dir, name), 12345, 23456)
			if !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func isMount(dir string) bool {
	return exec.Command("mountpoint", "-q", dir).Run() == nil
}

// run runs a command on the helper's streams.
func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// put writes to an existing file of a cgroup.
func put(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
