//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// All scripts answer -h with the comment at their top. The first that does not
// ends the test: others would do to this machine what they are for.
func TestUsage(t *testing.T) {
	scripts := 0
	for _, pattern := range []string{"*.sh", "dev/*.sh", "exercise/*.sh"} {
		files, err := filepath.Glob("../../scripts/" + pattern)
		require.NoError(t, err)
		for _, file := range files {
			info, err := os.Stat(file)
			require.NoError(t, err)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			// It is by this line that a script answers -h.
			if info.Mode()&0o111 == 0 || !regexp.MustCompile(`(?m)^source .*/(lib|demo)\.sh"$`).Match(text) {
				continue
			}
			comment := regexp.MustCompile(`^#!.*\n((?:#.*\n)+)`).FindSubmatch(text)
			require.NotNil(t, comment, file)
			want := regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(string(comment[1]), "")
			out, err := exec.Command(file, "-h").CombinedOutput()
			require.NoError(t, err, file)
			require.Equal(t, want, string(out), file)
			scripts++
		}
	}
	assert.Greater(t, scripts, 40)
}
