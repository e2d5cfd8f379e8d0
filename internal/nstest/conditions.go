//go:build linux

package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// conditions: the lesson is started in a place where something is missing.
func conditions(t *testing.T) {
	t.Run("closed streams", func(t *testing.T) {
		for _, closed := range []string{"<&-", ">&-", "2>&-", "<&- >&- 2>&-"} {
			t.Run(closed, func(t *testing.T) {
				t.Parallel()
				r := RunCmd(t, inShell(t, `exec "$@" `+closed, Sh("exit 7")...))
				require.Equal(t, 7, r.Status, r.Stderr)
				requireNoTrace(t, r)
			})
		}
	})
	t.Run("broken pipe", func(t *testing.T) {
		for _, stream := range []string{"1", "2"} {
			for _, command := range [][]string{{"true"}, {"no-such-command"}} {
				t.Run(stream+" "+command[0], func(t *testing.T) {
					t.Parallel()
					read, write, err := os.Pipe()
					require.NoError(t, err)
					require.NoError(t, read.Close())
					cmd := inShell(t, `exec "$@" `+stream+`>&3`, command...)
					cmd.ExtraFiles = []*os.File{write}
					r := RunCmd(t, cmd)
					require.NoError(t, write.Close())
					// Process 1 of a namespace does not die of SIGPIPE: Go
					// ends it with status 2.
					require.Contains(t, []int{0, 2, 127, 128 + 13}, r.Status)
					requireNoTrace(t, r)
				})
			}
		}
	})
	t.Run("read-only directory", func(t *testing.T) {
		t.Parallel()
		cmd := Command(t, "true")
		cmd.Path, cmd.Dir = Path(t), "/proc"
		r := RunCmd(t, cmd)
		require.Zero(t, r.Status, r.Stderr)
		requireQuiet(t, r)
	})
	t.Run("directory removed", func(t *testing.T) {
		t.Parallel()
		cmd := inShell(t, `d=$(pwd) && rmdir "$d" && exec "$@"`, "true")
		cmd.Dir = t.TempDir() + "/gone"
		require.NoError(t, os.Mkdir(cmd.Dir, 0o755))
		r := RunCmd(t, cmd)
		require.Zero(t, r.Status, r.Stderr)
	})
	t.Run("no /proc", func(t *testing.T) {
		t.Parallel()
		cmd := inMounts(t, "mount -t tmpfs none /proc", "true")
		r := RunCmd(t, cmd)
		require.Equal(t, 125, r.Status, r.Stderr)
		require.Contains(t, r.Stderr, "no such file or directory")
		require.Contains(t, r.Stderr, "mount -t proc proc /proc")
		requireNoTrace(t, r)
	})
	t.Run("covered /proc", func(t *testing.T) {
		t.Parallel()
		r := RunCmd(t, inMounts(t, "mount -t tmpfs none /proc/sys", "true"))
		if This.NeedsRoot() {
			require.Zero(t, r.Status, r.Stderr)
			return
		}
		requireRefusal(t, r, `mount "proc" on "/proc"`, "--privileged")
	})
	t.Run("few descriptors", func(t *testing.T) {
		for n := 7; n <= 20; n++ { // with less, Go's runtime does not start
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				r := RunCmd(t, inShell(t, fmt.Sprintf(`ulimit -n %d; exec "$@"`, n),
					"true"))
				requireNoTrace(t, r)
				if r.Status != 0 {
					requireRefusal(t, r, "too many open files", "")
				}
				if strings.Contains(r.Stderr, " the child: ") {
					require.Contains(t, r.Stderr, "ulimit -n")
				}
			})
		}
	})
	t.Run("few processes", fewProcesses)
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		c := Cat(t)
		c.Signal(unix.SIGSTOP)
		Until(t, "the lesson stops", func() bool { return state(c.Parent) == "T" })
		gone := Watch(t, c.Init)
		c.Close()
		gone() // the command ends without it
		c.Signal(unix.SIGCONT)
		require.Zero(t, c.Wait().Status)
	})
}

// fewProcesses: where there is no thread to be had, Go's runtime ends with a
// trace, which names the limit. But it ends, and with it all of the lesson.
func fewProcesses(t *testing.T) {
	if !Root() || !CgroupWritable() {
		Skip(t, NoCgroup)
	}
	parent, err := cgroupParent("pids")
	require.NoError(t, err)
	dir, err := os.MkdirTemp(parent, fmt.Sprintf("nsl-%d-", os.Getpid()))
	require.NoError(t, err)
	defer func() {
		Until(t, "the cgroup is empty", func() bool { return os.Remove(dir) == nil })
	}()
	for n := 4; n <= 14; n += 2 {
		require.NoError(t, os.WriteFile(dir+"/pids.max", []byte(fmt.Sprint(n)), 0))
		r := RunCmd(t, inShell(t, "echo $$ >"+dir+`/cgroup.procs; exec "$@"`,
			"true"))
		require.Contains(t, []int{0, 2, 125}, r.Status, r.Stderr)
		if r.Status == 2 {
			require.Contains(t, r.Stderr, "ulimit -u")
		}
	}
	require.Zero(t, Run(t, "true").Status) // sweeps
}

// inShell runs the lesson from a piece of shell that has it as "$@".
func inShell(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script, "sh", Path(t))
	cmd.Args = append(cmd.Args, Command(t, args...).Args[1:]...)
	return cmd
}

// inMounts is that in a mount namespace where something has been mounted.
func inMounts(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := inShell(t, "mount --make-rprivate / && "+script+` && exec "$@"`,
		args...)
	if !Root() {
		cmd.SysProcAttr = asRootOfUserNamespace()
	} else {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS
	return cmd
}
