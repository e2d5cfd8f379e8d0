package main

import (
	"regexp"
	"slices"
	"strings"
)

// call is one of the functions of demo.sh in a demonstration, with regular
// expressions for its arguments: what the shell puts in is any text.
type call struct {
	name string
	args []string
	// maybe: it is indented, in a loop or a condition.
	maybe bool
}

// shown are the functions that print what they are given.
var shown = []string{"step", "run", "quiet", "side", "start", "background", "type_line"}

// calls finds them in a script.
func calls(script string) []call {
	var all []call
	s := &scanner{text: script}
	for s.pos < len(s.text) {
		begin := s.pos
		words := s.statement()
		if len(words) > 0 && slices.Contains(shown, words[0]) {
			indent := strings.HasPrefix(s.text[begin:], " ")
			all = append(all, call{words[0], words[1:], indent})
		}
	}
	return all
}

// scanner reads as much of the shell's grammar as the demonstrations use.
type scanner struct {
	text string
	pos  int
}

// statement is the words up to a newline, or a sign that ends a command.
func (s *scanner) statement() []string {
	var words []string
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case strings.ContainsRune("\n;&|", rune(c)):
			s.pos++
			return words
		case strings.HasPrefix(s.text[s.pos:], "\\\n"):
			s.pos += 2
		case c == ' ':
			s.pos++
		case c == '#':
			s.pos += strings.IndexByte(s.text[s.pos:], '\n')
		default:
			words = append(words, s.word())
		}
	}
	return words
}

// word is one with its quotes taken away, as a regular expression.
func (s *scanner) word() string {
	var out strings.Builder
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case strings.ContainsRune(" \n;&|", rune(c)):
			return out.String()
		case c == '\'':
			end := s.pos + 1 + strings.IndexByte(s.text[s.pos+1:], '\'')
			out.WriteString(regexp.QuoteMeta(s.text[s.pos+1 : end]))
			s.pos = end + 1
		case c == '"':
			s.pos++
			for s.text[s.pos] != '"' {
				s.letter(&out, true)
			}
			s.pos++
		default:
			s.letter(&out, false)
		}
	}
	return out.String()
}

// letter takes one, or what the shell expands. Between double quotes, a
// backslash counts before some letters only.
func (s *scanner) letter(out *strings.Builder, quoted bool) {
	c := s.text[s.pos]
	s.pos++
	switch {
	case c == '\\' && (!quoted || strings.IndexByte("$`\"\\", s.text[s.pos]) >= 0):
		out.WriteString(regexp.QuoteMeta(s.text[s.pos : s.pos+1]))
		s.pos++
	case c == '$' && strings.ContainsRune("({", rune(s.text[s.pos])):
		s.bracket()
		out.WriteString(".*")
	case c == '$' && name.MatchString(s.text[s.pos:]):
		s.pos += len(name.FindString(s.text[s.pos:]))
		out.WriteString(".*")
	case c == '(' && !quoted: // an array, or <(a command)
		s.pos--
		s.bracket()
	default:
		out.WriteString(regexp.QuoteMeta(string(c)))
	}
}

var name = regexp.MustCompile(`^(\w+|[$?!#@*])`)

// bracket passes over one and all that is in it.
func (s *scanner) bracket() {
	for depth := 0; s.pos < len(s.text); {
		c := s.text[s.pos]
		s.pos++
		switch c {
		case '(', '{':
			depth++
		case ')', '}':
			if depth--; depth == 0 {
				return
			}
		case '\'':
			s.pos += 1 + strings.IndexByte(s.text[s.pos:], '\'')
		}
	}
}

// shows is what a call prints: a sentence, or a prompt and a command.
func (c call) shows() *regexp.Regexp {
	const container = ` +\(terminal `
	var re string
	switch c.name {
	case "step":
		return regexp.MustCompile(`(?s)^` + c.args[0] + `$`)
	case "run", "quiet", "type_line":
		re = c.args[0] + `[#$] ` + c.args[1]
	case "side":
		places := "host one two"
		if len(c.args) > 1 {
			places = strings.Join(c.args[1:], " ")
		}
		re = places + `[#$] ` + c.args[0]
	case "start":
		re = `host[#$] ` + c.args[1] + container + c.args[0] + `\)`
	case "background":
		re = `host[#$] ` + c.args[0] + ` &`
	}
	return regexp.MustCompile(`(?s)^` + re + `(\n|$)`)
}
