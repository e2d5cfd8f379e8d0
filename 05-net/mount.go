//go:build linux

package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// makePrivate takes all mounts out of their peer groups. systemd makes /
// shared, and the copies in a new mount namespace stay peers of the host's:
// without this step, what is mounted here would appear there.
// See "SHARED SUBTREES" in mount_namespaces(7).
func makePrivate() error {
	return mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

// mountProc covers the host's /proc with one for this PID namespace: ps and
// /proc/self look into the namespace of the process that mounted it.
// See "/proc and PID namespaces" in pid_namespaces(7).
func mountProc() error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	return mount("proc", "/proc", "proc", flags, "")
}

// mount is mount(2) with errors that name its arguments.
func mount(source, target, fstype string, flags uintptr, data string) error {
	err := unix.Mount(source, target, fstype, flags, data)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("mount %q on %q, type %q, flags %#x, data %q: %w",
		source, target, fstype, flags, data, err)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		err = fmt.Errorf("%w%s", err, hint(err))
	}
	return err
}
