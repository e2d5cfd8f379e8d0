//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

var suite = nstest.New("06-user")

func TestMain(m *testing.M) { suite.Main(m, nil) }

func TestAllLessons(t *testing.T) {
	suite.All(t, map[string]string{
		"hostname": "06-user", "net": "veth",
	})
}

// Root inside is the invoking user outside, and the map has nobody else.
func TestMap(t *testing.T) {
	c := suite.Cat(t)
	nstest.RequireMap(t, c.Init, os.Geteuid(), os.Getegid())
	require.Zero(t, c.Finish().Status)

	require.Equal(t, "0 0\n", suite.Output(t,
		nstest.Sh("echo $(id -u) $(id -g)")...))
}

// A user whose ID is neither 0 nor 1000, whoever runs the tests.
func TestAnyUser(t *testing.T) {
	nstest.OnlyRoot(t) // as a user, TestMap is the same
	cmd := suite.Command(t, "cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 12345, Gid: 23456},
	}
	c := suite.Start(t, cmd, nstest.Echo)
	nstest.RequireMap(t, c.Init, 12345, 23456)
	suite.RequireOwnNamespaces(t, c.Init)
	nstest.RequireLoopbackOnly(t, c.Init)
	r := c.Finish()
	require.Zero(t, r.Status)
	require.Regexp(t, `^06-user: no veth .*\n$`, r.Stderr)
}

// Through sudo, root inside is the user who called sudo, and has none of
// root's groups.
func TestSudo(t *testing.T) {
	nstest.OnlyRoot(t)
	cmd := suite.Command(t, "cat")
	cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Groups: []uint32{0, 4, 27}},
	}
	c := suite.Start(t, cmd, nstest.Echo)
	nstest.RequireMap(t, c.Init, 12345, 23456)
	require.Empty(t, strings.TrimSpace(nstest.Status(t, c.Init, "Groups")))
	suite.RequireOwnNamespaces(t, c.Init)
	// Here the parent is still root, and may make a veth pair.
	require.ElementsMatch(t, []string{"lo", "eth0"}, nstest.Devices(t, c.Init))
	require.Zero(t, c.Finish().Status)

	// Root in a container may lack the capability to drop them.
	cmd = exec.Command("setpriv", append([]string{"--bounding-set=-setgid"},
		suite.Command(t, "true").Args...)...)
	cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456")
	suite.RequireRefusal(t, suite.Start(t, cmd).Finish(), "operation not permitted")

	for _, bad := range []string{"SUDO_UID=me", "SUDO_GID=", "SUDO_GID=x"} {
		cmd := suite.Command(t, "echo", "started")
		cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456", bad)
		suite.RequireRefusal(t, suite.Start(t, cmd).Finish(), "sudo")
	}
}

// A lesson inside a lesson that sudo started still has SUDO_UID. The outer map does not
// have that user: the outer one's root starts the inner one.
func TestSudoNested(t *testing.T) {
	cmd := suite.Command(t, append([]string{"-net=lo", suite.Path()},
		nstest.Sh("cat /proc/self/uid_map")...)...)
	cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456")
	r := suite.Start(t, cmd).Finish()
	require.Zero(t, r.Status, r.Stderr)
	require.Equal(t, []string{"0", "0", "1"}, strings.Fields(r.Stdout))
}

// SUDO_UID in an ordinary user's environment means nothing.
func TestSudoOfNobody(t *testing.T) {
	nstest.OnlyUser(t)
	cmd := suite.Command(t, "cat")
	cmd.Env = append(os.Environ(), "SUDO_UID=0", "SUDO_GID=0")
	c := suite.Start(t, cmd, nstest.Echo)
	nstest.RequireMap(t, c.Init, os.Geteuid(), os.Getegid())
	require.Zero(t, c.Finish().Status)
}

// Root inside may do what the kernel allows in a user namespace.
func TestRootInside(t *testing.T) {
	c := suite.Cat(t, nstest.Sh("hostname changed && "+
		"mount -t tmpfs none /tmp && exec cat")...)
	require.Equal(t, "tmpfs", nstest.MountAt(t, c.Init, "/tmp").Type)
	nstest.RequireNoPropagation(t, c.Init)
	require.Equal(t, "proc", nstest.MountAt(t, c.Init, "/proc").Type)
	// It has every capability of this kernel, over its own namespaces.
	all := nstest.Read(t, "/proc/sys/kernel/cap_last_cap")
	last, err := strconv.Atoi(strings.TrimSpace(all))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%016x", uint64(1)<<(last+1)-1),
		nstest.Status(t, c.Init, "CapEff"))
	require.Zero(t, c.Finish().Status)
}

// It is not root outside: the files of others belong to nobody, and it can neither change
// them nor give them away.
func TestNobodyOutside(t *testing.T) {
	other := 0
	if nstest.Root() {
		other = 12345
	}
	file := t.TempDir() + "/file"
	if nstest.Root() {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.NoError(t, os.Chown(file, other, other))
	} else {
		file = "/etc/passwd"
	}
	out := suite.Output(t, "stat", "-c", "%u %g", file)
	require.Equal(t, "65534 65534\n", out)
	r := suite.Run(t, nstest.Sh("chown 0 "+file)...)
	require.NotZero(t, r.Status)
	require.Contains(t, r.Stderr, "not permitted")
	r = suite.Run(t, nstest.Sh("echo x >>"+file)...)
	require.NotZero(t, r.Status)
	require.Contains(t, strings.ToLower(r.Stderr), "permission denied")
}

func TestNoNewPrivileges(t *testing.T) {
	c := suite.Cat(t)
	require.Equal(t, "1", nstest.Status(t, c.Init, "NoNewPrivs"))
	require.Zero(t, c.Finish().Status)
}

// Without privilege there is no veth pair, and the lesson says so in one line. With
// -net=lo it says nothing.
func TestNetwork(t *testing.T) {
	c := suite.Cat(t)
	if nstest.Root() {
		require.ElementsMatch(t, []string{"lo", "eth0"},
			nstest.Devices(t, c.Init))
		link, err := nstest.Listed(netlink.LinkList)
		require.NoError(t, err)
		require.Regexp(t, "^nsl", link[len(link)-1].Attrs().Name)
	} else {
		nstest.RequireLoopbackOnly(t, c.Init)
	}
	r := c.Finish()
	require.Zero(t, r.Status)
	if nstest.Root() {
		require.Empty(t, r.Stderr)
	} else {
		require.Regexp(t, `^06-user: no veth .*\n$`, r.Stderr)
	}

	c = suite.Cat(t, "-net=lo", "cat")
	nstest.RequireLoopbackOnly(t, c.Init)
	r = c.Finish()
	require.Zero(t, r.Status)
	require.Empty(t, r.Stderr)
}

// Some machines forbid user namespaces to users. A chroot does, too.
func TestForbidden(t *testing.T) {
	nstest.OnlyRoot(t) // chroot(2) needs root
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	require.NoError(t, exec.Command("cp", suite.Path(), root+"/06-user").Run())
	// Its /proc is the host's: without one, the program could not start itself.
	require.NoError(t, os.Mkdir(root+"/proc", 0o755))
	require.NoError(t, unix.Mount("/proc", root+"/proc", "", unix.MS_BIND, ""))
	defer unix.Unmount(root+"/proc", unix.MNT_DETACH)
	cmd := exec.Command("/06-user", "true")
	cmd.Err = nil
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	cmd.Dir = "/"
	suite.RequireRefusal(t, suite.Start(t, cmd).Finish(), "operation not permitted")
}
