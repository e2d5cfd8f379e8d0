//go:build linux

package texts

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The user of the texts.
const (
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

// engines are what a block may need, and the command without which there is none.
var engines = map[string]string{"docker": "dockerd", "podman": "podman"}

func hasEngine(name string) bool {
	_, err := exec.LookPath(engines[name])
	return err == nil
}

// order is what a machine has to do.
type order struct {
	Scratch    string   // an empty directory
	Repository string   // is copied to checkout
	Kernels    []string // of scripts/sandbox.sh, unpacked: there is no network
	Modules    string   // Go's caches, so that the lessons can be built
	Builds     string   // one or more directories, as overlayfs wants them
	Go         string   // directory with the command go
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

//go:embed machine.sh
var machineScript string

// shell returns a call of a function of machine.sh.
func (o order) shell(call ...string) *exec.Cmd {
	cmd := exec.Command("bash", append([]string{"-c", machineScript, "bash"}, call...)...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "scratch="+o.Scratch, "repository="+o.Repository,
		"modules="+o.Modules, "builds="+o.Builds, "engines="+strings.Join(o.Needs, " "),
		"user="+user, fmt.Sprintf("id=%d", userID), "root_path="+rootPath)
	return cmd
}

var machines atomic.Int32

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
		self, err := os.Executable()
		if err != nil {
			return a, err
		}
		name := fmt.Sprintf("nsl-%d-%d", os.Getpid(), machines.Add(1))
		defer func() { err2 = errors.Join(err2, o.shell("remove_cgroups", name).Run()) }()
		cmd = o.shell("enter_cgroups", name, self)
	}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
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
	err := o.shell(append([]string{"furnish"}, o.Kernels...)...).Run()
	if err != nil {
		return fmt.Errorf("furnish: %w", err)
	}
	if err := enter(o.Scratch + "/root"); err != nil {
		return err
	}
	if slices.Contains(o.Needs, "docker") {
		if err := o.shell("start_docker").Run(); err != nil {
			return fmt.Errorf("start_docker: %w", err)
		}
	}
	reap()
	return json.NewEncoder(os.Stdout).Encode(play(o,
		func(string) (*terminal, error) { return newTerminal(o.Go) }, startGuide, hostNamespaces()))
}

// enter makes a directory the root, in which all mounts are shared, as systemd leaves them.
func enter(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount the old root: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("mount / shared: %w", err)
	}
	return errors.Join(unix.Chdir(checkout), os.WriteFile("/proc/sys/kernel/ns_last_pid",
		[]byte(fmt.Sprint(firstPID)), 0o644))
}

// promptMark is what the prompt of machine.sh begins with.
const promptMark = "\x1b]prompt\a"

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
