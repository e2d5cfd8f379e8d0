//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

var suite = nstest.New("01-pid")

func TestMain(m *testing.M) { suite.Main(m, nil) }

func TestAllLessons(t *testing.T) { suite.All(t, nil) }

// On the host, the command is a process like any other.
func TestTwoNumbers(t *testing.T) {
	nstest.NeedRoot(t)
	c := suite.Cat(t)
	outside := strings.Fields(nstest.Status(t, os.Getpid(), "NSpid"))
	inside := strings.Fields(nstest.Status(t, c.Init, "NSpid"))
	require.Len(t, inside, len(outside)+1)
	require.Equal(t, fmt.Sprint(c.Init), inside[0])
	require.Equal(t, "1", inside[len(inside)-1])
	require.Equal(t, fmt.Sprint(c.Parent), nstest.Status(t, c.Init, "PPid"))
	require.Zero(t, c.Finish().Status)
}

// /proc is still the host's: it shows the host's processes, and the command by its
// number on the host.
func TestProcIsTheHosts(t *testing.T) {
	nstest.NeedRoot(t)
	c := suite.Start(t, suite.Command(t, nstest.Sh(fmt.Sprintf(
		"echo ready; read x; cat /proc/%d/stat; readlink /proc/self", os.Getpid()))...), nstest.Ready)

	c.Say("go on")
	require.Contains(t, c.Line(), fmt.Sprintf("%d (", os.Getpid()))
	require.NotEqual(t, "1", c.Line())
	require.Zero(t, c.Finish().Status)
}

// PID namespaces nest three deep, and each adds a number.
func TestNesting(t *testing.T) {
	nstest.NeedRoot(t)
	path := suite.Path()
	levels := len(strings.Fields(nstest.Status(t, os.Getpid(), "NSpid")))
	for depth := 1; depth <= 3; depth++ {
		var command []string
		for i := 1; i < depth; i++ {
			command = append(command, path)
		}
		out := suite.Output(t, append(command,
			"grep", "NSpid", "/proc/self/status")...)
		fields := strings.Fields(out)
		require.Len(t, fields, 1+levels+depth, out)
		require.Equal(t, "1", fields[len(fields)-1], out)
	}
}

// When process 1 ends, the kernel kills all others.
func TestAllEndWithProcessOne(t *testing.T) {
	nstest.NeedRoot(t)
	c := suite.Start(t, suite.Command(t, nstest.Sh(
		"sleep 1000 & setsid sleep 1000 & (sleep 1000 &); echo ready; read x")...), nstest.Ready)

	namespace := nstest.Namespaces(t, c.Init)["pid"]
	nstest.Until(t, "four processes", func() bool {
		return len(nstest.Members(namespace)) == 4
	})
	gone := nstest.Watch(t, nstest.Members(namespace)...)
	c.Finish()
	gone()
	require.Empty(t, nstest.Members(namespace))
}
