//go:build linux

// Package nstest is the suite that every lesson has to pass, and support for the
// lessons' own tests. It runs the built programs as a user does, and asks the kernel
// what they did: on the host, in /proc, while the command inside waits for a pipe
// that the test holds.
//
// Environment:
//
//	NSTEST_BIN   directory with the built lessons; without it, the tests
//	             build their own
//	NSTEST_REPO  the repository; without it, the nearest directory above
//	             that has a go.mod
//	NSTEST_PATIENCE   how long to wait for an event, 20s without it
//	NS_STRICT=1  a skipped test is a failure, see Skip
package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"namespaces/internal/lessons"
)

// Runner runs a lesson. Each package that tests a lesson has one, made by New.
type Runner struct {
	lessons.Lesson // its row in the table; Main reads it

	name   string
	binary string // the built lesson
	own    *own
}

// own is what the runners of one process have in common.
type own struct {
	scratch string // a directory that is removed at the end
	rootfs  func() (string, error)

	sync.Mutex
	started []int // PIDs of the lessons that have run: their cgroups are named so
}

// New returns the runner for a lesson.
func New(name string) *Runner { return &Runner{name: name, own: new(own)} }

// Other returns the runner for a different lesson, for the same tests.
func (r *Runner) Other(t *testing.T, name string) *Runner {
	t.Helper()
	other := &Runner{name: name, own: r.own}
	require.NoError(t, other.prepare())
	return other
}

// Helpers are functions that a test runs in a process of its own, such as
// the command inside: see Helper.
type Helpers map[string]func(args []string) error

// Main is for TestMain of a lesson's package. It builds the lesson. As root, it runs
// the tests on a host of their own, in new mount, UTS, IPC and network namespaces:
// there they neither harm this machine nor notice what others do on it. All mounts
// are shared there, as on every machine with systemd. Afterwards that host must be as
// it was before.
//
// An ordinary user cannot have such a host and does not need one: without privilege,
// the lessons can change nothing on the real one.
func (r *Runner) Main(m *testing.M, helpers Helpers) {
	if len(os.Args) > 2 && os.Args[1] == helperArg {
		if err := runHelper(helpers, os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	DefaultSignals()
	status, err := r.run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nstest:", err)
		status = 1
	}
	os.Exit(status)
}

func (r *Runner) run(m *testing.M) (int, error) {
	if Root() && os.Getenv(onOwnHost) == "" {
		return 0, enterOwnHost()
	}
	// Orphans become children of this process and not of the machine's init: so we
	// find and reap whatever the lessons leave behind.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("prctl PR_SET_CHILD_SUBREAPER: %w", err)
	}
	dir, err := os.MkdirTemp("", "nsl.test-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // for ordinary users too
		return 0, err
	}
	r.own.scratch = dir
	r.own.rootfs = sync.OnceValues(func() (string, error) {
		rootfs := filepath.Join(dir, "rootfs")
		return rootfs, MakeRootfs(rootfs)
	})
	if err := r.prepare(); err != nil {
		return 0, err
	}
	before, err := readHost(nil)
	if err != nil {
		return 0, err
	}
	status := m.Run()
	if err := before.unchanged(r.pids); err != nil {
		return 0, fmt.Errorf("after all tests: %w", err)
	}
	return status, nil
}

// Root says whether the tests run as root.
func Root() bool { return os.Geteuid() == 0 }

const onOwnHost = "NSTEST_OWN_HOST"

// enterOwnHost starts this program again in new namespaces.
func enterOwnHost() error {
	runtime.LockOSThread() // unshare(2) moves one thread, which has to call execve
	err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS |
		unix.CLONE_NEWIPC | unix.CLONE_NEWNET)
	if err != nil {
		return fmt.Errorf("unshare a host for the tests: %w\n"+
			"  they need all of root's capabilities", err)
	}
	// Private first: otherwise the mounts stay shared with the real host's.
	for _, flag := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|flag, ""); err != nil {
			return fmt.Errorf("mount / flags %#x: %w", flag, err)
		}
	}
	if _, err := os.Stat("/dev/mqueue"); err == nil {
		err := unix.Mount("mqueue", "/dev/mqueue", "mqueue", 0, "")
		if err != nil {
			return fmt.Errorf("mount /dev/mqueue: %w", err)
		}
	}
	if err := unix.Sethostname([]byte("nstest-host")); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	err = unix.Exec(self, os.Args, append(os.Environ(), onOwnHost+"=1"))
	return fmt.Errorf("exec %s: %w", self, err)
}

// prepare reads what the table says about the lesson, and builds it.
func (r *Runner) prepare() error {
	repo, err := repository()
	if err != nil {
		return err
	}
	table, err := lessons.Read(repo)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(table, func(l lessons.Lesson) bool { return l.Name == r.name })
	if i < 0 {
		return fmt.Errorf("scripts/lessons.tsv has no lesson %s", r.name)
	}
	r.Lesson = table[i]
	if bin := os.Getenv("NSTEST_BIN"); bin != "" {
		r.binary, err = filepath.Abs(filepath.Join(bin, r.name))
		return err
	}
	r.binary = filepath.Join(r.own.scratch, r.name)
	build := exec.Command("go", "build", "-o", r.binary, "./"+r.name)
	build.Dir = repo
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./%s: %w\n%s", r.name, err, out)
	}
	return nil
}

// note keeps the PID of a lesson that was started.
func (r *Runner) note(pid int) {
	r.own.Lock()
	defer r.own.Unlock()
	r.own.started = append(r.own.started, pid)
}

// pids returns those of all lessons that were started.
func (r *Runner) pids() []int {
	r.own.Lock()
	defer r.own.Unlock()
	return slices.Clone(r.own.started)
}

// Rootfs returns a root filesystem with the static busybox, made once.
func (r *Runner) Rootfs(t *testing.T) string {
	t.Helper()
	dir, err := r.own.rootfs()
	require.NoError(t, err)
	return dir
}

// Put writes a file where the command can see it, and returns its path there.
func (r *Runner) Put(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	dir, root := t.TempDir(), ""
	if r.HasRootfs() {
		root = r.Rootfs(t)
		var err error
		dir, err = os.MkdirTemp(root, "put-")
		require.NoError(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	path := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	return strings.TrimPrefix(path, root)
}

// RequireOwnNamespaces checks that a process has exactly the namespaces of its own
// that the table lists for the lesson, and shares all others with the test.
func (r *Runner) RequireOwnNamespaces(t *testing.T, pid int) {
	t.Helper()
	host, inside := Namespaces(t, os.Getpid()), Namespaces(t, pid)
	var own []string
	for _, kind := range types {
		if host[kind] != inside[kind] {
			own = append(own, kind)
		}
	}
	require.ElementsMatch(t, r.Namespaces, own,
		"namespaces that differ from the host's")
}

// UnchangedHost returns a function that checks that the host is as it is now. Tests
// that run in parallel cannot use it.
func (r *Runner) UnchangedHost(t *testing.T) (check func()) {
	t.Helper()
	before := settled(t, r.pids())
	return func() {
		t.Helper()
		require.NoError(t, before.unchanged(r.pids))
	}
}

// DefaultSignals gives the programs that the tests start the default action for
// Ctrl-C, Ctrl-\ and the hang-up of a terminal. Under nohup, or after & in a script,
// the tests ignore these signals, and execve(2) would hand that on. A signal that this
// process catches goes back to the default.
func DefaultSignals() {
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGHUP} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig) // which nobody reads
		}
	}
}

// Repo returns the directory of the repository.
func Repo(t testing.TB) string {
	t.Helper()
	repo, err := repository()
	require.NoError(t, err)
	return repo
}

func repository() (string, error) {
	if repo := os.Getenv("NSTEST_REPO"); repo != "" {
		return repo, nil
	}
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", fmt.Errorf("no go.mod in %s or above: set NSTEST_REPO",
				start)
		}
	}
}

const helperArg = "nstest-helper"

// Helper returns the command line that runs one of the helpers.
func Helper(name string, args ...string) []string {
	self, err := os.Executable()
	if err != nil {
		panic(err) // without /proc, nothing here would work
	}
	return append([]string{self, helperArg, name}, args...)
}

func runHelper(helpers Helpers, name string, args []string) error {
	if name == "without-capabilities" {
		return withoutCapabilities(args)
	}
	helper, ok := helpers[name]
	if !ok {
		return fmt.Errorf("no helper %q", name)
	}
	return helper(args)
}

// withoutCapabilities becomes a command, as a root without capabilities.
func withoutCapabilities(command []string) error {
	runtime.LockOSThread()
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err != nil && err != unix.EINVAL { // EINVAL: this kernel does not have it
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return unix.Exec(command[0], command, os.Environ())
}
