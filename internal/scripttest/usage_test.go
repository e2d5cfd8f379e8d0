//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// A scratch directory with another name than this would be nobody's for cleanup.sh, and
// six letters alone may be a person's name.
func TestScratchNames(t *testing.T) {
	found := 0
	require.NoError(t, filepath.WalkDir("../../scripts", func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".sh" {
			return err
		}
		for _, name := range regexp.MustCompile(`\bnsl\.\w*XXX\w*`).FindAllString(nstest.Read(t, path), -1) {
			assert.Equal(t, "nsl.0XXXXXX", name, path)
			found++
		}
		return nil
	}))
	assert.Positive(t, found)
}

// All scripts answer -h with the comment at their top. The first that does not ends the
// test: it might do to this machine what it is for.
func TestUsage(t *testing.T) {
	scripts := 0
	for _, pattern := range []string{"*.sh", "dev/*.sh", "../0*/exercises/*/check.sh"} {
		files, err := filepath.Glob("../../scripts/" + pattern)
		require.NoError(t, err)
		for _, file := range files {
			info, err := os.Stat(file)
			require.NoError(t, err)
			text := nstest.Read(t, file)
			if info.Mode()&0o111 == 0 || !regexp.MustCompile(`(?m)^source .*/(all|demo|exercise)\.sh"$`).MatchString(text) {
				continue
			}
			// By one of these lines a script answers -h.
			require.Regexp(t, `(?m)^answer_help "\$@"$|^begin .*"\$@"$|^ +-h`, text, file)
			comment := regexp.MustCompile(`^#!.*\n((?:#.*\n)+)`).FindStringSubmatch(text)
			require.NotNil(t, comment, file)
			want := regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(comment[1], "")
			if all := regexp.MustCompile(`(?s)  --auto .* 1 if not\.\n`); strings.Contains(text, "/demo.sh") {
				want += all.FindString(nstest.Read(t, "../../scripts/lib/demo.sh"))
			}
			out := nstest.Printed(t, exec.Command(file, "-h"))
			require.Equal(t, want, out, file)
			if pattern == "*.sh" { // learners may start these by sh
				out = nstest.Printed(t, exec.Command("dash", file, "-h"))
				require.Equal(t, want, out, file)
			}
			scripts++
		}
	}
	assert.Greater(t, scripts, 40)
}

// Of a command line that makes no sense, the script says so, and how to use it.
func TestMisused(t *testing.T) {
	for name, lines := range map[string][][]string{
		"break.sh":       {{}, {"09"}, {"03", "9"}, {"03", "1", "2"}, {"-x"}},
		"check.sh":       {{}, {"09"}, {"00"}, {"3x"}, {"03", "04"}, {"--only", "nonsense", "03"}, {"--only"}, {"--nonsense", "03"}, {"03", "--"}},
		"class.sh":       {{}, {"x"}, {"add"}, {"add", "0"}, {"add", "1000"}, {"add", "1", "1"}, {"cards", "a", "b"}, {"remove", "x"}},
		"cleanup.sh":     {{"x"}, {"--dry-run", "-x"}},
		"compare.sh":     {{"09"}, {"05-foo"}, {"-x"}, {"0"}, {"05", "1"}, {"1", "05"}, {"05", "06"}, {""}, {"--tree", "05"}, {"05", "--tree"}},
		"diff.sh":        {{}, {"09"}, {"05-foo"}, {"-x"}, {"01", "02"}},
		"doctor.sh":      {{"-x"}},
		"exercise.sh":    {{"09"}, {"01", "9"}, {"01", "1", "2"}, {"-x"}, {"01", "1", "--"}, {"--solution"}, {"01", "--", "true"}},
		"follow.sh":      {{}, {"09"}, {"03", "04"}, {"--stuck"}, {"--stuck", "x", "03"}},
		"hint.sh":        {{}, {"x"}},
		"progress.sh":    {{"reset"}, {"reset", "0"}, {"x"}, {"--share"}, {"--room"}, {"--room", ".", "x"}, {"--help-me", "9"}},
		"rootfs.sh":      {{"--no-such"}, {"one", "two"}, {""}, {"x.tar.gz"}, {"--alpine", "x.tar.gz", "y.tar.gz"}},
		"start.sh":       {{}, {"09"}, {"3", "4"}},
		"tour.sh":        {{"03"}},
		"watch.sh":       {{"-x"}},
		"dev/bench.sh":   {{"x"}, {"0"}, {"5", "5"}},
		"dev/carry.sh":   {{}, {""}, {"09"}},
		"dev/test-vm.sh": {{"-x"}, {"--as", "nobody"}, {"--arch", "riscv64"}, {"--arch"}, {"--suite"}, {"more"}},
		"test.sh":        {{"-x"}},
		"01-pid.sh":      {{"--fast"}},
	} {
		for _, args := range lines {
			cmd := script(nstest.Repo(t), name, args...)
			cmd.Dir = t.TempDir()
			stdout, stderr, status := compareRun(t, cmd)
			assert.Equal(t, 2, status, "%s %q: %s", name, args, stderr)
			assert.Empty(t, stdout, "%s %q", name, args)
			assert.Contains(t, stderr, name+" -h\n", "%s %q", name, args)
			assert.Empty(t, names(t, cmd.Dir), "%s %q", name, args)
		}
	}
}

// A script for the inside of sandbox.sh's machine does nothing elsewhere. Here it could do
// nothing anyway: it may not write to anything.
func TestMisusedInTheWrongMachine(t *testing.T) {
	for _, line := range [][]string{
		{"lib/sandbox-init.sh"}, {"lib/sandbox-init.sh", "service"}, {"lib/sandbox-init.sh", "again"},
		{"dev/test-vm-inside.sh"}, {"dev/test-vm-inside.sh", "/tmp"},
	} {
		script, err := filepath.Abs("../../scripts/" + line[0])
		require.NoError(t, err)
		cmd := exec.Command("bwrap", append([]string{"--unshare-all", "--cap-drop", "ALL",
			"--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", script}, line[1:]...)...)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "%s", out)
		assert.Equal(t, 2, cmd.ProcessState.ExitCode(), "%s", out)
		assert.Contains(t, string(out), filepath.Base(line[0])+": this is for the machine of scripts/")
	}
}
