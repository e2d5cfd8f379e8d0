//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// connectChild connects the child to the host, and lets it go on.
func connectChild(cmd *exec.Cmd, ready io.Writer, mode string) error {
	address, err := connect(cmd.Process.Pid, mode)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
		// The host's network is not ours to change: go on without a veth pair.
		fmt.Fprintf(os.Stderr, "%s: no veth without root: lo only\n", lesson)
		address, err = "lo", nil
	}
	if err == nil {
		_, err = fmt.Fprintln(ready, address)
	}
	if err != nil {
		cmd.Process.Kill() // it still waits, or has ended and said why
		ended := cmd.Wait()
		if cmd.ProcessState.Exited() || errors.Is(err, unix.ESRCH) {
			return ended
		}
	}
	return err
}

// connect makes a veth pair, two connected devices, one on the host and one in
// the network namespace of process pid. Only the host can do this.
// It returns the address for the end inside, or lo if there is to be none.
func connect(pid int, mode string) (string, error) {
	if mode == "lo" {
		return mode, nil
	} else if mode != "veth" {
		return "", fmt.Errorf("-net=%s: want veth or lo", mode)
	}
	const subnets = 1 << 14
	for i := range subnets {
		n := (pid + i) % subnets
		err := addVeth(n, pid)
		if !errors.Is(err, unix.EEXIST) { // EEXIST: it is another container's
			return address(n, 2), err
		}
	}
	return "", errors.New("no subnet is free: see ip link show type veth")
}

// address returns address i of subnet n, a /30 of 10.200.0.0/16.
func address(n, i int) string {
	return fmt.Sprintf("10.200.%d.%d/30", n>>6, n<<2&255+i)
}

// addVeth makes both devices: nslN here, its peer eth0 in the other network
// namespace. When that namespace ends, both are gone. See veth(4).
func addVeth(n, pid int) error {
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs()}
	pair.Name, pair.PeerName = fmt.Sprintf("nsl%d", n), "eth0"
	pair.PeerNamespace = netlink.NsPid(pid)
	// udev replaces a MAC address that the kernel chose, maybe after somebody
	// inside has learned it. See MACAddressPolicy in systemd.link(5).
	pair.HardwareAddr = net.HardwareAddr{2, 0, 10, 200, byte(n >> 8), byte(n)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("add veth %s for process %d: %w", pair.Name, pid, err)
	}
	// With IPv6, a router advertisement from inside could give the host a
	// default route into the container.
	ipv6 := "/proc/sys/net/ipv6/conf/" + pair.Name + "/disable_ipv6"
	err := os.WriteFile(ipv6, []byte("1"), 0)
	if err != nil && !os.IsNotExist(err) { // with no IPv6 in this kernel
		return err
	}
	return setUp(pair.Name, address(n, 1))
}

// joinNetwork waits for the parent, and sets up what is inside: in a new
// network namespace every device is down, even lo.
func joinNetwork() error {
	pipe := os.NewFile(3, "pipe")
	defer pipe.Close()
	var address string
	if _, err := fmt.Fscanln(pipe, &address); err != nil {
		return fmt.Errorf("wait for the parent: %w", err)
	}
	if err := setUp("lo", "127.0.0.1/8"); err != nil || address == "lo" {
		return err
	}
	if err := setUp("eth0", address); err != nil {
		return err
	}
	gateway, _, _ := net.ParseCIDR(address)
	gateway[len(gateway)-1]-- // the host has the address before ours
	if err := netlink.RouteAdd(&netlink.Route{Gw: gateway}); err != nil {
		return fmt.Errorf("add a default route via %s: %w", gateway, err)
	}
	return nil
}

// setUp gives a device an address, and sets it up.
func setUp(device, address string) error {
	addr, _ := netlink.ParseAddr(address) // one of those above
	link, err := netlink.LinkByName(device)
	if err == nil {
		err = errors.Join(netlink.AddrAdd(link, addr), netlink.LinkSetUp(link))
	}
	if err != nil {
		return fmt.Errorf("set %s up with %s: %w", device, address, err)
	}
	return nil
}
