//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// mapRoot maps root inside to the user who starts the lesson. Without
// privilege the kernel allows no more: you may map your own uid and gid, and
// the gid only once setgroups(2) is denied for good, which Go does.
// See user_namespaces(7).
func mapRoot(attr *unix.SysProcAttr) error {
	uid, gid := os.Geteuid(), os.Getegid()
	caller := os.Getenv("SUDO_UID")
	os.Unsetenv("SUDO_UID") // inside, nobody has used sudo
	if uid == 0 && caller != "" {
		// Behind sudo, root inside is the caller too, in no other group.
		var err1, err2 error
		uid, err1 = strconv.Atoi(caller)
		gid, err2 = strconv.Atoi(os.Getenv("SUDO_GID"))
		err := errors.Join(err1, err2, syscall.Setgroups(nil))
		if err != nil {
			return fmt.Errorf("become the caller of sudo: %w", err)
		}
	}
	attr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	attr.Credential = &syscall.Credential{} // uid and gid 0 inside
	return nil
}

// noNewPrivs makes set-user-ID bits and file capabilities powerless: from
// here on, no execve gains a privilege. See prctl(2).
func noNewPrivs() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_NO_NEW_PRIVS: %w", err)
	}
	return nil
}
