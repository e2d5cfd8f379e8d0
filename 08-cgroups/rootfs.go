//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// checkRootfs looks at the value of -rootfs before anything starts.
func checkRootfs(dir string) error {
	entries, err := os.ReadDir(dir)
	if abs, _ := filepath.Abs(dir); err == nil && abs == "/" {
		err = errors.New("is the root that you have already")
	}
	if err == nil && len(entries) == 0 {
		err = errors.New("is empty")
	}
	if err != nil {
		return fmt.Errorf("-rootfs %s: %w\n  make one: scripts/rootfs.sh",
			dir, err)
	}
	return nil
}

// enterRoot makes dir the root of this mount namespace. The old one stays
// until leaveOldRoot: in a user namespace, the kernel lets us mount /proc
// and /sys only where it still sees others that hide nothing.
// See pivot_root(2) and "Restrictions on mount namespaces" in
// mount_namespaces(7).
func enterRoot(dir string) error {
	// Not ".": that is the directory below the mount, even afterwards.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	// pivot_root takes only a mount point: so let dir be one.
	if err := mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	for _, name := range []string{"proc", "sys", "dev", "tmp"} {
		err := os.Mkdir(name, 0o755)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make a mount point in %s: %w", dir, err)
		}
	}
	if err := makeDev("dev"); err != nil {
		return err
	}
	// The same directory twice puts the old root on top of the new one: no
	// directory in there is needed to hold it.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root to %s: %w%s", dir, err, pivotHint(err))
	}
	return nil
}

// pivotHint says what to do about an error of pivot_root(2).
func pivotHint(err error) string {
	if errors.Is(err, unix.EINVAL) { // dir is a mount point, and private
		return "\n  is this a chroot, or / an initramfs? scripts/sandbox.sh"
	}
	return hint(err)
}

// leaveOldRoot lets go of the host's files. MNT_DETACH, since this process
// still runs from one of them.
func leaveOldRoot() error {
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount the old root: %w", err)
	}
	// pivot_root(2) leaves the working directory as it was, and asks for this.
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	return nil
}

// bareEnvironment keeps the caller's variables, and secrets in them, out.
func bareEnvironment() error {
	term := os.Getenv("TERM")
	os.Clearenv()
	return errors.Join(
		os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:"+
			"/usr/sbin:/usr/bin:/sbin:/bin"),
		os.Setenv("HOME", "/root"),
		os.Setenv("TERM", term))
}
