//go:build linux

package texts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
)

// checkLinks finds those that lead nowhere in the repository.
func (d *document) checkLinks(repo string, all map[string]*document) {
	for _, l := range d.prose {
		text := inlineCode.ReplaceAllString(l.text, "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if err := d.follow(repo, m[1]+m[2]+m[3], all); err != nil {
				d.problem(l.number, "%v", err)
			}
		}
	}
}

func (d *document) follow(repo, target string, all map[string]*document) error {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return nil
	}
	path, fragment, hasFragment := strings.Cut(target, "#")
	name := d.name
	if path != "" {
		name = filepath.Join(filepath.Dir(d.name), path)
	}
	if strings.HasPrefix(name, "..") || strings.HasPrefix(path, "/") {
		return fmt.Errorf("link to %s: leads out of the repository", target)
	}
	info, err := os.Stat(filepath.Join(repo, name))
	if err != nil {
		return fmt.Errorf("link to %s: there is no %s", target, name)
	}
	if !hasFragment {
		return nil
	}
	if info.IsDir() {
		name = filepath.Join(name, "README.md")
	}
	if all[name] == nil {
		return fmt.Errorf("link to %s: %s has no headings", target, name)
	}
	if !all[name].anchors()[fragment] {
		return fmt.Errorf("link to %s: %s has no such heading", target, name)
	}
	return nil
}

// anchors are those that code hosts give to the headings of a file.
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

// slug turns a heading into an anchor: small letters, no punctuation, and a
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

// words is the prose of a document without code, links and names, line for
// line: what a spelling checker has to know.
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
