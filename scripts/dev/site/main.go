/*
Site makes the handout of this course: a page for each text of the repository,
which opens from the disk, and asks for nothing in the network.

	site -repo DIR -out DIR
	site -slides TITLE DECK.md ... >ONE.md
	site -slides TITLE -plan MINUTES >ONE.md

The texts are README.md, the lessons' README.md, and docs/*.md. A lesson's page
also has its quiz.md, and shows what the lesson adds to the one before: the
difference, and each whole file. With -slides it puts decks together, for Marp,
with their pictures in them: whole ones, or what a plan of docs/workshop.md asks
for. scripts/dev/site.sh and slides.sh call this program.
*/
package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed page.html style.css script.js
var assets embed.FS

var pageTemplate = template.Must(template.ParseFS(assets, "page.html"))

func main() {
	repo := flag.String("repo", ".", "`directory` of the repository")
	out := flag.String("out", "public", "`directory` that gets the pages")
	machine := flag.Int("machine", 0, "the pages have a machine, of so many `megabytes`")
	slides := flag.String("slides", "", "print decks as one, with this `title`")
	plan := flag.String("plan", "", "the slides of the plan with so many `minutes`")
	flag.Parse()
	if *slides != "" {
		pieces, err := decks(flag.Args())
		if *plan != "" {
			os.Chdir(*repo)
			pieces, err = planned(*plan, "docs/workshop.md", "scripts/dev/slides/frame.txt")
		}
		text := ""
		if err == nil {
			text, err = deck(*slides, pieces)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "site:", err)
			os.Exit(1)
		}
		fmt.Print(text)
		return
	}
	if err := build(*repo, *out, *machine); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

// page is one page of the site.
type page struct {
	Source string // its path in the repository
	URL    string // its path in the site
	Title  string
	Lesson string // 03-uts, on the page of a lesson
	From   *page  // of what is no text: the first that links to it

	Body      template.HTML
	Typed     bool // it has something to type
	Sections  []section
	Added     []sourceFile // what the lesson adds
	Before    string       // the lesson before
	Recording string       // picture that moves, or ""
}

// section is a heading, and what stands below it: what the search finds.
type section struct {
	ID, Title string
	Level     int
	Text      string
}

// view is what the template gets.
type view struct {
	*page
	Pages          []*page
	Previous, Next *page
	Root           string // from the page to the root of the site
	Machine        int    // megabytes of the machine in it, or 0
	First          string // on the first page: the first lesson
}

// order is that of the texts in docs/: what is not here comes after them.
var order = []string{"scripts", "diagnosis", "exercises", "troubleshooting", "cheatsheet",
	"glossary", "docker", "performance", "workshop"}

// site is all pages, and what they need.
type site struct {
	repo, out string
	pages     []*page
	byName    map[string]*page // by the path of its source, and its directory
	copies    map[string]bool  // pictures
}

func build(repo, out string, machine int) error {
	s := &site{repo: repo, out: out, byName: map[string]*page{}, copies: map[string]bool{}}
	if err := s.find(); err != nil {
		return err
	}
	md := newMarkdown(s)
	for i := 0; i < len(s.pages); i++ { // a page may add others: lists of files
		p := s.pages[i]
		var err error
		if p.Body == "" {
			err = md.render(p)
		}
		if err == nil && p.Lesson != "" {
			err = s.addLesson(p)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.Source, err)
		}
	}
	contents := slices.DeleteFunc(slices.Clone(s.pages), func(p *page) bool { return !p.isText() })
	for _, p := range s.pages {
		v := view{page: p, Pages: contents, Root: root(p.URL)}
		if p.Source == "README.md" || p.Typed {
			v.Machine = machine
		}
		if p.Source == "README.md" {
			v.First = s.pages[1].Lesson
		}
		at := slices.Index(contents, p)
		if v.Previous = p.From; at > 0 {
			v.Previous = contents[at-1]
		}
		if at >= 0 && at+1 < len(contents) {
			v.Next = contents[at+1]
		}
		var text bytes.Buffer
		if err := pageTemplate.Execute(&text, v); err != nil {
			return fmt.Errorf("%s: %w", p.Source, err)
		}
		if err := s.write(p.URL, text.Bytes()); err != nil {
			return err
		}
	}
	for name := range s.copies {
		text, err := os.ReadFile(filepath.Join(repo, name))
		if err != nil {
			return err
		}
		if err := s.write(name, text); err != nil {
			return err
		}
	}
	return s.writeAssets()
}

// find looks for the texts.
func (s *site) find() error {
	lessons, err := filepath.Glob(filepath.Join(s.repo, "0[0-9]-*", "README.md"))
	if err != nil || len(lessons) == 0 {
		return fmt.Errorf("no lesson in %s: %v", s.repo, err)
	}
	docs, err := filepath.Glob(filepath.Join(s.repo, "docs", "*.md"))
	if err != nil || len(docs) == 0 {
		return fmt.Errorf("no text in %s/docs: %v", s.repo, err)
	}
	place := func(file string) int {
		i := slices.Index(order, strings.TrimSuffix(filepath.Base(file), ".md"))
		if i < 0 {
			return len(order)
		}
		return i
	}
	slices.SortStableFunc(docs, func(a, b string) int { return place(a) - place(b) })

	s.add(&page{Source: "README.md", URL: "index.html"})
	before := ""
	for _, file := range lessons {
		name := filepath.Base(filepath.Dir(file))
		p := &page{Source: name + "/README.md", URL: name + ".html", Lesson: name, Before: before}
		s.add(p)
		s.byName[name] = p
		s.byName[name+"/quiz.md"] = p
		before = name
	}
	for _, file := range docs {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		s.add(&page{Source: "docs/" + name + ".md", URL: name + ".html"})
	}
	return nil
}

func (s *site) add(p *page) {
	s.pages = append(s.pages, p)
	s.byName[p.Source] = p
}

// pageName is the file of a page that only a link leads to.
func pageName(source string) string {
	return strings.ToLower(strings.ReplaceAll(source, "/", "-")) + ".html"
}

// target turns a link of a text into one of the site.
func (s *site) target(p *page, link string) (string, error) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "#") ||
		strings.HasPrefix(link, "mailto:") {
		return link, nil
	}
	name, fragment, _ := strings.Cut(link, "#")
	name = path.Join(path.Dir(p.Source), name)
	info, err := os.Stat(filepath.Join(s.repo, name))
	if err != nil {
		return "", fmt.Errorf("link to %s: %w", link, err)
	}
	to := s.byName[name]
	switch {
	case to == nil && path.Ext(name) == ".md":
		to = &page{Source: name, URL: pageName(strings.TrimSuffix(name, ".md"))}
		s.add(to)
	case to == nil && (path.Ext(name) == ".svg" || path.Ext(name) == ".png"):
		s.copies[name] = true
		return root(p.URL) + name, nil
	case to == nil:
		if to, err = s.list(name, info.IsDir()); err != nil {
			return "", err
		}
		to.From = p
	}
	if fragment != "" {
		fragment = "#" + fragment
	}
	return root(p.URL) + to.URL + fragment, nil
}

// addLesson puts what the lesson adds into its page, and its recording.
func (s *site) addLesson(p *page) error {
	var err error
	if p.Added, err = s.difference(p.Before, p.Lesson); err != nil {
		return err
	}
	if len(p.Added) == 0 {
		return fmt.Errorf("nothing is added to %s", p.Before)
	}
	var text strings.Builder
	for _, file := range p.Added {
		fmt.Fprintln(&text, file.Name, file.AddedText)
	}
	p.Sections = append(p.Sections, section{ID: "added", Title: addedTitle, Level: 2,
		Text: text.String()})
	recording := "docs/recordings/" + p.Lesson + ".svg"
	if _, err := os.Stat(filepath.Join(s.repo, recording)); err == nil {
		p.Recording = recording
		s.copies[recording] = true
	}
	return nil
}

const addedTitle = "What this lesson adds"

// AddedTitle is for the template.
func (p *page) AddedTitle() string { return addedTitle }

// Short is the title of a page in a list of pages.
func (p *page) Short() string {
	if p.Source == "README.md" {
		return "Start"
	}
	return strings.TrimPrefix(p.Title, "Lesson ")
}

// isText is false for the page of an exercise, with its solution, and of a source
// file: only a link leads there.
func (p *page) isText() bool { return path.Ext(p.Source) == ".md" }

// root is the way from a page to the root of the site.
func root(url string) string { return strings.Repeat("../", strings.Count(url, "/")) }

func (s *site) writeAssets() error {
	for _, name := range []string{"style.css", "script.js"} {
		text, err := assets.ReadFile(name)
		if err != nil {
			return err
		}
		if err := s.write(name, text); err != nil {
			return err
		}
	}
	var index []map[string]string // what the search reads
	for _, p := range s.pages {
		if !p.isText() {
			continue // the solutions are for those who look for them there
		}
		for _, sec := range p.Sections {
			url := p.URL
			if sec.Level > 1 {
				url += "#" + sec.ID
			}
			index = append(index, map[string]string{"u": url, "p": p.Title, "h": sec.Title,
				"t": strings.Join(strings.Fields(sec.Text), " ")})
		}
	}
	text, err := json.Marshal(index)
	if err != nil {
		return err
	}
	// A script, because a page from the disk may not read other files.
	return s.write("search.js", []byte("window.searchIndex="+string(text)+";\n"))
}

func (s *site) write(name string, text []byte) error {
	file := filepath.Join(s.out, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
