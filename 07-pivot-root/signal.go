//go:build linux

package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long a command may take to end after SIGTERM.
const grace = 500 * time.Millisecond

// catch returns the signals that the parent gets from now on, but for those
// that its caller has set to be ignored, as nohup(1) does.
func catch() <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	for _, sig := range []os.Signal{
		unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP,
		unix.SIGTSTP, unix.SIGCONT,
	} {
		if !signal.Ignored(sig) {
			signal.Notify(signals, sig)
		}
	}
	return signals
}

// supervise gives the child what the kernel shields process 1 of a namespace
// from: signals that it does not handle, those of Ctrl-C and Ctrl-Z among
// them. See pid_namespaces(7).
func supervise(child *os.Process, signals <-chan os.Signal) {
	for sig := range signals {
		switch {
		case sig == unix.SIGTSTP:
			child.Signal(unix.SIGSTOP)
			go stopAfter(child)
		case sig == unix.SIGCONT:
			child.Signal(sig)
		case !handles(child.Pid, sig.(syscall.Signal)):
			child.Kill()
		case sig == unix.SIGTERM || sig == unix.SIGHUP:
			child.Signal(sig)
			time.AfterFunc(grace, func() { child.Kill() })
		}
		// SIGINT and SIGQUIT: the terminal has sent them to both.
	}
}

// stopAfter stops this process once the child has stopped: then the shell
// goes on, and the child must not read what is typed for that.
func stopAfter(child *os.Process) {
	if unix.Waitid(unix.P_PID, child.Pid, nil, unix.WSTOPPED, nil) == nil {
		unix.Kill(os.Getpid(), unix.SIGSTOP)
	}
}

// handles tells whether a process has a handler for a signal. SigCgt is the
// mask of those that it catches, see proc_pid_status(5).
func handles(pid int, sig syscall.Signal) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "\nSigCgt:\t")
	mask, _, _ := strings.Cut(after, "\n")
	caught, _ := strconv.ParseUint(mask, 16, 64)
	return caught&(1<<(sig-1)) != 0
}
