package main

import (
	"encoding/base64"
	"fmt"
	"html"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	picture  = regexp.MustCompile(`!\[([^\]]*)\]\(([^)]+\.svg)\)`)
	codeMark = regexp.MustCompile(`(?m)^<!-- code: (\S+) .*-->$`)
	oneLine  = regexp.MustCompile(`(?m)^<!--.*-->\n?`)
	asks     = regexp.MustCompile(`(?m)^\[The question\]\(quiz\.md#predict\)\n((?s:.*?)^-->$)`)
	theKey   = regexp.MustCompile(`The answer is \*\*(.)\*\*\.\n((?s:.*?))(?:\n\n` + "```" + `|\n\n</details>)`)
	// Marp begins a new line where the source does.
	softBreak = regexp.MustCompile(`(\S)\n *([^-\s])`)
	typed     = regexp.MustCompile("(?s)```console\n(.*?)```")
)

// piece is one or more slides. Links in it begin at the directory.
type piece struct{ dir, text string }

// decks reads whole files of slides.
func decks(files []string) ([]piece, error) {
	var pieces []piece
	for _, file := range files {
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece{filepath.Dir(file), string(text)})
	}
	return pieces, nil
}

// deck makes of pieces a text for Marp that needs no other file: the pictures are
// in it, and above code stands the file that it is from.
func deck(title string, pieces []piece) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "---\nmarp: true\ntheme: namespaces\npaginate: true\nlang: en\ntitle: %q\n---\n\n", title)
	for i, p := range pieces {
		var err error
		if i > 0 {
			b.WriteString("\n---\n\n")
		}
		slides := codeMark.ReplaceAllString(p.text, `<p class="from">$1</p>`)
		slides = oneLine.ReplaceAllString(slides, "")
		slides = typed.ReplaceAllStringFunc(slides, func(block string) string {
			content := typed.FindStringSubmatch(block)[1]
			html := strings.NewReplacer("<kbd>", "<b>", "</kbd>", "</b>").Replace(console(content))
			return fmt.Sprintf("<pre class=%q><code>%s</code></pre>", size(content), html)
		})
		slides = picture.ReplaceAllStringFunc(slides, func(link string) string {
			m := picture.FindStringSubmatch(link)
			svg, readErr := readFile(p.dir, m[2])
			if readErr != nil {
				err = readErr
			}
			return fmt.Sprintf(`<p><img alt="%s" src="data:image/svg+xml;base64,%s"></p>`,
				html.EscapeString(strings.ReplaceAll(m[1], "`", "")), base64.StdEncoding.EncodeToString(svg))
		})
		slides = asks.ReplaceAllStringFunc(slides, func(slide string) string {
			quiz, readErr := readFile(p.dir, "quiz.md")
			if readErr != nil {
				err = readErr
			}
			_, ask, _ := strings.Cut(string(quiz), "\n## Predict\n")
			ask, answer, _ := strings.Cut(ask, "\n<details>\n")
			key := theKey.FindStringSubmatch(answer)
			if key == nil {
				err = fmt.Errorf("no answer to the first question of quiz.md")
				return slide
			}
			return "<!-- _class: quiz -->\n" + softBreak.ReplaceAllString(ask, "$1 $2") + asks.FindStringSubmatch(slide)[1] + fmt.Sprintf(
				"\n\n---\n\n<!-- _class: quiz -->\n\n# The answer is %s\n\n%s\n\n<!--\n%s\n-->",
				key[1], softBreak.ReplaceAllString(strings.TrimSpace(key[2]), "$1 $2"), "Let somebody who said another letter say why.")
		})
		if err != nil {
			return "", fmt.Errorf("%s: %w", p.dir, err)
		}
		b.WriteString(slides)
	}
	return b.String(), nil
}

// size is large for a block that has room for it.
func size(block string) string {
	for _, line := range split(block) {
		if utf8.RuneCountInString(line) > 64 {
			return "small"
		}
	}
	if len(split(block)) > 9 {
		return "small"
	}
	return "large"
}
