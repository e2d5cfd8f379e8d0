//go:build linux

/*
06-user runs a command, by default your shell, as root of a user namespace.
Usage, as any user:

	06-user [-net=veth|lo] [-hostname NAME] [command [argument ...]]

New here: CLONE_NEWUSER. You are root inside, with all capabilities over the
other new namespaces, and outside you remain who you are: no more sudo.
A veth pair still needs root on the host. See user_namespaces(7).
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

const lesson = "06-user"

// options are what the command line asks for.
type options struct {
	command []string // with its arguments; empty for a shell

	hostname string // at most 64 bytes

	net string // veth, or lo for no connection to the host
}

// main is one of two halves: the parent, on the host, or the child, which
// the parent starts as the first process of the new namespaces.
func main() {
	var opt options
	flag.StringVar(&opt.hostname, "hostname", lesson, "`name` of the host")
	flag.StringVar(&opt.net, "net", "veth", "`veth` to the host, or lo alone")
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
	attr.Cloneflags |= unix.CLONE_NEWNET
	attr.Cloneflags |= unix.CLONE_NEWUSER

	if err := mapRoot(attr); err != nil {
		return err
	}

	// Only the parent has the writing end of the pipe. So if it dies, the
	// child reads end of file from descriptor 3, and does not wait for ever.
	read, ready, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe to the child: %w", err)
	}
	cmd.ExtraFiles = []*os.File{read}

	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) // they do not stop process 1
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("clone the child: %w", err)
	}
	go forwardSignals(cmd.Process, signals)

	if err := connectChild(cmd, ready, opt.net); err != nil {
		return err
	}
	return cmd.Wait()
}

// child sets up the new namespaces from within, then becomes the command.
func child(opt options) {
	must(makePrivate())
	must(mountProc())
	must(setHostname(opt.hostname))
	must(mountMqueue())
	must(joinNetwork())
	must(noNewPrivs())
	execute(opt.command)
}

// init keeps main on its first thread. Pdeathsig comes when the thread that
// started the child ends, and is lost if another thread calls execve: prctl(2).
func init() { runtime.LockOSThread() }
