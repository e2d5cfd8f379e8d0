//go:build linux

package texts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"namespaces/internal/nstest"
)

// maxDiffer is how many blocks of the lessons may differ in the page.
const maxDiffer = 10

// TestPage types the texts of the lessons, the tour, and whatever else a learner may count
// on, into the machine of the lesson pages, in Node. NSTEST_PAGE is what
// scripts/dev/machine/build.sh prints, and NODE_PATH is for Node.
func TestPage(t *testing.T) {
	state := os.Getenv("NSTEST_PAGE")
	if state == "" {
		nstest.Skip(t, nstest.NoPage)
	}
	repo := repository(t)
	lessons, err := filepath.Glob(repo + "/0*/README.md")
	require.NoError(t, err)
	require.Len(t, lessons, 8)
	texts := append(lessons, repo+"/README.md", repo+"/internal/texts/testdata/page.md")
	assert.LessOrEqual(t, len(different(t, repo)), maxDiffer)
	var ran atomic.Int32
	for _, file := range texts {
		name, err := filepath.Rel(repo, file)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ran.Add(1)
			problems, _ := execute(t, order{Page: state, Repository: repo}, repo, name, false)
			report(t, problems)
		})
	}
	t.Cleanup(func() { // when all of them have ended
		for key, used := range different(t, repo) {
			assert.True(t, *used || int(ran.Load()) < len(texts),
				"no block begins with what differs.tsv has: %s", key)
		}
	})
}

var differing map[string]*bool

// different reads the table of the blocks that differ in the page: by text and first
// command, whether a text has it.
func different(t *testing.T, repo string) map[string]*bool {
	t.Helper()
	if differing != nil {
		return differing
	}
	differing = map[string]*bool{}
	table, err := os.ReadFile(filepath.Join(repo, "scripts/dev/machine/differs.tsv"))
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		require.Len(t, f, 3, "text, command, reason: %q", line)
		differing[f[0]+"\t"+f[1]] = new(bool)
	}
	return differing
}

func differs(t *testing.T, repo, name string, steps []step) bool {
	t.Helper()
	if len(steps) == 0 {
		return false
	}
	used, ok := different(t, repo)[name+"\t"+steps[0].Typed[0]]
	if ok {
		*used = true
	}
	return ok
}

// startPage is startMachine for the machine in the page.
func startPage(o order) (answer, error) {
	var lines []*os.File
	var ends []*os.File // those of Node
	for range 4 {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.SetNonblock(pair[0], true)
		}
		if err != nil {
			return answer{}, fmt.Errorf("socketpair: %w", err)
		}
		lines = append(lines, os.NewFile(uintptr(pair[0]), "line"))
		ends = append(ends, os.NewFile(uintptr(pair[1]), "end"))
	}
	// Node's second compiler costs more than it saves: what it compiles is used a few times.
	cmd := exec.Command("node", "--liftoff-only", filepath.Join(o.Repository, "scripts/dev/machine/serve.mjs"), o.Page)
	cmd.ExtraFiles, cmd.Stderr = ends, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return answer{}, err
	}
	if err := cmd.Start(); err != nil {
		return answer{}, err
	}
	defer func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		for _, line := range lines {
			_ = line.Close()
		}
	}()
	for _, end := range ends {
		_ = end.Close()
	}
	p := &page{lines: lines, control: &terminal{screen: lines[3], patience: pagePatience}}
	return play(o, p.open, p.follow, strings.NewReplacer("ttyS", "pts/")), nil // its terminals
}

// pagePatience is for a machine that is emulated while other tests run.
const pagePatience = 15 * time.Minute

type page struct {
	lines   []*os.File
	control *terminal
	settled bool
}

// open returns a terminal whose shell is like that of newTerminal.
func (p *page) open(name string) (*terminal, error) {
	i := strings.Index("123", name)
	if i < 0 || len(name) != 1 {
		return nil, fmt.Errorf("the page has no terminal %q", name)
	}
	t := &terminal{screen: p.lines[i], patience: pagePatience, end: func() error { return nil }}
	t.forked = func(pid string) { _, _ = p.ask("forked " + pid) }
	if _, err := p.ask("size " + name + " 50 80"); err != nil {
		return nil, err
	}
	settings := "exec bash"
	if !p.settled {
		p.settled = true
		settings = "echo 'set +o emacs; PS2=; stty -echo; export TERM=dumb' | tee ~/.machine | " +
			"sudo tee /root/.machine >/dev/null; exec bash"
	}
	// The shell shows its prompt when the size changes, and may do so twice.
	if _, err := t.screen.WriteString(settings + "\n"); err != nil {
		return nil, err
	}
	if _, err := t.output(); err != nil {
		return nil, err
	}
	if _, err := t.screen.WriteString("echo number $$\n"); err != nil {
		return nil, err
	}
	var shell []string
	for shell == nil {
		output, err := t.output()
		if err != nil {
			return nil, err
		}
		shell = shellNumber.FindStringSubmatch(output)
	}
	// It is the same at the end: no inner shell is left, and no other has taken its place.
	t.end = func() error {
		now, err := t.command([]string{"echo $$"})
		if err == nil && now != shell[1] {
			err = errors.New("an inner shell is left at the end of the file, or one too many was ended")
		}
		return err
	}
	_, err := t.screen.WriteString("\n") // play waits for a prompt
	return t, err
}

var shellNumber = regexp.MustCompile(`(?m)(?:^|\$ )number (\d+)$`)

// follow starts the guide in the machine, as the page does.
func (p *page) follow(lesson string) (*guide, error) {
	g := &guide{patience: 2 * time.Minute, seldom: true, close: func() error { return nil }}
	g.look = func() (string, error) { return p.ask("look") }
	if _, err := p.ask("follow " + lesson); err != nil {
		return nil, err
	}
	return g, g.expect(0)
}

// ask sends a request by the page's own line, and returns what comes before its answer.
func (p *page) ask(request string) (string, error) {
	what, _, _ := strings.Cut(request, " ")
	if _, err := p.control.screen.WriteString(request + "\n"); err != nil {
		return "", err
	}
	end := time.Now().Add(pagePatience)
	for !strings.HasSuffix("\n"+string(p.control.unread), "\n"+what+"\n") {
		if err := p.control.read(end); err != nil {
			return "", fmt.Errorf("the machine does not answer %q: %w", request, err)
		}
	}
	said := strings.TrimSuffix(string(p.control.unread), what+"\n")
	p.control.unread = nil
	return said, nil
}
