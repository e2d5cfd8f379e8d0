//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// enterRoot goes to the directory that is to be the root, and makes it a mount
// point: pivot_root accepts nothing else.
func enterRoot(dir string) error {
	dir, err := filepath.Abs(dir) // "." would be the directory below the mount
	if err == nil {
		err = mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err == nil {
		err = os.Chdir(dir)
	}
	return err
}

// protectProc makes the parts of /proc read-only that are the whole machine's,
// and hides those that are only the host's business. If root itself starts the
// lesson, root inside is the same user, who owns these files.
func protectProc() error {
	for name, source := range map[string]string{
		"sys": "/proc/sys", "sysrq-trigger": "/proc/sysrq-trigger",
		"irq": "/proc/irq", "bus": "/proc/bus", "fs": "/proc/fs",
		"keys": "/dev/null", "timer_list": "/dev/null",
	} {
		err := bindReadOnly(source, "/proc/"+name)
		if err != nil && !errors.Is(err, unix.ENOENT) { // not in every kernel
			return err
		}
	}
	return nil
}

// mountDev covers /dev, /sys and /tmp with new ones. The new /dev has devices
// of the host, since mknod(2) is refused in a user namespace. It is built on
// /sys, and moved to /dev when it no longer needs the old one.
func mountDev() error {
	// Not mode 1777, as for /tmp: there, protected_regular of
	// proc_sys_fs(5) would keep root from writing to /dev/null.
	err := mount("tmpfs", "/sys", "tmpfs", unix.MS_NOSUID, "mode=755")
	for _, name := range []string{
		"null", "zero", "full", "random", "urandom", "tty",
	} {
		if err == nil {
			err = os.WriteFile("/sys/"+name, nil, 0o644) // a mount point
		}
		if err == nil {
			err = bindReadOnly("/dev/"+name, "/sys/"+name)
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0",
		"stdout": "fd/1", "stderr": "fd/2",
	} {
		err = cmp.Or(err, os.Symlink(target, "/sys/"+name))
	}
	for _, name := range []string{"pts", "shm", "mqueue"} {
		err = cmp.Or(err, os.Mkdir("/sys/"+name, 0o755))
	}
	return cmp.Or(err,
		mount("devpts", "/sys/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC,
			"newinstance,ptmxmode=0666,mode=0620"),
		mount("tmpfs", "/sys/shm", "tmpfs", safe, "mode=1777"),
		mount("/sys", "/dev", "", unix.MS_MOVE, ""),
		mount("sysfs", "/sys", "sysfs", safe|unix.MS_RDONLY, ""),
		mount("tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID, "mode=1777"))
}

// bindReadOnly shows source at target too, read-only there. So nobody inside
// can change the mode of a device, but the device works.
func bindReadOnly(source, target string) error {
	if err := mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, attr); err != nil {
		return fmt.Errorf("mount_setattr %s read-only: %w", target, err)
	}
	return nil
}

// leaveOldRoot takes along the mounts that every program expects, and lets go
// of the host's files. See pivot_root(2).
func leaveOldRoot() error {
	for _, name := range []string{"proc", "sys", "dev", "tmp"} {
		if err := takeAlong(name); err != nil {
			return err
		}
	}
	// The same directory twice puts the old root on top of the new one, where
	// it is unmounted: nobody has to make a directory to hold it.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount the old root: %w", err)
	}
	return os.Chdir("/") // pivot_root may leave us elsewhere
}

// takeAlong binds a directory to where the new root has it. Other containers
// may share that root, and swap a directory in it for a link to the host just
// when a runtime looks it up (CVE-2021-30465). So it is looked up once, without
// following links, and used by its descriptor from then on. See openat2(2).
func takeAlong(name string) error {
	fd, err := unix.Openat2(unix.AT_FDCWD, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return fmt.Errorf("open %s in the new root: %w", name, err)
	}
	defer unix.Close(fd)
	target := fmt.Sprintf("/proc/self/fd/%d", fd)
	return mount("/"+name, target, "", unix.MS_BIND|unix.MS_REC, "")
}

// closeInherited has execve close all but stdin, stdout and stderr: any other
// descriptor of the caller would be a way out to the host.
func closeInherited() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("close_range 3 and up on exec: %w", err)
	}
	return nil
}

// bareEnvironment keeps out the caller's variables and the keys of its session:
// both may hold secrets.
func bareEnvironment() error {
	term := os.Getenv("TERM")
	os.Clearenv()
	os.Setenv("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	os.Setenv("HOME", "/root")
	os.Setenv("TERM", term)
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("join a new session keyring: %w", err)
	}
	return nil
}
