//go:build linux

package hostile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// killGroup kills the process group of this process, except for this process, which is
// process 1 and shielded from its own namespace.
func killGroup(scene) error { return unix.Kill(0, unix.SIGKILL) }

// bystander is a shell that starts the lesson and, in the same process group, a process
// of the caller, with or without sudo.
const bystander = `${SUDO_UID:+setpriv --reuid $SUDO_UID --regid $SUDO_UID --clear-groups} \
  sleep 1000 &
"$@"; ended=$?
kill $!; wait $!
[ $? != 143 ] || echo "it has ended with $ended, and the bystander is there"`

// groupKilled returns what became of it.
func groupKilled(out string) string {
	if strings.Contains(out, "it has ended with 0, and the bystander is there") {
		return "itself alone"
	} else if strings.Contains(out, "it has ended") {
		return out
	}
	return done
}

// inGroup starts the lesson from a shell whose process group it shares.
func inGroup(t *testing.T, h host, a attempt) string {
	cmd := a.command(t, h)
	cmd.Args = append([]string{"sh", "-c", bystander, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return groupKilled(h.lesson.Start(t, cmd).Finish().Stdout)
}

// inGroupAtTerminal is the same at a terminal.
func inGroupAtTerminal(t *testing.T, h host, a attempt) string {
	if h.lesson.Has("cgroup") {
		a.flags = append(a.flags, nstest.NoLimits...) // nobody would remove the cgroup
	}
	cmd := a.command(t, h)
	args := append([]string{"sh", "-c", bystander, "sh"}, cmd.Args...)
	x := nstest.StartTerminal(t, &exec.Cmd{Path: "/bin/sh", Args: args, Env: cmd.Env})
	x.Wait()
	return groupKilled(x.Screen())
}

// readTerminal reads from the terminal of its session, wherever its streams lead. A
// process group in the background may put itself into the foreground.
func readTerminal(scene) error {
	signal.Ignore(unix.SIGTTOU, unix.SIGTTIN)
	terminal, err := unix.Open("/dev/tty", unix.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open /dev/tty: %w", err)
	}
	if group := unix.Getpgrp(); group != 0 { // 0: the group comes from outside
		err := unix.IoctlSetPointerInt(terminal, unix.TIOCSPGRP, group)
		if err != nil {
			return fmt.Errorf("ioctl TIOCSPGRP: %w", err)
		}
	}
	buf := make([]byte, 64)
	n, err := unix.Read(terminal, buf)
	if err == nil && string(buf[:n]) != "typed\n" {
		return errNothing
	}
	return err
}

// redirected starts the lesson at a terminal where something is typed, and redirects all
// its streams.
func redirected(t *testing.T, h host, a attempt) string {
	cmd := a.command(t, h)
	out := filepath.Join(filepath.Dir(h.dir), "out")
	defer os.Remove(out)
	args := append([]string{"sh", "-c", `"$@" </dev/null >` + out + ` 2>&1; cat ` + out,
		"sh"}, cmd.Args...)
	x := nstest.StartTerminal(t, &exec.Cmd{Path: "/bin/sh", Args: args, Env: cmd.Env})
	x.Type("typed\n")
	x.Expect("answer: ")
	require.Zero(t, x.Wait(), x.Screen())
	_, answer, _ := strings.Cut(x.Screen(), "answer: ")
	answer, _, _ = strings.Cut(answer, "\r\n")
	return answer
}

// chmodNull gives the device the mode that it has.
func chmodNull(scene) error { return os.Chmod("/dev/null", 0o666) }

// reads succeeds if the file is not empty.
func reads(path string) func(scene) error {
	return func(scene) error {
		text, err := os.ReadFile(path)
		if err == nil && len(text) == 0 {
			return errNothing
		}
		return err
	}
}

// readFirmware looks for a file that is not empty.
func readFirmware(scene) error {
	found := errNothing
	filepath.WalkDir("/sys/firmware", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && reads(path)(scene{}) == nil {
			found = nil
			return filepath.SkipAll
		}
		return nil
	})
	return found
}

// advertise tells the other end of the veth pair that this is a router to everywhere: at
// once, and for each line that it reads.
func advertise(s scene) error {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0, %w", unix.ENODEV)
	}
	from, to := []byte(net.ParseIP("fe80::200")), net.ParseIP("ff02::1")
	// A router advertisement, RFC 4861: for 1,800 seconds, with a prefix from
	// which to make an address.
	icmp := slices.Concat([]byte{134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0,
		3, 4, 64, 0xc0, 0, 0, 0x07, 0x08, 0, 0, 0x07, 0x08, 0, 0, 0, 0}, net.ParseIP("2001:db8::"))
	// The checksum also covers the addresses, the length and the protocol.
	length := []byte{0, byte(len(icmp))}
	sum, covered := 0, slices.Concat(from, to, length, []byte{0, unix.IPPROTO_ICMPV6}, icmp)
	for ; len(covered) > 0; covered = covered[2:] {
		sum += int(binary.BigEndian.Uint16(covered))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(icmp[2:], ^uint16(sum+sum>>16))

	frame := slices.Concat([]byte{0x33, 0x33, 0, 0, 0, 1}, []byte(eth0.HardwareAddr),
		[]byte{0x86, 0xdd, 0x60, 0, 0, 0}, length, []byte{unix.IPPROTO_ICMPV6, 255}, from, to, icmp)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	for in, more := bufio.NewScanner(os.Stdin), true; more; more = in.Scan() {
		err = unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: eth0.Index})
		if err != nil {
			return fmt.Errorf("send to eth0: %w", err)
		}
		if err := overVeth(s); err != nil { // its answer comes after the advertisement
			return err
		}
		fmt.Println("answer: done")
	}
	return nil // the route ends with this process
}

// advertised looks at the host, which believes routers, for a default route into the
// container. The message itself is valid: it counts as soon as the host's end has IPv6.
func advertised(t *testing.T, h host, a attempt) string {
	const conf = "/proc/sys/net/ipv6/conf/"
	before, err := os.ReadFile(conf + "default/accept_ra")
	hasIPv6 := err == nil // this kernel
	if hasIPv6 && nstest.Root() {
		require.NoError(t, os.WriteFile(conf+"default/accept_ra", []byte("2"), 0))
		defer os.WriteFile(conf+"default/accept_ra", before, 0)
	}
	c := h.lesson.Start(t, a.command(t, h))
	line := c.Line()
	if line != "answer: done" {
		r := c.Finish()
		return answerOf(t, nstest.Result{Status: r.Status, Stdout: line, Stderr: r.Stderr})
	}
	defer c.Finish()
	links, err := nstest.Listed(netlink.LinkList)
	require.NoError(t, err)
	i := slices.IndexFunc(links, func(l netlink.Link) bool {
		return strings.HasPrefix(l.Attrs().Name, "nsl")
	})
	require.GreaterOrEqual(t, i, 0)
	hasRoute := func() bool {
		routes, err := nstest.Listed(func() ([]netlink.Route, error) {
			return netlink.RouteList(links[i], netlink.FAMILY_V6)
		})
		require.NoError(t, err)
		return slices.ContainsFunc(routes, func(r netlink.Route) bool {
			return r.Dst == nil || r.Dst.IP.IsUnspecified()
		})
	}
	if hasRoute() {
		return done
	}
	if hasIPv6 {
		off := conf + links[i].Attrs().Name + "/disable_ipv6"
		require.NoError(t, os.WriteFile(off, []byte("0"), 0))
		c.Say("again")
		nstest.Until(t, "a route into the container", hasRoute)
	}
	return "no route"
}

// holdBuffers makes the kernel keep data that nobody reads.
func holdBuffers(scene) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	const much = 64 << 20
	held, block := 0, make([]byte, 64<<10)
	for range 200 {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			return err
		}
		err = raw.Write(func(fd uintptr) bool {
			for held < much {
				n, err := unix.Write(int(fd), block)
				if err != nil {
					break // EAGAIN: the socket is full
				}
				held += n
			}
			return true
		})
		if err != nil || held >= much {
			return err
		}
	}
	return fmt.Errorf("%d bytes: %w", held, unix.EAGAIN)
}

// freeze stops all processes of the topmost cgroup that it sees, including itself.
func freeze(scene) error {
	dir, _, err := ownTree("freezer")
	if err != nil {
		return err
	}
	return write(dir+"/freezer.state", "FROZEN")
}

// freezing starts the lesson in a cgroup of its own, and looks at what is frozen.
func freezing(t *testing.T, h host, a attempt) string {
	own, v1, err := nstest.CgroupOf(os.Getpid(), "freezer")
	require.NoError(t, err)
	if !v1 {
		nstest.Skip(t, nstest.OtherCgroups)
	}
	caller := own
	if nstest.Root() {
		caller = filepath.Join(own, fmt.Sprintf("hostile-%d", os.Getpid()))
		require.NoError(t, os.Mkdir(caller, 0o755))
		defer func() { require.NoError(t, os.Remove(caller)) }()
		a.start = shell("echo $$ >"+caller+"/tasks &&", "")
	}
	c := h.lesson.Start(t, a.command(t, h))
	lines := make(chan string, 1)
	go func() { lines <- c.Line() }()
	frozen := func(dir string) bool {
		state, err := os.ReadFile(dir + "/freezer.state")
		return err == nil && string(state) == "FROZEN\n"
	}
	answer := ""
	inner := func() []string {
		found, err := filepath.Glob(caller + "/nsl-*")
		require.NoError(t, err)
		return found
	}
	nstest.Until(t, "an answer", func() bool {
		select {
		case line := <-lines:
			answer = answerOf(t, nstest.Result{Stdout: line})
			return true
		default:
		}
		if frozen(caller) {
			answer = done
		} else if found := inner(); len(found) == 1 && frozen(found[0]) {
			answer = "itself alone"
		}
		return answer != ""
	})
	if nstest.Root() {
		for _, dir := range append([]string{caller}, inner()...) {
			err := write(dir+"/freezer.state", "THAWED")
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) { // its lesson has ended
				require.NoError(t, err)
			}
		}
	}
	c.Finish()
	return answer
}

// nothingMade gives the lesson directories that are not root filesystems.
func nothingMade(t *testing.T, h host, _ attempt) string {
	points := []string{"proc", "sys", "dev", "tmp"}
	there := func(dir string) (found []string) {
		for _, name := range points {
			info, err := os.Lstat(filepath.Join(dir, name))
			if !errors.Is(err, os.ErrNotExist) {
				require.NoError(t, err)
				found = append(found, name+info.Mode().String())
			}
		}
		return found
	}
	part := filepath.Join(filepath.Dir(h.dir), "part")
	require.NoError(t, nstest.MakeRootfs(part))
	defer os.RemoveAll(part)
	require.NoError(t, os.Remove(filepath.Join(part, "tmp")))
	give(t, part)
	for _, dir := range []string{"/etc", "/dev", "/tmp", "/", part} {
		before := there(dir)
		args := h.lesson.Command(t, "-net=lo", "-rootfs", dir, "true").Args
		args = shell("umask 777;", "")(h, args)
		r := h.lesson.Start(t, exec.Command(args[0], args[1:]...)).Finish()
		require.Equal(t, before, there(dir), dir)
		if answer := answerOf(t, r); !strings.HasPrefix(answer, "refused") {
			return dir + ": " + answer
		}
	}
	return "refused"
}

// Here containers share a root filesystem, and one of them changes it again and again
// while others start.

// starts is how many start. HOSTILE_STARTS=2000 takes minutes.
func starts(t *testing.T) int {
	n := 60
	if s := os.Getenv("HOSTILE_STARTS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	return n
}

// flip swaps a mount point and /x again and again, until its input ends.
func flip(args []string) error {
	point := "/" + args[0]
	for _, dir := range []string{"/proc", "/dev"} { // a mount point cannot be renamed
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("umount %s: %w", dir, err)
		}
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for i := 0; ; i++ {
		err := unix.Renameat2(unix.AT_FDCWD, point, unix.AT_FDCWD, "/x", unix.RENAME_EXCHANGE)
		if err != nil {
			return fmt.Errorf("exchange %s and /x: %w", point, err)
		}
		if i == 0 {
			fmt.Println("flipping")
		}
	}
}

// swapping starts containers while a different one swaps a mount point.
func swapping(point string, prepare func(h host, x string) error) func(*testing.T, host, attempt) string {
	return func(t *testing.T, h host, a attempt) string {
		h.rootfs = filepath.Join(filepath.Dir(h.dir), "shared")
		defer os.RemoveAll(h.rootfs)
		h.makeRootfs(t, h.rootfs)
		require.NoError(t, prepare(h, filepath.Join(h.rootfs, "x")))
		give(t, h.rootfs)

		helper := nstest.Helper("flip", point)
		helper[0] = "/bin/hostile"
		flipper := h.lesson.Start(t, h.lesson.Command(t,
			append([]string{"-net=lo", "-rootfs", h.rootfs}, helper...)...))
		require.Equal(t, "flipping", flipper.Line())
		seen := map[string]int{}
		for range starts(t) {
			answer := answerOf(t, h.lesson.Start(t, a.command(t, h)).Finish())
			if strings.HasPrefix(answer, "refused") {
				require.Contains(t, answer, "open "+point+" in the new root: too many levels")
				answer = "refused"
			}
			if seen[answer]++; answer == done {
				break
			}
		}
		require.Zero(t, flipper.Finish().Status)
		t.Logf("%v", seen)
		text := nstest.Read(t, h.Secret)
		if seen[done] > 0 || text != h.Words {
			require.NoError(t, os.WriteFile(h.Secret, []byte(h.Words), 0o644))
			return fmt.Sprintf("%s (%v, %q)", done, seen, text)
		}
		require.NotZero(t, seen[errNothing.Error()], "%v", seen)
		if point == "proc" { // they met the link at times
			require.NotZero(t, seen["refused"], "%v", seen)
		}
		return errNothing.Error()
	}
}

// upTo returns a relative path to a place on the host, from below any root.
func upTo(path string) string { return strings.Repeat("../", 32) + path }

func linkToHost(h host, x string) error { return os.Symlink(upTo(h.dir), x) }

func linkBelow(h host, x string) error {
	return errors.Join(os.Mkdir(x, 0o755), os.Symlink(upTo(h.Secret), x+"/null"))
}

// patiently tries again until something is there that a different container swaps again
// and again.
func patiently(there func() bool) bool {
	for range 20_000 {
		if there() {
			return true
		}
		runtime.Gosched()
	}
	return false
}

// throughProc succeeds if /proc is a directory of the host, or not our own.
func throughProc(s scene) error {
	seen := false
	own := patiently(func() bool {
		seen = seen || s.read("/proc/"+filepath.Base(s.Secret)) == nil
		text, err := os.ReadFile("/proc/self/comm")
		return seen || err == nil && !bytes.Equal(text, nil)
	})
	if seen || !own {
		return nil
	}
	return errNothing
}

// throughDev succeeds if /dev is not our own. Whether the lesson wrote to a file is seen
// on the host.
func throughDev(scene) error {
	own := patiently(func() bool {
		info, err := os.Stat("/dev/null")
		return err == nil && info.Mode()&os.ModeCharDevice != 0
	})
	if !own {
		return nil
	}
	return errNothing
}
