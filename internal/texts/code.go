//go:build linux

package texts

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// code returns what a mark asks for: "FILE all" or "FILE NAME"; with added, "FILE added"
// or "FILE NAME added", only what the lesson before does not have.
func code(repo, mark string) ([]string, error) {
	words := strings.Fields(mark)
	news := len(words) > 1 && words[len(words)-1] == "added"
	if news {
		words = words[:len(words)-1]
		words = append(words, "all")[:2]
	}
	if len(words) != 2 {
		return nil, fmt.Errorf("want FILE NAME, or FILE all; then added: %q", mark)
	}
	lines, err := declaration(filepath.Join(repo, words[0]), words[1])
	if err != nil || !news {
		return lines, err
	}
	before, err := lessonBefore(repo, words[0])
	if err != nil {
		return nil, err
	}
	old, err := declaration(before, words[1])
	if err != nil {
		return nil, err
	}
	return excerpt(old, lines), nil
}

// declaration returns a declaration of a file, with its comment. all stands for every
// declaration after the imports, except for the name of the lesson.
func declaration(file, name string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, file, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	lines := func(doc *ast.CommentGroup, from, to token.Pos) []string {
		if doc != nil {
			from = doc.Pos()
		}
		all := strings.Split(string(text), "\n")
		return all[files.Position(from).Line-1 : files.Position(to).Line]
	}
	if name == "all" {
		for _, decl := range tree.Decls {
			if !opens(decl) {
				continue
			}
			from := decl.Pos()
			if doc := docOf(decl); doc != nil {
				from = doc.Pos()
			}
			return lines(nil, from, tree.FileEnd-1), nil
		}
	}
	for _, decl := range tree.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == name {
				return lines(d.Doc, d.Pos(), d.End()), nil
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if slices.Contains(names(spec), name) {
					return lines(d.Doc, d.Pos(), d.End()), nil
				}
			}
		}
	}
	return nil, fmt.Errorf("%s declares no %s", file, name)
}

// opens says whether a text shows this declaration first.
func opens(decl ast.Decl) bool {
	gen, ok := decl.(*ast.GenDecl)
	return !ok || gen.Tok != token.IMPORT &&
		!slices.Contains(names(gen.Specs[0]), "lesson")
}

func docOf(decl ast.Decl) *ast.CommentGroup {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}

func names(spec ast.Spec) []string {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return []string{s.Name.Name}
	case *ast.ValueSpec:
		var all []string
		for _, name := range s.Names {
			all = append(all, name.Name)
		}
		return all
	}
	return nil
}

// lessonBefore returns the same file of the lesson before.
func lessonBefore(repo, file string) (string, error) {
	lessons, err := filepath.Glob(filepath.Join(repo, "0[0-9]-*"))
	if err != nil {
		return "", err
	}
	own := filepath.Join(repo, filepath.Dir(file))
	i := slices.Index(lessons, own)
	if i < 1 {
		return "", fmt.Errorf("no lesson comes before %s", filepath.Dir(file))
	}
	return filepath.Join(lessons[i-1], filepath.Base(file)), nil
}

// fresh marks the lines of a text that an older one does not have, by diff(1).
func fresh(old, lines []string) []bool {
	diff := exec.Command("bash", "-c", `diff --minimal --old-line-format= --unchanged-line-format== --new-line-format=+ \
		<(printf '%s\n' "$0") <(printf '%s\n' "$1")`, strings.Join(old, "\n"), strings.Join(lines, "\n"))
	signs, _ := diff.Output() // status 1: they differ
	marks := make([]bool, len(lines))
	for i := range marks {
		marks[i] = signs[i] == '+'
	}
	return marks
}

// leftOut stands for lines that an excerpt does not show.
const leftOut = "…"

// excerpt returns the lines of a text that an older one does not have, with the lines
// before and after them, and leftOut for what lies between. It removes the indentation
// that all of them share.
func excerpt(old, lines []string) []string {
	marks := fresh(old, lines)
	show := slices.Clone(marks)
	for i, isNew := range marks {
		if !isNew {
			continue
		}
		for _, step := range []int{-1, 1} {
			j := i + step
			for j >= 0 && j < len(lines) && lines[j] == "" {
				show[j] = true // a blank line does not count
				j += step
			}
			if j >= 0 && j < len(lines) {
				show[j] = true
			}
		}
	}
	var out []string
	for i, line := range lines {
		if show[i] {
			out = append(out, line)
		} else if len(out) == 0 || out[len(out)-1] != leftOut {
			out = append(out, leftOut)
		}
	}
	return dedent(out)
}

// dedent removes the tabs with which all lines begin.
func dedent(lines []string) []string {
	least := -1
	for _, line := range lines {
		if n := len(line) - len(strings.TrimLeft(line, "\t")); line != "" &&
			line != leftOut && (least < 0 || n < least) {
			least = n
		}
	}
	var out []string
	for _, line := range lines {
		if line != "" && line != leftOut {
			line = line[least:]
		}
		out = append(out, line)
	}
	return out
}
