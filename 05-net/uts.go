//go:build linux

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// setHostname sets the name of this UTS namespace, which starts with a copy of
// the host's. The host keeps its own. See uts_namespaces(7), sethostname(2).
func setHostname(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("sethostname %q: %w", name, err)
	}
	return nil
}
