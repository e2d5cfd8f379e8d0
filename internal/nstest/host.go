//go:build linux

package nstest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
)

// Host is all that a lesson could leave behind on the host.
type Host struct {
	Hostname  string
	Mounts    []string
	Queues    []string // and the other IPC objects of System V and POSIX
	Network   []string // links, addresses and routes
	Cgroups   []string
	Processes []string
}

func settled(t *testing.T, lessons []int) (h Host) {
	t.Helper()
	require.NoError(t, untilLinks(func() (bool, error) {
		var err error
		h, err = readHost(lessons)
		return !slices.ContainsFunc(h.Network, ofLesson), err
	}))
	require.NotEmpty(t, h.Mounts)
	return h
}

func ofLesson(line string) bool { return strings.Contains(line, " nsl") }

// unchanged compares the host with what it is now. It looks for the cgroups of all
// lessons that have run so far.
func (h Host) unchanged(lessons func() []int) error {
	var now Host
	// A killed process takes a moment to end. One that ends by itself has outlived
	// its test.
	moment := time.Now().Add(time.Second)
	err := untilLinks(func() (bool, error) {
		var err error
		now, err = readHost(lessons())
		return slices.Equal(h.Network, now.Network) &&
			(slices.Equal(h.Processes, now.Processes) || time.Now().After(moment)), err
	})
	return errors.Join(err, equal(h, now))
}

// untilLinks waits until a condition holds, and looks again at each change of the
// links: the kernel removes the devices of a network namespace some time after its
// end. There is no event for processes that are not ours.
func untilLinks(reached func() (bool, error)) error {
	events, done := make(chan netlink.LinkUpdate, 1024), make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribe(events, done); err != nil {
		return fmt.Errorf("subscribe to the changes of links: %w", err)
	}
	for deadline := time.After(Patience); ; {
		if ok, err := reached(); ok || err != nil {
			return err
		}
		select {
		case <-events:
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			return nil // the caller says what differs
		}
	}
}

// equal compares by testify, whose message shows what differs.
func equal(before, now Host) error {
	var c collector
	if assert.Equal(&c, before, now, "the host is not as before") {
		return nil
	}
	return errors.New(string(c))
}

type collector string

func (c *collector) Errorf(format string, args ...any) {
	*c += collector(fmt.Sprintf(format, args...))
}

func readHost(lessons []int) (Host, error) {
	var h Host
	var errs [4]error
	h.Hostname, errs[0] = os.Hostname()
	var mounts []byte
	mounts, errs[1] = os.ReadFile("/proc/self/mountinfo")
	h.Mounts = strings.Split(strings.TrimSpace(string(mounts)), "\n")
	h.Cgroups, errs[2] = Cgroups(lessons...)
	for _, p := range descendants() {
		h.Processes = append(h.Processes, fmt.Sprintf("%d %s", p.pid, p.name))
	}
	if Root() { // on a host of our own: see Main
		h.Queues = queues()
		h.Network, errs[3] = network()
	}
	return h, errors.Join(errs[:]...)
}

func queues() []string {
	var all []string
	for _, kind := range []string{"msg", "sem", "shm"} {
		text, _ := os.ReadFile("/proc/sysvipc/" + kind)
		all = append(all, strings.Split(string(text), "\n")...)
	}
	posix, _ := filepath.Glob("/dev/mqueue/*")
	return append(all, posix...)
}

func network() ([]string, error) {
	links, err1 := Listed(netlink.LinkList)
	addrs, err2 := Listed(func() ([]netlink.Addr, error) {
		return netlink.AddrList(nil, netlink.FAMILY_ALL)
	})
	routes, err3 := Listed(func() ([]netlink.Route, error) {
		return netlink.RouteList(nil, netlink.FAMILY_ALL)
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("list the network: %w", err)
	}
	var all []string
	for _, link := range links {
		all = append(all, fmt.Sprintf("link %d %s %s", link.Attrs().Index,
			link.Attrs().Name, link.Type()))
	}
	for _, addr := range addrs {
		all = append(all, fmt.Sprintf("address %s on %d", addr.IPNet,
			addr.LinkIndex))
	}
	for _, route := range routes {
		all = append(all, fmt.Sprintf("route %s", route))
	}
	return all, nil
}

// Cgroups returns the cgroup directories of the lessons with these PIDs.
func Cgroups(lessons ...int) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if !strings.Contains(line, " - cgroup") || len(fields) < 5 {
			continue
		}
		err := filepath.WalkDir(fields[4], func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // it belongs to somebody else: it is gone, or closed to us
			}
			after, ok := strings.CutPrefix(d.Name(), "nsl-")
			number, _, _ := strings.Cut(after, "-")
			pid, err := strconv.Atoi(number)
			if ok && err == nil && slices.Contains(lessons, pid) {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
