//go:build linux

package scripttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// half is a lesson that is not done, as somebody left it who was called away or thought
// that it works.
type half struct {
	name  string
	edits []string // of the lesson: file, old, new, file, old, new, …
	// The first point that does not hold: its type and name, what was seen, and
	// what the question is about.
	point, seen, question string
}

// TODO is in a function that nothing calls any more.
var todo = []string{"process.go", "// must ends", "func init_() { panic(\"TODO: Set\") }\n\n// must ends"}

var halves = map[string][]half{
	"03-uts": {
		{"an empty name", []string{"uts.go", "[]byte(name)", "nil"},
			"uts: the hostname", "no name", "Who gives it a name"},
		{"the flag panics", []string{"uts.go", "\tif err :=", "\tif name != lesson {\n\t\tpanic(\"TODO: flag\")\n\t}\n\tif err :="},
			"uts: -hostname check-", "panic: TODO: flag", "Which half of your program"},
		{"the flag is ignored", []string{"main.go", "setHostname(opt.hostname)", "setHostname(lesson)"},
			"uts: -hostname check-", "03-uts", "Which half of your program"},
		{"the flag has another name", []string{"main.go", `"hostname", lesson`, `"name", lesson`},
			"uts: -hostname check-", "not defined: -hostname", "Which half of your program"},
		{"in the parent", []string{"main.go", "\tmust(setHostname(opt.hostname))\n", "",
			"main.go", "\tsignals := make", "\tmust(setHostname(opt.hostname))\n\tsignals := make"},
			"uts: the hostname", "the host's", "Who gives it a name"},
		{"the domain name", []string{"uts.go", "unix.Sethostname", "unix.Setdomainname"},
			"uts: the hostname", "the host's", "Who gives it a name"},
		{"a newline at its end", []string{"uts.go", "[]byte(name)", `[]byte(name + "\n")`},
			"uts: -hostname check-", "", "Which half of your program"},
		{"the error is dropped", []string{"main.go", "must(setHostname(opt.hostname))", "setHostname(opt.hostname)"},
			"uts: -hostname with 65 bytes", "it runs its command", "What becomes of the error"},
		{"an error is no failure", []string{"uts.go", "return fmt.Errorf(\"sethostname %q: %w\", name, err)",
			"fmt.Println(name, err)\n\t\tunix.Exit(0)"},
			"uts: -hostname with 65 bytes", "it ended with status 0", "What becomes of the error"},
		{"cut to 64 bytes", []string{"uts.go", "[]byte(name)", "[]byte(name)[:min(len(name), 64)]"},
			"uts: -hostname with 65 bytes", "it runs its command", "What becomes of the error"},
		{"a TODO is left", todo, "todo: what is left", "process.go:", "take it out"},
	},
	"05-net": {
		{"-net=lo is ignored", []string{"net.go", "if mode == \"lo\" {\n\t\treturn mode, nil\n\t} else if mode != \"veth\"", "if mode == \"\""},
			"net: -net=lo", "eth0 lo, 127.0.0.1 answers", "With -net=lo"},
		{"with -net=lo, lo stays down", []string{"net.go",
			"if err := setUp(\"lo\", \"127.0.0.1/8\"); err != nil || address == \"lo\" {\n\t\treturn err",
			"if err := setUp(\"lo\", \"127.0.0.1/8\"); err != nil {\n\t\treturn err",
			"net.go", "fmt.Errorf(\"wait for the parent: %w\", err)\n\t}", "fmt.Errorf(\"wait for the parent: %w\", err)\n\t}\n\tif address == \"lo\" {\n\t\treturn nil\n\t}"},
			"net: -net=lo", "lo, 127.0.0.1 Network is unreachable", "With -net=lo"},
		{"-net=nonsense is veth", []string{"net.go", "else if mode != \"veth\"", "else if mode == \"\""},
			"net: -net nonsense", "it runs its command", "What becomes of the error"},
		// The parent does everything, and the child only waits for a second.
		{"a sleep instead of the pipe", []string{
			"net.go", "\tif err == nil {\n\t\t_, err = fmt.Fprintln(ready, address)", "\tif err == nil && address != \"lo\" {\n" +
				"\t\terr = exec.Command(\"nsenter\", \"--net\", \"-t\", fmt.Sprint(cmd.Process.Pid), \"sh\", \"-c\", `\n" +
				"\t\t\ta=${0%/30}; ip address add $0 dev eth0; ip link set eth0 up\n" +
				"\t\t\tip route add default via ${a%.*}.$((${a##*.} - 1))`, address).Run()",
			"net.go", "if _, err := fmt.Fscanln(pipe, &address); err != nil {\n\t\treturn fmt.Errorf(\"wait for the parent: %w\", err)\n\t}",
			"time.Sleep(time.Second)\n\taddress = \"lo\"",
			"net.go", "\t\"os/exec\"\n", "\t\"os/exec\"\n\t\"time\"\n"},
			"net: while the parent is stopped", "the child goes on", "A sleep is a guess"},
		{"the error of joinNetwork is dropped", []string{"main.go", "must(joinNetwork())", "joinNetwork()"},
			"net: when eth0 is gone", "it runs its command", "Which step of the child"},
		{"one name for all", []string{"net.go", `fmt.Sprintf("nsl%d", n), "eth0"`, `"nslmine", "eth0"`,
			"net.go", "if !errors.Is(err, unix.EEXIST) {", "if true {"},
			"run: the command inside, run b", "file exists", "It works alone, but not beside a second one"},
		{"one address for all", []string{"net.go", "10.200.%d.%d/30\", n>>6, n<<2&255+i)", "10.200.7.%d/30\", i)"},
			"net: the host, 10.200.7.1", "two runs have the same address", "ip address"},
		{"the parent says nothing", []string{"net.go", "\t_, err = fmt.Fprintln(ready, address)", "\t_ = address"},
			"run: the command inside, run a", "nor answers", "Which step waits"},
		{"the route before eth0 is up", []string{"net.go", "netlink.LinkSetUp(link))", "nil)"},
			"run: the command inside, run a", "add a default route", "Which of your steps"},
		{"the parent panics", []string{"net.go", "\tconst subnets = 1 << 14\n", "\tconst subnets = 1 << 14\n\tif pid > 0 {\n\t\tpanic(\"TODO: connect\")\n\t}\n"},
			"run: the command inside, run a", "panic: TODO: connect", "Which of your steps"},
		{"eth0 is there, and nothing is set up", []string{"net.go", "fmt.Fprintln(ready, address)", "fmt.Fprintln(ready, address[:0]+\"lo\")"},
			"net: the host", "no default route", "Which address is the next hop"},
		{"a TODO is left", todo, "todo: what is left", "process.go:", "take it out"},
	},
	"07-pivot-root": {
		{"-rootfs is ignored", []string{"main.go", "enterRoot(opt.rootfs)", `enterRoot("rootfs")`},
			"root: -rootfs DIR", "a different one", "take the directory from the flag"},
		{"the rootfs that there is instead", []string{"rootfs.go", "\tdir, err := filepath.Abs(dir)",
			"\tif _, err := os.Stat(dir); err != nil {\n\t\tdir = \"rootfs\"\n\t}\n\tdir, err := filepath.Abs(dir)"},
			"root: -rootfs that is not there", "it runs its command", "What becomes of the error"},
		{"the host's /dev", []string{"rootfs.go", "\t\tmount(\"/sys\", \"/dev\", \"\", unix.MS_MOVE, \"\"),\n", "\t\tunix.Unmount(\"/sys\", unix.MNT_DETACH),\n"},
			"root: bytes from /dev/zero", "in the host's /dev", "ls -l /dev inside"},
		{"the host's /tmp", []string{"rootfs.go", ",\n\t\tmount(\"tmpfs\", \"/tmp\", \"tmpfs\", unix.MS_NOSUID, \"mode=1777\"))", ")"},
			"root: a file of the host", "there", "Which paths inside"},
		{"only descriptor 3 is closed", []string{"rootfs.go", "CloseRange(3, math.MaxUint32,", "CloseRange(3, 3+0*math.MaxUint32,"},
			"root: open files", "9", "What does execve(2) leave open"},
		{"variables are added, not cleared", []string{"rootfs.go", "\tos.Clearenv()\n", ""},
			"root: your variables inside", "1", "Who should give a container"},
		{"a new sysfs to write to", []string{"rootfs.go", "\"sysfs\", safe|unix.MS_RDONLY,", "\"sysfs\", safe,"},
			"root: settings of the machine", "/sys rw", "who may write to them"},
		{"/proc is protected, then covered", []string{"main.go", "\tmust(mountProc())\n\tmust(protectProc())\n", "\tmust(protectProc())\n\tmust(mountProc())\n"},
			"root: settings of the machine", "/proc/sys no mount", "who may write to them"},
		{"the root is no mount point", []string{"rootfs.go", "err = mount(dir, dir, \"\", unix.MS_BIND|unix.MS_REC, \"\")", "err = nil"},
			"run: the command inside, run a", "pivot_root", "Which of your steps"},
		{"/dev does not come along", []string{"rootfs.go", `{"proc", "sys", "dev", "tmp"}`, `{"proc", "sys", "tmp"}`},
			"ipc: /dev/mqueue", "nothing", "What did lesson 02 do"},
		{"the environment panics", []string{"rootfs.go", "\tterm := os.Getenv(\"TERM\")", "\tterm := os.Getenv(\"TERM\")\n\tif len(os.Args) > 0 {\n\t\tpanic(\"TODO: bareEnvironment\")\n\t}"},
			"run: the command inside, run a", "panic: TODO: bareEnvironment", "Which of your steps"},
		{"a TODO is left", todo, "todo: what is left", "process.go:", "take it out"},
	},
	"08-cgroups": {
		{"-memory is ignored", []string{"main.go", "newCgroup(opt.limits)", `newCgroup(limits{"64M", opt.pids, opt.cpus})`},
			"cgroup: -memory 32M", "67108864 bytes, 20 processes, 20%", "Which file is each limit"},
		{"-cpus is ignored", []string{"main.go", "newCgroup(opt.limits)", `newCgroup(limits{opt.memory, opt.pids, "0.5"})`},
			"cgroup: -memory 32M", "20 processes, 50%", "Which file is each limit"},
		{"-cpus in another unit", []string{"cgroup.go", "n * 100_000", "n * 50_000"},
			"cgroup: -memory 32M", "20 processes, 10%", "Which file is each limit"},
		{"the error of a write is dropped", []string{"cgroup.go", "if _, err := f.WriteString(value); err != nil {\n\t\treturn fmt.Errorf(\"%q: %w\", value, err)\n\t}", "f.WriteString(value)\n\tfmt.Fprint(os.Stderr)"},
			"cgroup: -memory nonsense", "it runs its command", "What becomes of the error"},
		{"no number is no limit", []string{"cgroup.go", "return cpus //", "return \"max\" //"},
			"cgroup: -cpus nonsense", "it runs its command", "What becomes of the error"},
		{"it does not clean up", []string{"main.go", "\tdefer cg.remove()\n", "",
			"cgroup.go", "nsl-%d-*", "half-%d-*"}, // which nobody sweeps away
			"host: cgroups", "new: ", "When may a cgroup be removed"},
		{"one name for all", []string{"cgroup.go", "dir, err := os.MkdirTemp(parent, fmt.Sprintf(\"nsl-%d-*\", os.Getpid()))",
			"dir := parent + \"/nsl-2-2\"\n\terr := os.Mkdir(dir, 0o755)"},
			"run: the command inside, run b", "file exists", "It works alone, but not beside a second one"},
		{"one cgroup for all", []string{"cgroup.go", "dir, err := os.MkdirTemp(parent, fmt.Sprintf(\"nsl-%d-*\", os.Getpid()))",
			"dir := parent + \"/nsl-2-3\"\n\terr := os.MkdirAll(dir, 0o755)"},
			"cgroup: memory", "two runs share it", "Is the process in the cgroup"},
		{"the namespace in the parent", []string{"main.go", "\tmust(unshareCgroup())\n", "",
			"main.go", "\tcg, err := newCgroup", "\tmust(unshareCgroup())\n\tcg, err := newCgroup"},
			"cgroup: ", "", "cgroup"},
		{"no limit of CPU time", []string{"cgroup.go", "microseconds(l.cpus))", "\"max\")",
			"cgroup_v1.go", "microseconds(l.cpus)}", "\"max\"}", "cgroup.go", "return strconv.Itoa(int(n * 100_000))", "return strconv.Itoa(int(n * 100_000)) // not used"},
			"cgroup: CPU time", "no limit", "Is the process in the cgroup"},
		{"no limit of processes", []string{"main.go", "newCgroup(opt.limits)", `newCgroup(limits{opt.memory, "max", opt.cpus})`},
			"cgroup: processes", "no limit", "Is the process in the cgroup"},
		{"a TODO is left", todo, "todo: what is left", "process.go:", "take it out"},
	},
}

// Each of them fails, at the point that shows it, and is asked what leads on.
func TestCheckHalfDone(t *testing.T) {
	nstest.Slow(t)
	nstest.NeedRoot(t)
	place := checkPlace(t)
	dir := func(lesson string, i int) string {
		return filepath.Join(place, "half", fmt.Sprintf("%s-%d", lesson, i))
	}
	for lesson, all := range halves {
		for i, h := range all {
			for name, text := range workSources(t, lesson) {
				writeFile(t, text, dir(lesson, i), name)
			}
			for j := 0; j < len(h.edits); j += 3 {
				diffReplace(t, filepath.Join(dir(lesson, i), h.edits[j]), h.edits[j+1], h.edits[j+2])
			}
		}
	}
	// All are built at once, and without debug information: the linker takes half of
	// the time.
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", "half/bin/", "./half/...")
	build.Dir, build.Env = place, append(os.Environ(), "CGO_ENABLED=0")
	nstest.Printed(t, build)

	t.Cleanup(func() {
		exec.Command("find", "/sys/fs/cgroup", "-depth", "-name", "half-*", "-type", "d",
			"-exec", "rmdir", "{}", "+").Run()
	})
	for lesson, all := range halves {
		for i, h := range all {
			t.Run(lesson+" "+h.name, func(t *testing.T) {
				t.Parallel()
				program := filepath.Join(dir(lesson, i), lesson) // called as the lesson is
				require.NoError(t, os.Rename(filepath.Join(place, "half/bin", filepath.Base(dir(lesson, i))), program))
				cmd := by(script(place, "check.sh", "--tap", "--first", lesson[:2], "--", program),
					"unshare", "--net", "--uts", "--ipc", "--mount", "--propagation=shared")
				tmp := t.TempDir()
				cmd.Env = append(cmd.Env, "CHECK_COPIES=yes", "TMPDIR="+tmp)
				if strings.HasPrefix(h.point, "todo") {
					require.NoError(t, os.MkdirAll(filepath.Join(place, "work"), 0o755))
					require.NoError(t, os.Rename(dir(lesson, i), filepath.Join(place, "work", lesson)))
					cmd.Args = cmd.Args[:10] // your own
				}
				if strings.Contains(h.seen, "no answer") {
					cmd.Env = append(cmd.Env, "CHECK_TIMEOUT=1")
				}
				r := runCheck(t, cmd)
				assert.Equal(t, 1, r.status)
				assert.Empty(t, names(t, tmp), "it has left this")
				bad := r.notOK()
				require.Len(t, bad, 1, r.text)
				assert.Contains(t, bad[0].kind+": "+bad[0].what, h.point, r.text)
				seen, question, _ := strings.Cut(strings.ReplaceAll(bad[0].comment, "''", "'"), "question: ")
				seen, _, _ = strings.Cut(seen, "expected: ")
				assert.Contains(t, seen, h.seen)
				assert.Contains(t, question, h.question)
			})
		}
	}
}
