//go:build linux

package scripttest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/lessons"
	"namespaces/internal/nstest"
)

// compareTypes are the rows of the picture, from top to bottom.
var compareTypes = []string{
	"pid", "mnt", "uts", "ipc", "net", "user", "cgroup", "time",
}

// compareRun returns what a run prints, errors apart, and its exit status.
func compareRun(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	status = exitOf(t, cmd, &errs)
	return out.String(), errs.String(), status
}

// compareOutput returns what a run prints, which has to succeed.
func compareOutput(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	stdout, stderr, status := compareRun(t, cmd)
	require.Zero(t, status, "%s%s", stdout, stderr)
	require.NotEmpty(t, stdout)
	return stdout
}

// compareSets returns the namespaces of each lesson, as the table has them.
func compareSets(t *testing.T) map[string][]string {
	t.Helper()
	all, err := lessons.Read("../..")
	require.NoError(t, err)
	sets := map[string][]string{}
	for _, l := range all {
		sets[l.Name] = l.Namespaces
	}
	require.Len(t, sets, len(checkLessons))
	return sets
}

// comparePicture is what the script printed: a line for each type, with the host's id,
// and the id and the sign of each container.
type comparePicture struct {
	text string
	rows map[string][]string
	pids []int // not with --neutral
	last string
}

func compareRead(t *testing.T, text string) comparePicture {
	t.Helper()
	p := comparePicture{text: text, rows: map[string][]string{}}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	p.last = lines[len(lines)-1]
	var order []string
	for _, line := range lines {
		assert.LessOrEqual(t, len(line), 100)
		assert.NotContains(t, line, "\x1b", "colour, and this is no terminal")
		for i, pid := range regexp.MustCompile(`PID (\d+)`).FindAllStringSubmatch(line, -1) {
			if n, err := strconv.Atoi(pid[1]); i > 0 && assert.NoError(t, err) {
				p.pids = append(p.pids, n)
			}
		}
		f := strings.Fields(line)
		if len(f) > 3 && len(f)%2 == 0 {
			if _, err := os.Readlink("/proc/self/ns/" + f[0]); err == nil {
				order = append(order, f[0])
				p.rows[f[0]] = f[1:]
			}
		}
	}
	require.Equal(t, compareTypes, order, "the rows of\n%s", text)
	return p
}

// marked returns the types that have a * in the column of a container.
func (p comparePicture) marked(t *testing.T, column int) (types []string) {
	t.Helper()
	for _, name := range compareTypes {
		row := p.rows[name]
		require.Greater(t, len(row), 2*column+2, "%s in\n%s", name, p.text)
		id, sign := row[2*column+1], row[2*column+2]
		if sign == "*" {
			types = append(types, name)
			assert.NotEqual(t, row[0], id, "%s in\n%s", name, p.text)
		} else {
			assert.Equal(t, "=", sign, "%s in\n%s", name, p.text)
			assert.Equal(t, row[0], id, "%s in\n%s", name, p.text)
		}
	}
	return types
}

// compareContainer is a container that a test has started: it runs until the test is
// over, or end is called.
type compareContainer struct {
	pid int // of its first process, as the host sees it
	end func()
}

// compareStart starts a command in a container, as begin does.
func compareStart(t *testing.T, lesson string, args ...string) compareContainer {
	t.Helper()
	launcher := exec.Command(filepath.Join(nstest.Repo(t), "bin", lesson), args...)
	launcher.Dir = nstest.Repo(t)
	end := begin(t, launcher)
	return compareContainer{onlyChild(t, launcher.Process.Pid), end}
}

// compareWait is a command for compareStart.
const compareWait = "echo ready; read -r _"

// For each lesson, the script starts and ends two containers.
func TestCompareMarksWhatALessonIsolates(t *testing.T) {
	sets := compareSets(t)
	for _, name := range checkLessons {
		t.Run(name, func(t *testing.T) {
			p := compareRead(t, compareOutput(t, script(nstest.Repo(t), "compare.sh", name[:2])))
			assert.ElementsMatch(t, sets[name], p.marked(t, 0), p.text)
			assert.ElementsMatch(t, sets[name], p.marked(t, 1), p.text)
			for _, typ := range compareTypes {
				host, err := os.Readlink("/proc/self/ns/" + typ)
				require.NoError(t, err)
				assert.Equal(t, host, fmt.Sprintf("%s:[%s]", typ, p.rows[typ][0]))
			}
			for _, typ := range sets[name] {
				assert.NotEqual(t, p.rows[typ][1], p.rows[typ][3], "two containers share %s", typ)
			}
			want := strings.Join(p.marked(t, 0), " ")
			assert.Contains(t, p.last, "new in each (*): "+want+";")
			require.Len(t, p.pids, 2)
			for _, pid := range p.pids {
				assert.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH, "the script has left a container")
			}
		})
	}
}

// The ids are the kernel's: of a container and of a process that has joined
// some of its namespaces.
func TestCompareTellsTheKernelsIds(t *testing.T) {
	a := compareStart(t, "05-net", "-net=lo", "sh", "-c", compareWait)
	b := compareStart(t, "02-mount", "sh", "-c", compareWait)
	cmd := script(nstest.Repo(t), "compare.sh", strconv.Itoa(a.pid), strconv.Itoa(b.pid))
	text := compareOutput(t, cmd)
	p := compareRead(t, text)
	assert.Equal(t, []int{a.pid, b.pid}, p.pids)
	for _, typ := range compareTypes {
		for i, pid := range p.pids {
			id, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, typ))
			require.NoError(t, err)
			assert.Equal(t, id, fmt.Sprintf("%s:[%s]", typ, p.rows[typ][2*i+1]))
		}
	}
	sets := compareSets(t)
	assert.ElementsMatch(t, sets["05-net"], p.marked(t, 0), text)
	assert.ElementsMatch(t, sets["02-mount"], p.marked(t, 1), text)
}

// Without arguments it finds the containers itself: these two, among those of others.
func TestCompareFindsTheContainers(t *testing.T) {
	sets := compareSets(t)
	want := map[string][]string{}
	for _, lesson := range []string{"01-pid", "06-user"} {
		c := compareStart(t, lesson, "sh", "-c", compareWait)
		want[strconv.Itoa(c.pid)] = sets[lesson]
	}
	text := compareOutput(t, script(nstest.Repo(t), "compare.sh"))
	found := 0
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if !strings.Contains(block, "PID ") {
			continue // the last sentence
		}
		p := compareRead(t, block)
		for i, pid := range p.pids {
			if set, ok := want[strconv.Itoa(pid)]; ok {
				found++
				assert.ElementsMatch(t, set, p.marked(t, i), block)
			}
		}
	}
	assert.Equal(t, len(want), found, "containers in\n%s", text)
}

// Two people, or one person twice, get the same text.
func TestCompareNeutralIsTheSameTwice(t *testing.T) {
	var texts [2]string
	for i := range texts {
		texts[i] = compareOutput(t, script(nstest.Repo(t), "compare.sh", "--neutral", "08"))
	}
	assert.Equal(t, texts[0], texts[1])
	p := compareRead(t, texts[0])
	assert.Equal(t, []string{"host", "new-1", "*", "new-2", "*"}, p.rows["cgroup"])
	assert.Equal(t, []string{"host", "host", "=", "host", "="}, p.rows["time"])
	assert.NotRegexp(t, `\d{4}`, texts[0])
}

// Processes in the same namespace get the same word.
func TestCompareNeutralShowsWhatIsShared(t *testing.T) {
	c := compareStart(t, "05-net", "-net=lo", "sh", "-c", "sleep 600 & echo ready; read -r _; kill $!")
	sleep := onlyChild(t, c.pid)
	cmd := script(nstest.Repo(t), "compare.sh", "--neutral", strconv.Itoa(c.pid), strconv.Itoa(sleep))
	p := compareRead(t, compareOutput(t, cmd))
	assert.Equal(t, []string{"host", "new-1", "*", "new-1", "*"}, p.rows["net"])
	assert.Contains(t, p.last, "some of them shared")
}

// compareAsNobody makes a run that of an ordinary user, with a copy of what the scripts
// need: that user may not be able to read the repository.
func compareAsNobody(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	nstest.NeedRoot(t)
	dir := newPlace(t, "compare", `
		mkdir "$place/bin"
		cp "$bin/06-user" "$place/bin"
		cp -r scripts 06-user "$place"
		chmod -R go+rX "$place"`)
	cmd := script(nstest.Repo(t), name, args...)
	cmd.Path = filepath.Join(dir, "scripts", name)
	cmd.Args[0], cmd.Dir = cmd.Path, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
	}
	return cmd
}

func TestCompareAsAnOrdinaryUser(t *testing.T) {
	sets := compareSets(t)
	p := compareRead(t, compareOutput(t, compareAsNobody(t, "compare.sh", "06")))
	assert.ElementsMatch(t, sets["06-user"], p.marked(t, 0), p.text)
	assert.ElementsMatch(t, sets["06-user"], p.marked(t, 1), p.text)
}

// An empty answer is a failure.
func TestCompareFails(t *testing.T) {
	nstest.Slow(t)
	fails := func(t *testing.T, cmd *exec.Cmd, message ...string) {
		t.Helper()
		stdout, stderr, status := compareRun(t, cmd)
		assert.Equal(t, 1, status)
		assert.Empty(t, stdout)
		for _, m := range message {
			assert.Contains(t, stderr, m)
		}
	}
	t.Run("gone", func(t *testing.T) {
		gone := exec.Command("true")
		require.NoError(t, gone.Run())
		pid := strconv.Itoa(gone.Process.Pid)
		fails(t, script(nstest.Repo(t), "compare.sh", pid), "there is no process "+pid)
	})
	t.Run("zombie", func(t *testing.T) {
		zombie := exec.Command("true")
		require.NoError(t, zombie.Start())
		defer zombie.Wait()
		pid := strconv.Itoa(zombie.Process.Pid)
		var info unix.Siginfo
		require.NoError(t, unix.Waitid(unix.P_PID, zombie.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil))
		fails(t, script(nstest.Repo(t), "compare.sh", pid), "process "+pid+" has ended")
	})
	t.Run("not yours", func(t *testing.T) {
		pid := strconv.Itoa(os.Getpid())
		cmd := compareAsNobody(t, "compare.sh", pid)
		fails(t, cmd, "process "+pid+" is not yours", "\n  sudo "+cmd.Path+" "+pid)
	})
	for name, tool := range map[string]string{ // of both, and of find
		"an old lsns": "lsns", "another find": "find",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := script(nstest.Repo(t), "compare.sh", "--tree")
			cmd.Env = append(os.Environ(), "PATH="+fakes(t, pathWithout(t, os.Getenv("PATH"), "perl"),
				map[string]string{tool: "echo \"$0: unknown option\" >&2; exit 1"}))
			fails(t, cmd, map[string]string{"lsns": "this needs Perl, or an lsns", "find": "is this GNU find?"}[tool])
		})
	}
	t.Run("the lesson fails", func(t *testing.T) {
		cmd := compareAsNobody(t, "compare.sh", "06")
		lesson := filepath.Join(filepath.Dir(cmd.Path), "../bin/06-user")
		require.NoError(t, os.WriteFile(lesson, []byte("#!/bin/sh\necho no luck >&2; exit 125\n"), 0o755))
		tmp := filepath.Join(filepath.Dir(cmd.Path), "../tmp")
		require.NoError(t, os.Mkdir(tmp, 0o777))
		require.NoError(t, os.Chmod(tmp, 0o777))
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		fails(t, cmd, "no luck\n", "bin/06-user did not start its command")
		left, err := os.ReadDir(tmp)
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}

// compareSlow keeps the script busy while its containers run.
const compareSlow = `echo asked >"$NSL_ASKED"; exec sleep 600`

// However the script ends, its containers end too, and no file stays.
func TestCompareLeavesNothingBehind(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			tmp := t.TempDir()
			asked := filepath.Join(t.TempDir(), "asked")
			require.NoError(t, unix.Mkfifo(asked, 0o600))
			cmd := script(nstest.Repo(t), "compare.sh", "02")
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "NSL_ASKED="+asked,
				"PATH="+fakes(t, os.Getenv("PATH"), map[string]string{"readlink": compareSlow}))
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			require.NoError(t, cmd.Start())
			// It asks for their namespaces when both containers run.
			nstest.Read(t, asked)
			launchers := slices.DeleteFunc(nstest.Children(cmd.Process.Pid), func(pid int) bool {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				return string(name) != "02-mount\n"
			})
			require.Len(t, launchers, 2)
			gone := nstest.Watch(t, launchers...)
			group := -cmd.Process.Pid
			if sig == unix.SIGKILL {
				group = cmd.Process.Pid // the worst case: nobody ends the others
			}
			require.NoError(t, unix.Kill(group, sig))
			require.Error(t, cmd.Wait())
			if sig == unix.SIGKILL {
				require.NoError(t, unix.Kill(-cmd.Process.Pid, unix.SIGTERM), "the slow readlink")
			}
			gone()
			assert.Empty(t, names(t, tmp))
		})
	}
}

// All scripts take 3, 03 and 03-uts for the same lesson, and 03-foo for none.
func TestLessonByItsNumber(t *testing.T) {
	for _, words := range [][]string{{"diff.sh"}, {"compare.sh", "--neutral"}} {
		ask := func(name string) string {
			cmd := script(nstest.Repo(t), words[0], append(words[1:], name)...)
			cmd.Dir = t.TempDir()
			return done(t, cmd)
		}
		want := ask("03-uts")
		assert.Contains(t, want, "uts")
		assert.Equal(t, want, ask("03"))
		assert.Equal(t, want, ask("3"))
	}
	for _, name := range []string{"break.sh", "check.sh", "hint.sh", "start.sh"} {
		out, status := output(t, script(nstest.Repo(t), name, "03-foo"))
		assert.Equal(t, 2, status)
		assert.Contains(t, out, "NN must be 01 to 08")
	}
}

// At a terminal of 80 columns, such as a projector's, no line is wrapped.
func TestCompareAndDiffOn80Columns(t *testing.T) {
	args := []string{"compare.sh"}
	for range 5 {
		sleep := exec.Command("sleep", "60")
		require.NoError(t, sleep.Start())
		defer sleep.Wait()
		defer sleep.Process.Kill()
		args = append(args, strconv.Itoa(sleep.Process.Pid))
	}
	for _, args := range [][]string{args, {"diff.sh", "08"}} {
		cmd := exec.Command("sh", append([]string{"-c", `stty columns 80; exec "$@"`, "sh",
			filepath.Join(nstest.Repo(t), "scripts", args[0])}, args[1:]...)...)
		cmd.Env = append(os.Environ(), "NO_COLOR=1", "TERM=xterm")
		x := nstest.StartTerminal(t, cmd)
		require.Zero(t, x.Wait(), x.Screen())
		longest := 0
		for _, line := range strings.Split(x.Screen(), "\r\n") {
			longest = max(longest, utf8.RuneCountInString(line))
		}
		assert.LessOrEqual(t, longest, 80, x.Screen())
		assert.Greater(t, longest, 70, "there is room for more")
	}
}
