//go:build linux

package nstest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Patience is how long a test waits for an event before it gives up:
// NSTEST_PATIENCE, or 20 seconds.
var Patience = patience()

// types of namespaces, all eight.
var types = []string{
	"pid", "mnt", "uts", "ipc", "net", "user", "cgroup", "time",
}

// Namespaces returns the namespaces of a process, by type.
func Namespaces(t *testing.T, pid int) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, kind := range types {
		if _, err := os.Stat("/proc/self/ns/" + kind); kind == "time" &&
			errors.Is(err, os.ErrNotExist) {
			continue // the only type that a kernel in use may lack
		}
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		require.NoError(t, err)
		require.Regexp(t, `^`+kind+`:\[[0-9]+\]$`, link)
		found[kind] = link
	}
	return found
}

// Status returns a field of /proc/PID/status.
func Status(t *testing.T, pid int, field string) string {
	t.Helper()
	text := Read(t, fmt.Sprintf("/proc/%d/status", pid))
	_, after, ok := strings.Cut("\n"+text, "\n"+field+":\t")
	require.True(t, ok, "no field %s in /proc/%d/status", field, pid)
	value, _, _ := strings.Cut(after, "\n")
	return value
}

// Ticks is the CPU time of a process and the children that it has waited for, in
// hundredths of a second: see proc_pid_stat(5) and sysconf(_SC_CLK_TCK).
func Ticks(t *testing.T, pid int) (sum int) {
	t.Helper()
	stat := Read(t, fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+2:])
	for _, field := range fields[11:15] {
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		sum += n
	}
	return sum
}

// process is what /proc/PID/stat has of a process.
type process struct {
	pid, parent int
	state       string
	name        string
}

// processes lists all that are in sight, without those that end meanwhile.
func processes() []process {
	entries, _ := os.ReadDir("/proc")
	var all []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

func readProcess(pid int) (process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	p, ok := parseStat(string(text))
	p.pid = pid
	return p, ok && err == nil
}

// parseStat reads a line of proc_pid_stat(5): PID (name) state parent and so on. The
// name may contain parentheses and spaces.
func parseStat(text string) (process, bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 2 {
		return process{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return process{0, parent, fields[0], text[open+1 : end]}, err == nil
}

// Children returns the children of a process, without zombies.
func Children(parent int) []int {
	var found []int
	for _, p := range processes() {
		if p.parent == parent && p.state != "Z" {
			found = append(found, p.pid)
		}
	}
	return found
}

// Members returns the processes of a namespace, without zombies.
func Members(namespace string) []int {
	kind, _, _ := strings.Cut(namespace, ":")
	var found []int
	for _, p := range processes() {
		link, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", p.pid, kind))
		if link == namespace && p.state != "Z" {
			found = append(found, p.pid)
		}
	}
	return found
}

// descendants returns those of this process, without zombies.
func descendants() []process {
	all := processes()
	family := []int{os.Getpid()}
	var found []process
	for i := 0; i < len(family); i++ {
		for _, p := range all {
			if p.parent == family[i] && p.state != "Z" &&
				!slices.Contains(family, p.pid) {
				family = append(family, p.pid)
				found = append(found, p)
			}
		}
	}
	return found
}

// Watch returns a function that waits until the processes have ended.
func Watch(t *testing.T, pids ...int) (gone func()) {
	t.Helper()
	var fds []int
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		require.NoError(t, err, "pidfd_open %d", pid)
		t.Cleanup(func() { unix.Close(fd) })
		fds = append(fds, fd)
	}
	return func() {
		t.Helper()
		for i, fd := range fds {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := 0, unix.EINTR
			for deadline := time.Now().Add(Patience); err == unix.EINTR; {
				var e error
				n, e = unix.Poll(poll, int(time.Until(deadline).Milliseconds()))
				err, _ = e.(unix.Errno)
			}
			require.Zero(t, err, "poll")
			require.Equal(t, 1, n, "process %d has not ended", pids[i])
		}
	}
}

// Until waits for something of which the kernel sends no event. It looks less and less
// often, since looking may cost as much as what it waits for.
func Until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	began := time.Now()
	for pause := time.Millisecond; !reached(); pause = min(2*pause, 32*time.Millisecond) {
		require.Less(t, time.Since(began), Patience, what)
		time.Sleep(pause)
	}
}

func patience() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("NSTEST_PATIENCE")); err == nil {
		return d
	}
	return 20 * time.Second
}
