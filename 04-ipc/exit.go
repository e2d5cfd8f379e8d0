//go:build linux

package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit statuses of the lesson itself, the same as those of env(1).
const (
	failed        = 125
	notExecutable = 126
	notFound      = 127
)

// fail ends this process with a message and an exit status.
func fail(status int, err error) {
	log.Print(err)
	os.Exit(status)
}

// must ends the child when one of its steps has failed.
func must(err error) {
	if err != nil {
		fail(failed, err)
	}
}

// wait returns the exit status of the command as a shell counts it: 128+N
// when signal N ended it, for which ExitCode would be -1.
func wait(cmd *exec.Cmd) (int, error) {
	err := cmd.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return failed, fmt.Errorf("wait for the child: %w", err)
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// hint says what to do about an error of a system call that makes or changes
// a namespace, where the cause is known.
func hint(err error) string {
	switch {
	case errors.Is(err, unix.EPERM) && os.Geteuid() != 0:
		return "\n  new namespaces need root: try again with sudo"
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return "\n  this root may not do all: is it in a container? " +
			"Start that one with --privileged"
	case errors.Is(err, unix.ENOSPC): // this is not about disks
		return "\n  a limit on namespaces is reached, or they are nested " +
			"32 deep: grep . /proc/sys/user/max_*_namespaces"
	case errors.Is(err, unix.EAGAIN):
		return "\n  a limit on processes is reached: ulimit -u"
	case errors.Is(err, unix.EMFILE):
		return "\n  a limit on open files is reached: ulimit -n"
	case errors.Is(err, unix.EINVAL):
		return "\n  this kernel lacks a namespace: ls /proc/self/ns"
	case errors.Is(err, unix.ENOENT):
		return "\n  is /proc mounted? mount -t proc proc /proc"
	}
	return ""
}
