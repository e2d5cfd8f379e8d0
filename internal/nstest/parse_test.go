//go:build linux

package nstest

import (
	"os"
	"os/exec"
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

// Scripts read the table with lib.sh. What is accepted here, they read alike.
func FuzzRows(f *testing.F) {
	table, err := os.ReadFile("../../scripts/lessons.tsv")
	require.NoError(f, err)
	for _, text := range []string{
		string(table), "a\tb\tc\td", "a\t\tc\td\n", "a\tb\tc\t\n", "\n\na\tb\tc\td\n",
		" a\tb\tc\td", "a\tb\tc\td\r\n", "#\x00\na\tb\tc\td", "a\tb\\\tc\td", "\ta\tb\tc",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lessons, err := parseTable(text)
		if err != nil {
			return
		}
		want := ""
		for _, l := range lessons {
			want += l.Name + " " + strings.Join(l.Namespaces, ",") + "\n"
		}
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(dir+"/scripts", 0o755))
		require.NoError(t, os.WriteFile(dir+"/scripts/lessons.tsv", []byte(text), 0o644))
		got, err := exec.Command("bash", "-c", `source ../../scripts/lib.sh; repo=$0
			rows lessons | while IFS=$'\t' read -r name names _; do
				printf '%s %s\n' "$name" "$names"
			done`, dir).Output()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
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
