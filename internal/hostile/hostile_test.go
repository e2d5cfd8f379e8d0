//go:build linux

package hostile

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// answers are what the kernel says to an attempt in a container that root or an ordinary
// user started: the name of an error; "done" if nothing stops it; "killed"; "refused" if
// the container does not start; or several of these with "or". An attempt without an
// answer is not tried.
type answers struct{ root, user string }

func both(answer string) answers { return answers{answer, answer} }

const done = "done"

// attempt is a row of the table.
type attempt struct {
	row              string // in docs/containers.md, without its links
	try              func(scene) error
	in06, in07, in08 answers
	// sudo is the answer in a container that a user started by sudo, if it differs.
	sudo string

	flags []string // of the lesson
	// start turns the lesson's command line into the one that is started.
	start func(h host, command []string) []string
	// run makes the attempt, if a program inside cannot.
	run func(t *testing.T, h host, a attempt) string
	// version is that of cgroups, if it matters; limits says that a cgroup is needed.
	version int
	limits  bool
}

var attempts = []attempt{
	// Lesson 06 has no root of its own: it shows that these attempts work.
	{row: "open a file of the host by its path, or by `..`", try: byPath,
		in06: both(done), in07: both("ENOENT"), in08: both("ENOENT")},
	{row: "climb out of a chroot", try: climb,
		in06: both(done), in07: both("ENOENT"), in08: both("ENOENT")},
	{row: "go through `/proc/PID/root`", try: byProc,
		in06: both(done), in07: both("ENOENT"), in08: both("ENOENT")},
	{row: "use a working directory on the host (CVE-2024-21626)", try: byWorkingDirectory,
		in06: both(done), in07: both("ENOENT"), in08: both("ENOENT")},
	{row: "use a descriptor that the caller has left open",
		try:  func(s scene) error { return s.readAt(9) },
		in06: both(done), in07: both("EBADF"), in08: both("EBADF"),
		start: open("9")},
	{row: "use the caller's standard input, if that is a directory",
		try:  func(s scene) error { return s.readAt(0) },
		in06: both(done), in07: both(done), in08: both(done),
		start: open("0")},
	{row: "open a file by its handle (`open_by_handle_at`)", try: byHandle,
		in06: both("EPERM"), in07: both("EPERM"), in08: both("EPERM")},
	{row: "lead the lesson out by links in the root filesystem", run: links,
		in07: both("refused"), in08: both("refused")},
	{row: "swap `/proc` for a link while another container starts (CVE-2021-30465)",
		try: throughProc, run: swapping("proc", linkToHost),
		in07: both("nothing there"), in08: both("nothing there")},
	{row: "swap `/dev` for a directory of links to files of the host", try: throughDev,
		run:  swapping("dev", linkBelow),
		in07: both("nothing there"), in08: both("nothing there")},
	{row: "have something made in `-rootfs /etc`, `/dev`, `/tmp` or `/`", run: nothingMade,
		in07: both("refused"), in08: both("refused")},
	{row: "overwrite the lesson through `/proc/self/exe` (CVE-2019-5736)", run: interpreter,
		in07: both("refused"), in08: both("refused")},
	{row: "overwrite a program that comes in, as nsenter does", run: comeIn,
		in07: answers{done, "EACCES"}, in08: answers{done, "EACCES"}},
	{row: "ask for the parents of its namespaces", try: parentNamespace,
		in06: both("EPERM"), in07: both("EPERM"), in08: both("EPERM")},

	{row: "see processes of the host", try: seeProcess,
		in06: both("ENOENT"), in07: both("ENOENT"), in08: both("ENOENT")},
	{row: "send them signals", try: signalProcess,
		in06: both("ESRCH"), in07: both("ESRCH"), in08: both("ESRCH")},
	{row: "kill the caller's process group (`kill -9 0`), without a terminal",
		try: killGroup, run: inGroup,
		in06: both(done), in07: both("itself alone"), in08: both("itself alone")},
	{row: "kill the caller's process group, at a terminal",
		try: killGroup, run: inGroupAtTerminal,
		in06: both(done), in07: both(done), in08: both(done)},
	{row: "trace them", try: traceProcess,
		in06: both("ESRCH"), in07: both("ESRCH"), in08: both("ESRCH")},
	{row: "read the caller's environment", try: environment,
		in06: both(done), in07: both("nothing there"), in08: both("nothing there")},
	{row: "read the keys of the caller's session", try: sessionKey,
		in06: both(done), in07: both("ENOKEY"), in08: both("ENOKEY"),
		start: func(h host, command []string) []string {
			return append(nstest.Helper("with-key"), command...)
		}},
	{row: "list keys of the host in `/proc/keys`", try: reads("/proc/keys"),
		in06: both("done or nothing there or ENOENT"),
		in07: both("nothing there or ENOENT"), in08: both("nothing there or ENOENT")},
	{row: "read the caller's terminal through `/dev/tty`, all streams redirected",
		try: readTerminal, run: redirected,
		in06: both(done), in07: both(done), in08: both(done)},
	{row: "type at the caller's terminal (`TIOCSTI`)", try: typeAtTerminal, run: atTerminal,
		in06: both("done or EIO"), in07: both("done or EIO"), in08: both("done or EIO")},

	{row: "write to `/proc/sys/kernel/core_pattern`", try: opens(corePattern),
		in06: answers{done, "EACCES"},
		in07: answers{"EROFS", "EACCES"}, in08: answers{"EROFS", "EACCES"}},
	{row: "make `/proc/sys` writable again, and then write to it", try: reopenProc,
		in06: answers{done, "EACCES"},
		in07: answers{done, "EACCES"}, in08: answers{done, "EACCES"}},
	{row: "write to `/proc/sysrq-trigger`", try: opens("/proc/sysrq-trigger"),
		in06: answers{"done or ENOENT", "EACCES or ENOENT"},
		in07: answers{"EROFS or ENOENT", "EACCES or ENOENT"},
		in08: answers{"EROFS or ENOENT", "EACCES or ENOENT"}},
	{row: "write to a setting below `/sys`", try: setting,
		in06: answers{done, "EACCES"},
		in07: answers{"EROFS", "EACCES or EROFS"}, in08: answers{"EROFS", "EACCES or EROFS"}},
	{row: "make `/sys` writable again, and then write to it", try: reopenSys,
		in06: answers{done, "EACCES"}, in07: both("EPERM"), in08: both("EPERM")},
	{row: "change the mode of the host's `/dev/null`", try: chmodNull,
		in06: answers{done, "EPERM"}, in07: both("EROFS"), in08: both("EROFS")},
	{row: "see the timers of the machine in `/proc/timer_list`", try: reads("/proc/timer_list"),
		in06: answers{"done or ENOENT", "EACCES or ENOENT"},
		in07: both("nothing there or ENOENT"), in08: both("nothing there or ENOENT")},
	{row: "read what the firmware has in `/sys/firmware`", try: readFirmware,
		in06: both("done or nothing there"), in07: both("done or nothing there"),
		in08: both("done or nothing there")},
	{row: "read the kernel's memory, `/proc/kcore`", try: kernelMemory,
		in06: answers{"EPERM or ENOENT", "EACCES or ENOENT"},
		in07: answers{"EPERM or ENOENT", "EACCES or ENOENT"},
		in08: answers{"EPERM or ENOENT", "EACCES or ENOENT"}},
	{row: "load a module into the kernel", try: loadModule,
		in06: both("EPERM or ENOSYS"), in07: both("EPERM or ENOSYS"),
		in08: both("EPERM or ENOSYS")},
	{row: "set the clock", try: setClock,
		in06: both("EPERM"), in07: both("EPERM"), in08: both("EPERM")},
	{row: "mount a disk", try: mountDisk,
		in06: both("EPERM"), in07: both("EPERM"), in08: both("EPERM")},
	{row: "make a device", try: makeDevice,
		in06: both("EPERM"), in07: both("EPERM"), in08: both("EPERM")},
	{row: "plant a set-user-ID program of the host's root", try: plant, run: planting,
		in07: answers{done, "the user's"}, in08: answers{done, "the user's"}},

	{row: "raise its limit of open files", try: raiseLimit,
		in06: both("EPERM"), in07: both("EPERM"), in08: both("EPERM"),
		start: shell(fmt.Sprintf("ulimit -n %d &&", lowLimit), "")},
	{row: "raise its priority", try: raisePriority,
		in06: both("EACCES"), in07: both("EACCES"), in08: both("EACCES")},
	{row: "be spared when memory is short", try: escapeKiller,
		in06: both("EACCES"), in07: both("EACCES"), in08: both("EACCES")},
	{row: "take more memory than its limit", try: takeMemory,
		in06: both(done), in07: both(done), in08: both("killed"),
		flags: []string{"-memory", "32M"}, limits: true},
	{row: "start more processes than its limit", try: takeProcesses,
		in06: both(done), in07: both(done), in08: both("EAGAIN"), limits: true},
	{row: "leave its cgroup", try: leaveCgroup, in08: both("ENOENT"), limits: true},
	{row: "raise the limit of its cgroup, v2", try: raiseCgroup,
		in08: both("EPERM"), sudo: "EACCES", limits: true, version: 2},
	{row: "raise the limit of its cgroup, v1", try: raiseCgroup,
		in08: answers{done, ""}, sudo: "EACCES", limits: true, version: 1},
	{row: "hold more memory than its limit in TCP buffers", try: holdBuffers,
		in06: both(done), in07: both(done), in08: both("EAGAIN or killed"),
		flags: []string{"-memory", "32M"}, limits: true},
	{row: "freeze the caller's cgroup, v1", try: freeze, run: freezing,
		in08: answers{"itself alone", ""}, sudo: "EACCES", limits: true, version: 1},
	{row: "freeze it from a container without limits, v1", try: freeze, run: freezing,
		in08: answers{done, "EACCES or ENOENT"}, flags: nstest.NoLimits},
	{row: "fill the disk", try: takeDisk, in07: both(done), in08: both(done)},

	{row: "reach a server on the host's 127.0.0.1", try: localPort,
		in06: both("ECONNREFUSED"), in07: both("ECONNREFUSED"), in08: both("ECONNREFUSED")},
	{row: "reach an abstract Unix socket of the host", try: abstractSocket,
		in06: both("ECONNREFUSED"), in07: both("ECONNREFUSED"), in08: both("ECONNREFUSED")},
	{row: "reach a server of the host over the veth pair", try: overVeth,
		in06: answers{done, "ENETUNREACH"},
		in07: answers{done, "ENETUNREACH"}, in08: answers{done, "ENETUNREACH"},
		sudo:  done,
		flags: []string{"-net=veth"}},
	{row: "give the host a route by a router advertisement (CVE-2020-10749)",
		try: advertise, run: advertised,
		in06: answers{"no route", "ENODEV"},
		in07: answers{"no route", "ENODEV"}, in08: answers{"no route", "ENODEV"},
		sudo:  "no route",
		flags: []string{"-net=veth"}},
	{row: "see how much memory the machine has", try: seeMachine,
		in06: both(done), in07: both(done), in08: both(done)},
	{row: "make more namespaces, where the kernel is easier to attack", try: moreNamespaces,
		in06: both(done), in07: both(done), in08: both(done)},
}

const (
	corePattern    = "/proc/sys/kernel/core_pattern"
	secretVariable = "HOSTILE_SECRET"
)

var suite = nstest.New("08-cgroups")

func TestMain(m *testing.M) { suite.Main(m, helpers()) }

// host is what the containers are started from, and what they try to reach.
type host struct {
	scene
	dir     string // where the secret is
	rootfs  string
	program string // the attacker's, which needs no libraries
	lesson  *nstest.Runner
}

func TestAttempts(t *testing.T) {
	h := newHost(t)
	for _, lesson := range []string{"06-user", "07-pivot-root", "08-cgroups"} {
		t.Run(lesson, func(t *testing.T) {
			h.try(t, lesson, func(a attempt) string {
				want := map[string]answers{"06-user": a.in06, "07-pivot-root": a.in07,
					"08-cgroups": a.in08}[lesson]
				if nstest.Root() {
					return want.root
				}
				return want.user
			})
		})
	}
}

// TestSudo checks what docs/containers.md says about sudo: the container is the user's,
// except for what only root can make on the host.
func TestSudo(t *testing.T) {
	nstest.OnlyRoot(t)
	const id = "12345"
	t.Setenv("SUDO_UID", id)
	t.Setenv("SUDO_GID", id)
	newHost(t).try(t, "08-cgroups", func(a attempt) string {
		if a.sudo != "" {
			return a.sudo
		}
		return a.in08.user
	})
}

// try makes all attempts that have an answer.
func (h host) try(t *testing.T, lesson string, expected func(attempt) string) {
	h.lesson = suite.Other(t, lesson)
	for _, a := range attempts {
		want := expected(a)
		if want == "" {
			continue
		}
		t.Run(a.row, func(t *testing.T) {
			a.needs(t, h.lesson)
			unchanged := h.unchanged(t)
			got := a.answer(t, h)
			unchanged()
			word, _, _ := strings.Cut(got, " (")
			assert.Contains(t, strings.Split(want, " or "), word, got)
		})
	}
}

// needs skips an attempt that this machine cannot show.
func (a attempt) needs(t *testing.T, lesson *nstest.Runner) {
	t.Helper()
	if !lesson.Has("cgroup") || !a.limits {
		return
	}
	nstest.NeedCgroup(t)
	_, v1, err := nstest.CgroupOf(os.Getpid(), "memory")
	require.NoError(t, err)
	if a.version != 0 && v1 != (a.version == 1) {
		nstest.Skip(t, nstest.OtherCgroups)
	}
}

// answer makes the attempt in a container.
func (a attempt) answer(t *testing.T, h host) string {
	t.Helper()
	if a.run != nil {
		return a.run(t, h, a)
	}
	return answerOf(t, h.lesson.Start(t, a.command(t, h)).Finish())
}

// command returns the lesson with the attempt as its command.
func (a attempt) command(t *testing.T, h host) *exec.Cmd {
	t.Helper()
	s, err := json.Marshal(h.scene)
	require.NoError(t, err)
	flags := []string{"-net=lo"}
	if h.lesson.HasRootfs() {
		flags = append(flags, "-rootfs", h.rootfs)
		h.program = "/bin/hostile"
	}
	if h.lesson.Has("cgroup") || !a.limits {
		flags = append(flags, a.flags...)
	}
	helper := nstest.Helper(a.row, string(s))
	helper[0] = h.program
	args := h.lesson.Command(t, append(flags, helper...)...).Args
	if a.start != nil {
		args = a.start(h, args)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), secretVariable+"=1")
	return cmd
}

// answerOf returns what the program inside printed, or how the lesson ended.
func answerOf(t *testing.T, r nstest.Result) string {
	t.Helper()
	if _, answer, ok := strings.Cut(r.Stdout, "answer: "); ok {
		return strings.TrimSpace(answer)
	}
	switch r.Status {
	case 128 + 9:
		return "killed"
	case 125:
		return "refused (" + strings.TrimSpace(r.Stderr) + ")"
	}
	require.Fail(t, "no answer", "%+v", r)
	return ""
}

// shell starts the lesson from a shell script.
func shell(before, after string) func(host, []string) []string {
	return func(h host, command []string) []string {
		script := before + ` exec "$@" ` + strings.ReplaceAll(after, "DIR", h.dir)
		return append([]string{"sh", "-c", script, "sh"}, command...)
	}
}

// open starts it with a directory of the host as a descriptor.
func open(fd string) func(host, []string) []string { return shell("", fd+"<DIR") }

func newHost(t *testing.T) host {
	t.Helper()
	// It is on a disk: files on a tmpfs count as memory.
	dir, err := os.MkdirTemp("/var/tmp", "nsl.hostile-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	h := host{dir: filepath.Join(dir, "host"), rootfs: filepath.Join(dir, "rootfs"),
		program: static(t, dir)}

	require.NoError(t, os.Mkdir(h.dir, 0o755))
	h.Secret, h.Words = filepath.Join(h.dir, "secret"), "of the host"
	require.NoError(t, os.WriteFile(h.Secret, []byte(h.Words), 0o644))
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, h.Secret, 0)
	require.NoError(t, err)
	h.Type, h.Handle = handle.Type(), handle.Bytes()

	victim := exec.Command("sleep", "1000")
	require.NoError(t, victim.Start())
	t.Cleanup(func() { victim.Process.Kill(); victim.Wait() })
	h.PID = victim.Process.Pid

	h.Socket = fmt.Sprintf("nsl-hostile-%d", os.Getpid())
	listen(t, "unix", "@"+h.Socket)
	h.Port = listen(t, "tcp4", "0.0.0.0:0").(*net.TCPAddr).Port

	h.Setting = writable(t, "/sys/kernel", "/sys/module")
	text := nstest.Read(t, "/proc/meminfo")
	h.Memory, _, _ = strings.Cut(text, "\n")

	h.makeRootfs(t, h.rootfs)
	return h
}

// makeRootfs makes a root filesystem with the attacker's program.
func (h host) makeRootfs(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, nstest.MakeRootfs(dir))
	require.NoError(t, os.Link(h.program, filepath.Join(dir, "bin/hostile")))
	give(t, dir)
}

// give gives a root filesystem to the caller of sudo, as rootfs.sh does.
func give(t *testing.T, dir string) {
	t.Helper()
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil {
		return // nobody calls sudo
	}
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, uid))
	})
	require.NoError(t, err)
}

// static returns a copy of this program without shared libraries.
func static(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "hostile")
	own, err := os.Executable()
	require.NoError(t, err)
	if loader(t, own) == "" {
		text := nstest.Read(t, own)
		require.NoError(t, os.WriteFile(program, []byte(text), 0o755))
		return program
	}
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	nstest.Printed(t, build)
	return program
}

// loader returns the loader of a program that has shared libraries, or "".
func loader(t *testing.T, program string) string {
	t.Helper()
	f, err := elf.Open(program)
	require.NoError(t, err)
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			buf := make([]byte, p.Filesz)
			_, err := p.ReadAt(buf, 0)
			require.NoError(t, err)
			return strings.TrimRight(string(buf), "\x00")
		}
	}
	return ""
}

func listen(t *testing.T, network, address string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr()
}

// writable finds a file that root may write to.
func writable(t *testing.T, dirs ...string) string {
	t.Helper()
	found := ""
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return nil // closed to us
			}
			if entry.Name() == "debug" || entry.Name() == "tracing" {
				return filepath.SkipDir // a different filesystem
			}
			info, err := entry.Info()
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o222 == 0o200 {
				found = path
				return filepath.SkipAll
			}
			return nil
		})
	}
	require.NotEmpty(t, found)
	return found
}

// unchanged returns a function that checks that everything the attempts try to change is
// as it was.
func (h host) unchanged(t *testing.T) (check func()) {
	t.Helper()
	hostUnchanged := suite.UnchangedHost(t)
	before := h.state(t)
	return func() {
		t.Helper()
		assert.Equal(t, before, h.state(t))
		hostUnchanged()
	}
}

func (h host) state(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range []string{h.Secret, h.lesson.Path(), corePattern, h.Setting} {
		text, err := os.ReadFile(file)
		if err != nil && file == h.Setting {
			continue // it cannot be read
		}
		require.NoError(t, err)
		all = append(all, fmt.Sprintf("%s %x", file, sha256.Sum256(text)))
	}
	entries, err := os.ReadDir(h.dir)
	require.NoError(t, err)
	return append(all, fmt.Sprint(len(entries), " files"),
		nstest.Status(t, h.PID, "State"), nstest.Status(t, h.PID, "TracerPid"))
}

// links tries a root filesystem in which the mount points are links to a
// directory of the host.
func links(t *testing.T, h host, _ attempt) string {
	for _, name := range []string{"dev", "proc", "sys", "tmp"} {
		dir := filepath.Join(filepath.Dir(h.dir), "linked-"+name)
		require.NoError(t, nstest.MakeRootfs(dir))
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
		require.NoError(t, os.Symlink(h.dir, filepath.Join(dir, name)))
		give(t, dir)
		r := h.lesson.Run(t, "-net=lo", "-rootfs", dir, "true")
		require.NoError(t, os.RemoveAll(dir))
		answer := answerOf(t, r)
		if !strings.HasPrefix(answer, "refused") || !strings.Contains(answer, name) {
			return name + ": " + answer
		}
	}
	return "refused"
}

// trap makes a root filesystem in which the attacker's program is the loader of a program
// with shared libraries. When a program of the host runs there, the attacker's code runs,
// and /proc/self/exe is still the host's file.
func (h host) trap(t *testing.T, loader string) string {
	t.Helper()
	dir := filepath.Join(h.dir, "..", filepath.Base(t.TempDir())+"-trap")
	t.Cleanup(func() { os.RemoveAll(dir) })
	h.makeRootfs(t, dir)
	at := filepath.Join(dir, loader)
	require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
	require.NoError(t, os.Link(h.program, at))
	script := filepath.Join(dir, "bin/command")
	require.NoError(t, os.WriteFile(script, []byte("#!/proc/self/exe\n"), 0o755))
	return dir
}

// interpreter makes the kernel run the lesson itself inside.
func interpreter(t *testing.T, h host, _ attempt) string {
	l := loader(t, h.lesson.Path())
	if l == "" { // as it should be
		l = "/lib64/ld-linux-x86-64.so.2"
	}
	dir := h.trap(t, l)
	r := h.lesson.Run(t, "-net=lo", "-rootfs", dir, "command")
	if answer := answerOf(t, r); !strings.Contains(answer, ": -rootfs rootfs: ") {
		return answer // it does not come from the lesson
	}
	return "refused"
}

// comeIn waits for a program of the host that enters the container.
func comeIn(t *testing.T, h host, _ attempt) string {
	nsenter, err := exec.LookPath("nsenter")
	require.NoError(t, err)
	if nstest.Root() { // root may overwrite it: so it is a copy
		text := nstest.Read(t, nsenter)
		nsenter = filepath.Join(filepath.Dir(h.dir), "nsenter")
		require.NoError(t, os.WriteFile(nsenter, []byte(text), 0o755))
		defer os.Remove(nsenter)
	}
	dir := h.trap(t, loader(t, nsenter))
	c := h.lesson.Cat(t, "-net=lo", "-rootfs", dir, "cat")
	args := []string{"--target", fmt.Sprint(c.Init), "--user", "--mount", "--pid"}
	if !nstest.Root() { // inside, the user is root already
		args = append(args, "--preserve-credentials")
	}
	args = append(args, "/bin/command")
	out := nstest.Printed(t, exec.Command(nsenter, args...))
	require.Zero(t, c.Finish().Status)
	return answerOf(t, nstest.Result{Stdout: out})
}

// init takes over where this program is the loader of a different one, which the kernel
// runs as the interpreter of a script: see trap.
func init() {
	if len(os.Args) != 2 || os.Args[0] != "/proc/self/exe" ||
		filepath.Base(os.Args[1]) != "command" {
		return
	}
	own, err := os.Open("/proc/self/exe")
	if err == nil && os.Getpid() == 1 {
		tell(openForWriting(fmt.Sprintf("/proc/self/fd/%d", own.Fd())))
		os.Exit(0)
	}
	// A program that runs cannot be written to. So a different process does that once
	// this one has ended.
	if err == nil {
		cmd := exec.Command("/bin/hostile", nstest.Helper("overwrite")[1:]...)
		cmd.ExtraFiles = []*os.File{own}
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err = cmd.Start()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// planting looks from outside at what was planted.
func planting(t *testing.T, h host, a attempt) string {
	r := h.lesson.Start(t, a.command(t, h)).Finish()
	require.Equal(t, done, answerOf(t, r))
	file := filepath.Join(h.rootfs, planted)
	info, err := os.Lstat(file)
	require.NoError(t, err)
	require.NoError(t, os.Remove(file))
	require.NotZero(t, info.Mode()&os.ModeSetuid)
	if info.Sys().(*syscall.Stat_t).Uid == 0 {
		return done
	}
	return "the user's"
}

// atTerminal starts the lesson at a terminal, in a shell that afterwards reads what was
// typed there.
func atTerminal(t *testing.T, h host, a attempt) string {
	cmd := a.command(t, h)
	args := append([]string{"sh", "-c", `"$@"; read typed; echo "read $typed"`, "sh"},
		cmd.Args...)
	x := nstest.StartTerminal(t, &exec.Cmd{Path: "/bin/sh", Args: args, Env: cmd.Env})
	x.Expect("answer: ")
	x.Type("typed\n")
	x.Expect("read ")
	require.Zero(t, x.Wait(), x.Screen())
	_, answer, _ := strings.Cut(x.Screen(), "answer: ")
	answer, _, _ = strings.Cut(answer, "\r\n")
	require.Equal(t, answer == done, strings.Contains(x.Screen(), "read pushed"), x.Screen())
	// Since Linux 6.2, a setting can forbid it to everybody.
	legacy, _ := os.ReadFile("/proc/sys/dev/tty/legacy_tiocsti")
	require.Equal(t, answer == done, string(legacy) != "0\n", x.Screen())
	return answer
}

// TestTable compares both columns of the readers' table with ours.
func TestTable(t *testing.T) {
	repo := nstest.Repo(t)
	text := nstest.Read(t, repo, "docs", "containers.md")
	_, text2, ok := strings.Cut(text, "\n| attempt |")
	require.True(t, ok, "no table of attempts in docs/containers.md")
	var rows, want []string
	for _, line := range strings.Split(text2, "\n")[2:] {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			break
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, strings.Join(cells[1:4], " | "))
	}
	for _, a := range attempts {
		want = append(want, strings.Join([]string{a.row, cell(a.in08.root),
			cell(a.in08.user)}, " | "))
	}
	assert.Equal(t, want, rows)
}

// cell returns the cell of the readers' table for one of our answers.
func cell(answer string) string {
	switch {
	case answer == "":
		return "–"
	case strings.HasPrefix(answer, done):
		return "**no**"
	}
	return "yes"
}
