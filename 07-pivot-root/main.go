//go:build linux

/*
07-pivot-root runs a command in a root filesystem of its own.

Usage:

	07-pivot-root [-rootfs DIR] [-net=veth|lo] [-hostname NAME]
	              [command [argument ...]]

Without a command it runs /bin/sh. It needs no privilege; started by root, it
connects eth0 to the host as well. scripts/rootfs.sh makes a DIR.

New here: pivot_root(2). The namespaces are those of lesson 06, but / is DIR,
with a /proc, /sys, /dev and /tmp of its own, and no file of the host is left
in sight. The environment is new, too.

See pivot_root(2) and mount_namespaces(7).
*/
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const example = "bin/07-pivot-root ls /"

// childOf marks the second half of this program in its argument 0.
const childOf = "child of "

// init keeps main on one thread. Pdeathsig, below, is about threads: it is
// sent when the one that started the child ends, and lost when another one
// of the child's than the first calls execve. See prctl(2).
func init() { runtime.LockOSThread() }

// main is one of two halves: the parent, on the host, or the child, which
// the parent starts as the first process of the new namespaces.
func main() {
	path, isChild := strings.CutPrefix(os.Args[0], childOf)
	name := filepath.Base(path)
	log.SetFlags(0)
	log.SetPrefix(name + ": ")
	opt := parse(name)
	if isChild {
		child(opt)
	}
	status, err := parent(opt)
	if err != nil {
		fail(failed, err)
	}
	os.Exit(status)
}

// options are what the command line asks for.
type options struct {
	// command and its arguments; none for a shell
	command []string

	// hostname, 1 to 64 bytes
	hostname hostname

	// net is veth, or lo for no connection to the host
	net network

	// rootfs is the directory that becomes /
	rootfs string
}

// parse reads the command line, which is the same for both halves.
func parse(name string) options {
	var opt options
	flags := flag.NewFlagSet(name, flag.ContinueOnError)

	opt.hostname = "lesson-07"
	flags.Var(&opt.hostname, "hostname", "`name` of the host inside")
	opt.net = cable
	flags.Var(&opt.net, "net", "`veth` to the host, or lo for loopback only")
	flags.StringVar(&opt.rootfs, "rootfs", "rootfs",
		"`directory` that becomes /")

	flags.SetOutput(io.Discard) // usage prints what Parse has to say
	if err := flags.Parse(os.Args[1:]); err != nil {
		usage(flags, err)
	}
	opt.command = flags.Args()
	return opt
}

// usage answers -h, or a command line with a fault. It does not return.
func usage(flags *flag.FlagSet, err error) {
	out, status := os.Stdout, 0
	if !errors.Is(err, flag.ErrHelp) {
		log.Print(err)
		out, status = os.Stderr, 2
	}
	fmt.Fprintf(out, "Usage: %s [flags] [command [argument ...]]\n",
		flags.Name())
	flags.SetOutput(out)
	flags.PrintDefaults()
	fmt.Fprintf(out, "Example: %s\n", example)
	os.Exit(status)
}

// parent starts this program again, as the child, waits for it, and returns
// the exit status of the command that the child has become.
func parent(opt options) (int, error) {
	signals := catch()

	if err := checkRootfs(opt.rootfs); err != nil {
		return failed, err
	}

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{childOf + os.Args[0]}, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr

	// Should the parent be killed, the child must not stay. Not SIGTERM:
	// process 1 of a namespace gets no signal that it does not handle.
	attr := &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	cmd.SysProcAttr = attr

	attr.Cloneflags |= unix.CLONE_NEWPID
	attr.Cloneflags |= unix.CLONE_NEWNS
	attr.Cloneflags |= unix.CLONE_NEWUTS
	attr.Cloneflags |= unix.CLONE_NEWIPC
	attr.Cloneflags |= unix.CLONE_NEWNET
	attr.Cloneflags |= unix.CLONE_NEWUSER

	if err := mapRoot(attr); err != nil {
		return failed, err
	}
	ready, err := readyPipe(cmd)
	if err != nil {
		return failed, err
	}

	if err := cmd.Start(); err != nil {
		return failed, fmt.Errorf("clone the child: %w%s", err, hint(err))
	}
	go supervise(cmd.Process, signals)

	address, err := connect(cmd.Process.Pid, opt.net)
	address, err = orLoopback(address, err)
	if err == nil {
		_, err = ready.WriteString(address)
	}
	ready.Close() // the child goes on, or ends if it has read nothing
	if err != nil {
		status, _ := wait(cmd)
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) {
			return status, nil // no child, and so no cable: it has said why
		}
		return failed, err
	}

	return wait(cmd)
}

// child sets up the new namespaces from within, a line for each step, and
// then becomes the command.
func child(opt options) {
	must(makePrivate())
	must(enterRoot(opt.rootfs))
	must(mountProc())
	must(protectProc())
	must(furnish())
	must(setHostname(opt.hostname))
	must(mountMqueue())
	must(joinNetwork())
	must(noNewPrivs())
	must(leaveOldRoot())
	must(bareEnvironment())
	must(closeInherited())
	execute(opt.command)
}
