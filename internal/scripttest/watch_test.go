//go:build linux

package scripttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// watchBlock returns the three lines of the container with this PID, without
// the lines of the tree.
func watchBlock(t *testing.T, picture string, pid int) []string {
	t.Helper()
	head := regexp.MustCompile(fmt.Sprintf(`PID %d( |$)`, pid))
	lines := strings.Split(picture, "\n")
	for i, line := range lines {
		if head.MatchString(line) {
			require.Greater(t, len(lines), i+2, picture)
			block := lines[i : i+3]
			for j := range block {
				block[j] = strings.TrimLeft(block[j], "|`- ")
			}
			return block
		}
	}
	require.Fail(t, "the container is not there", "PID %d in\n%s", pid, picture)
	return nil
}

// watchOnce runs the script for one picture, with a tree that is ASCII.
func watchOnce(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	picture := compareOutput(t, cmd)
	assert.NotContains(t, picture, "\x1b", "a sequence for a terminal")
	for _, line := range strings.Split(picture, "\n") {
		assert.LessOrEqual(t, len(line), 100)
	}
	return picture
}

// watchOwn returns a lesson's namespaces as the picture shows them.
func watchOwn(t *testing.T, lesson string) string {
	sets := compareSets(t)
	return "own: " + strings.Join(sets[lesson], " ")
}

// watchAddress asks a different program for an address than the script does.
func watchAddress(t *testing.T, pid int) string {
	t.Helper()
	out, err := exec.Command("nsenter", "--target", strconv.Itoa(pid), "--net",
		"ip", "-brief", "-4", "address", "show", "dev", "eth0").Output()
	require.NoError(t, err)
	fields := strings.Fields(string(out))
	require.Len(t, fields, 3, "%s", out)
	address, _, _ := strings.Cut(fields[2], "/")
	return address
}

// The picture says about two containers what the kernel says.
func TestWatchOnceTellsTheFacts(t *testing.T) {
	nstest.NeedRoot(t)
	net := compareStart(t, "05-net", "-hostname", "room-5", "sh", "-c", compareWait)
	limited := compareStart(t, "08-cgroups", "-hostname", "room-8", "-memory", "32M", "-pids", "20",
		"sh", "-c", "sleep 600 & "+compareWait+"; kill $!")

	for _, args := range [][]string{{"--once"}, {}} { // a pipe is not a terminal
		picture := watchOnce(t, compareScript(t, "watch.sh", args...))
		host, err := os.Hostname()
		require.NoError(t, err)
		assert.Contains(t, picture, "host "+host+": ")

		block := watchBlock(t, picture, net.pid)
		assert.Equal(t, fmt.Sprintf("05-net  PID %d > 1  root  sh -c %s", net.pid, compareWait), block[0])
		assert.Equal(t, watchOwn(t, "05-net"), block[1])
		assert.Equal(t, "room-5  "+watchAddress(t, net.pid)+"  no limits of its own", block[2])

		block = watchBlock(t, picture, limited.pid)
		assert.Contains(t, block[0], fmt.Sprintf("08-cgroups  PID %d > 1  root  sh -c sleep", limited.pid))
		assert.Equal(t, watchOwn(t, "08-cgroups"), block[1])
		assert.Regexp(t, "^room-8  "+regexp.QuoteMeta(watchAddress(t, limited.pid))+
			`  memory (\d+K|\d+(\.\d)?M) of 32M  processes 2 of 20$`, block[2])
		assert.NotContains(t, block[2], "memory 0K")
	}
}

// A container that was started in another is below it, with all its PIDs.
func TestWatchShowsTheTree(t *testing.T) {
	lesson := filepath.Join(nstest.Repo(t), "bin/01-pid")
	outer := compareStart(t, "03-uts", lesson, "sh", "-c", compareWait)
	inner := onlyChild(t, outer.pid)
	pids := strings.ReplaceAll(nstest.Status(t, inner, "NSpid"), "\t", " > ")
	require.Equal(t, 2, strings.Count(pids, " > "))

	picture := watchOnce(t, compareScript(t, "watch.sh", "--once"))
	above := watchBlock(t, picture, outer.pid)
	assert.Contains(t, above[0], fmt.Sprintf("03-uts  PID %d > 1  root  %s", outer.pid, lesson))
	below := watchBlock(t, picture, inner)
	assert.Equal(t, "01-pid  PID "+pids+"  root  sh -c "+compareWait, below[0])
	assert.Equal(t, "own: pid mnt uts", below[1], "its own pid, and what it is in")

	lines := strings.Split(picture, "\n")
	for i, line := range lines {
		if strings.Contains(line, "PID "+pids) {
			assert.Contains(t, lines[i-3], fmt.Sprintf("PID %d ", outer.pid), picture)
			assert.Equal(t, strings.Index(lines[i-3], "-")+4, strings.Index(line, "-"), picture)
		}
	}
}

// An ordinary user sees which containers there are, and a ? for what the kernel hides.
func TestWatchAsAnOrdinaryUser(t *testing.T) {
	roots := compareStart(t, "05-net", "-net=lo", "sh", "-c", compareWait)
	cmd := compareAsNobody(t, "watch.sh", "--once")
	lesson := exec.Command(filepath.Join(filepath.Dir(cmd.Path), "../bin/06-user"),
		"-hostname", "mine", "-net=lo", "sh", "-c", compareWait)
	lesson.SysProcAttr, lesson.Dir = cmd.SysProcAttr, "/"
	begin(t, lesson)

	picture := watchOnce(t, cmd)
	block := watchBlock(t, picture, roots.pid)
	assert.Equal(t, fmt.Sprintf("05-net  PID %d > 1  root  sh -c %s", roots.pid, compareWait), block[0])
	assert.Equal(t, "own: ?", block[1])
	assert.Equal(t, "?  ?  no limits of its own", block[2])
	block = watchBlock(t, picture, onlyChild(t, lesson.Process.Pid))
	assert.Contains(t, block[0], " > 1  nobody  sh -c ", "root inside, and who on the host?")
	assert.Equal(t, watchOwn(t, "06-user"), block[1])
	assert.Equal(t, "mine  no address  no limits of its own", block[2])

	const note = "? is what only root can see: sudo scripts/watch.sh"
	assert.Contains(t, picture, "\n"+note+"\n")
	assert.NotContains(t, watchOnce(t, compareScript(t, "watch.sh", "--once")), note)
}

// watchRows is room for all containers that others run at the same time.
const watchRows = 1 << 15

// watchTerminal is the script at a terminal of its own.
type watchTerminal struct {
	cmd     *exec.Cmd
	master  *os.File
	slave   *os.File
	settled chan error // what Wait says
	stdin   *os.File   // of what runs before

	mutex sync.Mutex
	bytes []byte
}

// watchStart starts the script. Before is what a shell does first, if it is not
// empty: both are in a PID namespace of their own then, where the containers of
// others are out of sight. Descriptor 3 reads what the test writes to stdin.
func watchStart(t *testing.T, columns, rows uint16, before string) *watchTerminal {
	t.Helper()
	master, slave, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() { master.Close() })
	t.Cleanup(func() { slave.Close() })

	w := &watchTerminal{master: master, slave: slave, settled: make(chan error, 1)}
	w.resize(t, columns, rows)
	w.cmd = exec.Command("scripts/watch.sh")
	if before != "" {
		w.cmd = exec.Command("unshare", "--fork", "--pid", "--mount-proc", "--kill-child",
			"sh", "-c", before+"\nexec 3<&-; exec scripts/watch.sh")
		read, write, err := os.Pipe()
		require.NoError(t, err)
		defer read.Close()
		t.Cleanup(func() { write.Close() })
		w.cmd.ExtraFiles, w.stdin = []*os.File{read}, write
	}
	w.cmd.Dir = nstest.Repo(t)
	w.cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C", "NO_COLOR=")
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = slave, slave, slave
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	go func() { w.settled <- w.cmd.Wait() }()
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			w.mutex.Lock()
			w.bytes = append(w.bytes, buffer[:n]...)
			w.mutex.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return w
}

func (w *watchTerminal) resize(t *testing.T, columns, rows uint16) {
	t.Helper()
	require.NoError(t, pty.Setsize(w.slave, &pty.Winsize{Rows: rows, Cols: columns}))
}

func (w *watchTerminal) output() string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return string(w.bytes)
}

// waitFor returns the first whole picture from now on for which a condition holds.
func (w *watchTerminal) waitFor(t *testing.T, what string, holds func(picture string) bool) string {
	t.Helper()
	seen, found := len(w.output()), ""
	require.Eventually(t, func() bool {
		output := w.output()
		for {
			_, after, _ := strings.Cut(output[seen:], "\x1b[H")
			picture, rest, whole := strings.Cut(after, "\x1b[J")
			if !whole {
				return false
			}
			if seen = len(output) - len(rest); holds(picture) {
				found = picture
				return true
			}
		}
	}, time.Minute, 20*time.Millisecond, "no picture with %s", what)
	return found
}

// ends waits for the script's end, and returns what it wrote last.
func (w *watchTerminal) ends(t *testing.T) string {
	t.Helper()
	select {
	case err := <-w.settled:
		assert.NoError(t, err)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the script has not ended")
	}
	var last string
	require.Eventually(t, func() bool {
		last = w.output()
		return strings.HasSuffix(last, "\x1b[?1049l")
	}, 5*time.Second, 10*time.Millisecond, "the screen is not restored")
	return last
}

// The terminal is the same afterwards, whichever key ends it.
func TestWatchRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"q": "q", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			w := watchStart(t, 80, watchRows, "")
			before, err := unix.IoctlGetTermios(int(w.slave.Fd()), unix.TCGETS)
			require.NoError(t, err)
			assert.NotZero(t, before.Lflag&unix.ECHO)
			w.waitFor(t, "the host", func(p string) bool { return strings.Contains(p, "host ") })
			during, err := unix.IoctlGetTermios(int(w.slave.Fd()), unix.TCGETS)
			require.NoError(t, err)
			assert.Zero(t, during.Lflag&unix.ECHO)

			_, err = w.master.WriteString("~@~" + key)
			require.NoError(t, err)
			output := w.ends(t)
			after, err := unix.IoctlGetTermios(int(w.slave.Fd()), unix.TCGETS)
			require.NoError(t, err)
			assert.Equal(t, before, after)
			assert.True(t, strings.HasPrefix(output, "\x1b[?1049h\x1b[?25l"), "%.40q", output)
			assert.True(t, strings.HasSuffix(output, "\x1b[?25h\x1b[?1049l"), "%q", output[len(output)-40:])
			assert.NotContains(t, output, "@~", "keys are shown")
		})
	}
}

// A container appears with a +, loses it, gets a - when it ends, and is gone.
func TestWatchMarksNewAndGone(t *testing.T) {
	t.Parallel()
	w := watchStart(t, 80, watchRows, "") // room for the containers of others
	w.waitFor(t, "the host", func(p string) bool { return strings.Contains(p, "host ") })
	c := compareStart(t, "01-pid", "sh", "-c", compareWait)
	marked := func(mark string) func(string) bool {
		line := regexp.MustCompile(`[|` + "`" + `]-` + mark + ` 01-pid  PID ` + strconv.Itoa(c.pid) + ` > 1  root  sh`)
		return line.MatchString
	}
	w.waitFor(t, "a new container", marked(`\+`))
	w.waitFor(t, "one that is no longer new", marked(" "))
	c.end()
	w.waitFor(t, "one that is gone", marked("-"))
	w.waitFor(t, "nothing of it", func(p string) bool {
		return !strings.Contains(p, fmt.Sprintf("PID %d ", c.pid))
	})
}

// Somebody gives a container a new name, and the picture follows.
func TestWatchSeesAnotherHostname(t *testing.T) {
	t.Parallel()
	w := watchStart(t, 80, 24, `bin/03-uts sh -c 'read -r n; hostname $n; read -r _' <&3 &`)
	near := func(name string) func(string) bool {
		block := regexp.MustCompile(`03-uts  PID \d+ > 1  root  sh[^\n]*\n[^\n]*\n[^\n]*  ` + name + `  `)
		return block.MatchString
	}
	w.waitFor(t, "the first name", near("03-uts"))
	_, err := fmt.Fprintln(w.stdin, "room-3")
	require.NoError(t, err)
	w.waitFor(t, "the new name", near("room-3"))
}

// No line is wider than the terminal, even after its size has changed, and there are never
// more lines than it has.
func TestWatchFitsTheTerminal(t *testing.T) {
	t.Parallel()
	var heads []string
	for i := 0; i < 4; i++ {
		c := compareStart(t, "04-ipc", "sh", "-c", compareWait+" "+strings.Repeat("x", 200))
		heads = append(heads, fmt.Sprintf("PID %d > 1 ", c.pid))
	}
	fits := func(columns, rows int) func(string) bool {
		return func(picture string) bool {
			lines := strings.Split(strings.TrimSuffix(picture, "\n"), "\n")
			for _, line := range lines {
				line = regexp.MustCompile(`\x1b\[\d*[mK]|\r`).ReplaceAllString(line, "")
				if utf8.RuneCountInString(line) > columns {
					return false
				}
			}
			return len(lines) <= rows
		}
	}
	w := watchStart(t, 100, watchRows, "")
	w.waitFor(t, "the containers", func(p string) bool {
		return watchHasAll(p, heads) && assert.True(t, fits(100, watchRows)(p), p)
	})
	w.resize(t, 50, 5)
	picture := w.waitFor(t, "50 columns", fits(50, 5))
	assert.Regexp(t, `\.\.\. and \d+ more`, picture)
	assert.Contains(t, picture, "LESSON        PID         USER")
	_, err := w.master.Write([]byte("?"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(w.output(), "\nq or Ctrl-C ends it") },
		time.Minute, 20*time.Millisecond, "its keys")
	_, err = w.master.Write([]byte(" "))
	require.NoError(t, err)
	w.resize(t, 120, watchRows)
	w.waitFor(t, "all of them again", func(p string) bool {
		return watchHasAll(p, heads) && fits(120, watchRows)(p)
	})
}

// It runs beside a demonstration. With ten containers it takes at most a twentieth of one
// core, including everything that it starts.
func TestWatchIsCheap(t *testing.T) {
	t.Parallel()
	w := watchStart(t, 120, 50, `
		for i in 1 2 3 4 5 6 7 8 9 10; do
			bin/05-net -net=lo sh -c 'read -r _' <&3 &
		done`)
	all := func(p string) bool { return strings.Count(p, "own: pid mnt uts ipc net\x1b") == 10 }
	w.waitFor(t, "ten containers", all)
	script := onlyChild(t, w.cmd.Process.Pid)
	used, start := watchTicks(t, script), time.Now()
	for i := 0; i < 4; i++ {
		w.waitFor(t, "ten containers", all)
	}
	used, took := watchTicks(t, script)-used, time.Since(start)
	assert.Greater(t, took, 2*time.Second, "four pictures")
	part := float64(used) / 100 / took.Seconds()
	t.Logf("%.1f %% of one core", 100*part)
	assert.Less(t, part, 0.05) // fifty have to stay below a tenth
}

// watchHasAll says whether all of these are in a picture.
func watchHasAll(picture string, texts []string) bool {
	for _, text := range texts {
		if !strings.Contains(picture, text) {
			return false
		}
	}
	return true
}

// watchTicks is the CPU time of a process and the children that it has waited
// for, in hundredths of a second. See proc_pid_stat(5).
func watchTicks(t *testing.T, pid int) (sum int) {
	t.Helper()
	stat := nstest.Read(t, fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+2:])
	for _, field := range fields[11:15] {
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		sum += n
	}
	return sum
}

// A process gives itself a name that a script would evaluate as arithmetic, and so as a
// command, if it took the first line of /proc/PID/stat for all of it.
func TestProcessName(t *testing.T) {
	nstest.NeedRoot(t)
	for _, line := range []string{"watch.sh --once", "watch.sh --all --once", "compare.sh 2>&1 | grep 'no container'",
		"compare.sh --tree", "cleanup.sh --dry-run", "follow.sh --lines 01"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("unshare", "--mount", "--fork", "--pid", "--mount-proc",
				"--kill-child", "bash", "-euc", "repo=$PWD\n"+cover+`
				cover /tmp
				mkfifo /tmp/never
				bash -c 'printf "_[\$(>/tmp/x)]\n" >/proc/$$/comm; echo >/tmp/named; read -r </tmp/never' &
				until [[ -s /tmp/named ]]; do sleep 0.01; done
				[[ $(</proc/$!/stat) == *$'\n'* ]]
				echo | bash -c "scripts/$0"
				[[ ! -e /tmp/x ]]`, line)
			cmd.Dir = nstest.Repo(t)
			nstest.Printed(t, cmd)
		})
	}
}
