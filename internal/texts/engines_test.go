//go:build linux

package texts

import (
	"fmt"
	"maps"
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

// option is a row of the table in docs/docker.md. Its kind is own, host, join, or none.
type option struct{ lesson, use, kind, words string }

// ofLesson is the namespace that the rows own, host and join of a lesson are about.
var ofLesson = map[string]string{"01-pid": "pid", "02-mount": "mnt", "03-uts": "uts",
	"04-ipc": "ipc", "05-net": "net", "06-user": "user", "08-cgroups": "cgroup"}

// questions are for what else a row does, with the answer. A file of cgroup v1 has
// another name than that of v2.
var questions = map[string][2]string{
	"01-pid init process":           {"cat /proc/1/comm", `^(docker|podman)-init$`},
	"02-mount propagation":          {"grep -c ' /b .* master:' /proc/self/mountinfo", `^1$`},
	"03-uts its name":               {"hostname", `^NAME$`},
	"04-ipc size of `/dev/shm`":     {"df -k /dev/shm | awk 'END { print $2 }'", `^65536$`},
	"05-net own, with a veth pair":  {"ls /sys/class/net", `^eth0 lo$`},
	"05-net own, `lo` only":         {"ls /sys/class/net", `^lo$`},
	"06-user `noNewPrivs`":          {"grep NoNewPrivs: /proc/self/status", `1$`},
	"07-pivot-root root filesystem": {"grep -c ' / / .* - overlay ' /proc/self/mountinfo", `^1$`},
	"07-pivot-root read-only":       {"touch /x", `Read-only file system`},
	"08-cgroups memory": {"cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes || cat memory.max",
		`\b67108864$`},
	"08-cgroups no swap": {"cd /sys/fs/cgroup; cat memory/memory.memsw.limit_in_bytes || cat memory.swap.max",
		`\b(67108864|0)$`},
	"08-cgroups processes": {"cd /sys/fs/cgroup; cat pids/pids.max || cat pids.max", `\b64$`},
	"08-cgroups CPU time":  {"cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us || cat cpu.max", `\b50000( 100000)?$`},
}

// options reads the table.
func options(t *testing.T, d *document) []option {
	t.Helper()
	word, kind := regexp.MustCompile("`(-[^`]+)`"), regexp.MustCompile(`^(own|host|join)\b`)
	var all []option
	lesson := ""
	for _, l := range d.prose {
		cells := strings.Split(mdLink.ReplaceAllString(l.text, "$1"), "|")
		if len(cells) != 7 {
			continue
		}
		if name := strings.TrimSpace(cells[1]); name != "" {
			lesson = name
		}
		if _, of := ofLesson[lesson]; !of && lesson != "07-pivot-root" {
			continue // the head
		}
		o := option{lesson: lesson, use: strings.TrimSpace(cells[2])}
		o.kind = kind.FindString(o.use)
		if m := word.FindStringSubmatch(cells[3]); m != nil {
			o.words = m[1]
		}
		all = append(all, o)
	}
	require.Greater(t, len(all), 20, d.name)
	return all
}

// sees is what compare.sh says of a container: for each namespace own, host, or
// other, which is that of another container.
type sees map[string]string

// seen reads the tables of compare.sh, of which the first container is the other one.
func seen(t *testing.T, lines []string) []sees {
	t.Helper()
	var all []sees
	others, first := sees{}, 0
	for _, line := range lines {
		f := strings.Fields(strings.NewReplacer("*", "", "=", "").Replace(line))
		if len(f) > 1 && f[0] == "host" { // the head of a table
			first = len(all)
			for range f[1:] {
				all = append(all, sees{})
			}
		}
		if len(f) < 3 || f[1] != "host" {
			continue
		}
		for i, id := range f[2:] {
			what := "own"
			switch {
			case first+i == 0:
				others[f[0]] = id
			case id == "host":
				what = "host"
			case id == others[f[0]]:
				what = "other"
			}
			all[first+i][f[0]] = what
		}
	}
	require.Greater(t, len(all), 1, "%q", lines)
	return all[1:]
}

// TestEngines starts a container with each option of docs/docker.md, by Docker, and by
// podman as root and as a user, and looks which namespaces it has of its own. What is
// no matter of a namespace goes into one container, which has to have all of it.
func TestEngines(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	for name := range engines {
		needEngine(t, name)
	}
	repo := repository(t)
	rows := options(t, documents(t, repo)["docs/docker.md"])
	_, v1, err := nstest.CgroupOf(os.Getpid(), "memory")
	require.NoError(t, err)

	containers, asked := []string{"default|", "all|"}, []string{"", ""}
	place := map[option]int{}
	for _, r := range rows {
		i := 1
		if r.words == "" || strings.HasSuffix(r.words, "=bridge") {
			i = 0
		} else if r.kind != "" {
			i = len(containers)
			containers, asked = append(containers, fmt.Sprintf("row%d|%s", i, r.words)), append(asked, "")
		} else {
			containers[i] += r.words + " "
		}
		place[r] = i
		q, ok := questions[r.lesson+" "+r.use]
		require.True(t, ok || i != 1, "nothing asks about %s %s", r.lesson, r.use)
		if ok {
			asked[i] += fmt.Sprintf("echo %d: $(%s 2>&1); ", len(place), q[0])
		}
	}
	typed := "cat >/tmp/rows <<'END'"
	for i := range containers {
		typed += "\n" + containers[i] + "|" + asked[i]
	}
	const script = "bash internal/texts/testdata/engines.sh NAME "
	o := prepare(t, repo)
	o.Scratch, o.Needs = t.TempDir(), []string{"docker", "podman"}
	for _, typed := range []string{typed + "\nEND", "sudo mkdir /a", script + "docker </tmp/rows",
		"sudo " + script + "podman </tmp/rows", script + "podman </tmp/rows",
		// userns-remap is an option of the daemon.
		"sudo dockerd --userns-remap=guest --bridge=none --iptables=false --group=guest \\\n" +
			"--data-root=/tmp/remap --exec-root=/run/remap --pidfile=/run/remap.pid \\\n" +
			"--host=unix:///run/remap.sock >/tmp/remap.log 2>&1 &",
		"until docker -H unix:///run/remap.sock version >/dev/null 2>&1; do sleep 0.1; done",
		script + "docker -H unix:///run/remap.sock <<'END'\ndefault|\nhost|--userns=host\nEND",
		"sudo kill $(cat /run/remap.pid); wait",
	} {
		o.Steps = append(o.Steps, step{Terminal: "1", Prompt: "$", Typed: strings.Split(typed, "\n")})
	}
	before := hostOfEngines(t)
	a, err := startMachine(o)
	require.NoError(t, err)
	require.Empty(t, a.Problem)
	assert.Equal(t, before, hostOfEngines(t), "the host is not as before")

	for i, engine := range []string{"docker", "podman, as root", "podman, as a user"} {
		out := a.Outputs[i+2]
		all := seen(t, out)
		require.Len(t, all, len(containers), "%s: %q", engine, out)
		usual := sees{"pid": "own", "mnt": "own", "uts": "own", "ipc": "own", "net": "own",
			"user": "host", "cgroup": "own", "time": "host"}
		rootless := engine == "podman, as a user"
		if v1 {
			usual["cgroup"] = "host"
		}
		if rootless {
			usual["user"] = "other" // one for all containers of a user
		}
		for n, r := range rows {
			want := maps.Clone(usual)
			switch ns := ofLesson[r.lesson]; {
			case r.lesson == "06-user" && (r.kind == "own" || rootless):
			case r.kind == "own" || r.kind == "host":
				want[ns] = r.kind
			case r.kind == "join":
				want[ns] = "other"
			}
			got := all[place[r]]
			t.Logf("%s: %s %s: %s %v", engine, r.lesson, r.use, r.words, got)
			assert.Equal(t, want, got, "%s: %s %s: %s", engine, r.lesson, r.use, r.words)
			q, ok := questions[r.lesson+" "+r.use]
			switch number := fmt.Sprintf("%d: ", n+1); {
			case !ok:
			case rootless && (v1 && r.lesson == "08-cgroups" || r.words == "" || strings.HasSuffix(r.words, "=bridge")):
				// A user's cgroup of v1 has no limits, slirp4netns makes no veth pair, and
				// where the kernel lets a user mount no overlay, the layers are copied.
			default:
				line := slices.IndexFunc(out, func(line string) bool { return strings.HasPrefix(line, number) })
				require.Positive(t, line, "%s: no answer to %s: %q", engine, q[0], out)
				assert.Regexp(t, q[1], strings.TrimPrefix(out[line], number), "%s: %s", engine, q[0])
			}
		}
	}
	remapped := seen(t, a.Outputs[7])
	require.Len(t, remapped, 2, "%q", a.Outputs[6:])
	assert.Equal(t, "own", remapped[0]["user"])
	assert.Equal(t, "host", remapped[1]["user"])
}

// hostOfEngines is what they could leave on this machine. That no process is in their
// cgroups, and these are gone, startMachine sees when it removes what is above.
func hostOfEngines(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `ip -o link | sed 's/ state .*//'; ip rule; nft list ruleset
		cat /proc/self/mountinfo /proc/sys/net/ipv4/ip_forward; grep -o '^br_netfilter' /proc/modules
		find /sys/fs/cgroup -type d '(' -name 'docker*' -o -name 'libpod*' -o -name "nsl-$PPID-*" ')'
		cat /proc/[0-9]*/comm 2>/dev/null | grep -E '^(dockerd|containerd|conmon|slirp4netns|docker-proxy)' | sort`).CombinedOutput()
	require.NotEmpty(t, out, err)
	return strings.Split(string(out), "\n")
}
