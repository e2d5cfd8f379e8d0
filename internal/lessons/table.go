// Package lessons reads the table of lessons, scripts/lessons.tsv, for all Go code. Its
// tests are about what makes the programs a course: the step from each to the next.
package lessons

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Lesson is a row of the table.
type Lesson struct {
	Name       string
	Namespaces []string // its own ones
	Twin       string   // the command of unshare(1) that makes the same
}

// row is a line of the table. Scripts use grep and read, which misread empty fields and
// binary data.
var row = regexp.MustCompile(`^([!-~]+)\t([a-z]+(?:,[a-z]+)*)\t([!-~][ -~]*)\t([!-~]+)$`)

// Read reads the table of a repository.
func Read(repo string) ([]Lesson, error) {
	file := filepath.Join(repo, "scripts", "lessons.tsv")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

func parse(text string) ([]Lesson, error) {
	var all []Lesson
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "#") && !strings.Contains(line, "\x00") {
			continue
		}
		f := row.FindStringSubmatch(line)
		if f == nil {
			return nil, fmt.Errorf("want 4 fields: %q", line)
		}
		all = append(all, Lesson{f[1], strings.Split(f[2], ","), f[3]})
	}
	if len(all) == 0 {
		return nil, errors.New("no lessons in it")
	}
	return all, nil
}

// Sources returns the files of a lesson's program, without its tests.
func Sources(repo, lesson string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(repo, lesson, "*.go"))
	found := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found[filepath.Base(file)] = string(text)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no program in %s: %v", lesson, err)
	}
	return found, nil
}

// Has says whether the lesson has a namespace of a type.
func (l Lesson) Has(kind string) bool { return slices.Contains(l.Namespaces, kind) }

// HasRootfs says whether the lesson has a root filesystem of its own.
func (l Lesson) HasRootfs() bool { return strings.Contains(l.Twin, " --root ") }

// NeedsRoot says whether the lesson needs privilege.
func (l Lesson) NeedsRoot() bool { return !l.Has("user") }
