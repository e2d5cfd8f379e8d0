//go:build linux

package texts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	inlineCode = regexp.MustCompile("(`+).+?`+")
	// [text](target), ![text](target), [text]: target, and HTML's.
	link    = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)|^ *\[[^\]]+\]: +(\S+)|(?:href|src)="([^"]*)"`)
	heading = regexp.MustCompile(`^ {0,3}#{1,6} +(.*?)(?: +#+)? *$`)
	anchor  = regexp.MustCompile(`<a (?:name|id)="([^"]*)"`)
	mdLink  = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	// The text for whoever does not see an image, and an image without one.
	image = regexp.MustCompile(`!\[([^\]]*)\]\(([^)\s]+)|<img\b[^>]*>`)
	alt   = regexp.MustCompile(`\balt="\s*[^"\s]`)
)

// checkLinks finds links that lead nowhere in the repository, and images without a text
// for whoever cannot see them. It returns the files to which the links lead.
func (d *document) checkLinks(repo string, all map[string]*document) []string {
	var found []string
	for _, l := range d.prose {
		text := inlineCode.ReplaceAllString(l.text, "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			name, err := d.follow(repo, m[1]+m[2]+m[3], all)
			if err != nil {
				d.problem(l.number, "%v", err)
			}
			found = append(found, name)
		}
		for _, m := range image.FindAllStringSubmatch(text, -1) {
			if strings.TrimSpace(m[1]) == "" && !alt.MatchString(m[0]) {
				d.problem(l.number, "this image has no text: %s", m[0])
			}
		}
	}
	return found
}

// unused returns the images below docs/ that no text shows or links to. found are the
// files to which the texts lead.
func unused(repo string, found []string) ([]string, error) {
	var left []string
	err := filepath.WalkDir(filepath.Join(repo, "docs"), func(
		path string, _ os.DirEntry, err error,
	) error {
		name, _ := filepath.Rel(repo, path)
		if filepath.Ext(path) == ".svg" && !slices.Contains(found, name) {
			left = append(left, name)
		}
		return err
	})
	return left, err
}

// follow returns the file to which a link leads.
func (d *document) follow(repo, target string, all map[string]*document) (string, error) {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return "", nil
	}
	path, fragment, hasFragment := strings.Cut(target, "#")
	name := d.name
	if path != "" {
		name = filepath.Join(filepath.Dir(d.name), path)
	}
	if strings.HasPrefix(name, "..") || strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("link to %s: leads out of the repository", target)
	}
	info, err := os.Stat(filepath.Join(repo, name))
	if err != nil {
		return "", fmt.Errorf("link to %s: there is no %s", target, name)
	}
	if !hasFragment {
		return name, nil
	}
	if info.IsDir() {
		name = filepath.Join(name, "README.md")
	}
	if all[name] == nil {
		return "", fmt.Errorf("link to %s: %s has no headings", target, name)
	}
	if !all[name].anchors()[fragment] {
		return "", fmt.Errorf("link to %s: %s has no such heading", target, name)
	}
	return name, nil
}

// anchors returns those that code hosts give to the headings of a file.
func (d *document) anchors() map[string]bool {
	found := map[string]bool{}
	for _, l := range d.prose {
		for _, m := range anchor.FindAllStringSubmatch(l.text, -1) {
			found[m[1]] = true
		}
		m := heading.FindStringSubmatch(l.text)
		if m == nil {
			continue
		}
		name := slug(m[1])
		for n := 0; found[name]; {
			n++
			if next := fmt.Sprintf("%s-%d", slug(m[1]), n); !found[next] {
				name = next
			}
		}
		found[name] = true
	}
	return found
}

// slug turns a heading into an anchor: lower case, without punctuation, and with a
// hyphen for each space.
func slug(text string) string {
	text = mdLink.ReplaceAllString(text, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

var (
	htmlTag = regexp.MustCompile(`<code>[^<]*</code>|<[^>]*>`)
	manPage = regexp.MustCompile(`\b[\w.-]+\(\d\w*\)`)
	target  = regexp.MustCompile(`\]\([^)]*\)|\[[^\]]*\]\[[^\]]*\]|^ *\[[^\]]+\]: +\S+|https?://\S+`)
	lesson  = regexp.MustCompile(`\b\d\d-[\w-]+|\b[\w.]*[\d_][\w.]*\b`)
)

// words returns the prose of a document for a spelling checker, line by line: without
// code, links and names.
func (d *document) words() []line {
	var all []line
	for _, l := range d.prose {
		text := l.text
		for _, re := range []*regexp.Regexp{inlineCode, target, htmlTag, manPage, lesson} {
			text = re.ReplaceAllString(text, " ")
		}
		all = append(all, line{l.number, strings.ReplaceAll(text, "'s ", " ")})
	}
	return all
}
