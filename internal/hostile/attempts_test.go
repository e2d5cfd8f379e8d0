//go:build linux

package hostile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// scene is what an attempt knows of the host: more than an attacker would.
type scene struct {
	Secret  string // path of a file
	Words   string // what it says
	PID     int    // a process of the host
	Socket  string // abstract Unix socket that somebody listens on
	Port    int    // a TCP port, on all addresses of the host
	Setting string // a file below /sys that root may write to
	Memory  string // a line of /proc/meminfo
	Type    int32  // with Handle, the file handle of Secret
	Handle  []byte
}

// errNothing means that an attempt found nothing, where the kernel has no error for
// that.
var errNothing = errors.New("nothing there")

// helpers returns the attempts as commands to run inside. Each prints an answer: done,
// or the name of the kernel's error.
func helpers() nstest.Helpers {
	all := nstest.Helpers{"overwrite": overwrite, "with-key": withKey,
		"flip": flip}
	for _, a := range attempts {
		all[a.row] = func(args []string) error {
			var s scene
			if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
				return err
			}
			tell(a.try(s))
			return nil
		}
	}
	return all
}

// overwrite opens the program at descriptor 3 for writing as soon as nobody runs it.
func overwrite([]string) error {
	err := openForWriting("/proc/self/fd/3")
	for end := time.Now().Add(nstest.Patience); errors.Is(err, unix.ETXTBSY) &&
		time.Now().Before(end); {
		runtime.Gosched()
		err = openForWriting("/proc/self/fd/3")
	}
	tell(err)
	return nil
}

func tell(err error) {
	var number syscall.Errno
	switch {
	case err == nil:
		fmt.Println("answer: done")
	case errors.As(err, &number):
		fmt.Printf("answer: %s (%v)\n", unix.ErrnoName(number), err)
	default:
		fmt.Println("answer:", err)
	}
}

// read succeeds if the file is the host's.
func (s scene) read(path string) error {
	text, err := os.ReadFile(path)
	if err == nil && string(text) != s.Words {
		return errNothing
	}
	return err
}

func (s scene) readAt(dir int) error {
	fd, err := unix.Openat(dir, filepath.Base(s.Secret), unix.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("openat: %w", err)
	}
	return s.read(fmt.Sprintf("/proc/self/fd/%d", fd))
}

func byPath(s scene) error {
	if err := s.read(strings.Repeat("../", 64) + s.Secret); err == nil {
		return nil
	}
	return s.read(s.Secret)
}

// climb is the oldest way out: after a second chroot(2) the working directory is above
// the root, and .. never meets it.
func climb(s scene) error {
	dir, err := os.MkdirTemp("/tmp", "")
	if err != nil {
		return err
	}
	if err := unix.Chroot(dir); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	for range 64 {
		if err := os.Chdir(".."); err != nil {
			return err
		}
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	_ = os.Remove(dir) // in lesson 06, the host's /tmp is in sight
	return s.read(s.Secret)
}

// byProc goes through the links of all processes in sight.
func byProc(s scene) error {
	roots, err := filepath.Glob("/proc/[0-9]*/root")
	if err != nil || len(roots) == 0 {
		return errors.Join(err, errNothing)
	}
	for _, root := range roots {
		if err = s.read(root + s.Secret); err == nil {
			return nil
		}
	}
	return err
}

func byWorkingDirectory(s scene) error { return s.read(filepath.Base(s.Secret)) }

func byHandle(s scene) error {
	root, err := unix.Open("/", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	handle := unix.NewFileHandle(s.Type, s.Handle)
	fd, err := unix.OpenByHandleAt(root, handle, unix.O_RDONLY)
	if err != nil {
		return fmt.Errorf("open_by_handle_at: %w", err)
	}
	return s.read(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// parentNamespace asks for the parents of its namespaces. See ioctl_ns(2).
func parentNamespace(scene) error {
	for _, kind := range []string{"pid", "user"} {
		f, err := os.Open("/proc/self/ns/" + kind)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_PARENT)
		if err != nil {
			return fmt.Errorf("NS_GET_PARENT of %s: %w", kind, err)
		}
	}
	return nil
}

func seeProcess(s scene) error {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", s.PID))
	return err
}

func signalProcess(s scene) error { return unix.Kill(s.PID, unix.SIGTERM) }

func traceProcess(s scene) error {
	runtime.LockOSThread()
	return unix.PtraceAttach(s.PID)
}

// environment looks for a variable of the caller's, in its own environment
// and in what /proc has of process 1's.
func environment(scene) error {
	text, err := os.ReadFile("/proc/1/environ")
	if err != nil {
		return err
	}
	if os.Getenv(secretVariable) == "" &&
		!bytes.Contains(text, []byte(secretVariable)) {
		return errNothing
	}
	return nil
}

const keyName = "hostile-test"

// sessionKey reads a key of the caller's session. See keyrings(7).
func sessionKey(scene) error {
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", keyName, 0)
	if err != nil {
		return fmt.Errorf("keyctl search: %w", err)
	}
	buf := make([]byte, 64)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, buf, 0)
	if err == nil && string(buf[:n]) != keyName {
		return errNothing
	}
	return err
}

// withKey becomes a command in a new session that has a key.
func withKey(command []string) error {
	runtime.LockOSThread() // a keyring is a thread's
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	_, err = unix.AddKey("user", keyName, []byte(keyName),
		unix.KEY_SPEC_SESSION_KEYRING)
	if err != nil {
		return err
	}
	return unix.Exec(command[0], command, os.Environ())
}

func openForWriting(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		f.Close() // and nothing is written
	}
	return err
}

func opens(path string) func(scene) error {
	return func(scene) error { return openForWriting(path) }
}

func setting(s scene) error { return openForWriting(s.Setting) }

const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// reopenProc tries three ways to make /proc/sys writable.
func reopenProc(scene) error {
	err := unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|safe, "")
	if openForWriting(corePattern) == nil {
		return nil
	}
	err = errors.Join(err, unix.Unmount("/proc/sys", 0))
	if openForWriting(corePattern) == nil {
		return nil
	}
	dir, err2 := mountNew("proc", "proc")
	if err2 != nil {
		return errors.Join(err, err2)
	}
	return openForWriting(dir + strings.TrimPrefix(corePattern, "/proc"))
}

// reopenSys does the same for /sys. There the superblock is read-only as well, and the
// kernel allows no new one: see mount_namespaces(7).
func reopenSys(s scene) error {
	_ = unix.Mount("", "/sys", "", unix.MS_REMOUNT|safe, "")
	_ = unix.Mount("", "/sys", "", unix.MS_REMOUNT|unix.MS_BIND|safe, "")
	if openForWriting(s.Setting) == nil {
		return nil
	}
	dir, err := mountNew("sysfs", "sysfs")
	if err != nil {
		return err
	}
	return openForWriting(dir + strings.TrimPrefix(s.Setting, "/sys"))
}

// mountNew mounts one of the kernel's filesystems at a new place.
func mountNew(source, kind string) (string, error) {
	if err := unix.Mount("tmpfs", "/tmp", "tmpfs", 0, ""); err != nil {
		return "", fmt.Errorf("mount tmpfs: %w", err)
	}
	dir, err := os.MkdirTemp("/tmp", "")
	if err != nil {
		return "", err
	}
	data := ""
	if kind == "cgroup" {
		data = source
	}
	if err := unix.Mount(source, dir, kind, safe, data); err != nil {
		return "", fmt.Errorf("mount %s: %w", kind, err)
	}
	return dir, nil
}

func loadModule(scene) error { return unix.InitModule([]byte("none"), "") }

// setClock sets the clock to the time that it shows.
func setClock(scene) error {
	now := unix.NsecToTimespec(time.Now().UnixNano())
	return unix.ClockSettime(unix.CLOCK_REALTIME, &now)
}

// mountDisk tries every type of filesystem that is on disks.
func mountDisk(scene) error {
	text, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return err
	}
	err = errNothing
	for _, line := range strings.Split(string(text), "\n") {
		nodev, kind, ok := strings.Cut(line, "\t")
		if !ok || nodev != "" {
			continue
		}
		for _, disk := range []string{"/dev/vda", "/dev/sda", "/dev/ubda", "/dev/loop0"} {
			err = unix.Mount(disk, "/tmp", kind, unix.MS_RDONLY, "")
			if err != unix.EPERM {
				return fmt.Errorf("mount %s, type %s: %w", disk, kind, err)
			}
		}
	}
	return err
}

func makeDevice(scene) error {
	const first = 8 << 8 // the first disk, see the kernel's devices.txt
	err := unix.Mknod("/tmp/disk", unix.S_IFBLK|0o600, first)
	if err == nil {
		return os.Remove("/tmp/disk")
	}
	return err
}

const (
	lowLimit  = 4000
	highLimit = 5000
)

func raiseLimit(scene) error {
	return unix.Setrlimit(unix.RLIMIT_NOFILE,
		&unix.Rlimit{Cur: highLimit, Max: highLimit})
}

func raisePriority(scene) error {
	return unix.Setpriority(unix.PRIO_PROCESS, 0, -5)
}

func escapeKiller(scene) error {
	return write("/proc/self/oom_score_adj", "-1000")
}

func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// ownTree mounts the tree of a controller. Its root is the process's own cgroup.
func ownTree(controller string) (dir string, v1 bool, err error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", false, err
	}
	if v1 = bytes.Contains(text, []byte(":"+controller+":")); v1 {
		dir, err = mountNew(controller, "cgroup")
	} else {
		dir, err = mountNew("cgroup2", "cgroup2")
	}
	return dir, v1, err
}

func raiseCgroup(scene) error {
	dir, v1, err := ownTree("memory")
	if err != nil {
		return err
	}
	if v1 { // memory with swap first: it may not be lower than memory
		return errors.Join(write(dir+"/memory.memsw.limit_in_bytes", "-1"),
			write(dir+"/memory.limit_in_bytes", "-1"))
	}
	return write(dir+"/memory.max", "max")
}

func leaveCgroup(scene) error {
	dir, _, err := ownTree("pids")
	if err != nil {
		return err
	}
	// The path is not cleaned: the kernel has to go up from the root of the tree.
	return write(dir+"/../cgroup.procs", "0")
}

func takeMemory(scene) error {
	const much = 64 << 20
	data := make([]byte, much)
	for i := 0; i < much; i += os.Getpagesize() {
		data[i] = 1
	}
	runtime.KeepAlive(data)
	return nil
}

func takeProcesses(scene) error {
	for range 100 {
		if err := exec.Command("/bin/sleep", "1000").Start(); err != nil {
			return err
		}
	}
	return nil
}

func takeDisk(scene) error {
	f, err := os.Create("/much")
	if err != nil {
		return err
	}
	return errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, 8<<20), f.Close())
}

func abstractSocket(s scene) error {
	c, err := net.Dial("unix", "@"+s.Socket)
	if err == nil {
		c.Close()
	}
	return err
}

func localPort(s scene) error { return dial("127.0.0.1", s.Port) }

func dial(host string, port int) error {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", host, port), nstest.Patience)
	if err == nil {
		c.Close()
	}
	return err
}

// overVeth connects to the host, at the other end of the veth pair.
func overVeth(s scene) error {
	text, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) > 2 && f[1] == "00000000" {
			var n uint32
			if _, err := fmt.Sscanf(f[2], "%x", &n); err != nil {
				return err
			}
			return dial(net.IPv4(byte(n), byte(n>>8), byte(n>>16), byte(n>>24)).String(),
				s.Port)
		}
	}
	return dial("10.200.0.1", s.Port) // without a route
}

func typeAtTerminal(scene) error {
	for _, key := range []byte("pushed\n") {
		_, _, err := unix.Syscall(unix.SYS_IOCTL, 0, unix.TIOCSTI,
			uintptr(unsafe.Pointer(&key)))
		if err != 0 {
			return fmt.Errorf("ioctl TIOCSTI: %w", err)
		}
	}
	return nil
}

func seeMachine(s scene) error {
	text, err := os.ReadFile("/proc/meminfo")
	if err == nil && !strings.Contains(string(text), s.Memory) {
		return errNothing
	}
	return err
}

func kernelMemory(scene) error {
	f, err := os.Open("/proc/kcore")
	if err == nil {
		f.Close()
	}
	return err
}

// moreNamespaces makes a system call that real runtimes forbid by seccomp.
func moreNamespaces(scene) error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET}
	return cmd.Run()
}

const planted = "/planted"

// plant leaves a set-user-ID program, which runs as its owner, whoever starts it.
func plant(scene) error {
	return errors.Join(os.WriteFile(planted, []byte("#!/bin/sh\n"), 0o755),
		os.Chmod(planted, 0o755|os.ModeSetuid))
}
