//go:build linux

package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

var suite = nstest.New("04-ipc")

func TestMain(m *testing.M) { suite.Main(m, nil) }

func TestAllLessons(t *testing.T) {
	suite.All(t, map[string]string{"hostname": "04-ipc"})
}

// These make an object of each kind, and print the keys of the System V objects and the
// names of the POSIX queues in sight. Identifiers would prove nothing: each namespace
// may use the same.
const (
	makeAll = "ipcmk -Q -S 1 -M 4096 >/dev/null; : >/dev/mqueue/"
	see     = "awk 'FNR > 1 { print $1 }' /proc/sysvipc/msg /proc/sysvipc/sem /proc/sysvipc/shm; ls /dev/mqueue"
)

// What is made outside does not exist inside, and the other way around.
func TestQueuesSemaphoresSharedMemory(t *testing.T) {
	nstest.NeedRoot(t)
	sh := func(script string) []string {
		return strings.Fields(nstest.Printed(t, exec.Command("sh", "-ec", script)))
	}
	before := sh(see)
	outside := sh(makeAll + "outside; " + see)
	defer sh("ipcrm --all; rm /dev/mqueue/outside") // of the tests' own host
	require.Len(t, outside, len(before)+4)

	// The first line says that it is ready: there is nothing in sight.
	c := suite.Start(t, suite.Command(t, nstest.Sh(
		see+"; "+makeAll+"inside; echo ready; cat; "+see)...), nstest.Ready)
	require.Equal(t, outside, sh(see))
	r := c.Finish()
	require.Zero(t, r.Status, r.Stderr)
	inside := strings.Fields(r.Stdout)
	require.Len(t, inside, 4)
	for _, name := range inside {
		require.NotContains(t, outside, name)
	}
}

func TestMqueue(t *testing.T) {
	nstest.NeedRoot(t)
	c := suite.Cat(t)
	require.Equal(t, "mqueue", nstest.MountAt(t, c.Init, "/dev/mqueue").Type)
	nstest.RequireNoPropagation(t, c.Init)
	require.Zero(t, c.Finish().Status)
}

// Where there is no /dev/mqueue, the lesson says so and goes on.
func TestNoMqueue(t *testing.T) {
	nstest.NeedRoot(t)
	c := suite.Start(t, suite.InMounts(t, "mount -t tmpfs none /dev", "cat"), nstest.Echo)
	suite.RequireOwnNamespaces(t, c.Init)
	r := c.Finish()
	require.Zero(t, r.Status)
	require.Contains(t, r.Stderr, "04-ipc: no /dev/mqueue")
}
