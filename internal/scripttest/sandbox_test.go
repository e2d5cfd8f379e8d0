//go:build linux

package scripttest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// sandbox is a run of scripts/sandbox.sh.
type sandbox struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

// newSandbox prepares a run. WaitDelay fails the run if a process that it
// started outlives it: that process would hold the output open.
func newSandbox(t *testing.T, args ...string) *sandbox {
	t.Helper()
	if testing.Short() {
		nstest.Skip(t, "-short leaves out the virtual machine")
	}
	repo := nstest.Repo(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	script := filepath.Join(repo, "scripts", "sandbox.sh")
	s := &sandbox{Cmd: exec.CommandContext(ctx, script, args...)}
	s.WaitDelay = 5 * time.Second
	s.Dir = repo
	s.Env = os.Environ()
	s.Stdout, s.Stderr = &s.stdout, &s.stderr
	return s
}

// freshCache gives the run a cache of its own, with nothing but the kernel, in a
// directory whose name the command line of a kernel could not hold. That name
// identifies its processes.
func (s *sandbox) freshCache(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "it's, a: cache")
	s.Env = append(s.Env, "XDG_CACHE_HOME="+dir)
	return withKernel(t, dir)
}

// gotKernel gets the kernel into the user's own cache, from a mirror, once.
var gotKernel sync.Once

// withKernel makes the sandbox's cache in a directory, with that kernel.
func withKernel(t *testing.T, dir string) (cache string) {
	t.Helper()
	home, err := os.UserCacheDir()
	require.NoError(t, err)
	gotKernel.Do(func() { newSandbox(t, "true").prints(t) })
	kernels, err := filepath.Glob(home + "/namespaces-sandbox/linux-" + runtime.GOARCH + "-*")
	require.NoError(t, err)
	cache = filepath.Join(dir, "namespaces-sandbox")
	require.NoError(t, os.MkdirAll(cache, 0o755))
	nstest.Printed(t, exec.Command("cp", append(append([]string{"-r"}, kernels...), cache)...))
	return cache
}

// oneWall runs it without the namespaces around its process.
func (s *sandbox) oneWall(t *testing.T) *sandbox {
	t.Helper()
	s.Env = append(s.Env, "PATH="+fakes(t, os.Getenv("PATH"), map[string]string{
		"bwrap": "echo no namespaces >&2; exit 1\n",
	}))
	return s
}

// status runs it and returns its exit status.
func (s *sandbox) status(t *testing.T) int {
	t.Helper()
	return exitOf(t, s.Cmd, &s.stderr)
}

// prints runs it, which has to succeed, and returns what it wrote to stdout.
func (s *sandbox) prints(t *testing.T) string {
	t.Helper()
	require.Zero(t, s.status(t), "%s%s", &s.stdout, &s.stderr)
	return s.stdout.String()
}

// inSandbox is the output of a shell script inside, by section: a line
// "== NAME" begins one. The script ends with that status.
func inSandbox(t *testing.T, s *sandbox, status int) map[string]string {
	t.Helper()
	require.Equal(t, status, s.status(t), "%s%s", &s.stdout, &s.stderr)
	sections := map[string]string{}
	for _, section := range strings.Split("\n"+s.stdout.String(), "\n== ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		sections[name] = strings.TrimSpace(text)
	}
	return sections
}

// sandboxProcesses are those with a cache directory in their environment,
// without zombies.
func sandboxProcesses(cache string) (found []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		environ, _ := os.ReadFile(dir + "/environ")
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		stat, _ := os.ReadFile(dir + "/stat")
		if bytes.Contains(environ, []byte("XDG_CACHE_HOME="+filepath.Dir(cache))) &&
			!bytes.Contains(stat, []byte(") Z ")) {
			found = append(found, filepath.Base(dir)+" "+
				strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}

// A start of the machine costs three seconds of CPU time. So each start tries many things,
// and ends with a different status.

const sandboxProbe = `
echo == id; id -u
echo == first; tr '\0' '\n' </proc/1/cmdline
echo == self; echo $PPID; grep CapEff /proc/self/status
echo == controllers; cat /sys/fs/cgroup/cgroup.subtree_control
echo == limits; ls /sys/fs/cgroup/user.slice/user-0.slice/session-1.scope
echo == group; cat /proc/self/cgroup
echo == mounts; cat /proc/self/mountinfo
echo == hostname; hostname; cat /proc/sys/kernel/hostname
echo == lo; cat /sys/class/net/lo/flags; ls /sys/class/net
echo == directory; pwd; ls
echo == ps; ps aux; ps -ef
echo == missing
for tool in lsns unshare ps ip ipcs ipcmk hostname bash mount nsenter setpriv \
  pivot_root findmnt capsh flock strace awk column busybox wget httpd; do
  command -v $tool >/dev/null || echo $tool
done
echo == modules
ip link add nsl0 type veth peer nsl1 && ip link add nslbr type bridge &&
  iptables -t nat -A POSTROUTING -j MASQUERADE && echo loaded
echo == pivot_root
for flags in --mount '--user --map-root-user --mount'; do
  unshare $flags bash -euc 'new=$(mktemp -d); mount -t tmpfs new $new
    mkdir $new/bin; cp /bin/busybox $new/bin; cd $new
    pivot_root . .; busybox umount -l .; busybox ls /'
done
echo == end
setsid sleep 1000 &
kill -KILL $$
`

func TestSandboxMachine(t *testing.T) {
	repo := nstest.Repo(t)
	s := newSandbox(t, "bash", "-c", sandboxProbe)
	// Processes that the command leaves behind hold its pipes, and stdin has no end: the
	// script ends all the same.
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	s.Stdin = r
	got := inSandbox(t, s, 128+9)
	gotKernel.Do(func() {})

	assert.Equal(t, "0", got["id"])
	assert.Contains(t, got["first"], "/init")
	assert.Contains(t, got["self"], "1\nCapEff:\t000001ffffffffff")
	assert.Equal(t, "cpu memory pids", got["controllers"])
	for _, file := range []string{"memory.max", "pids.max", "cpu.max"} {
		assert.Contains(t, got["limits"], file)
	}
	assert.Equal(t, "0::/user.slice/user-0.slice/session-1.scope", got["group"])
	assert.Equal(t, "sandbox\nsandbox", got["hostname"])
	assert.Equal(t, "0x9\nlo", got["lo"], "IFF_UP and IFF_LOOPBACK")
	assert.Regexp(t, "^"+repo+"\n(0.*\n)*bin\n(rootfs\n)?scripts$", got["directory"])
	assert.Regexp(t, `(?m)^root +1 +[0-9.]+ +[0-9.]+ `, got["ps"], "ps aux")
	assert.Regexp(t, `(?m)^root +1 +0 `, got["ps"], "ps -ef")
	assert.Contains(t, got, "missing")
	assert.Empty(t, got["missing"])
	assert.Equal(t, "loaded", got["modules"])
	// pivot_root(2) refuses the first root filesystem of a kernel, and unshare(2)
	// with CLONE_NEWUSER a process in a chroot: inside is neither.
	assert.Equal(t, "bin\nbin", got["pivot_root"])

	types := map[string]string{}
	for _, line := range strings.Split(got["mounts"], "\n") {
		mount, super, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		assert.Contains(t, mount, " shared:")
		types[fields[4]] = strings.Fields(super)[0]
	}
	assert.Equal(t, map[string]string{
		"/": "rootfs", "/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs",
		"/sys/fs/cgroup": "cgroup2", "/dev/pts": "devpts", "/run": "tmpfs",
		"/dev/shm": "tmpfs", "/dev/mqueue": "mqueue", "/var/tmp": "tmpfs",
	}, types)
}

func TestSandboxUser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sub", "it's a file")
	writeFile(t, "#!/bin/sh\nid -u\nstat -c %a /tmp\n", file)
	require.NoError(t, os.Chmod(file, 0o755))
	got := inSandbox(t, newSandbox(t, "--user", "--with", filepath.Dir(file), "bash", "-c", `
		echo == with; "$1"
		echo == id; id; echo $HOME; touch $HOME/file file && stat -c %U file
		echo == root; cat /etc/shadow /proc/1/environ 2>&1
		echo == namespaces; unshare -Urpmf --mount-proc bash -c 'echo $$; id -u'
		echo == scope; cat /proc/self/cgroup
		cd /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice
		echo == beside; mkdir limited && echo $BASHPID >limited/cgroup.procs &&
			echo 99 >limited/pids.max && cat limited/pids.max limited/cpu.max
		echo == below; cd run-1.scope && mkdir own &&
			echo +cpu +memory +pids >cgroup.subtree_control && cat own/memory.max
		echo == stolen; echo 5 2>&1 >../../pids.max; mkdir ../../../mine 2>&1
		exit 42`, "bash", file), 42)
	assert.Equal(t, "1000\n1777", got["with"])
	assert.Equal(t, "uid=1000(learner) gid=1000(learner) groups=1000(learner)\n"+
		"/home/learner\nlearner", got["id"])
	assert.Contains(t, got["root"], "Permission denied")
	assert.Equal(t, "1\n0", got["namespaces"])
	assert.Equal(t, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/"+
		"run-1.scope", got["scope"])
	assert.Equal(t, "99\nmax 100000", got["beside"])
	assert.Equal(t, "max", got["below"])
	assert.Regexp(t, "(?s)pids.max: Permission denied.*mine.*: Permission denied",
		got["stolen"])
}

// mmdebstrap mounts the host's /dev/shm in what it makes, and leaves it when it
// is killed. Nobody may see that mount, and nothing may be removed through it: by
// the run itself, or by the next one, which removes what a killed one has left.
func TestSandboxDebianInterrupted(t *testing.T) {
	precious := filepath.Join("/dev/shm", filepath.Base(t.TempDir()))
	require.NoError(t, os.WriteFile(precious, nil, 0o600))
	defer os.Remove(precious)
	cache := filepath.Join(t.TempDir(), "namespaces-sandbox")
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		s := newSandbox(t, "--debian", "bookworm", "true")
		s.Env = append(s.Env, "XDG_CACHE_HOME="+filepath.Dir(cache),
			"PATH="+fakes(t, os.Getenv("PATH"), map[string]string{
				"mmdebstrap": `for dir; do case $dir in */root) break ;; esac; done
					mkdir -p "$dir" && mount --bind /dev/shm "$dir" && echo mounted
					exec sleep 1000`,
			}))
		s.Stderr = nil
		stderr, err := s.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, s.Start())
		lines := bufio.NewScanner(stderr)
		for lines.Scan() && lines.Text() != "mounted" {
		}
		require.Equal(t, "mounted", lines.Text())
		mounts := nstest.Read(t, "/proc/self/mountinfo")
		assert.NotContains(t, mounts, filepath.Dir(cache))

		require.NoError(t, s.Process.Signal(signal))
		s.Wait()
		nstest.Until(t, "no process", func() bool {
			return len(sandboxProcesses(cache)) == 0
		})
		assert.FileExists(t, precious)
		left, err := filepath.Glob(cache + "/run.*")
		require.NoError(t, err)
		if signal == syscall.SIGKILL {
			assert.Equal(t, -1, s.ProcessState.ExitCode())
			assert.NotEmpty(t, left)
		} else {
			assert.Equal(t, 143, s.ProcessState.ExitCode())
			assert.Empty(t, left)
		}
	}
}

func TestSandboxStreams(t *testing.T) {
	args := []string{"a b", "it's", "new\nline", `\$x "`, "", "\x1b[1m", "*", "ä"}
	data := make([]byte, 70_000)
	rand.New(rand.NewSource(1)).Read(data)
	s := newSandbox(t, append([]string{"bash", "-c",
		`printf '%s|' "$@"; printf 'no newline\r' >&2; exec tee /dev/stderr`, "bash"}, args...)...)
	s.Stdin = bytes.NewReader(data)
	assert.Zero(t, s.status(t))
	out, inside := strings.CutPrefix(s.stdout.String(), strings.Join(args, "|")+"|")
	assert.True(t, inside, "%.100q", s.stdout.String())
	assert.True(t, out == string(data), "stdin to stdout")
	out, inside = strings.CutPrefix(s.stderr.String(), "no newline\r")
	assert.True(t, inside, "%.100q", s.stderr.String())
	assert.True(t, out == string(data), "stdin to stderr")

	// More than fits in any buffer, read late; then somebody stops reading.
	s = newSandbox(t, "sh", "-c", `head -c 400000 /dev/zero
		trap '' PIPE; while echo y || :; do :; done`)
	s.Path, s.Args = "/bin/bash", append([]string{"bash", "-c",
		`"$@" | (sleep 3; head -c 400000 | tr -d y | wc -c; head -n 1)
		echo "${PIPESTATUS[0]}"`, "bash"}, s.Args...)
	assert.Equal(t, "400000\ny\n141\n", s.prints(t), "as by SIGPIPE")
}

// Two that build their files at the same time, and run at the same time. And the
// second wall: had root inside the whole kernel, it would be in a process that can
// write to nothing of the host.
func TestSandboxTwoAtOnce(t *testing.T) {
	first, second := newSandbox(t), newSandbox(t)
	cache := first.freshCache(t)
	second.Env = append(second.Env, "XDG_CACHE_HOME="+filepath.Dir(cache))
	const script = `echo "$1" >/srv/name; hostname "$1"; echo ready; cat
		cat /srv/name; hostname; ls /srv; exit 3`
	runs := []*sandbox{first, second}
	var ends []io.Closer
	var lines []*bufio.Reader
	for i, s := range runs {
		s.Args = append(s.Args, "bash", "-c", script, "bash", strconv.Itoa(i))
		s.Stdout = nil
		stdin, err := s.StdinPipe()
		require.NoError(t, err)
		stdout, err := s.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, s.Start())
		ends, lines = append(ends, stdin), append(lines, bufio.NewReader(stdout))
	}
	for i, s := range runs {
		line, _ := lines[i].ReadString('\n')
		require.Equal(t, "ready\n", line, "%s", &s.stderr)
	}
	requireSecondWall(t, cache, len(runs))
	for i, s := range runs {
		ends[i].Close()
		out, err := io.ReadAll(lines[i])
		require.NoError(t, err)
		s.Wait()
		assert.Equal(t, 3, s.ProcessState.ExitCode(), "%s", &s.stderr)
		assert.Equal(t, fmt.Sprintf("%[1]d\n%[1]d\nname\n", i), string(out))
	}
	left, err := filepath.Glob(cache + "/run.*")
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.Empty(t, sandboxProcesses(cache))
}

// requireSecondWall looks at the processes that are the machines of a cache.
func requireSecondWall(t *testing.T, cache string, machines int) {
	t.Helper()
	kernels := 0
	for _, p := range sandboxProcesses(cache) {
		number, command, _ := strings.Cut(p, " ")
		pid, err := strconv.Atoi(number)
		require.NoError(t, err)
		if !strings.HasPrefix(command, "qemu-system-") {
			continue
		}
		kernels++
		assert.Equal(t, "0000000000000000", nstest.Status(t, pid, "CapEff"))
		assert.Equal(t, "1", nstest.Status(t, pid, "NoNewPrivs"))
		for kind, own := range nstest.Namespaces(t, pid) {
			if kind != "time" && kind != "cgroup" {
				assert.NotEqual(t, nstest.Namespaces(t, os.Getpid())[kind], own)
			}
		}
		for _, m := range nstest.Mounts(t, pid) {
			own := m.Type == "tmpfs" && m.Root == "/" ||
				m.Type == "tmpfs" && strings.HasPrefix(m.Root, "/newroot") ||
				strings.HasPrefix(m.Point, "/dev")
			assert.True(t, own || strings.HasPrefix(m.Options, "ro,"), "%v", m)
		}
	}
	assert.Equal(t, machines, kernels)
}

// hostile is what root inside tries on the host.
const hostile = `
mkdir /host; echo == host; mount -t 9p -o trans=virtio host /host 2>&1
mount -t virtiofs host /host 2>&1; ls /sys/class/net
echo == disk; echo HOSTILE | dd of=/dev/vda conv=notrunc 2>&1 >/dev/null
echo == done
echo 12345 >/proc/sys/kernel/pid_max; echo HOSTILE >/proc/sys/kernel/core_pattern
hostname hostile; date -s '2001-01-01'; ipcmk -Q; ip link add hostile type dummy
for device in b-8-0 b-253-0 b-254-0 b-259-0 b-98-16; do
  IFS=- read -r type major minor <<<$device
  mknod /tmp/disk $type $major $minor; echo HOSTILE >/tmp/disk; rm /tmp/disk
done
mount -o remount,rw /; chroot /proc/1/root rm -rf "$1"
rm -rf --no-preserve-root "$1" "$PWD" /usr/bin/*
echo b >/proc/sysrq-trigger
`

// The first wall, alone.
func TestSandboxHoldsRoot(t *testing.T) {
	precious := filepath.Join(t.TempDir(), "precious")
	writeFile(t, "not for you", precious, "file")
	for _, path := range []string{precious, precious + "/file"} {
		require.NoError(t, os.Chmod(path, 0o777))
	}
	kernel := func() string {
		out, err := exec.Command("bash", "-c", `cat /proc/sys/kernel/{hostname,pid_max}
			cat /proc/sys/kernel/core_pattern
			ls /sys/class/net | grep hostile; date +%Y`).Output()
		require.NoError(t, err)
		require.NotEmpty(t, out)
		return string(out)
	}
	files, before := snapshot(t, precious), kernel()

	s := newSandbox(t, "--with", precious, "bash", "-c", hostile, "bash", precious).oneWall(t)
	repo := snapshot(t, filepath.Join(s.Dir, "scripts"))
	assert.Equal(t, 125, s.status(t), "it pulls the plug")
	assert.Contains(t, s.stderr.String(), "not malice")
	assert.Contains(t, s.stderr.String(), "stopped before the command did")
	out := s.stdout.String()
	assert.Contains(t, out, "unknown filesystem type '9p'")
	assert.Contains(t, out, "unknown filesystem type 'virtiofs'")
	assert.Contains(t, out, "\nlo\n== disk")
	assert.Contains(t, out, "== done", "it got that far")
	assertUntouched(t, files, precious)
	assertUntouched(t, repo, filepath.Join(s.Dir, "scripts"))
	assert.Equal(t, before, kernel())
}

func TestSandboxAsOrdinaryUser(t *testing.T) {
	repo := nstest.Repo(t)
	dir := t.TempDir() // a checkout and home of that user
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	nstest.Printed(t, exec.Command("cp", "-r", repo+"/scripts", repo+"/bin", dir))
	withKernel(t, filepath.Join(dir, ".cache"))
	if nstest.Root() {
		nstest.Printed(t, exec.Command("chown", "-R", fmt.Sprint(nobody), dir+"/.cache"))
	}
	s := newSandbox(t, "bash", "-c", "id -u; stat -c %u . / bin /usr/bin/bash")
	s.Path, s.Dir = filepath.Join(dir, "scripts", "sandbox.sh"), dir
	s.Env = append(s.Env, "HOME="+dir, "XDG_CACHE_HOME=")
	if nstest.Root() {
		require.NoError(t, os.Chown(dir, nobody, nobody))
		s.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		}
	}
	assert.Equal(t, "0\n0\n0\n0\n0\n", s.prints(t))
	assert.Empty(t, s.stderr.String(), "it has both walls")
}

// Whatever ends it, and whenever: no process is left, and no file except for the cache. If
// it was killed, the next run cleans up.
func TestSandboxInterrupted(t *testing.T) {
	home := t.TempDir()
	cache := withKernel(t, home)
	for _, test := range []struct {
		signal syscall.Signal
		status int
		moment string
		walls  int
	}{ // one trap has all signals but SIGKILL
		{syscall.SIGINT, 130, "build", 2}, {syscall.SIGKILL, -1, "build", 2},
		{syscall.SIGHUP, 129, "boot", 1}, {syscall.SIGKILL, -1, "boot", 2},
		{syscall.SIGTERM, 143, "run", 2}, {syscall.SIGKILL, -1, "run", 1},
	} {
		t.Run(fmt.Sprintf("%s at %s, %d walls", test.signal, test.moment, test.walls),
			func(t *testing.T) {
				s := newSandbox(t, "sh", "-c", "echo running; sleep 1000")
				if test.walls == 1 {
					s.oneWall(t)
				}
				s.Env = append(s.Env, "XDG_CACHE_HOME="+home)
				s.interrupt(t, cache, test.signal, test.status, test.moment)
				if test.signal != syscall.SIGKILL {
					left, err := filepath.Glob(cache + "/run.*")
					require.NoError(t, err)
					assert.Empty(t, left)
				}
			})
	}
	s := newSandbox(t, "no-such-command")
	s.Env = append(s.Env, "XDG_CACHE_HOME="+home)
	assert.Equal(t, 127, s.status(t))
}

// interrupt starts it and ends it by a signal, at a moment.
func (s *sandbox) interrupt(
	t *testing.T, cache string, signal syscall.Signal, status int, moment string,
) {
	t.Helper()
	memory := names(t, "/dev/shm")
	stdin, w, err := os.Pipe() // that does not end
	require.NoError(t, err)
	defer w.Close()
	s.Stdin = stdin
	s.Stdout = nil
	stdout, err := s.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.Start())

	switch moment {
	case "build":
		nstest.Until(t, "a tree half built", func() bool {
			found, _ := filepath.Glob(cache + "/run.*/tree/usr/bin/*")
			return len(found) > 3
		})
	case "boot":
		nstest.Until(t, "a kernel", func() bool {
			return strings.Contains(fmt.Sprint(sandboxProcesses(cache)), " qemu-system-")
		})
	case "run":
		_, err = stdout.Read(make([]byte, 8))
		require.NoError(t, err)
	}
	require.NoError(t, s.Process.Signal(signal))
	started := time.Now()
	s.Wait()
	if signal != syscall.SIGKILL {
		assert.Less(t, time.Since(started), nstest.Patience)
	}
	assert.Equal(t, status, s.ProcessState.ExitCode(), "%s", &s.stderr)
	assert.Eventually(t, func() bool { return len(sandboxProcesses(cache)) == 0 },
		nstest.Patience, 100*time.Millisecond, "a process stays")
	assert.Empty(t, sandboxProcesses(cache))
	assert.Equal(t, memory, names(t, "/dev/shm"))
}

func TestSandboxTerminal(t *testing.T) {
	s := newSandbox(t, "--user")
	s.Stdout, s.Stderr = nil, nil
	// It leaves the terminal as it was: a shell on it is still usable.
	s.Path, s.Args = "/bin/bash", append([]string{"bash", "-c", `before=$(stty -g)
		"$@" || status=$?; [[ $(stty -g) == "$before" ]] && exit "$status"`, "bash"}, s.Args...)
	s.Env = append(s.Env, "TERM=xterm")
	x := nstest.StartTerminal(t, s.Cmd)
	x.Resize(30, 100)
	x.Prompt("$ ", "tty; echo $TERM $((6*7))\n")
	x.Expect("/dev/ttyS5\r\nxterm 42\r\n")
	x.Prompt("$ ", "bash -c 'echo go; sleep 1000'\n")
	x.Prompt("\rgo\r\n", "\x03")
	x.Prompt("$ ", "echo ended $?\n")
	x.Expect("ended 130\r\n")
	x.Prompt("$ ", "bash -c 'echo go; sleep 1000'\n")
	x.Prompt("\rgo\r\n", "\x1a")
	x.Prompt("Stopped", "kill %1; wait; stty size\n")
	x.Expect("30 100\r\n")
	// The new size arrives as a signal, as in every terminal.
	x.Prompt("$ ", "trap 'stty size; trap - WINCH' WINCH; echo armed\n")
	x.Expect("\rarmed")
	x.Prompt("$ ", "")
	x.Resize(40, 90)
	x.Expect("40 90\r\n")
	x.Type("exit 7\n")
	assert.Equal(t, 7, x.Wait())
}

func TestSandboxDoesNotStart(t *testing.T) {
	started := time.Now()
	s := newSandbox(t, "--mem", "999999G", "true")
	assert.Equal(t, 125, s.status(t))
	assert.Contains(t, s.stderr.String(), "sandbox.sh: the machine did not start")
	assert.Contains(t, s.stderr.String(), "memory")
	assert.Contains(t, s.stderr.String(), "a virtual machine does it too: ")
	assert.NotContains(t, s.stderr.String(), "Call Trace")
	assert.Less(t, time.Since(started), 40*time.Second, "no timeout")
}

// The script gives up a kernel that hangs, and ends it.
func TestSandboxHangs(t *testing.T) {
	s := newSandbox(t, "true")
	s.Env = append(s.Env, "PATH="+fakes(t, os.Getenv("PATH"), map[string]string{
		"bwrap": "exit 1\n", "qemu-system-x86_64": "exec sleep 1000\n",
		"timeout": `[ "$1" = 1m ] && shift && exec /usr/bin/timeout 3 "$@"`,
	}))
	cache := s.freshCache(t)
	assert.Equal(t, 125, s.status(t))
	assert.Contains(t, s.stderr.String(), "sandbox.sh: the machine did not start")
	assert.Empty(t, sandboxProcesses(cache))
}

func TestSandboxUsage(t *testing.T) {
	s := newSandbox(t, "--help")
	assert.Contains(t, s.prints(t), "sandbox.sh [--user]")
	for _, args := range [][]string{
		{"--no-such-option"}, {"--mem"}, {"--mem", "much"}, {"--mem", "128M"}, {"--with"},
		{"--with", "/no/such/file"}, {"--debian"}, {"--debian", "../bookworm"},
	} {
		s := newSandbox(t, args...)
		assert.Equal(t, 2, s.status(t), args)
		assert.Regexp(t, "(?m)^sandbox.sh: .*\n  .*sandbox.sh -h\n$", s.stderr.String())
	}

	s = newSandbox(t, "true")
	dir := t.TempDir()
	require.NoError(t, exec.Command("cp", "-r", filepath.Join(s.Dir, "scripts"), dir).Run())
	s.Path = filepath.Join(dir, "scripts", "sandbox.sh")
	assert.Equal(t, 1, s.status(t))
	assert.Contains(t, s.stderr.String(), "CGO_ENABLED=0 go build -o bin/ ./0*")

	// A user may not be able to read what root made.
	closed := filepath.Join(dir, "rootfs", "root")
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Dir(closed), 0o755))
	require.NoError(t, os.Mkdir(closed, 0o300))
	s = newSandbox(t, "true")
	s.Path = filepath.Join(dir, "scripts", "sandbox.sh")
	if nstest.Root() {
		s.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	assert.Equal(t, 1, s.status(t))
	assert.Contains(t, s.stderr.String(), "cannot read "+closed+"\n  sudo chown -R $USER '"+closed+"'\n")

	const page = "\n  with no right to install one: the pages that scripts/dev/site.sh --machine makes\n"
	without := pathWithout(t, os.Getenv("PATH"), "qemu-system-x86_64", "apt-get")
	for manager, line := range map[string]string{
		"dnf": "dnf install qemu-system-x86-core", "pacman": "pacman -S qemu-system-x86",
		"apk": "apk add qemu-system-x86_64", "apt-get": "cannot install",
	} {
		s = newSandbox(t, "true")
		s.Env = append(s.Env, "PATH="+fakes(t, without, map[string]string{
			manager: "echo cannot install; exit 1\n"}))
		assert.Equal(t, 1, s.status(t))
		assert.Regexp(t, "(?m)^( *(sudo )?)"+line+"$", s.stderr.String())
		assert.Contains(t, s.stderr.String(), page, manager)
	}

	// Where no package has a kernel for it, and where there are no such packages.
	for path, args := range map[string][]string{
		fakes(t, os.Getenv("PATH"), map[string]string{"dpkg": "echo riscv64\n"}): {"true"},
		pathWithout(t, os.Getenv("PATH"), "dpkg"):                                {"--arch", "amd64", "true"},
	} {
		s = newSandbox(t, args...)
		s.Env = append(s.Env, "PATH="+path)
		assert.Equal(t, 1, s.status(t))
		assert.Regexp(t, "^sandbox.sh: the machine is made of packages of Debian.*\n.*multipass.*"+page, s.stderr.String())
	}
}
