package main

import (
	"encoding/xml"
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// The screen of the recording, in pixels.
const (
	columns, rows = 100, 21
	lineHeight    = 22
	margin        = 16
	bar           = 36 // the title bar
	width         = 1000
	screen        = rows * lineHeight
	height        = bar + margin + screen + margin
)

// styles are the same for everybody: a terminal is dark. Whoever wants no motion gets the
// first screen.
const styles = `
text{font:16px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6eaf0;white-space:pre}
.s{fill:#ffd76a;font-weight:700}
.p{fill:#7ee08a;font-weight:700}
.host{fill:#6fd3ff}
.one{fill:#ffb454}
.two{fill:#f29bff}
.c{fill:#fff;font-weight:700}
.n{fill:#b9c2cc}
#scroll,#curtain{animation-duration:%.2[1]fs;animation-timing-function:step-end;animation-iteration-count:infinite}
#scroll{animation-name:scroll}
#curtain{animation-name:curtain}
#bar{animation:bar %.2[1]fs linear infinite}
@keyframes bar{from{transform:scaleX(0)}to{transform:scaleX(1)}}
@keyframes scroll{%[2]s}
@keyframes curtain{%[3]s}
.paused *{animation-play-state:paused!important}
@media (prefers-reduced-motion:reduce){#scroll,#curtain,#bar{animation:none}#curtain{transform:translateY(%[4]dpx)}}
`

// pause works where the file is a page, or an object in one. As an <img> it only plays.
const pause = `{
const all=document.documentElement
onclick=()=>all.classList.toggle("paused")
onkeydown=event=>{if(event.key===" "){event.preventDefault();onclick()}}
}`

// frame is a moment at which more lines show.
type frame struct {
	at    int // in milliseconds
	shown int // how many lines, from the beginning
	top   int // the first line on the screen
}

// play gives every line its time: sentences, commands, and what they print. Each sentence
// begins a new screen. It also returns how long everything takes.
func play(lines []line) ([]frame, int) {
	var frames []frame
	now, top := 0, 0
	for i := 0; i < len(lines); {
		from := i
		for i++; i < len(lines) && lines[i].kind == lines[from].kind &&
			lines[i].kind != command && !(lines[i].text == "" && nextIsSentence(lines, i)); i++ {
		}
		words, letters := 0, 0
		for _, l := range lines[from:i] {
			words += len(strings.Fields(l.text))
			letters += len(l.text)
		}
		if lines[from].kind == sentence {
			top = from
		}
		top = max(top, i-rows)
		if words == 0 {
			continue // the blank line before a sentence
		}
		frames = append(frames, frame{now, i, top})
		switch lines[from].kind {
		case sentence:
			now += 1500 + words*300
		case command:
			now += 800 + letters*30
		case output:
			now += 1000 + min((i-from)*600, 8000)
		}
	}
	return frames, now + 5000
}

func nextIsSentence(lines []line, i int) bool {
	return i+1 < len(lines) && lines[i+1].kind == sentence
}

// draw returns the SVG file. It has all lines, one below the other. A curtain hides those
// that are not printed yet, and moves down. Where a new screen begins, everything moves up.
func draw(name string, lines []line) string {
	frames, all := play(lines)
	var scroll, curtain, ticks, body strings.Builder
	last := -1
	first := len(lines) // where nothing moves, these show
	for i, f := range frames {
		percent := fmt.Sprintf("%.2f", float64(f.at)*100/float64(all))
		fmt.Fprintf(&curtain, "%s%%{transform:translateY(%dpx)}", percent, f.shown*lineHeight)
		if f.top == last {
			continue
		}
		fmt.Fprintf(&scroll, "%s%%{transform:translateY(%dpx)}", percent, -f.top*lineHeight)
		if lines[f.top].kind == sentence {
			fmt.Fprintf(&ticks, "M%d %dv6", f.at*width/all, height-6)
		}
		if last == 0 && first == len(lines) {
			first = frames[i-1].shown
		}
		last = f.top
	}
	for i, l := range lines {
		if l.text == "" && l.kind != command {
			continue
		}
		y := i*lineHeight + 16
		text := html.EscapeString(l.text)
		if l.kind == command {
			class := "p"
			if name := strings.TrimRight(l.place, "#$"); !strings.Contains(name, " ") {
				class += " " + name
			}
			text = fmt.Sprintf(`<tspan class="%s">%s</tspan> %s`, class, html.EscapeString(l.place), text)
		}
		fmt.Fprintf(&body, `<text class="%s" y="%d">%s</text>`+"\n", l.kind, y, text)
	}
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `+
		`role="img" aria-labelledby="title desc" xml:space="preserve">`, width, height)
	add(`<title id="title">%s: the demonstration, recorded</title>`, name)
	add(`<desc id="desc">A terminal in which scripts/%s.sh runs: sentences that say what to look `+
		`for, commands, and what they print. It takes %d seconds, and begins again.</desc>`,
		name, all/1000)
	add("<script>%s</script>", pause)
	add("<style>"+styles+"</style>", float64(all)/1000, &scroll, &curtain, first*lineHeight)
	add(`<rect width="%d" height="%d" rx="8" fill="#12161b"/>`, width, height)
	add(`<svg x="%d" y="%d" width="%d" height="%d">`, margin, bar+margin, width-margin, screen)
	add(`<g id="scroll">`)
	b.WriteString(body.String())
	add(`<rect id="curtain" width="%d" height="%d" fill="#12161b"/>`, width,
		(len(lines)+rows)*lineHeight)
	add("</g>\n</svg>")
	add(`<path d="M0 %dV8a8 8 0 0 1 8-8H%da8 8 0 0 1 8 8V%[1]dZ" fill="#2b333d"/>`, bar, width-8)
	add(`<text class="n" x="%d" y="24">scripts/%s.sh</text>`, margin, name)
	add(`<rect id="bar" y="%d" width="%d" height="6" fill="#6b7785"/>`, height-6, width)
	add(`<path d="%s" stroke="#e6eaf0" stroke-width="2"/>`, &ticks)
	add("</svg>")
	return b.String()
}

// parse reads the lines of a file that draw made.
func parse(svg string) ([]line, error) {
	var file struct {
		Screen struct {
			Scroll struct {
				Texts []struct {
					Class string `xml:"class,attr"`
					Y     int    `xml:"y,attr"`
					Place string `xml:"tspan"`
					Text  string `xml:",chardata"`
				} `xml:"text"`
			} `xml:"g"`
		} `xml:"svg"`
	}
	if err := xml.Unmarshal([]byte(svg), &file); err != nil {
		return nil, err
	}
	var lines []line
	for _, t := range file.Screen.Scroll.Texts {
		for len(lines) < t.Y/lineHeight {
			lines = append(lines, line{kind: output})
		}
		l := line{kind(t.Class), t.Place, t.Text}
		if l.kind == command {
			l.text = strings.TrimPrefix(l.text, " ")
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// wide returns how many columns a line takes.
func (l line) wide() int {
	if l.kind == command {
		return utf8.RuneCountInString(l.place + " " + l.text)
	}
	return utf8.RuneCountInString(l.text)
}
