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

// runBreak runs place's break.sh, and returns its output and exit status.
func runBreak(t *testing.T, place string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("scripts/break.sh", args...)
	cmd.Dir, cmd.Env = place, checkEnv()
	if len(args) == 2 && args[0] == "06" && args[1] == "1" { // it hangs
		cmd.Env = append(cmd.Env, "CHECK_TIMEOUT=1")
	}
	return output(t, cmd)
}

// Each breakage applies, builds, and makes the check fail with the symptom
// that it predicts and with no other.
func TestBreak(t *testing.T) {
	nstest.NeedRoot(t)
	place := checkPlace(t)
	for _, lesson := range checkLessons {
		patches, err := filepath.Glob(filepath.Join("../..", lesson, "breaks", "*.patch"))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(patches), 2, lesson)
		assert.LessOrEqual(t, len(patches), 4, lesson)

		list, status := runBreak(t, place, lesson[:2])
		assert.Equal(t, 0, status, list)
		assert.Len(t, strings.Split(strings.TrimSpace(list), "\n"), len(patches), list)

		for _, patch := range patches {
			name := filepath.Base(patch)
			number, _, _ := strings.Cut(name, "-")
			t.Run(lesson+" "+name, func(t *testing.T) {
				t.Parallel()
				out, status := runBreak(t, place, lesson[:2], number)
				assert.Equal(t, 0, status, out)
				assert.NotContains(t, out, "can not show it")
			})
		}
	}
}

// A prediction that does not come true is a failure, as is a patch that does
// not apply or a lesson that is not broken at all.
func TestBreakNotAsPredicted(t *testing.T) {
	nstest.NeedRoot(t)
	place := checkPlace(t)
	breaks := filepath.Join(place, "03-uts/breaks")
	patch, err := os.ReadFile(filepath.Join(breaks, "2-no-sethostname.patch"))
	require.NoError(t, err)
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
			require.Contains(t, string(patch), c.old)
			text := strings.Replace(string(patch), c.old, c.new, 1)
			if number == "9" { // it breaks nothing
				text = strings.Replace(text, ",6 @@", ",7 @@", 1)
			}
			writeFile(t, text, breaks, number+"-altered.patch")
			out, status := runBreak(t, place, "03", number)
			assert.Equal(t, 1, status, out)
			assert.Contains(t, out, c.message)
		})
	}
}

// A check that has not run, for want of sudo, has found nothing.
func TestBreakWithoutCheck(t *testing.T) {
	place := checkPlace(t)
	writeFile(t, "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n",
		place, "scripts/check.sh")
	out, status := runBreak(t, place, "06", "2")
	assert.Equal(t, 1, status, out)
	assert.Contains(t, out, "the check of 06-user has broken off")
	assert.NotContains(t, out, "predicted")
}
