//go:build linux

package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is what a lesson does when a kind of system call fails: strace(1)
// makes it fail, with EIO, which no lesson knows anything about.
type fault struct {
	call   *regexp.Regexp // as strace shows it
	says   string         // a part of the message, with what call has found
	status []int
	every  bool // each such call is a step; else the first and the last
}

func when(call, says string, status ...int) *fault {
	return &fault{regexp.MustCompile("^" + call), says, status, false}
}

func whenever(call, says string, status ...int) *fault {
	f := when(call, says, status...)
	f.every = true
	return f
}

// known are the system calls that the lessons' own code makes, or Go for it,
// in the order in which they are looked up. With status 0 it can do without.
var known = []*fault{
	when(`clone3?\(.*CLONE_NEWPID`, "clone the child: ", 125),
	when(`pipe2\(`, " the child: ", 125),
	when(`prctl\(PR_SET_PDEATHSIG`, "clone the child: ", 125),
	when(`set(?:groups|gid|uid)\(`, "clone the child: ", 125),
	when(`openat\(AT_FDCWD, "/proc/\d+/(?:uid_map|gid_map|setgroups)"`,
		"clone the child: ", 125),
	when(`execve\("/proc/self/exe"`,
		"clone the child: fork/exec /proc/self/exe: ", 125),
	when(`execve\("`, `exec "true": `, 126),

	whenever(`mount\([^,]*, "([^"]*)"`, `on "$1", type "`, 125),
	when(`sethostname\("([^"]*)"`, `sethostname "$1": `, 125),
	when(`close_range\(3`, "close_range 3 and up on exec: ", 125),
	when(`prctl\(PR_SET_NO_NEW_PRIVS`, "prctl PR_SET_NO_NEW_PRIVS: ", 125),

	when(`socket\(AF_NETLINK`, "netlink socket: ", 125),
	when(`bind\(`, "netlink socket: ", 125),
	// A subnet that cannot be looked up is taken: there are others. But the
	// child's request of that number fails, too, and that ends the lesson.
	whenever(`sendto\(.*RTM_GETROUTE`, "", 0, 125),
	when(`sendto\(.*RTM_NEWLINK.*IFLA_LINKINFO`, "add veth nsl", 125),
	when(`sendto\(.*RTM_NEWLINK`, " up: ", 125),
	when(`sendto\(.*RTM_NEWADDR`, "add address 10.200.", 125),
	when(`sendto\(.*RTM_NEWROUTE`, "add default route via 10.200.", 125),
	// strace asks the kernel what a socket is for; not each one answers.
	when(`sendto\(.*nlmsg_type=0x`, "", 0, 125),
	when(`write\(\d+, "(?:lo|10\.200\.[0-9./]+)"`, "write |1: ", 125),
	when(`read\(3, *(?:"(?:lo|10\.200\.)|0x[0-9a-f]+, 512\) .*INJ)`,
		"wait for the parent: ", 125),

	when(`mkdirat\(AT_FDCWD, "([^"]*nsl-[^"]*)"`, "make a cgroup: mkdir $1", 125),
	when(`mkdirat\(AT_FDCWD, "([^"]*)"`, "make a mount point", 125),
	when(`symlinkat\("([^"]*)", AT_FDCWD, "([^"]*)"`,
		"make a link: symlink $1 $2: ", 125),
	when(`openat\(AT_FDCWD, "(dev/[a-z]+)"`, "make a mount point: open $1: ",
		125),
	when(`pivot_root\(`, "pivot_root to ", 125),
	when(`umount2\(`, "umount the old root: ", 125),
	when(`chdir\("`, " the ", 125), // enter the new root, leave the old root

	when(`unshare\(CLONE_NEWCGROUP`, "unshare CLONE_NEWCGROUP: ", 125),
	// Go's runtime reads these, too, and does without.
	when(`openat\(AT_FDCWD, "(/proc/self/(?:cgroup|mountinfo))"`, "open $1: ",
		0, 125),
	when(`openat\(AT_FDCWD, "([^"]*/nsl-[^"]*)", O_WRONLY`, "open $1: ", 125),
	when(`fchmodat2?\(AT_FDCWD, "([^"]*/nsl-[^"]*)"`, "chmod $1: ", 125),
	// On v1, also when the parent leaves the cgroup: then it goes on.
	when(`write\(\d+, "(0|max|[0-9]+|[0-9]+ 100000)",`, `"$1": write /`, 0, 125),
}

// step is a system call that a lesson makes, of one kind.
type step struct {
	*fault
	child  bool   // it is one of the child's, not of the parent's
	call   string // name of the system call
	number int    // how many of that name its thread has made, from 1
	text   string // as strace shows it
}

func (s step) String() string {
	who := "parent "
	if s.child {
		who = "child "
	}
	name, _, _ := strings.Cut(s.text, " = ")
	if len(name) > 60 {
		name = name[:60]
	}
	return who + name
}

// faults: at each step of the parent and of the child the system call fails,
// or its process is killed. The lesson ends, says what has failed with which
// arguments, and leaves nothing.
func faults(t *testing.T) {
	check := UnchangedHost(t)
	steps := listSteps(t)
	for name, try := range map[string]func(step, *testing.T){
		"fails": step.fails, "killed": step.killed,
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range steps {
				t.Run(s.String(), func(t *testing.T) {
					t.Parallel()
					try(s, t)
				})
			}
		})
	}
	if This.Has("cgroup") { // who was killed could not remove it: the next
		require.Zero(t, Run(t, "true").Status) // lesson does
	}
	check()
}

// mustMake are the system calls without which a list of steps is not one.
func mustMake() []string {
	calls := []string{"clone", "execve", "close_range"}
	for kind, call := range map[string]string{
		"mnt": "mount", "uts": "sethostname", "net": "sendto",
		"user": "setuid", "cgroup": "unshare",
	} {
		if This.Has(kind) {
			calls = append(calls, call)
		}
	}
	if This.HasRootfs() {
		calls = append(calls, "pivot_root", "umount2", "mkdirat", "symlinkat")
	}
	return calls
}

// called is a system call in strace's log.
type called struct{ pid, name, text string }

var straceLine = regexp.MustCompile(
	`^(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|((\w+)\(.*))$`)

// calls are those of a log, in the order in which they began: strace writes
// one in two parts where another thread's comes in between.
func calls(log string) []called {
	const unfinished = " <unfinished ...>"
	var all []called
	pending := map[string]int{}
	for _, line := range strings.Split(log, "\n") {
		m := straceLine.FindStringSubmatch(line)
		if m == nil {
			continue // a signal, or the end of a process
		}
		pid, rest := m[1], m[3]
		if i, ok := pending[pid]; ok && all[i].name == m[2] {
			all[i].text += rest
			delete(pending, pid)
		}
		if m[4] != "" {
			text, cut := strings.CutSuffix(m[4], unfinished)
			if cut {
				pending[pid] = len(all)
			}
			all = append(all, called{pid, m[5], text})
		}
	}
	return all
}

// listSteps has strace list the system calls of a run.
func listSteps(t *testing.T) []step {
	t.Helper()
	log, r, _ := underStrace(t, "trace=all")
	require.Zero(t, r.Status, r.Stderr)
	lines := calls(log)
	require.NotEmpty(t, lines, log)
	parent, child := lines[0].pid, ""
	for _, line := range lines {
		if strings.HasPrefix(line.text, `execve("/proc/self/exe"`) {
			child = line.pid
		}
	}
	require.NotEmpty(t, child, "the child's execve")

	made := map[called]int{} // how many, by thread and name
	var all []step
	command := false                 // whether the child has become that
	for _, line := range lines[1:] { // the first is strace's own execve
		pid, name, text := line.pid, line.name, line.text
		if pid != parent && (pid != child || command) {
			continue // of Go's runtime: the lessons stay on one thread
		}
		made[called{pid, name, ""}]++
		f := faultOf(text)
		command = pid == child && strings.HasPrefix(text, `execve("`) &&
			!strings.HasPrefix(text, `execve("/proc/self/exe"`)
		s := step{f, pid == child, name, made[called{pid, name, ""}], text}
		// strace counts for each thread: what the parent has had before
		// would fail first.
		if f != nil && (!s.child || s.number > made[called{parent, name, ""}]) {
			all = append(all, s)
		}
	}
	found := map[string]bool{}
	for _, s := range all {
		found[strings.TrimSuffix(s.call, "3")] = true // clone3
	}
	for _, call := range mustMake() {
		require.True(t, found[call], "no %s in:\n%s", call, log)
	}
	return chosen(all)
}

func faultOf(text string) *fault {
	for _, f := range known {
		if f.call.MatchString(text) {
			return f
		}
	}
	return nil
}

// chosen are the steps to try: of many that are alike, two.
func chosen(all []step) []step {
	type kind struct {
		*fault
		child bool
	}
	last := map[kind]int{}
	for i, s := range all {
		last[kind{s.fault, s.child}] = i
	}
	var steps []step
	seen := map[kind]bool{}
	for i, s := range all {
		k := kind{s.fault, s.child}
		if s.every && !testing.Short() || !seen[k] || last[k] == i {
			steps = append(steps, s)
		}
		seen[k] = true
	}
	return steps
}

// underStrace runs the lesson, and returns strace's log of it, how it has ended
// and its PID.
func underStrace(t *testing.T, options ...string) (string, Result, int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "strace")
	args := []string{"-f", "-qq", "-s", "4096", "-o", file}
	for _, option := range options {
		args = append(args, "-e", option)
	}
	cmd := exec.Command("strace", append(args, Command(t, "true").Args...)...)
	// What Go's runtime does on the side is not always the same.
	cmd.Env = append(os.Environ(),
		"GODEBUG=asyncpreemptoff=1,decoratemappings=0")
	r := RunCmd(t, cmd)
	log, err := os.ReadFile(file)
	require.NoError(t, err, r.Stderr)
	first, _, _ := strings.Cut(string(log), " ")
	lesson, err := strconv.Atoi(first)
	require.NoError(t, err, log)
	startedLock.Lock()
	started = append(started, lesson)
	startedLock.Unlock()
	return string(log), r, lesson
}

// fails lets the system call fail.
func (s step) fails(t *testing.T) {
	number := s.number
	for range 10 {
		log, r, lesson := underStrace(t, "trace=execve,"+s.call, fmt.Sprintf(
			"inject=%s:error=EIO:when=%d", s.call, number))
		text, there := s.find(log)
		if text == "" {
			// Go's runtime may make more or less of such calls, and so does a
			// lesson that finds something to sweep: try where it was now.
			if number++; there > 0 {
				number = there
			}
			continue
		}
		requireNoTrace(t, r)
		require.Contains(t, s.status, r.Status, "%s\n%s", text, r.Stderr)
		if r.Status == 0 {
			return
		}
		require.Regexp(t, "(?m)^"+This.Name+": .*input/output error", r.Stderr)
		match := s.fault.call.FindStringSubmatchIndex(text)
		says := string(s.fault.call.ExpandString(nil, s.says, text, match))
		require.Contains(t, r.Stderr, says, text)
		left, err := Cgroups(lesson)
		require.NoError(t, err)
		require.Empty(t, left, "cgroups left")
		return
	}
	require.Fail(t, "strace has not met the step")
}

// find returns the call of the step if it has failed, as strace shows it, and
// if not its number.
func (s step) find(log string) (failed string, number int) {
	made := map[string]int{}
	for _, c := range calls(log) {
		if c.name != s.call {
			continue // the first, which tells the lesson's PID
		}
		if made[c.pid]++; faultOf(c.text) != s.fault {
			continue
		}
		if strings.HasSuffix(c.text, "(INJECTED)") {
			return c.text, 0
		}
		if number == 0 {
			number = made[c.pid]
		}
	}
	return "", number
}

// killed ends the process as it makes the system call.
func (s step) killed(t *testing.T) {
	log, r, _ := underStrace(t, "trace=execve,"+s.call, fmt.Sprintf(
		"inject=%s:signal=SIGKILL:when=%d", s.call, s.number))
	if !strings.Contains(log, "+++ killed by SIGKILL +++") {
		return // Go's runtime has made one such call less
	}
	require.Equal(t, 128+9, r.Status, "%s\n%s", r.Stderr, log)
	requireNoTrace(t, r)
}

// requireNoTrace checks that the lesson has said nothing that only a
// programmer understands.
func requireNoTrace(t *testing.T, r Result) {
	t.Helper()
	for _, word := range []string{"goroutine ", "panic:", "fatal error:"} {
		require.NotContains(t, r.Stderr, word)
	}
}
