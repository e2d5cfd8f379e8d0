package lessons

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// repo is the repository: the tests run in the directory of their package.
var repo = filepath.Join("..", "..")

// programs returns the directories of the lessons, in order.
func programs(t *testing.T) []string {
	t.Helper()
	all, err := Read(repo)
	require.NoError(t, err)
	var names []string
	for _, l := range all {
		names = append(names, l.Name)
	}
	return names
}

func sources(t *testing.T, lesson string) map[string]string {
	t.Helper()
	found, err := Sources(repo, lesson)
	require.NoError(t, err)
	return found
}

// What may change from one lesson to the next, and why.
var mayChange = []*regexp.Regexp{
	// The manual page of the program.
	regexp.MustCompile(`(?s)\n/\*.*?\*/\n`),
	// The name of the lesson.
	regexp.MustCompile(`\nconst lesson = .*`),
}

// replaced is what a lesson takes out of a file of the lesson before, and why.
var replaced = map[string]string{
	// From here on no lesson needs root, and sudo is no advice.
	"06-user/process.go": "\tif os.Geteuid() != 0 {\n" +
		"\t\tadvice = \"try again with sudo\"\n\t}\n",
}

// removed returns the lines of a text that a later one does not have, in order.
func removed(before, after string) []string {
	for _, change := range mayChange {
		before = change.ReplaceAllString(before, "\n")
		after = change.ReplaceAllString(after, "\n")
	}
	later := strings.Split(after, "\n")
	var missing []string
	for _, line := range strings.Split(before, "\n") {
		i := 0
		for i < len(later) && later[i] != line {
			i++
		}
		if i == len(later) {
			missing = append(missing, line)
			continue
		}
		later = later[i+1:]
	}
	return missing
}

func TestEachLessonOnlyAdds(t *testing.T) {
	names := programs(t)
	for i, name := range names[1:] {
		t.Run(name, func(t *testing.T) {
			before, after := sources(t, names[i]), sources(t, name)
			for file, text := range before {
				require.Contains(t, after, file)
				gone := replaced[name+"/"+file]
				require.Contains(t, text, gone)
				text = strings.Replace(text, gone, "", 1)
				assert.Empty(t, removed(text, after[file]), file)
			}
			assert.NotEqual(t, before["main.go"], after["main.go"])
			assert.Greater(t, len(after), len(before), "no new file")
		})
	}
}

// The comparison must see a line that is removed, changed or moved.
func TestRemoved(t *testing.T) {
	text := "a\nb\n/* page */\nc\n"
	assert.Empty(t, removed(text, "a\nnew\nb\n/* another */\nc\nnew\n"))
	assert.Equal(t, []string{"b"}, removed(text, "a\n/* page */\nc\n"))
	assert.Equal(t, []string{"b"}, removed(text, "a\nB\n/* page */\nc\n"))
	assert.NotEmpty(t, removed(text, "b\na\n/* page */\nc\n"))
}

// budget is by how many lines a lesson may be longer than the one before it: a learner
// reads all of them.
var budget = map[string]int{
	"01-pid": 150, "02-mount": 40, "03-uts": 25, "04-ipc": 28, "05-net": 130,
	"06-user": 55, "07-pivot-root": 165, "08-cgroups": 260,
}

func TestWeight(t *testing.T) {
	before := 0
	for _, name := range programs(t) {
		lines := 0
		for file, text := range sources(t, name) {
			if file != "main_other.go" {
				lines += strings.Count(text, "\n")
			}
		}
		if most, ok := budget[name]; ok {
			assert.LessOrEqual(t, lines-before, most, name)
		}
		before = lines
	}
	assert.LessOrEqual(t, before, 850, "all of the last lesson")

	main := strings.Split(sources(t, "01-pid")["main.go"], "\n")
	at := slices.IndexFunc(main, func(line string) bool {
		return strings.Contains(line, "|= unix.CLONE_NEWPID")
	})
	assert.Greater(t, at, 0)
	assert.Less(t, at, 70, "the flag is on the first screen")
}

// A line that is longer than this does not fit a projector.
func TestColumns(t *testing.T) {
	const most = 80
	for _, name := range programs(t) {
		for file, text := range sources(t, name) {
			for i, line := range strings.Split(text, "\n") {
				width := len([]rune(strings.ReplaceAll(line, "\t", "    ")))
				assert.LessOrEqual(t, width, most, "%s/%s:%d", name, file, i+1)
			}
		}
	}
}

// A lesson is a program of its own: a copy of its directory builds anywhere.
func TestLessonStandsAlone(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		require.NoError(t, err) // without Go, nothing can be built
	}
	for _, name := range programs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range sources(t, name) {
				put(t, filepath.Join(dir, file), text)
			}
			for _, file := range []string{"go.mod", "go.sum"} {
				text, err := os.ReadFile(filepath.Join(repo, file))
				require.NoError(t, err)
				put(t, filepath.Join(dir, file), string(text))
			}
			cmd := exec.Command("go", "build", "-o", "lesson", ".")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.FileExists(t, filepath.Join(dir, "lesson"))
		})
	}
}

// On other systems than Linux, the program says in one sentence what it needs.
func TestOtherSystems(t *testing.T) {
	for _, name := range programs(t) {
		text := sources(t, name)["main_other.go"]
		assert.Contains(t, text, "//go:build !linux", name)
		for file, source := range sources(t, name) {
			if file != "main_other.go" {
				assert.True(t, strings.HasPrefix(source, "//go:build linux\n"),
					fmt.Sprintf("%s/%s has no build constraint", name, file))
			}
		}
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}
