//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// What parses: `go test -fuzz FuzzLimits ./08-cgroups` looks for new input,
// and `go test` tries what is in testdata/fuzz and below.

var number = regexp.MustCompile(`^[1-9][0-9]*$`)

// A value that is taken is one that the kernel takes: a number, or max.
func FuzzLimits(f *testing.F) {
	for _, value := range []string{
		"64M", "max", "", "K", "0x10", "1e3", "0.5", "-0", "+64", "00016", "1_000",
		"8191.9999999", "1e-2", "0x1p-3", "Infinity", "nan", "9223372036854775807",
		"8796093022207M", "8589934591G", "8589934592G", "16\n", "１６", ".5", "5.",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var l limits
		if err := l.setMemory(value); err == nil && value != none {
			require.Regexp(t, number, l.memory)
			require.LessOrEqual(t, len(l.memory), len("9223372036854775807"))
		}
		if err := l.setPids(value); err == nil && value != none {
			require.Regexp(t, number, l.pids)
		}
		if err := l.setCPUs(value); err == nil && value != none {
			require.Regexp(t, number, l.cpus)
			require.GreaterOrEqual(t, len(l.cpus), 4, "less than 1 ms")
			require.LessOrEqual(t, len(l.cpus), len("819200000"))
		}
	})
}

// What is taken is what will be set.
func FuzzNames(f *testing.F) {
	for _, value := range []string{
		"", "room-3", "lo", "veth", "LO", strings.Repeat("n", 64),
		strings.Repeat("n", 65), strings.Repeat("ä", 33), "\xff", "\x00",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var h hostname
		n := len(value)
		require.Equal(t, n >= 1 && n <= 64, h.Set(value) == nil)
		var net network
		require.Equal(t, value == "lo" || value == "veth", net.Set(value) == nil)
	})
}

// Whoever called sudo is root inside, or there is an error that says what is
// wrong with the variable.
func FuzzMap(f *testing.F) {
	nstest.OnlyRoot(f)
	for _, id := range []string{"", "0", "1000", "-1", "+7", "4294967294",
		"4294967296", "99999999999999999999", "me", "1 2", "0x10", "１"} {
		f.Add(id, "1000")
		f.Add("1000", id)
	}
	f.Fuzz(func(t *testing.T, uid, gid string) {
		if strings.Contains(uid+gid, "\x00") {
			return // no variable holds it
		}
		t.Setenv("SUDO_UID", uid)
		t.Setenv("SUDO_GID", gid)
		attr := &syscall.SysProcAttr{}
		if err := mapRoot(attr); err != nil {
			require.ErrorContains(t, err, "SUDO_UID and SUDO_GID")
			return
		}
		if uid == "" {
			uid, gid = "0", "0" // root without sudo
		}
		n, err1 := strconv.Atoi(uid)
		m, err2 := strconv.Atoi(gid)
		require.NoError(t, errors.Join(err1, err2))
		require.Equal(t, []syscall.SysProcIDMap{{HostID: n, Size: 1}}, attr.UidMappings)
		require.Equal(t, []syscall.SysProcIDMap{{HostID: m, Size: 1}}, attr.GidMappings)
	})
}

// Whatever the kernel's files hold, a cgroup is looked for below the place
// where its tree is mounted, and nowhere else.
func FuzzHierarchies(f *testing.F) {
	nstest.OnlyRoot(f) // who can mount over /proc
	own, err1 := os.ReadFile("/proc/self/cgroup")
	mounts, err2 := os.ReadFile("/proc/self/mountinfo")
	require.NoError(f, errors.Join(err1, err2))
	const v2 = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	const v1 = "40 25 0:27 /x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	f.Add(own, mounts)
	f.Add([]byte("0::/user.slice/a b\n"), []byte(v2))
	f.Add([]byte("0::/../../init.scope\n"), []byte(v2)) // another namespace's
	f.Add([]byte("4:cpu,cpuacct:/x/y\n1:name=systemd:/\n0::/\n"), []byte(v1+v2))
	f.Add([]byte("4:cpu:/../..\n"), []byte(v1))
	f.Add([]byte("::\n0:::::\n"), []byte(" - \n- - -\n1 2 3 4 / - cgroup2\n"))
	found := withOwnProc(f)
	f.Fuzz(func(t *testing.T, cgroups, mounts []byte) {
		trees, err := found(cgroups, mounts)
		require.NoError(t, err)
		for name, tree := range trees {
			if !filepath.IsAbs(tree.top) || tree.top != filepath.Clean(tree.top) {
				continue // no mount point
			}
			below, err := filepath.Rel(tree.top, tree.own)
			require.NoError(t, err)
			require.False(t, below == ".." || strings.HasPrefix(below, "../"),
				"%q: %s is not below %s", name, tree.own, tree.top)
		}
	})
}

// withOwnProc returns a function that calls hierarchies on a thread with two
// files in its /proc, and nothing else.
func withOwnProc(f *testing.F) func(cgroups, mounts []byte) (map[string]hierarchy, error) {
	type files struct{ cgroups, mounts []byte }
	type answer struct {
		trees map[string]hierarchy
		err   error
	}
	in, out := make(chan files), make(chan answer)
	f.Cleanup(func() { close(in) })
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		made := errors.Join(
			unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", "/proc", "tmpfs", 0, ""),
			os.Mkdir("/proc/self", 0o755))
		for given := range in {
			err := errors.Join(made,
				os.WriteFile("/proc/self/cgroup", given.cgroups, 0o644),
				os.WriteFile("/proc/self/mountinfo", given.mounts, 0o644))
			var trees map[string]hierarchy
			if err == nil {
				trees, err = hierarchies()
			}
			out <- answer{trees, err}
		}
	}()
	return func(cgroups, mounts []byte) (map[string]hierarchy, error) {
		in <- files{cgroups, mounts}
		a := <-out
		return a.trees, a.err
	}
}
