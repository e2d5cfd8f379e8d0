//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"

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
	rt, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return "", fmt.Errorf("netlink socket: %w", err)
	}
	defer rt.Close()
	const subnets = 1 << 14 // of 4 addresses each in 10.200.0.0/16
	for i := range subnets {
		n := (pid + i) % subnets
		host := netip.AddrFrom4([4]byte{10, 200, byte(n >> 6), byte(n<<2) + 1})
		if taken(rt, netip.PrefixFrom(host, 30).Masked()) {
			continue
		}
		// The device's name stands for the subnet. The kernel refuses
		// one that exists: so no two lessons ever get the same subnet.
		name := fmt.Sprintf("nsl%d", n)
		err := addVeth(rt, name, host, pid)
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
func addVeth(
	rt *netlink.Handle, name string, address netip.Addr, pid int,
) error {
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs()}
	pair.Name = name
	pair.PeerName, pair.PeerNamespace = "eth0", netlink.NsPid(pid)
	// An address of the kernel's choice would not last: udev gives the
	// device another one, when the container may already have asked for it
	// by ARP. See MACAddressPolicy in systemd.link(5).
	pair.HardwareAddr = append([]byte{2, 0}, address.AsSlice()...)
	err := rt.LinkAdd(pair)
	if errors.Is(err, unix.EPERM) { // without CAP_NET_ADMIN
		err = fmt.Errorf("%w%s\n  or go without a cable: -net=lo",
			err, hint(err))
	}
	if err != nil {
		return fmt.Errorf("add veth %s and its peer eth0 in the network "+
			"namespace of process %d: %w", name, pid, err)
	}
	return setUp(rt, pair, netip.PrefixFrom(address, 30))
}

// taken tells whether the host has a route to an address of a subnet, other
// than its default route: what is also elsewhere would be out of reach. It is
// `ip route get fibmatch`, which does not list the routes but looks one up.
func taken(rt *netlink.Handle, subnet netip.Prefix) bool {
	match := &netlink.RouteGetOptions{FIBMatch: true}
	for a := subnet.Addr(); subnet.Contains(a); a = a.Next() {
		routes, err := rt.RouteGetWithOptions(a.AsSlice(), match)
		if errors.Is(err, unix.ENETUNREACH) {
			continue // not even a default route
		}
		if err != nil { // a route that refuses, such as "unreachable"
			return true
		}
		if bits, _ := routes[0].Dst.Mask.Size(); bits > 0 {
			return true
		}
	}
	return false
}
