//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// execute turns this process into the command, which keeps PID 1: execve(2).
func execute(command []string) {
	if len(command) == 0 {
		command = []string{cmp.Or(os.Getenv("SHELL"), "/bin/sh")}
	}
	path, err := exec.LookPath(command[0])
	if err == nil {
		err = unix.Exec(path, command, os.Environ())
		err = fmt.Errorf("exec %q: %w", path, err)
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", lesson, err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, unix.ENOENT) {
		os.Exit(127)
	}
	os.Exit(126)
}

// must ends this process on an error: with the status of the command if the
// command has ended, or with 125 if the lesson itself has failed.
func must(err error) {
	if err == nil {
		return
	}
	if ended := new(exec.ExitError); errors.As(err, &ended) {
		if sig := ended.Sys().(syscall.WaitStatus).Signal(); sig > 0 {
			os.Exit(128 + int(sig)) // as in a shell
		}
		os.Exit(ended.ExitCode())
	}
	advice := "to see why: scripts/doctor.sh " + lesson[:2]
	if os.Geteuid() != 0 {
		advice = "try again with sudo"
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n  %s\n", lesson, err, advice)
	os.Exit(125)
}

// forwardSignals lets Ctrl-C and SIGTERM end a command without a handler: as
// process 1 it never gets them, only SIGKILL. See pid_namespaces(7).
func forwardSignals(child *os.Process, signals <-chan os.Signal) {
	for sig := range signals {
		group, _ := unix.Getpgid(child.Pid) // a terminal signals a whole group
		if !handles(child.Pid, sig.(syscall.Signal)) {
			child.Kill()
		} else if sig == unix.SIGTERM || group != unix.Getpgrp() {
			child.Signal(sig)
		}
	}
}

// handles reports whether the command has a handler for a signal: SigCgt is
// the mask of those it catches. See proc_pid_status(5). Before execve, the
// child is named exe, and its handlers are Go's, which do not outlive execve.
func handles(pid int, sig unix.Signal) bool {
	var mask uint64
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	name, after, _ := strings.Cut(string(status), "\nSigCgt:")
	fmt.Sscanf(after, "%x", &mask)
	return mask&(1<<(sig-1)) != 0 && !strings.HasPrefix(name, "Name:\texe\n")
}
