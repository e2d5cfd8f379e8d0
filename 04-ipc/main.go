//go:build linux

/*
04-ipc runs a command, by default your shell, with message queues, semaphores
and shared memory of its own. Usage, as root:

	04-ipc [-hostname NAME] [command [argument ...]]

New here: CLONE_NEWIPC. The command sees none of the host's System V objects
and POSIX message queues, and the host sees none of the command's.
See ipc_namespaces(7).
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

const lesson = "04-ipc"

// options are what the command line asks for.
type options struct {
	command []string // with its arguments; empty for a shell

	hostname string // at most 64 bytes
}

// main is one of two halves: the parent, on the host, or the child, which
// the parent starts as the first process of the new namespaces.
func main() {
	var opt options
	flag.StringVar(&opt.hostname, "hostname", lesson, "`name` of the host")
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
	attr.Cloneflags |= unix.CLONE_NEWNS
	attr.Cloneflags |= unix.CLONE_NEWUTS
	attr.Cloneflags |= unix.CLONE_NEWIPC

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
	must(makePrivate())
	must(mountProc())
	must(setHostname(opt.hostname))
	must(mountMqueue())
	execute(opt.command)
}

// init keeps main on its first thread. Pdeathsig comes when the thread that
// started the child ends, and is lost if another thread calls execve: prctl(2).
func init() { runtime.LockOSThread() }
