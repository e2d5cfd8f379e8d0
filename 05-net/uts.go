//go:build linux

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hostname is the value of the flag -hostname.
type hostname string

func (h *hostname) String() string { return string(*h) }

// Set checks the name now: the kernel would refuse more than 64 bytes when
// the child is half-way. It would take none at all, which is no name.
func (h *hostname) Set(name string) error {
	if n := len(name); n < 1 || n > 64 {
		return fmt.Errorf("it has %d bytes, a hostname has 1 to 64", n)
	}
	*h = hostname(name)
	return nil
}

// setHostname names this UTS namespace. The host keeps its own name; there
// is one struct new_utsname for each namespace. See uts_namespaces(7).
func setHostname(name hostname) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("sethostname %q: %w", name, err)
	}
	return nil
}
