//go:build linux

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

var suite = nstest.New("03-uts")

func TestMain(m *testing.M) { suite.Main(m, nil) }

func TestAllLessons(t *testing.T) {
	suite.All(t, map[string]string{"hostname": "03-uts"})
}

// kernelName is where the kernel shows the name of the reader's namespace.
const kernelName = "/proc/sys/kernel/hostname"

func TestHostname(t *testing.T) {
	nstest.NeedRoot(t)
	for _, name := range []string{
		"room-3", "x", strings.Repeat("n", 64), strings.Repeat("ä", 32),
		"two words",
	} {
		out := suite.Output(t, "-hostname", name, "cat", kernelName)
		require.Equal(t, name+"\n", out)
	}
	require.Equal(t, "03-uts\n", suite.Output(t, "cat", kernelName))
	require.Equal(t, "03-uts\n", suite.Output(t, "hostname"))
}

func TestBadHostname(t *testing.T) {
	nstest.NeedRoot(t)
	for _, name := range []string{strings.Repeat("n", 65), strings.Repeat("ä", 33)} {
		r := suite.Run(t, "-hostname", name, "echo", "started")
		suite.RequireRefusal(t, r, "invalid argument")
	}
}

// The host keeps its name, whatever happens inside.
func TestHostKeepsItsName(t *testing.T) {
	nstest.NeedRoot(t)
	before, err := os.Hostname()
	require.NoError(t, err)
	c := suite.Cat(t, nstest.Sh("hostname changed && exec cat")...)
	now := nstest.Read(t, kernelName)
	require.Equal(t, before+"\n", now)
	require.Zero(t, c.Finish().Status)

	require.Equal(t, "changed\n", suite.Output(t,
		nstest.Sh("hostname changed && cat "+kernelName)...))
}
