//go:build linux

package scripttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/lessons"
	"namespaces/internal/nstest"
)

// workAdded is the type of the points at which the start of each lesson fails.
var workAdded = []string{"pid", "mnt", "uts", "ipc", "net", "user", "root", "cgroup"}

// workPlace makes a checkout, without work/, of what the scripts for learners' own work
// read.
func workPlace(t *testing.T) string {
	t.Helper()
	return newPlace(t, "work", `cp -r scripts 0* go.mod go.sum "$place"`)
}

// workFiles returns the files of a directory.
func workFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range names(t, dir) {
		text := nstest.Read(t, dir, name)
		files[name] = text
	}
	return files
}

// workLine returns what progress.sh says about a lesson.
func workLine(t *testing.T, place, lesson string) string {
	t.Helper()
	out := done(t, script(place, "progress.sh"))
	m := regexp.MustCompile(`(?m)^` + lesson + ` +(.*)$`).FindStringSubmatch(out)
	require.NotNil(t, m, out)
	return m[1]
}

// The start of each lesson builds and runs, and fails the check at what is new in the
// lesson and nowhere else. With the lesson's own files the check passes, and the lesson is
// done.
func TestWork(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	place := checkPlace(t)
	for i, lesson := range checkLessons {
		assert.Equal(t, "not begun", workLine(t, place, lesson))
		out := done(t, script(place, "start.sh", lesson[:2]))
		assert.Contains(t, out, "work/"+lesson+"/main.go:")
		assert.Contains(t, out, "TODO")
		assert.Regexp(t, `^begun: TODO is in \d+ lines$`, workLine(t, place, lesson))
		if lesson == "03-uts" {
			assert.Equal(t, 2, strings.Count(out, "TODO:"), out)
		}
		if i > 0 {
			files := workFiles(t, filepath.Join(place, "work", lesson))
			workIsStart(t, lesson, files)
		}
	}
	out := nstest.Printed(t, exec.Command("gofmt", "-l", filepath.Join(place, "work")))
	assert.Empty(t, out, "not as gofmt has it")

	for i, lesson := range checkLessons {
		t.Run(lesson, func(t *testing.T) {
			t.Parallel()
			r := runCheck(t, script(place, "check.sh", "--tap", lesson[:2]))
			assert.Equal(t, 1, r.status)
			require.NotEmpty(t, r.notOK(), r.text)
			for _, p := range r.notOK() {
				assert.Equal(t, workAdded[i], p.kind, r.text)
				assert.Contains(t, p.comment, "question: ")
			}
			r.complete(t, i+1, true)
			assert.Contains(t, workLine(t, place, lesson), "begun")

			// Now everything is written.
			for name, text := range workSources(t, lesson) {
				writeFile(t, text, place, "work", lesson, name)
			}
			// Only the whole check counts.
			if i == 0 {
				r = runCheck(t, script(place, "check.sh", "--tap", "--only", "pid", lesson[:2]))
				assert.Equal(t, 0, r.status, r.text)
				assert.Contains(t, workLine(t, place, lesson), "begun")
			}
			r = runCheck(t, script(place, "check.sh", "--tap", lesson[:2]))
			assert.Empty(t, r.notOK(), r.text)
			assert.Equal(t, 0, r.status)
			r.complete(t, i+1, true)
			assert.Equal(t, "done", workLine(t, place, lesson))

			main := filepath.Join(place, "work", lesson, "main.go")
			text := nstest.Read(t, main)
			writeFile(t, text+"// more\n", main)
			assert.Equal(t, "begun: changed since its check passed",
				workLine(t, place, lesson))
			writeFile(t, text, main)
			assert.Equal(t, "done", workLine(t, place, lesson))
		})
	}
}

// Whoever forgets argument 0 in lesson 01 has a program that starts itself again and again.
// It must not fill the machine.
func TestWorkStartsItself(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	nstest.NeedRoot(t)
	place := workPlace(t)
	done(t, script(place, "start.sh", "01"))
	diffReplace(t, filepath.Join(place, "work/01-pid/main.go"),
		"exec.Command(opt.command[0], opt.command[1:]...)",
		`exec.Command("/proc/self/exe", os.Args[1:]...)`)
	cmd := script(place, "check.sh", "--tap", "01")
	cmd.Env = append(cmd.Env, "CHECK_MOST=50")
	r := runCheck(t, cmd)
	assert.Equal(t, 1, r.status)
	require.NotEmpty(t, r.notOK(), r.text)
	assert.Contains(t, r.notOK()[0].comment, "keeps starting processes: more than 50")
	running, err := filepath.Glob("/proc/[0-9]*/exe")
	require.NoError(t, err)
	for _, link := range running {
		exe, _ := os.Readlink(link) // nothing for a zombie, or for one that is gone
		assert.NotContains(t, exe, place, link)
	}
}

// workIsStart compares the start of a lesson with that lesson and the one before: it has
// nothing yet of what the lesson adds.
func workIsStart(t *testing.T, lesson string, files map[string]string) {
	t.Helper()
	before := ""
	for i, name := range checkLessons {
		if name == lesson {
			before = checkLessons[i-1]
		}
	}
	want := workSources(t, lesson)
	old := workSources(t, before)
	assert.Len(t, files, len(want))
	for name, text := range files {
		require.Contains(t, want, name)
		if carried, ok := old[name]; ok {
			if carried == want[name] {
				assert.Equal(t, carried, text, name)
				continue
			}
			if name != "main.go" {
				assert.Equal(t, want[name], text, name)
				continue
			}
			// The new lines of parent and child are still to be written.
			given, _, _ := strings.Cut(want[name], "\n// parent ")
			_, after, _ := strings.Cut(want[name], "\n// init ")
			for _, line := range workAdds(carried, want[name]) {
				if !strings.Contains(given+after, line) {
					assert.NotContains(t, strings.Split(text, "\n"), line, name)
				}
			}
			assert.GreaterOrEqual(t, strings.Count(text, "\t// TODO: "), 2, name)
			continue
		}
		if strings.Contains(name, "_") || strings.Count(want[name], "\nfunc ") == 1 {
			assert.Equal(t, want[name], text, name)
			continue
		}
		// It has all heads and comments, and no bodies.
		for _, line := range strings.Split(want[name], "\n") {
			if strings.HasPrefix(line, "func ") || strings.HasPrefix(line, "//") {
				assert.Contains(t, strings.Split(text, "\n"), line, name)
			}
		}
		assert.Equal(t, strings.Count(want[name], "\n}\n\n")-strings.Count(text, "\n}\n\n"), 0, name)
		assert.NotContains(t, text, "err :=", name)
		assert.Contains(t, text, "\tpanic(\"TODO: ", name)
	}
}

func workSources(t *testing.T, lesson string) map[string]string {
	t.Helper()
	files, err := lessons.Sources("../..", lesson)
	require.NoError(t, err)
	return files
}

// workNoise is what differs in every lesson.
var workNoise = regexp.MustCompile(
	`(?s)\n/\*\n.*?\n\*/\n|\nconst example = [^\n]*|\n\topt\.hostname = "lesson-0\d"`)

// workAdds returns the lines of new that old does not have at all, except for those that
// say nothing by themselves.
func workAdds(old, new string) (added []string) {
	have := strings.Split(workNoise.ReplaceAllString(old, "\n"), "\n")
	for _, line := range strings.Split(workNoise.ReplaceAllString(new, "\n"), "\n") {
		if len(strings.TrimSpace(line)) > 1 && !slices.Contains(have, line) {
			added = append(added, line)
		}
	}
	return added
}

// There are three hints, and each call shows one more. None has a line of the solution.
func TestWorkHints(t *testing.T) {
	t.Parallel()
	place := workPlace(t)
	plain := func(text string) string {
		return strings.Join(strings.Fields(text), " ")
	}
	for i, lesson := range checkLessons {
		var said [5]string
		for n := 1; n <= 4; n++ {
			said[n] = done(t, script(place, "hint.sh", lesson[:2]))
			shown := min(n, 3)
			assert.Contains(t, said[n], fmt.Sprintf("%d of 3: ", shown))
			assert.NotContains(t, said[n], fmt.Sprintf("%d of 3: ", shown+1))
		}
		assert.Greater(t, len(said[2]), len(said[1])+100, lesson)
		assert.Greater(t, len(said[3]), len(said[2])+100, lesson)
		assert.Equal(t, said[3], said[4], lesson)
		assert.Contains(t, said[1], "?", "a question")
		assert.Regexp(t, `[a-z_]+\([2457]\)`, strings.TrimPrefix(said[2], said[1]))
		for _, line := range strings.Split(said[3], "\n") {
			assert.LessOrEqual(t, len(line), 100, line)
		}

		solution := workSources(t, lesson)
		for _, file := range regexp.MustCompile("`(\\w+\\.go)`").FindAllStringSubmatch(said[3], -1) {
			assert.Contains(t, solution, file[1], lesson)
		}
		old := map[string]string{}
		if i > 0 {
			old = workSources(t, checkLessons[i-1])
		}
		lines := 0
		for name, text := range solution {
			for _, line := range workAdds(old[name], text) {
				line = plain(line)
				if len(line) < 10 || strings.HasPrefix(line, "//") {
					continue
				}
				lines++
				assert.NotContains(t, plain(said[3]), line, lesson)
			}
		}
		assert.Positive(t, lines, lesson)
	}
}

// What learners have written stays until they say that it may go.
func TestWorkReset(t *testing.T) {
	t.Parallel()
	place := workPlace(t)
	dir := filepath.Join(place, "work", "03-uts")
	done(t, script(place, "start.sh", "3"))
	start := workFiles(t, dir)
	require.Len(t, start, 5)
	done(t, script(place, "hint.sh", "03-uts"))
	done(t, script(place, "hint.sh", "03"))

	writeFile(t, "mine", dir, "main.go")
	mine := workFiles(t, dir)
	fails(t, script(place, "start.sh", "03"), "scripts/progress.sh reset 03")
	for _, answer := range []string{"", "n\n", "\n", "no, yes\n"} {
		fails(t, answering(answer, script(place, "progress.sh", "reset", "03")), "work/03-uts\n", "nothing is removed")
	}
	assert.Equal(t, mine, workFiles(t, dir))
	assert.Contains(t, done(t, script(place, "hint.sh", "03")), "3 of 3", "hints are not forgotten")

	done(t, answering("y\n", script(place, "progress.sh", "reset", "03")))
	assert.Equal(t, start, workFiles(t, dir))
	assert.NotContains(t, done(t, script(place, "hint.sh", "03")), "2 of 3")

	done(t, script(place, "start.sh", "05"))
	writeFile(t, "not a lesson", place, "work", "notes")
	assert.Contains(t, done(t, script(place, "progress.sh")), "next: scripts/check.sh 03\n")
	done(t, answering("y\n", script(place, "progress.sh", "reset", "all")))
	assert.Equal(t, []string{"go.mod", "go.sum", "notes"}, names(t, filepath.Join(place, "work")))
	assert.Contains(t, done(t, script(place, "progress.sh")), "next: scripts/start.sh 01\n")
}

// Lines that many learners add at the same time all arrive whole. The room
// shows the last of each.
func TestWorkRoom(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	place := workPlace(t)
	room := filepath.Join(t.TempDir(), "r=1") // what awk would take for a variable
	require.NoError(t, os.Mkdir(room, 0o755))
	shared := filepath.Join(room, "a file")
	fails(t, script(place, "progress.sh", "--room", room)) // nobody is in it

	done(t, script(place, "start.sh", "02"))
	const learners = 20
	var all sync.WaitGroup
	for i := range learners {
		all.Add(1)
		go func() {
			defer all.Done()
			_, status := output(t, script(place, "progress.sh", "--share", shared,
				fmt.Sprintf("Learner %d é\n\x1b[31m", i)))
			assert.Equal(t, 0, status)
		}()
	}
	all.Wait()
	text := nstest.Read(t, shared)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	assert.Len(t, lines, learners)
	for _, line := range lines {
		assert.Regexp(t, `^\d+ \.o\.{6} Learner \d+ é\?\?\[31m$`, line)
	}

	writeFile(t, "1 xxxxxxxx Learner 3 é??[31m\n2 xx...... Ada\nnonsense\n"+
		"3 xxx..... Ada\n2 x....... Ada\n4 xxxxxxxxx Eve\n5 x....... \x1b[2J\u009b\u202eBob", room, "another")
	writeFile(t, strings.Repeat("x", 60<<20), room, "large")
	read := script(place, "progress.sh", "--room", room)
	out := done(t, read)
	assert.NotContains(t, out, "\x1b")
	assert.NotContains(t, out, "\u009b")
	assert.NotContains(t, out, "\u202e")
	used := read.ProcessState.UserTime() + read.ProcessState.SystemTime()
	assert.Less(t, used, 5*time.Second, "of a processor")
	assert.NotContains(t, out, "Eve")
	rows := map[string][]string{}
	for _, line := range strings.Split(out, "\n") {
		assert.LessOrEqual(t, len(line), 100)
		if f := strings.Fields(line); len(f) > 9 {
			rows[strings.Join(f[:len(f)-9], " ")] = f[len(f)-9:]
		}
	}
	assert.Len(t, rows, learners+2+1, out) // with the heading
	assert.Equal(t, strings.Fields("x x x . . . . ."), rows["Ada"][:8], out)
	assert.Equal(t, strings.Fields(". o . . . . . . 0"), rows["Learner 3 é??[31m"], out)
	assert.Contains(t, out, "[2J??Bob")
}

// One screen shows whoever needs help first, aligned columns, and the minutes that the lines
// themselves prove.
func TestWorkRoomOnOneScreen(t *testing.T) {
	t.Parallel()
	place := workPlace(t)
	room := t.TempDir()
	now := time.Now().Unix()
	for i := range 29 {
		lines := ""
		for k, signs := range []string{"t.......", "o.......", "xt......", "xo......"} {
			if k == 3 && i%5 == 0 {
				signs = "xxxxxxxx"
			}
			lines += fmt.Sprintf("%d %s learner%d\n", now-int64(6030-k*1200-i), signs, i)
		}
		writeFile(t, lines, room, fmt.Sprint(i))
	}
	writeFile(t, fmt.Sprintf("%d xo......!2:ab 日本語の名前がとても長いですね\n", now), room, "wide")
	writeFile(t, fmt.Sprintf("%d xxxxxxxx tomorrow\n%d xxxxxxxx!123 Eve\n%d xo......!; Eve\n",
		now+86400, now, now), room, "hostile")
	require.NoError(t, syscall.Mkfifo(filepath.Join(room, "fifo"), 0o666))
	writeFile(t, fmt.Sprintf("%d xxxxxxxx linked\n", now), room, "..", "secret")
	require.NoError(t, os.Symlink("../secret", filepath.Join(room, "link")))

	out := done(t, script(place, "progress.sh", "--room", room, "--watch"))
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	assert.LessOrEqual(t, len(lines), 28, out)
	assert.Equal(t, "30 in this room      12345678  min"+strings.Repeat(" ", 33)+"12345678  min", lines[0])
	assert.Regexp(t, `^日本語の名前がとても xo......    0 hand 2     learner\d+ +xo......   4\d$`, lines[1])
	assert.Regexp(t, `^learner1 +xo......   40 {12}learner\d+ +xo......   40$`, lines[2])
	assert.Regexp(t, `learner0 +x{8} +40$`, lines[10])
	for _, line := range lines[2:16] {
		assert.Regexp(t, `^.{20} [xot.]{8} +\d+ {12}.{20} [xot.]{8} +\d+$`, line)
	}
	assert.Equal(t, "  01 40 (29)  02 20 (6)", lines[len(lines)-1])
	for _, name := range []string{"tomorrow", "Eve", "linked"} {
		assert.NotContains(t, out, name)
	}
	// Nobody writes through one of these, or waits for it.
	for _, file := range []string{"fifo", "link"} {
		fails(t, script(place, "progress.sh", "--share", filepath.Join(room, file), "me"), "cannot write to ")
	}
	assert.NotContains(t, nstest.Read(t, room, "..", "secret"), "me")
}

// A hand goes up where the line was shared, at the learner's present lesson, and down with
// the next line.
func TestWorkHelpMe(t *testing.T) {
	t.Parallel()
	place := workPlace(t)
	fails(t, script(place, "progress.sh", "--help-me"), "you have not shared a line yet")
	file := filepath.Join(t.TempDir(), "file")
	done(t, script(place, "progress.sh", "--share", file, "Ada B."))
	done(t, script(place, "start.sh", "01"))
	writeFile(t, "", place, "work/.progress/02-mount.typed")
	done(t, exec.Command("bash", "-euc",
		`source "$0/scripts/lib/all.sh"; fingerprint 01-pid >"$0/work/.progress/01-pid.passed"`, place))
	done(t, script(place, "progress.sh", "--help-me"))
	done(t, script(place, "progress.sh", "--help-me", "5"))
	assert.Contains(t, done(t, script(place, "progress.sh", "--room", filepath.Dir(file))), "  hand up in 05\n")
	done(t, script(place, "progress.sh", "--share", file, "Ada B."))
	assert.Regexp(t, `^\d+ \.{8} Ada B\.\n\d+ xt\.{6}!02 Ada B\.\n\d+ xt\.{6}!05 Ada B\.\n\d+ xt\.{6} Ada B\.\n$`,
		nstest.Read(t, file))
}

// What the scripts write in work/ belongs to the learner, even if they call sudo.
func TestWorkBySudo(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	nstest.NeedRoot(t)
	place := workPlace(t)
	require.NoError(t, os.Chown(place, nobody, nobody))
	sudo := []string{"SUDO_USER=nobody", "SUDO_UID=65534", "SUDO_GID=65534"}
	for _, args := range [][]string{
		{"start.sh", "02"}, {"hint.sh", "02"}, {"progress.sh"},
		{"progress.sh", "--share", place + "/room", "me"},
		{"progress.sh", "reset", "02"}, {"hint.sh", "02"},
		{"check.sh", "--quiet", "01", "--", "unshare", "--pid", "--fork", "--kill-child"},
	} {
		cmd := in("/", answering("y\n", script(place, args[0], args[1:]...)))
		// This is how check.sh calls itself for a learner's own lesson.
		cmd.Env = append(cmd.Env, "CHECK_MINE=sum")
		cmd.Env = append(cmd.Env, sudo...)
		done(t, cmd)
	}
	cmd := script(place, "check.sh", "--quiet", "01", "--", "unshare", "--pid", "--fork", "--kill-child")
	cmd.Env = append(cmd.Env, sudo...)
	assert.NoFileExists(t, place+"/work/.progress/01-pid.typed")
	done(t, cmd)
	assert.FileExists(t, place+"/work/.progress/01-pid.typed")
	count := 0
	err := filepath.WalkDir(place, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(path, place+"/work") && path != place+"/room" {
			return err
		}
		info, err := entry.Info()
		require.NoError(t, err)
		assert.EqualValues(t, nobody, info.Sys().(*syscall.Stat_t).Uid, path)
		count++
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, count, 10)
	assert.FileExists(t, place+"/work/.progress/01-pid.passed")
	assert.FileExists(t, place+"/work/.progress/02-mount.hints")
}
