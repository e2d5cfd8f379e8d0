//go:build linux

package scripttest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

const (
	rootfsMark = ".made-by-rootfs.sh"
	alpineName = "alpine-minirootfs-3.20.3-"
	nobody     = 65534
)

// otherKind is what a mark says that no run asks for: the script replaces it.
const otherKind = "of-another-kind"

// newRootfs prepares a run of scripts/rootfs.sh, in an empty directory of its own.
func newRootfs(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return in(t.TempDir(), script(nstest.Repo(t), "rootfs.sh", args...))
}

// in moves a command to a directory.
func in(dir string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = dir
	return cmd
}

// withPath sets its PATH.
func withPath(path string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, "PATH="+path)
	return cmd
}

// asOrdinaryUser makes its directory a repository of an ordinary user, who may not be able
// to read ours, and runs the script there as that user.
func asOrdinaryUser(t *testing.T, c *exec.Cmd) *exec.Cmd {
	t.Helper()
	require.NoError(t, exec.Command("cp", "-r", "../../scripts", c.Dir).Run())
	c.Path = filepath.Join(c.Dir, "scripts", "rootfs.sh")
	c.Args[0] = c.Path
	if os.Geteuid() == 0 {
		// Go makes a test's directories for root alone.
		require.NoError(t, os.Chmod(filepath.Dir(c.Dir), 0o755))
		require.NoError(t, os.Chown(c.Dir, nobody, nobody))
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return c
}

// alpineArchive returns the path of Alpine's archive for this machine.
func alpineArchive(t *testing.T) string {
	t.Helper()
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}
	name := alpineName + machine[runtime.GOARCH] + ".tar.gz"
	path, err := filepath.Abs(filepath.Join("../../../shared", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		nstest.Skip(t, nstest.NoAlpine)
	}
	return path
}

// fakes returns a PATH that finds these shell scripts before anything else in path. They are
// in a new directory: in one of pathWithout's, writing to a link would overwrite the
// machine's own command.
func fakes(t *testing.T, path string, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		script := []byte("#!/bin/sh\n" + text)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), script, 0o755))
	}
	return dir + ":" + path
}

// pathWithout returns a PATH that lacks some commands: a directory with links
// to all others.
func pathWithout(t *testing.T, path string, commands ...string) string {
	t.Helper()
	box := t.TempDir()
	done := map[string]bool{}
	for _, c := range commands {
		done[c] = true
	}
	for _, dir := range filepath.SplitList(path) {
		tools, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		for _, tool := range tools {
			if name := filepath.Base(tool); !done[name] {
				done[name] = true
				require.NoError(t, os.Symlink(tool, filepath.Join(box, name)))
			}
		}
	}
	return box
}

// snapshot notes, for every file below dir, what would differ if it were written or made
// anew.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir,
		func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			files[path] = fmt.Sprint(st.Ino, st.Mode, st.Uid, st.Gid, st.Size,
				st.Mtim, st.Ctim)
			return nil
		}))
	require.NotEmpty(t, files)
	return files
}

// assertUntouched compares dir with a snapshot of it.
func assertUntouched(t *testing.T, before map[string]string, dir string) {
	t.Helper()
	after := snapshot(t, dir)
	for path, was := range before {
		assert.Equal(t, was, after[path], path)
		delete(after, path)
	}
	assert.Empty(t, after, "new files")
}

// names lists the directory dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := []string{}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// writeFile writes a file and the directories above it.
func writeFile(t *testing.T, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

// inRoot runs a shell command in the root filesystem dir, in namespaces of
// its own and without the caller's environment, and returns what it printed.
func inRoot(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.Command("unshare", "--map-root-user", "--fork", "--pid",
		"--kill-child", "--mount", "--uts", "--net", "--root", dir,
		"/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	return string(out)
}

func TestRootfsBusybox(t *testing.T) {
	t.Parallel()
	c := newRootfs(t, "a new/root fs")
	require.NoError(t, os.Mkdir(filepath.Join(c.Dir, "a new"), 0o755))
	done(t, c)
	assert.Equal(t, []string{"root fs"}, names(t, filepath.Join(c.Dir, "a new")))
	root := filepath.Join(c.Dir, "a new", "root fs")

	applets := strings.Fields(inRoot(t, root, "busybox --list"))
	require.Greater(t, len(applets), 100)
	for _, a := range applets {
		if a != "busybox" {
			target, err := os.Readlink(filepath.Join(root, "bin", a))
			require.NoError(t, err)
			assert.Equal(t, "busybox", target)
		}
	}
	for _, d := range []string{"proc", "sys", "dev", "tmp", "etc", "root"} {
		assert.DirExists(t, filepath.Join(root, d))
	}
	require.NoError(t, filepath.WalkDir(root,
		func(path string, d fs.DirEntry, err error) error {
			assert.Zero(t, d.Type()&(fs.ModeDevice|fs.ModeNamedPipe), path)
			return err
		}))

	for _, tt := range []struct{ command, want string }{
		{"id -un; id -gn", "root\nroot\n"},
		{"cd ~root; pwd", "/root\n"},
		{"hostname box; hostname", "box\n"},
		{"mount -t proc proc /proc; ps -o pid,args | head -n 2",
			"PID   COMMAND\n    1 /bin/sh -c mount -t proc proc /proc; " +
				"ps -o pid,args | head -n 2\n"},
		{"ip link set lo up; httpd -p 127.0.0.1:80 -h /etc; " +
			"wget -q -O - http://localhost/group", "root:x:0:\nnogroup:x:65534:\n"},
		{"/sbin/ip -o link | wc -l; /usr/bin/env echo hi", "1\nhi\n"},
	} {
		assert.Equal(t, tt.want, inRoot(t, root, tt.command), tt.command)
	}
}

func TestRootfsAlpine(t *testing.T) {
	t.Parallel()
	archive := alpineArchive(t)
	c := newRootfs(t, "--alpine", archive, "alpine root")
	done(t, c)
	assert.Equal(t, []string{"alpine root"}, names(t, c.Dir))
	root := filepath.Join(c.Dir, "alpine root")
	assert.Equal(t, "3.20.3\nroot\n",
		inRoot(t, root, "cat /etc/alpine-release; id -un"))

	// The modes are the archive's, whatever the umask.
	info, err := os.Stat(filepath.Join(root, "tmp"))
	require.NoError(t, err)
	assert.Equal(t, fs.ModeDir|fs.ModeSticky|0o777, info.Mode())
}

// As an ordinary user, with a umask as private as can be, without DIR.
func TestRootfsAsOrdinaryUser(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	for _, kind := range []string{"busybox", "alpine"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := asOrdinaryUser(t, newRootfs(t))
			archive := filepath.Join(c.Dir, "alpine.tar.gz")
			if kind == "alpine" {
				// A copy: the original may be where the user may not read.
				writeFile(t, nstest.Read(t, alpineArchive(t)), archive)
				c.Args = append(c.Args, "--alpine", archive)
			}
			done(t, by(c, "sh", "-c", `umask 077; exec "$@"`, "sh"))
			_ = os.Remove(archive)
			assert.Equal(t, []string{"rootfs", "scripts"}, names(t, c.Dir))
			root := filepath.Join(c.Dir, "rootfs")
			assert.Equal(t, "hi\n", inRoot(t, root, "echo hi | cat"))
			info, err := os.Stat(filepath.Join(root, "etc"))
			require.NoError(t, err)
			assert.Equal(t, fs.ModeDir|0o755, info.Mode())
		})
	}
}

// Behind sudo the files are the caller's, as root in lessons 07 and 08 is.
func TestRootfsBehindSudo(t *testing.T) {
	t.Parallel()
	nstest.NeedRoot(t)
	c := newRootfs(t, "new")
	c.Env = append(c.Env, "SUDO_UID=4711", "SUDO_GID=4712")
	done(t, c)
	require.NoError(t, filepath.WalkDir(filepath.Join(c.Dir, "new"),
		func(path string, d fs.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := d.Info()
			require.NoError(t, err)
			st := info.Sys().(*syscall.Stat_t)
			assert.Equal(t, [2]uint32{4711, 4712}, [2]uint32{st.Uid, st.Gid}, path)
			return nil
		}))
}

func TestRootfsAgainCostsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	done(t, in(dir, newRootfs(t, "new")))
	before := snapshot(t, dir)
	again := done(t, in(dir, newRootfs(t, "new")))
	assert.Contains(t, again, "is there already: busybox")
	assertUntouched(t, before, dir)
}

// A directory that somebody removed is made again, although the mark is there.
func TestRootfsMendsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	done(t, in(dir, newRootfs(t, "new")))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "new", "bin")))
	done(t, in(dir, newRootfs(t, "new")))
	assert.Equal(t, "hi\n", inRoot(t, filepath.Join(dir, "new"), "echo hi"))
}

func TestRootfsReplacesTheOtherKind(t *testing.T) {
	t.Parallel()
	c := newRootfs(t, "new")
	writeFile(t, otherKind, c.Dir, "new", rootfsMark)
	writeFile(t, "", c.Dir, "new", "old")
	assert.Contains(t, done(t, c), otherKind)
	assert.Equal(t, []string{"new"}, names(t, c.Dir))
	assert.NoFileExists(t, filepath.Join(c.Dir, "new", "old"))
	assert.Equal(t, "hi\n", inRoot(t, filepath.Join(c.Dir, "new"), "echo hi"))
}

func TestRootfsFillsAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	c := newRootfs(t, "new")
	require.NoError(t, os.Mkdir(filepath.Join(c.Dir, "new"), 0o755))
	done(t, c)
	assert.Equal(t, "hi\n", inRoot(t, filepath.Join(c.Dir, "new"), "echo hi"))
}

func TestRootfsRefusesWhatItDidNotMake(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"mine/notes", "mine/.hidden", "mine"} {
		c := newRootfs(t, "mine")
		writeFile(t, "precious", c.Dir, file)
		before := snapshot(t, c.Dir)
		fails(t, c, "mine", "rootfs.sh DIR")
		assertUntouched(t, before, c.Dir)
	}
	c := newRootfs(t, "no/such")
	fails(t, c, "mkdir -p '"+c.Dir+"/no'")
	assert.Empty(t, names(t, c.Dir))
}

// An ordinary user could remove only half of what root left in a root.
func TestRootfsRefusesFilesOfAnotherUser(t *testing.T) {
	t.Parallel()
	nstest.NeedRoot(t)
	c := asOrdinaryUser(t, newRootfs(t, "new"))
	writeFile(t, otherKind, c.Dir, "new", rootfsMark)
	writeFile(t, "", c.Dir, "new", "of-root", "file")
	require.NoError(t, os.Chown(filepath.Join(c.Dir, "new"), nobody, nobody))
	before := snapshot(t, c.Dir)
	fails(t, c, "another user", "sudo rm -r '"+c.Dir+"/new'")
	assertUntouched(t, before, c.Dir)
}

func TestRootfsRefusesWhileAProcessIsInIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	done(t, in(dir, newRootfs(t, "new")))
	root := filepath.Join(dir, "new")
	writeFile(t, otherKind, root, rootfsMark)

	container := exec.Command("unshare", "--map-root-user", "--root", root,
		"/bin/sh", "-c", "echo ready; read end")
	end := begin(t, container)

	before := snapshot(t, dir)
	fails(t, in(dir, newRootfs(t, "new")), fmt.Sprint("is the root of process ", container.Process.Pid))
	assertUntouched(t, before, dir)

	end()
	done(t, in(dir, newRootfs(t, "new")))
}

// The script does not remove files that are mounted in the old root.
func TestRootfsRefusesWhileSomethingIsMountedInIt(t *testing.T) {
	t.Parallel()
	c := newRootfs(t, "the 1 root")
	writeFile(t, "precious", c.Dir, "home", "notes")
	writeFile(t, otherKind, c.Dir, "the 1 root", rootfsMark)
	require.NoError(t, os.Mkdir(filepath.Join(c.Dir, "the 1 root", "mnt"), 0o755))
	before := snapshot(t, c.Dir)

	mounted := by(c, "unshare", "--map-root-user", "--mount",
		"sh", "-c", `mount --bind home "the 1 root/mnt" && exec "$@"`, "sh")
	fails(t, mounted, "is mounted on "+c.Dir+"/the 1 root/mnt")
	assertUntouched(t, before, c.Dir)
}

func TestRootfsRefusesAnotherArchive(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		c := newRootfs(t, "--alpine", "x.tar.gz", "new")
		writeFile(t, "not what Alpine published", c.Dir, "x.tar.gz")
		if there {
			writeFile(t, otherKind, c.Dir, "new", rootfsMark)
		}
		before := snapshot(t, c.Dir)
		fails(t, c, "x.tar.gz is not Alpine's "+alpineName, "https://")
		assertUntouched(t, before, c.Dir)
	}
	fails(t, newRootfs(t, "--alpine", "none.tar.gz"), "cannot read the file none.tar.gz")
}

func TestRootfsDownloads(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	// The last argument but one is the file, the last the address.
	const fake = `while [ $# -gt 2 ]; do shift; done
echo "from $2"; cp "$ARCHIVE" "$1"`
	curl := fakes(t, os.Getenv("PATH"), map[string]string{"curl": fake})
	wget := fakes(t, os.Getenv("PATH"), map[string]string{"wget": fake})
	for name, path := range map[string]string{
		"curl": curl, "wget": pathWithout(t, wget, "curl"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive := alpineArchive(t)
			c := withPath(path, newRootfs(t, "--alpine", "new"))
			c.Env = append(c.Env, "ARCHIVE="+archive)
			_, machine, _ := strings.Cut(
				strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), alpineName)
			assert.Contains(t, done(t, c), "from https://dl-cdn.alpinelinux.org/"+
				"alpine/v3.20/releases/"+machine+"/"+filepath.Base(archive)+"\n")
			assert.Equal(t, []string{"new"}, names(t, c.Dir))
			assert.Equal(t, "3.20.3\n", inRoot(t, filepath.Join(c.Dir, "new"),
				"cat /etc/alpine-release"))
		})
	}
}

func TestRootfsDownloadFails(t *testing.T) {
	t.Parallel()
	curl := func(script string) string {
		return fakes(t, os.Getenv("PATH"), map[string]string{"curl": script})
	}
	for name, tt := range map[string]struct{ path, message string }{
		"no network": {curl("echo half >$5; exit 6"), "cannot download https://"},
		"altered":    {curl("echo altered >$5"), "is not Alpine's"},
		"no tool": {pathWithout(t, os.Getenv("PATH"), "curl", "wget"),
			"needs curl or wget"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := withPath(tt.path, newRootfs(t, "--alpine", "new"))
			fails(t, c, tt.message)
			assert.Empty(t, names(t, c.Dir))
		})
	}
}

func TestRootfsInterrupted(t *testing.T) {
	t.Parallel()
	// Half-way through the tree, and half-way through a download that would
	// never end.
	links := func(kill string) map[string]string {
		return map[string]string{"ln": `case $* in */usr/sbin) ` + kill + ` ;; esac
exec /bin/ln "$@"`}
	}
	download := func(kill string) map[string]string {
		return map[string]string{"curl": "echo half >$5; " + kill +
			"; exec sleep 600"}
	}
	for _, tt := range []struct {
		name   string
		fakes  map[string]string
		args   []string
		status int
	}{
		{"SIGTERM", links("kill -TERM $PPID"), nil, 143},
		{"SIGHUP", links("kill -HUP $PPID"), nil, 129},
		{"Ctrl-C", links("kill -INT 0"), nil, 130},
		{"download SIGTERM", download("kill -TERM $PPID"),
			[]string{"--alpine"}, 143},
		{"download Ctrl-C", download("kill -INT 0"), []string{"--alpine"}, 130},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := withPath(fakes(t, os.Getenv("PATH"), tt.fakes), newRootfs(t, append(tt.args, "new")...))
			writeFile(t, otherKind, c.Dir, "new", rootfsMark)
			before := snapshot(t, filepath.Join(c.Dir, "new"))
			out, status := output(t, c)
			assert.Equal(t, tt.status, status, out)
			assert.Equal(t, []string{"new"}, names(t, c.Dir))
			assertUntouched(t, before, filepath.Join(c.Dir, "new"))
		})
	}
}

// After SIGKILL, the next run cleans up.
func TestRootfsAfterSIGKILL(t *testing.T) {
	t.Parallel()
	killed := withPath(fakes(t, os.Getenv("PATH"), map[string]string{
		"ln": `case $* in */usr/sbin) kill -KILL $PPID ;; esac; exec /bin/ln "$@"`}), newRootfs(t, "new"))
	out, status := output(t, killed)
	require.Equal(t, -1, status, out)
	assert.NoDirExists(t, filepath.Join(killed.Dir, "new"))
	require.NotEmpty(t, names(t, killed.Dir), "it was killed too early")

	done(t, in(killed.Dir, newRootfs(t, "new")))
	assert.Equal(t, []string{"new"}, names(t, killed.Dir))
}

func TestRootfsTwoAtOnce(t *testing.T) {
	t.Parallel()
	one := newRootfs(t, "new")
	both := done(t, by(one, "bash", "-euc", `"$@" & "$@"; wait $!`, "bash"))
	assert.Equal(t, 1, strings.Count(both, "made "), both)
	assert.Equal(t, 1, strings.Count(both, "is there already"), both)
	assert.Equal(t, []string{"new"}, names(t, one.Dir))
}

// A dynamic busybox is as good as none: the script names the package with the static one,
// or installs it.
func TestRootfsNeedsAStaticBusybox(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	static, err := exec.LookPath("busybox")
	require.NoError(t, err)
	dynamic, err := exec.LookPath("env") // runs the command it is given, too
	require.NoError(t, err)

	bin := t.TempDir()
	require.NoError(t, os.Symlink(dynamic, filepath.Join(bin, "busybox")))
	path := bin + ":" + pathWithout(t, os.Getenv("PATH"),
		"busybox", "busybox.static", "apt-get", "dnf", "pacman", "apk")
	for manager, line := range map[string]string{
		"dnf": "sudo dnf install busybox", "pacman": "sudo pacman -S busybox",
		"apk": "sudo apk add busybox-static", "another": "install busybox",
	} {
		if nstest.Root() {
			line = strings.TrimPrefix(line, "sudo ")
		}
		c := withPath(fakes(t, path, map[string]string{manager: ""}), newRootfs(t, "new"))
		fails(t, c, "missing: busybox\n  "+line+"\n")
		assert.Empty(t, names(t, c.Dir))
	}

	path = fakes(t, path, map[string]string{
		"apt-get": `for arg; do [ -n "$arg" ] || exit 1; done
case $* in *install*busybox-static) ln -s ` + static + " " + bin +
			"/busybox.static ;; esac",
		"sudo": `exec "$@"`,
	})
	c := withPath(path, newRootfs(t, "new"))
	done(t, c)
	assert.Equal(t, "hi\n", inRoot(t, filepath.Join(c.Dir, "new"), "echo hi"))
}

// Others make directories in /tmp, too: the script does not take one of theirs for its own,
// and does not wait for their lock on /tmp.
func TestRootfsAmongOthers(t *testing.T) {
	nstest.NeedRoot(t)
	t.Parallel()
	parent := t.TempDir()
	require.NoError(t, os.Chmod(parent, 0o1777))
	lock, err := os.Open(parent)
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	done(t, in(parent, newRootfs(t, "new")))

	foreign := filepath.Join(parent, "foreign")
	require.NoError(t, os.Rename(filepath.Join(parent, "new"), foreign))
	require.NoError(t, os.Lchown(foreign, 12345, 12345))
	fails(t, in(parent, newRootfs(t, "foreign")), "belongs to another user")

	work := filepath.Join(parent, ".third.unfinished-by-rootfs.sh")
	require.NoError(t, os.Mkdir(work, 0o755))
	require.NoError(t, os.Lchown(work, 12345, 12345))
	fails(t, in(parent, newRootfs(t, "third")), "cannot make "+work)
	assert.DirExists(t, work)
}
