//go:build linux

// Package nstest is what the tests of the lessons share. It runs the built
// programs as users do, and asks the kernel what they did: in /proc, from the
// host's side, while the command inside waits on a pipe that the test holds.
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
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Helpers are functions that a test runs in a process of its own, such as
// the command inside: see Helper.
type Helpers map[string]func(args []string) error

// Main is for TestMain of a lesson's package. It builds the lesson, and runs
// the tests on a host of their own: root's tests in new mount, UTS, IPC and
// network namespaces, so that they neither harm this machine nor are
// disturbed by what others do on it. In there, all mounts are shared, as on
// every machine with systemd. Afterwards that host must be as before.
//
// An ordinary user cannot have such a host, and does not need it: without
// privilege the lessons can change nothing on the real one.
func Main(m *testing.M, name string, helpers Helpers) {
	if len(os.Args) > 2 && os.Args[1] == helperArg {
		if err := runHelper(helpers, os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	status, err := run(m, name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nstest:", err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M, name string) (int, error) {
	if Root() && os.Getenv(onOwnHost) == "" {
		return 0, enterOwnHost()
	}
	// Orphans come to this process instead of the machine's init: so all
	// that the lessons leave behind can be found, and reaped, here.
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
	if err := prepare(name, dir); err != nil {
		return 0, err
	}
	before, err := readHost()
	if err != nil {
		return 0, err
	}
	status := m.Run()
	if err := before.unchanged(); err != nil {
		return 0, fmt.Errorf("after all tests: %w", err)
	}
	return status, nil
}

// Root tells in which of the two roles the tests run.
func Root() bool { return os.Geteuid() == 0 }

const onOwnHost = "NSTEST_OWN_HOST"

// enterOwnHost starts this program again in new namespaces.
func enterOwnHost() error {
	runtime.LockOSThread() // unshare(2) is for one thread: execve from it
	err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS |
		unix.CLONE_NEWIPC | unix.CLONE_NEWNET)
	if err != nil {
		return fmt.Errorf("unshare a host for the tests: %w\n"+
			"  they need all of root's capabilities", err)
	}
	// First private: shared at once would share with the real host.
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
func prepare(name, dir string) error {
	repo, err := Repo()
	if err != nil {
		return err
	}
	lessons, err := readTable(filepath.Join(repo, "scripts", "lessons.tsv"))
	if err != nil {
		return err
	}
	for _, l := range lessons {
		if l.Name == name {
			This = l
		}
	}
	if This.Name == "" {
		return fmt.Errorf("scripts/lessons.tsv has no lesson %s", name)
	}
	scratch = dir
	if bin := os.Getenv("NSTEST_BIN"); bin != "" {
		binary, err = filepath.Abs(filepath.Join(bin, name))
		return err
	}
	binary = filepath.Join(dir, name)
	build := exec.Command("go", "build", "-o", binary, "./"+name)
	build.Dir = repo
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./%s: %w\n%s", name, err, out)
	}
	return nil
}

// Switch makes another lesson the one that the tests run.
func Switch(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, prepare(name, scratch))
}

// Repo is the directory of the repository.
func Repo() (string, error) {
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

// Lesson is a row of scripts/lessons.tsv.
type Lesson struct {
	Name       string
	Namespaces []string // that are its own
}

// This is the lesson that the package tests.
var This Lesson

var (
	binary  string // the built lesson
	scratch string // directory that is removed at the end
)

func readTable(file string) ([]Lesson, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	lessons, err := parseTable(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return lessons, nil
}

// row is a line of the table. Scripts read it with grep and read, which make
// something else of an empty field and of what is no text.
var row = regexp.MustCompile(`^([!-~]+)\t([a-z]+(?:,[a-z]+)*)\t([!-~][ -~]*)\t([!-~]+)$`)

func parseTable(text string) ([]Lesson, error) {
	var lessons []Lesson
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "#") && !strings.Contains(line, "\x00") {
			continue
		}
		fields := row.FindStringSubmatch(line)
		if fields == nil {
			return nil, fmt.Errorf("want 4 fields: %q", line)
		}
		fields = fields[1:]
		lessons = append(lessons, Lesson{fields[0],
			strings.Split(fields[1], ",")})
	}
	if len(lessons) == 0 {
		return nil, errors.New("no lessons in it")
	}
	return lessons, nil
}

// Has tells whether the lesson has a namespace of a type.
func (l Lesson) Has(kind string) bool {
	for _, ns := range l.Namespaces {
		if ns == kind {
			return true
		}
	}
	return false
}

// HasRootfs tells whether the lesson has a root filesystem of its own.
func (l Lesson) HasRootfs() bool { return l.Name >= "07" }

// NeedsRoot tells whether the lesson runs with privilege only.
func (l Lesson) NeedsRoot() bool { return !l.Has("user") }

const helperArg = "nstest-helper"

// Helper is the command line that runs one of the helpers.
func Helper(name string, args ...string) []string {
	self, err := os.Executable()
	if err != nil {
		panic(err) // no /proc: nothing here would work
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

// withoutCapabilities becomes a command whose root has no capability.
func withoutCapabilities(command []string) error {
	runtime.LockOSThread()
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err != nil && err != unix.EINVAL { // one that this kernel lacks
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return unix.Exec(command[0], command, os.Environ())
}
