//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// connect lays a cable, veth(4), from the host to the network namespace of
// process pid, which only the host can do. It returns the address for the
// far end, or "lo" when there is to be no cable.
func connect(pid int, mode network) (string, error) {
	if mode == loopback {
		return string(loopback), nil
	}
	taken, err := takenSubnets()
	if err != nil {
		return "", err
	}
	const subnets = 1 << 14 // of 4 addresses each in 10.200.0.0/16
	for i := range subnets {
		n := (pid + i) % subnets
		host := netip.AddrFrom4([4]byte{10, 200, byte(n >> 6), byte(n<<2) + 1})
		if overlaps(taken, netip.PrefixFrom(host, 30)) {
			continue
		}
		// The device's name stands for the subnet. The kernel refuses
		// one that exists: so no two lessons ever get the same subnet.
		err := addVeth(fmt.Sprintf("nsl%d", n), host, pid)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		return netip.PrefixFrom(host.Next(), 30).String(), err
	}
	return "", errors.New("ip route: no /30 of 10.200.0.0/16 is free\n" +
		"  go without a cable: -net=lo")
}

// addVeth makes the two devices: one here, the other, eth0, in the network
// namespace of process pid. Both are gone when that namespace is.
func addVeth(name string, address netip.Addr, pid int) error {
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs()}
	pair.Name = name
	pair.PeerName, pair.PeerNamespace = "eth0", netlink.NsPid(pid)
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("add veth %s and its peer eth0 in the network "+
			"namespace of process %d: %w", name, pid, err)
	}
	return setUp(name, netip.PrefixFrom(address, 30))
}

// takenSubnets are those of the host's addresses and routes: a route to a
// subnet that is also elsewhere would send traffic the wrong way.
func takenSubnets() ([]netip.Prefix, error) {
	addrs, err := list(netlink.AddrList)
	if err != nil {
		return nil, fmt.Errorf("list the host's addresses: %w", err)
	}
	routes, err := list(netlink.RouteList)
	if err != nil {
		return nil, fmt.Errorf("list the host's routes: %w", err)
	}
	var nets []*net.IPNet
	for _, addr := range addrs {
		nets = append(nets, addr.IPNet)
	}
	for _, route := range routes {
		nets = append(nets, route.Dst)
	}
	var taken []netip.Prefix
	for _, n := range nets {
		prefix, err := netip.ParsePrefix(n.String())
		if err == nil && prefix.Bits() > 0 { // the default route is no subnet
			taken = append(taken, prefix)
		}
	}
	return taken, nil
}

// list asks again if the kernel says that the answer has changed while it
// was read: another lesson may have started in that moment.
func list[T any](get func(netlink.Link, int) ([]T, error)) ([]T, error) {
	for {
		all, err := get(nil, netlink.FAMILY_V4)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
}

// overlaps tells whether a subnet has addresses in common with one of others.
func overlaps(others []netip.Prefix, subnet netip.Prefix) bool {
	return slices.ContainsFunc(others, subnet.Overlaps)
}
