//go:build linux

package nstest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// NoLimits are the flags with which lesson 08 makes no cgroup.
var NoLimits = []string{"-memory", "max", "-pids", "max", "-cpus", "max"}

// CgroupWritable says whether this user may make a cgroup where lesson 08
// would: below its own cgroup on v1, beside it on v2.
func CgroupWritable() bool {
	for _, controller := range []string{"memory", "pids", "cpu"} {
		dir, err := cgroupParent(controller)
		if err != nil || unix.Access(dir, unix.W_OK) != nil {
			return false
		}
	}
	return true
}

// cgroupParent is the directory in which lesson 08 makes a cgroup.
func cgroupParent(controller string) (string, error) {
	dir, v1, err := CgroupOf(os.Getpid(), controller)
	if err != nil {
		return "", err
	}
	if top, err := cgroupMount(controller); !v1 && err == nil && dir != top {
		dir = filepath.Dir(dir)
	}
	return dir, nil
}

// NeedCgroup is for tests that only a user who may make a cgroup can run. The same
// tests run as root, and in the virtual machine.
func NeedCgroup(t *testing.T) {
	t.Helper()
	if !CgroupWritable() {
		Skip(t, NoCgroup)
	}
}

// CgroupOf returns the directory of a process's cgroup in the tree of a
// controller, and whether that tree is cgroup v1.
func CgroupOf(pid int, controller string) (dir string, v1 bool, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", false, err
	}
	top, err := cgroupMount(controller)
	if err != nil {
		return "", false, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		part := strings.SplitN(line, ":", 3)
		if len(part) != 3 {
			continue
		}
		if slices.Contains(strings.Split(part[1], ","), controller) {
			return filepath.Join(top, part[2]), true, nil
		}
		if part[0] == "0" { // v2 is the last line
			dir = filepath.Join(top, part[2])
		}
	}
	return dir, false, nil
}

// cgroupMount returns where the tree of a controller is mounted.
func cgroupMount(controller string) (string, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	found := ""
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) > 3 && f[2] == "cgroup" &&
			slices.Contains(strings.Split(f[3], ","), controller) {
			return f[1], nil
		}
		if len(f) > 3 && f[2] == "cgroup2" {
			found = f[1]
		}
	}
	if found == "" {
		return "", fmt.Errorf("no cgroup tree for %s is mounted", controller)
	}
	return found, nil
}

// CgroupFile reads a file of a process's cgroup, by its name on v1 or on v2.
func CgroupFile(t *testing.T, pid int, controller, v1name, v2name string) string {
	t.Helper()
	dir, v1, err := CgroupOf(pid, controller)
	require.NoError(t, err)
	name := v2name
	if v1 {
		name = v1name
	}
	text := Read(t, dir, name)
	require.NotEmpty(t, text)
	return strings.TrimSpace(text)
}

// AgeCgroups makes the cgroups that a lesson has left look old enough to be swept.
func AgeCgroups(t *testing.T, lesson int) {
	t.Helper()
	left, err := Cgroups(lesson)
	require.NoError(t, err)
	require.NotEmpty(t, left)
	for _, dir := range left {
		old := time.Now().Add(-time.Minute)
		require.NoError(t, os.Chtimes(dir, old, old))
	}
}
