//go:build linux

package scripttest

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// runBreak runs place's break.sh, types into it, and returns its output and exit status.
func runBreak(t *testing.T, place, typed string, args ...string) (string, int) {
	t.Helper()
	cmd := script(place, "break.sh", args...)
	cmd.Stdin = io.MultiReader(strings.NewReader(typed))              // a pipe: from a file, bash would read more than one line
	if len(args) > 1 && args[0] == "06" && args[len(args)-1] == "1" { // it hangs
		cmd.Env = append(cmd.Env, "CHECK_TIMEOUT=1")
	}
	return output(t, cmd)
}

// command is one of the table in docs/diagnosis.md.
var tableCommand = regexp.MustCompile("(?m)^\\| (\\d\\d) \\| [^|]+\\| `(.+)` \\| [^|]+ \\|$")

// neutral removes what differs from container to container: numbers of processes,
// namespaces, peer groups and devices, and the name of its directory.
var neutral = regexp.MustCompile(`healthy|unknown|nsl-?[0-9]+(-[0-9]+)?|\b402[0-9]{7}\b|` +
	`(shared|master):[0-9]+|10\.200\.[0-9.]+|@if[0-9]+|([0-9a-f]{2}:){5}[0-9a-f]{2}`)

// Each break applies, builds, and makes the check fail with the symptom that it
// predicts and no other. As a mystery, beside a healthy container, nothing gives it away,
// but a command of docs/diagnosis.md shows which of the two it is. The same commands find
// no difference between two healthy containers.
func TestBreak(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	place := checkPlace(t)
	page := nstest.Read(t, "../../docs/diagnosis.md")
	commands := tableCommand.FindAllStringSubmatch(page, -1)
	require.Len(t, commands, strings.Count(page, "\n| 0"), "rows that are no command")
	for _, lesson := range checkLessons {
		patches, err := filepath.Glob(filepath.Join("../..", lesson, "breaks", "*.patch"))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(patches), 2, lesson)
		assert.LessOrEqual(t, len(patches), 4, lesson)

		list, status := runBreak(t, place, "", lesson[:2])
		assert.Equal(t, 0, status, list)
		assert.Len(t, strings.Split(strings.TrimSpace(list), "\n"), len(patches), list)

		for i, patch := range patches {
			name := filepath.Base(patch)
			number, what, _ := strings.Cut(strings.TrimSuffix(name, ".patch"), "-")
			t.Run(lesson+" "+name, func(t *testing.T) {
				t.Parallel()
				out, status := runBreak(t, place, lookAround(lesson, commands, i == 0), lesson[:2], "?", number)
				assert.Equal(t, 0, status, out)
				assert.NotContains(t, out, "cannot show it")
				before, after, found := strings.Cut(out, "What is broken in it?")
				require.True(t, found, out)
				requireMystery(t, before, i == 0)
				change, _, _ := strings.Cut(nstest.Read(t, patch), "\n")
				assert.NotContains(t, before, change)
				assert.NotContains(t, before, what)
				assert.Contains(t, after, " "+change)
				assert.Contains(t, after, "The check finds this break.")
			})
		}
	}
}

// lookAround is what a learner who knows the whole page types in the lab. Lines of ---
// separate the commands' answers.
func lookAround(lesson string, commands [][]string, control bool) string {
	var b strings.Builder
	b.WriteString(`ps -p $$ >/dev/null || umount /proc
		echo ===; env; cat /proc/[0-9]*/environ | tr '\0' '\n'; ps axww -o args; ls -R . scripts/../work
		echo ===; grep -l -r -e breaks/ -e mystery/ unknown
		pids="$healthy $unknown"
		`)
	if control {
		rootfs := ""
		if strings.HasPrefix(lesson, "07") || strings.HasPrefix(lesson, "08") {
			rootfs = `-rootfs "$(realpath scripts/..)/rootfs" `
		}
		b.WriteString(`healthy/` + lesson + ` ` + rootfs + `sleep 100000 </dev/null >healthy/said 2>&1 9<. &
		launcher=$!
		disown
		until other=$(pgrep -P $launcher) && grep -q sleep /proc/$other/comm; do sleep 0.1; done
		pids="$pids $other"
		`)
		if lesson >= "05" { // the kernel takes a moment to see that a veth pair has two ends
			b.WriteString(`for pid in $healthy $other; do
				until nsenter -t $pid --net ip -br link | grep -q "eth0.* UP "; do sleep 0.1; done
			done
			`)
		}
	}
	for _, c := range commands {
		if c[1] > lesson {
			continue
		}
		command := strings.ReplaceAll(c[2], `\|`, "|")
		b.WriteString("for pid in $pids; do echo ---; { " + command + "; } 2>&1; done\n")
	}
	b.WriteString("echo ===\necho $pids\nexit\na")
	return b.String()
}

// requireMystery looks at what the commands have said.
func requireMystery(t *testing.T, out string, control bool) {
	t.Helper()
	parts := strings.Split(out, "===\n")
	require.Len(t, parts, 4, out)
	answers := strings.Split(parts[2], "---\n")[1:]
	each := 2
	if control {
		each = 3
	}
	require.GreaterOrEqual(t, len(answers), 3*each, out)
	require.Zero(t, len(answers)%each, out)
	// Their numbers, as whole words: something else may have the same number.
	pids := strings.Fields(parts[3])
	require.GreaterOrEqual(t, len(pids), each, out)
	told := false
	for ; len(answers) > 0; answers = answers[each:] {
		for i := range each {
			answers[i] = neutral.ReplaceAllString(answers[i], "N")
			answers[i] = regexp.MustCompile(`(^|\s)`+pids[i]+`(\s|$)`).ReplaceAllString(answers[i], "$1 PID $2")
		}
		told = told || answers[0] != answers[1]
		if control {
			assert.Equal(t, answers[0], answers[2], "two healthy ones")
		}
	}
	assert.True(t, told, "no command of docs/diagnosis.md tells it from the healthy one: %s", out)
}

// A prediction that does not come true is a failure, as is a patch that does
// not apply or a lesson that is not broken at all.
func TestBreakNotAsPredicted(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	place := checkPlace(t)
	breaks := filepath.Join(place, "03-uts/breaks")
	patch := nstest.Read(t, breaks, "2-no-sethostname.patch")
	for number, c := range map[string]struct{ old, new, message string }{
		"6": {"Fails: uts: the hostname", "Fails: ipc: /dev/mqueue",
			"predicted, but not seen: ipc: /dev/mqueue"},
		"7": {"Fails:", "Fell:", "predicts nothing"},
		"8": {" func child(opt options) {", " func son(opt options) {", "does not apply"},
		"9": {"-\tmust(setHostname", "-\tmust(setHostname(opt.hostname))\n+\tmust(setHostname",
			"predicted, but not seen: uts: the hostname"},
	} {
		t.Run(c.message, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, patch, c.old)
			text := strings.Replace(patch, c.old, c.new, 1)
			if number == "9" { // it breaks nothing
				text = strings.Replace(text, ",6 @@", ",7 @@", 1)
			}
			writeFile(t, text, breaks, number+"-altered.patch")
			out, status := runBreak(t, place, "", "03", number)
			assert.Equal(t, 1, status, out)
			assert.Contains(t, out, c.message)
		})
	}
}

// A check that did not run, since there is no sudo, found nothing.
func TestBreakWithoutCheck(t *testing.T) {
	place := checkPlace(t)
	writeFile(t, "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n",
		place, "scripts/check.sh")
	out, status := runBreak(t, place, "", "06", "2")
	assert.Equal(t, 1, status, out)
	assert.Contains(t, out, "the check of 06-user did not finish")
	assert.NotContains(t, out, "predicted")
}

// At a terminal, break.sh NN K asks before it says what follows. In the lab of a
// mystery, Ctrl-C ends a command, not the lab; at the question after it, everything. It
// leaves nothing.
func TestBreakAtATerminal(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	t.Parallel()
	place, tmp := checkPlace(t), t.TempDir()
	start := func(args ...string) *nstest.Terminal {
		cmd := script(place, "break.sh", args...)
		cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1", "TMPDIR="+tmp)
		return nstest.StartTerminal(t, cmd)
	}
	x := start("03", "2")
	x.Expect("What follows from this change?")
	x.Expect("a to d: ")
	assert.NotContains(t, x.Screen(), "What follows: ")
	assert.NotContains(t, x.Screen(), "not ok")
	x.Type("a")
	x.Expect("What follows: ")
	require.Zero(t, x.Wait(), x.Screen())

	x = start("03", "?")
	x.Expect("lab# ")
	x.Type("echo $PWD $((1 + 1)); sleep 1003\n")
	x.Expect(" 2\r\n")
	lab := regexp.MustCompile(`\S+ 2\r`).FindString(x.Screen())
	x.Type("\x03")
	x.Expect("lab# ")
	x.Type("exit\n")
	x.Expect("a to d: ")
	x.Type("\x03")
	require.Equal(t, 130, x.Wait(), x.Screen())
	assert.Equal(t, []string{".progress", "broken", "go.mod", "go.sum"}, names(t, filepath.Join(place, "work")))
	assert.NoDirExists(t, strings.TrimSuffix(lab, " 2\r"))
	nothingLeft(t, tmp)
}

// A user's mystery runs as root, and ends with the same status.
func TestBreakMysteryBySudo(t *testing.T) {
	nstest.NeedRoot(t)
	t.Parallel()
	place := checkPlace(t)
	cmd := by(script(place, "break.sh", "03", "?"),
		"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
	writeFile(t, "#!/bin/sh\necho as root: $*; exit 3\n", place, "fake/sudo")
	require.NoError(t, os.Chmod(filepath.Join(place, "fake/sudo"), 0o755))
	cmd.Env = append(cmd.Env, "PATH="+place+"/fake:"+os.Getenv("PATH"))
	out, status := output(t, cmd)
	assert.Equal(t, 3, status, out)
	assert.True(t, strings.HasSuffix(out, "\nas root: bash "+place+"/scripts/break.sh 03 ?\n"), out)
}
