//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// exercises returns the names of all exercises, such as 01-1-init.
func exercises(t *testing.T) []string {
	t.Helper()
	checks, err := filepath.Glob("../../*/exercises/*/check.sh")
	require.NoError(t, err)
	require.NotEmpty(t, checks)
	var names []string
	for _, check := range checks {
		words := strings.Split(check, "/")
		names = append(names, words[2][:2]+"-"+words[4])
	}
	return names
}

// exerciseFile is a file of an exercise.
func exerciseFile(t *testing.T, name, file string) string {
	t.Helper()
	return filepath.Join("../..", lessonOf(t, name), "exercises", name[3:], file)
}

// Each exercise has a check, a solution, a text, and a place in the list.
func TestExerciseComplete(t *testing.T) {
	names := exercises(t)
	text := nstest.Read(t, "../../docs/exercises.md")
	list := done(t, script(nstest.Repo(t), "exercise.sh"))
	assert.Len(t, strings.Split(strings.TrimSpace(list), "\n"), len(names), list)
	for _, name := range names {
		assert.FileExists(t, exerciseFile(t, name, "solution.patch"))
		task := nstest.Read(t, exerciseFile(t, name, "README.md"))
		title, _, _ := strings.Cut(task, "\n")
		title = strings.TrimPrefix(title, "# Exercise ")
		assert.Contains(t, text, "- ["+title+"](../"+lessonOf(t, name)+"/exercises/"+name[3:]+"/)\n")
		assert.Contains(t, list, name[:4]+"  -", "no flag in the title")
	}
}

// exerciseFaults are solutions with a fault, which fail at the point for it.
var exerciseFaults = []struct{ name, old, new, point string }{
	{"01-1-init", "unix.Wait4(-1,", "unix.Wait4(cmd.Process.Pid,",
		"init: when all three are killed"},
	{"01-1-init", "command.Signal(sig)", "continue",
		"init: SIGTERM, and a command that exits with 5 then"},
	{"01-2-join", "attr.Cloneflags, attr.Pdeathsig = 0, 0", "attr.Cloneflags = 0",
		"run: with -join"},
	{"01-2-join", "must(dieWithParent())", "_ = dieWithParent",
		"join: when its launcher is killed"},
	{"02-1-bind", "unix.MS_BIND|unix.MS_REC", "unix.MS_BIND",
		"bind: a file in what is mounted below SRC"},
	{"02-1-bind", "unix.AT_RECURSIVE", "0",
		"bind: a new file in what is mounted below"},
	{"02-2-propagation", "return unix.MS_SLAVE", "return unix.MS_SHARED",
		"propagation: the host's /proc"},
	{"03-1-etc", `return mount(source, target, "", unix.MS_BIND, "")`,
		"return os.WriteFile(target, text, 0o644)",
		"etc: written inside, and on the host"},
	{"03-2-join", "unix.Unshare(unix.CLONE_FS)", "unix.Unshare(0)",
		"run: with -join"},
	{"04-1-shm", "mode=1777", "mode=755", "shm: who may write there"},
	{"04-1-shm", "[kmg]?$", "", "shm: options where a size should be"},
	{"04-2-sysctl", "if !strings.Contains(ours", `if !strings.Contains(" "+name+" "`,
		"sysctl: kernel.threads-max"},
	{"05-1-bridge", "link.Attrs().MasterIndex == bridge.Attrs().Index", "link == nil",
		"net: the second still reaches the host when all others have ended"},
	{"05-1-bridge", "err = netlink.LinkDel(bridge)", "_ = bridge",
		"net: the devices of the host when all have ended"},
	{"05-2-publish", "go func() {", "func() {",
		"net: and by a second connection, while the first is open"},
	{"05-2-publish", "to.(*net.TCPConn).CloseWrite()", "",
		"net: a million bytes, the end of them, and the last line of the answer"},
	{"05-2-publish", `JoinHostPort("127.0.0.1"`, `JoinHostPort(""`,
		"net: port 8080 of the host's other address"},
	{"06-1-subids", "attr.AmbientCaps = append(attr.AmbientCaps, c)", "_ = c",
		"run: with -subids"},
	{"06-2-join", "must(dieWithParent())", "_ = dieWithParent",
		"join: when the launcher of a joined command is killed"},
	{"06-2-join", "unix.Unshare(unix.CLONE_FS)", "unix.Unshare(0)",
		"join: SIGTERM to the launcher of a joined command"},
	{"07-1-overlay", "must(coverRoot(opt.rootfs))", "_ = coverRoot",
		"overlay: the files of the root when both have ended"},
	{"07-2-volume", "unix.AT_EMPTY_PATH | unix.AT_RECURSIVE", "unix.AT_EMPTY_PATH",
		"volume: to write to a mount below that one"},
	{"07-2-volume", "|unix.MOVE_MOUNT_T_SYMLINKS", "", "run: with -rootfs"},
	{"08-1-freeze", `write(cg.dir, "cgroup.freeze", "0")`, "nil",
		"freeze: after SIGCONT: the process in the background"},
	{"08-2-drop", "unix.PR_CAPBSET_DROP", "unix.PR_CAPBSET_READ",
		"drop: without sys_admin: to mount"},
}

// The solution passes. The lesson does not: neither as it is, since it has no
// such flag, nor if it takes the flag and does nothing about it.
func TestExercise(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	place := checkPlace(t)
	for _, name := range exercises(t) {
		lesson := lessonOf(t, name)
		check := func(t *testing.T, args ...string) (string, int) {
			return output(t, script(place, "exercise.sh", append([]string{name[:2], name[3:4]}, args...)...))
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, status := check(t, "--solution")
			require.Equal(t, 0, status, out)
			assert.Contains(t, out, "\nok ")
			assert.NotContains(t, out, "skipped")

			t.Run("as it is", func(t *testing.T) {
				t.Parallel()
				out, status := check(t, "--", "bin/"+lesson)
				assert.Equal(t, 1, status, out)
				assert.Contains(t, out, "not ok  run: with -")
			})
			ignores := filepath.Join(place, "ignores "+name)
			writeFile(t, "#!/bin/sh\n"+
				"while [ \"$1\" != /bin/sh ]; do\n"+
				"  case $1 in -rootfs=*) rootfs=$1 ;; esac\n"+
				"  shift\n"+
				"done\n"+
				"exec bin/"+lesson+" $rootfs \"$@\"\n", ignores)
			require.NoError(t, os.Chmod(ignores, 0o755))
			t.Run("ignores the flag", func(t *testing.T) {
				t.Parallel()
				out, status := check(t, "--", ignores)
				assert.Equal(t, 1, status, out)
				assert.Subset(t, notOK(out), without(t, name), out)
				assert.NotContains(t, out, "not finished")
			})
			for _, fault := range exerciseFaults {
				if fault.name != name {
					continue
				}
				t.Run(fault.point, func(t *testing.T) {
					t.Parallel()
					out, status := check(t, "--", buildFault(t, place, name, fault.old, fault.new))
					assert.Equal(t, 1, status, out)
					assert.Contains(t, out, "not ok  "+fault.point, fault.new)
				})
			}
		})
	}
}

// An older kernel lacks what the solution calls: the check says so, and where
// there is a newer one.
func TestExerciseOldKernel(t *testing.T) {
	nstest.NeedRoot(t)
	repo := nstest.Repo(t)
	path := fakes(t, os.Getenv("PATH"), map[string]string{"uname": "echo 5.11.0-49-generic"})
	for _, name := range []string{"02-1-bind", "07-2-volume"} {
		check := filepath.Join(repo, lessonOf(t, name), "exercises", name[3:], "check.sh")
		cmd := exec.Command(check, "/bin/true", "a")
		cmd.Env = append(checkEnv(), "PATH="+path)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		assert.Equal(t, 1, cmd.ProcessState.ExitCode())
		assert.Equal(t, "check.sh: this is Linux 5.11.0-49-generic, and mount_setattr(2) came with 5.12\n"+
			"  scripts/sandbox.sh --with /bin/true "+check+" /bin/true a\n", string(out))
	}
}

// buildFault builds the solution in work/ with a fault, and returns its path.
func buildFault(t *testing.T, place, name, old, fault string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(place, "work/solution", name, "*.go"))
	require.NoError(t, err)
	dir, err := os.MkdirTemp(filepath.Join(place, "work"), "fault-")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		text := nstest.Read(t, file)
		found += strings.Count(text, old)
		writeFile(t, strings.ReplaceAll(text, old, fault), dir, filepath.Base(file))
	}
	require.Equal(t, 1, found, "%s in %s", old, name)
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir+"/fault", ".")
	cmd.Dir, cmd.Env = dir, append(checkEnv(), "CGO_ENABLED=0")
	nstest.Printed(t, cmd)
	return filepath.Join(dir, "fault")
}

// lessonOf returns the lesson from which an exercise starts.
func lessonOf(t *testing.T, name string) string {
	t.Helper()
	for _, lesson := range checkLessons {
		if lesson[:2] == name[:2] {
			return lesson
		}
	}
	require.Fail(t, "no lesson", name)
	return ""
}

// without returns the points that fail without the solution, as its patch lists them.
func without(t *testing.T, name string) []string {
	t.Helper()
	patch := nstest.Read(t, exerciseFile(t, name, "solution.patch"))
	var points []string
	for _, line := range strings.Split(patch, "\n") {
		if point, ok := strings.CutPrefix(line, "Without: "); ok {
			points = append(points, point)
		}
	}
	require.NotEmpty(t, points, name)
	return points
}

// notOK returns the points of a report that do not hold.
func notOK(report string) []string {
	var points []string
	for _, line := range strings.Split(report, "\n") {
		if point, ok := strings.CutPrefix(line, "not ok  "); ok {
			what, _, _ := strings.Cut(point, ": seen ")
			points = append(points, what)
		}
	}
	return points
}

// When somebody closes the window, the terminal is gone, and nothing is left behind.
func TestExerciseWindowClosed(t *testing.T) {
	launcher := filepath.Join(t.TempDir(), "hangs")
	require.NoError(t, os.WriteFile(launcher,
		[]byte("#!/bin/sh\n>\"$0.runs\"\nexec sleep 300\n"), 0o755))
	tmp := t.TempDir()
	cmd := script(checkPlace(t), "exercise.sh", "01", "1", "--", launcher)
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
	x := nstest.StartTerminal(t, cmd)
	nstest.Until(t, "the launcher runs", func() bool {
		_, err := os.Stat(launcher + ".runs")
		return err == nil
	})
	x.Close()
	require.Empty(t, names(t, tmp))
}
