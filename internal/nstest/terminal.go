//go:build linux

package nstest

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Terminal is the keyboard and the screen of a terminal, pty(7).
type Terminal struct {
	t        *testing.T
	cmd      *exec.Cmd
	master   *os.File
	deadline time.Time
	screen   bytes.Buffer // what Expect has not consumed yet
	all      bytes.Buffer
}

// StartTerminal runs a command in a new session with a terminal of its own.
func StartTerminal(t *testing.T, cmd *exec.Cmd) *Terminal {
	t.Helper()
	master, err := pty.StartWithAttrs(cmd, nil, // whatever attributes cmd has
		&syscall.SysProcAttr{Setsid: true, Setctty: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		master.Close()
	})
	return &Terminal{t: t, cmd: cmd, master: master,
		deadline: time.Now().Add(Patience)}
}

// Type types a text.
func (x *Terminal) Type(keys string) {
	x.t.Helper()
	_, err := x.master.WriteString(keys)
	require.NoError(x.t, err)
}

// Expect waits for a text on the screen, and returns what comes before it.
func (x *Terminal) Expect(text string) (before string) {
	x.t.Helper()
	_, before = x.find(text)
	return before
}

// Either waits for one of these texts, and returns the one that comes first.
func (x *Terminal) Either(texts ...string) string {
	x.t.Helper()
	first, _ := x.find(texts...)
	return first
}

func (x *Terminal) find(texts ...string) (first, before string) {
	x.t.Helper()
	x.deadline = time.Now().Add(Patience)
	for {
		at := x.screen.Len()
		for _, text := range texts {
			if i := bytes.Index(x.screen.Bytes(), []byte(text)); i >= 0 && i < at {
				first, at = text, i
			}
		}
		if first != "" {
			before = string(x.screen.Next(at))
			x.screen.Next(len(first))
			return first, before
		}
		buf := make([]byte, 4096)
		n, err := x.read(buf)
		x.screen.Write(buf[:n])
		x.all.Write(buf[:n])
		if err != nil {
			require.NoError(x.t, err, "wait for %q; the screen has:\n%s",
				texts, x.Screen())
		}
	}
}

// read waits for something to come to the screen, with poll(2) and not with Go's
// poller. Go's is told only once (EPOLLET): if a signal flushes the terminal at that
// moment, it waits for ever.
func (x *Terminal) read(buf []byte) (int, error) {
	fds := []unix.PollFd{{Fd: int32(x.master.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(time.Until(x.deadline).Milliseconds()))
	for err == unix.EINTR {
		n, err = unix.Poll(fds, int(time.Until(x.deadline).Milliseconds()))
	}
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return x.master.Read(buf)
}

// Prompt waits for a prompt, and then types.
func (x *Terminal) Prompt(prompt, keys string) {
	x.t.Helper()
	x.Expect(prompt)
	x.Type(keys)
}

// Wait waits for the end of the session, and returns its exit status.
func (x *Terminal) Wait() int {
	x.t.Helper()
	// The kernel answers EIO once nobody has the terminal open any more.
	var err error
	for buf := make([]byte, 4096); err == nil; {
		var n int
		n, err = x.read(buf)
		x.all.Write(buf[:n])
	}
	require.ErrorIs(x.t, err, unix.EIO, x.Screen())
	x.cmd.Wait()
	return x.cmd.ProcessState.ExitCode()
}

// Close closes the terminal's window, as a click does: the kernel sends SIGHUP.
func (x *Terminal) Close() {
	x.t.Helper()
	require.NoError(x.t, x.master.Close())
	x.cmd.Wait()
}

// Screen is all that the terminal has shown.
func (x *Terminal) Screen() string { return x.all.String() }

// Resize changes the size of the window.
func (x *Terminal) Resize(rows, columns uint16) {
	x.t.Helper()
	require.NoError(x.t, pty.Setsize(x.master, &pty.Winsize{Rows: rows, Cols: columns}))
}
