//go:build linux

package scripttest

import (
	"errors"
	"fmt"
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
	"namespaces/internal/lessons"
	"namespaces/internal/nstest"
)

// checkLessons are all lessons, in order.
var checkLessons = func() (all []string) {
	table, err := lessons.Read("../..")
	for _, row := range table {
		all = append(all, row.Name)
	}
	if err != nil {
		panic(err)
	}
	return all
}()

// checkPoints is how many points the check has of each type: once the lesson
// has that namespace, and the least it has of every other.
var checkPoints = map[string]struct{ own, other, since int }{
	"run":    {4, 4, 1},
	"pid":    {2, 1, 1},
	"mnt":    {3, 1, 2},
	"uts":    {3, 1, 3},
	"ipc":    {4, 1, 4},
	"net":    {4, 1, 5},
	"user":   {5, 1, 6},
	"root":   {8, 0, 7},
	"time":   {1, 1, 9},
	"cgroup": {6, 1, 8},
	"host":   {8, 8, 1},
}

// checkFlags is how many more points a lesson has if the flags that it adds are tried.
var checkFlags = map[int]struct {
	kind   string
	points int
}{3: {"uts", 2}, 5: {"net", 4}, 7: {"root", 2}, 8: {"cgroup", 4}}

// checkPoint is one point of the report.
type checkPoint struct {
	ok                             bool
	kind, what, directive, comment string
}

// checkReport is what a run of check.sh says.
type checkReport struct {
	points []checkPoint
	status int
	text   string
}

var checkLine = regexp.MustCompile(
	`^(not )?ok (\d+) - (\w+): (.*?)(?: # (SKIP|TODO) .*)?$`)

// checkYAML is a line of what TAP says about a point, in YAML.
var checkYAML = regexp.MustCompile(
	`^  (?:---|\.\.\.|(?:seen|expected|question): '(?:[^']|'')*')$`)

// readCheck reads TAP. It fails the test if the numbers are not 1, 2, 3 … or the plan
// differs, since a harness would then misread the report.
func readCheck(t *testing.T, text string, status int) checkReport {
	t.Helper()
	report := checkReport{status: status, text: text}
	plan := ""
	for _, line := range strings.Split(text, "\n") {
		if m := checkLine.FindStringSubmatch(line); m != nil {
			report.points = append(report.points,
				checkPoint{m[1] == "", m[3], m[4], m[5], ""})
			assert.Equal(t, fmt.Sprint(len(report.points)), m[2], text)
		} else if n := len(report.points); strings.HasPrefix(line, "  ") && n > 0 {
			assert.Regexp(t, checkYAML, line)
			report.points[n-1].comment += line + "\n"
		} else if strings.HasPrefix(line, "1..") {
			plan = line
		}
	}
	assert.Equal(t, fmt.Sprintf("1..%d", len(report.points)), plan, text)
	return report
}

// notOK returns the points that do not hold, without those that are excused.
func (r checkReport) notOK() []checkPoint {
	var points []checkPoint
	for _, p := range r.points {
		if !p.ok && p.directive != "TODO" {
			points = append(points, p)
		}
	}
	return points
}

// complete requires all points that lesson number n is checked for, with those of
// its flags where it is called as the lesson is.
func (r checkReport) complete(t *testing.T, n int, flags bool) {
	t.Helper()
	have := map[string]int{}
	if flags {
		have[checkFlags[n].kind] -= checkFlags[n].points
	}
	for _, p := range r.points {
		have[p.kind]++
	}
	for kind, want := range checkPoints {
		if n >= want.since {
			assert.Equal(t, want.own, have[kind], "%s in\n%s", kind, r.text)
		} else {
			assert.Equal(t, want.other, have[kind], "%s in\n%s", kind, r.text)
		}
	}
}

// newPlace makes a repository of a test's own, by a script that runs in ours and
// copies to $place. Its path has a space in it, and is in /var/tmp, where an ordinary
// user may run programs.
func newPlace(t *testing.T, name, script string) string {
	t.Helper()
	place, err := os.MkdirTemp("/var/tmp", "nsl."+name+" ")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(place)) })
	require.NoError(t, os.Chmod(place, 0o755))
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = "../.."
	cmd.Env = append(checkEnv(), "place="+place, "bin="+lessonsBin(t))
	done(t, cmd)
	return place
}

// checkPlace makes one to check from, with bin and rootfs.
func checkPlace(t *testing.T) string {
	t.Helper()
	return newPlace(t, "check", `
		cp -r scripts docs 0* go.mod go.sum "$bin" "$place"
		"$place/scripts/rootfs.sh"
		chmod -R go+rX "$place"`)
}

// runCheck runs place's check.sh --tap with these arguments.
func runCheck(t *testing.T, cmd *exec.Cmd) checkReport {
	t.Helper()
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = time.Second // what outlives it holds the output open
	status := exitOf(t, cmd, &said)
	return readCheck(t, out.String()+said.String(), status)
}

// checkCheats are launchers that only look as if they did what they should:
// each fails for its reason, and for no other.
var checkCheats = []struct {
	name, lesson string
	script       string // for /bin/sh; its arguments are the command
	kind, seen   string // of the points that do not hold
	many         bool   // whether other types have such points as well
}{
	{name: "says nothing", lesson: "01", script: `exit 0`,
		kind: "run", seen: "it ended with status 0"},
	{name: "ignores its command", lesson: "02",
		script: `exec unshare --kill-child --fork --pid --mount-proc sh -c 'echo 1'`,
		kind:   "run", seen: "it ended with status 0"},
	{name: "runs it on the host", lesson: "01", script: `exec "$@"`,
		kind: "pid", seen: "the host"},
	{name: "fakes proc", lesson: "02", script: `
		exec unshare --kill-child --fork --pid --mount sh -c '
			mount -t tmpfs proc /proc
			mkdir /proc/1
			exec "$@"' sh "$@"`,
		kind: "mnt", seen: "/proc/1 in a new tmpfs"},
	{name: "fakes answers", lesson: "01", script: `
		for mark; do :; done
		while read -r line; do echo "process 1, parent 0"; echo "$mark 0"; done`,
		kind: "run", seen: "the kernel knows no such process"},
	{name: "hangs", lesson: "01", script: `exec sleep 300`,
		kind: "run", seen: "nor answers within 1 s"},
	{name: "prints without end", lesson: "01", script: `exec yes`,
		kind: "run", seen: "nor answers within 1 s"},
	{name: "hangs at the end", lesson: "01",
		script: `unshare --kill-child --fork --pid "$@"; exec sleep 300`,
		kind:   "run", seen: "it neither ends"},
	{name: "shares a namespace", lesson: "03", script: `
		exec nsenter --uts="/proc/$SHARED/ns/uts" \
			unshare --kill-child --fork --pid --mount-proc "$@"`,
		kind: "uts", seen: "shared by two runs"},
	{name: "leaks a mount", lesson: "02", script: `
		mount -t tmpfs leak /mnt
		exec unshare --kill-child --fork --pid --mount-proc "$@"`,
		kind: "host", seen: "/mnt"},
	{name: "leaks what is mounted inside", lesson: "02", script: `
		exec unshare --kill-child --fork --pid --mount --propagation unchanged "$@"`,
		kind: "mnt", seen: "inside 1, on the host 1"},
	{name: "leaves a process", lesson: "01", script: `
		sleep 321 >/dev/null 2>&1 &
		exec unshare --kill-child --fork --pid "$@"`,
		kind: "host", seen: "sleep 321"},
	{name: "leaves a daemon", lesson: "01", script: `
		(setsid sleep 322 <&- >&- 2>&- &)
		exec unshare --kill-child --fork --pid "$@"`,
		kind: "host", seen: "sleep 322"},
	{name: "leaves a veth", lesson: "01", script: `
		ip link add "leak$$" type veth peer name "kael$$"
		exec unshare --kill-child --fork --pid "$@"`,
		kind: "host", seen: "leak"},
	{name: "leaves a queue", lesson: "01", script: `
		ipcmk -Q >/dev/null
		exec unshare --kill-child --fork --pid "$@"`,
		kind: "host", seen: "/proc/sysvipc/msg"},
	{name: "leaves a cgroup", lesson: "01", script: `
		mkdir "$CGROUP/leak-$$"
		echo 0 >"$CGROUP/leak-$$/cgroup.procs"
		exec unshare --kill-child --fork --pid "$@"`,
		kind: "host", seen: "/leak-"},
	{name: "renames the host", lesson: "03", script: `
		hostname renamed
		exec unshare --kill-child --fork --pid --mount-proc --uts sh -c '
			hostname inside
			exec "$@"' sh "$@"`,
		kind: "host", seen: "renamed"},
}

// For the lessons themselves, and for the one before each, see TestWork.
func TestCheck(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	place := checkPlace(t)

	for i, lesson := range checkLessons {
		n := i + 1
		t.Run("holds for the twin of "+lesson, func(t *testing.T) {
			t.Parallel()
			r := runCheck(t, script(place, "check.sh", "--tap", "--twin", lesson[:2]))
			assert.Empty(t, r.notOK(), r.text)
			assert.Equal(t, 0, r.status)
			r.complete(t, n, false)
			// Even an excused twin leaves its child when it is killed.
			assert.Positive(t, strings.Count(r.text, "# TODO"), r.text)
		})
	}

	t.Run("a twin is not excused from isolation", func(t *testing.T) {
		t.Parallel()
		r := runCheck(t, script(place, "check.sh", "--tap", "--twin", "05", "--",
			"unshare", "--fork", "--pid", "--mount-proc", "--uts", "--ipc"))
		require.NotEmpty(t, r.notOK(), r.text)
		assert.Equal(t, "net", r.notOK()[0].kind, r.text)
		assert.Equal(t, 1, r.status)
	})

	t.Run("other people's queues are not the lesson's", func(t *testing.T) {
		t.Parallel()
		other := `setpriv --reuid 1001 --clear-groups ipcmk -Q >/dev/null; exec unshare --kill-child --fork --pid "$@"`
		r := runCheck(t, script(place, "check.sh", "--tap", "--only", "host", "01", "--", "sh", "-c", other, "sh"))
		assert.Empty(t, r.notOK(), r.text)
		assert.Contains(t, r.text, "host: queues")
	})

	for _, c := range checkCheats {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cheat := filepath.Join(t.TempDir(), "cheat")
			text := "#!/bin/sh\nset -e\n" + c.script + "\n"
			require.NoError(t, os.WriteFile(cheat, []byte(text), 0o755))

			// A host of its own, for those that harm it.
			cmd := by(script(place, "check.sh", "--tap", c.lesson, "--", cheat),
				"unshare", "--net", "--uts", "--mount")
			cmd.Env = append(cmd.Env, "SHARED="+checkShared(t))
			if c.name == "leaves a cgroup" {
				cmd.Env = append(cmd.Env, "CGROUP="+checkCgroup(t))
			}
			if strings.Contains(c.seen, "within 1 s") {
				cmd.Env = append(cmd.Env, "CHECK_TIMEOUT=1")
			} else if strings.Contains(c.seen, "neither ends") {
				cmd.Env = append(cmd.Env, "CHECK_TIMEOUT=3")
			}

			r := runCheck(t, cmd)
			assert.Equal(t, 1, r.status)
			require.NotEmpty(t, r.notOK(), r.text)
			found := false
			for _, p := range r.notOK() {
				assert.Equal(t, c.kind, p.kind, r.text)
				found = found || strings.Contains(p.comment, c.seen)
			}
			assert.True(t, found, "%q in\n%s", c.seen, r.text)
		})
	}
}

// If the program is not built yet, the check says so, and shows no points.
func TestCheckNotBuilt(t *testing.T) {
	for _, words := range [][]string{
		{"check.sh", "06"}, {"exercise.sh", "06", "1"}, {"exercise.sh", "06-1"},
	} {
		args := append(words[1:], "--", "bin/no-such-lesson")
		cmd := exec.Command("../../scripts/"+words[0], args...)
		text, err := cmd.CombinedOutput()
		require.Error(t, err)
		assert.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", text)
		assert.Contains(t, string(text), "there is no program bin/no-such-lesson")
		assert.Contains(t, string(text), "go build -o bin/ ./0*")
		assert.NotContains(t, string(text), "not ok")
	}
}

// From lesson 06 on, the check needs no privilege. All points hold except for one that a
// user cannot have.
func TestCheckAsOrdinaryUser(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	const user = 1000 // with a 0 in it, as most have
	place := checkPlace(t)
	for i, lesson := range checkLessons[5:7] {
		for _, args := range [][]string{
			{"--tap", lesson[:2], "--", "bin/" + lesson},
			{"--tap", "--twin", lesson[:2]},
		} {
			cmd := script(place, "check.sh", args...)
			if os.Geteuid() == 0 {
				require.NoError(t, os.Lchown(place+"/rootfs", user, user))
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Credential: &syscall.Credential{Uid: user, Gid: user},
				}
			}
			r := runCheck(t, cmd)
			assert.Empty(t, r.notOK(), r.text)
			assert.Equal(t, 0, r.status, r.text)
			assert.NotContains(t, r.text, "sudo")
			assert.Equal(t, 1, strings.Count(r.text, " # SKIP a veth pair to it needs root"), r.text)
			r.complete(t, 6+i, args[1] != "--twin")
		}
	}
}

func TestCheckOnlyAndQuiet(t *testing.T) {
	t.Parallel()
	place := checkPlace(t)
	r := runCheck(t, script(place, "check.sh", "--tap", "--only", "uts", "06", "--", "bin/06-user"))
	assert.Equal(t, 0, r.status, r.text)
	for _, p := range r.points {
		assert.Contains(t, []string{"run", "uts"}, p.kind)
	}

	out := done(t, script(place, "check.sh", "--quiet", "06", "--", "bin/06-user"))
	assert.Regexp(t, `^06-user: \d+ of \d+ points hold\n$`, out)

	out = fails(t, script(place, "check.sh", "--quiet", "--only", "user", "06", "--", "env"), "not ok")
	assert.NotContains(t, strings.ReplaceAll(out, "not ok", ""), "ok ")
}

// The processes in the cgroup of a killed launcher may take a moment to end, and until
// then nobody can remove it.
func TestCheckWaitsForCgroups(t *testing.T) {
	nstest.NeedRoot(t)
	nstest.NeedCgroup(t)
	tools := t.TempDir()
	require.NoError(t, os.WriteFile(tools+"/rmdir", []byte(`#!/bin/sh
		if mkdir "${0%/*}/tried$(echo "$1" | tr / _)"; then exit 1; fi
		PATH=${PATH#*:} exec rmdir "$1"`), 0o755))
	cmd := script(checkPlace(t), "check.sh", "--tap", "--only", "host", "08", "--",
		"bin/08-cgroups", "-net=lo")
	cmd.Env = append(cmd.Env, "PATH="+tools+":"+os.Getenv("PATH"))
	r := runCheck(t, cmd)
	assert.Empty(t, r.notOK(), r.text)
	tried, err := filepath.Glob(tools + "/tried*nsl-*")
	require.NoError(t, err)
	assert.NotEmpty(t, tried)
}

// Whatever ends the check, nothing is left: neither the launchers nor what they made.
func TestCheckInterrupted(t *testing.T) {
	t.Parallel()
	place := checkPlace(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		// It says when it runs, and then keeps the check waiting.
		started := filepath.Join(t.TempDir(), "started")
		require.NoError(t, syscall.Mkfifo(started, 0o600))
		launcher := filepath.Join(t.TempDir(), "launcher")
		require.NoError(t, os.WriteFile(launcher, []byte("#!/bin/sh\n"+
			"echo >'"+started+"'\n"+
			"exec bin/06-user sh -c 'cat >/dev/null; exec \"$@\"' sh \"$@\"\n"), 0o755))

		cmd := script(place, "check.sh", "06", "--", launcher)
		tmp := filepath.Join(t.TempDir(), "tmp with a space")
		require.NoError(t, os.Mkdir(tmp, 0o700))
		cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, cmd.Start())
		fifo, err := os.OpenFile(started, os.O_RDWR, 0)
		require.NoError(t, err)
		require.NoError(t, fifo.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = fifo.Read(make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, fifo.Close())
		if sig == syscall.SIGINT { // from a terminal, to all
			require.NoError(t, syscall.Kill(-cmd.Process.Pid, sig))
		} else {
			require.NoError(t, cmd.Process.Signal(sig))
		}
		cmd.Wait()
		if sig == syscall.SIGKILL { // cleanup.sh removes what has this name
			require.Len(t, names(t, tmp), 1)
			assert.Contains(t, names(t, tmp)[0], "nsl.")
		} else {
			assert.Equal(t, 128+int(sig), cmd.ProcessState.ExitCode())
			assert.Empty(t, names(t, tmp))
		}
		assert.Eventually(t, func() bool {
			return errors.Is(syscall.Kill(-cmd.Process.Pid, 0), syscall.ESRCH)
		}, 10*time.Second, 10*time.Millisecond, "processes are left after %s", sig)
	}
}

// checkShared starts a process in a UTS namespace of its own, and returns its
// PID.
func checkShared(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("unshare", "--uts", "sh", "-c",
		"hostname shared; echo; exec sleep 300")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	_, err = out.Read(make([]byte, 1))
	require.NoError(t, err)
	return fmt.Sprint(cmd.Process.Pid)
}

// checkCgroup returns a directory in which cgroups may be made, and removes
// them.
func checkCgroup(t *testing.T) string {
	t.Helper()
	top := "/sys/fs/cgroup"
	if _, err := os.Stat(top + "/pids"); err == nil {
		top += "/pids"
	}
	dir, err := os.MkdirTemp(top, fmt.Sprintf("nsl-%d-", os.Getpid()))
	require.NoError(t, err)
	t.Cleanup(func() {
		leaks, err := filepath.Glob(dir + "/leak-*")
		assert.NoError(t, err)
		for _, leak := range append(leaks, dir) {
			assert.NoError(t, os.Remove(leak))
		}
	})
	return dir
}
