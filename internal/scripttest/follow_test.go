//go:build linux

package scripttest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// The texts' runner types every lesson, and checks the guide. Here are other ways, and
// what the guide says to whoever is stuck.

// followMachine starts something that plays a machine, with its own processes and without
// those of other tests. It returns the command that enters it.
func followMachine(t *testing.T) []string {
	t.Helper()
	nstest.NeedRoot(t)
	host := exec.Command("unshare", "--fork", "--pid", "--mount-proc", "sh", "-c", compareWait)
	begin(t, host)
	return []string{"nsenter", "--target", fmt.Sprint(onlyChild(t, host.Process.Pid)), "--pid", "--mount"}
}

// followIn returns a command in there. With the variables of sudo, containers would have to
// be the caller's.
func followIn(machine []string, command ...string) *exec.Cmd {
	command = append(append([]string{"env", "-u", "SUDO_UID"}, machine...), command...)
	cmd := exec.Command(command[0], command[1:]...)
	// It is not at the terminal of whoever runs the tests, which would wait for all.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// followGuide is the guide, which looks when it is asked.
type followGuide struct {
	t       *testing.T
	machine []string
	ask     io.Writer
	tell    *bufio.Reader
}

func followStart(t *testing.T, machine []string, script ...string) *followGuide {
	t.Helper()
	cmd := followIn(machine, script...)
	cmd.Stderr = os.Stderr
	ask, err := cmd.StdinPipe()
	require.NoError(t, err)
	tell, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		ask.Close()
		assert.NoError(t, cmd.Wait())
	})
	g := &followGuide{t, machine, ask, bufio.NewReader(tell)}
	g.done(0)
	return g
}

// followLesson is the guide to one.
func followLesson(t *testing.T, lesson string) *followGuide {
	t.Helper()
	return followStart(t, followMachine(t),
		filepath.Join(nstest.Repo(t), "scripts/follow.sh"), "--lines", lesson)
}

// done waits until so many steps are done, and no more. It returns what the guide
// sees, and its hint.
func (g *followGuide) done(want int) (sight, hint string) {
	g.t.Helper()
	for end := time.Now().Add(nstest.Patience); ; time.Sleep(20 * time.Millisecond) {
		_, err := io.WriteString(g.ask, "\n")
		require.NoError(g.t, err)
		line, err := g.tell.ReadString('\n')
		require.NoError(g.t, err)
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(g.t, f, 4, "%q", line)
		if f[0] == fmt.Sprint(want) {
			return f[2], f[3]
		}
		require.True(g.t, time.Now().Before(end) && f[0] < fmt.Sprint(want), "not %d: %s", want, line)
	}
}

// hints waits for a hint.
func (g *followGuide) hints(done int, text string) {
	g.t.Helper()
	hint := ""
	for end := time.Now().Add(nstest.Patience); !strings.Contains(hint, text); time.Sleep(20 * time.Millisecond) {
		require.True(g.t, time.Now().Before(end), "%q, not %q", hint, text)
		_, hint = g.done(done)
	}
}

// followShell is a shell that a launcher has started.
type followShell struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (g *followGuide) run(launcher ...string) *followShell {
	t := g.t
	t.Helper()
	cmd := followIn(g.machine, launcher...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s := &followShell{t, cmd, in, bufio.NewReader(out)}
	t.Cleanup(s.exit)
	return s
}

// run runs a command there.
func (s *followShell) run(command string) {
	s.t.Helper()
	_, err := fmt.Fprintf(s.in, "%s\necho done $?\n", command)
	require.NoError(s.t, err)
	line := ""
	for !strings.HasPrefix(line, "done ") {
		line, err = s.out.ReadString('\n')
		require.NoError(s.t, err)
	}
	assert.Equal(s.t, "done 0\n", line, command)
}

func (s *followShell) exit() {
	s.in.Close()
	_ = s.cmd.Wait()
}

// pid is the shell's on the host: nsenter has started the launcher.
func (s *followShell) pid() int {
	s.t.Helper()
	return onlyChild(s.t, onlyChild(s.t, s.cmd.Process.Pid))
}

// What becomes true counts: these launchers and commands are not those of the text.
func TestFollowAnotherWay(t *testing.T) {
	for lesson, way := range map[string]func(g *followGuide){
		"01": func(g *followGuide) {
			s := g.run("unshare", "--fork", "--pid", "--mount-proc", "sh")
			g.done(1)
			s.run("(exec sleep 700) >/dev/null &")
			g.done(2)
			require.NoError(g.t, unix.Kill(s.pid(), unix.SIGKILL))
			g.done(3)
			s = g.run("bwrap", "--unshare-pid", "--bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "sh")
			g.done(4)
			s.exit()
			g.done(5)
		},
		"02": func(g *followGuide) {
			s := g.run("unshare", "--fork", "--pid", "--mount-proc", "sh")
			g.done(1)
			s.run("mount --bind /usr /mnt")
			g.done(2)
			s.run("mount --bind /proc /proc")
			g.done(2) // /proc is covered once more, and still its own
			s.run("umount /proc; umount /proc")
			g.done(3)
			s.exit()
			g.done(4)
		},
		"03": func(g *followGuide) {
			s := g.run("unshare", "--fork", "--pid", "--mount-proc", "--uts", "sh")
			g.done(1)
			s.run("echo suite >/proc/sys/kernel/hostname")
			sight, _ := g.done(2)
			assert.Contains(g.t, sight, "; name suite, the host's ")
			s.exit()
			g.done(3)
		},
		"06": func(g *followGuide) {
			s := g.run("unshare", "--map-root-user", "--fork", "--pid", "--mount-proc", "--uts", "--ipc", "--net", "sh")
			sight, _ := g.done(1)
			assert.Contains(g.t, sight, "; map: 0 is 0 (of 1)")
			name := exec.Command("nsenter", "--target", fmt.Sprint(s.pid()), "--user", "--uts", "hostname", "box")
			require.NoError(g.t, name.Run())
			g.done(2)
			s.run("mount --bind /usr /mnt")
			g.done(3)
			s.exit()
			g.done(4)
		},
	} {
		t.Run(lesson, func(t *testing.T) {
			t.Parallel()
			way(followLesson(t, lesson))
		})
	}
}

// A hint follows from what the guide sees.
func TestFollowHints(t *testing.T) {
	for name, c := range map[string]struct {
		lesson, launcher string
		done             int
		hint             string
	}{
		"nothing":      {"03", "", 0, "There is nothing new here."},
		"no fork":      {"01", "unshare --pid sh", 0, "its next child will be"},
		"the host's":   {"02", "unshare --fork --pid --mount sh", 0, "its /proc is still the host's."},
		"one is short": {"03", "unshare --fork --pid --mount-proc sh", 0, "Still the host's: uts."},
		"lo is down":   {"05", "unshare --fork --pid --mount-proc --uts --ipc --net sh", 0, "lo is down"},
		"no map":       {"06", "unshare --user --fork --pid --mount --uts --ipc --net sh", 0, "without a map"},
		"alone":        {"01", "unshare --fork --pid sh", 1, "is still alone"},
		"same name":    {"03", "unshare --fork --pid --mount-proc --uts sh", 1, "The name inside is still "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := followLesson(t, c.lesson)
			if c.launcher != "" {
				g.run(strings.Fields(c.launcher)...)
			}
			g.hints(c.done, c.hint)
		})
	}
}

// A container that was there before does not count, and one that ends too early has to
// be started again. Other people choose their names.
func TestFollowBack(t *testing.T) {
	t.Parallel()
	older := &followGuide{t: t, machine: followMachine(t)}
	older.run("unshare", "--fork", "--pid", "--mount-proc", "--uts", "sh").run("true")
	g := followStart(t, older.machine, filepath.Join(nstest.Repo(t), "scripts/follow.sh"), "--lines", "03")

	shell, err := exec.LookPath("dash")
	require.NoError(t, err)
	hostile := filepath.Join(t.TempDir(), "x\x1b[2J) R 1")
	require.NoError(t, exec.Command("cp", shell, hostile).Run())
	s := g.run("unshare", "--fork", "--pid", "--mount-proc", "--uts", hostile, "-c", "read -r _; :")
	sight := "" // it has its name only after execve
	for end := time.Now().Add(nstest.Patience); !strings.Contains(sight, "x?[2J) R 1, PID "); {
		require.True(t, time.Now().Before(end), sight)
		sight, _ = g.done(1)
	}
	s.exit()
	for line := ""; !strings.HasPrefix(line, "0\t"); { // it was 1
		_, err := io.WriteString(g.ask, "\n")
		require.NoError(t, err)
		line, err = g.tell.ReadString('\n')
		require.NoError(t, err)
	}
}

// At a terminal: what to type is new each time, a hint comes by itself, and after
// q or Ctrl-C the terminal is as before.
func TestFollowAtATerminal(t *testing.T) {
	t.Parallel()
	script := filepath.Join(nstest.Repo(t), "scripts/follow.sh")
	g := &followGuide{t: t, machine: followMachine(t)}
	var drawn []string
	for _, cmd := range []*exec.Cmd{
		followIn(g.machine, script, "--stuck", "1", "03"), exec.Command(script, "03"),
	} {
		cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
		x := nstest.StartTerminal(t, cmd)
		x.Expect(" -> 1  ")
		if len(drawn) == 0 {
			s := g.run("unshare", "--fork", "--pid", "--mount-proc", "--uts", "sh")
			x.Expect(" ok 1  ")
			x.Expect("first   terminal:  hostname suite-")
			x.Expect("Stuck? The name inside is still ")
			s.run("hostname other")
			x.Expect(" ok 2  ")
			s.exit()
			x.Expect("All of it has happened.")
			x.Type("q")
		} else {
			x.Expect("I see: ")
			x.Type("\x03")
		}
		assert.Zero(t, x.Wait())
		assert.True(t, strings.HasSuffix(x.Screen(), "\x1b[?25h\x1b[?1049l"), "%q", x.Screen())
		m := regexp.MustCompile(`-hostname (room-\d+)`).FindStringSubmatch(x.Screen())
		require.NotNil(t, m, x.Screen())
		drawn = append(drawn, m[1])
	}
	assert.NotEqual(t, drawn[0], drawn[1], "once in 900 it is chance")

	x := nstest.StartTerminal(t, exec.Command("env", "TERM=xterm", script, "03"))
	x.Expect("I see: ")
	x.Close() // returns when it has ended
}

// Where the lesson needs no root, the guide needs none.
func TestFollowAsAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	script := compareAsNobody(t, "follow.sh").Path
	machine := append(followMachine(t), "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
	g := followStart(t, machine, script, "--lines", "06")
	s := g.run(filepath.Join(filepath.Dir(script), "../bin/06-user"), "-net=lo", "sh")
	sight, _ := g.done(1)
	assert.Contains(t, sight, "; not the host's: pid mnt uts ipc net user; map: 0 is 65534 (of 1); ")
	s.run("hostname box")
	g.done(2)
	s.exit()
}
