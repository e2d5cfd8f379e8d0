package main

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown turns the texts into pages.
type markdown struct {
	site *site
	md   goldmark.Markdown
}

func newMarkdown(s *site) *markdown {
	return &markdown{s, goldmark.New(
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(html.WithUnsafe(), // <details>
			renderer.WithNodeRenderers(util.Prioritized(blocks{}, 100))),
	)}
}

var mark = regexp.MustCompile(`^\s*<!--\s*(.*?)\s*-->\s*$`)

// render fills the page from its source.
func (m *markdown) render(p *page) error {
	source, err := readFile(m.site.repo, p.Source)
	if err != nil {
		return err
	}
	if p.Lesson != "" {
		quiz, err := readFile(m.site.repo, p.Lesson, "quiz.md")
		if err != nil {
			return err
		}
		// The first of them is in the text already.
		_, rest, _ := strings.Cut(string(quiz), "\n## Predict\n")
		_, rest, ok := strings.Cut(rest, "\n## ")
		if !ok {
			return fmt.Errorf("no second question in quiz.md")
		}
		source = append(source, "\n## Quiz\n\n### "+strings.ReplaceAll(rest, "\n## ", "\n### ")...)
	}
	tree := m.md.Parser().Parse(text.NewReader(source),
		parser.WithContext(parser.NewContext(parser.WithIDs(&ids{seen: map[string]bool{}}))))
	var comments []ast.Node
	err = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		var err error
		switch n := n.(type) {
		case *ast.Heading:
			id, _ := n.AttributeString("id")
			title := plain(n, source)
			p.Sections = append(p.Sections, section{ID: string(id.([]byte)), Title: title, Level: n.Level})
			if n.Level == 1 {
				p.Title = title
			}
		case *ast.Link:
			err = m.rewrite(p, &n.Destination)
		case *ast.Image:
			err = m.rewrite(p, &n.Destination)
		case *ast.HTMLBlock:
			if found := mark.FindSubmatch(lines(n, source)); found != nil {
				comments = append(comments, n)
				if block, ok := n.NextSibling().(*ast.FencedCodeBlock); ok {
					block.SetAttributeString("mark", string(found[1]))
				}
			}
		case *ast.FencedCodeBlock:
			p.Typed = p.Typed || string(n.Language(source)) == "console"
		}
		if len(p.Sections) > 0 {
			last := &p.Sections[len(p.Sections)-1]
			switch n := n.(type) {
			case *ast.Paragraph, *ast.TextBlock, *east.TableCell:
				last.Text += " " + plain(n, source)
			case *ast.FencedCodeBlock:
				last.Text += " " + string(lines(n, source))
			}
		}
		return ast.WalkContinue, err
	})
	if err != nil {
		return err
	}
	if p.Title == "" {
		return fmt.Errorf("the text has no title")
	}
	for _, n := range comments {
		n.Parent().RemoveChild(n.Parent(), n)
	}
	var out bytes.Buffer
	if err := m.md.Renderer().Render(&out, source, tree); err != nil {
		return err
	}
	p.Body = template.HTML(out.String())
	return nil
}

func (m *markdown) rewrite(p *page, destination *[]byte) error {
	to, err := m.site.target(p, string(*destination))
	*destination = []byte(to)
	return err
}

// plain is the text of a node, without markup.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(n.Segment.Value(source))
				if n.SoftLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.String:
			if entering {
				b.Write(n.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// lines are those of a block.
func lines(n ast.Node, source []byte) []byte {
	var b bytes.Buffer
	for i := 0; i < n.Lines().Len(); i++ {
		segment := n.Lines().At(i)
		b.Write(segment.Value(source))
	}
	if h, ok := n.(*ast.HTMLBlock); ok && h.HasClosure() {
		b.Write(h.ClosureLine.Value(source))
	}
	return b.Bytes()
}

// ids gives headings the anchors that they have at a code host.
type ids struct{ seen map[string]bool }

func (i *ids) Generate(value []byte, _ ast.NodeKind) []byte {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, string(value))
	name := slug
	for n := 1; i.seen[name]; n++ {
		name = fmt.Sprintf("%s-%d", slug, n)
	}
	i.seen[name] = true
	return []byte(name)
}

func (i *ids) Put(value []byte) { i.seen[string(value)] = true }

// blocks renders what we show in another way than goldmark.
type blocks struct{}

func (b blocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, b.code)
	r.Register(ast.KindHeading, b.heading)
	r.Register(ast.KindImage, b.image)
	r.Register(east.KindTable, b.table)
}

// code renders a block. What is typed at a terminal can be copied without its
// prompts and outputs.
func (blocks) code(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	block := n.(*ast.FencedCodeBlock)
	kind := string(block.Language(source))
	label, typed, data := "", "", ""
	if block.Info != nil {
		_, typed, _ = strings.Cut(string(block.Info.Segment.Value(source)), "terminal=")
	}
	if kind == "console" && typed != "" {
		label = "terminal " + typed
		data = fmt.Sprintf(` data-terminal="%s"`, template.HTMLEscapeString(typed))
	}
	if attribute, ok := n.AttributeString("mark"); ok {
		if from, ok := strings.CutPrefix(attribute.(string), "code: "); ok {
			label = strings.Fields(from)[0]
		}
		why, ok := strings.CutPrefix(attribute.(string), "not run: ")
		if strings.HasPrefix(attribute.(string), "needs: ") {
			why, ok = strings.Replace(attribute.(string), ":", "", 1), true
		}
		if ok {
			data += fmt.Sprintf(` data-not-run="%s"`, template.HTMLEscapeString(why))
		}
	}
	content := string(lines(n, source))
	html := ""
	if kind == "console" {
		html = console(content)
	} else {
		html = strings.Join(highlight(kind, content), "\n")
	}
	fmt.Fprintf(w, "<figure class=\"code %s\"%s>", template.HTMLEscapeString(kind), data)
	if label != "" {
		fmt.Fprintf(w, "<figcaption>%s</figcaption>", template.HTMLEscapeString(label))
	}
	fmt.Fprintf(w, "<pre><code>%s</code></pre></figure>\n", html)
	return ast.WalkSkipChildren, nil
}

// console marks what is typed: after a prompt, and the lines that continue it.
func console(content string) string {
	var b strings.Builder
	typing := false
	for _, line := range strings.Split(strings.TrimSuffix(content, "\n"), "\n") {
		prompt, rest, _ := strings.Cut(line, " ")
		switch {
		case (prompt == "$" || prompt == "#") && rest != "", prompt == ">" && typing:
			typing = true
			fmt.Fprintf(&b, `<span class="prompt">%s </span><kbd>%s</kbd>`+"\n",
				template.HTMLEscapeString(prompt), template.HTMLEscapeString(rest))
		default:
			typing = false
			b.WriteString(template.HTMLEscapeString(line) + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// heading has a link to itself.
func (blocks) heading(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	h := n.(*ast.Heading)
	id, _ := n.AttributeString("id")
	if entering {
		fmt.Fprintf(w, `<h%d id="%s">`, h.Level, id)
	} else {
		if h.Level > 1 {
			fmt.Fprintf(w, ` <a class="anchor" href="#%s" aria-label="Link to this section">#</a>`, id)
		}
		fmt.Fprintf(w, "</h%d>\n", h.Level)
	}
	return ast.WalkContinue, nil
}

// image leads to the picture itself: on a phone its letters are small.
func (blocks) image(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		to := util.EscapeHTML(n.(*ast.Image).Destination)
		fmt.Fprintf(w, `<a class="picture" href="%s"><img src="%s" alt="%s"></a>`,
			to, to, template.HTMLEscapeString(plain(n, source)))
	}
	return ast.WalkSkipChildren, nil
}

// table is in a box of its own, which scrolls where it is too wide.
func (blocks) table(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString("<div class=\"scroll\"><table>\n")
	} else {
		_, _ = w.WriteString("</tbody></table></div>\n")
	}
	return ast.WalkContinue, nil
}
