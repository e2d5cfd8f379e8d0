//go:build linux

package texts

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// engines are what a block may need, and the command without which there is none.
var engines = map[string]string{"docker": "dockerd", "podman": "podman"}

func hasEngine(name string) bool {
	_, err := exec.LookPath(engines[name])
	return err == nil
}

// enginesName is argument 0 of what becomes a machine with container engines, when
// it is in cgroups of its own.
const enginesName = "nsl-cgroups"

// tree is a tree of cgroups.
type tree struct {
	controllers string // or name=systemd, for example; none with cgroup v2
	point       string // where it is mounted
	own         string // the directory of the cgroup that we are in
}

// trees are those of this machine.
func trees() ([]tree, error) {
	cgroups, err1 := os.ReadFile("/proc/self/cgroup")
	mountinfo, err2 := os.ReadFile("/proc/self/mountinfo")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	var all []tree
	for _, line := range strings.Split(strings.TrimSpace(string(cgroups)), "\n") {
		part := strings.SplitN(line, ":", 3)
		for _, mount := range strings.Split(string(mountinfo), "\n") {
			first, last, _ := strings.Cut(mount, " - ")
			f, options := strings.Fields(first), strings.Fields(last)
			if len(f) < 5 || len(options) < 3 || options[0] != "cgroup" && part[1] != "" ||
				options[0] != "cgroup2" && part[1] == "" {
				continue
			}
			names := strings.Split(options[2], ",")
			if part[1] != "" && slices.ContainsFunc(strings.Split(part[1], ","),
				func(name string) bool { return !slices.Contains(names, name) }) {
				continue
			}
			below := strings.TrimPrefix(part[2], strings.TrimSuffix(f[3], "/"))
			all = append(all, tree{part[1], f[4], filepath.Join(f[4], below)})
			break
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no cgroups are mounted")
	}
	return all, nil
}

var machines atomic.Int32

// ownCgroups makes a cgroup in each tree: an engine that is started there makes its
// own below, and touches no other. cleanup.sh knows the names, should we be killed.
func ownCgroups() (dirs []string, remove func() error, err error) {
	all, err := trees()
	if err != nil {
		return nil, nil, err
	}
	remove = func() error {
		var failed error
		for _, dir := range dirs {
			failed = errors.Join(failed, removeCgroup(dir))
		}
		return failed
	}
	name := fmt.Sprintf("nsl-%d-%d", os.Getpid(), machines.Add(1))
	for _, t := range all {
		parent := t.own
		if t.controllers == "" && len(all) == 1 && t.own != t.point {
			parent = filepath.Dir(parent) // v2: a cgroup with processes gives no controllers
		}
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, nil, errors.Join(err, remove())
		}
		dirs = append(dirs, dir)
		// Of v1: without these no process may go in.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			text, err := os.ReadFile(filepath.Join(parent, file))
			if err == nil && t.controllers != "" {
				err = os.WriteFile(filepath.Join(dir, file), text, 0o644)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, nil, errors.Join(err, remove())
			}
		}
	}
	return dirs, remove, nil
}

// removeCgroup removes one with all below it: their processes have been killed, and
// take a moment to be gone.
func removeCgroup(dir string) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var below []string
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				below = append(below, path)
			}
			return err
		})
		slices.Reverse(below)
		for _, path := range below {
			err = errors.Join(err, unix.Rmdir(path))
		}
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// enterCgroups moves this process into cgroups, which become the root of its cgroup
// namespace, and starts it again as a machine's first process.
func enterCgroups(dirs []string) error {
	for _, dir := range dirs {
		if err := os.WriteFile(dir+"/cgroup.procs", []byte("0"), 0); err != nil {
			return err
		}
	}
	runtime.LockOSThread() // that of the new namespace is what goes on
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	return syscall.Exec("/proc/self/exe", []string{machineName}, os.Environ())
}

// furnishEngines mounts what container engines need in a new root.
func furnishEngines(root string) error {
	all, err := trees()
	if err != nil {
		return err
	}
	top := root + "/sys/fs/cgroup"
	if all[0].controllers == "" {
		err = mounts(mountCall{"cgroup2", top, "cgroup2", 0, ""})
		// A cgroup whose controllers others get has no processes.
		if err == nil {
			err = os.Mkdir(top+"/init", 0o755)
		}
		if err == nil {
			err = os.WriteFile(top+"/init/cgroup.procs", []byte("0"), 0)
		}
		if err == nil { // as systemd leaves them, for lesson 08
			err = os.WriteFile(top+"/cgroup.subtree_control", []byte("+cpu +memory +pids"), 0)
		}
	} else {
		err = mounts(mountCall{"tmpfs", top, "tmpfs", 0, "mode=755"})
		for _, t := range all {
			// crun refuses a hybrid host whose cgroup v2 has a controller.
			if err != nil || t.controllers == "" {
				continue
			}
			dir := filepath.Join(top, filepath.Base(t.point))
			if err = os.Mkdir(dir, 0o755); err == nil {
				err = mounts(mountCall{"cgroup", dir, "cgroup", 0, t.controllers})
			}
		}
	}
	if err != nil {
		return err
	}
	for _, dir := range []string{"/var/lib/docker", "/var/lib/containers", "/dev/net"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			return err
		}
	}
	err = mounts(mountCall{"tmpfs", root + "/var/lib/docker", "tmpfs", 0, "mode=711"},
		mountCall{"tmpfs", root + "/var/lib/containers", "tmpfs", 0, "mode=755"})
	// No module for bridges to filter packets is loaded into the kernel of all.
	if _, none := os.Stat(root + "/lib/modules"); err == nil && none == nil {
		err = mounts(mountCall{"tmpfs", root + "/lib/modules", "tmpfs", 0, "mode=755"})
	}
	if err == nil { // as hosts have it, for slirp4netns
		tun := root + "/dev/net/tun"
		err = errors.Join(unix.Mknod(tun, unix.S_IFCHR, int(unix.Mkdev(10, 200))), os.Chmod(tun, 0o666))
	}
	return err
}

// startDocker starts a daemon, which the user may ask, and waits until it answers.
func startDocker() error {
	const log = "/run/dockerd.log"
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command("/usr/bin/env", "PATH="+rootPath, engines["docker"], "--group", user)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=/root"}, out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", "/run/docker.sock") }}}
	for end := time.Now().Add(client.Timeout); ; time.Sleep(20 * time.Millisecond) {
		answer, err := client.Get("http://docker/_ping")
		if err == nil {
			return answer.Body.Close()
		}
		if ended := unix.Kill(cmd.Process.Pid, 0); ended != nil || time.Now().After(end) {
			text, _ := os.ReadFile(log)
			return fmt.Errorf("dockerd does not answer: %w\n%s", err, text)
		}
	}
}
