package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// width of all pictures: that of a text's column on a code host.
const width = 800

// picture is one SVG file. It remembers what is drawn where, in order, so that
// a test can tell whether something is cut or covered.
type picture struct {
	name   string // of the file
	title  string // at the top, and for screen readers
	about  string // for screen readers: all that the picture says
	height float64
	body   strings.Builder
	drawn  []shape
}

type point struct{ x, y float64 }

type rect struct{ x, y, w, h float64 }

// shape is a line of text, with the room that it takes and the room for it,
// or a box, or, without an area, a line from one corner to the other.
type shape struct {
	kind, text string
	takes, in  rect
}

func (r rect) right() float64  { return r.x + r.w }
func (r rect) bottom() float64 { return r.y + r.h }

// row is a part of r, from dy on, h high.
func (r rect) row(dy, h float64) rect { return rect{r.x, r.y + dy, r.w, h} }

// style is a kind of text: its class in the style sheet, and what measure has
// to know of it.
type style struct {
	class string
	size  float64
	bold  bool
	mono  bool
}

var (
	heading = style{"heading", 22, true, false}
	label   = style{"label", 18, true, false}
	plain   = style{"plain", 18, false, false}
	small   = style{"small", 16, false, false}
	mono    = style{"mono", 17, false, true}
	value   = style{"mono value", 18, false, true}
	monoBig = style{"mono label", 18, true, true}
	monoTag = style{"mono small", 16, false, true}
	tag     = style{"tag", 15, true, false}
)

type align string

const (
	left   align = "start"
	middle align = "middle"
	right  align = "end"
)

// styles are the colours: of light, and for who prefers it of dark.
const styles = `
text{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;fill:#1b2027}
.plain{font-size:18px}
.heading{font-size:22px;font-weight:700}
.label{font-size:18px;font-weight:700}
.small{font-size:16px;fill:#474f59}
.tag{font-size:15px;font-weight:700;fill:#fff}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:17px}
.mono.label,.mono.value{font-size:18px}
.mono.small{font-size:16px}
.back{fill:#fff}
.host{fill:#eef1f5;stroke:#69737e;stroke-width:2}
.wall{fill:#fff;stroke:#1b2027;stroke-width:2.5}
.shared{fill:#d3dbe5;stroke:#56606b;stroke-width:1.5}
.own{fill:#fff;stroke:#1b2027;stroke-width:2}
.new{fill:#ffe9a3;stroke:#8a4600;stroke-width:4}
.gone{fill:none;stroke:#56606b;stroke-width:2;stroke-dasharray:7 5}
.pill{fill:#8a4600}
.line{fill:none;stroke:#0a559e;stroke-width:3}
.dashed{stroke-dasharray:8 6}
.head{fill:#0a559e}
@media (prefers-color-scheme:dark){
text{fill:#e9edf2}
.small{fill:#b9c2cc}
.tag{fill:#241700}
.back{fill:#12161b}
.host{fill:#1e242b;stroke:#8b96a2}
.wall{fill:#12161b;stroke:#e9edf2}
.shared{fill:#3a4551;stroke:#8b96a2}
.own{fill:#12161b;stroke:#e9edf2}
.new{fill:#4a3600;stroke:#f4c451}
.gone{stroke:#a3adb8}
.pill{fill:#f4c451}
.line{stroke:#74b7ff}
.head{fill:#74b7ff}
}
`

// newPicture begins with the heading. Lines come below top.
func newPicture(name string, height float64, title, about string) *picture {
	p := &picture{name: name, title: title, about: about, height: height}
	p.text(rect{8, 6, width - 16, 44}, heading, left, title)
	return p
}

// top is where the heading ends.
const top = 56

// svg is the file.
func (p *picture) svg() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%g" `+
		`viewBox="0 0 %d %g" role="img" aria-labelledby="title desc">
<title id="title">%s</title>
<desc id="desc">%s</desc>
<style>%s</style>
<rect class="back" width="100%%" height="100%%"/>
%s</svg>
`, width, p.height, width, p.height, html.EscapeString(p.title),
		html.EscapeString(p.about), styles, p.body.String())
}

func (p *picture) add(format string, args ...any) {
	fmt.Fprintf(&p.body, format+"\n", args...)
}

// box draws one of a class of the style sheet.
func (p *picture) box(class string, r rect) {
	round := 6
	if class == "pill" {
		round = 11
	}
	p.add(`<rect class="%s" x="%g" y="%g" width="%g" height="%g" rx="%d"/>`,
		class, r.x, r.y, r.w, r.h, round)
	p.drawn = append(p.drawn, shape{kind: "box", text: class, takes: r})
}

// text writes lines into a box, one below the other, half-way between its top
// and its bottom.
func (p *picture) text(in rect, s style, a align, lines ...string) {
	const pad = 8
	leading := s.size * 1.3
	y := in.y + (in.h-leading*float64(len(lines)))/2
	for _, text := range lines {
		w := measure(text, s)
		x := map[align]float64{left: in.x + pad, middle: in.x + in.w/2,
			right: in.right() - pad}[a]
		from := map[align]float64{left: x, middle: x - w/2, right: x - w}[a]
		p.drawn = append(p.drawn, shape{"text", text, rect{from, y, w, leading},
			rect{in.x + pad, in.y, in.w - 2*pad, in.h}})
		anchor := ""
		if a != left {
			anchor = fmt.Sprintf(` text-anchor="%s"`, a)
		}
		p.add(`<text class="%s" x="%g" y="%.1f"%s>%s</text>`, s.class, x,
			y+leading/2+s.size*0.36, anchor, html.EscapeString(text))
		y += leading
	}
}

// pill is a short word on a patch of colour, with its left end at x. It
// returns its right end.
func (p *picture) pill(x, y float64, word string) float64 {
	r := rect{x, y, math.Ceil(measure(word, tag)) + 16, 22}
	p.box("pill", r)
	p.text(r, tag, middle, word)
	return r.right()
}

// line draws one through points, and arrow with a head at its end.
func (p *picture) line(class string, points ...point) {
	path := ""
	for i, at := range points {
		path += fmt.Sprintf("%c%.1f %.1f", "ML"[min(i, 1)], at.x, at.y)
		if i > 0 {
			from := points[i-1]
			p.drawn = append(p.drawn, shape{kind: "line",
				takes: rect{from.x, from.y, at.x - from.x, at.y - from.y}})
		}
	}
	p.add(`<path class="%s" d="%s"/>`, class, path)
}

func (p *picture) arrow(class string, points ...point) {
	const long, half = 14, 7
	n := len(points)
	tip, before := points[n-1], points[n-2]
	length := math.Hypot(tip.x-before.x, tip.y-before.y)
	dx, dy := (tip.x-before.x)/length, (tip.y-before.y)/length
	foot := point{tip.x - dx*long, tip.y - dy*long}
	p.line(class, append(append([]point{}, points[:n-1]...), foot)...)
	p.add(`<path class="head" d="M%.1f %.1fL%.1f %.1fL%.1f %.1fZ"/>`, tip.x, tip.y,
		foot.x-dy*half, foot.y+dx*half, foot.x+dy*half, foot.y-dx*half)
}

// cross marks the point of a line where nothing gets through.
func (p *picture) cross(at point) {
	const d = 9
	p.line("line", point{at.x - d, at.y - d}, point{at.x + d, at.y + d})
	p.line("line", point{at.x - d, at.y + d}, point{at.x + d, at.y - d})
}
