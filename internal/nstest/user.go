//go:build linux

package nstest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// RequireMap checks that root inside is this user and group outside, that the maps have
// nobody else, and that setgroups(2) is denied.
func RequireMap(t *testing.T, pid, uid, gid int) {
	t.Helper()
	for file, want := range map[string]string{
		"uid_map":   fmt.Sprintf("0 %d 1", uid),
		"gid_map":   fmt.Sprintf("0 %d 1", gid),
		"setgroups": "deny",
	} {
		text := Read(t, fmt.Sprintf("/proc/%d/%s", pid, file))
		require.Equal(t, want, strings.Join(strings.Fields(text), " "),
			file)
	}
	for field, id := range map[string]int{"Uid": uid, "Gid": gid} {
		want := fmt.Sprintf("%d\t%[1]d\t%[1]d\t%[1]d", id)
		require.Equal(t, want, Status(t, pid, field))
	}
}
