//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// safe are the flags for mounts that hold no program and no device.
const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// makeDev binds devices of the host into a new /dev, as long as they are in
// reach: mknod(2) is refused in a user namespace.
func makeDev(dev string) error {
	// A symbolic link would lead to a directory of the host.
	if info, err := os.Lstat(dev); err != nil || !info.IsDir() {
		return fmt.Errorf("need a directory %s in the new root", dev)
	}
	// Not mode 1777, as /tmp: in such a directory protected_regular of
	// proc_sys_fs(5) keeps root from writing to /dev/null.
	err := mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755")
	if err != nil {
		return err
	}
	for _, name := range []string{
		"null", "zero", "full", "random", "urandom", "tty",
	} {
		device := filepath.Join(dev, name)
		if err := os.WriteFile(device, nil, 0o644); err != nil {
			return fmt.Errorf("make a mount point: %w", err)
		}
		err := mount("/dev/"+name, device, "", unix.MS_BIND, "")
		if err != nil {
			return err
		}
	}
	for link, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0",
		"stdout": "fd/1", "stderr": "fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, link)); err != nil {
			return fmt.Errorf("make a link: %w", err)
		}
	}
	for _, dir := range []string{"pts", "shm", "mqueue"} {
		if err := os.Mkdir(filepath.Join(dev, dir), 0o755); err != nil {
			return fmt.Errorf("make a mount point: %w", err)
		}
	}
	return nil
}

// furnish mounts what a program expects to find in a root.
func furnish() error {
	const mode = "mode=1777"
	return errors.Join(
		mount("sysfs", "/sys", "sysfs", safe|unix.MS_RDONLY, ""),
		mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC,
			"newinstance,ptmxmode=0666,mode=0620"),
		mount("tmpfs", "/dev/shm", "tmpfs", safe, mode),
		mount("tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, mode))
}

// protectProc makes read-only what of /proc is the whole machine's: the
// files belong to its root, who may be the one in here.
func protectProc() error {
	for _, name := range []string{"sys", "sysrq-trigger", "irq", "bus", "fs"} {
		path := "/proc/" + name
		if _, err := os.Stat(path); err != nil {
			continue // not in this kernel
		}
		if err := mount(path, path, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		err := mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|
			unix.MS_RDONLY|safe, "")
		if err != nil {
			return err
		}
	}
	return nil
}
