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
			assert.True(t, pattern(string(text)).MatchString(events(lines)),
				"the script has changed:\n  scripts/dev/record.sh %s", name[:2])
		})
	}
}

// events are what a recording shows: sentences, and commands with their output, since a
// command may have several lines. A NUL ends each.
func events(lines []line) string {
	var all strings.Builder
	last := output
	for _, l := range lines {
		switch {
		case l.kind == command || l.kind == sentence && last != sentence:
			all.WriteString("\x00" + strings.TrimSpace(l.place+" "+l.text))
		case last != sentence || l.kind == sentence:
			all.WriteString("\n" + l.text)
		}
		last = l.kind
	}
	_, text, _ := strings.Cut(all.String(), "\x00")
	return text + "\x00"
}

// call is one of the functions of demo.sh that show something, with what it shows.
var call = regexp.MustCompile(`(?m)^( *)(step|run|quiet|side|start|background|type_line)( \w+| "\$\w+")? ` +
	`(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|(\w+$))`)

// unknown is what the shell inserts: any text, and after $( everything to the end.
var unknown = regexp.MustCompile(`(?s)\$\(.*|\$\{[^}]*\}|\$(\w+|[$?!#@*])`)

// pattern is what the calls of a script show, in their order: sentences, and commands at
// their prompts. An indented call may be missing, or be in a loop.
func pattern(script string) *regexp.Regexp {
	const any = "[^\x00]*"
	all := "^"
	for _, c := range call.FindAllStringSubmatch(script, -1) {
		text := regexp.QuoteMeta(c[4] + c[6])
		if c[5] != "" {
			var parts []string
			for _, part := range unknown.Split(strings.ReplaceAll(c[5], `\$`, "\x00"), -1) {
				part = regexp.MustCompile(`\\([\\"`+"`"+`])`).ReplaceAllString(part, "$1")
				parts = append(parts, regexp.QuoteMeta(strings.ReplaceAll(part, "\x00", "$")))
			}
			text = strings.Join(parts, any)
		}
		place := strings.TrimSpace(c[3])
		if place == "" || c[2] == "start" {
			place = "host" + any
		}
		end := map[string]string{"start": ` +\(terminal ` + any + `\)`, "background": " &"}[c[2]]
		if c[2] == "side" {
			place = any
		}
		if c[2] != "step" {
			text = place + "[#$] " + text
		}
		all += "(" + text + end + "(\n" + any + ")?\x00)"
		if c[1] != "" {
			all += "*"
		}
	}
	return regexp.MustCompile(all + "$")
}

// typed is what a short demonstration prints at a terminal.
const typed = "\x1b[1m01-pid\x1b[0m, in the scratch directory /var/tmp/nsl.0aB3dEf\r\n\r\n" +
	"\x1b[1mOne sentence,\r\nin two lines.\x1b[0m\r\n\x1b[30;46mhost#\x1b[0m echo  $$ <x\r\n" +
	"PID  4711\r\n\r\nkey 0x12ab34cd\r\neth0@if2  DOWN  <NO-CARRIER,UP>\r\n\r\n\x1b[32mAll of this held on this machine.\x1b[0m\r\n"

func TestDraw(t *testing.T) {
	lines := read(typed)
	want := []line{{output, "", "01-pid, in the scratch directory /var/tmp/nsl.0aB3dEf"},
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
