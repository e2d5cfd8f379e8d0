package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var repo = filepath.Join("..", "..", "..")

// most is how large a recording may be, since some networks are slow.
const most = 150_000

// TestRecordings checks that each demonstration has a recording, and that it is up to date.
func TestRecordings(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(repo, "scripts", "0[0-9]-*.sh"))
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	files, err := filepath.Glob(filepath.Join(repo, "docs", "recordings", "*"))
	require.NoError(t, err)
	require.Len(t, files, len(scripts))
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".sh")
		t.Run(name, func(t *testing.T) {
			svg, err := os.ReadFile(filepath.Join(repo, "docs", "recordings", name+".svg"))
			require.NoError(t, err)
			assert.Less(t, len(svg), most)
			lines, err := parse(string(svg)) // well-formed
			require.NoError(t, err)
			require.NotEmpty(t, lines)
			assert.Equal(t, finished, lines[len(lines)-1].text)
			for _, l := range lines {
				assert.LessOrEqual(t, l.wide(), columns, l.text)
			}
			assert.True(t, draw(name, lines) == string(svg),
				"the program would draw it otherwise:\n  scripts/dev/record.sh %s", name[:2])

			text, err := os.ReadFile(script)
			require.NoError(t, err)
			shows, is := fits(string(text), events(lines))
			assert.Equal(t, shows, is, "the script has changed:\n  scripts/dev/record.sh %s", name[:2])
		})
	}
}

// events are what a recording shows: sentences, and commands with their output, since a
// command may have several lines.
func events(lines []line) []string {
	var all []string
	var last kind
	for _, l := range lines {
		switch {
		case l.kind == command:
			all = append(all, l.place+" "+l.text)
		case l.kind == sentence && last != sentence:
			all = append(all, l.text)
		case last == sentence && l.kind != sentence:
		case len(all) > 0:
			all[len(all)-1] += "\n" + l.text
		}
		last = l.kind
	}
	return all
}

// call is one of the functions of demo.sh that show something, with what it shows.
var call = regexp.MustCompile(`(?m)^( *)(step|run|quiet|side|start|background|type_line)( \w+| "\$\w+")? ` +
	`(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|(\w+$))`)

// unknown is what the shell inserts: any text, and after $( everything to the end.
var unknown = regexp.MustCompile(`(?s)\$\(.*|\$\{[^}]*\}|\$(\w+|[$?!#@*])`)

// fits says whether these are what the calls of a script show, in their order. An indented
// call may be missing. It returns the first that does not fit, and what would fit.
func fits(script string, events []string) (want, got string) {
	calls := call.FindAllStringSubmatch(script, -1)
	next := 0
	for _, event := range events {
		for ; ; next++ {
			if next == len(calls) {
				return "the end", event
			}
			if re := shows(calls[next]); re.MatchString(event) {
				break
			} else if calls[next][1] == "" {
				return re.String(), event
			}
		}
		if calls[next][1] == "" { // an indented call may be in a loop
			next++
		}
	}
	for _, c := range calls[next:] {
		if c[1] == "" {
			return shows(c).String(), "the end"
		}
	}
	return "", ""
}

// shows returns what a call prints: a sentence, or a prompt and a command.
func shows(c []string) *regexp.Regexp {
	text := regexp.QuoteMeta(c[4] + c[6])
	if c[5] != "" {
		var parts []string
		for _, part := range unknown.Split(strings.ReplaceAll(c[5], `\$`, "\x00"), -1) {
			part = regexp.MustCompile(`\\([\\"`+"`"+`])`).ReplaceAllString(part, "$1")
			parts = append(parts, regexp.QuoteMeta(strings.ReplaceAll(part, "\x00", "$")))
		}
		text = strings.Join(parts, ".*")
	}
	place := strings.TrimSpace(c[3])
	if place == "" || c[2] == "start" {
		place = "host.*"
	}
	end := map[string]string{"start": ` +\(terminal .*\)`, "background": " &"}[c[2]]
	if c[2] == "side" {
		place = ".*"
	}
	if c[2] != "step" {
		text = place + "[#$] " + text
	}
	return regexp.MustCompile(`(?s)^` + text + end + `(\n|$)`)
}

// typed is what a short demonstration prints at a terminal.
const typed = "\x1b[1m01-pid\x1b[0m, in the scratch directory /var/tmp/nsl.aB3dEf\r\n\r\n" +
	"\x1b[1mOne sentence,\r\nin two lines.\x1b[0m\r\n\x1b[30;46mhost#\x1b[0m echo  $$ <x\r\n" +
	"PID  4711\r\n\r\nkey 0x12ab34cd\r\neth0@if2  DOWN  <NO-CARRIER,UP>\r\n\r\n\x1b[32mAll of this held on this machine.\x1b[0m\r\n"

func TestDraw(t *testing.T) {
	lines := read(typed)
	want := []line{{output, "", "01-pid, in the scratch directory /var/tmp/nsl.aB3dEf"},
		{output, "", ""}, {sentence, "", "One sentence,"}, {sentence, "", "in two lines."},
		{command, "host#", "echo  $$ <x"}, {output, "", "PID  4711"}, {output, "", ""},
		{output, "", "key 0x12ab34cd"},
		{output, "", "eth0@if2  DOWN  <NO-CARRIER,UP>"}, {output, "", ""}, {output, "", finished}}
	assert.Equal(t, want, lines)
	svg := draw("01-pid", lines)
	assert.NotContains(t, svg, "%!") // a mistake of fmt, with which nothing moves
	assert.Regexp(t, `animation-duration:15\.\d\ds;`, svg)
	again, err := parse(svg)
	require.NoError(t, err)
	assert.Equal(t, want, again)
}

// The lines that show at the same time fit on the screen, and time never goes back.
func TestPlay(t *testing.T) {
	var lines []line
	for range 3 {
		lines = append(lines, line{sentence, "", "Look at this:"})
		for range rows {
			lines = append(lines, line{command, "host#", "seq 2"}, line{output, "", "1"},
				line{output, "", "2"})
		}
	}
	frames, all := play(lines)
	last := frame{at: -1}
	for _, f := range frames {
		assert.Greater(t, f.at, last.at)
		assert.Greater(t, f.shown, last.shown)
		assert.LessOrEqual(t, f.shown-f.top, rows)
		last = f
	}
	assert.Equal(t, len(lines), last.shown)
	assert.Greater(t, all, last.at)
}

// A recording is made anew if its text has changed in more than numbers.
func TestRecord(t *testing.T) {
	file := filepath.Join(t.TempDir(), "01-pid.svg")
	made := func(text string) string {
		require.NoError(t, record(file, strings.NewReader(text)))
		svg, err := os.ReadFile(file)
		require.NoError(t, err)
		return string(svg)
	}
	first := made(typed)
	other := strings.NewReplacer("4711", "12", "12ab34cd", "ffffffff", "aB3dEf", "xyzXYZ",
		"@if2  DOWN  <NO-CARRIER,", "@if11 UP  <").Replace(typed)
	require.NotEqual(t, typed, other)
	assert.Equal(t, first, made(other), "numbers alone")
	assert.NotEqual(t, first, made(strings.Replace(typed, "PID", "TID", 1)))
	assert.ErrorContains(t, record(file, strings.NewReader("it failed")), "it failed")
}
