//go:build linux

// Package scripttest holds the tests of the scripts in scripts/.
package scripttest

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// begin starts a command, and returns once it has printed its first line. The command ends
// with its input: when the test is over, or when the returned function is called.
func begin(t *testing.T, cmd *exec.Cmd) (end func()) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	require.NoError(t, cmd.Start())
	end = sync.OnceFunc(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "%s has not begun", cmd)
	return end
}

// script is a script of a place, which starts there.
func script(place, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(place, "scripts", name), args...)
	cmd.Dir, cmd.Env = place, checkEnv()
	return cmd
}

// checkEnv returns the environment without the variables of sudo: its caller could not
// build in a place that belongs to root.
func checkEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "SUDO_")
	})
}

// by has other commands start one.
func by(cmd *exec.Cmd, others ...string) *exec.Cmd {
	outer := exec.Command(others[0], slices.Concat(others[1:], cmd.Args)...)
	outer.Dir, outer.Env, outer.SysProcAttr = cmd.Dir, cmd.Env, cmd.SysProcAttr
	return outer
}

// answering gives a command its input.
func answering(text string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Stdin = strings.NewReader(text)
	return cmd
}

// exitOf runs a command, and returns its exit status, or -1 for a signal. said is what it
// printed. WaitDelay fails the test if a process that it started holds the output open.
func exitOf(t *testing.T, cmd *exec.Cmd, said fmt.Stringer) int {
	t.Helper()
	cmd.WaitDelay = cmp.Or(cmd.WaitDelay, 5*time.Second)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	require.NoError(t, cmd.Start())
	late := time.AfterFunc(2*time.Minute, func() { unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	err := cmd.Wait()
	require.True(t, late.Stop(), "it hangs:\n%s", said)
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		require.NoError(t, err, "%s", said)
	}
	return cmd.ProcessState.ExitCode()
}

// output runs a command to its end.
func output(t *testing.T, cmd *exec.Cmd) (string, int) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	status := exitOf(t, cmd, &out)
	return out.String(), status
}

// done runs a command that has to succeed.
func done(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, status := output(t, cmd)
	require.Zero(t, status, "%s: %s", cmd, out)
	return out
}

// fails runs a command that has to fail, with status 1, and to say this.
func fails(t *testing.T, cmd *exec.Cmd, messages ...string) string {
	t.Helper()
	out, status := output(t, cmd)
	assert.Equal(t, 1, status, "%s: %s", cmd, out)
	for _, message := range messages {
		assert.Contains(t, out, message)
	}
	return out
}

// onlyChild returns the only child of a process.
func onlyChild(t *testing.T, parent int) int {
	t.Helper()
	children := nstest.Children(parent)
	require.Len(t, children, 1, "children of %d", parent)
	return children[0]
}

// Scripts mostly wait, above all a check that fails. So many of them run at once.
func TestMain(m *testing.M) {
	nstest.DefaultSignals()
	if err := flag.Set("test.parallel", fmt.Sprint(6*runtime.NumCPU())); err != nil {
		panic(err)
	}
	// Go builds more than a hundred programs here, each too small for its own garbage.
	os.Setenv("GOGC", "off")
	os.Exit(m.Run())
}
