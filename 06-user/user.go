//go:build linux

package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mapRoot makes root inside of the invoking user outside. Without privilege
// the kernel allows just this: one's own ID, one of it, and a group only
// once setgroups(2) is denied, which Go does. See user_namespaces(7).
func mapRoot(attr *syscall.SysProcAttr) error {
	uid, gid := os.Geteuid(), os.Getegid()
	// Where setgroups is denied, as inside this lesson, SUDO_UID comes from
	// outside: that user is not in the map.
	denied, _ := os.ReadFile("/proc/self/setgroups")
	sudo := os.Getenv("SUDO_UID")
	if uid == 0 && sudo != "" && string(denied) != "deny\n" {
		var err1, err2 error
		uid, err1 = strconv.Atoi(sudo)
		gid, err2 = strconv.Atoi(os.Getenv("SUDO_GID"))
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("read SUDO_UID and SUDO_GID: %w", err)
		}
		// root's other groups would go along to the child.
		if err := syscall.Setgroups(nil); err != nil {
			return fmt.Errorf("setgroups to none: %w%s", err, hint(err))
		}
	}
	attr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	// Be that root, ID 0: whoever is not in the map is nobody.
	attr.Credential = &syscall.Credential{}
	return nil
}

// orLoopback goes on without a cable where the host's network namespace is
// not ours to change.
func orLoopback(address string, err error) (string, error) {
	if errors.Is(err, unix.EPERM) {
		log.Print("no veth without root on the host: loopback only")
		return string(loopback), nil
	}
	return address, err
}

// noNewPrivs lets no execve from here on gain a privilege: a set-user-ID
// program is one like any other. See prctl(2).
func noNewPrivs() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_NO_NEW_PRIVS: %w", err)
	}
	return nil
}

// forbidden tells which setting of this machine keeps users from having user
// namespaces, or which profile of AppArmor, and how to change it until the
// next boot.
func forbidden() string {
	for key, bad := range map[string]string{
		"kernel.apparmor_restrict_unprivileged_userns": "1", // Ubuntu
		"kernel.unprivileged_userns_clone":             "0", // Debian
	} {
		file := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
		value, _ := os.ReadFile(file)
		if strings.TrimSpace(string(value)) == bad {
			return fmt.Sprintf("\n  this machine has %s=%s: use sudo, or "+
				"sudo sysctl %s=%d", key, bad, key, 1-int(bad[0]-'0'))
		}
	}
	profile, _ := os.ReadFile("/proc/self/attr/apparmor/current")
	if name, ok := strings.CutSuffix(string(profile), " (enforce)\n"); ok {
		return fmt.Sprintf("\n  AppArmor's profile %s confines this program: "+
			"start the container with --privileged, or unload it:\n"+
			"  echo -n '%[1]s' | sudo tee "+
			"/sys/kernel/security/apparmor/.remove",
			name)
	}
	return "\n  forbidden, as in a container or a chroot: start the " +
		"container with --privileged, or use a virtual machine"
}
