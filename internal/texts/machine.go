//go:build linux

package texts

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The host and the user of the texts.
const (
	hostname = "hotel"
	user     = "guest"
	userID   = 1000
	home     = "/home/" + user
	checkout = home + "/namespaces"
)

// machineName is argument 0 of a machine's first process: what readers find as process 1
// on their own hosts.
const machineName = "/sbin/init"

// Where a user and root look for programs on Debian. For example, sudo does not see the
// user's Go.
const (
	userPath = "/usr/local/bin:/usr/bin:/bin"
	rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// patience is how long a command may take.
const patience = time.Minute

// order is what a machine has to do.
type order struct {
	Scratch    string   // an empty directory
	Repository string   // is copied to checkout
	Kernels    []string // of scripts/sandbox.sh, unpacked: there is no network
	Modules    string   // Go's caches, so that the lessons can be built
	Builds     string
	Go         string // directory with the command go
	Steps      []step
	Lesson     string   // whose guide watches, if any
	Needs      []string // container engines
	Page       string   // the state of the machine in the page, if it is that one
}

// answer is what the machine saw.
type answer struct {
	Outputs [][]string // for each step
	Problem string     // why there are no more
	Number  int        // of the line of the problem, or 0
}

// startMachine starts a machine, has it do all steps, and waits for its end. No process,
// mount or file is left then.
func startMachine(o order) (a answer, err2 error) {
	in, err := json.Marshal(o)
	if err != nil {
		return a, err
	}
	runtime.LockOSThread() // for Pdeathsig
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{machineName}
	if len(o.Needs) > 0 {
		dirs, remove, err := ownCgroups()
		if err != nil {
			return a, err
		}
		defer func() { err2 = errors.Join(err2, remove()) }()
		cmd.Args = append([]string{enginesName}, dirs...)
	}
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Pdeathsig: unix.SIGKILL,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS |
			unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
	}
	out, err := cmd.Output()
	if err != nil {
		return a, fmt.Errorf("the machine: %w\n%s", err, out)
	}
	if err := json.Unmarshal(out, &a); err != nil {
		return a, fmt.Errorf("the answer of the machine: %w\n%s", err, out)
	}
	return a, nil
}

// machine is the first process of a machine.
func machine() error {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	if err := furnish(o); err != nil {
		return err
	}
	reap()
	if slices.Contains(o.Needs, "docker") {
		if err := startDocker(); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(play(o,
		func(string) (*terminal, error) { return newTerminal(o.Go) }, startGuide, hostNamespaces()))
}

// furnish makes the host that the texts are about.
func furnish(o order) error {
	// The root is this machine's, and everything written goes to a tmpfs.
	root := o.Scratch + "/root"
	err := mounts(
		mountCall{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		mountCall{"tmpfs", o.Scratch, "tmpfs", 0, ""},
	)
	if err != nil {
		return err
	}
	for _, name := range []string{"root", "upper", "work", "builds", "w"} {
		if err := os.Mkdir(filepath.Join(o.Scratch, name), 0o755); err != nil {
			return err
		}
	}
	overlay := func(lower, upper, work string) string {
		return fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower,
			filepath.Join(o.Scratch, upper), filepath.Join(o.Scratch, work))
	}
	err = mounts(mountCall{"overlay", root, "overlay", 0, overlay("/", "upper", "work")})
	if err != nil {
		return err
	}

	// An overlay shows one filesystem. Programs may be on a different one.
	for _, dir := range []string{"/usr", "/usr/local", "/opt", "/nix"} {
		if !mountPoint(dir) {
			continue
		}
		err := mounts(mountCall{dir, root + dir, "", unix.MS_BIND | unix.MS_REC, ""},
			mountCall{"", root + dir, "", unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY, ""})
		if err != nil {
			return err
		}
	}

	const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	const public = "mode=1777"
	err = mounts(
		mountCall{"proc", root + "/proc", "proc", safe, ""},
		mountCall{"sysfs", root + "/sys", "sysfs", safe, ""},
		mountCall{"tmpfs", root + "/dev", "tmpfs", unix.MS_NOSUID, "mode=755"},
		mountCall{"tmpfs", root + "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		mountCall{"tmpfs", root + "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, public},
		mountCall{"tmpfs", root + "/var/tmp", "tmpfs", 0, public},
		mountCall{"tmpfs", root + "/home", "tmpfs", unix.MS_NODEV, "mode=755"},
		mountCall{"tmpfs", root + "/root", "tmpfs", unix.MS_NODEV, "mode=700"},
	)
	if err != nil {
		return err
	}
	if len(o.Needs) == 0 && mountPoint("/sys/fs/cgroup") {
		err = mounts(mountCall{"/sys/fs/cgroup", root + "/sys/fs/cgroup", "",
			unix.MS_BIND | unix.MS_REC, ""})
	}
	if err == nil {
		err = makeDev(root + "/dev")
	}
	if err == nil && len(o.Needs) > 0 {
		err = furnishEngines(root)
	}
	if err != nil {
		return err
	}
	if err := makeUser(root, o); err != nil {
		return err
	}
	err = mounts(
		mountCall{o.Modules, root + home + "/go/pkg/mod", "", unix.MS_BIND, ""},
		mountCall{"overlay", root + home + "/.cache/go-build", "overlay", 0,
			overlay(o.Builds, "builds", "w")},
	)
	if err != nil {
		return err
	}
	// Go's cache has a directory for each first byte of a hash.
	caches, err := filepath.Glob(root + home + "/.cache/go-build/*")
	for _, dir := range append(caches, root+home+"/.cache/go-build") {
		err = errors.Join(err, os.Chown(dir, userID, userID))
	}
	if err != nil {
		return err
	}

	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount the old root: %w", err)
	}
	if err := unix.Chdir(checkout); err != nil {
		return err
	}
	// As systemd leaves it.
	err = mounts(mountCall{"", "/", "", unix.MS_REC | unix.MS_SHARED, ""})
	if err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return os.WriteFile("/proc/sys/kernel/ns_last_pid",
		[]byte(fmt.Sprint(firstPID)), 0o644)
}

// mountCall holds the arguments of mount(2).
type mountCall struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

// mounts calls mount(2) for each, up to the first error.
func mounts(calls ...mountCall) error {
	for _, c := range calls {
		err := unix.Mount(c.source, c.target, c.fstype, c.flags, c.data)
		if err != nil {
			return fmt.Errorf("mount %+v: %w", c, err)
		}
	}
	return nil
}

func mountPoint(dir string) bool {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	return slices.ContainsFunc(strings.Split(string(text), "\n"),
		func(line string) bool {
			fields := strings.Fields(line)
			return len(fields) > 4 && fields[4] == dir
		})
}

// makeDev makes a /dev with the devices that programs expect, and without this machine's
// disks.
func makeDev(dev string) error {
	var calls []mountCall
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := os.WriteFile(dev+"/"+name, nil, 0o644); err != nil {
			return err
		}
		calls = append(calls, mountCall{"/dev/" + name, dev + "/" + name, "",
			unix.MS_BIND, ""})
	}
	for _, name := range []string{"pts", "shm", "mqueue"} {
		if err := os.Mkdir(dev+"/"+name, 0o755); err != nil {
			return err
		}
	}
	var err error
	for link, target := range map[string]string{"ptmx": "pts/ptmx",
		"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		err = errors.Join(err, os.Symlink(target, dev+"/"+link))
	}
	calls = append(calls,
		mountCall{"devpts", dev + "/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC,
			"newinstance,ptmxmode=0666,mode=0620,gid=5"},
		mountCall{"tmpfs", dev + "/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		mountCall{"mqueue", dev + "/mqueue", "mqueue", 0, ""})
	return errors.Join(err, mounts(calls...))
}

// prompt ends in what the texts show. Its beginning never occurs in an output, so that it
// is clear where an output ends.
const (
	promptMark = "\x1b]prompt\a"
	bashrc     = "PS1='\\[\\e]prompt\\a\\]\\$ ' PS2= HISTFILE=\nset +o emacs\n"
)

// makeUser makes the user, with a copy of the repository, who may sudo.
func makeUser(root string, o order) error {
	var err error
	write := func(name, text string, mode os.FileMode) {
		name = root + name
		_ = os.Remove(name) // it may be a link
		err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o755),
			os.WriteFile(name, []byte(text), mode), os.Chmod(name, mode))
	}
	// add replaces the entries of other people by one for the user.
	add := func(name, entry string, mode os.FileMode) {
		old, _ := os.ReadFile(root + name)
		var lines []string
		for _, text := range strings.Split(strings.TrimSpace(string(old)), "\n") {
			f := strings.Split(text, ":")
			if f[0] == user || len(f) > 2 && len(f[2]) == 4 {
				continue
			}
			lines = append(lines, text)
		}
		write(name, strings.Join(append(lines, entry), "\n")+"\n", mode)
	}
	add("/etc/passwd", fmt.Sprintf("%s:x:%d:%d::%s:/bin/bash", user, userID, userID, home), 0o644)
	add("/etc/group", fmt.Sprintf("%s:x:%d:", user, userID), 0o644)
	for _, name := range []string{"/etc/subuid", "/etc/subgid"} {
		write(name, user+":100000:65536\n", 0o644)
	}
	add("/etc/shadow", user+":*:19000:0:99999:7:::", 0o640)
	write("/etc/hostname", hostname+"\n", 0o644)
	write("/etc/hosts", "127.0.0.1 localhost "+hostname+"\n", 0o644)
	write("/etc/sudoers", "Defaults env_reset, secure_path=\""+rootPath+"\"\n"+
		"root ALL=(ALL:ALL) ALL\n"+user+" ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
	for _, service := range []string{"sudo", "sudo-i"} {
		write("/etc/pam.d/"+service, "auth required pam_permit.so\n"+
			"account required pam_permit.so\nsession required pam_permit.so\n", 0o644)
	}
	for _, file := range []string{"/root/.bashrc", home + "/.bashrc"} {
		write(file, bashrc, 0o644)
	}
	write("/etc/bash.bashrc", "", 0o644)
	for _, dir := range []string{"/go/pkg/mod", "/.cache/go-build"} {
		err = errors.Join(err, os.MkdirAll(root+home+dir, 0o755))
	}
	if err != nil {
		return err
	}
	cp := exec.Command("cp", "-a", o.Repository, root+checkout)
	if out, err := cp.CombinedOutput(); err != nil {
		return fmt.Errorf("copy the repository: %w\n%s", err, out)
	}
	cache := root + home + "/.cache/namespaces-sandbox"
	if err := os.Mkdir(cache, 0o755); err != nil {
		return err
	}
	for _, kernel := range o.Kernels {
		out, err := exec.Command("cp", "-r", kernel, cache).CombinedOutput()
		if err != nil {
			return fmt.Errorf("copy the sandbox's kernel: %w\n%s", err, out)
		}
	}
	return filepath.WalkDir(root+home, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, userID, userID))
	})
}

// reaping keeps reap away from a child that somebody else waits for.
var reaping sync.Mutex

// reap does the duty of process 1: orphans become its children, and would stay zombies.
func reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		for range ended {
			reaping.Lock()
			for {
				pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
				if pid <= 0 || err != nil {
					break
				}
			}
			reaping.Unlock()
		}
	}()
}
