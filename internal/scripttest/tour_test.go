//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// Whoever comes by ssh may bring a locale that this machine does not have. Then a bash
// that is started as sh warns, before the command's own output.
func TestTourInALocaleThatIsNotHere(t *testing.T) {
	nstest.NeedRoot(t)
	repo := nstest.Repo(t)
	bash, err := exec.LookPath("bash")
	require.NoError(t, err)
	dir := tourIn(t, repo)
	require.NoError(t, os.Symlink(bash, dir+"/tools/sh"))

	cmd := exec.Command(filepath.Join(dir, "scripts/tour.sh"))
	cmd.Env = append(os.Environ(), "LC_ALL=xx_XX.UTF-8",
		"PATH="+filepath.Join(dir, "tools")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "setlocale", "sh is no bash here")
	require.Contains(t, string(out), "ok  the first line says: I am process 1, child of 0\n")
	require.Regexp(t, `(?m)^01-pid +pid +ok$`, string(out))
	require.Regexp(t, `(?m)^02-mount +none +FAILED$`, string(out), "it has no 02-mount")
}

// Whoever may not use sudo is asked for a password once, and sees what works without it.
func TestTourWithoutSudo(t *testing.T) {
	nstest.NeedRoot(t)
	repo := nstest.Repo(t)
	dir := tourIn(t, repo)
	require.NoError(t, os.WriteFile(dir+"/tools/sudo", []byte("#!/bin/sh\necho sudo \"$@\"\nexit 1\n"), 0o755))
	require.NoError(t, os.Rename(dir+"/bin/01-pid", dir+"/bin/06-user"))
	cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", dir+"/scripts/tour.sh")
	cmd.Env = append(os.Environ(), "PATH="+dir+"/tools:"+os.Getenv("PATH"))
	text, _ := cmd.CombinedOutput()
	out := string(text)
	require.Equal(t, 1, strings.Count(out, "sudo true\n"), out)
	require.Equal(t, 2, strings.Count(out, "sudo"), "no other call, and one line about it: %s", out)
	require.Contains(t, out, "without sudo: what needs root is left out")
	require.Regexp(t, `(?m)^01-pid +- +needs root\n(.*\n)*06-user +\S.*\n(.*\n)*08-cgroups +- +needs root$`, out)
}

// tourIn makes a checkout whose tools come first on the PATH. One lesson is enough, and
// need not be ours: the tour fails at the others.
func tourIn(t *testing.T, repo string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("bash", "-euc", `cp -r "$1/scripts" "$1/"0* "$1/go.mod" "$2"
		mkdir "$2/bin" "$2/rootfs" "$2/tools"
		printf '#!/bin/bash\nexec unshare --fork --pid "$@"\n' >"$2/bin/01-pid"
		printf '#!/bin/bash\necho go1.99\n' >"$2/tools/go"
		chmod +x "$2/bin/01-pid" "$2/tools/go"
		chmod 755 "$2" "$2/.."`, "bash", repo, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}
