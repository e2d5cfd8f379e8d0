//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// settings are those of a caller that change what bash, the tools, git or Go do.
var settings = map[string][]string{
	"CDPATH":    {"CDPATH=/usr:/"},
	"TMOUT":     {"TMOUT=1"},
	"language":  {"LANG=de_DE.UTF-8", "LC_MESSAGES=de_DE.UTF-8", "LANGUAGE=de"},
	"Go":        {"GO111MODULE=off", "GOFLAGS=-mod=vendor", "GOOS=windows", "GOWORK=/none"},
	"git":       {"GIT_DIR=/none", "GIT_WORK_TREE=/none"},
	"home":      {"HOME="},
	"files":     {"TMPDIR=/none", "BASH_ENV=/none", "ENV=/none"},
	"tools":     {"POSIXLY_CORRECT=1", "GREP_COLORS=mt=31", "BLOCK_SIZE=1G", "COLUMNS=1"},
	"functions": {"BASH_FUNC_grep%%=() { echo no; }", "BASH_FUNC_cd%%=() { echo no; }"},
}

// What a script says and does is the same, whatever its caller has set.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	place := newPlace(t, "environment", `cp -r scripts 0* go.mod go.sum "$place"`)
	for _, args := range [][]string{
		{"cleanup.sh", "-h"}, {"diff.sh", "03"}, {"exercise.sh"}, {"break.sh", "03"},
		{"progress.sh"}, {"rootfs.sh", "root"}, {"dev/carry.sh", "-h"}, {"01-pid.sh", "-h"},
	} {
		run := func(variables ...string) (string, int) {
			require.NoError(t, os.RemoveAll(filepath.Join(place, "root")))
			cmd := exec.Command(filepath.Join(place, "scripts", args[0]), args[1:]...)
			cmd.Dir = place
			cmd.Env = append(checkEnv(), variables...)
			return output(t, cmd)
		}
		want, status := run()
		for name, variables := range settings {
			got, code := run(variables...)
			assert.Equal(t, want, got, "%q with %s", args, name)
			assert.Equal(t, status, code, "%q with %s", args, name)
		}
	}
}

// start.sh builds nothing, and the check builds: with settings for another machine,
// and without a home.
func TestEnvironmentOfABuild(t *testing.T) {
	t.Parallel()
	place := newPlace(t, "builds", `cp -r scripts 0* go.mod go.sum "$place"`)
	workDone(t, place, "", "start.sh", "01")
	for name, variables := range settings {
		cmd := exec.Command(filepath.Join(place, "scripts/check.sh"), "--quiet", "--only", "uts", "01")
		cmd.Env = append(checkEnv(), variables...)
		out, _ := output(t, cmd)
		assert.NotContains(t, out, "does not build", name)
		assert.FileExists(t, filepath.Join(place, "work/bin/01-pid"), name)
		require.NoError(t, os.RemoveAll(filepath.Join(place, "work/bin")))
	}
}
