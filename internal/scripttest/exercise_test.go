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
)

// exercises are the names of all of them, such as 01-1-init.
func exercises(t *testing.T) []string {
	t.Helper()
	checks, err := filepath.Glob("../../scripts/exercise/*-*.sh")
	require.NoError(t, err)
	require.NotEmpty(t, checks)
	var names []string
	for _, check := range checks {
		names = append(names, strings.TrimSuffix(filepath.Base(check), ".sh"))
	}
	return names
}

// runExercise runs place's exercise.sh, and returns its output and status.
func runExercise(t *testing.T, place string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("scripts/exercise.sh", args...)
	cmd.Dir, cmd.Env = place, checkEnv()
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError), "%s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Each exercise has a check, a solution, and a section in the text.
func TestExerciseComplete(t *testing.T) {
	names := exercises(t)
	text, err := os.ReadFile("../../docs/exercises.md")
	require.NoError(t, err)
	list, status := runExercise(t, "../..")
	assert.Equal(t, 0, status, list)
	assert.Len(t, strings.Split(strings.TrimSpace(list), "\n"), len(names), list)
	for _, name := range names {
		assert.FileExists(t, "../../docs/solutions/"+name+".patch")
		assert.Contains(t, string(text), "\n### "+name[:4]+": ")
		assert.Contains(t, list, name[:4]+"  -", "no flag in the title")
	}
	solutions, err := filepath.Glob("../../docs/solutions/*")
	require.NoError(t, err)
	assert.Len(t, solutions, len(names))
}

// The solution passes. The lesson does not: neither as it is, since it has no
// such flag, nor if it takes the flag and does nothing about it.
func TestExercise(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("lessons 01 to 05 need root")
	}
	place := checkPlace(t)
	for _, name := range exercises(t) {
		lesson := lessonOf(t, name)
		args := []string{name[:2], name[3:4]}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, status := runExercise(t, place, append(args, "--solution")...)
			assert.Equal(t, 0, status, out)
			assert.Contains(t, out, "\nok ")
			assert.NotContains(t, out, "skipped")

			out, status = runExercise(t, place, append(args, "--", "bin/"+lesson)...)
			assert.Equal(t, 1, status, out)
			assert.Contains(t, out, "not ok  run: with flags '-")

			ignores := filepath.Join(place, "ignores "+name)
			writeFile(t, "#!/bin/sh\n"+
				"while [ \"$1\" != /bin/sh ]; do\n"+
				"  case $1 in -rootfs=*) rootfs=$1 ;; esac\n"+
				"  shift\n"+
				"done\n"+
				"exec bin/"+lesson+" $rootfs \"$@\"\n", ignores)
			require.NoError(t, os.Chmod(ignores, 0o755))
			out, status = runExercise(t, place, append(args, "--", ignores)...)
			assert.Equal(t, 1, status, out)
			assert.Equal(t, without(t, name), notOK(out), out)
		})
	}
}

// lessonOf is the lesson that an exercise goes on from.
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

// without are the points that fail without the solution, as that says.
func without(t *testing.T, name string) []string {
	t.Helper()
	patch, err := os.ReadFile("../../docs/solutions/" + name + ".patch")
	require.NoError(t, err)
	var points []string
	for _, line := range strings.Split(string(patch), "\n") {
		if point, ok := strings.CutPrefix(line, "Without: "); ok {
			points = append(points, point)
		}
	}
	require.NotEmpty(t, points, name)
	return points
}

// notOK are the points of a report that do not hold.
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

func TestExerciseUsage(t *testing.T) {
	for _, args := range [][]string{{"09"}, {"01", "9"}, {"01", "1", "2"}, {"-x"},
		{"01", "1", "--"}, {"--solution"}, {"01", "--", "true"}} {
		out, err := exec.Command("../../scripts/exercise.sh", args...).CombinedOutput()
		exit := new(exec.ExitError)
		require.ErrorAs(t, err, &exit, "%q: %s", args, out)
		assert.Equal(t, 2, exit.ExitCode(), "%q: %s", args, out)
	}
}
