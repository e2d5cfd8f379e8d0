//go:build linux

package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is the value of the flag -net.
type network string

const (
	cable    network = "veth"
	loopback network = "lo"
)

func (n *network) String() string { return string(*n) }

// Set takes veth or lo.
func (n *network) Set(value string) error {
	if *n = network(value); *n != cable && *n != loopback {
		return fmt.Errorf("want %s or %s", cable, loopback)
	}
	return nil
}

// readyPipe gives the child the end to read from, as descriptor 3, and
// returns the one to write to. The child has no copy of that: should the
// parent die, it reads end of file instead of waiting for ever. See pipe(7).
func readyPipe(cmd *exec.Cmd) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe to the child: %w%s", err, hint(err))
	}
	cmd.ExtraFiles = []*os.File{read}
	return write, nil
}

// joinNetwork waits for the parent, and sets up what that has connected: the
// devices of a new network namespace are down, lo too.
func joinNetwork() error {
	message, err := io.ReadAll(os.NewFile(3, "pipe"))
	if err != nil {
		return fmt.Errorf("wait for the parent: %w", err)
	}
	if len(message) == 0 {
		os.Exit(failed) // the parent is dead, or says why it gave up
	}
	// One socket for all requests. See rtnetlink(7).
	rt, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	defer rt.Close()
	// In every network namespace, lo is device 1.
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1, Name: "lo"}}
	if err := setUp(rt, lo, netip.Prefix{}); err != nil {
		return err
	}
	if network(message) == loopback {
		return nil
	}
	address, err := netip.ParsePrefix(string(message))
	if err != nil {
		return fmt.Errorf("address from the parent: %w", err)
	}
	eth0, err := rt.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("look up device eth0: %w", err)
	}
	if err := setUp(rt, eth0, address); err != nil {
		return err
	}
	gateway := address.Masked().Addr().Next()
	err = rt.RouteAdd(&netlink.Route{Gw: gateway.AsSlice()})
	if err != nil {
		return fmt.Errorf("add default route via %s: %w", gateway, err)
	}
	return nil
}

// setUp gives a device an address, if there is one for it, and sets it up.
func setUp(rt *netlink.Handle, link netlink.Link, address netip.Prefix) error {
	name := link.Attrs().Name
	if address.IsValid() {
		addr, err := netlink.ParseAddr(address.String())
		if err == nil {
			err = rt.AddrAdd(link, addr)
		}
		if err != nil {
			return fmt.Errorf("add address %s to %s: %w", address, name, err)
		}
	}
	if err := rt.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}
