package lessons

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is accepted here, scripts read alike, with lib/lessons.sh.
func TestTable(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(repo, "scripts", "lessons.tsv"))
	require.NoError(t, err)
	for _, text := range []string{string(table), "# a\nb\tc,d\te f\tg\n", "a\tb\tc\td"} {
		all, err := parse(text)
		require.NoError(t, err)
		want := ""
		for _, l := range all {
			want += l.Name + " " + strings.Join(l.Namespaces, ",") + " " + l.Twin + "\n"
		}
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(dir+"/scripts", 0o755))
		put(t, dir+"/scripts/lessons.tsv", text)
		got, err := exec.Command("bash", "-c", `source ../../scripts/lib/all.sh; repo=$0
			rows lessons | while IFS=$'\t' read -r name names twin _; do
				printf '%s %s %s\n' "$name" "$names" "$twin"
			done`, dir).Output()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	for _, text := range []string{
		"", "\n", "# comment", "a\tb", "a\tb,c\td\t\n", "a\t\tc\td", "a\tb\tc\td\te",
		" a\tb\tc\td", "a\tb\tc\td\r\n", "\n\na\tb\tc\td\n", "#\x00\na\tb\tc\td",
	} {
		_, err := parse(text)
		require.Error(t, err, "%q", text)
	}
}
