//go:build linux

package texts

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/lessons"
	"namespaces/internal/nstest"
)

var (
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	doctorSays = regexp.MustCompile("doctor\\s+(?:says|calls\\s+it)\\s+`([^`]+)`")
	manual     = regexp.MustCompile(`\w\(\d\)|docs\.kernel\.org`)
	verb       = regexp.MustCompile(`%[#+]?[a-z]|\$\{[^}]*\}|\$\w+`)
	hasLetter  = regexp.MustCompile(`\w`)
	remark     = regexp.MustCompile(`(?m)^\s*#.*$`)
	quotes     = regexp.MustCompile(`(?:\w+\+?=)?['"]`)
)

// TestMessages compares each message in a heading of troubleshooting.md with what an
// executed block below it prints, or with the file that a mark names.
func TestMessages(t *testing.T) {
	repo := repository(t)
	d := troubleshooting(t, repo)
	sections := sectionsOf(d)
	require.NotEmpty(t, sections)
	for _, s := range sections {
		sources := s.outputs
		for _, file := range s.files {
			sources = append(sources, sourceLines(t, repo, file)...)
		}
		spans := codeSpan.FindAllStringSubmatch(s.heading, -1)
		for _, span := range spans {
			assert.True(t, said(span[1], sources),
				"%s:%d: nobody says %q", d.name, s.number, span[1])
		}
		assert.True(t, len(spans) > 0 || s.executed,
			"%s:%d: neither a message nor a block", d.name, s.number)
	}
}

// TestDoctorSays checks that the doctor says what the text quotes.
func TestDoctorSays(t *testing.T) {
	repo := repository(t)
	d := troubleshooting(t, repo)
	doctor := append(sourceLines(t, repo, "scripts/doctor.sh"),
		sourceLines(t, repo, "scripts/lib/why.sh")...)
	all := doctorSays.FindAllStringSubmatch(strings.Join(d.lines, "\n"), -1)
	require.NotEmpty(t, all)
	for _, m := range all {
		message := strings.Join(strings.Fields(m[1]), " ")
		assert.True(t, said(message, doctor), "the doctor does not say %q", message)
	}
}

// TestSaid finds what a source says, and not what it does not.
func TestSaid(t *testing.T) {
	for _, c := range []struct {
		message, source string
		want            bool
	}{
		{"no such thing", "sh: no such thing", true},
		{"no such thing", "no other thing", false},
		{"… is too old: go.mod says …", "$have is too old: go.mod says $least", true},
		{"it has … bytes", "it has %d bytes, a hostname has 1 to 64", true},
		{"a key=1: use sudo, or …", "a %s=%s: use sudo, or sudo sysctl %s=%d", true},
		{"a key=1: use su, or …", "a %s=%s: use sudo, or sudo sysctl %s=%d", false},
		{"make it: … permission denied", "make it: %w%s", true},
		{"anything at all", "%s: %s %s", false},
		{"no thing … here", "thing %s is not here", false},
	} {
		assert.Equal(t, c.want, said(c.message, []string{c.source}), c.message)
	}
}

// TestGlossary looks for each word of the glossary in the other texts, and for
// the lessons' words to know in the glossary.
func TestGlossary(t *testing.T) {
	repo := repository(t)
	all := documents(t, repo)
	glossary := all["docs/glossary.md"]
	require.NotNil(t, glossary)
	var others strings.Builder
	for name, d := range all {
		if d != glossary && name != "docs/cheatsheet.md" {
			others.WriteString(strings.ToLower(strings.Join(
				strings.Fields(strings.Join(d.lines, " ")), " ")) + "\n")
		}
	}
	entry := regexp.MustCompile(`(?m)^\*\*(.+?)\*\*(?s:(.*?))\n\n`)
	var terms []string
	for _, m := range entry.FindAllStringSubmatch(strings.Join(glossary.lines, "\n")+"\n", -1) {
		term := strings.ToLower(strings.Trim(m[1], "`"))
		terms = append(terms, term)
		used := regexp.MustCompile(`\b` + regexp.QuoteMeta(term) + `(?:s|es)?\b`)
		assert.True(t, used.MatchString(others.String()), "no text uses %q", term)
		assert.Regexp(t, manual, m[2], "%q has no manual page", term)
	}
	require.NotEmpty(t, terms)
	assert.True(t, slices.IsSorted(terms), "the order of %q", terms)

	toKnow := regexp.MustCompile(`(?s)\*\*\[Words to know]\(\.\./docs/glossary\.md\):\*\*(.*?)\.\n`)
	for name, d := range all {
		if lesson, _ := filepath.Match("0*/README.md", name); !lesson {
			continue
		}
		m := toKnow.FindStringSubmatch(strings.Join(d.lines, "\n"))
		require.NotNil(t, m, name)
		for _, word := range strings.Split(strings.ReplaceAll(m[1], "`", ""), ",") {
			word = strings.Join(strings.Fields(strings.ToLower(word)), " ")
			assert.Contains(t, terms, word, "%s: not in the glossary", name)
		}
	}
}

// TestLessonTables compares the tables of the lessons in the texts with the
// one that scripts read.
func TestLessonTables(t *testing.T) {
	repo := repository(t)
	all := documents(t, repo)
	table, err := lessons.Read(repo)
	require.NoError(t, err)
	for _, l := range table {
		sheet := row(all["docs/cheatsheet.md"], l.Name)
		require.GreaterOrEqual(t, len(sheet), 3, "%s in the cheat sheet", l.Name)
		assert.Equal(t, strings.Join(l.Namespaces, " "), sheet[1])
		assert.Equal(t, l.Twin, sheet[2])
		assert.NotEmpty(t, row(all["docs/docker.md"], l.Name), "%s in docker.md", l.Name)
	}
}

// TestScripts checks that the table of scripts has every script that people type, and
// that each of its scripts exists.
func TestScripts(t *testing.T) {
	repo := repository(t)
	text := nstest.Read(t, repo+"/docs/scripts.md")
	listed := map[string]bool{"dev/test-vm-inside.sh": true} // a script runs it
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\S+\\.sh)").FindAllStringSubmatch(text, -1) {
		listed[m[1]] = true
		assert.FileExists(t, filepath.Join(repo, "scripts", m[1]))
	}
	demonstration := regexp.MustCompile(`^0\d-`)
	for _, pattern := range []string{"scripts/*.sh", "scripts/dev/*.sh"} {
		files, err := filepath.Glob(filepath.Join(repo, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			name, err := filepath.Rel(filepath.Join(repo, "scripts"), file)
			require.NoError(t, err)
			assert.True(t, listed[name] || demonstration.MatchString(name), "%s is not in docs/scripts.md", name)
		}
	}
}

// TestWorkshop checks that each plan ends with lesson 08, and that each lesson has its
// picture, demonstration and question. TestMinutes adds up the plans.
func TestWorkshop(t *testing.T) {
	repo := repository(t)
	text := nstest.Read(t, repo, "docs/workshop.md")
	plans := regexp.MustCompile(`(?m)^### .*: \d+ minutes$(?s:.*?)\n\n\*\*`).FindAllString(text, -1)
	require.Len(t, plans, 3)
	for _, plan := range plans {
		assert.Contains(t, plan, "(../08-cgroups/)")
	}
	lessons, err := filepath.Glob(repo + "/0*")
	require.NoError(t, err)
	require.NotEmpty(t, lessons)
	for _, dir := range lessons {
		name := filepath.Base(dir)
		_, own, found := strings.Cut(text, "\n### "+name+"\n")
		require.True(t, found, name)
		own, _, _ = strings.Cut(own, "\n##")
		for _, part := range []string{"**Say:**", "**Draw:**", "](pictures/",
			"**Show:** `scripts/" + name + ".sh`", "**Ask:**", "| they say | you say |"} {
			assert.Contains(t, own, part, name)
		}
	}
}

// row returns the cells of a row whose first cell names a lesson, without their markup.
func row(d *document, lesson string) []string {
	for _, l := range d.prose {
		cells := strings.Split(mdLink.ReplaceAllString(l.text, "$1"), "|")
		if len(cells) < 3 {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		if cells[1] == lesson {
			return cells[1:]
		}
	}
	return nil
}

func troubleshooting(t *testing.T, repo string) *document {
	t.Helper()
	d := documents(t, repo)["docs/troubleshooting.md"]
	require.NotNil(t, d)
	return d
}

// section is what stands below a heading of the third level.
type section struct {
	number   int // the line of the heading
	heading  string
	files    []string // from marks
	outputs  []string // of executed blocks
	executed bool
}

func sectionsOf(d *document) []section {
	var all []section
	var end []int // line after each section
	for i, text := range d.lines {
		if strings.HasPrefix(text, "##") && len(end) < len(all) {
			end = append(end, i+1)
		}
		if rest, ok := strings.CutPrefix(text, "### "); ok {
			all = append(all, section{number: i + 1, heading: rest})
		}
	}
	end = append(end, len(d.lines)+1)
	for i := range all {
		s := &all[i]
		for _, text := range d.lines[s.number : end[i]-1] {
			if m := comment.FindStringSubmatch(text); m != nil {
				file, ok := strings.CutPrefix(strings.TrimSpace(m[1]), "message: ")
				if ok {
					s.files = append(s.files, file)
				}
			}
		}
		for _, b := range d.blocks {
			if b.kind != "console" || b.mark == "not run" ||
				b.number < s.number || b.number >= end[i] {
				continue
			}
			s.executed = true
			for _, step := range d.steps(b) {
				s.outputs = append(s.outputs, step.want...)
			}
		}
	}
	return all
}

// sourceLines returns the lines of all strings of a Go file, or all lines of a script. A
// computed part of a string becomes %w.
func sourceLines(t *testing.T, repo, name string) []string {
	t.Helper()
	text := nstest.Read(t, repo, name)
	if filepath.Ext(name) != ".go" {
		code := remark.ReplaceAllString(text, "")
		return strings.Split(quotes.ReplaceAllString(code, " "), "\n")
	}
	tree, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
	require.NoError(t, err)
	var lines []string
	ast.Inspect(tree, func(n ast.Node) bool {
		expr, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		all, isString := joined(expr)
		if isString {
			lines = append(lines, strings.Split(all, "\n")...)
		}
		return !isString
	})
	return lines
}

// joined returns a string literal, or a sum with one in it.
func joined(expr ast.Expr) (string, bool) {
	switch e := expr.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text, true
		}
	case *ast.BinaryExpr:
		a, isA := joined(e.X)
		b, isB := joined(e.Y)
		if e.Op == token.ADD && (isA || isB) {
			return a + b, true
		}
	}
	return "%w", false
}

// said says whether a message is a part of a line, word by word. An ellipsis in the
// message stands for anything, and so does a verb in the line.
func said(message string, lines []string) bool {
	words := strings.Fields(message)
	for _, line := range lines {
		source := strings.Fields(line)
		for i := range source {
			if sameWords(words, source[i:], 0) {
				return true
			}
		}
	}
	return false
}

// sameWords compares words, of which the first must be equal. A verb stands for one word,
// and %w for one or more.
func sameWords(message, source []string, same int) bool {
	if len(message) == 0 {
		return same > 0
	}
	if message[0] == ellipsis && (sameWords(message[1:], source, same) ||
		len(source) > 0 && sameWords(message, source[1:], same)) {
		return true
	}
	if len(source) == 0 {
		return false
	}
	if !hasLetter.MatchString(verb.ReplaceAllString(source[0], "")) &&
		verb.MatchString(source[0]) {
		return same > 0 && (sameWords(message[1:], source[1:], same) ||
			strings.Contains(source[0], "%w") && sameWords(message[1:], source, same))
	}
	return sameWord(message[0], source[0]) &&
		sameWords(message[1:], source[1:], same+1)
}

func sameWord(message, source string) bool {
	message, source = strings.TrimRight(message, ".,:"), strings.TrimRight(source, ".,:")
	pattern := func(word string, gap *regexp.Regexp, any string) string {
		var parts []string
		for _, part := range gap.Split(word, -1) {
			parts = append(parts, regexp.QuoteMeta(part))
		}
		return "^" + strings.Join(parts, any) + "$"
	}
	return regexp.MustCompile(pattern(message, regexp.MustCompile(ellipsis), ".*")).
		MatchString(source) ||
		regexp.MustCompile(pattern(source, verb, ".+")).MatchString(message)
}

// TestReplacedWords looks for the words that the glossary has replaced: in texts,
// code and messages.
func TestReplacedWords(t *testing.T) {
	repo := repository(t)
	glossary := nstest.Read(t, repo+"/docs/glossary.md")
	var words []string
	for _, m := range regexp.MustCompile(`(?m)^\| .* \| (\w+) \|$`).FindAllStringSubmatch(glossary, -1) {
		words = append(words, m[1])
	}
	require.NotEmpty(t, words)
	replaced := regexp.MustCompile(`(?i)\b(?:` + strings.Join(words, "|") + `)(?:s|ed|ing)?\b`)
	read := 0
	err := filepath.WalkDir(repo, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if slices.Contains([]string{".git", "bin", "rootfs", "work", "public", "node_modules"}, name) {
				return fs.SkipDir
			}
			return nil
		case name == "glossary.md" || !slices.Contains([]string{".go", ".sh", ".md", ".patch", ".txt", ".svg"}, filepath.Ext(name)):
			return nil
		}
		text, err := os.ReadFile(path)
		read++
		for i, line := range strings.Split(string(text), "\n") {
			line = strings.ReplaceAll(line, "the ends of a cable", "")
			assert.False(t, replaced.MatchString(line), "%s:%d: %s", path, i+1, line)
		}
		return err
	})
	require.NoError(t, err)
	assert.Greater(t, read, 100)
}
