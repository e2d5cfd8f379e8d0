//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// settings are those of a caller that change what bash, the tools, git or Go do.
var settings = []string{
	"CDPATH=/usr:/", "TMOUT=1", "HOME=", "TMPDIR=/none", "BASH_ENV=/none", "ENV=/none",
	"LANG=de_DE.UTF-8", "LC_MESSAGES=de_DE.UTF-8", "LANGUAGE=de",
	"POSIXLY_CORRECT=1", "GREP_COLORS=mt=31", "BLOCK_SIZE=1G", "COLUMNS=1",
	"BASH_FUNC_grep%%=() { echo no; }", "BASH_FUNC_cd%%=() { echo no; }",
	"GO111MODULE=off", "GOFLAGS=-mod=vendor", "GOOS=windows", "GOWORK=/none",
	"GIT_DIR=/none", "GIT_WORK_TREE=/none",
}

// What a script says and does is the same, whatever its caller has set.
func TestEnvironment(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	place := newPlace(t, "environment", `cp -r scripts 0* go.mod go.sum "$place"`)
	for _, args := range [][]string{
		{"cleanup.sh", "-h"}, {"diff.sh", "03"}, {"exercise.sh"}, {"break.sh", "03"},
		{"progress.sh"}, {"rootfs.sh", "root"}, {"dev/carry.sh", "-h"}, {"01-pid.sh", "-h"},
	} {
		run := func(variables ...string) (string, int) {
			require.NoError(t, os.RemoveAll(filepath.Join(place, "root")))
			cmd := script(place, args[0], args[1:]...)
			cmd.Env = append(cmd.Env, variables...)
			return output(t, cmd)
		}
		want, status := run()
		// POSIXLY_CORRECT lets bash ignore SHELLOPTS.
		for _, variables := range [][]string{settings, {"SHELLOPTS=noglob:noclobber"}} {
			got, code := run(variables...)
			assert.Equal(t, want, got, args)
			assert.Equal(t, status, code, args)
		}
	}
}

// A check builds in spite of settings for a different machine, and without a home.
func TestEnvironmentOfABuild(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	place := newPlace(t, "builds", `cp -r scripts 0* go.mod go.sum "$place"`)
	done(t, script(place, "start.sh", "01"))
	cmd := script(place, "check.sh", "--quiet", "--only", "uts", "01")
	cmd.Env = append(cmd.Env, settings...)
	out, _ := output(t, cmd)
	assert.NotContains(t, out, "does not build")
	assert.FileExists(t, filepath.Join(place, "work/bin/01-pid"))
}

// A user without an entry in passwd(5), as in many containers, has no home.
func TestEnvironmentWithoutAHome(t *testing.T) {
	t.Parallel()
	nstest.NeedRoot(t)
	place := newPlace(t, "homeless", `cp -r scripts 0* go.mod go.sum "$place"; chmod -R go+rX "$place"`)
	for script, want := range map[string]string{
		"scripts/progress.sh": "next: scripts/start.sh 01\n$",
		"bash -euc 'source scripts/lib/all.sh; build_lessons'": "\nbash: Go has no place for its cache: " +
			".*permission denied\n  export HOME=… .a directory of yours.\n$",
	} {
		cmd := exec.Command("setpriv", "--reuid=54321", "--clear-groups", "env", "-i", "PATH="+os.Getenv("PATH"),
			"sh", "-c", script)
		cmd.Dir = place
		out, _ := output(t, cmd)
		assert.Regexp(t, want, out)
	}
}
