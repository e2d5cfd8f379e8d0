//go:build linux

package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// All tests what holds for every lesson. flags are those of this lesson with their
// defaults, as -h shows them.
func (r *Runner) All(t *testing.T, flags map[string]string) {
	if r.NeedsRoot() {
		NeedRoot(t)
		t.Run("needs privilege", r.needsPrivilege)
	}
	t.Run("namespaces", r.ownNamespaces)
	t.Run("namespaces forbidden", r.namespacesForbidden)
	t.Run("usage", func(t *testing.T) { r.usage(t, flags) })
	t.Run("exit status", r.exitStatus)
	t.Run("streams", r.streams)
	if r.HasRootfs() { // a directory that is open would be a way out of it
		t.Run("descriptors", r.descriptors)
	}
	t.Run("shell", r.shell)
	t.Run("signals", r.signals)
	t.Run("terminal", r.terminal)
	t.Run("host unchanged", r.hostUnchanged)
	t.Run("conditions", r.conditions)
	t.Run("faults", r.faults)
	t.Run("load", r.load)
}

func (r *Runner) ownNamespaces(t *testing.T) {
	c := r.Cat(t)
	r.RequireOwnNamespaces(t, c.Init)
	require.Equal(t, "1", lastField(Status(t, c.Init, "NSpid")))
	require.Zero(t, c.Finish().Status)

	// Inside, it is process 1, and its parent is out of sight.
	require.Equal(t, "1 0\n", r.Output(t, Sh("echo $$ $PPID")...))
}

func lastField(s string) string {
	fields := strings.Fields(s)
	return fields[len(fields)-1]
}

// needsPrivilege checks that the lesson, without the right to make namespaces, says so
// and says what to type.
func (r *Runner) needsPrivilege(t *testing.T) {
	t.Parallel()
	t.Run("user", func(t *testing.T) {
		cmd := r.Command(t, "true")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: 12345, Gid: 12345},
		}
		result := r.Start(t, cmd).Finish()
		r.RequireRefusal(t, result, "operation not permitted")
		require.Contains(t, result.Stderr, "sudo")
	})
	t.Run("root without capabilities", func(t *testing.T) {
		command := Helper("without-capabilities", r.Command(t, "true").Args...)
		cmd := exec.Command(command[0], command[1:]...)
		r.RequireRefusal(t, r.Start(t, cmd).Finish(), "operation not permitted")
	})
}

// RequireRefusal checks the form of the lesson's own errors: what failed and why, and
// on the next line what to do.
func (r *Runner) RequireRefusal(t *testing.T, result Result, why string) {
	t.Helper()
	require.Equal(t, 125, result.Status, "stderr: %s", result.Stderr)
	require.Empty(t, result.Stdout)
	text := noVeth.ReplaceAllString(result.Stderr, "")
	first, rest, _ := strings.Cut(text, "\n")
	require.True(t, strings.HasPrefix(first, r.Name+": "), result.Stderr)
	require.Contains(t, first, why)
	require.Regexp(t, `^(?:  \S.*\n)*$`, rest)
	requireNoTrace(t, result)
}

// requireNoTrace checks that the lesson printed nothing that only a programmer
// understands.
func requireNoTrace(t *testing.T, result Result) {
	t.Helper()
	for _, word := range []string{"goroutine ", "panic:", "fatal error:"} {
		require.NotContains(t, result.Stderr, word)
	}
}

// namespacesForbidden tries that with each type that the lesson needs.
func (r *Runner) namespacesForbidden(t *testing.T) {
	for _, kind := range r.Namespaces {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			result := r.Start(t, r.Forbidden(t, kind)).Finish()
			r.RequireRefusal(t, result, "no space left on device")
		})
	}
}

// Forbidden returns the lesson where the limit of namespaces of a type is 0: in a user
// namespace, everybody may set it.
func (r *Runner) Forbidden(t *testing.T, kind string) *exec.Cmd {
	t.Helper()
	cmd := r.inShell(t, "echo 0 >/proc/sys/user/max_"+kind+`_namespaces && exec "$@"`, "true")
	cmd.SysProcAttr = asRootOfUserNamespace()
	return cmd
}

func asRootOfUserNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Credential:  &syscall.Credential{},
	}
}

func (r *Runner) usage(t *testing.T, flags map[string]string) {
	t.Parallel()
	for _, help := range []string{"-h", "--help"} {
		result := r.Start(t, r.Bare(help)).Finish()
		require.Zero(t, result.Status)
		text := result.Stdout + result.Stderr
		require.Contains(t, text, r.Name)
		require.Equal(t, len(flags), strings.Count(text, "\n  -"), text)
		for name, value := range flags {
			_, after, ok := strings.Cut(text, "\n  -"+name+" ")
			require.True(t, ok, "no flag -%s in:\n%s", name, text)
			about, _, _ := strings.Cut(after, "\n  -")
			require.Regexp(t, `\(default "?`+value+`"?\)`, about)
		}
	}
	for _, bad := range [][]string{{"-nonsense"}, {"-nonsense=1"}, {"--nonsense"}} {
		r.RequireUsageError(t, bad...)
	}
	for name := range flags {
		result := r.Start(t, r.Bare("-"+name)).Finish() // without a value
		require.Equal(t, 2, result.Status)
		require.Contains(t, result.Stderr, name)
	}
}

// RequireUsageError checks that the lesson refuses a command line before the
// command starts, and says why.
func (r *Runner) RequireUsageError(t *testing.T, args ...string) {
	t.Helper()
	result := r.Start(t, r.Bare(append(args, "echo", "started")...)).Finish()
	require.Contains(t, []int{2, 125}, result.Status, "%q: stderr: %s", args, result.Stderr)
	require.Empty(t, result.Stdout, "%q", args)
	requireNoTrace(t, result)
	flag, _, _ := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
	require.Contains(t, result.Stderr, flag)
}

func (r *Runner) exitStatus(t *testing.T) {
	notExecutable := r.Put(t, "no program", 0o644)
	noFormat := r.Put(t, "\x00\x01\x02", 0o755)
	for name, test := range map[string]struct {
		command []string
		status  int
		stderr  string
	}{
		"success":       {Sh("exit 0"), 0, ""},
		"own":           {Sh("exit 7"), 7, ""},
		"highest":       {Sh("exit 255"), 255, ""},
		"like a signal": {Sh("exit 137"), 137, ""},
		"unknown":       {[]string{"no-such-command"}, 127, "no-such-command"},
		"unknown path":  {[]string{"/no/such/file"}, 127, "/no/such/file"},
		"empty name":    {[]string{""}, 127, "not found"},
		"no permission": {[]string{notExecutable}, 126, "permission denied"},
		"directory":     {[]string{"/tmp"}, 126, "/tmp"},
		"no program":    {[]string{noFormat}, 126, "exec format error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := r.Run(t, test.command...)
			require.Equal(t, test.status, result.Status, "stderr: %s", result.Stderr)
			require.Empty(t, result.Stdout)
			if test.stderr == "" {
				r.requireQuiet(t, result)
				return
			}
			require.Contains(t, result.Stderr, r.Name+": ")
			require.Contains(t, result.Stderr, test.stderr)
		})
	}
	t.Run("signal", func(t *testing.T) {
		t.Parallel()
		c := r.Cat(t)
		require.NoError(t, unix.Kill(c.Init, unix.SIGKILL))
		require.Equal(t, 128+9, c.Wait().Status)
	})
}

// noVeth is what a lesson says if it may not make a veth pair. It comes first, unless
// the child fails at that moment.
var noVeth = regexp.MustCompile(`(?m)^[^\n ]+: no veth [^\n]*\n`)

// requireQuiet checks that the lesson said nothing, except that it may not make a veth
// pair, where that is so.
func (r *Runner) requireQuiet(t *testing.T, result Result) {
	t.Helper()
	text := result.Stderr
	if !Root() && r.Has("net") {
		require.Regexp(t, noVeth, text)
		text = noVeth.ReplaceAllString(text, "")
	}
	require.Empty(t, text)
}

func (r *Runner) streams(t *testing.T) {
	t.Parallel()
	c := r.Start(t, r.Command(t, "cat"))
	c.Say("hi")
	require.Equal(t, "hi", c.Line())
	result := c.Finish()
	require.Zero(t, result.Status)
	r.requireQuiet(t, result)

	result = r.Run(t, Sh("echo out; echo err >&2")...)
	require.Equal(t, "out\n", result.Stdout)
	require.True(t, strings.HasSuffix(result.Stderr, "err\n"), result.Stderr)
}

// descriptors checks that the command inherits neither what the caller has open nor what
// the lesson opens.
func (r *Runner) descriptors(t *testing.T) {
	t.Parallel()
	secret, err := os.Open("/")
	require.NoError(t, err)
	defer secret.Close()
	cmd := r.Command(t, "cat")
	cmd.ExtraFiles = []*os.File{secret, nil, secret, secret}
	c := r.Start(t, cmd, Echo)

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
		if fd == 2 { // the test's own ends of the other pipes are different files
			outside, err := file.(*os.File).Stat()
			require.NoError(t, err)
			require.True(t, os.SameFile(inside, outside))
		}
	}
	require.Zero(t, c.Finish().Status)
}

// shell checks that the user's shell, or /bin/sh, runs if there is no command.
func (r *Runner) shell(t *testing.T) {
	shells := map[string]string{"/bin/sh": "1\n", "": "1\n"}
	if !r.HasRootfs() { // the host's shell may not be in there
		other := r.Put(t, "#!/bin/sh\necho other shell $$\n", 0o755)
		shells[other] = "other shell 1\n"
	}
	for value, want := range shells {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			cmd := r.Command(t)
			cmd.Env = append(os.Environ(), "SHELL="+value)
			c := r.Start(t, cmd)
			c.In.WriteString("echo $$\n")
			result := c.Finish()
			require.Zero(t, result.Status, "stderr: %s", result.Stderr)
			require.Equal(t, want, result.Stdout)
		})
	}
}

// awaitTrap is how a shell waits for its trap. A shell that reads would look at a signal
// that came just before only after the next line of input.
const awaitTrap = "while :; do sleep 0.1; done"

// signals checks that signals to the lesson reach the command, although the kernel
// shields process 1 from those that it does not handle.
func (r *Runner) signals(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGQUIT} {
		t.Run(unix.SignalName(sig)+" without a handler", func(t *testing.T) {
			c := r.Cat(t, Sh("sleep 1000 & exec cat")...)
			requireEnd(t, c, 128+9, func() { c.Signal(sig) })
		})
	}
	t.Run("SIGTERM with a handler", func(t *testing.T) {
		c := r.Start(t, r.Command(t, Sh("trap 'exit 7' TERM; echo ready; "+awaitTrap)...), Ready)
		requireEnd(t, c, 7, func() { c.Signal(unix.SIGTERM) })
	})
	t.Run("SIGTERM during execve", r.signalInExecve)
}

// A signal that arrives during the child's last step, execve, is lost: the old program's
// handlers are gone, and the command has none yet. strace makes that moment long.
func (r *Runner) signalInExecve(t *testing.T) {
	command := r.Command(t, "sleep", "1000").Args
	args := append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=execve",
		"-e", "inject=execve:delay_enter=300000:when=2"}, command...)
	c := r.Start(t, exec.Command("strace", args...))
	var lesson int
	Until(t, "the child is about to execute the command", func() bool {
		for _, p := range descendants() {
			args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
			call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", p.pid))
			if strings.HasPrefix(string(args), "child of ") &&
				strings.HasPrefix(string(call), fmt.Sprint(unix.SYS_EXECVE, " ")) &&
				Status(t, p.pid, "SigCgt") != "0000000000000000" {
				lesson = p.parent
			}
		}
		return lesson != 0
	})
	require.NoError(t, unix.Kill(lesson, unix.SIGTERM))
	require.Equal(t, 128+9, c.Wait().Status)
}

// requireEnd checks that the function ends a lesson, and all that runs in it, within a
// second.
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

// requireGone checks that a lesson left no process and no cgroup behind.
func requireGone(t *testing.T, c *Container, pidNamespace string) {
	t.Helper()
	require.Empty(t, Members(pidNamespace), "processes left")
	left, err := Cgroups(c.Parent)
	require.NoError(t, err)
	require.Empty(t, left, "cgroups left")
}

// terminal checks that a terminal works as in any shell.
func (r *Runner) terminal(t *testing.T) {
	t.Run("shell", func(t *testing.T) {
		t.Parallel()
		cmd := r.Command(t)
		cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "ENV=")
		x := StartTerminal(t, cmd)
		x.Resize(33, 77)
		// What is typed is on the screen, too: so it has to differ from what is
		// printed.
		x.Type("PS1='in''side> '\n")
		x.Prompt("inside> ", "echo process' '$$\n")
		x.Expect("process 1")
		x.Prompt("inside> ", "set -o | grep monitor\n")
		x.Prompt("inside> ", "echo size $(stty size)'!'\n")
		require.Regexp(t, `monitor\s+on`, x.Screen())
		require.NotContains(t, x.Screen(), "job control")
		x.Expect("size 33 77!")
		// A key that sends a signal also discards what was typed before it, and a
		// shell with line editing does not show what is typed too early. So wait
		// until each thing has happened.
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
		x.Expect("exec cat") // the shell names the job before it continues it
		x.Expect("\r\n")
		x.Type("three\n")
		x.Expect("three\r\nthree\r\n")
		x.Type("\x04")
		x.Prompt("inside> ", "exit\n")
		// The exit status does not count: dash and busybox's sh end with 2 if the
		// process group in which they started is out of sight.
		x.Wait()
	})
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command("sh", "-i")
		cmd.Env = append(os.Environ(), "PS1=host> ", "ENV=")
		x := StartTerminal(t, cmd)
		cat := shellQuote(r.quietly(t, "cat"))
		x.Prompt("host> ", cat+"\none\n")
		x.Expect("one\r\none\r\n")
		x.Type("\x03")
		x.Prompt("host> ", "echo status' '$?\n")
		x.Expect("status 137")

		x.Prompt("host> ", shellQuote(r.quietly(t, Sh("trap 'echo caught; "+
			"exit 3' INT; echo rea''dy; "+awaitTrap)...))+"\n")
		x.Expect("ready\r\n")
		x.Type("\x03")
		x.Expect("caught\r\n")
		x.Prompt("host> ", "echo status' '$?\n")
		x.Expect("status 3")

		// In the background, reading fails, since nothing stops process 1.
		x.Prompt("host> ", cat+" &\n")
		x.Expect("Input/output error\r\n") // to its end: cat writes it in pieces
		x.Type("\n")
		x.Prompt("host> ", cat+"\ntwo\n")
		x.Expect("two\r\ntwo\r\n")
		x.Type("\x04")
		x.Prompt("host> ", "exit 5\n")
		require.Equal(t, 5, x.Wait(), x.Screen())
	})
}

// quietly returns a command line of the lesson that says nothing about the veth pair.
func (r *Runner) quietly(t *testing.T, args ...string) []string {
	t.Helper()
	if r.Has("net") {
		args = append([]string{"-net=lo"}, args...)
	}
	return r.Command(t, args...).Args
}

func shellQuote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// hostUnchanged checks that the host stays as it was, whatever happens to a lesson.
func (r *Runner) hostUnchanged(t *testing.T) {
	busy := Sh("sleep 1000 & (sleep 1000 &) ; " +
		"mkdir -p /tmp/x-$$; rmdir /tmp/x-$$; exec cat")
	t.Run("after a command", func(t *testing.T) {
		check := r.UnchangedHost(t)
		c := r.Cat(t, busy...)
		namespace := Namespaces(t, c.Init)["pid"]
		members := Members(namespace)
		require.Len(t, members, 3)
		gone := Watch(t, members...)
		require.Zero(t, c.Finish().Status)
		gone() // everything in the namespace ends with process 1
		requireGone(t, c, namespace)
		requireReaped(t, c)
		check()
	})
	t.Run("after a failure", func(t *testing.T) {
		check := r.UnchangedHost(t)
		require.Equal(t, 127, r.Run(t, "no-such-command").Status)
		check()
	})
	t.Run("after SIGKILL of the lesson", func(t *testing.T) {
		check := r.UnchangedHost(t)
		c := r.Cat(t, busy...)
		gone := Watch(t, Members(Namespaces(t, c.Init)["pid"])...)
		c.Signal(unix.SIGKILL)
		require.Equal(t, 128+9, c.Wait().Status)
		gone()
		if r.Has("cgroup") && CgroupWritable() { // the next lesson removes it
			AgeCgroups(t, c.Parent)
			require.Zero(t, r.Run(t, "true").Status)
		}
		check()
	})
	t.Run("after SIGKILL of the command", func(t *testing.T) {
		check := r.UnchangedHost(t)
		c := r.Cat(t, busy...)
		gone := Watch(t, Members(Namespaces(t, c.Init)["pid"])...)
		require.NoError(t, unix.Kill(c.Init, unix.SIGKILL))
		require.Equal(t, 128+9, c.Wait().Status)
		gone()
		requireReaped(t, c)
		check()
	})
}

// requireReaped checks that the lesson reaped its child. If not, the child is a zombie
// of this process: see Main.
func requireReaped(t *testing.T, c *Container) {
	t.Helper()
	_, left := readProcess(c.Init)
	require.False(t, left, "process %d is still there", c.Init)
}
