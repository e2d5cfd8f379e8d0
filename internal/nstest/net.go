//go:build linux

package nstest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The main thread cannot end, and InNetwork would keep a namespace alive on it. So
// only the main goroutine may run there.
func init() { runtime.LockOSThread() }

// InNetwork calls a function in the network namespace of a process. It needs root.
// The function must not end the test.
func InNetwork(t *testing.T, pid int, do func() error) {
	t.Helper()
	failure := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			err = do()
		}
		failure <- err
	}()
	require.NoError(t, <-failure)
}

// Listed returns what a function of netlink lists. It asks again when the kernel
// says that the list changed while it was read: the devices of other containers
// disappear at any time.
func Listed[T any](list func() ([]T, error)) ([]T, error) {
	for {
		all, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
}

// Devices returns the names of a process's network devices.
func Devices(t *testing.T, pid int) []string {
	t.Helper()
	text := Read(t, fmt.Sprintf("/proc/%d/net/dev", pid))
	var names []string
	for _, line := range strings.Split(text, "\n") {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	require.NotEmpty(t, names)
	return names
}

// RequireLoopbackOnly checks that a process has the device lo, which is up,
// and no other.
func RequireLoopbackOnly(t *testing.T, pid int) {
	t.Helper()
	require.Equal(t, []string{"lo"}, Devices(t, pid))
	// The kernel gives lo this address when it is set up.
	text := Read(t, fmt.Sprintf("/proc/%d/net/fib_trie", pid))
	require.Contains(t, text, "127.0.0.1")
}
