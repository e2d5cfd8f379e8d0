//go:build linux

package texts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// TestRunner checks that the tests of this package find the faults in some texts.
func TestRunner(t *testing.T) {
	nstest.Slow(t)
	template := prepare(t, repository(t))
	for name, want := range map[string]string{
		"session.md":      "",
		"differs.md":      "differs.md:2: echo right",
		"same.md":         "same.md:4: sudo bin/03-uts",
		"host.md":         "host.md:4: sudo bin/03-uts",
		"prompt.md":       `prompt.md:2: terminal 1 has the prompt "$", not "#"`,
		"left-open.md":    "an inner shell or another process is left at the end",
		"no-block.md":     "no-block.md:1: no console block in this file",
		"empty.md":        "empty.md:1: a console block without a command",
		"output-first.md": "output-first.md:2: output before the first command",
		"no-reason.md":    `no-reason.md:1: the mark "not run" has no reason`,
		"unknown-mark.md": `unknown-mark.md:1: unknown mark "no run: it is late"`,
		"unknown-need.md": `unknown-need.md:1: unknown need: dokcer`,
		"not-console.md":  `not-console.md:1: a block of the kind "sh"`,
		"unknown-word.md": `unknown-word.md:1: unknown word "user=root"`,
		"no-end.md":       "no-end.md:1: this block has no end",
		"no-source.md":    "no-source.md:1: no mark says where this code comes",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, _ := execute(t, template, "testdata", name, false)
			if want == "" {
				report(t, problems)
				return
			}
			require.Len(t, problems, 1)
			assert.Contains(t, problems[0], want)
		})
	}
}

// TestUpdate has -update write a text twice.
func TestUpdate(t *testing.T) {
	template := prepare(t, repository(t))
	text := nstest.Read(t, "testdata/update.md")
	want := strings.Replace(text, "wrong", "1", 1)
	want = strings.Replace(want, "echo new\n", "echo new\n   new\n", 1)

	dir := t.TempDir()
	file := filepath.Join(dir, "update.md")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	problems, _ := execute(t, template, dir, "update.md", false)
	assert.Len(t, problems, 2)
	for range 2 {
		problems, updated := execute(t, template, dir, "update.md", true)
		report(t, problems)
		require.Equal(t, want, updated)
		require.NoError(t, os.WriteFile(file, []byte(updated), 0o644))
	}
}

// TestNeutral compares lines of a text with lines of a machine.
func TestNeutral(t *testing.T) {
	for _, c := range []struct {
		text, machine string
		equal         bool
	}{
		{"a  b", "a b", true}, // as wide as the numbers in it
		{"a b", "a c", false},
		{"process 24711", "process 20008", true},
		{"process 24711", "process 7", false}, // on the host, or inside
		{"process 1", "process 7", false},
		{"process 8", "process 7", true},
		{"PID 0", "PID 2", false},
		{"process 8; the kernel says 8", "process 7; the kernel says 7", true},
		{"20100 20100", "20008 20008", true},
		{"20100 20100", "20008 20009", false},
		{"20100 20101", "20008 20008", false},
		{"uts:[4026532711]", "uts:[4026532500]", true},
		{"uts:[4026532711]", "uts:[4026531838]", false}, // the host's
		{"uts:[4026531838]", "uts:[4026532500]", false},
		{"uts:[4026532711]", "pid:[4026532711]", false},
		{"NSpid: 24711 8 1", "NSpid: 20008 6 1", true},
		{"NSpid: 24711 8 1", "NSpid: 20008 1 1", false},
		{"NSpid: 24711 8 1", "NSpid: 20008 8", false},
		{"0x12345678 0", "0x87654321 0", true},
		{"0x12345678 0", "0x87654321 1", false},
		{"inet 10.200.1.2/30", "inet 10.200.9.8/30", true},
		{"inet 10.200.1.2/30", "inet 10.201.9.8/30", false},
		{"nsl12 10:00", "nsl13 9:59", true},
		{"64 processes", "20 processes", false},
		{"…", "", true},
		{"a\n…\nz", "a\nb\nc\nz", true},
		{"a\n…\nz", "a\nb\nc", false},
		{"a\n…\nz", "b\nz", false},
		{"PID PPID CMD\n1 0 sh\n8 1 ps", "PID PPID CMD\n1 0 sh\n7 1 ps", true},
		{"PID PPID CMD\n1 0 sh\n8 1 ps", "PID PPID CMD\n1 0 sh\n7 0 ps", false},
		{"PID PPID CMD\n1 0 sh", "PID PPID CMD\n1 0 sh\n7 1 ps", false},
		{"PID PPID CMD\n1 0 sh", "", false},
	} {
		got := comparison{newPairs()}
		equal := got.output(split(c.text), split(c.machine))
		assert.Equal(t, c.equal, equal, "%q and %q", c.text, c.machine)
	}
}

// TestRefresh checks that an ellipsis stays where its place is clear.
func TestRefresh(t *testing.T) {
	for _, c := range []struct{ text, machine, want string }{
		{"x", "a b c", "a b c"},
		{"x …", "a b c", "a …"},
		{"… x", "a b c", "… c"},
		{"x … x", "a b c", "a … c"},
		{"x x x …", "a b c", "a b c"},
		{"x … x … x", "a b c", "a b c"},
	} {
		assert.Equal(t, strings.Fields(c.want), refresh(strings.Fields(c.text),
			strings.Fields(c.machine)), "%s", c.text)
	}
}

// TestLinkRules checks the rules for links with a few files.
func TestLinkRules(t *testing.T) {
	dir := t.TempDir()
	all := map[string]*document{}
	for name, text := range map[string]string{
		"a.md": "# A `code` & more: café_1\n## Twice\n## Twice\n" +
			"[ok](b/c.md) [ok](b/) [ok](#twice-1) [ok](#a-code--more-café_1)\n" +
			"[ok](https://example.org/x#y) `[code](no.md)`\n" +
			"[bad](no.md) [bad](#thrice) [bad](../a.md) [bad](b/c.md#no)\n" +
			"<img src=\"no.svg\" alt=\"bad\">\n\n[bad]: no.md\n",
		"b/c.md": "[ok](../a.md#twice) [ok](c.md)\n",
		"d.md": "![ok](docs/used.svg) ![ ](docs/used.svg)\n" +
			"[![](docs/used.svg)](docs/film.svg) <img src=\"docs/used.svg\" alt=\"\">\n" +
			"<img alt=\"ok\" src=\"docs/used.svg\">\n",
		"docs/used.svg":   "",
		"docs/film.svg":   "",
		"docs/unused.svg": "",
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		all[name] = read(name, text)
	}
	var found []string
	for _, d := range all {
		found = append(found, d.checkLinks(dir, all)...)
	}
	assert.Empty(t, all["b/c.md"].problems)
	assert.Equal(t, []string{
		"d.md:1: this image has no text: ![ ](docs/used.svg",
		"d.md:2: this image has no text: ![](docs/used.svg",
		"d.md:2: this image has no text: <img src=\"docs/used.svg\" alt=\"\">",
	}, all["d.md"].problems)
	left, err := unused(dir, found)
	require.NoError(t, err)
	assert.Equal(t, []string{"docs/unused.svg"}, left)
	assert.Equal(t, []string{
		"a.md:6: link to no.md: there is no no.md",
		"a.md:6: link to #thrice: a.md has no such heading",
		"a.md:6: link to ../a.md: leads out of the repository",
		"a.md:6: link to b/c.md#no: b/c.md has no such heading",
		"a.md:7: link to no.svg: there is no no.svg",
		"a.md:9: link to no.md: there is no no.md",
	}, all["a.md"].problems)
}

// TestCodeRules compares code that is right, old, and not there.
func TestCodeRules(t *testing.T) {
	const text = "<!-- code: 02-mount/mount.go makePrivate -->\n```go\nold\n```\n" +
		"<!-- code: 03-uts/main.go child added -->\n```go\n" +
		"…\nmust(mountProc())\nmust(setHostname(opt.hostname))\n" +
		"execute(opt.command)\n…\n```\n" +
		"<!-- code: 02-mount/mount.go noSuch -->\n```go\n```\n" +
		"<!-- code: 03-uts/main.go wait added -->\n```go\n```\n"
	repo := repository(t)
	d := read("x.md", text)
	d.checkCode(repo, false)
	require.Len(t, d.problems, 3)
	assert.Contains(t, d.problems[0], "x.md:2: not what 02-mount/mount.go makePrivate has")
	assert.Contains(t, d.problems[1], "x.md:14: ")
	assert.Contains(t, d.problems[1], "mount.go declares no noSuch")
	assert.Contains(t, d.problems[2], "main.go declares no wait")

	updated := read("x.md", read("x.md", text).checkCode(repo, true))
	code := updated.blocks[0].lines
	assert.Equal(t, "// makePrivate takes all mounts out of their peer groups. "+
		"systemd makes /", code[0])
	assert.Equal(t, "}", code[len(code)-1])
	assert.Equal(t, d.blocks[1].lines, updated.blocks[1].lines)
}

// TestExcerptRules checks that what is left out is marked, with a line before and after.
func TestExcerptRules(t *testing.T) {
	old := strings.Fields("a b c d e f g h")
	assert.Equal(t, strings.Fields("… b new c … g new h"),
		excerpt(old, strings.Fields("a b new c d e f g new h")))
	assert.Equal(t, strings.Fields("new a … b new c new d …"),
		excerpt(strings.Fields("a x b c d e"), strings.Fields("new a x b new c new d e")))
	assert.Equal(t, []string{"…", "if", "\tnew", "", "end"},
		excerpt([]string{"", "\tif", "", "\tend"}, []string{"", "\tif", "\t\tnew", "", "\tend"}))
	assert.Equal(t, []string{"b"}, missing([]string{"a", "", "b"}, []string{"b", "\ta"}))
}

// TestSpellingRules finds the words that are wrong, and no others.
func TestSpellingRules(t *testing.T) {
	d := read("x.md", "Plain words, `mistaek` in code, clone(2), 03-uts,\n"+
		"[a link](mistaek.md), and a mistaek.\n")
	assert.Equal(t, []string{"x.md:2: misspelled, or not in words.txt: mistaek"},
		misspelled(t, d))
}
