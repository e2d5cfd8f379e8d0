//go:build linux

package scripttest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// Root may have made a login of an ordinary user by sudo, with root as the
// caller in its environment: that means nothing to the scripts.
func TestLibSudoIsForRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		nstest.Skip(t, "needs root to become somebody else")
	}
	repo, err := nstest.Repo()
	require.NoError(t, err)
	lib, err := os.ReadFile(repo + "/scripts/lib.sh")
	require.NoError(t, err)
	for user, want := range map[string]string{"0": "0 root", "54321": "none none"} {
		cmd := exec.Command("setpriv", "--reuid="+user, "--regid="+user, "--clear-groups",
			"bash", "-euc", `source <(cat); echo "${SUDO_UID:-none} ${SUDO_USER:-none}"`)
		cmd.Stdin = bytes.NewReader(lib)
		cmd.Env = append(os.Environ(), "SUDO_UID=0", "SUDO_GID=0", "SUDO_USER=root")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, want+"\n", string(out), "user %s", user)
	}
}
