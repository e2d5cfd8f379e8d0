//go:build linux

package texts

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

var update = flag.Bool("update", false, "write what differs into the texts")

// maxNotRun is how many blocks may be shown without having been executed.
const maxNotRun = 6

func TestMain(m *testing.M) {
	if os.Args[0] == machineName {
		if err := machine(); err != nil {
			fmt.Fprintln(os.Stderr, "machine:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	nstest.DefaultSignals()
	// They mostly wait for answers: so several run at once.
	if err := flag.Set("test.parallel", fmt.Sprint(4*runtime.NumCPU())); err != nil {
		panic(err)
	}
	var err error
	if scratch, err = os.MkdirTemp("", "nsl.texts-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	if err := os.RemoveAll(scratch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// TestCommands executes all console blocks of all texts.
func TestCommands(t *testing.T) {
	nstest.Slow(t)
	repo := repository(t)
	blocks, notRun := 0, 0
	var names []string
	for name, d := range documents(t, repo) {
		names = append(names, name)
		b, n := d.count()
		blocks, notRun = blocks+b, notRun+n
	}
	assert.Positive(t, blocks, "no block in any text")
	assert.LessOrEqual(t, notRun, maxNotRun, "blocks that are not run")
	t.Logf("%d blocks in %d files, %d of them not run", blocks, len(names), notRun)

	template := prepare(t, repo)
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, text := execute(t, template, repo, name, *update)
			if *update {
				write(t, filepath.Join(repo, name), text)
			}
			report(t, problems)
			for _, name := range documents(t, repo)[name].needs() {
				t.Run(name, func(t *testing.T) { needEngine(t, name) })
			}
		})
	}
}

// TestCode compares the code in the texts with its sources.
func TestCode(t *testing.T) {
	repo := repository(t)
	for name, d := range documents(t, repo) {
		text := d.checkCode(repo, *update)
		if *update {
			write(t, filepath.Join(repo, name), text)
		}
		report(t, d.problems)
	}
}

// TestLessonsShowTheirCode checks that a lesson's text shows all of its code, in order:
// each new file, and what main.go adds to the lesson before.
func TestLessonsShowTheirCode(t *testing.T) {
	repo := repository(t)
	mains, err := filepath.Glob(filepath.Join(repo, "0[0-9]-*", "main.go"))
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	all := documents(t, repo)
	for _, main := range mains {
		lesson := filepath.Base(filepath.Dir(main))
		shown := map[string][]string{} // the lines of each file
		for _, b := range all[lesson+"/README.md"].blocks {
			if file, _, _ := strings.Cut(b.text, " "); b.mark == "code" {
				shown[filepath.Base(file)] = append(shown[filepath.Base(file)], b.lines...)
			}
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(main), "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			name := filepath.Base(file)
			if strings.HasSuffix(name, "_test.go") || name == "main_other.go" {
				continue
			}
			lines, err := declaration(file, "all")
			require.NoError(t, err)
			before, err := lessonBefore(repo, lesson+"/"+name)
			if _, none := os.Stat(before); err == nil && none == nil {
				if name != "main.go" {
					continue
				}
				old, err := declaration(before, "all")
				require.NoError(t, err)
				marks := fresh(old, lines)
				lines = slices.DeleteFunc(lines, func(string) bool {
					isOld := !marks[0]
					marks = marks[1:]
					return isOld
				})
			}
			assert.Empty(t, missing(lines, shown[name]), "%s/README.md, of %s", lesson, name)
		}
	}
}

// missing returns the lines that shown does not have in this order, whatever their
// indentation.
func missing(lines, shown []string) []string {
	var left []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		i := slices.IndexFunc(shown, func(s string) bool {
			return strings.TrimSpace(s) == line
		})
		switch {
		case line == "":
		case i < 0:
			left = append(left, line)
		default:
			shown = shown[i+1:]
		}
	}
	return left
}

// TestLinks follows all links within the repository, and looks for images that no text
// shows or links to.
func TestLinks(t *testing.T) {
	repo := repository(t)
	all := documents(t, repo)
	var found []string
	for _, d := range all {
		d.problems = nil
		found = append(found, d.checkLinks(repo, all)...)
		report(t, d.problems)
	}
	left, err := unused(repo, found)
	require.NoError(t, err)
	assert.Empty(t, left, "no text shows these images")
}

// TestSpelling has hunspell read the texts.
func TestSpelling(t *testing.T) {
	repo := repository(t)
	list := nstest.Read(t, "words.txt")
	own := strings.Fields(list)
	if slices.SortFunc(own, foldCase); *update {
		own = slices.Compact(own)
		write(t, "words.txt", strings.Join(own, "\n")+"\n")
	} else {
		assert.Equal(t, strings.Join(own, "\n")+"\n", list, "-update sorts it")
	}
	for _, d := range documents(t, repo) {
		report(t, misspelled(t, d))
	}
}

func foldCase(a, b string) int {
	return cmp.Or(strings.Compare(strings.ToUpper(a), strings.ToUpper(b)),
		strings.Compare(a, b))
}

// misspelled returns a problem for each word that is neither English nor in
// words.txt.
func misspelled(t *testing.T, d *document) []string {
	t.Helper()
	d.problems = nil
	var text strings.Builder
	for _, l := range d.words() {
		text.WriteString(l.text + "\n")
	}
	words, err := filepath.Abs("words.txt")
	require.NoError(t, err)
	cmd := exec.Command("hunspell", "-l", "-i", "utf-8", "-d", "en_US", "-p", words)
	cmd.Stdin = strings.NewReader(text.String())
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n  apt-get install hunspell hunspell-en-us", &stderr)
	found := strings.Fields(string(out))
	for _, l := range d.words() {
		for len(found) > 0 && strings.Contains(l.text, found[0]) {
			d.problem(l.number, "misspelled, or not in words.txt: %s", found[0])
			found = found[1:]
		}
	}
	assert.Empty(t, found, "where are these words in %s?", d.name)
	return d.problems
}

// needs are the engines that blocks need.
func (d *document) needs() []string {
	var all []string
	for _, b := range d.blocks {
		if b.mark == "needs" && !slices.Contains(all, b.text) {
			all = append(all, b.text)
		}
	}
	return all
}

// needEngine is for what only a machine with that engine can do.
func needEngine(t *testing.T, name string) {
	t.Helper()
	if !hasEngine(name) {
		nstest.Skip(t, name+" is not installed")
	}
}

// count returns how many console blocks there are, and how many are not run.
func (d *document) count() (blocks, notRun int) {
	for _, b := range d.blocks {
		if b.kind == "console" {
			blocks++
			if b.mark == "not run" {
				notRun++
			}
		}
	}
	return blocks, notRun
}

// checkCode compares blocks of code with their source, or fills them.
func (d *document) checkCode(repo string, update bool) string {
	filled := map[int][]string{}
	for i, b := range d.blocks {
		if b.mark != "code" {
			continue
		}
		lines, err := code(repo, b.text)
		if err == nil && len(lines) == 0 {
			err = errors.New("no line is added")
		}
		if err != nil {
			d.problem(b.number, "%v", err)
			continue
		}
		if !slices.Equal(lines, b.lines) {
			filled[i] = lines
			if !update {
				d.problem(b.number, "not what %s has:\n%s", b.text,
					strings.Join(lines, "\n"))
			}
		}
	}
	return d.replace(filled)
}

// execute runs the commands of a file on a machine of its own. It returns what differs,
// and the file with the machine's outputs.
func execute(t *testing.T, template order, repo, name string, update bool) (
	[]string, string,
) {
	t.Helper()
	file := nstest.Read(t, repo, name)
	d := read(name, file)
	if blocks, _ := d.count(); blocks == 0 && !d.noCommands() {
		d.problem(1, "no console block in this file")
	}
	o := template
	o.Scratch = t.TempDir()
	o.Needs = slices.DeleteFunc(d.needs(), func(name string) bool { return !hasEngine(name) })
	steps := map[int][]step{}
	for i, b := range d.blocks {
		if b.kind != "console" {
			continue
		}
		all := d.steps(b)
		if b.mark == "needs" && (template.Page != "" || !hasEngine(b.text)) {
			continue
		}
		if b.mark != "not run" && (template.Page == "" || !differs(t, repo, name, all)) {
			steps[i] = all
			o.Steps = append(o.Steps, all...)
		}
	}
	if len(d.problems) > 0 || len(o.Steps) == 0 {
		return d.problems, file
	}
	var err2 error
	if o.Lesson, err2 = followed(repo, name, o.Steps); err2 != nil {
		d.problem(1, "%v", err2)
		return d.problems, file
	}
	start := startMachine
	if template.Page != "" {
		start = startPage
	}
	a, err := start(o)
	require.NoError(t, err)
	if a.Problem != "" {
		d.problem(a.Number, "%s", a.Problem)
	}
	changed := map[int][]string{}
	for i := range d.blocks {
		c := comparison{newPairs()}
		var lines, differences []string
		for _, s := range steps[i] {
			if len(a.Outputs) == 0 {
				break
			}
			got := a.Outputs[0]
			a.Outputs = a.Outputs[1:]
			if !c.output(s.want, got) {
				differences = append(differences, fmt.Sprintf(
					"%s:%d: %s\n--- the text says\n%s\n--- the machine says\n%s",
					name, s.Number, strings.Join(s.Typed, "\n"),
					strings.Join(s.want, "\n"), strings.Join(got, "\n")))
			}
			lines = append(lines, s.show(refresh(s.want, got))...)
		}
		if len(differences) > 0 {
			changed[i] = lines
			if !update || a.Problem != "" {
				d.problems = append(d.problems, differences...)
			}
		}
	}
	if a.Problem != "" {
		return d.problems, file
	}
	return d.problems, d.replace(changed)
}

func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	old := nstest.Read(t, file)
	if old != text {
		t.Logf("writing %s", file)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
}

func repository(t *testing.T) string { return nstest.Repo(t) }

// made are the directories of a checkout that git ignores.
var made = []string{".git", "bin", "rootfs", "work", "public"}

// documents reads all texts of the repository.
func documents(t *testing.T, repo string) map[string]*document {
	t.Helper()
	all := map[string]*document{}
	err := filepath.WalkDir(repo, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(repo, path)
		if entry.IsDir() && (slices.Contains(made, name) || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".md" && err == nil {
			var text []byte
			text, err = os.ReadFile(path)
			all[name] = read(name, string(text))
		}
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, all, "no texts")
	return all
}

// scratch is removed after all tests.
var scratch string

// prepare makes a copy of the repository as readers have it after scripts/tour.sh: with
// built lessons and a root filesystem.
func prepare(t *testing.T, repo string) order {
	t.Helper()
	nstest.NeedRoot(t)
	o := order{Repository: filepath.Join(scratch, filepath.Base(checkout)),
		Go:      filepath.Dir(run(t, repo, "command -v go")),
		Modules: os.Getenv("NSTEST_MODULES"), Builds: os.Getenv("NSTEST_BUILDS")}
	if cache, err := os.UserCacheDir(); err == nil {
		o.Kernels, err = filepath.Glob(filepath.Join(cache, "namespaces-sandbox", "linux-amd64-*"))
		require.NoError(t, err)
	}
	if o.Modules == "" {
		o.Modules = run(t, repo, "go env GOMODCACHE")
		o.Builds = run(t, repo, "go env GOCACHE")
	}
	own := filepath.Join(scratch, "builds")
	building := o
	building.Scratch = filepath.Join(scratch, "building")
	o.Builds = own + ":" + o.Builds
	if err := os.Mkdir(o.Repository, 0o755); errors.Is(err, os.ErrExist) {
		return o
	}
	copying := "tar -c"
	for _, name := range made {
		copying += " --exclude=./" + name
	}
	run(t, repo, copying+" . | tar -x -C "+o.Repository)
	build := building.shell("build", own)
	build.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	require.NoError(t, build.Run())
	run(t, o.Repository, "scripts/rootfs.sh")
	return o
}

func run(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", "umask 022; "+script)
	cmd.Dir = dir
	return strings.TrimSpace(nstest.Printed(t, cmd))
}
