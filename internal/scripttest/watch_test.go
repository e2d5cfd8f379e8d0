//go:build linux

package scripttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		picture := watchOnce(t, script(nstest.Repo(t), "watch.sh", args...))
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

	picture := watchOnce(t, script(nstest.Repo(t), "watch.sh", "--once"))
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
	assert.NotContains(t, watchOnce(t, script(nstest.Repo(t), "watch.sh", "--once")), note)
}

// watchRows is room for all containers that others run at the same time.
const watchRows = 1 << 15

// watched is the script at a terminal of its own.
type watched struct {
	*nstest.Terminal
	cmd   *exec.Cmd
	stdin *os.File // of what runs before
}

// watchStart starts the script. Before is what a shell does first, if it is not
// empty: both are in a PID namespace of their own then, where the containers of
// others are out of sight. Descriptor 3 reads what the test writes to stdin.
func watchStart(t *testing.T, columns, rows int, before string) watched {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	t.Cleanup(func() { write.Close() })
	cmd := exec.Command("bash", "-c", fmt.Sprintf("stty columns %d rows %d\n", columns, rows)+before+`
		exec 3<&-; before=$(stty -g)
		scripts/watch.sh && [[ $(stty -g) == "$before" ]]`)
	if before != "" {
		cmd = by(cmd, "unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
	}
	cmd.ExtraFiles, cmd.Dir = []*os.File{read}, nstest.Repo(t)
	cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C", "NO_COLOR=")
	return watched{nstest.StartTerminal(t, cmd), cmd, write}
}

// waitFor returns the next whole picture for which a condition holds.
func (w watched) waitFor(t *testing.T, what string, holds func(picture string) bool) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		w.Expect("\x1b[H")
		if picture := w.Expect("\x1b[J"); holds(picture) {
			return picture
		}
	}
	require.Fail(t, "no picture with "+what)
	return ""
}

// The terminal is the same afterwards, whichever key ends it.
func TestWatchRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"q": "q", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			w := watchStart(t, 80, watchRows, "")
			w.waitFor(t, "the host", func(p string) bool { return strings.Contains(p, "host ") })
			w.Type("~@~" + key)
			assert.Zero(t, w.Wait(), "the modes differ")
			assert.True(t, strings.HasPrefix(w.Screen(), "\x1b[?1049h\x1b[?25l"), "%.40q", w.Screen())
			assert.True(t, strings.HasSuffix(w.Screen(), "\x1b[?25h\x1b[?1049l"), "%q", w.Screen())
			assert.NotContains(t, w.Screen(), "@~", "keys are shown")
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
	w.Resize(5, 50)
	picture := w.waitFor(t, "50 columns", fits(50, 5))
	assert.Regexp(t, `\.\.\. and \d+ more`, picture)
	assert.Contains(t, picture, "LESSON        PID         USER")
	w.Type("?")
	w.Expect("\nq or Ctrl-C ends it")
	w.Type(" ")
	w.Resize(watchRows, 120)
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
	shell := onlyChild(t, w.cmd.Process.Pid)
	script := slices.Max(nstest.Children(shell)) // the last that it started
	used, start := nstest.Ticks(t, script), time.Now()
	for i := 0; i < 4; i++ {
		w.waitFor(t, "ten containers", all)
	}
	used, took := nstest.Ticks(t, script)-used, time.Since(start)
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
