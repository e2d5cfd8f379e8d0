//go:build linux

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// makePrivate takes all mounts out of their peer groups. systemd makes /
// shared, and the copies in a new mount namespace stay peers of the host's:
// without this step, whatever is mounted here would appear there, too.
// See "SHARED SUBTREES" in mount_namespaces(7).
func makePrivate() error {
	return mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

// mountProc covers the host's /proc with one of this PID namespace: a proc
// filesystem shows the processes of the namespace in which it was mounted.
// See "/proc and PID namespaces" in pid_namespaces(7).
func mountProc() error {
	return mount("proc", "/proc", "proc", safe, "")
}

// safe are the flags of a mount that holds no program and no device.
const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mount is mount(2) with an error that names what was to be mounted where.
func mount(source, target, fstype string, flags uintptr, data string) error {
	err := unix.Mount(source, target, fstype, flags, data)
	if err != nil {
		return fmt.Errorf("mount %q on %q, type %q, flags %#x, data %q: %w",
			source, target, fstype, flags, data, err)
	}
	return nil
}
