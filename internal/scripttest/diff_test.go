//go:build linux

package scripttest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// diffHunk is a part of the script's output: lines under one heading.
type diffHunk struct {
	file, part string // as in "main.go, func parent"
	added      []string
	removed    []string
}

// diffRead reads what the script printed, without the first line.
func diffRead(t *testing.T, text string) (hunks []diffHunk) {
	t.Helper()
	heading := regexp.MustCompile(`^(\w+\.go)(?:, (.*))?$`)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for _, line := range lines[1:] {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), 100, "columns of %q", line)
		assert.NotContains(t, line, "\x1b", "colour, and this is no terminal")
		match := heading.FindStringSubmatch(line)
		switch {
		case match != nil:
			hunks = append(hunks, diffHunk{file: match[1], part: match[2]})
			continue
		case line == "":
			continue
		}
		require.NotEmpty(t, hunks, "no heading before %q", line)
		hunk, text := &hunks[len(hunks)-1], strings.TrimPrefix(line[1:], " ")
		switch line[0] {
		case '+':
			hunk.added = append(hunk.added, text)
		case '-':
			hunk.removed = append(hunk.removed, text)
		default:
			assert.Equal(t, " ", line[:1], "the sign of %q", line)
		}
	}
	return hunks
}

// diffSource returns a file as the script compares it: without what differs in every
// lesson, and with four spaces for a tab.
func diffSource(t *testing.T, path string) []string {
	t.Helper()
	text := nstest.Read(t, path)
	text = regexp.MustCompile(`(?s)\n/\*\n.*?\n\*/\n`).ReplaceAllString(text, "\n")
	text = regexp.MustCompile(`(?m)^const lesson = .*\n`).ReplaceAllString(text, "")
	return strings.Split(diffExpand(strings.TrimSuffix(text, "\n")), "\n")
}

// diffExpand replaces tabs, which are at the beginning of lines, as expand(1) does.
func diffExpand(text string) string { return strings.ReplaceAll(text, "\t", "    ") }

// diffAdded returns the lines of a file that its predecessor does not have, or not as
// often. That is exact if no line was removed, which it checks.
func diffAdded(t *testing.T, old, new []string) (added []string) {
	t.Helper()
	count := map[string]int{}
	for _, line := range old {
		count[line]++
	}
	for _, line := range new {
		if count[line] > 0 {
			count[line]--
			continue
		}
		added = append(added, line)
	}
	for line, n := range count {
		assert.Zero(t, n, "%q has been removed", line)
	}
	return added
}

// Nothing that a lesson adds is missing, and nothing else is shown as new.
func TestDiffShowsWhatALessonAdds(t *testing.T) {
	t.Parallel()
	repo, names := nstest.Repo(t), checkLessons
	for i := 1; i < len(names); i++ {
		t.Run(names[i], func(t *testing.T) {
			text := compareOutput(t, script(nstest.Repo(t), "diff.sh", names[i][:2]))
			assert.Contains(t, text, "what "+names[i]+" adds to "+names[i-1]+"\n")
			shown, isNew := map[string][]string{}, map[string]bool{}
			for _, hunk := range diffRead(t, text) {
				shown[hunk.file] = append(shown[hunk.file], hunk.added...)
				isNew[hunk.file] = hunk.part == "new"
				// What a lesson takes away is in the list of internal/lessons.
				if names[i]+"/"+hunk.file == "06-user/process.go" {
					assert.Contains(t, hunk.removed, `        advice = "try again with sudo"`)
					continue
				}
				assert.Empty(t, hunk.removed, "%s, %s", hunk.file, hunk.part)
				assert.NotEmpty(t, hunk.added, "%s, %s", hunk.file, hunk.part)
			}
			for name := range workSources(t, names[i]) {
				added := diffSource(t, filepath.Join(repo, names[i], name))
				old := filepath.Join(repo, names[i-1], name)
				_, err := os.Stat(old)
				assert.Equal(t, err != nil, isNew[name], "%s is new", name)
				if names[i]+"/"+name == "06-user/process.go" {
					assert.Empty(t, shown[name])
				} else if err == nil {
					added = diffAdded(t, diffSource(t, old), added)
					assert.ElementsMatch(t, added, shown[name], "%s", name)
				} else {
					assert.Equal(t, added, shown[name], "%s", name)
				}
				delete(shown, name)
			}
			assert.Empty(t, shown, "files that the lesson has not")
		})
	}
}

// The name over some lines is that of the function or type around them.
func TestDiffNamesTheFunction(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, lesson := range checkLessons[1:] {
		text := compareOutput(t, script(nstest.Repo(t), "diff.sh", lesson))
		for _, hunk := range diffRead(t, text) {
			if hunk.part == "new" {
				continue
			}
			parts := diffParts(t, filepath.Join(nstest.Repo(t), lesson, hunk.file))
			body, ok := parts[hunk.part]
			if assert.True(t, ok, "%s: %s has no %q", lesson, hunk.file, hunk.part) {
				assert.Subset(t, strings.Split(body, "\n"), hunk.added,
					"%s: %s, %s", lesson, hunk.file, hunk.part)
				checked++
			}
		}
	}
	assert.Greater(t, checked, 10)
}

// diffParts returns the text of each function and type in a file.
func diffParts(t *testing.T, path string) map[string]string {
	t.Helper()
	text := nstest.Read(t, path)
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, 0)
	require.NoError(t, err)
	parts := map[string]string{}
	for _, decl := range file.Decls {
		var name string
		switch d := decl.(type) {
		case *ast.FuncDecl:
			name = "func " + d.Name.Name
		case *ast.GenDecl:
			if spec, ok := d.Specs[0].(*ast.TypeSpec); ok {
				name = "type " + spec.Name.Name
			} else if d.Tok == token.IMPORT {
				name = "import"
			}
		}
		parts[name] = diffExpand(text[set.Position(decl.Pos()).Offset:set.Position(decl.End()).Offset])
	}
	return parts
}

func TestDiffShowsTheFirstLesson(t *testing.T) {
	t.Parallel()
	hunks := diffRead(t, compareOutput(t, script(nstest.Repo(t), "diff.sh", "01")))
	require.Len(t, hunks, 1)
	assert.Equal(t, "main.go", hunks[0].file)
	assert.Equal(t, diffSource(t, filepath.Join(nstest.Repo(t), "01-pid/main.go")), hunks[0].added)
}

// diffCopy is a copy of the scripts and of two lessons to change.
func diffCopy(t *testing.T) string {
	t.Helper()
	return newPlace(t, "diff", `cp -r scripts 02-mount 03-uts "$place"`)
}

// diffReplace changes one place in a file.
func diffReplace(t *testing.T, path, old, new string) {
	t.Helper()
	text := nstest.Read(t, path)
	require.Equal(t, 1, strings.Count(text, old), "%q in %s", old, path)
	writeFile(t, strings.Replace(text, old, new, 1), path)
}

// What a lesson takes away or changes must be seen too.
func TestDiffShowsRemovedLines(t *testing.T) {
	t.Parallel()
	dir := diffCopy(t)
	long := "\t// " + strings.Repeat("long ", 40) + "end"
	diffReplace(t, filepath.Join(dir, "03-uts/main.go"), "\tmust(mountProc())\n", long+"\n")
	diffReplace(t, filepath.Join(dir, "03-uts/main.go"), `"/proc/self/exe"`, `"/proc/1/exe"`)
	require.NoError(t, os.Remove(filepath.Join(dir, "03-uts/mount.go")))
	diffReplace(t, filepath.Join(dir, "03-uts/process.go"), "\n// must ends",
		"\nfunc extra(\n\ta int,\n) error {\n\treturn nil\n}\n\n// must ends")
	text, stderr, status := compareRun(t, script(dir, "diff.sh", "03"))
	require.Zero(t, status, stderr)
	assert.Contains(t, text, `
main.go, func parent
  func parent(opt options) error {
-     cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
+     cmd := exec.Command("/proc/1/exe", os.Args[1:]...)
      cmd.Args[0] = "child of " + lesson
`)
	var child, extra, gone diffHunk
	for _, hunk := range diffRead(t, text) {
		switch hunk.file + ", " + hunk.part {
		case "main.go, func child":
			child = hunk
		case "process.go, func extra":
			extra = hunk
		case "mount.go, only in 02-mount":
			gone = hunk
		}
	}
	assert.Equal(t, []string{"    must(mountProc())"}, child.removed, text)
	assert.Contains(t, child.added, "    must(setHostname(opt.hostname))", text)
	want := diffExpand(long)
	assert.Equal(t, []string{want[:98], want[98:196], want[196:]}, child.added[:3], text)
	assert.Equal(t, []string{"func extra(", "    a int,", ") error {", "    return nil", "}", ""},
		extra.added, text)
	assert.Equal(t, diffSource(t, filepath.Join(dir, "02-mount/mount.go")), gone.removed)
}

func TestDiffMine(t *testing.T) {
	t.Parallel()
	dir := diffCopy(t)
	_, stderr, status := compareRun(t, script(dir, "diff.sh", "--mine", "03"))
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "\n  scripts/start.sh 03\n")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "work"), 0o755))
	require.NoError(t, exec.Command("cp", "-r", dir+"/03-uts", dir+"/work").Run())
	text, stderr, status := compareRun(t, script(dir, "diff.sh", "03", "--mine"))
	assert.Zero(t, status, stderr)
	assert.Equal(t, "work/03-uts against 03-uts\nno difference\n", text)

	diffReplace(t, filepath.Join(dir, "work/03-uts/uts.go"), "Sethostname([]byte(name))", `Sethostname(nil)`)
	text, stderr, status = compareRun(t, script(dir, "diff.sh", "03", "--mine"))
	assert.Zero(t, status, stderr)
	hunks := diffRead(t, text)
	require.Len(t, hunks, 1, text)
	assert.Equal(t, "uts.go, func setHostname", hunks[0].file+", "+hunks[0].part)
	assert.Equal(t, []string{"    if err := unix.Sethostname([]byte(name)); err != nil {"}, hunks[0].removed)
	assert.Equal(t, []string{"    if err := unix.Sethostname(nil); err != nil {"}, hunks[0].added)
}

// An empty answer is a failure.
func TestDiffFails(t *testing.T) {
	t.Parallel()
	dir := diffCopy(t)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "03-uts")))
	require.NoError(t, exec.Command("cp", "-r", dir+"/02-mount", dir+"/03-uts").Run())
	text, stderr, status := compareRun(t, script(dir, "diff.sh", "03"))
	assert.Equal(t, 1, status, text)
	assert.Contains(t, stderr, "03-uts adds nothing to 02-mount")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "03-uts")))
	_, stderr, status = compareRun(t, script(dir, "diff.sh", "03"))
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "there is no directory 03-uts")
}
