package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// All pictures have the size of a slide.
const width, height = 1280, 720

// picture is an SVG file. It remembers what is drawn where, in order, so that a test can
// find what is cut or covered.
type picture struct {
	name  string // of the file
	title string // the heading, also for screen readers
	about string // for screen readers: everything that the picture says
	body  strings.Builder
	drawn []shape
}

type point struct{ x, y float64 }

type rect struct{ x, y, w, h float64 }

// shape is a line of text, with the room that it takes and the room that it has; a box;
// or, without an area, a line from one corner to the other.
type shape struct {
	kind, text string
	takes, in  rect
}

func (r rect) right() float64  { return r.x + r.w }
func (r rect) bottom() float64 { return r.y + r.h }

// row returns a part of r that begins at dy and is h high.
func (r rect) row(dy, h float64) rect { return rect{r.x, r.y + dy, r.w, h} }

// style is a kind of text: its class in the style sheet, and what measure has to know.
type style struct {
	class string
	size  float64
	bold  bool
	mono  bool
}

// No style is smaller than the smallest text on a slide, 24 pixels.
var (
	heading = style{"heading", 36, true, false}
	label   = style{"label", 26, true, false}
	plain   = style{"plain", 24, false, false}
	soft    = style{"soft", 24, false, false}
	mono    = style{"mono", 24, false, true}
	monoBig = style{"mono label", 26, true, true}
	plate   = style{"mono plate", 44, true, true}
	tag     = style{"tag", 24, true, false}
)

type align string

const (
	left   align = "start"
	middle align = "middle"
	right  align = "end"
)

// styles are the colours, light and, for whoever prefers it, dark.
const styles = `
text{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;fill:#1b2027}
.plain,.soft,.mono{font-size:24px}
.heading{font-size:36px;font-weight:700}
.label{font-size:26px;font-weight:700}
.soft{fill:#474f59}
.tag{font-size:24px;font-weight:700;fill:#fff}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.mono.label{font-size:26px}
.plate{font-size:44px;font-weight:700}
.back{fill:#fff}
.host{fill:#eef1f5;stroke:#69737e;stroke-width:2}
.wall{fill:#fff;stroke:#1b2027;stroke-width:2.5}
.shared{fill:#d3dbe5;stroke:#56606b;stroke-width:1.5}
.own{fill:#fff;stroke:#1b2027;stroke-width:2}
.new{fill:#ffe9a3;stroke:#8a4600;stroke-width:4}
.gone{fill:none;stroke:#56606b;stroke-width:2;stroke-dasharray:7 5}
.pill{fill:#8a4600}
.line{fill:none;stroke:#0a559e;stroke-width:4}
.dashed{stroke-dasharray:11 8}
.head{fill:#0a559e}
@media (prefers-color-scheme:dark){
text{fill:#e9edf2}
.soft{fill:#b9c2cc}
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

// newPicture begins a picture with its heading. Everything else comes below top.
func newPicture(name, title, about string) *picture {
	p := &picture{name: name, title: title, about: about}
	p.text(rect{8, 8, width - 16, 52}, heading, left, title)
	return p
}

// top is where the heading ends.
const top = 68

// svg returns the file.
func (p *picture) svg() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" `+
		`viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="title desc">
<title id="title">%s</title>
<desc id="desc">%s</desc>
<style>%s</style>
<rect class="back" width="100%%" height="100%%"/>
%s</svg>
`, width, height, html.EscapeString(p.title),
		html.EscapeString(p.about), styles, p.body.String())
}

func (p *picture) add(format string, args ...any) {
	fmt.Fprintf(&p.body, format+"\n", args...)
}

// box draws a box of a class of the style sheet.
func (p *picture) box(class string, r rect) {
	round := 8
	if class == "pill" {
		round = 17
	}
	p.add(`<rect class="%s" x="%g" y="%g" width="%g" height="%g" rx="%d"/>`,
		class, r.x, r.y, r.w, r.h, round)
	p.drawn = append(p.drawn, shape{kind: "box", text: class, takes: r})
}

// text writes lines into a box, one below the other, half-way between top and bottom.
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

// boxed draws a box with lines of text in it, and titled one with a line in the part of it
// that begins at dy and is h high.
func (p *picture) boxed(class string, r rect, s style, a align, lines ...string) {
	p.titled(class, r, 0, r.h, s, a, lines...)
}

func (p *picture) titled(class string, r rect, dy, h float64, s style, a align, lines ...string) {
	p.box(class, r)
	p.text(r.row(dy, h), s, a, lines...)
}

// pill draws a short word on a patch of colour that begins at x. It returns where the
// patch ends.
func (p *picture) pill(x, y float64, word string) float64 {
	r := rect{x, y, math.Ceil(measure(word, tag)) + 22, 34}
	p.boxed("pill", r, tag, middle, word)
	return r.right()
}

// line draws a line through points, and arrow one with a head at its end.
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
	const long, half = 20, 10
	n := len(points)
	tip, before := points[n-1], points[n-2]
	length := math.Hypot(tip.x-before.x, tip.y-before.y)
	dx, dy := (tip.x-before.x)/length, (tip.y-before.y)/length
	foot := point{tip.x - dx*long, tip.y - dy*long}
	p.line(class, append(append([]point{}, points[:n-1]...), foot)...)
	p.add(`<path class="head" d="M%.1f %.1fL%.1f %.1fL%.1f %.1fZ"/>`, tip.x, tip.y,
		foot.x-dy*half, foot.y+dx*half, foot.x+dy*half, foot.y-dx*half)
}

// both draws an arrow with a head at each end.
func (p *picture) both(a, b point) {
	half := point{(a.x + b.x) / 2, (a.y + b.y) / 2}
	p.arrow("line", half, a)
	p.arrow("line", half, b)
}

// pair draws the two lines of a veth pair, in one direction or the other.
func (p *picture) pair(a, b point) {
	dx, dy := 0.0, 5.0
	if a.x == b.x {
		dx, dy = dy, dx
	}
	p.line("line", point{a.x - dx, a.y - dy}, point{b.x - dx, b.y - dy})
	p.line("line", point{a.x + dx, a.y + dy}, point{b.x + dx, b.y + dy})
}

// cross crosses out a line where nothing gets through, or a thing that is gone, up to d
// from the middle.
func (p *picture) cross(at point, d float64) {
	p.line("line", point{at.x - d, at.y - d}, point{at.x + d, at.y + d})
	p.line("line", point{at.x - d, at.y + d}, point{at.x + d, at.y - d})
}

// entry draws a box with a name at the left, and what it stands for at the right.
func (p *picture) entry(class string, r rect, name, what string) {
	p.boxed(class, r, mono, left, name)
	p.text(r, plain, right, what)
}

// device draws a network device and its address.
func (p *picture) device(class string, r rect, name, address string) {
	p.titled(class, r, 4, 38, monoBig, middle, name)
	p.text(r.row(40, 36), mono, middle, address)
}
