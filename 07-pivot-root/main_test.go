//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

var suite = nstest.New("07-pivot-root")

func TestMain(m *testing.M) { suite.Main(m, nil) }

func TestAllLessons(t *testing.T) {
	suite.All(t, map[string]string{
		"hostname": "07-pivot-root", "net": "veth", "rootfs": "rootfs",
	})
}

// in returns the path by which the host reaches a file inside.
func in(c *nstest.Container, path string) string {
	return fmt.Sprintf("/proc/%d/root%s", c.Init, path)
}

func sameFile(t *testing.T, a, b string) {
	t.Helper()
	infoA, err := os.Stat(a)
	require.NoError(t, err)
	infoB, err := os.Stat(b)
	require.NoError(t, err)
	require.True(t, os.SameFile(infoA, infoB), "%s is not %s", a, b)
}

// The directory is the root, and no path leads up from it.
func TestRoot(t *testing.T) {
	c := suite.Cat(t)
	sameFile(t, in(c, "/"), suite.Rootfs(t))
	sameFile(t, fmt.Sprintf("/proc/%d/cwd", c.Init), suite.Rootfs(t))
	nstest.RequireMap(t, c.Init, os.Geteuid(), os.Getegid())
	require.Equal(t, "1", nstest.Status(t, c.Init, "NoNewPrivs"))
	require.Zero(t, c.Finish().Status)

	marker := filepath.Join(suite.Rootfs(t), "..", "marker")
	require.NoError(t, os.WriteFile(marker, nil, 0o644))
	defer os.Remove(marker)
	out := suite.Output(t, nstest.Sh("cd ..; pwd; ls -a / | wc -l; "+
		"ls -a ../.. | wc -l; ls -a /proc/1/cwd/.. | wc -l; "+
		"ls -a /proc/1/root/.. | wc -l; ls /../marker ../marker "+
		"/proc/1/cwd/../marker "+marker+" 2>&1 | grep -vc 'No such file'; :")...)
	lines := strings.Fields(out)
	require.Len(t, lines, 6, out)
	require.Equal(t, "/", lines[0])
	for _, n := range lines[2:5] {
		require.Equal(t, lines[1], n, out)
	}
	require.Equal(t, "0", lines[5])
}

// It works wherever the lesson starts, and however the directory is named.
func TestRootfsPath(t *testing.T) {
	dir := suite.Rootfs(t)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	for name, test := range map[string]struct{ cwd, rootfs string }{
		"default":  {filepath.Dir(dir), "rootfs"},
		"slash":    {"/", dir + "/"},
		"dots":     {filepath.Join(dir, "bin"), "../../rootfs"},
		"here":     {dir, "."},
		"symbolic": {"/", link},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := suite.Bare("-rootfs", test.rootfs, "cat")
			if name == "default" {
				cmd = suite.Bare("cat")
			}
			cmd.Dir = test.cwd
			c := suite.Start(t, cmd, nstest.Echo)
			sameFile(t, in(c, "/"), dir)
			sameFile(t, fmt.Sprintf("/proc/%d/cwd", c.Init), dir)
			require.Zero(t, c.Finish().Status)
		})
	}
}

func TestBadRootfs(t *testing.T) {
	empty, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o755))
	for dir, why := range map[string]string{
		"/no/such/directory": "no such file or directory",
		empty:                "no such file or directory",
		file:                 "not a directory",
		"/":                  "", // is its root already
		"/tmp/..":            "",
	} {
		check := suite.UnchangedHost(t)
		r := suite.Start(t, suite.Bare("-rootfs", dir, "echo", "started")).Finish()
		suite.RequireRefusal(t, r, why)
		check()
	}
	entries, err := os.ReadDir(empty)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Nothing is mounted inside except for what the lesson mounts.
func TestMounts(t *testing.T) {
	c := suite.Cat(t)
	nstest.RequireNoPropagation(t, c.Init)
	want := map[string]string{ // the options that each must have
		"/":           "",
		"/proc":       "nosuid,nodev,noexec",
		"/sys":        "ro,nosuid,nodev,noexec",
		"/dev":        "nosuid",
		"/dev/pts":    "nosuid,noexec",
		"/dev/shm":    "nosuid,nodev,noexec",
		"/dev/mqueue": "nosuid,nodev,noexec",
		"/tmp":        "nosuid",
	}
	for _, device := range devices {
		want["/dev/"+device] = ""
	}
	for _, path := range []string{
		"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs",
		"/proc/keys", "/proc/timer_list",
	} {
		if _, err := os.Stat(path); err == nil { // this kernel has it
			want[path] = "ro"
		}
	}
	require.Contains(t, want, "/proc/sys")
	var points []string
	for _, m := range nstest.Mounts(t, c.Init) {
		points = append(points, m.Point)
		require.Contains(t, want, m.Point, "mounted inside: %v", m)
		has := strings.Split(m.Options, ",")
		for _, option := range strings.Split(want[m.Point], ",") {
			require.True(t, option == "" || strings.Contains(
				","+strings.Join(has, ",")+",", ","+option+","),
				"%s has %v, not %s", m.Point, has, option)
		}
	}
	require.Len(t, points, len(want)) // each of them once
	require.Equal(t, "proc", nstest.MountAt(t, c.Init, "/proc").Type)
	require.Equal(t, "sysfs", nstest.MountAt(t, c.Init, "/sys").Type)
	require.Equal(t, "devpts", nstest.MountAt(t, c.Init, "/dev/pts").Type)
	require.Equal(t, "mqueue", nstest.MountAt(t, c.Init, "/dev/mqueue").Type)
	for _, point := range []string{"/dev", "/dev/shm", "/tmp"} {
		require.Equal(t, "tmpfs", nstest.MountAt(t, c.Init, point).Type)
	}
	require.Zero(t, c.Finish().Status)
	require.Equal(t, "/proc/1\n",
		suite.Output(t, nstest.Sh("echo /proc/[0-9]*")...))
}

var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

func TestDev(t *testing.T) {
	c := suite.Cat(t)
	names := append([]string{"ptmx", "fd", "stdin", "stdout", "stderr", "pts",
		"shm", "mqueue"}, devices...)
	entries, err := os.ReadDir(in(c, "/dev"))
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	require.ElementsMatch(t, names, found)

	for _, device := range devices {
		var inside, outside unix.Stat_t
		require.NoError(t, unix.Lstat(in(c, "/dev/"+device), &inside))
		require.NoError(t, unix.Lstat("/dev/"+device, &outside))
		require.EqualValues(t, unix.S_IFCHR, inside.Mode&unix.S_IFMT, device)
		require.Equal(t, outside.Rdev, inside.Rdev, device)
	}
	for link, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0",
		"stdout": "fd/1", "stderr": "fd/2",
	} {
		found, err := os.Readlink(in(c, "/dev/"+link))
		require.NoError(t, err)
		require.Equal(t, target, found, link)
	}
	for path, mode := range map[string]fs.FileMode{
		"/dev":          0o755 | fs.ModeDir,
		"/dev/shm":      0o777 | fs.ModeDir | fs.ModeSticky,
		"/tmp":          0o777 | fs.ModeDir | fs.ModeSticky,
		"/dev/pts/ptmx": 0o666 | fs.ModeDevice | fs.ModeCharDevice,
	} {
		info, err := os.Stat(in(c, path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), path)
	}
	require.Zero(t, c.Finish().Status)

	// They work.
	require.Equal(t, "4\n", suite.Output(t, nstest.Sh("echo x >/dev/null && "+
		"cat /dev/null && head -c 4 /dev/zero | wc -c && "+
		"head -c 4 /dev/urandom >/tmp/x && echo y >/dev/shm/y && "+
		"! echo x 2>/dev/null >/dev/full")...))
	require.Equal(t, "out\n",
		suite.Output(t, nstest.Sh("echo out >/dev/stdout")...))
}

func TestEnvironment(t *testing.T) {
	cmd := suite.Command(t, "cat")
	cmd.Env = append(os.Environ(), "SECRET=hunter2", "TERM=vt100",
		"PATH="+os.Getenv("PATH"), "HOME=/home/somebody", "LD_PRELOAD=")
	c := suite.Start(t, cmd, nstest.Echo)
	environ := nstest.Read(t, fmt.Sprintf("/proc/%d/environ", c.Init))
	require.ElementsMatch(t, []string{
		"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "TERM=vt100",
	}, strings.Split(strings.TrimSuffix(environ, "\x00"), "\x00"))
	require.Zero(t, c.Finish().Status)
}

// contents returns the files of a directory, with type, mode and content.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = fmt.Sprintf("%x %s", sha256.Sum256(data), info.ModTime())
		}
		if d.Type() == fs.ModeSymlink {
			text, err = os.Readlink(path)
		}
		found[strings.TrimPrefix(path, dir)] = info.Mode().String() + " " + text
		return err
	})
	require.NoError(t, err)
	return found
}

// ownRootfs makes a root filesystem that a test may damage.
func ownRootfs(t *testing.T) string {
	t.Helper()
	temp := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(temp), 0o755)) // for TestSudo
	dir := filepath.Join(temp, "rootfs")
	require.NoError(t, nstest.MakeRootfs(dir))
	return dir
}

// The lesson neither changes nor makes files in the root filesystem, not even when it
// cleans up or fails.
func TestRootfsStays(t *testing.T) {
	dir := ownRootfs(t)
	for _, file := range []string{"dev/null", "tmp/x", "proc/x", "sys/x"} {
		path := filepath.Join(dir, file)
		require.NoError(t, os.WriteFile(path, []byte("precious"), 0o644))
	}
	before := contents(t, dir)
	for _, command := range [][]string{
		nstest.Sh("echo x >/dev/null; echo x >/tmp/x; rm -rf /tmp/* " +
			"/dev/shm/* /dev/[a-l]* 2>/dev/null; exit 0"),
		{"no-such-command"},
	} {
		suite.Start(t, suite.Bare(
			append([]string{"-rootfs", dir}, command...)...)).Finish()

		require.Equal(t, before, contents(t, dir))
	}
	c := suite.Start(t, suite.Bare("-rootfs", dir, "cat"), nstest.Echo)
	c.Signal(unix.SIGKILL)
	c.Wait()
	require.Equal(t, before, contents(t, dir))
}

// The links of an attacker's root filesystem lead nowhere outside.
func TestHostileRootfs(t *testing.T) {
	check := suite.UnchangedHost(t)
	target := t.TempDir()
	require.NoError(t, os.WriteFile(target+"/marker", nil, 0o644))
	before := contents(t, target)
	t.Run("all", func(t *testing.T) {
		for _, name := range []string{"proc", "sys", "dev", "tmp"} {
			for kind, link := range map[string]string{
				"absolute":  target,
				"relative":  "../../../../../../../../../.." + target,
				"of /proc":  "/proc/self/cwd",
				"to itself": "/" + name,
				"dangling":  "/no/such/directory",
			} {
				t.Run(name+" "+kind, func(t *testing.T) {
					t.Parallel()
					dir := ownRootfs(t)
					path := filepath.Join(dir, name)
					require.NoError(t, os.Remove(path))
					require.NoError(t, os.Symlink(link, path))
					hostile(t, dir)
				})
			}
			t.Run(name+" a file", func(t *testing.T) {
				t.Parallel()
				dir := ownRootfs(t)
				path := filepath.Join(dir, name)
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.WriteFile(path, nil, 0o644))
				hostile(t, dir)
			})
		}
	})
	require.Equal(t, before, contents(t, target))
	check()
}

// hostile runs the lesson in a root filesystem that it must refuse and must not change.
func hostile(t *testing.T, dir string) {
	t.Helper()
	before := contents(t, dir)
	r := suite.Start(t, suite.Bare("-rootfs", dir, "echo", "up")).Finish()
	suite.RequireRefusal(t, r, "")
	require.Equal(t, before, contents(t, dir))
}

// Through sudo, the lesson runs in a root filesystem that belongs to the user.
func TestSudo(t *testing.T) {
	nstest.OnlyRoot(t)
	dir := ownRootfs(t)
	require.NoError(t, filepath.WalkDir(dir,
		func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, 12345, 23456)
		}))
	cmd := suite.Bare("-rootfs", dir, "cat")
	cmd.Env = append(os.Environ(), "SUDO_UID=12345", "SUDO_GID=23456")
	c := suite.Start(t, cmd, nstest.Echo)
	nstest.RequireMap(t, c.Init, 12345, 23456)
	suite.RequireOwnNamespaces(t, c.Init)
	sameFile(t, in(c, "/"), dir)
	require.Zero(t, c.Finish().Status)
	info, err := os.Stat(filepath.Join(dir, "proc"))
	require.NoError(t, err)
	require.EqualValues(t, 12345, info.Sys().(*syscall.Stat_t).Uid)
}

// The official minimal root filesystem of Alpine Linux.
func TestAlpine(t *testing.T) {
	repo := nstest.Repo(t)
	archives, err := filepath.Glob(filepath.Join(repo, "..", "shared",
		"alpine-minirootfs-*.tar.gz"))
	require.NoError(t, err)
	if len(archives) == 0 {
		nstest.Skip(t, nstest.NoAlpine)
	}
	dir := t.TempDir()
	out, err := exec.Command("tar", "-xzf", archives[0], "-C", dir,
		"--no-same-owner").CombinedOutput()
	require.NoError(t, err, string(out))
	before := contents(t, dir)

	c := suite.Start(t, suite.Bare("-rootfs", dir, "cat"), nstest.Echo)
	suite.RequireOwnNamespaces(t, c.Init)
	sameFile(t, in(c, "/"), dir)
	require.Zero(t, c.Finish().Status)
	r := suite.Start(t, suite.Bare("-rootfs", dir, "sh", "-c",
		". /etc/os-release; echo $ID $$ $(id -un) $(hostname) $(ps | wc -l)")).Finish()

	require.Zero(t, r.Status, r.Stderr)
	// a heading, ps, wc, and their shell
	require.Regexp(t, `^alpine 1 root 07-pivot-root [45]\n$`, r.Stdout)
	require.Equal(t, before, contents(t, dir))
}
