//go:build linux

package texts

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// code returns what a mark asks for: "FILE NAME [added]". With added, it is
// what the lesson before has not, in the same declaration of the same file.
func code(repo, mark string) ([]string, error) {
	words := strings.Fields(mark)
	if len(words) != 2 && (len(words) != 3 || words[2] != "added") {
		return nil, fmt.Errorf("want FILE NAME, or FILE NAME added: %q", mark)
	}
	lines, err := declaration(filepath.Join(repo, words[0]), words[1])
	if err != nil || len(words) == 2 {
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
	return added(old, lines), nil
}

// declaration returns one of a file, with its comment.
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

// added returns the lines of a text that an older one has not, without what
// they are indented by. An empty line stands for those between them. It goes
// by the longest common subsequence, as diff(1) does.
func added(old, lines []string) []string {
	length := make([][]int, len(old)+1)
	for i := range length {
		length[i] = make([]int, len(lines)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(lines) - 1; j >= 0; j-- {
			if old[i] == lines[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var out []string
	gap := false
	for i, j := 0, 0; j < len(lines); {
		switch {
		case i < len(old) && old[i] == lines[j]:
			i, j, gap = i+1, j+1, len(out) > 0
		case i < len(old) && length[i+1][j] > length[i][j+1]:
			i++
		default:
			if gap {
				out = append(out, "")
			}
			out, gap = append(out, strings.TrimPrefix(lines[j], "\t")), false
			j++
		}
	}
	return slices.Compact(out)
}
