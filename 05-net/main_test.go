//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

var suite = nstest.New("05-net")

func TestMain(m *testing.M) { suite.Main(m, nil) }

func TestAllLessons(t *testing.T) {
	suite.All(t, map[string]string{
		"hostname": "05-net", "net": "veth",
	})
}

// vethTo is what the kernel says about the veth pair to a container.
type vethTo struct {
	outside, inside netip.Prefix
	name            string // of the host's end
}

// findVeth looks at both ends, each in its own namespace.
func findVeth(t *testing.T, pid int) vethTo {
	t.Helper()
	var found vethTo
	var peer int
	nstest.InNetwork(t, pid, func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		peer = eth0.Attrs().ParentIndex
		found.inside, err = addressOf(eth0)
		return err
	})
	link, err := netlink.LinkByIndex(peer)
	require.NoError(t, err)
	require.Equal(t, "veth", link.Type())
	found.name = link.Attrs().Name
	found.outside, err = addressOf(link)
	require.NoError(t, err)
	// udev leaves an address alone that somebody has set.
	require.Regexp(t, "^02:00:0a:c8:", link.Attrs().HardwareAddr.String())
	// A router advertisement from inside must not give the host a route.
	conf := "/proc/sys/net/ipv6/conf/" + found.name
	if _, err := os.Stat(conf); err == nil { // this kernel has IPv6
		off, err1 := os.ReadFile(conf + "/disable_ipv6")
		ra, err2 := os.ReadFile(conf + "/accept_ra")
		require.NoError(t, errors.Join(err1, err2))
		require.True(t, string(off) == "1\n" || string(ra) == "0\n", "%s%s", off, ra)
	}
	return found
}

// addressOf returns the only IPv4 address of a device, which must be up.
func addressOf(link netlink.Link) (netip.Prefix, error) {
	if link.Attrs().Flags&net.FlagUp == 0 {
		return netip.Prefix{}, fmt.Errorf("%s is down", link.Attrs().Name)
	}
	addrs, err := nstest.Listed(func() ([]netlink.Addr, error) {
		return netlink.AddrList(link, netlink.FAMILY_V4)
	})
	if err != nil {
		return netip.Prefix{}, err
	}
	if len(addrs) != 1 {
		return netip.Prefix{}, fmt.Errorf("%s has addresses %v",
			link.Attrs().Name, addrs)
	}
	return netip.ParsePrefix(addrs[0].IPNet.String())
}

func TestVeth(t *testing.T) {
	nstest.NeedRoot(t)
	c := suite.Cat(t)
	require.ElementsMatch(t, []string{"lo", "eth0"}, nstest.Devices(t, c.Init))

	found := findVeth(t, c.Init)
	require.Regexp(t, `^nsl[0-9]+$`, found.name)
	require.LessOrEqual(t, len(found.name), 15)
	require.Equal(t, 30, found.inside.Bits())
	require.Equal(t, found.outside.Masked(), found.inside.Masked())
	require.NotEqual(t, found.outside, found.inside)
	lab := netip.MustParsePrefix("10.200.0.0/16")
	require.True(t, lab.Contains(found.inside.Addr()), found.inside)
	for _, address := range []netip.Prefix{found.inside, found.outside} {
		subnet := address.Masked().Addr() // of no host, like the broadcast address
		require.Contains(t, []netip.Addr{subnet.Next(), subnet.Next().Next()},
			address.Addr())
	}

	nstest.InNetwork(t, c.Init, func() error {
		lo, err1 := netlink.LinkByName("lo")
		routes, err2 := nstest.Listed(func() ([]netlink.Route, error) {
			return netlink.RouteList(nil, netlink.FAMILY_V4)
		})
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		address, err := addressOf(lo)
		if err != nil || address.String() != "127.0.0.1/8" {
			return fmt.Errorf("lo has %s: %w", address, err)
		}
		for _, route := range routes {
			if route.Gw.String() == found.outside.Addr().String() &&
				(route.Dst == nil || route.Dst.String() == "0.0.0.0/0") {
				return nil
			}
		}
		return fmt.Errorf("no default route via %s: %v", found.outside, routes)
	})
	require.Zero(t, c.Finish().Status)
}

// The host and the container reach each other at the addresses of the veth pair, and the
// container reaches, by its default route, any other address.
func TestReach(t *testing.T) {
	nstest.NeedRoot(t)
	lo, err := netlink.LinkByName("lo")
	require.NoError(t, err)
	other, err := netlink.ParseAddr("192.0.2.1/32") // for documentation
	require.NoError(t, err)
	require.NoError(t, netlink.AddrAdd(lo, other))
	defer netlink.AddrDel(lo, other)

	c := suite.Cat(t)
	found := findVeth(t, c.Init)
	host, container := found.outside.Addr().String(), found.inside.Addr().String()
	outside := func(do func() error) { require.NoError(t, do()) }
	inside := func(do func() error) { nstest.InNetwork(t, c.Init, do) }
	for _, way := range []struct {
		listen, dial func(do func() error)
		to, from     string
	}{
		{inside, outside, container, host},
		{outside, inside, host, container},
		{outside, inside, other.IP.String(), container},
	} {
		var l net.Listener
		way.listen(func() (err error) {
			l, err = net.Listen("tcp", net.JoinHostPort(way.to, "0"))
			return err
		})
		defer l.Close()
		way.dial(func() error {
			conn, err := net.DialTimeout("tcp", l.Addr().String(), nstest.Patience)
			if err != nil {
				return err
			}
			return conn.Close()
		})
		conn, err := l.Accept()
		require.NoError(t, err)
		require.Equal(t, way.from, conn.RemoteAddr().(*net.TCPAddr).IP.String())
		require.NoError(t, conn.Close())
	}
	require.Zero(t, c.Finish().Status)
}

// Containers that start at the same time never get the same device or subnet.
func TestManyAtOnce(t *testing.T) {
	nstest.NeedRoot(t)
	check := suite.UnchangedHost(t)
	many := 50
	if testing.Short() {
		many = 10
	}
	containers := make([]*nstest.Container, many)
	for i := range containers { // start them all before waiting for the first
		containers[i] = suite.Start(t, suite.Command(t, "cat"))
	}
	names, subnets := map[string]bool{}, map[netip.Prefix]bool{}
	for _, c := range containers {
		c.Say("ready")
		c.Ready()
		found := findVeth(t, c.Init)
		require.Equal(t, found.outside.Masked(), found.inside.Masked())
		names[found.name] = true
		subnets[found.inside.Masked()] = true
	}
	require.Len(t, names, many)
	require.Len(t, subnets, many)
	for _, c := range containers {
		c.Close()
	}
	for _, c := range containers {
		require.Zero(t, c.Wait().Status)
	}
	check()
}

func TestLoopbackOnly(t *testing.T) {
	nstest.NeedRoot(t)
	check := suite.UnchangedHost(t)
	c := suite.Cat(t, "-net=lo", "cat")
	nstest.RequireLoopbackOnly(t, c.Init)
	links, err := nstest.Listed(netlink.LinkList)
	require.NoError(t, err)
	for _, link := range links {
		require.NotContains(t, link.Attrs().Name, "nsl")
	}
	require.Zero(t, c.Finish().Status)
	check()
}

func TestBadNet(t *testing.T) {
	nstest.NeedRoot(t)
	for _, value := range []string{"", "eth0", "none", "VETH", "lo,veth"} {
		suite.RequireRefusal(t, suite.Run(t, "-net="+value, "echo", "started"),
			"-net="+value+": want veth or lo")
	}
}

// A lesson that is killed as soon as its veth pair exists leaves neither the pair nor a
// process behind.
func TestKilledHalfWay(t *testing.T) {
	nstest.NeedRoot(t)
	for range 5 {
		check := suite.UnchangedHost(t)
		events, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
		require.NoError(t, netlink.LinkSubscribe(events, done))
		c := suite.Start(t, suite.Command(t, "cat"))
		for seen := false; !seen; {
			select {
			case event := <-events:
				seen = strings.HasPrefix(event.Link.Attrs().Name, "nsl")
			case <-time.After(nstest.Patience):
				require.Fail(t, "no device nsl…")
			}
		}
		gone := nstest.Watch(t, nstest.Children(c.Parent)...)
		c.Signal(unix.SIGKILL)
		require.Equal(t, 128+9, c.Wait().Status)
		gone()
		close(done)
		check()
	}
}
