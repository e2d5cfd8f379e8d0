package main

import (
	"regexp"
	"strings"
)

// line is a line of a demonstration.
type line struct {
	kind  kind
	place string // before a command: the prompt
	text  string
}

type kind string

const (
	sentence kind = "s" // what to look for
	command  kind = "c"
	output   kind = "o"
)

// colour is an escape sequence for a colour, see console_codes(4).
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// prompted is a prompt, in the color of its place, and what is typed there.
var prompted = regexp.MustCompile("^(\x1b\\[\\d\\d;4\\dm.*?)\x1b\\[0m (.*)$")

const bold = "\x1b[1m"

// read cuts what was printed at a terminal into lines. Sentences are bold, also across
// lines.
func read(text string) []line {
	var all []line
	inBold := false
	for _, text := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n") {
		l := line{kind: output, text: colour.ReplaceAllString(text, "")}
		switch m := prompted.FindStringSubmatch(text); {
		case inBold || strings.HasPrefix(text, bold):
			end := strings.Index(text, "\x1b[0m")
			inBold = end < 0
			if inBold || strings.HasSuffix(text, "\x1b[0m") {
				l.kind = sentence
			}
		case m != nil:
			l = line{command, colour.ReplaceAllString(m[1], ""), colour.ReplaceAllString(m[2], "")}
		}
		l.text = strings.TrimRight(l.text, " ")
		all = append(all, l)
	}
	for len(all) > 0 && all[len(all)-1].text == "" {
		all = all[:len(all)-1]
	}
	return all
}
