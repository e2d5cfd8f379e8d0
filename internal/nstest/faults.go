//go:build linux

package nstest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fault is a system call that a lesson makes, and that Go never makes by itself.
// strace(1) makes it fail with EIO, which no lesson expects.
type fault struct {
	call string
	flag string         // the lesson runs with it, if it has that flag
	says *regexp.Regexp // what the lesson says when it fails
	// steps are parts of its messages, in the order in which the calls fail. The
	// key is the namespace that the lesson must have, or "rootfs".
	steps map[string][]string
	// goesOn means that the lesson can do without some of them.
	goesOn bool
}

var known = []fault{
	{call: "mount", says: regexp.MustCompile(`mount .*/|make .*private`), steps: map[string][]string{
		"mnt": {`"/"`, "/proc"}, "ipc": {"/dev/mqueue"}, "rootfs": {"/sys", "/dev", "rootfs"}}},
	{call: "sethostname", says: regexp.MustCompile(`hostname`), steps: map[string][]string{
		"uts": {"hostname"}}},
	{call: "sendto", says: regexp.MustCompile(`lo|veth|nsl|eth0|link|address|route|parent`),
		steps: map[string][]string{"net": {"veth", "up"}}, goesOn: true},
	{call: "sendto", flag: "-net=lo", says: regexp.MustCompile(`lo`),
		steps: map[string][]string{"net": {"lo"}}, goesOn: true},
	{call: "pivot_root", says: regexp.MustCompile(`pivot_root`), steps: map[string][]string{
		"rootfs": {"pivot_root"}}},
	{call: "umount2", says: regexp.MustCompile(`old root`), steps: map[string][]string{
		"rootfs": {"old root"}}},
	{call: "mkdirat", says: regexp.MustCompile(`mkdir|make|mount point|cgroup`), steps: map[string][]string{
		"cgroup": {"cgroup"}}},
	{call: "unshare", says: regexp.MustCompile(`unshare`), steps: map[string][]string{
		"cgroup": {"unshare"}}},
}

// faults makes each of the lesson's own steps fail, one after another. The lesson
// ends, says what failed, and leaves nothing behind.
func (r *Runner) faults(t *testing.T) {
	check := r.UnchangedHost(t)
	t.Run("in", func(t *testing.T) {
		for _, f := range known {
			if f.flag != "" && !r.Has("net") {
				continue
			}
			t.Run(f.call+f.flag, func(t *testing.T) {
				t.Parallel()
				r.fail(t, f)
			})
		}
	})
	check()
}

// fail makes the first call fail, then the second, and so on, until there is none.
func (r *Runner) fail(t *testing.T, f fault) {
	said, number := "", 1
	for ; ; number++ {
		result, log := r.underStrace(t, f, number)
		if !strings.Contains(log, "(INJECTED)") {
			require.Zero(t, result.Status, result.Stderr)
			break
		}
		requireNoTrace(t, result)
		if f.goesOn && result.Status == 0 {
			continue
		}
		require.Equal(t, 125, result.Status, "call %d: %s", number, result.Stderr)
		first, _, _ := strings.Cut(noVeth.ReplaceAllString(result.Stderr, ""), "\n")
		require.Regexp(t, "^"+regexp.QuoteMeta(r.Name)+": .*input/output error", first)
		require.Regexp(t, f.says, first)
		said += first + "\n"
	}
	for kind, steps := range f.steps {
		if !r.Has(kind) && !(kind == "rootfs" && r.HasRootfs()) {
			continue
		}
		if kind == "cgroup" && f.call == "mkdirat" && !CgroupWritable() ||
			kind == "net" && f.flag == "" && !Root() {
			continue // it makes neither a cgroup nor a veth pair here
		}
		for _, step := range steps {
			assert.Contains(t, said, step, "this step did not fail")
		}
	}
}

// underStrace runs the lesson with a fault, and returns its result and strace's
// log.
func (r *Runner) underStrace(t *testing.T, f fault, number int) (Result, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "strace")
	command := r.Command(t, "true")
	if f.flag != "" {
		command = r.Command(t, f.flag, "true")
	}
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-o", file,
		"-e", "trace=execve," + f.call,
		"-e", fmt.Sprintf("inject=%s:error=EIO:when=%d", f.call, number)},
		command.Args...)...)
	result := r.Start(t, cmd).Finish()
	log := Read(t, file)
	var lesson int
	_, err := fmt.Sscan(log, &lesson)
	require.NoError(t, err, log)
	r.note(lesson)
	return result, log
}
