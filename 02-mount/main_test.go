//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

var suite = nstest.New("02-mount")

func TestMain(m *testing.M) { suite.Main(m, nil) }

func TestAllLessons(t *testing.T) { suite.All(t, nil) }

// ps sees the processes of the namespace and none of the host's.
func TestOwnProcesses(t *testing.T) {
	nstest.NeedRoot(t)
	require.Equal(t, "/proc/1\n",
		suite.Output(t, nstest.Sh("echo /proc/[0-9]*")...))
	require.Equal(t, "1\n", suite.Output(t, "readlink", "/proc/self"))

	lines := strings.Split(suite.Output(t, "ps", "ax"), "\n")
	require.Len(t, lines, 3) // a heading, ps itself, and the end
	require.Regexp(t, `^\s*1 .* ps ax$`, lines[1])
}

// The new /proc covers the old one inside, and nowhere else.
func TestProc(t *testing.T) {
	nstest.NeedRoot(t)
	before := nstest.Mounts(t, os.Getpid())
	c := suite.Cat(t)
	proc := nstest.MountAt(t, c.Init, "/proc")
	require.Equal(t, "proc", proc.Type)
	for _, option := range []string{"rw", "nosuid", "nodev", "noexec"} {
		require.Contains(t, strings.Split(proc.Options, ","), option)
	}
	require.Len(t, nstest.Mounts(t, c.Init), len(before)+1)
	require.Equal(t, before, nstest.Mounts(t, os.Getpid()))
	require.Zero(t, c.Finish().Status)
}

// No mount reaches the other side, although all of the host's are shared.
func TestMountsStayWhereTheyAre(t *testing.T) {
	nstest.NeedRoot(t)
	inside, outside, source := t.TempDir(), t.TempDir(), t.TempDir()
	before := nstest.Mounts(t, os.Getpid())
	c := suite.Cat(t, nstest.Sh("mount -t tmpfs inside "+inside+
		" && mount --bind "+source+" "+inside+" && exec cat")...)
	nstest.RequireNoPropagation(t, c.Init)
	require.Regexp(t, filepath.Base(filepath.Dir(source))+"/"+filepath.Base(source)+"$",
		nstest.MountAt(t, c.Init, inside).Root)
	require.Equal(t, before, nstest.Mounts(t, os.Getpid()))

	require.NoError(t, unix.Mount("outside", outside, "tmpfs", 0, ""))
	defer unix.Unmount(outside, unix.MNT_DETACH)
	require.Equal(t, "outside", nstest.MountAt(t, os.Getpid(), outside).Source)
	for _, m := range nstest.Mounts(t, c.Init) {
		require.NotEqual(t, outside, m.Point)
	}
	require.Zero(t, c.Finish().Status)
}
