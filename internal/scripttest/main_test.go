//go:build linux

// Package scripttest holds the tests of the scripts in scripts/.
package scripttest

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
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

// exitOf runs a command, and returns its exit status, or -1 for a signal. said is what it
// printed.
func exitOf(t *testing.T, cmd *exec.Cmd, said fmt.Stringer) int {
	t.Helper()
	err := cmd.Run()
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		require.NoError(t, err, "%s", said)
	}
	return cmd.ProcessState.ExitCode()
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
