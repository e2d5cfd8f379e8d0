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

// carryPlace makes a repository of its own, with a commit, to change at will.
func carryPlace(t *testing.T) string {
	t.Helper()
	return newPlace(t, "carry", `
		cp -r scripts 0* docs internal go.mod go.sum "$place"
		cd "$place" && git init --quiet && git add .
		git -c user.name=test -c user.email=test@localhost commit --quiet -m all`)
}

// carryChanged returns the files that differ from the commit.
func carryChanged(t *testing.T, place string) string {
	t.Helper()
	cmd := exec.Command("git", "status", "--short", "--untracked-files=all")
	cmd.Dir = place
	out := nstest.Printed(t, cmd)
	return out
}

// A line of lesson 03 is carried to 04 to 08, and the eight are a course as
// before.
func TestCarry(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	place := carryPlace(t)
	const old, changed = "sethostname %q: %w", "sethostname(2) of %q: %w"
	diffReplace(t, filepath.Join(place, "03-uts/uts.go"), old, changed)
	course := func(tests string) ([]byte, error) {
		cmd := exec.Command("go", "test", "-run", tests, "./internal/lessons")
		cmd.Dir = place
		return cmd.CombinedOutput()
	}
	out, err := course("TestEachLessonOnlyAdds")
	require.Error(t, err, "not carried, and nobody has seen it: %s", out)

	done(t, script(place, "dev/carry.sh", "--check", "03"))
	assert.Equal(t, " M 03-uts/uts.go\n", carryChanged(t, place))
	for range 2 { // the second time it is all done
		done(t, script(place, "dev/carry.sh", "03"))
		assert.Equal(t, " M 03-uts/uts.go\n M 04-ipc/uts.go\n M 05-net/uts.go\n"+
			" M 06-user/uts.go\n M 07-pivot-root/uts.go\n M 08-cgroups/uts.go\n",
			carryChanged(t, place))
	}
	for _, lesson := range checkLessons[2:] {
		text := nstest.Read(t, place, lesson, "uts.go")
		assert.Contains(t, text, changed, lesson)
	}
	out, err = course("TestEachLessonOnlyAdds|TestColumns")
	assert.NoError(t, err, "%s", out)
}

// main.go differs from lesson to lesson. A line that is the same in all of them is
// carried, the lessons' own lines stay, and carry.sh names the patches that it breaks.
func TestCarryMain(t *testing.T) {
	t.Parallel()
	place := carryPlace(t)
	main := filepath.Join(place, "02-mount/main.go")
	diffReplace(t, main, "|= unix.CLONE_NEWPID", "|= unix.CLONE_NEWPID /* first */")
	diffReplace(t, main, "Usage, as root", "How to use it, as root")
	fails(t, script(place, "dev/carry.sh", "02"), "does not apply any more: 03-uts/breaks/1-no-newuts.patch\n")
	for i, lesson := range checkLessons {
		text := nstest.Read(t, place, lesson, "main.go")
		assert.Equal(t, i > 0, strings.Contains(text, "/* first */"), lesson)
		assert.Equal(t, i == 1, strings.Contains(text, "How to use it"), lesson)
	}
}

// A change that does not fit one lesson is named, and carried to none.
func TestCarryConflict(t *testing.T) {
	t.Parallel()
	place := carryPlace(t)
	diffReplace(t, filepath.Join(place, "03-uts/uts.go"), "starts with a copy", "begins with a copy")
	diffReplace(t, filepath.Join(place, "03-uts/mount.go"), "mount %q", "mount(2) %q")
	other := filepath.Join(place, "06-user/uts.go")
	diffReplace(t, other, "starts with a copy", "opens with a copy")
	cmd := exec.Command("git", "-c", "user.name=test", "-c", "user.email=test@localhost",
		"commit", "--quiet", "-m", "lesson 06 is another", "06-user/uts.go")
	cmd.Dir = place
	nstest.Printed(t, cmd)

	before := carryChanged(t, place)
	said := fails(t, script(place, "dev/carry.sh", "03"), "06-user/uts.go: the change does not fit\n",
		"opens with a copy", "nothing is carried: 1 files do not fit")
	assert.NotContains(t, said, "05-net/uts.go: ")
	assert.Equal(t, before, carryChanged(t, place))

	// Once it is done by hand there, the rest is carried.
	diffReplace(t, other, "opens with a copy", "comes with a copy")
	said = done(t, script(place, "dev/carry.sh", "03"))
	assert.Contains(t, said, "06-user/uts.go: you have changed it, so it stays\n")
	text := nstest.Read(t, other)
	assert.Contains(t, text, "comes with a copy")
	for _, lesson := range []string{"04-ipc", "05-net", "07-pivot-root", "08-cgroups"} {
		text := nstest.Read(t, place, lesson, "uts.go")
		assert.Contains(t, text, "begins with a copy", lesson)
	}
}

// A new file is carried, and a removed one is removed.
func TestCarryFiles(t *testing.T) {
	t.Parallel()
	place := carryPlace(t)
	writeFile(t, "//go:build linux\n\npackage main\n", place, "07-pivot-root/new.go")
	require.NoError(t, os.Remove(filepath.Join(place, "07-pivot-root/ipc.go")))
	done(t, script(place, "dev/carry.sh", "--check", "07"))
	assert.FileExists(t, filepath.Join(place, "08-cgroups/ipc.go"))
	done(t, script(place, "dev/carry.sh", "07"))
	assert.FileExists(t, filepath.Join(place, "08-cgroups/new.go"))
	assert.NoFileExists(t, filepath.Join(place, "08-cgroups/ipc.go"))
	assert.NoFileExists(t, filepath.Join(place, "06-user/new.go"))
}

// Where nothing has changed, there is nothing to carry.
func TestCarryNothing(t *testing.T) {
	t.Parallel()
	place := carryPlace(t)
	fails(t, script(place, "dev/carry.sh", "03"), "no file of 03-uts differs from the last commit")
}
