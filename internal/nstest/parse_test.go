//go:build linux

package nstest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process may have any name.
func FuzzStat(f *testing.F) {
	own, err := os.ReadFile("/proc/self/stat")
	require.NoError(f, err)
	f.Add(string(own))
	for _, name := range []string{"", "sh", ") Z 1", "(", "a b", "()", "\n"} {
		f.Add("7 (" + name + ") S 3 7 7 0\n")
	}
	for _, text := range []string{"", ")(", "1 (a)", "1 (a) S", "1 (a) S x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := parseStat(text); ok {
			require.Contains(t, text, "("+p.name+")")
			require.NotEmpty(t, p.state)
		}
		p, ok := parseStat("7 (" + text + ") S 3 7")
		require.True(t, ok)
		require.Equal(t, process{0, 3, "S", text}, p)
	})
}
