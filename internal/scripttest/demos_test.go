//go:build linux

package scripttest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// demos are the demonstrations, and what each must show: answers of the kernel that it
// gets only if it does what it says.
var demos = map[string][]string{
	"01-pid": {
		`^        NS TYPE +NPROCS +PID USER`, `PID 1, parent 0 +PID 1, parent 0`,
		`^ *[0-9]+ unshare --fork`, `^> pid `, `^NSpid: +[0-9]+ +1$`,
		`kill: .*No such process`, `^process 1 is still here$`,
		`^NSpid:( +[0-9]+){3} +1$`, `^neither is there$`,
		`Cannot allocate memory`,
	},
	"02-mount": {
		`^ +1 +0 sh$`, `^> mnt `, `^total 0 +total 0 +total 0$`,
		`^ +0 file$`, `(hello from one +){2}hello from one`,
		`^shared:[0-9]+ +shared:[0-9]+ +master:[0-9]+ +-$`,
		`^1 +1 +1 +0$`, `^from-shared$`, `^Error, do this: mount -t proc`,
	},
	"03-uts": {
		`^\S+ +room-1 +room-2$`, `^\S+ +room-9 +room-2$`, `^> uts `,
		`^\(none\) +lesson +\(none\)$`, `^prompt \[room-2\]#  hostname new$`,
		`^prompt \[new\]#  hostname new$`, `hostnamectl`,
	},
	"04-ipc": {
		`^0x[0-9a-f]+ [0-9]+ +0x[0-9a-f]+ 0 +0x[0-9a-f]+ 0$`, `^> ipc `,
		`Shared Memory Segments`, `Semaphore Arrays`, `^QSIZE:0`,
		`/dev/mqueue/nsl-letters.*No such file`,
		`(a page of one +){2}a page of one`,
		`I am room-1, it is \S+ +I am room-2, it is`, `ABSTRACT-CONNECT`,
	},
	"05-net": {
		`^lo +DOWN`, `Network is unreachable`, `^eth0@if[0-9]+ `,
		`^nsl[0-9]+@if2 `, `^> net `, `^default via 10\.200\.`,
		`^hello from room-1$`, `^hello from room-2$`, `Connection refused`,
		`^nsl1@`, `^nsl2@`, `^no answer$`, `^hello 203\.0\.113\.1$`,
		`policy drop`, `^I am room-1, it is `, `does not exist`,
	},
	"06-user": {
		`^uid=[1-9][^ ]* +uid=0\(root\) +uid=0\(root\)$`, `^> user `,
		`^ +0 +[1-9][0-9]* +1$`, `^made-inside: [1-9][0-9]* +made-inside: 0 `,
		`/etc/passwd: 65534`, `^allow +deny +deny$`, `setgroups failed`,
		"^(\\|-|`-)?[0-9]{10} +user ", `cannot set date`,
		`mknod: disk: Operation not permitted`, `RTNETLINK.*not permitted`,
		`must be root to change the host name|hostname.*not permitted`,
	},
	"07-pivot-root": {
		`^> user `, ` /tmp$`, `namespace1.txt +namespace2.txt`,
		`^/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin$`,
		`^/namespace1.txt$`, `^/in-jail.txt$`, `^bin .*namespace1.txt proc`,
	},
	"08-cgroups": {
		`^33554432$`, `^20$`, `^10000`, `^> cgroup `, `^> uts `, `^status 137$`,
		`^oom_kill [1-9]`, `can't fork: Resource temporarily`, `^max [1-9]`,
		`^nr_throttled [1-9]`, `/nsl-[0-9]+-`, `:/$`, `^pong from room-1$`,
		`docker run`, `^room-1$`, `:/\.\.`,
	},
}

// demoHost is a host for one demonstration: namespaces in which it can
// harm nobody, and where what it leaves behind can be seen. Its mounts are
// shared, as on every machine with systemd.
type demoHost struct {
	t    *testing.T
	pid  int
	mark string // in the environment of all that runs on this host
}

// newDemoHost makes a host with the scripts and the lessons in /mnt.
func newDemoHost(t *testing.T, bin string) *demoHost {
	t.Helper()
	nstest.NeedRoot(t)
	for _, tool := range []string{"socat", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			nstest.Skip(t, "needs "+tool+": scripts/test.sh installs it")
		}
	}
	repo := nstest.Repo(t)
	// Only 08-cgroups makes cgroups, which have the PID of the lesson in
	// their names: so note it.
	cmd := exec.Command("unshare", "--mount", "--uts", "--ipc", "--net",
		"--propagation", "private", "sh", "-ec", `
		for dir in /mnt /var/tmp /dev/shm; do
		  mount -t tmpfs -o mode=1777 tmpfs $dir
		done
		mkdir -p /dev/mqueue
		mount -t mqueue mqueue /dev/mqueue
		cp -r "$1/scripts" "$2" /mnt
		(cd "$1" && cp --parents 0*/quiz.md /mnt)
		if [ -e /mnt/bin/08-cgroups ]; then
		  mkdir /mnt/real
		  mv /mnt/bin/08-cgroups /mnt/real
		  printf '#!/bin/sh\necho $$ >>/mnt/launched\nexec /mnt/real/08-cgroups "$@"' \
		    >/mnt/bin/08-cgroups
		  chmod +x /mnt/bin/08-cgroups
		fi
		touch /mnt/launched
		chmod -R go+rX /mnt
		mount --make-rshared /
		ip link set lo up
		hostname demo-host
		echo ready
		read -r end`, "sh", repo, bin)
	begin(t, cmd)
	host := &demoHost{t, cmd.Process.Pid,
		fmt.Sprintf("NSL_TEST=%d-%d", os.Getpid(), cmd.Process.Pid)}
	before := host.state()
	require.Contains(t, before, "demo-host")
	require.Contains(t, before, "lo")
	t.Cleanup(func() {
		// The kernel removes the devices of a namespace some time after its end.
		for end := time.Now().Add(nstest.Patience); before != host.state() &&
			time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, before, host.state(), "the host is not as before")
	})
	return host
}

var built sync.Once

// lessonsBin is the directory of the built lessons, which is named bin.
func lessonsBin(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("NSTEST_BIN"); bin != "" {
		return bin
	}
	repo := nstest.Repo(t)
	built.Do(func() {
		build := exec.Command("sh", "-c", "CGO_ENABLED=0 go build -o bin/ ./0*")
		build.Dir = repo
		nstest.Printed(t, build)
	})
	return filepath.Join(repo, "bin")
}

// command returns a command on the host, with the rights of the user uid.
func (h *demoHost) command(uid int, args ...string) *exec.Cmd {
	all := []string{"-t", strconv.Itoa(h.pid), "-m", "-u", "-i", "-n"}
	if uid != 0 {
		id := strconv.Itoa(uid)
		all = append(all, "setpriv", "--reuid", id, "--regid", id, "--clear-groups")
	}
	cmd := exec.Command("nsenter", append(all, args...)...)
	cmd.Env = slices.DeleteFunc(checkEnv(), func(v string) bool { return strings.HasPrefix(v, "NSL_") })
	cmd.Env = append(cmd.Env, h.mark, "NSL_ALPINE="+alpineOrNone(h.t))
	return cmd
}

func alpineOrNone(t *testing.T) string {
	found, _ := filepath.Glob(filepath.Join(nstest.Repo(t), "../shared/alpine-minirootfs-*.tar.gz"))
	if len(found) == 0 {
		return "/nowhere.tar.gz" // fails at once, without a download
	}
	return found[0]
}

// demo is the command line of a demonstration, in a process group of its
// own, as on a terminal.
func (h *demoHost) demo(uid int, name string, args ...string) *exec.Cmd {
	cmd := h.command(uid, append([]string{"/mnt/scripts/" + name + ".sh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// state returns everything that a demonstration could leave behind.
func (h *demoHost) state() string {
	h.t.Helper()
	cmd := h.command(0, "sh", "-c", `
		hostname; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname
		cat /proc/sysvipc/msg /proc/sysvipc/sem /proc/sysvipc/shm
		ip -o link; ip -o address; ip route; nft list ruleset; ip netns
		cat /proc/self/mountinfo
		find /var/tmp /dev/shm /dev/mqueue /mnt -mindepth 1 | sort`)
	cmd.Env = os.Environ() // without the mark
	out, err := cmd.CombinedOutput()
	require.NoError(h.t, err, "%s", out)
	return string(out) + h.processes() + h.cgroups()
}

// processes that came from this host's demonstrations and still run.
func (h *demoHost) processes() string {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(h.t, err)
	require.NotEmpty(h.t, environs)
	var found strings.Builder
	for _, file := range environs {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, []byte(h.mark)) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			fmt.Fprintf(&found, "%s %q\n", file, line)
		}
	}
	return found.String()
}

// cgroups of lessons that this host's demonstrations have started.
func (h *demoHost) cgroups() string {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/mnt/launched", h.pid))
	require.NoError(h.t, err)
	var found strings.Builder
	for _, pid := range strings.Fields(string(list)) {
		out, _ := exec.Command("find", "/sys/fs/cgroup", "-name", "nsl-"+pid+"-*").Output()
		found.Write(out) // it fails if some disappear meanwhile
	}
	return found.String()
}

func TestDemoShowsWhatItShould(t *testing.T) {
	nstest.Slow(t)
	for name, points := range demos {
		t.Run(name+" as root", func(t *testing.T) {
			t.Parallel()
			requireDemo(t, name, 0, points)
		})
	}
	for _, name := range []string{"06-user", "07-pivot-root"} {
		t.Run(name+" as an ordinary user", func(t *testing.T) {
			t.Parallel()
			requireDemo(t, name, 12345, demos[name])
		})
	}
}

func requireDemo(t *testing.T, name string, uid int, points []string) {
	t.Helper()
	h := newDemoHost(t, lessonsBin(t))
	out := done(t, h.demo(uid, name, "--auto"))
	for _, point := range points {
		assert.Regexp(t, "(?m)"+point, out)
	}
	for _, line := range strings.Split(out, "\n") {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), 100, line)
		assert.NotContains(t, line, "\x1b")
		assert.NotContains(t, line, "\t")
	}
	assert.Contains(t, out, "All of this held on this machine.")
	// The prompt shows who types.
	if uid != 0 {
		assert.Contains(t, out, "\nhost$ ")
		assert.NotContains(t, out, "\nhost# ")
	}
}

// A launcher that does not do what its lesson says must not pass, and the demonstration
// must not do to the host what is meant for a container.
func TestDemoFailsOnABrokenLauncher(t *testing.T) {
	nstest.Slow(t)
	for name := range demos {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("that only runs the command", func(t *testing.T) {
				requireBroken(t, name, `
					while :; do
					  case $1 in
					  -net=*) shift ;;
					  -*) shift 2 ;;
					  *) break ;;
					  esac
					done
					exec "${@:-sh}"`, "expected", "seen")
			})
			t.Run("that cannot", func(t *testing.T) {
				requireBroken(t, name, "echo no way today >&2; exit 125",
					"expected", "no way today")
			})
			t.Run("that says nothing", func(t *testing.T) {
				requireBroken(t, name, "exit 0", "expected", "nothing")
			})
		})
	}
}

func requireBroken(t *testing.T, name, launcher string, messages ...string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	writeFile(t, "#!/bin/bash\n"+launcher, bin, name)
	require.NoError(t, os.Chmod(filepath.Join(bin, name), 0o755))
	h := newDemoHost(t, bin)
	out := fails(t, h.demo(0, name))
	for _, message := range messages {
		assert.Contains(t, out, message)
	}
	assert.NotContains(t, out, "All of this held")
}

// The lesson before has all namespaces but one.
func TestDemoMissesTheOneNamespace(t *testing.T) {
	before := map[string]string{"02-mount": "01-pid", "04-ipc": "03-uts"}
	for name, launcher := range before {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireBroken(t, name, fmt.Sprintf("exec %s/%s \"$@\"",
				lessonsBin(t), launcher), "expected", "namespace")
		})
	}
}

// A launcher that makes the namespaces and leaves out a step must not pass.
func TestDemoMissesAStep(t *testing.T) {
	nstest.Slow(t)
	const own = "exec unshare --fork --kill-child --pid "
	for name, launcher := range map[string]string{
		"02-mount": own + `--mount "$@"`, // no /proc
		"03-uts":   own + `--mount-proc --uts "$3"`,
		"05-net":   `while [[ $1 == -* ]]; do shift $((2 - $# % 2)); done; ` + own + `--mount-proc --uts --ipc --net sh`,
		"06-user":  own + `--mount --uts --ipc --net --user sh`, // no map
		// chroot instead of pivot_root
		"07-pivot-root": own + `--mount-proc --uts --ipc --net -r --root="$5" sh`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireBroken(t, name, launcher, "expected  ", "seen  ", "? scripts/doctor.sh")
		})
	}
}

// Whenever it is interrupted, it undoes what it has done.
func TestDemoInterrupted(t *testing.T) {
	nstest.Slow(t)
	for name := range demos {
		t.Run(name+" SIGTERM", func(t *testing.T) {
			t.Parallel()
			requireInterruptible(t, name, unix.SIGTERM, 3)
		})
		t.Run(name+" Ctrl-C", func(t *testing.T) {
			t.Parallel()
			requireInterruptible(t, name, unix.SIGINT, 7)
		})
	}
}

// requireInterruptible sends a signal once so many steps have begun: for
// SIGINT to the whole group, as a terminal does.
func requireInterruptible(t *testing.T, name string, sig unix.Signal, steps int) {
	t.Helper()
	h := newDemoHost(t, lessonsBin(t))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := h.demo(0, name)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	stop := context.AfterFunc(ctx, func() { unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	defer stop()

	var text strings.Builder
	buf := make([]byte, 512)
	for sent := false; ; {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		if !sent && strings.Count(text.String(), "\n\n") >= steps {
			sent = true
			target := cmd.Process.Pid
			if sig == unix.SIGINT {
				target = -target
			}
			require.NoError(t, unix.Kill(target, sig))
		}
		if err != nil {
			break
		}
	}
	cmd.Wait()
	// bash 5.2 may say 2: a signal that comes while it parses confuses it.
	require.Contains(t, []int{128 + int(sig), 2}, cmd.ProcessState.ExitCode(), text.String())
	require.NotContains(t, text.String(), "All of this held")
}

// On a terminal each command waits for Enter, and there are colours.
func TestDemoOnATerminal(t *testing.T) {
	const prompt = "host#\x1b[0m lsns"
	h := newDemoHost(t, lessonsBin(t))
	begin := func(env ...string) *nstest.Terminal {
		cmd := h.demo(0, "01-pid")
		cmd.Env = append(cmd.Env, "TERM=xterm")
		cmd.Env = append(cmd.Env, env...)
		return nstest.StartTerminal(t, cmd)
	}
	t.Run("Enter", func(t *testing.T) {
		x := begin("NO_COLOR=")
		x.Expect(prompt)
		h.requireReading("lsns -p")
		x.Type("\n")
		x.Expect(" pid ")
		watch(x, nil)
		require.Zero(t, x.Wait(), x.Screen())
		require.Contains(t, x.Screen(), "\x1b[1m")
	})
	t.Run("80 columns", func(t *testing.T) {
		cmd := h.command(0, "sh", "-c", "stty columns 80; exec /mnt/scripts/01-pid.sh")
		cmd.Env = append(cmd.Env, "NO_COLOR=1")
		x := nstest.StartTerminal(t, cmd)
		x.Expect("Press Enter to run")
		watch(x, nil)
		require.Zero(t, x.Wait(), x.Screen())
		require.Regexp(t, `(?m)^PID \d+, parent \d+ +PID 1, parent 0 +PID 1, parent 0\r$`, x.Screen())
		for _, line := range strings.Split(x.Screen(), "\r\n") {
			// Commands, and rows of lsns or ps, are not wrapped.
			if !regexp.MustCompile(`# |^ *\d+ `).MatchString(line) {
				assert.LessOrEqual(t, utf8.RuneCountInString(line), 80, line)
			}
		}
	})
	t.Run("Ctrl-C", func(t *testing.T) {
		x := begin("NO_COLOR=")
		x.Expect(prompt)
		x.Type("\n")
		x.Prompt("a to d: ", "a")
		x.Expect("bin/01-pid sh")
		x.Type("\n")
		x.Expect("one#") // the first container runs
		h.requireReading("its first command")
		x.Type("\x03")
		require.Equal(t, 130, x.Wait(), x.Screen())
	})
	t.Run("NO_COLOR", func(t *testing.T) {
		x := begin("NO_COLOR=1")
		x.Expect("host# lsns")
		h.requireReading("lsns -p")
		x.Type("\x03")
		require.Equal(t, 130, x.Wait(), x.Screen())
		require.NotContains(t, x.Screen(), "\x1b[")
	})
}

// When somebody closes the window, the terminal is gone, and with it the place for last
// words. The demonstration undoes what it has done all the same.
func TestDemoWindowClosed(t *testing.T) {
	h := newDemoHost(t, lessonsBin(t))
	cmd := h.demo(0, "01-pid")
	cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1")
	x := nstest.StartTerminal(t, cmd)
	x.Expect("host# lsns")
	h.requireReading("lsns -p")
	x.Close()
}

// requireReading waits until the demonstration reads what is typed: bash may
// miss a Ctrl-C that comes just before it does.
func (h *demoHost) requireReading(what string) {
	h.t.Helper()
	read := fmt.Sprintf("%d 0x0 ", unix.SYS_READ) // from descriptor 0
	nstest.Until(h.t, "it waits for Enter before "+what, func() bool {
		files, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil || !bytes.Contains(text, []byte(h.mark)) {
				continue
			}
			dir := filepath.Dir(file)
			call, _ := os.ReadFile(filepath.Join(dir, "syscall"))
			// The shells of its containers read, too, but from a pipe.
			from, _ := os.Readlink(filepath.Join(dir, "fd/0"))
			if strings.HasPrefix(string(call), read) && strings.Contains(from, "pts/") {
				return true
			}
		}
		return false
	})
}

// Without root and with a sudo that does not give it, it says what to type.
func TestDemoNeedsRoot(t *testing.T) {
	h := newDemoHost(t, lessonsBin(t))
	done(t, h.command(0, "sh", "-ec", `mkdir /mnt/scripts/fake
		printf '#!/bin/sh\nexec "$@"\n' >/mnt/scripts/fake/sudo
		chmod +x /mnt/scripts/fake/sudo`))
	for _, name := range []string{"01-pid", "02-mount", "03-uts", "04-ipc", "05-net"} {
		cmd := h.demo(12345, name)
		cmd.Env = append(cmd.Env, "PATH=/mnt/scripts/fake:"+os.Getenv("PATH"))
		fails(t, cmd, "needs root", "su -c")
	}
	done(t, h.command(0, "rm", "-r", "/mnt/scripts/fake"))
}

// In lesson 06, root is the only user and cannot become an ordinary one: the
// demonstration says so, and leaves nothing behind.
func TestDemoNeedsAUser(t *testing.T) {
	h := newDemoHost(t, lessonsBin(t))
	for _, name := range []string{"06-user", "07-pivot-root"} {
		out, status := output(t, h.command(12345, "unshare", "--user",
			"--map-root-user", "/mnt/scripts/"+name+".sh"))
		assert.Equal(t, 1, status, out)
		assert.Contains(t, out, "root cannot become one in here")
	}
}

// Where programs may not run, or limits are too low, the demonstration says so.
func TestDemoCannotRun(t *testing.T) {
	nstest.NeedRoot(t)
	for condition, want := range map[string]string{
		"for dir in /tmp /var/tmp; do cover $dir '-t tmpfs -o noexec,mode=1777 none'; done": "no program may be executed in /tmp: it is mounted noexec\n" +
			"  mount -o remount,exec /tmp\n",
		"ulimit -S -v 500000": "Max address space is 512000000 (ulimit -v), but Go needs 2147483648.\n" +
			"  ulimit -S -v $(ulimit -H -v)\n",
	} {
		cmd := exec.Command("unshare", "--mount", "bash", "-euc",
			"repo=$(realpath ../..)\n"+cover+condition+"; exec $repo/scripts/07-pivot-root.sh")
		cmd.Env = append(os.Environ(), "NSL_BIN=bin")
		out, status := output(t, cmd)
		require.Equal(t, "07-pivot-root.sh: "+want, out)
		require.Equal(t, 1, status)
	}
}

// Each place has its word, and a color that no other has, at a terminal alone.
func TestDemoColors(t *testing.T) {
	for setting, colored := range map[string]bool{"TERM=xterm": true, "NO_COLOR=1": false} {
		cmd := exec.Command("bash", "-c", `set -eu; source ../../scripts/lib/demo.sh; auto=yes
			for place in host one two lab "host one two"; do type_line "$place" true; done`)
		cmd.Env = append(os.Environ(), "TERM=xterm", setting)
		x := nstest.StartTerminal(t, cmd)
		require.Zero(t, x.Wait(), x.Screen())
		found := regexp.MustCompile(`(?m)^(?:\x1b\[([\d;]+)m)?(host|one|two|lab)[#$]`).FindAllStringSubmatch(x.Screen(), -1)
		require.Len(t, found, 4, "%q", x.Screen())
		colors := map[string]bool{}
		for _, m := range found {
			colors[m[1]] = true
		}
		if !colored {
			assert.NotContains(t, x.Screen(), "\x1b")
			continue
		}
		assert.Len(t, colors, 4, "%q", x.Screen())
		assert.NotContains(t, colors, "")
	}
}
