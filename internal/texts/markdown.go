//go:build linux

package texts

import (
	"fmt"
	"regexp"
	"strings"
)

// document is a Markdown file, cut into the parts that the tests look at. It is cut line
// by line, since -update has to put back every line that it does not change. Our texts
// need no more of Markdown than fences, comments, headings and links.
type document struct {
	name     string // path in the repository
	lines    []string
	blocks   []block
	prose    []line // everything outside of blocks
	problems []string
}

// line is a line of the file with its number, from 1.
type line struct {
	number int
	text   string
}

// block is what is between two fences.
type block struct {
	number int    // of the line of the opening fence, from 1
	end    int    // of the line of the closing fence
	indent string // before the fences, and so before each line
	kind   string // the first word of the info string
	words  []string
	mark   string // of the comment before it, such as "not run", with its text
	text   string
	lines  []string
}

var (
	openFence = regexp.MustCompile("^( *)(`{3,}|~{3,})(.*)$")
	comment   = regexp.MustCompile(`^ *<!--(.*?)-->\s*$`)
)

// kinds are the blocks that a text may have. Commands go into console blocks: nothing
// would notice a mistake in a block of a different kind.
var kinds = map[string]bool{
	"console": true, // executed
	"go":      true, // compared with its source
	"text":    true, // pictures
	"c":       true, // quoted from the kernel
	"json":    true, // quoted from runc
	"yaml":    true, // quoted from Compose and Kubernetes
}

// read cuts a file into blocks and prose.
func read(name, text string) *document {
	d := &document{name: name, lines: strings.Split(text, "\n")}
	var mark line
	for i := 0; i < len(d.lines); i++ {
		text, number := d.lines[i], i+1
		if m := comment.FindStringSubmatch(text); m != nil {
			mark = line{number, strings.TrimSpace(m[1])}
			d.checkMark(mark)
			continue
		}
		m := openFence.FindStringSubmatch(text)
		if m == nil {
			d.prose = append(d.prose, line{number, text})
			if strings.TrimSpace(text) != "" {
				mark = line{}
			}
			continue
		}
		b := block{number: number, indent: m[1], words: strings.Fields(m[3])}
		if len(b.words) > 0 {
			b.kind, b.words = b.words[0], b.words[1:]
		}
		b.mark, b.text, _ = strings.Cut(mark.text, ":")
		b.text = strings.TrimSpace(b.text)
		mark = line{}
		for i++; i < len(d.lines); i++ {
			if strings.TrimSpace(d.lines[i]) == m[2] {
				b.end = i + 1
				break
			}
			b.lines = append(b.lines, strings.TrimPrefix(d.lines[i], b.indent))
		}
		if b.end == 0 {
			d.problem(number, "this block has no end")
		}
		d.checkBlock(b)
		d.blocks = append(d.blocks, b)
	}
	return d
}

// problem notes what is wrong in a line.
func (d *document) problem(number int, format string, args ...any) {
	d.problems = append(d.problems, fmt.Sprintf("%s:%d: ", d.name, number)+
		fmt.Sprintf(format, args...))
}

// checkMark accepts only the marks that we know: one with a typing error would have no
// effect.
func (d *document) checkMark(mark line) {
	name, text, _ := strings.Cut(mark.text, ":")
	switch name {
	case "not run", "no commands":
		if strings.TrimSpace(text) == "" {
			d.problem(mark.number, "the mark %q has no reason", name)
		}
	case "needs":
		if engines[strings.TrimSpace(text)] == "" {
			d.problem(mark.number, "unknown need:%s", text)
		}
	case "code", "message":
	default:
		d.problem(mark.number, "unknown mark %q", mark.text)
	}
}

func (d *document) checkBlock(b block) {
	switch {
	case !kinds[b.kind]:
		d.problem(b.number, "a block of the kind %q; commands go into console",
			b.kind)
	case b.kind == "go" && b.mark != "code":
		d.problem(b.number, "no mark says where this code comes from")
	case b.mark == "code" && b.kind != "go":
		d.problem(b.number, "a mark for code, but a block of the kind %q", b.kind)
	case (b.mark == "not run" || b.mark == "needs") && b.kind != "console":
		d.problem(b.number, "a mark for commands, but a block of the kind %q",
			b.kind)
	}
}

// noCommands says whether the file says why it has none.
func (d *document) noCommands() bool {
	for _, text := range d.lines {
		m := comment.FindStringSubmatch(text)
		if m != nil && strings.HasPrefix(strings.TrimSpace(m[1]), "no commands:") {
			return true
		}
	}
	return false
}

// step is a command: what is typed, and what is printed then.
type step struct {
	Number   int // the line in the file
	Terminal string
	Prompt   string   // $ or #
	Typed    []string // the command, and the lines that continue it
	Done     int      // how many steps of the guide are done after it
	want     []string // output
}

// steps cuts a console block into commands and outputs.
func (d *document) steps(b block) []step {
	terminal := "1"
	for _, word := range b.words {
		key, value, _ := strings.Cut(word, "=")
		if key != "terminal" || value == "" {
			d.problem(b.number, "unknown word %q after console", word)
			continue
		}
		terminal = value
	}
	var steps []step
	for i, text := range b.lines {
		var last *step
		if len(steps) > 0 {
			last = &steps[len(steps)-1]
		}
		prompt, typed, _ := strings.Cut(text, " ")
		switch {
		case (prompt == "$" || prompt == "#") && typed != "":
			steps = append(steps, step{Number: b.number + 1 + i,
				Terminal: terminal, Prompt: prompt, Typed: []string{typed}})
		case last == nil:
			d.problem(b.number+1+i, "output before the first command")
			return nil
		case prompt == ">" && len(last.want) == 0 && unfinished(last.Typed):
			last.Typed = append(last.Typed, typed)
		default:
			last.want = append(last.want, text)
		}
	}
	if len(steps) == 0 {
		d.problem(b.number, "a console block without a command")
	}
	return steps
}

// unfinished says whether a shell would ask for another line.
func unfinished(typed []string) bool {
	all := strings.Join(typed, "\n")
	if _, after, found := strings.Cut(all, "<<"); found {
		word, body, _ := strings.Cut(after, "\n")
		end := strings.Trim(strings.Fields(word)[0], `-'"`)
		return !strings.HasSuffix("\n"+body, "\n"+end)
	}
	words := strings.Fields(strings.ReplaceAll(all, ";", " "))
	loops := 0
	for _, word := range words {
		switch word {
		case "for", "while":
			loops++
		case "done":
			loops--
		}
	}
	return loops > 0 || strings.HasSuffix(all, `\`) || strings.Count(all, "'")%2 == 1
}

// show returns a step as the file has it, with an output.
func (s step) show(output []string) []string {
	lines := []string{s.Prompt + " " + s.Typed[0]}
	for _, typed := range s.Typed[1:] {
		lines = append(lines, strings.TrimRight("> "+typed, " "))
	}
	return append(lines, output...)
}

// replace returns the file with new lines in some of its blocks, given by their index.
func (d *document) replace(blocks map[int][]string) string {
	var out []string
	next := 0
	for i, b := range d.blocks {
		lines, ok := blocks[i]
		if !ok {
			continue
		}
		out = append(out, d.lines[next:b.number]...)
		for _, text := range lines {
			out = append(out, strings.TrimRight(b.indent+text, " "))
		}
		next = b.end - 1
	}
	return strings.Join(append(out, d.lines[next:]...), "\n")
}
