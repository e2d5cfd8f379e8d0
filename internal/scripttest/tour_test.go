//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// Who comes by ssh may bring a locale that this machine does not have. A bash
// that is started as sh then warns of it, before all that the command prints.
func TestTourInALocaleThatIsNotHere(t *testing.T) {
	nstest.NeedRoot(t)
	repo, err := nstest.Repo()
	require.NoError(t, err)
	bash, err := exec.LookPath("bash")
	require.NoError(t, err)
	dir := t.TempDir()
	// One lesson is enough, and need not be ours: the tour fails at the others.
	out, err := exec.Command("bash", "-euc", `cp -r "$1/scripts" "$1/"0* "$1/go.mod" "$2"
		mkdir "$2/bin" "$2/rootfs" "$2/tools"
		printf '#!/bin/bash\nexec unshare --fork --pid "$@"\n' >"$2/bin/01-pid"
		printf '#!/bin/bash\necho go1.99\n' >"$2/tools/go"
		chmod +x "$2/bin/01-pid" "$2/tools/go"
		ln -s "$3" "$2/tools/sh"`, "bash", repo, dir, bash).CombinedOutput()
	require.NoError(t, err, "%s", out)

	cmd := exec.Command(filepath.Join(dir, "scripts/tour.sh"))
	cmd.Env = append(os.Environ(), "LC_ALL=xx_XX.UTF-8",
		"PATH="+filepath.Join(dir, "tools")+":"+os.Getenv("PATH"))
	out, err = cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "setlocale", "sh is no bash here")
	require.Contains(t, string(out), "ok  the first line says: I am process 1, child of 0\n")
	require.Regexp(t, `(?m)^01-pid +pid +ok$`, string(out))
	require.Regexp(t, `(?m)^02-mount +none +FAILED$`, string(out), "it has no 02-mount")
}
