//go:build linux

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// setHostname names this UTS namespace. It starts with a copy of the host's
// name, and the host keeps its own. See uts_namespaces(7), sethostname(2).
func setHostname(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("sethostname %q: %w", name, err)
	}
	return nil
}
