//go:build linux

package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// load starts many containers, one after another and at the same time, as several
// users, with and without sudo. None fails, no two share anything, and a lesson that
// runs all the time needs no more memory and files than before. NSTEST_LOAD is the
// number of those that run one after another.
func (r *Runner) load(t *testing.T) {
	sequence, together := 15, 15
	if n, err := strconv.Atoi(os.Getenv("NSTEST_LOAD")); err == nil {
		sequence, together = n, 100
	}
	check := r.UnchangedHost(t)
	witness := r.Cat(t)
	needs := needsOf(t, witness)
	for i := range sequence {
		result := r.Start(t, r.byCaller(t, i, "true")).Finish()
		require.Zero(t, result.Status, "number %d: %s", i, result.Stderr)
		witness.Signal(unix.SIGCONT) // gives it something to do
	}

	containers := make([]*Container, together)
	for i := range containers { // start them all before waiting for the first
		containers[i] = r.Start(t, r.byCaller(t, i, "cat"))
	}
	owner := map[string]int{}
	for i, c := range containers {
		c.Say("ready")
		c.Ready()
		namespaces := Namespaces(t, c.Init)
		for _, kind := range r.Namespaces {
			other, taken := owner[namespaces[kind]]
			require.False(t, taken, "%d and %d share %s", i, other, kind)
			owner[namespaces[kind]] = i
		}
	}
	for _, c := range containers {
		c.Close()
	}
	for i, c := range containers {
		result := c.Wait()
		require.Zero(t, result.Status, "number %d: %s", i, result.Stderr)
	}

	now := needsOf(t, witness)
	require.Equal(t, needs.descriptors, now.descriptors)
	require.Less(t, now.memory-needs.memory, 8<<10, "KiB more than before")
	require.Zero(t, witness.Finish().Status)
	check()
}

// byCaller is the lesson as one of several callers runs it: we ourselves, and, where
// that is possible, sudo and ten other users.
func (r *Runner) byCaller(t *testing.T, i int, args ...string) *exec.Cmd {
	t.Helper()
	cmd := r.Command(t, args...)
	if !Root() || r.NeedsRoot() {
		return cmd
	}
	user := 20000 + i%10
	switch i % 3 {
	case 1:
		cmd.Env = append(os.Environ(), fmt.Sprintf("SUDO_UID=%d", user),
			fmt.Sprintf("SUDO_GID=%d", user))
	case 2:
		if r.Has("cgroup") { // which a user may not make here
			cmd = r.Command(t, append(append([]string{}, NoLimits...), args...)...)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
			Uid: uint32(user), Gid: uint32(user)}}
	}
	return cmd
}

// needs are the resources of a lesson that a machine may run out of.
type needs struct {
	descriptors int
	memory      int // KiB
}

func needsOf(t *testing.T, c *Container) needs {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.Parent))
	require.NoError(t, err)
	field := strings.Fields(Status(t, c.Parent, "VmRSS"))
	memory, err := strconv.Atoi(field[0])
	require.NoError(t, err)
	return needs{len(entries), memory}
}
