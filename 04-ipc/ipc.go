//go:build linux

package main

import (
	"errors"
	"log"

	"golang.org/x/sys/unix"
)

// mountMqueue covers /dev/mqueue with this IPC namespace's own POSIX message
// queues: like /proc, this file system shows the namespace in which it was
// mounted. System V queues, semaphores and shared memory have no files, so
// CLONE_NEWIPC alone does for them. See ipc_namespaces(7), mq_overview(7).
func mountMqueue() error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	err := mount("mqueue", "/dev/mqueue", "mqueue", flags, "")
	if errors.Is(err, unix.ENOENT) { // isolated all the same: go on
		log.Print("no /dev/mqueue to show POSIX queues in\n" +
			"  sudo mkdir /dev/mqueue")
		return nil
	}
	return err
}
