//go:build linux

/*
08-cgroups runs a command, by default /bin/sh, in a container: with a root,
namespaces and limits of its own. Usage, with the right to make a cgroup:

	08-cgroups [-memory SIZE] [-pids N] [-cpus N] [-rootfs DIR]
	           [-net=veth|lo] [-hostname NAME] [command [argument ...]]

New here: the command is born in a cgroup with limits on memory, processes and
CPU time, and CLONE_NEWCGROUP makes that cgroup the root of what it sees.
See cgroups(7) and cgroup_namespaces(7).
*/
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

const lesson = "08-cgroups"

// options are what the command line asks for.
type options struct {
	command []string // with its arguments; empty for a shell

	hostname string // at most 64 bytes

	net string // veth, or lo for no connection to the host

	rootfs string // the directory that becomes /

	limits
}

// main is one of two halves: the parent, on the host, or the child, which
// the parent starts as the first process of the new namespaces.
func main() {
	var opt options
	flag.StringVar(&opt.hostname, "hostname", lesson, "`name` of the host")
	flag.StringVar(&opt.net, "net", "veth", "`veth` to the host, or lo alone")
	flag.StringVar(&opt.rootfs, "rootfs", "rootfs", "`directory` to be /")
	flag.StringVar(&opt.memory, "memory", "64M", "`bytes` or max")
	flag.StringVar(&opt.pids, "pids", "64", "`processes`, or max")
	flag.StringVar(&opt.cpus, "cpus", "0.5", "`CPUs`, or max")
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
	// Without a terminal, kill 0 inside must not reach the caller's group.
	_, err = unix.IoctlGetTermios(0, unix.TCGETS)
	attr.Setpgid = err != nil

	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) // they do not stop process 1
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	if !signal.Ignored(unix.SIGHUP) { // it is under nohup(1)
		signal.Notify(signals, unix.SIGHUP) // or cg.remove would not run
	}
	os.Setenv("GOMAXPROCS", "1") // few threads: -pids counts them too
	cg, err := newCgroup(opt.limits)
	defer cg.remove()
	if err = cmp.Or(err, cg.enter(attr)); err != nil {
		return err
	}

	if err := cmd.Start(); err != nil {
		return fmt.Errorf("clone the child: %w", err)
	}
	go forwardSignals(cmd.Process, signals)
	moveTo(cg.own) // if this fails, cg.remove fails too, and says so

	if err := connectChild(cmd, ready, opt.net); err != nil {
		return err
	}
	return cmd.Wait()
}

// child sets up the new namespaces from within, then becomes the command.
func child(opt options) {
	must(unshareCgroup())
	must(makePrivate())
	must(enterRoot(opt.rootfs))
	must(mountProc())
	must(protectProc())
	must(mountDev())
	must(mountCgroup())
	must(setHostname(opt.hostname))
	must(mountMqueue())
	must(joinNetwork())
	must(noNewPrivs())
	must(leaveOldRoot())
	must(bareEnvironment())
	must(closeInherited())
	execute(opt.command)
}

// init keeps main on its first thread. Pdeathsig comes when the thread that
// started the child ends, and is lost if another thread calls execve: prctl(2).
func init() { runtime.LockOSThread() }
