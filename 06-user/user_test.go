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

func TestMain(m *testing.M) { nstest.Main(m, "06-user", nil) }

func TestAllLessons(t *testing.T) {
	nstest.AllLessons(t, map[string]string{
		"hostname": "lesson-06", "net": "veth",
	})
}

// Root inside is the invoking user outside, and there is nobody else.
func TestMap(t *testing.T) {
	c := nstest.Cat(t)
	nstest.RequireMap(t, c.Init, os.Geteuid(), os.Getegid())
	require.Zero(t, c.Finish().Status)

	require.Equal(t, "0 0\n", nstest.Output(t,
		nstest.Sh("echo $(id -u) $(id -g)")...))
}

// A user whose ID is neither 0 nor 1000, whoever runs the tests.
func TestAnyUser(t *testing.T) {
	nstest.OnlyRoot(t) // for a user, TestMap is that
	cmd := nstest.Command(t, "cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 12345, Gid: 23456},
	}
	c := nstest.CatCmd(t, cmd)
	nstest.RequireMap(t, c.Init, 12345, 23456)
	nstest.RequireOwnNamespaces(t, c.Init)
	nstest.RequireLoopbackOnly(t, c.Init)
	r := c.Finish()
	require.Zero(t, r.Status)
	require.Equal(t, "06-user: no veth without root on the host: "+
		"loopback only\n", r.Stderr)
}

// Through sudo, root inside is the user who called sudo, and has none of
// root's groups.
func TestSudo(t *testing.T) {
	nstest.OnlyRoot(t)
	cmd := nstest.Command(t, "cat")
	cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Groups: []uint32{0, 4, 27}},
	}
	c := nstest.CatCmd(t, cmd)
	nstest.RequireMap(t, c.Init, 12345, 23456)
	require.Empty(t, strings.TrimSpace(nstest.Status(t, c.Init, "Groups")))
	nstest.RequireOwnNamespaces(t, c.Init)
	// Here, the parent is still root, and may lay a cable.
	require.ElementsMatch(t, []string{"lo", "eth0"}, nstest.Devices(t, c.Init))
	require.Zero(t, c.Finish().Status)

	// Root in a container may lack the capability to drop them.
	cmd = exec.Command("setpriv", append([]string{"--bounding-set=-setgid"},
		nstest.Command(t, "true").Args...)...)
	cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456")
	nstest.RequireRefusal(t, nstest.RunCmd(t, cmd), "setgroups to none",
		"--privileged")

	for _, bad := range []string{"SUDO_UID=me", "SUDO_GID=", "SUDO_GID=x"} {
		cmd := nstest.Command(t, "echo", "started")
		cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456", bad)
		nstest.RequireRefusal(t, nstest.RunCmd(t, cmd), "SUDO_UID and SUDO_GID",
			"")
	}
}

// A lesson in a lesson that sudo has started still has SUDO_UID. That user is
// not in the map of the outer one, whose root it is that starts the inner one.
func TestSudoNested(t *testing.T) {
	cmd := nstest.Command(t, append([]string{"-net=lo", nstest.Path(t)},
		nstest.Sh("cat /proc/self/uid_map")...)...)
	cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456")
	r := nstest.RunCmd(t, cmd)
	require.Zero(t, r.Status, r.Stderr)
	require.Equal(t, []string{"0", "0", "1"}, strings.Fields(r.Stdout))
}

// An ordinary user's SUDO_UID means nothing.
func TestSudoOfNobody(t *testing.T) {
	nstest.OnlyUser(t)
	cmd := nstest.Command(t, "cat")
	cmd.Env = append(os.Environ(), "SUDO_UID=0", "SUDO_GID=0")
	c := nstest.CatCmd(t, cmd)
	nstest.RequireMap(t, c.Init, os.Geteuid(), os.Getegid())
	require.Zero(t, c.Finish().Status)
}

// What the kernel lets an ordinary user do in there, it does.
func TestRootInside(t *testing.T) {
	c := nstest.Cat(t, nstest.Sh("hostname changed && "+
		"mount -t tmpfs none /tmp && exec cat")...)
	require.Equal(t, "tmpfs", nstest.MountAt(t, c.Init, "/tmp").Type)
	nstest.RequireNoPropagation(t, c.Init)
	require.Equal(t, "proc", nstest.MountAt(t, c.Init, "/proc").Type)
	// All capabilities that the test's kernel has, over its own namespaces.
	all, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	require.NoError(t, err)
	last, err := strconv.Atoi(strings.TrimSpace(string(all)))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%016x", uint64(1)<<(last+1)-1),
		nstest.Status(t, c.Init, "CapEff"))
	require.Zero(t, c.Finish().Status)
}

// It is no root outside: files of others belong to nobody, and can be
// neither changed nor given away.
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
	out := nstest.Output(t, "stat", "-c", "%u %g", file)
	require.Equal(t, "65534 65534\n", out)
	r := nstest.Run(t, nstest.Sh("chown 0 "+file)...)
	require.NotZero(t, r.Status)
	require.Contains(t, r.Stderr, "not permitted")
	r = nstest.Run(t, nstest.Sh("echo x >>"+file)...)
	require.NotZero(t, r.Status)
	require.Contains(t, strings.ToLower(r.Stderr), "permission denied")
}

func TestNoNewPrivileges(t *testing.T) {
	c := nstest.Cat(t)
	require.Equal(t, "1", nstest.Status(t, c.Init, "NoNewPrivs"))
	require.Zero(t, c.Finish().Status)
}

// Without privilege there is no cable, which the lesson says in one line;
// with -net=lo nobody has asked for one.
func TestNetwork(t *testing.T) {
	c := nstest.Cat(t)
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
		require.Equal(t, "06-user: no veth without root on the host: "+
			"loopback only\n", r.Stderr)
	}

	c = nstest.Cat(t, "-net=lo", "cat")
	nstest.RequireLoopbackOnly(t, c.Init)
	r = c.Finish()
	require.Zero(t, r.Status)
	require.Empty(t, r.Stderr)
}

// Where the machine forbids user namespaces to users, the error says which
// setting does. Here they are forbidden by seccomp or a chroot's rule; the
// settings themselves belong to the whole machine, so a file stands for them.
func TestForbidden(t *testing.T) {
	nstest.OnlyRoot(t) // chroot(2) takes root
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	require.NoError(t, exec.Command("cp", nstest.Path(t), root+"/06-user").Run())
	// In a chroot, user namespaces are refused with EPERM. Its /proc is
	// that of the host, or else the program could not start itself.
	require.NoError(t, os.Mkdir(root+"/proc", 0o755))
	require.NoError(t, unix.Mount("/proc", root+"/proc", "", unix.MS_BIND, ""))
	defer unix.Unmount(root+"/proc", unix.MNT_DETACH)
	cmd := exec.Command("/06-user", "true")
	cmd.Err = nil
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	cmd.Dir = "/"
	nstest.RequireRefusal(t, nstest.RunCmd(t, cmd), "operation not permitted",
		"--privileged")

	for key, value := range map[string]string{
		"kernel/apparmor_restrict_unprivileged_userns": "1",
		"kernel/unprivileged_userns_clone":             "0",
	} {
		t.Run(key, func(t *testing.T) {
			require.NoError(t, unix.Mount("tmpfs", root+"/proc/sys", "tmpfs", 0, ""))
			defer unix.Unmount(root+"/proc/sys", unix.MNT_DETACH)
			require.NoError(t, os.Mkdir(root+"/proc/sys/kernel", 0o755))
			require.NoError(t, os.WriteFile(root+"/proc/sys/"+key,
				[]byte(value+"\n"), 0o644))
			cmd := exec.Command("/06-user", "true")
			cmd.Err = nil
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
			cmd.Dir = "/"
			todo := strings.ReplaceAll(key, "/", ".")
			nstest.RequireRefusal(t, nstest.RunCmd(t, cmd),
				"operation not permitted", "sudo sysctl "+todo)
		})
	}
	// So does a file for AppArmor. A profile that confines nothing is not named.
	for profile, todo := range map[string]string{
		"box (enforce)":    "echo -n 'box' | sudo tee /sys/kernel/security/apparmor/.remove",
		"box (unconfined)": "forbidden, as in a container",
		"unconfined":       "forbidden, as in a container",
	} {
		t.Run(profile, func(t *testing.T) {
			attr := t.TempDir()
			require.NoError(t, os.Mkdir(attr+"/apparmor", 0o755))
			require.NoError(t, os.WriteFile(attr+"/apparmor/current",
				[]byte(profile+"\n"), 0o644))
			// The mount goes with the process.
			cmd := exec.Command("sh", "-c", `mount --bind "$1" "$0/proc/$$/attr" &&
				exec chroot "$0" /06-user true`, root, attr)
			nstest.RequireRefusal(t, nstest.RunCmd(t, cmd),
				"operation not permitted", todo)
		})
	}
}
