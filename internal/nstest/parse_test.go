//go:build linux

package nstest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table is read as it is written, or refused.
func FuzzTable(f *testing.F) {
	text, err := os.ReadFile("../../scripts/lessons.tsv")
	require.NoError(f, err)
	f.Add(string(text))
	for _, text := range []string{
		"", "\n", "# comment", "a\tb", "a\tb\tc\td", "a\tb,c\td\t\n", "a\tb\tc\td\te",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lessons, err := parseTable(text)
		if err != nil {
			require.Empty(t, lessons)
			return
		}
		require.NotEmpty(t, lessons)
		for _, l := range lessons {
			require.NotEmpty(t, l.Namespaces)
			require.Contains(t, "\n"+text,
				"\n"+l.Name+"\t"+strings.Join(l.Namespaces, ",")+"\t")
		}
	})
}

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
