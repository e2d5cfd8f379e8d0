//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// watchOf is check.sh --watch of lesson 03 in a place, with a TMPDIR of its own.
func watchOf(t *testing.T, place string, before ...string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	tmp, err := os.MkdirTemp("/var/tmp", "nsl.tmp-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(tmp, 0o777))
	t.Cleanup(func() { os.RemoveAll(tmp) })
	args := append(before, filepath.Join(place, "scripts/check.sh"), "--watch", "03")
	cmd = exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = place, append(checkEnv(), "TMPDIR="+tmp, "TERM=xterm")
	return cmd, tmp
}

// nothingLeft waits until no process knows of a directory any more, and it is empty.
func nothingLeft(t *testing.T, tmp string) {
	t.Helper()
	assert.Eventually(t, func() bool {
		all, err := filepath.Glob("/proc/[0-9]*/environ")
		require.NoError(t, err)
		for _, file := range all {
			text, _ := os.ReadFile(file)
			if strings.Contains(string(text), "TMPDIR="+tmp) {
				return false
			}
		}
		return len(names(t, tmp)) == 0
	}, 10*time.Second, 20*time.Millisecond, "left in %s", tmp)
}

// At each save the first point that fails is shown, and nothing else: until all hold.
// Root's half runs what it has run from the start, whatever the scripts are by now.
func TestCheckWatch(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	nstest.NeedRoot(t)
	place := newPlace(t, "watch", `cp -r scripts 0* go.mod go.sum "$place"`)
	done(t, script(place, "start.sh", "03"))
	main := filepath.Join(place, "work/03-uts/main.go")
	const gap = "\t// TODO: 1 new line in lesson 03\n"
	write := func(old, new string) {
		text := nstest.Read(t, main)
		require.Contains(t, text, old)
		// An editor writes a new file, which takes the old one's place.
		writeFile(t, strings.Replace(text, old, new, 1), main+"~")
		require.NoError(t, os.Rename(main+"~", main))
	}
	cmd, tmp := watchOf(t, place)
	x := nstest.StartTerminal(t, cmd)
	x.Expect("uts: the namespace, ")
	x.Expect("Which call makes a new one")
	x.Prompt("q: leave", "h")
	x.Expect("1 of 3: A question")
	x.Expect("Who can")
	x.Type("d") // not before all hold

	// Changes to the scripts count from the next start on.
	for _, name := range []string{"check.sh", "lib/check/points.sh", "lib/check/session.sh"} {
		text := nstest.Read(t, place, "scripts", name)
		first, rest, _ := strings.Cut(text, "\n")
		writeFile(t, first+"\ntouch '"+tmp+"/evil'\n"+rest, place, "scripts", name)
		t.Cleanup(func() { writeFile(t, text, place, "scripts", name) })
	}
	write(gap, "\tattr.Cloneflags |= unix.CLONE_NEWUTS\n")
	x.Expect("uts: the hostname, ")
	x.Prompt("q: leave", "h")
	x.Expect("2 of 3: ")
	write(gap, "\tmust(setHostname(opt.hostnam))\n")
	x.Expect("not ok\x1b[0m  build: ")
	x.Expect("main.go:77:")
	x.Expect("undefined")
	write("hostnam)", "hostname[:3])")
	x.Expect("uts: -hostname check-")
	write("[:3])", ") /* TODO: say more */")
	x.Expect("todo: what is left to write: seen work/03-uts/main.go:77:")
	write("/* TODO: say more */", "")
	x.Expect(" points hold")
	x.Prompt("d: the difference", "d")
	x.Expect("work/03-uts against 03-uts")
	x.Type("q")
	assert.Equal(t, 0, x.Wait())
	screens := strings.Split(x.Screen(), "\x1b[2J")
	assert.Len(t, screens, 7, x.Screen())
	for _, screen := range screens[1:6] {
		assert.Equal(t, 1, strings.Count(screen, "not ok"), screen)
		assert.NotContains(t, screen, "d: the", screen)
		assert.NotContains(t, screen, "against", screen)
	}
	assert.NoFileExists(t, tmp+"/evil")
	nothingLeft(t, tmp)
	assert.FileExists(t, filepath.Join(place, "work/.progress/03-uts.passed"))
}

// Whatever ends it in the middle of a check, nothing is left.
func TestCheckWatchEnds(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	nstest.NeedRoot(t)
	place := newPlace(t, "watch-ends", `cp -r scripts 0* go.mod go.sum "$place"`)
	done(t, script(place, "start.sh", "03"))
	// A launcher that says that it runs, and then hangs.
	main := filepath.Join(place, "work/03-uts/main.go")
	diffReplace(t, main, "\tflag.Parse()\n", "\tflag.Parse()\n"+
		"\tos.WriteFile(\"/dev/fd/9/../started\", nil, 0o644)\n\ttime.Sleep(time.Hour)\n")
	diffReplace(t, main, "import (\n", "import (\n\t\"time\"\n")
	for name, end := range map[string]func(x *nstest.Terminal, cmd *exec.Cmd){
		"q":       func(x *nstest.Terminal, cmd *exec.Cmd) { x.Type("q") },
		"Ctrl-C":  func(x *nstest.Terminal, cmd *exec.Cmd) { x.Type("\x03") },
		"hang-up": func(x *nstest.Terminal, cmd *exec.Cmd) { x.Close() },
		"SIGTERM": func(x *nstest.Terminal, cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGTERM) },
		"SIGKILL": func(x *nstest.Terminal, cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			cmd, tmp := watchOf(t, place)
			x := nstest.StartTerminal(t, cmd)
			require.Eventually(t, func() bool {
				found, _ := filepath.Glob(tmp + "/started")
				return len(found) > 0
			}, time.Minute, 10*time.Millisecond)
			end(x, cmd)
			if name != "hang-up" {
				x.Wait()
			}
			require.NoError(t, os.Remove(tmp+"/started"))
			nothingLeft(t, tmp)
		})
	}
}

// sudo asks for a password once. Root is that of a user namespace here.
func TestCheckWatchSudo(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	nstest.NeedRoot(t)
	place := newPlace(t, "watch-sudo", `cp -r scripts 0* go.mod go.sum "$bin" "$place"`)
	done(t, script(place, "start.sh", "03"))
	require.NoError(t, exec.Command("chown", "-R", "1000:1000", place).Run())
	tools := filepath.Join(place, "tools")
	for name, script := range map[string]string{
		"sudo": `echo "$*" >>"../sudo.log"; exec unshare --user --map-root-user "$@"`,
		"go":   `[ $1 = build ] || exec echo go1.99; mkdir -p bin; cp "../bin/03-uts" bin/`,
	} {
		writeFile(t, "#!/bin/sh\n"+strings.ReplaceAll(script, "..", place), tools, name)
		require.NoError(t, os.Chmod(filepath.Join(tools, name), 0o755))
	}
	cmd, tmp := watchOf(t, place, "setpriv", "--reuid=1000", "--regid=1000", "--clear-groups")
	cmd.Env = append(cmd.Env, "PATH="+tools+":"+os.Getenv("PATH"))
	x := nstest.StartTerminal(t, cmd)
	for range 3 {
		x.Expect("todo: what is left") // what go has "built" holds
		x.Expect("q: leave")
		now := time.Now()
		require.NoError(t, os.Chtimes(filepath.Join(place, "work/03-uts/uts.go"), now, now))
	}
	x.Type("q")
	assert.Equal(t, 0, x.Wait())
	log := nstest.Read(t, place, "sudo.log")
	assert.Regexp(t, `^env CHECK_TIMEOUT=5 .*check\.sh --serve 03\n$`, log)
	nothingLeft(t, tmp)
}
