//go:build linux

package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroup is what holds the container to its limits: on v2 one directory, on
// v1 one for each controller.
type cgroup struct {
	parts  []part
	inside bool // whether the thread of the parent is in it, on v1
}

// part is the directory that the container has in one hierarchy.
type part struct {
	tree hierarchy
	dir  string
	file *os.File // the directory, locked
}

// newCgroup makes the cgroup, with its limits in force before there is
// anything in it.
func newCgroup(l limits) (*cgroup, error) {
	cg := &cgroup{}
	trees, err := hierarchies()
	for _, set := range l.settings() {
		if err == nil {
			err = cg.set(trees, set)
		}
	}
	if err != nil {
		cg.remove()
		return nil, err
	}
	return cg, nil
}

// set writes one limit, in the directory that it makes at the first one.
func (cg *cgroup) set(trees map[string]hierarchy, s setting) error {
	tree, ok := trees[s.controller]
	if !ok {
		tree, ok = trees[""]
	}
	if !ok {
		return fmt.Errorf("%s: no cgroup file system is mounted\n"+
			"  mount -t cgroup2 cgroup2 /sys/fs/cgroup", s.controller)
	}
	dir, err := cg.directory(tree)
	if err != nil {
		return err
	}
	if tree.v1 {
		s.file, s.value = s.v1file, s.v1value
	}
	err = write(filepath.Join(dir, s.file), s.value)
	if tree.v1 && s.controller == "cpu" && errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w\n  a cgroup above has less: -cpus max, "+
			"or less than that", err)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if s.optional {
		return nil
	}
	list := filepath.Join(filepath.Dir(dir), "cgroup.subtree_control")
	has, _ := os.ReadFile(list)
	return fmt.Errorf("%w\n  no controller %s here: %s has %q%s",
		err, s.controller, list, strings.TrimSpace(string(has)), wayOut(err))
}

// directory is where in a tree the container is. On v2 it is not below our
// own cgroup but beside it: one that holds processes, as ours does, can
// hand no controller down ("no internal processes", cgroups(7)).
func (cg *cgroup) directory(tree hierarchy) (string, error) {
	for _, p := range cg.parts {
		if p.tree == tree {
			return p.dir, nil
		}
	}
	parent := tree.own
	if !tree.v1 && parent != tree.top {
		parent = filepath.Dir(parent)
	}
	sweep(parent)
	dir, err := os.MkdirTemp(parent, fmt.Sprintf("nsl-%d-*", os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make a cgroup: %w%s", err, wayOut(err))
	}
	file, err := lock(dir)
	cg.parts = append(cg.parts, part{tree, dir, file})
	return dir, errors.Join(err, os.Chmod(dir, 0o755))
}

// lock opens a directory, and holds it until we end, however we end. See
// flock(2).
func lock(dir string) (*os.File, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("flock %s: %w", dir, err)
	}
	return file, nil
}

// sweep removes what a parent has left that was killed with SIGKILL. The
// kernel refuses to remove a cgroup with something in it; the lock is for one
// that is new, of a parent with a PID in another PID namespace.
func sweep(parent string) {
	left, _ := os.ReadDir(parent)
	for _, entry := range left {
		var pid int
		n, _ := fmt.Sscanf(entry.Name(), "nsl-%d-", &pid)
		if n != 1 || unix.Kill(pid, 0) != unix.ESRCH {
			continue
		}
		dir := filepath.Join(parent, entry.Name())
		if file, err := lock(dir); err == nil {
			os.Remove(dir)
			file.Close()
		}
	}
}

// wayOut says how to get a cgroup that may be divided.
func wayOut(err error) string {
	if errors.Is(err, unix.EROFS) {
		return "\n  in a container: start that one with --privileged"
	}
	run := "systemd-run --scope -p Delegate=yes "
	if os.Geteuid() != 0 {
		run = "systemd-run --user --scope -p Delegate=yes "
	}
	return "\n  try: " + run + os.Args[0] + " ...\n  or sudo, or " +
		"without limits: -memory max -pids max -cpus max"
}

// enter lets the child be born in its cgroup. clone(2) does that on v2. On
// v1 the child inherits the cgroup of the thread that starts it: this one.
func (cg *cgroup) enter(attr *syscall.SysProcAttr) error {
	for _, p := range cg.parts {
		if p.tree.v1 {
			cg.inside = true
			if err := write(p.dir+"/tasks", "0"); err != nil {
				return err
			}
			continue
		}
		attr.UseCgroupFD, attr.CgroupFD = true, int(p.file.Fd())
	}
	return nil
}

// leave takes this thread back to where it was.
func (cg *cgroup) leave() {
	for _, p := range cg.parts {
		if p.tree.v1 && cg.inside {
			if err := write(p.tree.own+"/tasks", "0"); err != nil {
				log.Print(err)
			}
		}
	}
	cg.inside = false
}

// remove says whether the container has met the limit of its memory, and
// removes the cgroup: nothing is in it any more when wait has returned.
func (cg *cgroup) remove() {
	cg.leave()
	for _, p := range cg.parts {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			text, _ := os.ReadFile(filepath.Join(p.dir, file))
			_, after, _ := strings.Cut(string(text), "\noom_kill ")
			if n, _, _ := strings.Cut(after, "\n"); n != "" && n != "0" {
				// Last: with stderr a closed pipe, SIGPIPE ends us here.
				defer log.Printf("out of memory: a process was killed at "+
					"the limit (%s: oom_kill %s)", file, n)
			}
		}
		if err := os.Remove(p.dir); err != nil {
			log.Print(err)
		}
	}
}

// write writes to a file of the kernel's. Without O_CREAT: with it, cgroupfs
// answers "permission denied" when it means "no such file".
func write(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if err != nil {
		err = fmt.Errorf("%q: %w", value, err)
	}
	return errors.Join(err, f.Close())
}

// hideCgroups makes the cgroup that this process is in the root of all that
// it sees. Not by CLONE_NEWCGROUP in the parent: clone(2) would take the
// parent's cgroup. See cgroup_namespaces(7).
//
// unshare(2) is for one thread: init keeps us on the one that calls execve.
func hideCgroups() error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare CLONE_NEWCGROUP: %w%s", err, hint(err))
	}
	return nil
}

// showCgroup mounts the new root of cgroup v2 where programs look for it,
// and read-only: a limit is not for those whom it limits to change.
func showCgroup() error {
	all, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Errorf("find our cgroup: %w", err)
	}
	if !strings.HasPrefix(string(all), "0::") {
		return nil // a v1 host, with a tree for each controller
	}
	const flags = safe | unix.MS_RDONLY
	return mount("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, "")
}
