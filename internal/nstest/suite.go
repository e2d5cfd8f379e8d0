//go:build linux

package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// AllLessons tests what holds for every lesson. The flags are those of this
// one with their defaults, as -h shows them.
func AllLessons(t *testing.T, flags map[string]string) {
	if This.NeedsRoot() {
		NeedRoot(t)
		t.Run("needs privilege", needsPrivilege)
	}
	t.Run("namespaces", ownNamespaces)
	t.Run("namespaces forbidden", namespacesForbidden)
	t.Run("usage", func(t *testing.T) { usage(t, flags) })
	t.Run("exit status", exitStatus)
	t.Run("streams", streams)
	t.Run("descriptors", descriptors)
	t.Run("shell", shell)
	t.Run("signals", signals)
	t.Run("terminal", terminal)
	t.Run("host unchanged", hostUnchanged)
	t.Run("conditions", conditions)
	t.Run("faults", faults)
	t.Run("random command lines", func(t *testing.T) { randomLines(t, flags) })
	t.Run("load", load)
}

func ownNamespaces(t *testing.T) {
	c := Cat(t)
	RequireOwnNamespaces(t, c.Init)
	require.Equal(t, "1", lastField(Status(t, c.Init, "NSpid")))
	require.Zero(t, c.Finish().Status)

	// The kernel counts it from 1, with a parent that is out of sight.
	require.Equal(t, "1 0\n", Output(t, Sh("echo $$ $PPID")...))
}

func lastField(s string) string {
	fields := strings.Fields(s)
	return fields[len(fields)-1]
}

// needsPrivilege: without the right to make namespaces, the lesson names the
// way to get it.
func needsPrivilege(t *testing.T) {
	t.Parallel()
	t.Run("user", func(t *testing.T) {
		cmd := Command(t, "true")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: 12345, Gid: 12345},
		}
		requireRefusal(t, RunCmd(t, cmd), "operation not permitted", "sudo")
	})
	t.Run("root without capabilities", func(t *testing.T) {
		command := Command(t, "true").Args
		cmd := exec.Command("")
		cmd.Args = Helper("without-capabilities", command...)
		cmd.Path, cmd.Err = cmd.Args[0], nil
		requireRefusal(t, RunCmd(t, cmd), "operation not permitted",
			"--privileged")
	})
}

// requireRefusal checks the form of an error of the lesson's own: what has
// failed and why, and in further lines what to do.
func requireRefusal(t *testing.T, r Result, why, todo string) {
	t.Helper()
	require.Equal(t, 125, r.Status, "stderr: %s", r.Stderr)
	require.Empty(t, r.Stdout)
	text := strings.TrimPrefix(r.Stderr, noVeth()) // comes first
	first, rest, _ := strings.Cut(text, "\n")
	require.True(t, strings.HasPrefix(first, This.Name+": "), r.Stderr)
	require.Contains(t, first, why)
	require.Contains(t, rest, todo)
	require.NotContains(t, r.Stderr, "goroutine")
}

// RequireRefusal is for the errors of one lesson only.
func RequireRefusal(t *testing.T, r Result, why, todo string) {
	t.Helper()
	requireRefusal(t, r, why, todo)
}

// namespacesForbidden: in a user namespace, where everybody may set limits,
// each type that the lesson needs has the limit 0.
func namespacesForbidden(t *testing.T) {
	for _, kind := range This.Namespaces {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			script := "echo 0 >/proc/sys/user/max_" + kind +
				`_namespaces && exec "$@"`
			cmd := exec.Command("sh", "-c", script, "sh")
			cmd.Args = append(cmd.Args, Command(t, "true").Args...)
			cmd.SysProcAttr = asRootOfUserNamespace()
			requireRefusal(t, RunCmd(t, cmd), "no space left on device",
				"/proc/sys/user/max_")
		})
	}
}

func asRootOfUserNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Credential:  &syscall.Credential{},
	}
}

func usage(t *testing.T, flags map[string]string) {
	t.Parallel()
	for _, help := range []string{"-h", "--help"} {
		r := RunCmd(t, Bare(help))
		require.Zero(t, r.Status)
		require.Empty(t, r.Stderr)
		requireUsage(t, r.Stdout, flags)
	}
	for _, bad := range [][]string{
		{"-nonsense"}, {"-nonsense=1"}, {"--nonsense"},
	} {
		RequireUsageError(t, bad...)
	}
	for name := range flags {
		r := RunCmd(t, Bare("-"+name)) // no value
		require.Equal(t, 2, r.Status)
		require.Contains(t, r.Stderr, "\nUsage: "+This.Name)
	}
}

func requireUsage(t *testing.T, text string, flags map[string]string) {
	t.Helper()
	synopsis := "Usage: " + This.Name + " [flags] [command [argument ...]]\n"
	require.True(t, strings.HasPrefix(text, synopsis), text)
	require.Regexp(t, `\nExample: .*bin/`+This.Name+" .*\n$", text)
	require.Equal(t, len(flags), strings.Count(text, "\n  -"), text)
	for name, value := range flags {
		_, after, ok := strings.Cut(text, "\n  -"+name+" ")
		require.True(t, ok, "no flag -%s in:\n%s", name, text)
		about, _, _ := strings.Cut(after, "\n  -")
		require.Regexp(t, `\(default "?`+value+`"?\)`, about)
	}
}

// RequireUsageError checks that the lesson refuses a command line before it
// starts anything, and says how it is used.
func RequireUsageError(t *testing.T, args ...string) {
	t.Helper()
	r := RunCmd(t, Bare(append(args, "echo", "started")...))
	require.Equal(t, 2, r.Status, "%q: stderr: %s", args, r.Stderr)
	require.Empty(t, r.Stdout, "%q", args)
	require.True(t, strings.HasPrefix(r.Stderr, This.Name+": "), r.Stderr)
	require.Contains(t, r.Stderr, "\nUsage: "+This.Name)
}

func exitStatus(t *testing.T) {
	notExecutable := Put(t, "no program", 0o644)
	noInterpreter := Put(t, "#!/no/such/interpreter\n", 0o755)
	noFormat := Put(t, "\x00\x01\x02", 0o755)
	for name, test := range map[string]struct {
		command []string
		status  int
		stderr  string
	}{
		"success":        {Sh("exit 0"), 0, ""},
		"own":            {Sh("exit 7"), 7, ""},
		"highest":        {Sh("exit 255"), 255, ""},
		"like a signal":  {Sh("exit 137"), 137, ""},
		"unknown":        {[]string{"no-such-command"}, 127, "no-such-command"},
		"unknown path":   {[]string{"/no/such/file"}, 127, "/no/such/file"},
		"empty name":     {[]string{""}, 127, "not found"},
		"no permission":  {[]string{notExecutable}, 126, "permission denied"},
		"directory":      {[]string{"/tmp"}, 126, "/tmp"},
		"no interpreter": {[]string{noInterpreter}, 126, "interpreter"},
		"no program":     {[]string{noFormat}, 126, "exec format error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Run(t, test.command...)
			require.Equal(t, test.status, r.Status, "stderr: %s", r.Stderr)
			require.Empty(t, r.Stdout)
			if test.stderr == "" {
				requireQuiet(t, r)
				return
			}
			require.Contains(t, r.Stderr, This.Name+": ")
			require.Contains(t, r.Stderr, test.stderr)
		})
	}
	t.Run("signal", func(t *testing.T) {
		t.Parallel()
		c := Cat(t)
		require.NoError(t, unix.Kill(c.Init, unix.SIGKILL))
		require.Equal(t, 128+9, c.Wait().Status)
	})
}

// noVeth is what a lesson says that has no right to lay a cable.
func noVeth() string {
	return This.Name + ": no veth without root on the host: loopback only\n"
}

// requireQuiet checks that the lesson has said nothing, but that it has no
// right to lay a cable, where that is so.
func requireQuiet(t *testing.T, r Result) {
	t.Helper()
	want := ""
	if !Root() && This.Has("net") {
		want = noVeth()
	}
	require.Equal(t, want, r.Stderr)
}

func streams(t *testing.T) {
	t.Parallel()
	c := Launch(t, Command(t, "cat"))
	c.Say("hi")
	require.Equal(t, "hi", c.Line())
	r := c.Finish()
	require.Zero(t, r.Status)
	requireQuiet(t, r)

	r = Run(t, Sh("echo out; echo err >&2")...)
	require.Equal(t, "out\n", r.Stdout)
	require.True(t, strings.HasSuffix(r.Stderr, "err\n"), r.Stderr)
}

// descriptors: what the caller has open is not the command's, and neither is
// anything that the lesson opens.
func descriptors(t *testing.T) {
	t.Parallel()
	secret, err := os.Open("/")
	require.NoError(t, err)
	defer secret.Close()
	cmd := Command(t, "cat")
	cmd.ExtraFiles = []*os.File{secret, nil, secret, secret}
	c := CatCmd(t, cmd)

	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.Init))
	require.NoError(t, err)
	var open []string
	for _, entry := range entries {
		open = append(open, entry.Name())
	}
	require.ElementsMatch(t, []string{"0", "1", "2"}, open)
	for fd, file := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		link := fmt.Sprintf("/proc/%d/fd/%d", c.Init, fd)
		inside, err := os.Stat(link)
		require.NoError(t, err)
		if fd == 2 { // the test's own end of the others is another file
			outside, err := file.(*os.File).Stat()
			require.NoError(t, err)
			require.True(t, os.SameFile(inside, outside))
		}
	}
	require.Zero(t, c.Finish().Status)
}

// shell: without a command, the user's shell runs, or /bin/sh.
func shell(t *testing.T) {
	other := Put(t, "#!/bin/sh\necho other shell $$\n", 0o755)
	for value, want := range map[string]string{
		"/bin/sh":        "1\n",
		"":               "1\n",
		"/no/such/shell": "1\n",
		other:            "other shell 1\n",
	} {
		if This.HasRootfs() { // the host's shell may not be in there
			want = "1\n"
		}
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			cmd := Command(t)
			cmd.Env = append(os.Environ(), "SHELL="+value)
			c := Launch(t, cmd)
			c.In.WriteString("echo $$\n")
			r := c.Finish()
			require.Zero(t, r.Status, "stderr: %s", r.Stderr)
			require.Equal(t, want, r.Stdout)
		})
	}
}

// signals to the lesson reach the command, although the kernel shields
// process 1 from those that it does not handle.
func signals(t *testing.T) {
	// The command has no handler: so the lesson ends it.
	for _, sig := range []unix.Signal{
		unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT,
	} {
		t.Run(unix.SignalName(sig)+" without a handler", func(t *testing.T) {
			c := Cat(t, Sh("sleep 1000 & exec cat")...)
			requireEnd(t, c, 128+9, func() { c.Signal(sig) })
		})
		if sig == unix.SIGTERM || sig == unix.SIGQUIT {
			continue // what Go's runtime catches in any case
		}
		t.Run(unix.SignalName(sig)+" ignored by the caller",
			func(t *testing.T) {
				t.Parallel()
				name := strings.TrimPrefix(unix.SignalName(sig), "SIG")
				cmd := exec.Command("sh", "-c",
					"trap '' "+name+`; exec "$@"`, "sh")
				cmd.Args = append(cmd.Args, Command(t, "cat").Args...)
				c := CatCmd(t, cmd)
				c.Signal(sig)
				c.Say("still there")
				require.Equal(t, "still there", c.Line())
				require.Zero(t, c.Finish().Status)
			})
	}
	t.Run("SIGTERM with a handler", func(t *testing.T) {
		c := Start(t, Sh("trap 'exit 7' TERM; echo ready; read x")...)
		requireEnd(t, c, 7, func() { c.Signal(unix.SIGTERM) })
	})
	t.Run("SIGTERM with a handler that goes on", func(t *testing.T) {
		c := Start(t, Sh("trap : TERM; echo ready; "+
			"while :; do read x; done")...)
		requireEnd(t, c, 128+9, func() { c.Signal(unix.SIGTERM) })
	})
	t.Run("SIGTERM ignored", func(t *testing.T) {
		c := Start(t, Sh("trap '' TERM; echo ready; read x")...)
		requireEnd(t, c, 128+9, func() { c.Signal(unix.SIGTERM) })
	})
	t.Run("SIGTERM while stopped", func(t *testing.T) {
		c := Cat(t)
		stop(t, c)
		requireEnd(t, c, 128+9, func() {
			c.Signal(unix.SIGTERM)
			c.Signal(unix.SIGCONT)
		})
	})
	t.Run("SIGTSTP and SIGCONT", func(t *testing.T) {
		t.Parallel()
		c := Cat(t)
		stop(t, c)
		c.Signal(unix.SIGCONT)
		c.Say("on it goes")
		require.Equal(t, "on it goes", c.Line())
		require.Zero(t, c.Finish().Status)
	})
}

// stop stops a lesson with what Ctrl-Z sends, and waits until both it and
// the command have stopped.
func stop(t *testing.T, c *Container) {
	t.Helper()
	c.Signal(unix.SIGTSTP)
	Until(t, "the lesson stops", func() bool { return state(c.Parent) == "T" })
	Until(t, "the command stops", func() bool { return state(c.Init) == "T" })
}

func state(pid int) string {
	p, _ := readProcess(pid)
	return p.state
}

// requireEnd checks that what the function does ends a lesson, and all that
// runs in it, within a second.
func requireEnd(t *testing.T, c *Container, status int, end func()) {
	t.Helper()
	namespace := Namespaces(t, c.Init)["pid"]
	members := Members(namespace)
	require.Contains(t, members, c.Init)
	gone := Watch(t, members...)
	begin := time.Now()
	end()
	r := c.Wait()
	gone()
	assert.Less(t, time.Since(begin), time.Second)
	require.Equal(t, status, r.Status, "stderr: %s", r.Stderr)
	requireGone(t, c, namespace)
}

// requireGone checks that a lesson has left no process and no cgroup.
func requireGone(t *testing.T, c *Container, pidNamespace string) {
	t.Helper()
	require.Empty(t, Members(pidNamespace), "processes left")
	left, err := Cgroups(c.Parent)
	require.NoError(t, err)
	require.Empty(t, left, "cgroups left")
}

// terminal: as in a normal shell.
func terminal(t *testing.T) {
	t.Run("shell", func(t *testing.T) {
		t.Parallel()
		cmd := Command(t)
		cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "ENV=")
		x := StartTerminal(t, cmd)
		x.Resize(33, 77)
		// What is typed is on the screen, too: so let it differ from
		// what is to be printed.
		x.Type("PS1='in''side> '\n")
		x.Prompt("inside> ", "echo process' '$$\n")
		x.Expect("process 1")
		x.Prompt("inside> ", "set -o | grep monitor\n")
		x.Prompt("inside> ", "echo size $(stty size)'!'\n")
		require.Regexp(t, `monitor\s+on`, x.Screen())
		require.NotContains(t, x.Screen(), "job control")
		x.Expect("size 33 77!")
		// A key that sends a signal also discards what was typed before,
		// and a shell that edits its line shows nothing of what comes
		// too early: so wait until each thing has happened.
		const cat = "sh -c 'echo cat $((40+2)); exec cat'\n"
		x.Prompt("inside> ", cat)
		x.Expect("cat 42\r\n")
		x.Type("one\n")
		x.Expect("one\r\none\r\n")
		x.Type("\x03")
		x.Prompt("inside> ", cat)
		x.Expect("cat 42\r\n")
		x.Type("two\n")
		x.Expect("two\r\ntwo\r\n")
		x.Type("\x1a")
		x.Expect("Stopped")
		x.Prompt("inside> ", "fg\n")
		x.Expect("cat") // the shell says what goes on
		x.Type("three\n")
		x.Expect("three\r\nthree\r\n")
		x.Type("\x04")
		x.Prompt("inside> ", "exit\n")
		// Not so the exit status: dash and busybox's sh give 2 when the
		// process group that they started in is out of sight.
		x.Wait()
	})
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command("sh", "-i")
		cmd.Env = append(os.Environ(), "PS1=host> ", "ENV=")
		x := StartTerminal(t, cmd)
		cat := shellQuote(quietly(t, "cat"))
		x.Prompt("host> ", cat+"\none\n")
		x.Expect("one\r\none\r\n")
		x.Type("\x03")
		x.Prompt("host> ", "echo status' '$?\n")
		x.Expect("status 137")

		x.Prompt("host> ", shellQuote(quietly(t, Sh("trap 'echo caught; "+
			"exit 3' INT; echo rea''dy; read x")...))+"\n")
		x.Expect("ready\r\n")
		x.Type("\x03")
		x.Expect("caught\r\n")
		x.Prompt("host> ", "echo status' '$?\n")
		x.Expect("status 3")

		x.Prompt("host> ", cat+"\ntwo\n")
		x.Expect("two\r\ntwo\r\n")
		x.Type("\x1a")
		x.Expect("Stopped")
		x.Prompt("host> ", "fg\n")
		x.Expect("cat") // the shell says what goes on
		x.Type("three\n")
		x.Expect("three\r\nthree\r\n")
		x.Type("\x04")
		x.Prompt("host> ", "exit 5\n")
		require.Equal(t, 5, x.Wait(), x.Screen())
	})
}

// quietly is a command line of the lesson's, with no word about the cable.
func quietly(t *testing.T, args ...string) []string {
	t.Helper()
	if This.Has("net") {
		args = append([]string{"-net=lo"}, args...)
	}
	return Command(t, args...).Args
}

func shellQuote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// hostUnchanged: whatever happens to a lesson, the host stays as it was.
func hostUnchanged(t *testing.T) {
	busy := Sh("sleep 1000 & (sleep 1000 &) ; " +
		"mkdir -p /tmp/x-$$; rmdir /tmp/x-$$; exec cat")
	t.Run("after a command", func(t *testing.T) {
		check := UnchangedHost(t)
		c := Cat(t, busy...)
		namespace := Namespaces(t, c.Init)["pid"]
		members := Members(namespace)
		require.Len(t, members, 3)
		gone := Watch(t, members...)
		require.Zero(t, c.Finish().Status)
		gone() // what is in the namespace ends with process 1
		requireGone(t, c, namespace)
		requireReaped(t, c)
		check()
	})
	t.Run("after a failure", func(t *testing.T) {
		check := UnchangedHost(t)
		require.Equal(t, 127, Run(t, "no-such-command").Status)
		check()
	})
	t.Run("after SIGKILL of the lesson", func(t *testing.T) {
		check := UnchangedHost(t)
		c := Cat(t, busy...)
		gone := Watch(t, Members(Namespaces(t, c.Init)["pid"])...)
		c.Signal(unix.SIGKILL)
		require.Equal(t, 128+9, c.Wait().Status)
		gone()
		if This.Has("cgroup") { // nobody was left to remove it: the next
			require.Zero(t, Run(t, "true").Status) // lesson does
		}
		check()
	})
	t.Run("after SIGKILL of the command", func(t *testing.T) {
		check := UnchangedHost(t)
		c := Cat(t, busy...)
		gone := Watch(t, Members(Namespaces(t, c.Init)["pid"])...)
		require.NoError(t, unix.Kill(c.Init, unix.SIGKILL))
		require.Equal(t, 128+9, c.Wait().Status)
		gone()
		requireReaped(t, c)
		check()
	})
}

// requireReaped checks that the lesson has reaped its child. If not, that
// would be a zombie, and this process's: see Main.
func requireReaped(t *testing.T, c *Container) {
	t.Helper()
	_, left := readProcess(c.Init)
	require.False(t, left, "process %d is still there", c.Init)
}

// Path of the built lesson, absolute.
func Path(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(binary)
	require.NoError(t, err)
	return path
}
