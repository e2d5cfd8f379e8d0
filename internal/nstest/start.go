//go:build linux

package nstest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Read returns what is in a file.
func Read(t testing.TB, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

// Printed runs a command, which must succeed, and returns all that it prints.
func Printed(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", cmd, out)
	return string(out)
}

// Sh returns the command line that runs a shell script.
func Sh(script string) []string { return []string{"sh", "-c", script} }

// Command returns the built lesson with arguments, not yet started, and with the flags
// without which it would not run here: see Flags.
func (r *Runner) Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return r.Bare(append(r.Flags(t), args...)...)
}

// Bare returns the built lesson with these arguments alone.
func (r *Runner) Bare(args ...string) *exec.Cmd {
	readSources()
	return exec.Command(r.binary, args...)
}

// Path returns the absolute path of the built lesson.
func (r *Runner) Path() string { return r.binary }

// readSources opens the lesson's sources, so that go test's cache knows that the result
// depends on them: they are compiled into the lesson, not into the tests.
var readSources = sync.OnceFunc(func() {
	files, _ := filepath.Glob("*.go")
	for _, file := range files {
		os.ReadFile(file)
	}
})

// Flags returns those without which the lesson would not run here.
func (r *Runner) Flags(t *testing.T) []string {
	t.Helper()
	var flags []string
	if r.HasRootfs() {
		flags = append(flags, "-rootfs", r.Rootfs(t))
	}
	if r.Has("cgroup") && !CgroupWritable() {
		flags = append(flags, NoLimits...)
	}
	return flags
}

// Result is how a lesson ended, with its status as a shell shows it.
type Result struct {
	Status         int
	Stdout, Stderr string
}

// Container is a lesson that runs.
type Container struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader
	pipe *os.File
	err  *os.File

	// In is the standard input of the command.
	In *os.File

	// Parent is the PID of the lesson and Init that of its command, both on the
	// host.
	Parent, Init int
}

// How is what Start waits for.
type How int

const (
	// Ready waits until the command prints the line "ready", and finds it.
	Ready How = iota + 1
	// Echo does so for a command that is or becomes cat: it says "ready" to it first.
	Echo
)

// Start starts a command line that ends in the lesson, with pipes as its streams. All
// tests start their lessons with it, except for those at a terminal.
func (r *Runner) Start(t *testing.T, cmd *exec.Cmd, how ...How) *Container {
	t.Helper()
	c := &Container{t: t, cmd: cmd}
	in, inw, err := os.Pipe()
	require.NoError(t, err)
	out, outw, err := os.Pipe()
	require.NoError(t, err)
	c.err, err = os.CreateTemp(t.TempDir(), "stderr")
	require.NoError(t, err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, outw, c.err
	c.In, c.pipe, c.out = inw, out, bufio.NewReader(out)
	require.NoError(t, out.SetReadDeadline(time.Now().Add(Patience)))
	require.NoError(t, cmd.Start())
	c.Parent = cmd.Process.Pid
	r.note(c.Parent)
	in.Close()
	outw.Close()
	t.Cleanup(c.end)
	for _, h := range how {
		if h == Echo {
			c.Say("ready")
		}
		c.Ready()
	}
	return c
}

// Cat starts the lesson with cat, or with a command that becomes cat, which prints what
// it reads and handles no signal.
func (r *Runner) Cat(t *testing.T, args ...string) *Container {
	t.Helper()
	if len(args) == 0 {
		args = []string{"cat"}
	}
	return r.Start(t, r.Command(t, args...), Echo)
}

// Run runs the lesson with an empty input, and waits for its end.
func (r *Runner) Run(t *testing.T, args ...string) Result {
	t.Helper()
	return r.Start(t, r.Command(t, args...)).Finish()
}

// Output runs the lesson, which must succeed, and returns what it printed.
func (r *Runner) Output(t *testing.T, args ...string) string {
	t.Helper()
	result := r.Run(t, args...)
	require.Zero(t, result.Status, "stderr: %s", result.Stderr)
	return result.Stdout
}

// Ready waits until the command runs, and finds its process.
func (c *Container) Ready() {
	c.t.Helper()
	require.Equal(c.t, "ready", c.Line(), "stderr: %s", c.stderr())
	found := Children(c.Parent)
	require.Len(c.t, found, 1, "children of the lesson")
	c.Init = found[0]
}

// end cleans up after a test that failed half-way.
func (c *Container) end() {
	if c.cmd.ProcessState == nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
	c.In.Close()
	c.pipe.Close()
	c.err.Close()
}

// Line returns the next line that the command prints.
func (c *Container) Line() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		require.NoError(c.t, err, "stderr: %s", c.stderr())
	}
	return strings.TrimSuffix(line, "\n")
}

// Say writes a line to the command.
func (c *Container) Say(line string) {
	c.t.Helper()
	_, err := io.WriteString(c.In, line+"\n")
	require.NoError(c.t, err, "stderr: %s", c.stderr())
}

// Signal sends a signal to the lesson, not to the command.
func (c *Container) Signal(sig unix.Signal) {
	c.t.Helper()
	require.NoError(c.t, unix.Kill(c.Parent, sig))
}

// Close ends the command's input.
func (c *Container) Close() { c.In.Close() }

// Finish ends the command's input, and waits for the lesson.
func (c *Container) Finish() Result {
	c.t.Helper()
	c.Close()
	return c.Wait()
}

// Wait waits for the end of the lesson.
func (c *Container) Wait() Result {
	c.t.Helper()
	timer := time.AfterFunc(Patience, func() { c.cmd.Process.Kill() })
	err := c.cmd.Wait()
	require.True(c.t, timer.Stop(), "the lesson hangs: %s", c.cmd)
	require.NoError(c.t, c.pipe.SetReadDeadline(time.Now().Add(Patience)))
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		require.NoError(c.t, err)
	}
	rest, err := io.ReadAll(c.out)
	require.NoError(c.t, err, "the command's output stays open")
	status := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	r := Result{status.ExitStatus(), string(rest), c.stderr()}
	if status.Signaled() {
		r.Status = 128 + int(status.Signal())
	}
	return r
}

func (c *Container) stderr() string {
	return Read(c.t, c.err.Name())
}
