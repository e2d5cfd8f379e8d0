//go:build linux

package nstest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mount is a line of mountinfo, see proc_pid_mountinfo(5).
type Mount struct {
	Root, Point, Options string
	Propagation          string // shared:1 master:2 and so on
	Type, Source, Super  string
}

// Mounts returns what a process sees, in the order in which they cover each other.
func Mounts(t *testing.T, pid int) []Mount {
	t.Helper()
	text := Read(t, fmt.Sprintf("/proc/%d/mountinfo", pid))
	var mounts []Mount
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		mount, super, _ := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(super)
		require.GreaterOrEqual(t, len(m), 6, line)
		require.GreaterOrEqual(t, len(s), 3, line)
		mounts = append(mounts, Mount{m[3], m[4], m[5],
			strings.Join(m[6:], " "), s[0], s[1], s[2]})
	}
	require.NotEmpty(t, mounts)
	return mounts
}

// MountAt returns the uppermost mount that a process sees at a mount point.
func MountAt(t *testing.T, pid int, point string) Mount {
	t.Helper()
	var found Mount
	for _, m := range Mounts(t, pid) {
		if m.Point == point {
			found = m
		}
	}
	require.NotEmpty(t, found, "process %d has no mount at %s", pid, point)
	return found
}

// RequireNoPropagation checks that no mount inside has a peer elsewhere, on
// a host where all are shared: for root, Main has made them so.
func RequireNoPropagation(t *testing.T, pid int) {
	t.Helper()
	if Root() {
		require.Contains(t, MountAt(t, os.Getpid(), "/").Propagation, "shared:")
	}
	for _, m := range Mounts(t, pid) {
		require.Empty(t, m.Propagation, "%v", m)
	}
}
