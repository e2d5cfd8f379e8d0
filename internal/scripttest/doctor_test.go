//go:build linux

package scripttest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// doctorUser is an ordinary user: a uid needs no account.
const doctorUser = "54321"

// doctorReport is what doctor.sh --json prints.
type doctorReport struct {
	Ready   bool
	Lessons []doctorLesson
	Notes   []struct{ Note, Fix string }
	Machine map[string]string
	Tried   map[string]string
}

type doctorLesson struct{ Lesson, Status, Reason, Fix string }

// note returns the line to type that a note gives.
func (r doctorReport) note(about string) string {
	for _, n := range r.Notes {
		if strings.Contains(n.Note, about) {
			return n.Fix
		}
	}
	return ""
}

// moreRights is the advice where rights are missing: only a container can be started with
// more.
func (r doctorReport) moreRights(lesson string) string {
	if strings.HasPrefix(r.Machine["inside"], "container no,") {
		return "scripts/sandbox.sh bin/" + lesson
	}
	return "start the container with --privileged"
}

// statuses returns those of the lessons, each time that they change: "01 ready, 06 not
// here".
func (r doctorReport) statuses() string {
	var list []string
	last := ""
	for _, l := range r.Lessons {
		if l.Status != last {
			list = append(list, l.Lesson[:2]+" "+l.Status)
		}
		last = l.Status
	}
	return strings.Join(list, ", ")
}

// doctorMachine is a situation for doctor.sh: a command that makes it, and runs a command
// in it.
type doctorMachine struct {
	wrap []string
	env  []string
	// root makes the same situation for what needs sudo; nil if nobody can
	root []string
}

// doctorIn makes a situation by a shell script, in new namespaces. A network namespace is
// always among them: nothing happens in the machine's own.
func doctorIn(setup string, flags ...string) doctorMachine {
	wrap := append([]string{"unshare", "--net", "--mount"}, flags...)
	return doctorMachine{wrap: append(wrap,
		"bash", "-euc", setup+"\n"+`exec "$@"`, "bash")}
}

// then runs commands in the situation through the given one.
func (m doctorMachine) then(command ...string) doctorMachine {
	m.root = m.wrap
	m.wrap = append(slices.Clone(m.wrap), command...)
	return m
}

// asUser is the situation of an ordinary user, with this PATH.
func (m doctorMachine) asUser(path string) doctorMachine {
	m.env = append(m.env, "PATH="+path)
	return m.then("setpriv", "--reuid="+doctorUser, "--regid="+doctorUser,
		"--clear-groups")
}

// run returns the output and the exit status of a command in the situation.
func (m doctorMachine) run(t *testing.T, wrap []string, command ...string) (
	stdout, stderr string, status int,
) {
	t.Helper()
	cmd := by(exec.Command(command[0], command[1:]...), wrap...)
	cmd.Env = append(checkEnv(), m.env...)
	return compareRun(t, in("/", cmd))
}

func doctorScript() string { return doctorDir + "/scripts/doctor.sh" }

// doctorCover makes cover for a room of doctor.sh.
func doctorCover() string { return fmt.Sprintf("%s repo=%q\n", cover, doctorDir) }

// report runs doctor.sh --json and reads what it prints.
func (m doctorMachine) report(t *testing.T) doctorReport {
	t.Helper()
	return m.reportOf(t, doctorScript())
}

func (m doctorMachine) reportOf(t *testing.T, script string) doctorReport {
	t.Helper()
	out, errs, status := m.run(t, m.wrap, "bash", script, "--json")
	var r doctorReport
	require.NoError(t, json.Unmarshal([]byte(out), &r), "%s%s", out, errs)
	assert.Empty(t, errs)
	require.Len(t, r.Lessons, len(checkLessons))
	want := 1
	if r.Ready {
		want = 0
	}
	assert.Equal(t, want, status)
	for _, l := range r.Lessons {
		assert.Contains(t, []string{"ready", "ready with sudo", "not tried", "not here"}, l.Status)
		if l.Status == "not here" {
			assert.False(t, r.Ready)
			assert.NotEmpty(t, l.Reason, l.Lesson)
			assert.NotEmpty(t, l.Fix, l.Lesson)
		}
	}
	if strings.Contains(r.statuses(), "not here") {
		assert.Equal(t, "scripts/sandbox.sh", r.note("virtual machine"))
	}
	return r
}

// agrees runs each lesson in the situation, which is the most important test: a lesson
// that is ready runs, by the line that doctor.sh gives; one that is not fails, and says
// hint.
func (m doctorMachine) agrees(t *testing.T, r doctorReport, hint string) {
	t.Helper()
	for _, l := range r.Lessons {
		wrap, status := m.wrap, 0
		switch l.Status {
		case "not tried":
			continue
		case "ready with sudo":
			_, _, status := m.run(t, m.wrap, doctorCommand("bin/"+l.Lesson)...)
			assert.NotZero(t, status, "%s runs without sudo", l.Lesson)
			wrap = m.root
		case "not here":
			l.Fix, status = "", 125
		}
		command := doctorCommand("bin/" + l.Lesson)
		if strings.Contains(l.Fix, "bin/") {
			command = doctorCommand(l.Fix)
		}
		_, errs, got := m.run(t, wrap, command...)
		assert.Equal(t, status, got, "%s %q: %s", l.Lesson, command, errs)
		if status != 0 {
			assert.Contains(t, errs, hint, l.Lesson)
		}
	}
}

// doctorCommand turns a line of doctor.sh into one that runs here: with the lessons and the
// root that were built for the tests, and a command.
func doctorCommand(line string) []string {
	var command []string
	for _, word := range strings.Fields(line) {
		switch {
		case word == "sudo":
		case strings.HasPrefix(word, "bin/0"):
			command = append(command, filepath.Join(doctorDir, word))
			if word > "bin/07" {
				command = append(command, "-rootfs", doctorDir+"/rootfs")
			}
		default:
			command = append(command, word)
		}
	}
	return append(command, "true")
}

// doctorDir is where a test of the doctor has the lessons, a root for them, and a sudo of
// its own. These tests run one after the other.
var doctorDir string

// doctorBuild makes such a directory, to last for a test. It is below /var/tmp, since
// tests mount a /tmp of their own.
func doctorBuild(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "nsl.doctor-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755)) // for the ordinary user
	script := `umask 022; mkdir -p "$1"/{bin,sudo} "$1"/rootfs/{bin,proc,sys,dev,tmp}
		cp -r ../../scripts "$1/" # where an ordinary user may read it
		cp "$(type -p busybox)" "$1/rootfs/bin/busybox"
		for name in sh sleep true; do ln -s busybox "$1/rootfs/bin/$name"; done
		cp "$2"/0* "$1/bin/"`
	done(t, exec.Command("bash", "-euc", script, "bash", dir, lessonsBin(t)))
	return dir
}

func TestDoctor(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	doctorDir = doctorBuild(t)
	for name, test := range map[string]func(*testing.T){
		"Root": doctorTestRoot, "Text": doctorTestText, "User": doctorTestUser,
		"Notes": doctorTestNotes, "Unbuilt": doctorTestUnbuilt,
		"ChangesNothing": doctorTestChangesNothing,
	} {
		t.Run(name, test)
	}
}

// doctorHide is a setup that hides these tools.
func doctorHide(tools string) string {
	return "for dir in $(type -ap " + tools + ` | xargs dirname | xargs readlink -f | sort -u); do
		over=$(mktemp -d); mount -t tmpfs none $over; mkdir $over/upper $over/work
		mount -t overlay -o lowerdir=$dir,upperdir=$over/upper,workdir=$over/work none $dir
		umount -l $over; rmdir $over; (cd $dir; rm -f ` + tools + `)
	done`
}

// doctorSudo returns a PATH with this shell script as sudo.
func doctorSudo(t *testing.T, script string) string {
	t.Helper()
	sudo := filepath.Join(doctorDir, "sudo", "sudo")
	t.Cleanup(func() { assert.NoError(t, os.Remove(sudo)) })
	require.NoError(t, os.WriteFile(sudo, []byte("#!/bin/sh\n"+script), 0o755))
	return filepath.Dir(sudo) + ":" + os.Getenv("PATH")
}

const doctorAsks = "echo 'sudo: a password is required' >&2\nexit 1\n"

func doctorTestRoot(t *testing.T) {
	m := doctorIn("")
	before := doctorCPUTime(t)
	r := m.report(t)
	assert.Less(t, doctorCPUTime(t)-before, 2500*time.Millisecond,
		"5 s and more on two CPUs that others use, too")
	assert.Equal(t, "01 ready", r.statuses())
	assert.Equal(t, "accept", r.Tried["root.is.forward"])
	m.agrees(t, r, "")

	out, errs, _ := m.run(t, m.wrap, doctorScript(), "7")
	assert.Equal(t, "07-pivot-root: ready: in the directory of rootfs\n  cd '"+doctorDir+"'\n", out, errs)
}

// doctorCPUTime returns the CPU time of the test's children so far.
func doctorCPUTime(t *testing.T) time.Duration {
	t.Helper()
	var used unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_CHILDREN, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// The report to read has ten facts, no line that is too long, and no colour in a pipe.
func doctorTestText(t *testing.T) {
	t.Parallel()
	m := doctorIn("")
	out, errs, status := m.run(t, m.wrap, doctorScript())
	assert.Zero(t, status)
	assert.Empty(t, errs)
	assert.NotContains(t, out, "\x1b")
	assert.Regexp(t, `(?m)^01-pid +ready$`, out)
	_, facts, _ := strings.Cut(out, "paste into a bug report:\n")
	assert.Len(t, regexp.MustCompile(`(?m)^  \w`).FindAllString(facts, -1), 10)

	// On a terminal it is in colour, and nowhere longer than a projector.
	m = doctorIn("mount -t tmpfs none /proc/fs", "--pid", "--fork", "--mount-proc")
	m.env = []string{"TERM=xterm"}
	out, _, _ = m.run(t, m.wrap, "script", "-qc", doctorScript(), "/dev/null")
	assert.Contains(t, out, "\x1b[31mnot here")
	out = regexp.MustCompile("\x1b\\[[0-9]*m|\r").ReplaceAllString(out, "")
	for _, line := range strings.Split(out, "\n") {
		assert.LessOrEqual(t, len(line), 100, line)
	}
}

func doctorTestUser(t *testing.T) {
	t.Parallel()
	t.Run("without sudo", func(t *testing.T) {
		m := doctorIn(doctorHide("sudo")).asUser(os.Getenv("PATH"))
		r := m.report(t)
		assert.Equal(t, "01 not here, 06 ready, 08 not here", r.statuses())
		assert.Equal(t, "needs root (there is no sudo)", r.Lessons[0].Reason)
		assert.Equal(t, "su -c 'bin/01-pid'", r.Lessons[0].Fix)
		assert.Equal(t, "unknown, not root", r.Tried["user.is.forward"])
		assert.Contains(t, r.note("Nothing was tried as root"), "doctor.sh")
		assert.Equal(t, "bin/06-user -net=lo", r.note("You are not root here: begin with 06-user"))
		m.agrees(t, r, "")
	})

	t.Run("sudo asks for a password", func(t *testing.T) {
		dir := t.TempDir()
		// A /tmp of their own, so that the user's sudo has a place to write to.
		m := doctorIn(doctorCover() + "cover /tmp '--bind " + dir + "'; chmod 1777 /tmp").
			asUser(doctorSudo(t, "printf '%s\\n' \"$*\" >>/tmp/calls\n"+doctorAsks))
		r := m.report(t)
		assert.Equal(t, "01 not tried, 06 ready, 08 not tried", r.statuses())
		assert.Equal(t, "sudo -v", r.Lessons[0].Fix)
		assert.Contains(t, r.Lessons[0].Reason, "sudo, not tried: it asks for a password")
		assert.Empty(t, r.note("You are not root here"))
		text := nstest.Read(t, dir, "calls")
		for _, call := range strings.Split(strings.TrimSpace(text), "\n") {
			assert.Regexp(t, `^-n `, call, "it would have asked for a password")
		}
	})

	// Each kind of sudo has its own words for a password, and for no.
	t.Run("kinds of sudo", func(t *testing.T) {
		for said, want := range map[string]string{
			"sudo: interactive authentication is required": "01-pid: not tried: needs root (sudo, not tried: it asks for a password)\n  sudo -v\n",
			"doas: Authentication required":                "01-pid: not tried: needs root (sudo, not tried: it asks for a password)\n  sudo -v\n",
			"sudo: The \"no new privileges\" flag is set, which prevents sudo from running as root.": "01-pid: not here: needs root (" +
				"sudo: The \"no new privileges\" flag is set, which prevents sudo from running as root.)\n  su -c 'bin/01-pid'\n",
			"guest is not allowed to run sudo on hotel": "01-pid: not here: needs root (guest is not allowed to run sudo on hotel)\n  su -c 'bin/01-pid'\n",
		} {
			sudo := filepath.Join(t.TempDir(), "sudo")
			require.NoError(t, os.WriteFile(sudo, []byte("#!/bin/sh\necho '"+said+"' >&2\nexit 1\n"), 0o755))
			require.NoError(t, os.Chmod(filepath.Dir(sudo), 0o755))
			require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(sudo)), 0o755))
			m := doctorIn("").asUser(filepath.Dir(sudo) + ":" + os.Getenv("PATH"))
			out, errs, status := m.run(t, m.wrap, doctorScript(), "01")
			assert.Equal(t, want, out, errs)
			assert.Equal(t, 1, status)
		}
	})

	t.Run("doas", func(t *testing.T) {
		doas := filepath.Join(t.TempDir(), "doas")
		require.NoError(t, os.WriteFile(doas, []byte("#!/bin/sh\n[ \"$1\" = -n ] && shift\n"+
			"exec setpriv --reuid=0 --regid=0 --clear-groups \"$@\"\n"), 0o755))
		require.NoError(t, os.Chmod(filepath.Dir(doas), 0o755))
		require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(doas)), 0o755))
		m := doctorIn(doctorHide("sudo")).asUser(filepath.Dir(doas) + ":" + os.Getenv("PATH"))
		m.wrap = append(m.wrap, "--inh-caps=+setuid,+setgid", "--ambient-caps=+setuid,+setgid")
		out, errs, status := m.run(t, m.wrap, doctorScript(), "3")
		assert.Equal(t, "03-uts: ready with doas: doas bin/03-uts\n", out, errs)
		assert.Zero(t, status)
	})

	// This sudo works for a user who has the capability to become root.
	t.Run("sudo does not ask", func(t *testing.T) {
		m := doctorIn("").asUser(doctorSudo(t, "[ \"$1\" = -n ] && shift\n"+
			"exec setpriv --reuid=0 --regid=0 --clear-groups \"$@\"\n"))
		m.wrap = append(m.wrap, "--inh-caps=+setuid,+setgid",
			"--ambient-caps=+setuid,+setgid")
		r := m.report(t)
		assert.Equal(t, "01 ready with sudo, 06 ready, 08 ready with sudo", r.statuses())
		assert.Equal(t, "accept", r.Tried["root.is.forward"])
		assert.Equal(t, "this cgroup is not yours to divide", r.Lessons[7].Reason)
		m.agrees(t, r, "")
	})

	t.Run("doctor run by sudo", doctorTestRunBySudo)
}

// doctorTestRunBySudo checks what the doctor says if a user starts it by sudo.
func doctorTestRunBySudo(t *testing.T) {
	m := doctorIn("")
	m.env = []string{"SUDO_UID=" + doctorUser, "SUDO_GID=" + doctorUser}
	r := m.report(t)
	assert.Equal(t, "01 ready with sudo, 06 ready, 08 ready with sudo", r.statuses())
	m.root = m.wrap
	m.wrap = append(m.wrap, "setpriv", "--reuid="+doctorUser, "--regid="+doctorUser,
		"--clear-groups")
	m.agrees(t, r, "")
}

// The same in a home that is closed to others. It is not a part of TestDoctor,
// whose parts would find their directory closed.
func TestDoctorClosedHome(t *testing.T) {
	nstest.NeedRoot(t)
	doctorDir = doctorBuild(t)
	uid, err := strconv.Atoi(doctorUser)
	require.NoError(t, err)
	require.NoError(t, os.Chown(doctorDir, uid, uid))
	require.NoError(t, os.Chmod(doctorDir, 0o700))
	doctorTestRunBySudo(t)
}

// doctorUnbuilt copies the scripts alone, and returns the doctor's.
func doctorUnbuilt(t *testing.T) string {
	t.Helper()
	repo := t.TempDir()
	out, err := exec.Command("cp", "-r", "../../scripts", "../../go.mod", repo).
		CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(repo, "scripts", "doctor.sh")
}

// Notes are about what does not keep a lesson from running. The lines to type are tried.
func doctorTestNotes(t *testing.T) {
	t.Parallel()
	m := doctorIn(doctorHide("lsns pivot_root ip") + "\n" + doctorBuilt("chmod a-x scripts/*.sh"))
	r := m.report(t)
	assert.Equal(t, "01 ready", r.statuses())
	assert.Contains(t, r.note("lsns ip"), "install")
	assert.Equal(t, "chmod a+x scripts/*.sh", r.note("are not executable"))

	assert.Empty(t, r.note("Go is not on your PATH"))
	r = doctorIn("").then("env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin").report(t)
	if path, err := exec.LookPath("go"); assert.NoError(t, err) && path == "/usr/local/go/bin/go" {
		assert.Equal(t, "PATH=$PATH:/usr/local/go/bin", r.note("Go is not on your PATH"))
	}

	m = doctorIn(`nft 'add table ip filter; add chain ip filter FORWARD {
		type filter hook forward priority 0; policy drop; }; add table inet f;
		add chain inet f in { type filter hook input priority 0; policy drop; }'`)
	r = m.report(t)
	assert.Equal(t, "01 ready", r.statuses())
	assert.Contains(t, r.Machine["network"], "FORWARD drop ip filter FORWARD")
	fix := r.note("FORWARD ip filter FORWARD")
	require.Regexp(t, "^nft ", fix, "root needs no sudo")
	out, errs, _ := m.run(t, m.wrap, "sh", "-c", fix+" && "+r.note("INPUT inet f in")+" && nft list ruleset")
	assert.Equal(t, 2, strings.Count(out, `iifname "nsl*" accept`), errs)

	// Containers get no answer: by a VPN that is asked before the main table, as
	// Tailscale's, by a setting, or by a rule. WireGuard's asks the main table first.
	const vpn = `ip link add d0 up type veth peer name d1; ip link set d1 up
		ip route add default dev d0 table 52; ip rule add pref 5270 lookup 52;`
	for setup, want := range map[string][2]string{
		vpn: {"to routing table 52,", "ip rule add to 10.200.0.0/16 lookup main priority 100"},
		"echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all": {"no ping", "sysctl net.ipv4.icmp_echo_ignore_all=0"},
		`nft 'add table inet f; add chain inet f in { type filter hook input priority 0; }
			add rule inet f in ct state established accept; add rule inet f in reject'`: {"something drops", "nft list ruleset"},
		vpn + "ip rule add pref 5269 lookup main suppress_prefixlength 0": {"answer", ""},
	} {
		m = doctorIn("ip link set lo up; " + setup)
		fix = m.report(t).note(want[0])
		assert.Equal(t, want[1], fix, setup)
		if strings.HasPrefix(fix, "ip") || strings.HasPrefix(fix, "sysctl") {
			out, _, _ = m.run(t, m.wrap, "sh", "-c", fix+" >/dev/null; "+doctorScript()+" --json")
			assert.Contains(t, out, `"root.is.reach": "yes"`, fix)
		}
	}
}

// In a copy of the scripts alone, the doctor judges lessons by what they need.
func doctorTestUnbuilt(t *testing.T) {
	t.Parallel()
	script := doctorUnbuilt(t)
	r := doctorIn("for dir in /usr/local/go/bin $(dirname $(type -p go)); do "+
		"mount -t tmpfs none $dir; done").reportOf(t, script)
	assert.Equal(t, "01 ready", r.statuses())
	assert.Equal(t, "see go.dev/doc/install", r.note("There is no Go"))
	assert.Equal(t, "scripts/rootfs.sh", r.note("root filesystem"))
	assert.Contains(t, r.Machine["tools"], "Go none")

	r = doctorIn(doctorHide("ip pivot_root nft")).reportOf(t, script)
	assert.Equal(t, "01 ready", r.statuses())
	assert.Equal(t, "CGO_ENABLED=0 go build -o bin/ ./0*", r.note("not built"))

	m := doctorIn(doctorHide("unshare")).then("setarch", "--uname-2.6")
	r = m.reportOf(t, script)
	assert.Equal(t, "01 not here", r.statuses())
	assert.Contains(t, r.Lessons[0].Reason, "no unshare")
	assert.Contains(t, r.Lessons[0].Fix, "util-linux")
	assert.Contains(t, r.Lessons[6].Reason, "does not have that system call, Linux 5.12 does: mount_setattr")

	// A VPN's wide route takes no subnet.
	r = doctorIn("ip link set lo up; ip route add 10.0.0.0/8 dev lo; ip route add 0.0.0.0/1 dev lo; "+
		"ip address add 10.200.0.1/30 dev lo").reportOf(t, script)
	assert.Empty(t, r.Lessons[4].Fix)
}

func doctorHybrid(t *testing.T) bool {
	t.Helper()
	return strings.Contains(nstest.Read(t, "/proc/self/mountinfo"), " - cgroup cgroup ")
}

// In more or less restricted containers, what is ready runs and nothing else does.
func TestDoctorPodman(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	_, err := exec.LookPath("podman")
	require.NoError(t, err, "apt-get install podman")
	doctorDir = doctorBuild(t)
	const free, unmask = "--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL"
	// crun refuses a hybrid host whose cgroup v2 has a controller.
	m := doctorIn(`! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
		mkdir -p $0; mount -t tmpfs none $0
		mkdir -p $0/image/{usr,etc,proc,sys,dev,tmp,run,repo}
		for name in bin sbin lib lib64; do ln -s usr/$name $0/image/; done
		cp /etc/passwd /etc/group $0/image/etc
		printf '[engine]\ncgroup_manager="cgroupfs"\nevents_logger="file"\n' >$0/conf
		export CONTAINERS_CONF=$0/conf`)
	dir := doctorDir + "/podman"
	m.wrap[len(m.wrap)-1] = dir // $0
	for args, want := range map[string]string{
		"":                       "01 not here",
		unmask:                   "01 not here",
		free + " " + unmask:      "01 not here, 06 ready, 08 not here",
		"--cap-add=SYS_ADMIN":    "01 ready, 05 not here",
		"--privileged":           "01 ready",
		"--privileged --user=12": "01 not here, 06 ready, 08 not here",
		"--cap-add=SYS_ADMIN " + free + " " + unmask: "01 ready, 05 not here, 06 ready, 08 not here",
	} {
		run := append([]string{"podman", "--root", dir + "/root", "--runroot", dir + "/run",
			"--storage-driver=vfs", "run", "--rm", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--network=none", "--log-driver=none",
			"-v", "/usr:/usr:ro", "-v", "/etc/alternatives:/etc/alternatives:ro",
			"-v", doctorDir + ":/repo:ro", "-w", "/repo"}, strings.Fields(args)...)
		out, errs, _ := m.run(t, m.wrap, append(run, "--rootfs", dir+"/image:O", "bash", "-c",
			`for lesson in bin/0*; do $lesson true >/dev/null 2>&1; echo $?; done; scripts/doctor.sh --json`)...)
		lines := strings.SplitN(out, "\n", 9)
		var r doctorReport
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &r), out+errs)
		require.Len(t, r.Lessons, len(checkLessons))
		assert.Equal(t, want, r.statuses(), args)
		for i, l := range r.Lessons {
			assert.Equal(t, lines[i] == "0", l.Status == "ready" && l.Fix == "", "%s %s", args, l)
			assert.NotContains(t, l.Fix, "systemd-run")
		}
	}
}

// doctorCase is a condition that keeps one lesson from running.
type doctorCase struct {
	lesson string
	m      doctorMachine
	says   string // a regular expression for the first line
	fix    string // the line to type
	works  bool   // whether that makes it ready, where it is typed
}

// doctorBuilt returns a setup that gives the lessons a repository of their own,
// $repo, and runs a script there.
func doctorBuilt(script string) string {
	return "repo=" + doctorDir + "; mount --bind $repo $repo; over=$(mktemp -d)\n" +
		"mount -t tmpfs none $over; mkdir $over/upper $over/work\n" +
		"mount -t overlay -o lowerdir=$repo,upperdir=$over/upper,workdir=$over/work none $repo\n" +
		"umount -l $over; rmdir $over; cd $repo\n" + script + "; cd $repo"
}

// TestDoctorOne makes each condition, asks about one lesson, and types what the
// doctor says to type.
func TestDoctorOne(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	doctorDir = doctorBuild(t)
	user := []string{"--user", "--map-root-user", "--pid", "--fork", "--mount-proc"}
	more := doctorIn("").report(t).moreRights
	asks := doctorSudo(t, doctorAsks)
	// inject makes a system call fail, as a seccomp filter or a kernel does.
	inject := func(call, failure string) []string {
		return []string{"strace", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", "trace=" + call,
			"-e", "inject=" + call + ":error=" + failure}
	}
	for name, c := range map[string]doctorCase{
		"ready": {"03-uts", doctorIn(""), "^03-uts: ready$", "", true},
		"no proc": {"03", doctorIn("while umount -l /proc 2>/dev/null; do :; done", "--pid", "--fork"),
			"/proc is not mounted, or shows another", "mount -t proc proc /proc", true},
		"another proc": {"03", doctorIn("mount --make-rshared /; unshare --fork --pid --mount " +
			"--propagation unchanged mount -t proc proc /proc"),
			"/proc is not mounted, or shows another", "mount -t proc proc /proc", true},
		"limit 0": {"4", doctorIn("echo 0 >/proc/sys/user/max_ipc_namespaces", user...),
			"^04-ipc: not here: this machine has user.max_ipc_namespaces=0$",
			"sysctl user.max_ipc_namespaces=10000", true},
		"no user namespaces": {"6", doctorIn("echo 0 >/proc/sys/user/max_user_namespaces", user...),
			"^06-user: not here: this machine has user.max_user_namespaces=0$", "sysctl user.max_user_namespaces=10000", true},
		"limit reached": {"01", doctorIn("echo 1 >/proc/sys/user/max_pid_namespaces", user...),
			"^01-pid: not here: the limit user.max_pid_namespaces=1 is reached$",
			"sysctl user.max_pid_namespaces=10000", true},
		"open files": {"6", doctorIn("ulimit -S -n 5"), "open files", "ulimit -S -n 1024", true},
		"address space": {"6", doctorIn("ulimit -S -v 500000"),
			"^06-user: not here: Max address space is 512000000 ", "ulimit -S -v $(ulimit -H -v)", true},
		"Go's variables": {"6", doctorIn("export GOMEMLIMIT=1G"), "^06-user: not here: Go does not accept this as a size: GOMEMLIMIT=1G",
			"unset GOMEMLIMIT", true},
		"pids of the cgroup": {"6", doctorIn(doctorFewProcesses), "^06-user: not here: this cgroup may have 14 processes and threads",
			"", true},
		"proc noatime": {"6", doctorIn("mount -o remount,bind,noatime /proc", "--pid", "--fork", "--mount-proc"),
			"/proc is mounted noatime", "mount -o remount,bind,atime,diratime,relatime /proc", true},
		"sys nodiratime": {"7", doctorIn("mount -o remount,bind,nodiratime /sys"),
			"/sys is mounted nodiratime", "mount -o remount,bind,atime,diratime,relatime /sys", true},
		"proc read-only": {"6", doctorIn("mount -o remount,bind,ro /proc", "--pid", "--fork", "--mount-proc"),
			"/proc is read-only", "mount -o remount,bind,rw /proc", true},
		"covered proc": {"6", doctorIn("mount --bind -o ro /proc/sys /proc/sys; mount -t tmpfs none /proc/fs"),
			"a new /proc would show what is covered here: /proc/fs /proc/sys$", more("06-user"), false},
		"covered sys": {"7", doctorIn("mount -t tmpfs none /sys/kernel/mm"),
			"a new /sys would show what is covered here: /sys/kernel/mm$", more("07-pivot-root"), false},
		"sethostname refused": {"6", doctorIn("").then(inject("sethostname", "EPERM")...),
			"a seccomp filter forbids it .sethostname ", more("06-user"), false},
		"close_range refused": {"7", doctorIn("").then(inject("close_range", "ENOSYS")...),
			"a seccomp filter blocks this: close_range ", more("07-pivot-root"), false},
		"pivot_root refused": {"7", doctorIn("").then(inject("pivot_root", "EPERM")...),
			"a seccomp filter forbids it .pivot_root: ", more("07-pivot-root"), false},
		"old profile": {"7", doctorIn("").then(inject("openat2", "ENOSYS")...),
			"a seccomp filter blocks this: open proc in the new root: ", more("07-pivot-root"), false},
		"clone3 refused": {"8", doctorIn("").then(inject("clone3", "ENOSYS")...),
			"a seccomp filter blocks this: clone the child: ", more("08-cgroups"), false},
		"old kernel": {"7", doctorIn("").then(append([]string{"setarch", "--uname-2.6"}, inject("mount_setattr", "ENOSYS")...)...),
			"Linux 2.6.* does not have that system call, Linux 5.12 does: mount_setattr ", "scripts/sandbox.sh bin/07-pivot-root", false},
		"old kernel, and no matter": {"6", doctorIn("").then("setarch", "--uname-2.6"), "^06-user: ready$", "", false},
		"no mqueue file system": {"4", doctorIn("").then(inject("mount", "ENODEV:when=3")...),
			"this kernel has no such file system, see /proc/filesystems: mount .mqueue. ", "scripts/sandbox.sh bin/04-ipc", false},
		"mounts used up": {"7", doctorIn("").then(inject("mount", "ENOSPC:when=6")...),
			"the limit fs.mount-max=[0-9]+ is reached$", "sysctl fs.mount-max=1000000", false},
		"keys used up": {"7", doctorIn("").then(inject("keyctl", "EDQUOT")...),
			"you have as many keys as kernel.keys.root_maxkeys ",
			"sysctl kernel.keys.root_maxkeys=1000000 kernel.keys.root_maxbytes=25000000", false},
		"rootfs of another's": {"7", doctorIn(doctorBuilt("chmod 700 rootfs")).asUser(asks),
			"you may not enter rootfs$", "sudo chown -R " + doctorUser + " rootfs", false},
		"bin of another's": {"3", doctorIn(doctorBuilt("chmod 700 bin/*")).asUser(asks),
			"you may not read bin/03-uts$", "sudo chmod a+rx bin bin/*", false},
		"no_new_privs": {"3", doctorIn("").then("setpriv", "--no-new-privs").asUser(asks),
			"^03-uts: not here: needs root .no_new_privs is set", strings.Replace(more("03-uts"), "with --privileged", "without no-new-privileges", 1), false},
		"half routes": {"5", doctorIn("ip link set lo up; ip route add 0.0.0.0/1 dev lo; ip route add 128.0.0.0/1 dev lo"),
			"^05-net: ready$", "", false},
		"settings read-only": {"5", doctorIn("mount --bind -o ro /proc/sys /proc/sys"),
			"^05-net: ready: no veth pair to the host: /proc/sys is read-only", "bin/05-net -net=lo", false},
		"chroot": {"6", doctorIn(doctorChroot, "--pid", "--fork"), "a chroot may not make user namespaces", "scripts/sandbox.sh bin/06-user", false},
		"not the host's network": {"5", doctorIn("").then("unshare", "--user", "--map-root-user"),
			"^05-net: ready: no veth pair to the host: ", "bin/05-net -net=lo", false},
		"no CAP_SYS_ADMIN": {"1", doctorIn("").then("setpriv", "--bounding-set=-sys_admin").asUser(asks),
			"^01-pid: not here: root lacks CAP_SYS_ADMIN here", more("01-pid"), false},
		"read-only cgroups": {"8", doctorIn("for dir in $(awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo); do " +
			"mount -o remount,bind,ro $dir; done"), "the cgroups are read-only$", "", false},
		"no CPU controller": {"8", doctorIn("umount -R $(awk '/ - cgroup .*[, ]cpu(,|$)/ { print $5 }' /proc/self/mountinfo)"),
			"^08-cgroups: ready: no controller cpu ", "bin/08-cgroups -cpus max", false},
		"no CPU, memory, pids controllers": {"8", doctorIn("umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup"),
			"^08-cgroups: not here: no controller memory, pids, cpu in ", "scripts/sandbox.sh bin/08-cgroups", false},
		"no rootfs": {"7", doctorIn(doctorBuilt("mv rootfs other")),
			"there is no root filesystem", "scripts/rootfs.sh", true},
		"empty rootfs": {"8", doctorIn(doctorBuilt("mv rootfs other; mkdir rootfs")),
			"rootfs is empty", "scripts/rootfs.sh", true},
		"proc is a file": {"7", doctorIn(doctorBuilt("rmdir rootfs/proc; touch rootfs/proc")),
			"rootfs/proc is not a directory", "mv rootfs rootfs.old && scripts/rootfs.sh", true},
		"dev is a link": {"7", doctorIn(doctorBuilt("rmdir rootfs/dev; ln -s /etc rootfs/dev")),
			"rootfs/dev is not a directory", "mv rootfs rootfs.old && scripts/rootfs.sh", true},
		"no programs in rootfs": {"7", doctorIn(doctorBuilt("rm -r rootfs/bin")),
			"a program in rootfs cannot be run", "mv rootfs rootfs.old && scripts/rootfs.sh", true},
		"proc missing": {"7", doctorIn(doctorBuilt("rmdir rootfs/proc")),
			"there is no directory rootfs/proc", "mv rootfs rootfs.old && scripts/rootfs.sh", false},
		"chmod": {"3", doctorIn(doctorBuilt("chmod a-x bin/*")),
			"bin/03-uts is not executable", "chmod a+x bin/*", true},
		"noexec": {"3", doctorIn(doctorBuilt("mount -o remount,bind,noexec .")),
			"noexec", "", false},
		"built for another machine": {"3", doctorIn(doctorBuilt("dd if=/dev/zero of=bin/03-uts bs=1 seek=18 count=2 conv=notrunc status=none")),
			"bin/03-uts was built for another machine", "CGO_ENABLED=0 go build -o bin/ ./0*", false},
		"no mqueue": {"4", doctorIn(doctorNoMqueue), "^04-ipc: ready: there is no /dev/mqueue", "mkdir /dev/mqueue", true},
		"no cgroups": {"8", doctorIn("umount -R /sys/fs/cgroup"),
			"no cgroup file system is mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup", false},
		"32 deep": {"6", doctorIn(`[[ ${deep:=0} -ge 40 ]] || { export deep=$((deep + 1))
			unshare --user --map-root-user true 2>/dev/null && exec unshare --user --map-root-user bash -euc "$BASH_EXECUTION_STRING" bash "$@"; }`),
			"namespaces are nested 32 deep here", "exit", false},
		"less CPU above": {"8", doctorIn(doctorLessCPU), "^08-cgroups: ready: a cgroup above this one has less CPU time$",
			"bin/08-cgroups -cpus max", false},
		"no memory controller": {"8", doctorIn(doctorNoMemory), "^08-cgroups: ready: no controller memory in ",
			"bin/08-cgroups -memory max", false},
		// The mount over /proc/cmdline keeps the lesson from mounting /proc. The case
		// above shows that it runs without the limit.
		"cgroup_disable=memory": {"8", doctorIn(doctorNoMemory + doctorRaspberry),
			"the kernel was started with cgroup_disable=memory. .* cgroup_enable=memory ", "", false},
		"pivot_root refused as by an initramfs": {"7", doctorIn("").then(inject("pivot_root", "EINVAL")...),
			"pivot_root: / is an initramfs, or the inside of a chroot$", "scripts/sandbox.sh bin/07-pivot-root", false},
		"Ubuntu": {"6", doctorIn(doctorSetting("apparmor_restrict_unprivileged_userns", "1")).asUser(asks),
			"^06-user: not tried: this machine has kernel.apparmor_restrict_unprivileged_userns=1; " +
				"sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 changes that until the next boot",
			"sudo -v", false},
		"Debian": {"7", doctorIn(doctorSetting("unprivileged_userns_clone", "0")).asUser(asks),
			"this machine has kernel.unprivileged_userns_clone=0; sudo sysctl kernel.unprivileged_userns_clone=1 ",
			"sudo -v", false},
		"nothing known": {"6", doctorIn("").then("strace", "-f", "-qq", "-o", "/dev/null",
			"-e", "trace=mount", "-e", "inject=mount:error=EPERM:when=2"),
			`^06-user: not here: forbidden .mount "proc" on "/proc", .* operation not permitted.$`, more("06-user"), false},
		"systemd gives a cgroup": {"8", doctorIn(doctorDelegated).asUser(doctorScope(t)),
			"^08-cgroups: ready: in a cgroup of its own$", "systemd-run --user --scope -p Delegate=yes bin/08-cgroups", false},
		"no CAP_NET_ADMIN": {"5", doctorIn("").then("setpriv", "--bounding-set=-net_admin"),
			"root lacks CAP_NET_ADMIN here", more("05-net"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if !doctorHybrid(t) && regexp.MustCompile("CPU|memory|systemd").MatchString(name) {
				nstest.Skip(t, nstest.OtherCgroups)
			}
			t.Parallel()
			c.check(t)
		})
	}
}

// doctorSetting imitates a kernel with this setting. The mount over the other settings
// keeps a user namespace from mounting /proc, as the setting would.
func doctorSetting(name, value string) string {
	return "mount -t tmpfs -o mode=755 none /proc/sys/kernel; echo " + value + " >/proc/sys/kernel/" + name
}

const doctorChroot = `root=$(mktemp -d); mount -t tmpfs none $root
	for f in /*; do
		if [[ -L $f ]]; then
			cp -P $f $root
		elif [[ -d $f && $f != /proc ]]; then
			mkdir $root/$f
			mount --rbind $f $root/$f
		fi
	done
	mkdir $root/proc
	mount -t proc proc $root/proc
	chroot $root "$@" && exit
	exit $? #`

const doctorNoMqueue = `mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; ln -s /proc/self/fd /dev/fd`

// doctorFewProcesses leaves too few processes for a lesson, and enough for the doctor.
const doctorFewProcesses = `while IFS=: read -r _ names path; do
		[[ $names == pids ]] && dir=/sys/fs/cgroup/pids$path || [[ -n $names ]] || dir=${dir:-/sys/fs/cgroup$path}
	done </proc/self/cgroup
	mkdir $dir/doctor_few-$PPID; echo $$ >$dir/doctor_few-$PPID/cgroup.procs; echo 14 >$dir/doctor_few-$PPID/pids.max
	trap 'echo $$ >$dir/cgroup.procs; rmdir $dir/doctor_few-$PPID' EXIT; "$@"; exit #`

// doctorLessCPU makes a cgroup with a fifth of a CPU: v1 refuses more than that below it.
const doctorLessCPU = `dir=$(awk '/ - cgroup .*[, ]cpu(,|$)/ { print $5 }' /proc/self/mountinfo)
	dir+=$(sed -n 's/^[0-9]*:\(.*,\)\?cpu[,:]\(.*:\)\?//p' /proc/self/cgroup)
	mkdir $dir/doctor_cpu-$PPID; echo 20000 >$dir/doctor_cpu-$PPID/cpu.cfs_quota_us
	echo $$ >$dir/doctor_cpu-$PPID/cgroup.procs
	trap 'echo $$ >$dir/cgroup.procs; rmdir $dir/doctor_cpu-$PPID' EXIT; "$@"; exit #`

// doctorDelegated makes, in each tree of v1, a cgroup that belongs to the user.
const doctorDelegated = `mount -t tmpfs none /run; mkdir -p /run/systemd/system; dirs=()
	for name in memory pids cpu; do
		dir=$(awk '/ - cgroup .*[, ]'$name'(,|$)/ { print $5 }' /proc/self/mountinfo)
		dir+=$(sed -n 's/^[0-9]*:\(.*,\)\?'$name'[,:]\(.*:\)\?//p' /proc/self/cgroup)
		mkdir $dir/doctor_scope-$PPID; chown -R ` + doctorUser + ` $dir/doctor_scope-$PPID
		dirs+=($dir/doctor_scope-$PPID)
	done
	printf '%s\n' "${dirs[@]}" >/run/scope
	trap 'rmdir "${dirs[@]}"' EXIT; "$@"; exit #`

// doctorScope returns a PATH with a systemd-run that starts its command there.
func doctorScope(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(doctorDir, "scope")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "systemd-run"), []byte(`#!/bin/sh
		while :; do case $1 in -p) shift 2 ;; -*) shift ;; *) break ;; esac; done
		while read -r dir; do echo 0 >$dir/tasks || exit; done </run/scope
		exec "$@"
	`), 0o755))
	return dir + ":" + os.Getenv("PATH")
}

// doctorNoMemory takes away the controller for memory. On a Raspberry Pi, the kernel's
// command line says why it is missing.
const (
	doctorNoMemory = `umount $(awk '/ - cgroup .*[, ]memory(,|$)/ { print $5 }' /proc/self/mountinfo)` + "\n"

	doctorRaspberry = `line=$(mktemp); { tr -d '\n' </proc/cmdline; echo ' cgroup_disable=memory'; } >$line
	mount --bind $line /proc/cmdline; rm $line`
)

func (c doctorCase) check(t *testing.T) {
	const ask = `cd "$1"; bash scripts/doctor.sh "$2"`
	run := func(typed string) (string, string, int) {
		return c.m.run(t, c.m.wrap, "bash", "-c", typed+ask, "bash", doctorDir, c.lesson)
	}
	out, errs, status := run("")
	first, fix, _ := strings.Cut(out, "\n")
	fix = strings.TrimSpace(fix)
	assert.Regexp(t, c.says, first, errs)
	assert.NotContains(t, fix, "\n")
	if c.fix != "" || fix == "" {
		assert.Equal(t, c.fix, fix)
	}
	ready := regexp.MustCompile(`^0\d-[a-z-]+: ready`).MatchString(first)
	assert.Equal(t, ready, status == 0, out+errs)
	if strings.Contains(fix, "bin/0") && ready { // it is what runs the lesson
		out, errs, status = run("cd \"$1\" && " + fix + " true || exit\n")
		assert.Zero(t, status, out+errs)
	}
	if c.works && fix != "" {
		out, errs, status = run("{ " + fix + "; } >/dev/null\n")
		assert.Zero(t, status, out+errs)
		assert.Regexp(t, `^0\d-[a-z-]+: ready\n$`, out)
	}
}

// The doctor changes nothing: neither the mounts of a host whose / is shared nor its
// network, files, limits or cgroups, which are all the test's own here.
func doctorTestChangesNothing(t *testing.T) {
	const snapshot = `{ cat /proc/self/mountinfo; ip -d address; ip route show table all
		ip rule; nft list ruleset; find /tmp /run /dev -xdev
		for dir in $cgroups; do find $dir -type d; grep -r . $dir/*.max $dir/*limit*; done
		grep -r . /proc/sys/net/ipv4 /proc/sys/user; uname -n; ipcs; id; ls -A
	} 2>&1 | grep -v -e _expires -e tcp_fastopen_key`
	for _, propagation := range []string{"shared", "private"} {
		m := doctorIn(doctorCover() + `cover /tmp; mount -t tmpfs none /run
			export HOME=/tmp/home; mkdir /tmp/home; cd /tmp/home
			mount --make-r` + propagation + ` /
			cgroups=
			while IFS=: read -r _ name path; do
				for dir in /sys/fs/cgroup$path /sys/fs/cgroup/${name#name=}$path; do
					case $name in memory | pids | cpu | '') ;; *) continue ;; esac
					if [[ -e $dir/cgroup.procs ]]; then
						mkdir $dir/doctor_test-$$
						cgroups+="$dir/doctor_test-$$ "
						echo $$ >$dir/doctor_test-$$/cgroup.procs
						break
					fi
				done
			done </proc/self/cgroup
			snapshot() { ` + snapshot + `; }
			before=$(snapshot) status=0
			"$@" || status=$?
			after=$(snapshot)
			for dir in $cgroups; do
				echo $$ >$dir/../cgroup.procs
				rmdir $dir
			done
			if [[ $before != "$after" ]]; then
				diff <(echo "$before") <(echo "$after") >&2 || status=99
			fi
			exit $status #`)
		out, errs, status := m.run(t, m.wrap, doctorScript())
		assert.Zero(t, status, "%s%s", out, errs)
		assert.Contains(t, out, "/ "+propagation)
	}
}
