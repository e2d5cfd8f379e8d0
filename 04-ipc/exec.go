//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// execute makes this process the command: it keeps its PID, 1. It does not
// return. See execve(2).
func execute(command []string) {
	if len(command) == 0 {
		command = []string{shell()}
	}
	path, err := exec.LookPath(command[0])
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		fail(notFound, fmt.Errorf("%w\n  is it installed in here? PATH=%s",
			err, os.Getenv("PATH")))
	}
	if err == nil {
		err = unix.Exec(path, command, os.Environ())
	}
	if errors.Is(err, unix.ENOENT) { // not the file: LookPath has seen it
		err = fmt.Errorf("%w\n  its loader or #! interpreter is missing", err)
	}
	fail(notExecutable, fmt.Errorf("exec %q: %w", command[0], err))
}

// shell is the user's shell, or /bin/sh.
func shell() string {
	if path, err := exec.LookPath(os.Getenv("SHELL")); err == nil {
		return path
	}
	return "/bin/sh"
}

// closeInherited lets execve close all but stdin, stdout and stderr: any
// other descriptor of the caller would be a way out to the host.
func closeInherited() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("close_range 3 and up on exec: %w", err)
	}
	return nil
}
