//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mountMqueue covers /dev/mqueue with the POSIX message queues of this IPC
// namespace: like /proc, this filesystem shows the namespace in which it was
// mounted. System V objects have no files: for them, CLONE_NEWIPC is enough.
// See ipc_namespaces(7) and mq_overview(7).
func mountMqueue() error {
	err := mount("mqueue", "/dev/mqueue", "mqueue", safe, "")
	if errors.Is(err, unix.ENOENT) { // isolated all the same: go on
		fmt.Fprintf(os.Stderr, "%s: no /dev/mqueue to show queues in\n", lesson)
		return nil
	}
	return err
}
