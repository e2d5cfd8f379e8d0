package main

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/pmezard/go-difflib/difflib"
)

// context is how many unchanged lines a difference shows around a change.
const context = 3

// sourceFile is a file of a lesson, compared with that of the lesson before.
type sourceFile struct {
	Name, ID    string
	New         bool
	Plus, Minus int
	Diff, Whole template.HTML
	AddedText   string
	LineCount   int
}

// difference returns the files that a lesson has and the lesson before has
// not, or not so: new ones first, as scripts/diff.sh does.
func (s *site) difference(before, lesson string) ([]sourceFile, error) {
	files, err := filepath.Glob(filepath.Join(s.repo, lesson, "*.go"))
	if err != nil {
		return nil, err
	}
	var fresh, changed []sourceFile
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		new, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var old []byte
		isNew := before == ""
		if !isNew {
			old, err = os.ReadFile(filepath.Join(s.repo, before, name))
			if isNew = os.IsNotExist(err); err != nil && !isNew {
				return nil, err
			}
		}
		if bytes.Equal(old, new) {
			continue
		}
		f := compare(string(old), string(new))
		f.Name, f.New = lesson+"/"+name, isNew
		f.ID = "file-" + strings.TrimSuffix(name, ".go")
		if isNew {
			fresh = append(fresh, f)
		} else {
			changed = append(changed, f)
		}
	}
	// The first lesson is all new: what is for other systems comes last.
	slices.SortStableFunc(fresh, func(a, b sourceFile) int {
		return strings.Count(a.Name, "_other") - strings.Count(b.Name, "_other")
	})
	return append(fresh, changed...), nil
}

// compare shows what is new in a file as a difference, and as the whole file
// in which that is marked.
func compare(old, new string) sourceFile {
	var f sourceFile
	oldLines, newLines := split(old), split(new)
	oldHTML, newHTML := highlight("go", old), highlight("go", new)
	var diff, whole, added strings.Builder
	write := func(to *strings.Builder, class, sign, html string) {
		tag := map[string]string{"add": "ins", "del": "del"}[class]
		if tag == "" {
			tag = "span"
		}
		fmt.Fprintf(to, "<%s class=\"line\">%s%s\n</%s>", tag, sign, html, tag)
	}
	for _, group := range difflib.NewMatcher(oldLines, newLines).GetGroupedOpCodes(context) {
		first, last := group[0], group[len(group)-1]
		fmt.Fprintf(&diff, "<span class=\"line hunk\">@@ -%d,%d +%d,%d @@\n</span>",
			first.I1+1, last.I2-first.I1, first.J1+1, last.J2-first.J1)
		for _, op := range group {
			if op.Tag == 'e' {
				for _, html := range newHTML[op.J1:op.J2] {
					write(&diff, "", " ", html)
				}
				continue
			}
			for _, html := range oldHTML[op.I1:op.I2] {
				write(&diff, "del", "-", html)
				f.Minus++
			}
			for i, html := range newHTML[op.J1:op.J2] {
				write(&diff, "add", "+", html)
				added.WriteString(newLines[op.J1+i] + " ")
				f.Plus++
			}
		}
	}
	// Not the matcher from above: grouping has changed what it returns.
	for _, op := range difflib.NewMatcher(oldLines, newLines).GetOpCodes() {
		for _, html := range newHTML[op.J1:op.J2] {
			if op.Tag == 'e' || old == "" {
				write(&whole, "", "", html)
			} else {
				write(&whole, "add", "", html)
			}
		}
	}
	f.Diff, f.Whole = template.HTML(diff.String()), template.HTML(whole.String())
	f.AddedText, f.LineCount = added.String(), len(newLines)
	return f
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// highlight returns the lines of a text with its words in colours.
func highlight(kind, text string) []string {
	if text == "" {
		return nil
	}
	lexer := lexers.Get(kind)
	if kind == "text" || lexer == nil {
		lexer = lexers.Fallback
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, text)
	if err != nil {
		return split(template.HTMLEscapeString(text))
	}
	var out []string
	for _, line := range chroma.SplitTokensIntoLines(tokens.Tokens()) {
		var b strings.Builder
		for _, token := range line {
			value := template.HTMLEscapeString(strings.TrimSuffix(token.Value, "\n"))
			class := class(token.Type)
			if class == "" || strings.TrimSpace(value) == "" {
				b.WriteString(value)
			} else {
				fmt.Fprintf(&b, `<span class="%s">%s</span>`, class, value)
			}
		}
		out = append(out, b.String())
	}
	for len(out) > len(split(text)) { // the lexer ends with an empty line
		out = out[:len(out)-1]
	}
	return out
}

// class is one of style.css, or none.
func class(t chroma.TokenType) string {
	switch {
	case t.InCategory(chroma.Comment):
		return "comment"
	case t.InCategory(chroma.Keyword):
		return "keyword"
	case t.InSubCategory(chroma.String):
		return "string"
	case t.InSubCategory(chroma.Number):
		return "number"
	case t == chroma.NameFunction || t == chroma.NameBuiltin || t == chroma.NameTag:
		return "name"
	case t == chroma.GenericInserted:
		return "inserted"
	case t == chroma.GenericDeleted:
		return "deleted"
	case t.InCategory(chroma.Generic):
		return "comment"
	}
	return ""
}

// list makes the page of a file that is not a text, or of a directory of them.
func (s *site) list(name string, dir bool) (*page, error) {
	files := []string{filepath.Join(s.repo, name)}
	if dir {
		var err error
		files, err = filepath.Glob(filepath.Join(s.repo, name, "*"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("nothing in %s: %v", name, err)
		}
	}
	p := &page{Source: name, URL: pageName(name), Title: name}
	var b strings.Builder
	fmt.Fprintf(&b, "<h1>%s</h1>\n", name)
	p.Sections = append(p.Sections, section{Title: name, Level: 1})
	for _, file := range files {
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(file)
		kind := strings.TrimPrefix(filepath.Ext(name), ".")
		if kind == "patch" {
			kind = "diff"
		}
		fmt.Fprintf(&b, "<h2 id=%q>%s</h2>\n<figure class=\"code\"><pre><code>%s</code></pre></figure>\n",
			name, name, strings.Join(highlight(kind, string(text)), "\n"))
		p.Sections = append(p.Sections, section{ID: name, Title: name, Level: 2, Text: string(text)})
	}
	p.Body = template.HTML(b.String())
	s.add(p)
	return p, nil
}

func readFile(path ...string) ([]byte, error) { return os.ReadFile(filepath.Join(path...)) }
