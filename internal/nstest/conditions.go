//go:build linux

package nstest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// conditions starts the lesson where something is missing.
func (r *Runner) conditions(t *testing.T) {
	for _, closed := range []string{"<&-", ">&-", "2>&-", "<&- >&- 2>&-"} {
		t.Run("closed streams "+closed, func(t *testing.T) {
			t.Parallel()
			result := r.Start(t, r.inShell(t, `exec "$@" `+closed, Sh("exit 7")...)).Finish()
			require.Equal(t, 7, result.Status, result.Stderr)
			requireNoTrace(t, result)
		})
	}
	t.Run("directory removed", func(t *testing.T) {
		t.Parallel()
		cmd := r.inShell(t, `d=$(pwd) && rmdir "$d" && exec "$@"`, "true")
		cmd.Dir = t.TempDir() + "/gone"
		require.NoError(t, os.Mkdir(cmd.Dir, 0o755))
		result := r.Start(t, cmd).Finish()
		require.Zero(t, result.Status, result.Stderr)
	})
	t.Run("no /proc", func(t *testing.T) {
		t.Parallel()
		result := r.Start(t, r.InMounts(t, "mount -t tmpfs none /proc", "true")).Finish()
		r.RequireRefusal(t, result, "no such file or directory")
	})
	t.Run("covered /proc", func(t *testing.T) {
		t.Parallel()
		result := r.Start(t, r.InMounts(t, "mount -t tmpfs none /proc/sys", "true")).Finish()
		if r.NeedsRoot() {
			require.Zero(t, result.Status, result.Stderr)
			return
		}
		r.RequireRefusal(t, result, "/proc") // the kernel shows no more than there is
	})
}

// inShell runs the lesson from a shell script, as "$@".
func (r *Runner) inShell(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script, "sh")
	cmd.Args = append(cmd.Args, r.Command(t, args...).Args...)
	return cmd
}

// InMounts does that in a mount namespace where something has been mounted.
func (r *Runner) InMounts(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := r.inShell(t, "mount --make-rprivate / && "+script+` && exec "$@"`,
		args...)
	if !Root() {
		cmd.SysProcAttr = asRootOfUserNamespace()
	} else {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS
	return cmd
}
