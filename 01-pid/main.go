//go:build linux

/*
01-pid runs a command, by default your shell, as process 1 of a new PID
namespace. Usage, as root: 01-pid [command [argument ...]]

New here: CLONE_NEWPID. The command counts processes from 1, its parent is
out of sight (0), and when it ends, so does every process in the namespace.
/proc still belongs to the host, so ps still shows the host's processes.
See clone(2) and pid_namespaces(7).
*/
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

const lesson = "01-pid"

// options are what the command line asks for.
type options struct {
	command []string // with its arguments; empty for a shell
}

// main is one of two halves: the parent, on the host, or the child, which
// the parent starts as the first process of the new namespaces.
func main() {
	var opt options
	flag.Parse()
	opt.command = flag.Args()
	if os.Args[0] == "child of "+lesson {
		child(opt)
	}
	must(parent(opt))
}

// parent starts this program again, as the child, and waits for it.
func parent(opt options) error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = "child of " + lesson
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr

	// When the parent dies, the kernel kills the child. It has to be SIGKILL:
	// process 1 of a namespace gets no other signal without a handler for it.
	attr := &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	cmd.SysProcAttr = attr

	attr.Cloneflags |= unix.CLONE_NEWPID

	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) // they do not stop process 1
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("clone the child: %w", err)
	}
	go forwardSignals(cmd.Process, signals)
	return cmd.Wait()
}

// child sets up the new namespaces from within, then becomes the command.
func child(opt options) {
	execute(opt.command)
}

// init keeps main on its first thread. Pdeathsig comes when the thread that
// started the child ends, and is lost if another thread calls execve: prctl(2).
func init() { runtime.LockOSThread() }
