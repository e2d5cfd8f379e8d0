/*
Record makes a recording of a demonstration: an SVG file that plays in a
browser, at a pace at which one can read.

Usage: record FILE.svg

It reads from stdin what the demonstration printed on a terminal. A FILE that
is there already stays as it is if it shows the same but for numbers: PIDs,
keys, addresses and times are others in each run. scripts/dev/record.sh calls
it.
*/
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("record: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: record FILE.svg <OUTPUT")
	}
	if err := record(os.Args[1], os.Stdin); err != nil {
		log.Fatal(err)
	}
}

func record(file string, from io.Reader) error {
	output, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	lines := read(string(output))
	if len(lines) == 0 || lines[len(lines)-1].text != finished {
		return fmt.Errorf("%s: the demonstration has not come to its end:\n%s",
			file, output)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".svg")
	if old, err := os.ReadFile(file); err == nil {
		before, err := parse(string(old))
		if err == nil && slices.Equal(neutral(before), neutral(lines)) {
			// The numbers stay, though the drawing around them may be new.
			lines = before
		}
	}
	return os.WriteFile(file, []byte(draw(name, lines)), 0o644)
}

// finished is the last line of a demonstration that held.
const finished = "All of this held on this machine."

// changing is what differs from run to run. The kernel may notice a second later that both
// ends of a veth pair are up.
var changing = regexp.MustCompile(`@if[0-9]+ +(?:UP|DOWN)\b|0x[0-9a-f]+|nsl\.\w+|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|[0-9]+| +`)

// neutral returns the text of a recording without what changes.
func neutral(lines []line) []string {
	var all []string
	for _, l := range lines {
		text := strings.ReplaceAll(l.place+" "+l.text, "NO-CARRIER,", "")
		text = changing.ReplaceAllString(text, " ")
		all = append(all, strings.Join(strings.Fields(text), " "))
	}
	return all
}
