//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// limits hold for all processes of a container together. max is no limit.
type limits struct{ memory, pids, cpus string }

// cgroup holds a container to its limits.
type cgroup struct {
	dir     string   // a directory in the filesystem of cgroup v2
	v1, own []string // on an older host: see cgroup_v1.go
}

// newCgroup makes a cgroup, and writes its limits before anything is in it.
// See cgroups(7), and cgroup-v2.rst in the kernel's documentation.
func newCgroup(l limits) (*cgroup, error) {
	cg := &cgroup{}
	if l == (limits{"max", "max", "max"}) {
		return cg, nil
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return cg, fmt.Errorf("find our own cgroup: %w", err)
	}
	own, isV2 := strings.CutPrefix(strings.TrimSpace(string(text)), "0::")
	if !isV2 {
		return cg, cg.makeV1(l, own)
	}
	// Not below our own cgroup but beside it: a cgroup with processes in it
	// passes no controller on ("no internal processes", cgroups(7)).
	parent := "/sys/fs/cgroup" + filepath.Dir(own)
	cg.dir, err = makeCgroup(parent)
	return cg, cmp.Or(err,
		write(cg.dir, "memory.max", l.memory),
		write(cg.dir, "memory.swap.max", "0"),
		write(cg.dir, "pids.max", l.pids),
		write(cg.dir, "cpu.max", microseconds(l.cpus)))
}

// makeCgroup makes a directory, and so a cgroup. First it removes those of
// killed lessons: the kernel refuses to remove one with a process in it.
func makeCgroup(parent string) (string, error) {
	left, _ := filepath.Glob(parent + "/nsl-*")
	for _, dir := range left {
		info, err := os.Stat(dir)
		if err == nil && time.Since(info.ModTime()) > 10*time.Second {
			os.Remove(dir) // but not one that is about to be entered
		}
	}
	dir, err := os.MkdirTemp(parent, fmt.Sprintf("nsl-%d-*", os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make a cgroup: %w", err)
	}
	return dir, os.Chmod(dir, 0o755)
}

// microseconds is what so many CPUs get in the kernel's period of 100,000.
func microseconds(cpus string) string {
	n, err := strconv.ParseFloat(cpus, 64)
	if err != nil {
		return cpus // max, or something that the kernel refuses
	}
	return strconv.Itoa(int(n * 100_000))
}

// write writes a limit. Unlike os.WriteFile, it does not create the file: if it
// did, cgroupfs would say "permission denied" when it means "no such file".
func write(dir, file, value string) error {
	if value == "max" {
		return nil // which is the default
	}
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	optional := strings.Contains(file, "sw") || strings.Contains(file, "tcp")
	if optional && errors.Is(err, os.ErrNotExist) {
		return nil // this kernel does not count swap or network buffers
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("%q: %w", value, err)
	}
	return nil
}

// enter has the child born in its cgroup: there is no moment without
// limits. See CLONE_INTO_CGROUP in clone(2).
func (cg *cgroup) enter(attr *unix.SysProcAttr) error {
	if err := moveTo(cg.v1); err != nil || cg.dir == "" {
		return err
	}
	fd, err := unix.Open(cg.dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	attr.UseCgroupFD, attr.CgroupFD = true, fd
	return err
}

// remove removes the cgroup, once everything in it has ended.
func (cg *cgroup) remove() {
	moveTo(cg.own)
	for _, dir := range append(cg.v1, cg.dir) {
		for _, file := range []string{"/memory.events", "/memory.oom_control"} {
			text, _ := os.ReadFile(dir + file)
			_, n, ok := strings.Cut(string(text), "\noom_kill ")
			if ok && n[0] != '0' {
				defer fmt.Fprintf(os.Stderr, "%s: out of memory: the kernel "+
					"has killed a process (%s)\n", lesson, file[1:])
			}
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			fmt.Fprintf(os.Stderr, "%s: %v\n", lesson, err)
		}
	}
}

// unshareCgroup makes the cgroup of this process the root of all that it sees;
// with clone(2), it would be the parent's. See cgroup_namespaces(7).
func unshareCgroup() error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare CLONE_NEWCGROUP: %w", err)
	}
	return nil
}

// mountCgroup shows this root where programs look for it, read-only: whoever
// is limited must not change the limits.
func mountCgroup() error {
	own, _ := os.ReadFile("/proc/self/cgroup")
	if string(own) != "0::/\n" {
		return nil // an older host
	}
	return mount("cgroup", "/sys/fs/cgroup", "cgroup2", safe|unix.MS_RDONLY, "")
}
