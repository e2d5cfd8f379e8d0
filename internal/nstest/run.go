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

// Sh is the command line for a piece of shell.
func Sh(script string) []string { return []string{"sh", "-c", script} }

// Command is the built lesson with arguments, not yet started. It has the
// flags that it needs in order to run here at all: see Flags.
func Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return Bare(append(Flags(t), args...)...)
}

// Bare is the built lesson with arguments and nothing else.
func Bare(args ...string) *exec.Cmd {
	readSources()
	return exec.Command(binary, args...)
}

// readSources tells go test that its cached result depends on the lesson's
// sources: they are in the program that the tests run, not in their own.
var readSources = sync.OnceFunc(func() {
	files, _ := filepath.Glob("*.go")
	for _, file := range files {
		os.ReadFile(file)
	}
})

// Flags are those without which the lesson would not run here.
func Flags(t *testing.T) []string {
	t.Helper()
	var flags []string
	if This.HasRootfs() {
		flags = append(flags, "-rootfs", Rootfs(t))
	}
	if This.Has("cgroup") && !CgroupWritable() {
		flags = append(flags, NoLimits...)
	}
	return flags
}

// Result is how a lesson has ended, its status as a shell counts it.
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

	// Parent is the PID of the lesson, Init that of its command, both as
	// the host counts.
	Parent, Init int
}

// Start runs the lesson with a command that prints "ready" and then waits.
func Start(t *testing.T, args ...string) *Container {
	t.Helper()
	c := Launch(t, Command(t, args...))
	c.Ready()
	return c
}

// Cat runs the lesson with cat, or a command that becomes cat: that prints
// what it reads, and handles no signal.
func Cat(t *testing.T, args ...string) *Container {
	t.Helper()
	if len(args) == 0 {
		args = []string{"cat"}
	}
	return CatCmd(t, Command(t, args...))
}

// CatCmd is Cat for a prepared command.
func CatCmd(t *testing.T, cmd *exec.Cmd) *Container {
	t.Helper()
	c := Launch(t, cmd)
	c.Say("ready")
	c.Ready()
	return c
}

// Ready waits until the command runs, and finds it.
func (c *Container) Ready() {
	t := c.t
	t.Helper()
	require.Equal(t, "ready", c.Line(), "stderr: %s", c.stderr())
	found := Children(c.Parent)
	require.Len(t, found, 1, "children of the lesson")
	c.Init = found[0]
}

// Launch starts a lesson, and does not wait for anything.
func Launch(t *testing.T, cmd *exec.Cmd) *Container {
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
	c.start()
	in.Close()
	outw.Close()
	t.Cleanup(c.end)
	return c
}

func (c *Container) start() {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Start())
	c.Parent = c.cmd.Process.Pid
	startedLock.Lock()
	defer startedLock.Unlock()
	started = append(started, c.Parent)
}

// end cleans up after a test that has failed half-way.
func (c *Container) end() {
	if c.cmd.ProcessState == nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
	c.In.Close()
	c.pipe.Close()
	c.err.Close()
}

// Line is the next line that the command prints.
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

// Signal sends one to the lesson, not to the command.
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
	text, err := os.ReadFile(c.err.Name())
	require.NoError(c.t, err)
	return string(text)
}

// Run runs the lesson with an empty input, and waits for its end.
func Run(t *testing.T, args ...string) Result {
	t.Helper()
	return RunCmd(t, Command(t, args...))
}

// RunCmd is Run for a prepared command.
func RunCmd(t *testing.T, cmd *exec.Cmd) Result {
	t.Helper()
	return Launch(t, cmd).Finish()
}

// Output runs the lesson, which must succeed, and returns what it printed.
func Output(t *testing.T, args ...string) string {
	t.Helper()
	r := Run(t, args...)
	require.Zero(t, r.Status, "stderr: %s", r.Stderr)
	return r.Stdout
}
