//go:build linux

package scripttest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// instrumentsScript starts a container by each of five tools, pins namespaces in
// which there is no process, and prints what the instruments say of them. $1 is the
// repository, $2 a directory, $3 a PATH without Perl.
const instrumentsScript = `
# crun and podman refuse a hybrid host whose cgroup v2 has a controller.
! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
cd "$2"
long=7$RANDOM all=()
trap 'kill -KILL "${all[@]}"; wait' EXIT # crun, runc and podman remove what is theirs
"$1/scripts/rootfs.sh" rootfs >&2
for tool in crun runc; do
	mkdir $tool
	(cd $tool && $tool spec)
	sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"sh"$/"sleep", "'$long'"/' \
		-e "s|\"path\": \"rootfs\"|\"path\": \"$2/rootfs\"|" $tool/config.json
	$tool --root "$2/state-$tool" run --bundle $tool "nsl-$tool-$long" </dev/null >&2 &
done
bwrap --unshare-all --bind / / --dev /dev --proc /proc sleep $long >&2 &
unshare --fork --pid --mount-proc --user --map-root-user sleep $long >&2 &
podman --root "$2/podman" --runroot "$2/podman-run" --cgroup-manager cgroupfs \
	run --rm --network none --rootfs "$2/rootfs" sleep $long </dev/null >&2 &

unshare --user --uts sleep 600 >&2 &
until [[ $(cat /proc/$!/comm) == sleep ]]; do sleep 0.01; done
exec 9</proc/$!/ns/uts
kill $!
wait $! || true
touch net
mount --bind net net
mount --make-private net
unshare --net=net true

n=0
until mapfile -t all < <(pgrep --full "^sleep $long\$") && [[ ${#all[@]} -eq 5 ]]; do
	sleep 0.1
	((++n < 300)) || { echo "only ${all[*]}" >&2; exit 1; }
done
for pid in self "${all[@]}"; do
	echo "== ns $(for type in pid mnt uts ipc net user cgroup time; do
		readlink /proc/$pid/ns/$type || true; done | tr -d '[]' | xargs)"
done
echo "== watch"; LC_ALL=C "$1/scripts/watch.sh" --all --once
echo "== tree"; LC_ALL=C "$1/scripts/compare.sh" --tree
echo "== without"; PATH=$3 LC_ALL=C "$1/scripts/compare.sh" --tree
echo "== lsns"
until rows=$(lsns --noheadings --raw --output NS,TYPE,ONS,NPROCS,PID); do :; done
echo "$rows"
`

// instrumentsRow is a namespace in the tree.
type instrumentsRow struct{ kind, owner, size, pid, rest string }

func instrumentsTree(t *testing.T, text string) map[string]instrumentsRow {
	t.Helper()
	row := regexp.MustCompile("^([ |`-]*)(\\d+)(?: =)? +(\\w+) +(\\d+) +(\\d+|-) ?(.*)$")
	rows, above := map[string]instrumentsRow{}, []string{}
	for _, line := range strings.Split(text, "\n")[1:] {
		m := row.FindStringSubmatch(line)
		require.NotNil(t, m, "%q in\n%s", line, text)
		depth, owner := len(m[1])/2, ""
		require.LessOrEqual(t, depth, len(above), text)
		if above = above[:depth]; depth > 0 {
			owner = above[depth-1]
		}
		above = append(above, m[2])
		require.NotContains(t, rows, m[2], "twice in\n%s", text)
		rows[m[2]] = instrumentsRow{m[3], owner, m[4], m[5], strings.TrimSpace(m[6])}
	}
	return rows
}

// watch.sh --all and compare.sh --tree say about containers what lsns says, and, about
// namespaces without a process, what lsns does not say.
func TestInstruments(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-euo", "pipefail", "-c", instrumentsScript, "bash",
		nstest.Repo(t), dir, pathWithout(t, os.Getenv("PATH"), "perl"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	parts := map[string]string{}
	var sets [][]string // the shell's namespaces, and those of the containers
	for _, part := range strings.Split("\n"+string(out), "\n== ")[1:] {
		head, text, _ := strings.Cut(part, "\n")
		words := strings.Fields(head)
		if parts[words[0]] = strings.TrimSuffix(text, "\n"); words[0] == "ns" {
			sets = append(sets, words[1:])
		}
	}
	require.Len(t, sets, 6)
	lsns := map[string]instrumentsRow{}
	for _, line := range strings.Split(parts["lsns"], "\n") {
		f := strings.Fields(line)
		require.Len(t, f, 5, line)
		lsns[f[0]] = instrumentsRow{f[1], f[2], f[3], f[4], ""}
	}
	trees := map[string]map[string]instrumentsRow{
		"with Perl": instrumentsTree(t, parts["tree"]), "without": instrumentsTree(t, parts["without"]),
	}
	var starters []string
	for _, set := range sets[1:] {
		var own []string
		first := ""
		for _, ns := range set {
			if slices.Contains(sets[0], ns) {
				continue
			}
			kind, number, _ := strings.Cut(ns, ":")
			own = append(own, kind)
			if kind == "pid" {
				first = lsns[number].pid
			}
			for name, rows := range trees {
				got := rows[number]
				got.rest = ""
				assert.Equal(t, lsns[number], got, "%s: %s in\n%s", name, ns, parts["tree"])
			}
		}
		m := regexp.MustCompile(`(?m)(\S+)  PID ` + first + ` > .*\n\W*own: (.*)$`).
			FindStringSubmatch(parts["watch"])
		require.NotNil(t, m, "PID %s in\n%s", first, parts["watch"])
		assert.Equal(t, strings.Join(own, " "), m[2], parts["watch"])
		starters = append(starters, m[1])
	}
	assert.ElementsMatch(t, []string{"unshare", "bwrap", "crun", "runc", "conmon"}, starters)

	var pinned []string
	for _, row := range trees["with Perl"] {
		if row.pid == "-" {
			assert.Equal(t, "0", row.size)
			owner := trees["with Perl"][row.owner]
			pinned = append(pinned, row.kind+" "+row.rest+" of "+owner.kind+" "+owner.pid)
		}
	}
	assert.ElementsMatch(t, []string{
		fmt.Sprintf("net mounted on %.37s of user 1", dir+"/net"),
		"uts open in 1, descriptor 9 of user -",
		"user root     owns what is below of user 1",
	}, pinned, parts["tree"])
}
