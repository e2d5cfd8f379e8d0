//go:build linux

package scripttest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// question is a question of a lesson, as the scripts read it.
type question struct {
	text, letters, key string
	prints             string // what the kernel prints, or ""
	options            string // the texts of all options of the lesson
}

func readQuiz(t *testing.T, lesson string) []question {
	t.Helper()
	out, err := exec.Command("bash", "-euc", `
		repo=../..
		source ../../scripts/lib/questions.sh
		read_quiz "$1"
		for i in "${!titles[@]}"; do
		  printf '%s\n' "$(xargs -d '\n' <<<"${texts[$i]}")" "${letters[i]}" \
		    "${keys[i]}" "${prints[$i${keys[i]}]-}" "${options[*]}"
		done`, "bash", lesson).Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	var all []question
	for ; len(lines) >= 5; lines = lines[5:] {
		all = append(all, question{strings.Join(strings.Fields(lines[0]), " "), lines[1], lines[2], lines[3], lines[4]})
	}
	require.GreaterOrEqual(t, len(all), 3, lesson)
	return all
}

// wrong returns a wrong option.
func (q question) wrong() string {
	return strings.Replace(q.letters, q.key, "", 1)[:1]
}

// watch presses Enter at each command of a demonstration, and at each question the key that
// answer returns, until the end.
func watch(x *nstest.Terminal, answer func() string) {
	for {
		switch x.Either("# ", "#\x1b[0m ", "host$ ", " to c: ", " to d: ", "All of this held") {
		case " to c: ", " to d: ":
			if answer == nil {
				x.Type("a")
			} else {
				x.Type(answer())
			}
		case "All of this held":
			return
		default:
			x.Type("\n")
		}
	}
}

// asked is the number of the question with which a step begins.
var asked = regexp.MustCompile(`(?m)^.*['"] (\d)$`)

// Each demonstration asks before two to four of its steps. The kernel's answer is not on
// the screen until the learner has answered. Then it says what the learner said, right or
// wrong, and what the kernel says.
func TestDemoAsks(t *testing.T) {
	nstest.Slow(t)
	for name := range demos {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := asked.FindAllStringSubmatch(nstest.Read(t, "../../scripts", name+".sh"), -1)
			require.GreaterOrEqual(t, len(steps), 2)
			require.LessOrEqual(t, len(steps), 4)
			all := readQuiz(t, name)
			h := newDemoHost(t, lessonsBin(t))
			cmd := h.demo(0, name)
			cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1")
			x := nstest.StartTerminal(t, cmd)
			n, said := 0, ""
			watch(x, func() string {
				require.Less(t, n, len(steps))
				number, err := strconv.Atoi(steps[n][1])
				require.NoError(t, err)
				q := all[number-1]
				require.NotEmpty(t, q.prints, "no kernel says so")
				screen := strings.Join(strings.Fields(x.Screen()), " ")
				assert.Contains(t, screen, said)
				screen = screen[strings.LastIndex(screen, " step "):]
				assert.Contains(t, screen, q.text)
				if !strings.Contains(q.options, q.prints) {
					assert.NotContains(t, screen, q.prints)
				}
				assert.NotRegexp(t, `[a-z][#$] `, screen, "a command, before the answer")
				n++
				if n%2 == 0 {
					said = "You and the kernel say " + q.key + ": "
					return q.key
				}
				said = "You said " + q.wrong() + ": "
				return q.wrong()
			})
			assert.Equal(t, len(steps), n, x.Screen())
			assert.Contains(t, x.Screen(), said)
			assert.Equal(t, (n+1)/2, strings.Count(x.Screen(), "The kernel says "))
			require.Zero(t, x.Wait(), x.Screen())
		})
	}
}

// Ctrl-C at a question leaves nothing behind: newDemoHost looks.
func TestDemoInterruptedAtAQuestion(t *testing.T) {
	t.Parallel()
	h := newDemoHost(t, lessonsBin(t))
	cmd := h.demo(0, "01-pid")
	cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1")
	x := nstest.StartTerminal(t, cmd)
	x.Type("\n")
	x.Expect("a to d: ")
	x.Type("z")
	x.Expect("One of these letters (Ctrl-C ends this), a to d: ")
	x.Type("\x03")
	require.Equal(t, 130, x.Wait(), x.Screen())
}

// --list names the steps. --from does everything before the step in silence.
func TestDemoFrom(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	h := newDemoHost(t, lessonsBin(t))
	out := done(t, h.demo(nobody, "08-cgroups", "--list"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	web := 0
	for i, line := range lines {
		assert.Regexp(t, `^`+strconv.Itoa(i+1)+`  \S.{20}`, line)
		if strings.Contains(line, "web server") {
			web = i + 1
		}
	}
	require.Positive(t, web, out)
	for _, word := range []string{"none such", "0", "99", ""} {
		out, status := output(t, h.demo(0, "08-cgroups", "--from", word))
		assert.Equal(t, 2, status, "%q: %s", word, out)
	}

	cmd := h.demo(0, "08-cgroups", "--from", "web")
	cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1")
	x := nstest.StartTerminal(t, cmd)
	x.Expect("step " + strconv.Itoa(web) + " of " + strconv.Itoa(len(lines)))
	before, _, _ := strings.Cut(x.Screen(), "step ")
	assert.NotContains(t, before, "# ")
	for range 5 {
		x.Type("\n")
	}
	x.Expect("pong from room-1")
	h.requireReading("what comes next")
	x.Type("\x03")
	require.Equal(t, 130, x.Wait(), x.Screen())
}

// quiz.sh takes a key as the answer, and shows all reasons, except with --before. It
// remembers the first answer.
func TestQuizAtATerminal(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	place := workPlace(t)
	all := readQuiz(t, "04-ipc")
	start := func(args ...string) *nstest.Terminal {
		cmd := script(place, "quiz.sh", args...)
		cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1")
		return nstest.StartTerminal(t, cmd)
	}
	x := start("04")
	for i, q := range all {
		x.Expect(strconv.Itoa(i+1) + " of " + strconv.Itoa(len(all)))
		x.Expect("a to c: ")
		screen := x.Screen()
		assert.NotContains(t, screen[strings.LastIndex(screen, " of "):], q.prints)
		x.Type("\nz?") // no options
		if i == 1 {
			x.Type(q.key)
			x.Expect("Yes.")
		} else {
			x.Type(q.wrong())
			x.Expect("No: " + q.key)
		}
		x.Expect(q.prints)
	}
	require.Zero(t, x.Wait(), x.Screen())
	require.Contains(t, x.Screen(), "1 of 3 right")

	// Ctrl-C leaves the terminal as it was, and keeps the answers.
	x = start("04")
	x.Expect("a to c: ")
	x.Type(all[0].key)
	x.Expect("a to c: ")
	x.Type("\x03")
	require.Equal(t, 130, x.Wait(), x.Screen())
	require.Equal(t, "04-ipc 0 "+all[0].wrong()+"\n04-ipc 1 "+all[1].key+"\n04-ipc 2 "+all[2].wrong()+"\n",
		nstest.Read(t, place, "work/.progress/quiz"))
	require.Equal(t, []string{".progress", "go.mod", "go.sum"}, names(t, filepath.Join(place, "work")))

	// There are twelve, of all lessons, and no answers are shown.
	out := done(t, answering(strings.Repeat("a", 12), script(place, "quiz.sh", "--before")))
	assert.Contains(t, out, "12 of 12")
	assert.NotContains(t, out, "prints `", "a reason")
	assert.NotContains(t, out, "right")
	for _, lesson := range checkLessons {
		q := readQuiz(t, lesson)[0]
		assert.Contains(t, strings.Join(strings.Fields(out), " "), q.text)
	}

	// A shared line has all answers, and the room counts them. Without a name, it has a
	// number.
	room := t.TempDir()
	for _, name := range []string{"Ada", "Bob", "-", "-"} {
		out = done(t, script(place, "progress.sh", "--share", filepath.Join(room, "file"), name))
		assert.Regexp(t, `Your line:\n\d+ \.{8}:\.{10}`+all[0].wrong()+all[1].key+all[2].wrong()+`\.+:a{12}:\.{12} \S+\n$`, out)
		assert.NotContains(t, out, " - ")
	}
	assert.Contains(t, out, " nobody-")
	writeFile(t, "5 ........:"+strings.Repeat("a", 27)+"\x1b[31m:: Eve\n5 ........:a:b:c:d Eva\n", room, "hostile")
	out = done(t, script(place, "progress.sh", "--room", room))
	assert.Regexp(t, `(?m)^quiz: what 3 have answered`, out)
	assert.Regexp(t, `(?m)^before: what 3 have answered`, out)
	assert.NotContains(t, out, "after: ")
	assert.Regexp(t, `(?m)^04 After the end +0 +0 +3\*$`, out)
	assert.NotContains(t, out, "\x1b")
	done(t, answering("y\n", script(place, "progress.sh", "reset", "all")))

	fails(t, answering("aaa", script(place, "quiz.sh", "--after")), "question 4 was not answered")
}

// On a narrow terminal, text is wrapped between words, and a command stays in one line.
func TestQuizIsWrapped(t *testing.T) {
	out, status := output(t, exec.Command("bash", "-euc", `source ../../scripts/lib/questions.sh
		width=20; flow "$1"`, "bash", "one two three four five\n\n```console\n$ one two three four five\n```"))
	require.Zero(t, status, out)
	assert.Equal(t, "one two three four\nfive\n\n  $ one two three four five\n\n", out)
}
