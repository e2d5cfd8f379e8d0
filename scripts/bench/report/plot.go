package main

import (
	"fmt"
	"math"
	"strings"
)

// plot draws the isolated starts: a line for each lesson, a dot for each tool
// at its median, a bar from the first quartile to the third. Logarithmic, for
// between the floor and podman there is a factor of some hundred.
func (r *report) plot() string {
	const (
		width, left, right = 800, 170, 20
		top, line          = 70, 26
		from, to           = 0.2, 1000 // ms
	)
	x := func(ms float64) float64 {
		part := math.Log(ms/from) / math.Log(to/from)
		return left + part*(width-left-right)
	}
	height := top + len(starts)*line + 40

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" `+
		`height="%d" viewBox="0 0 %d %d" font-family="sans-serif" `+
		`font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintln(&b, `<title>Milliseconds from start to exit, by lesson</title>`)
	fmt.Fprintln(&b, `<rect width="100%" height="100%" fill="white"/>`)
	at := 0
	for _, tool := range r.measured() {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="5" fill="%s"/>`+
			`<text x="%d" y="%d">%s</text>`+"\n", 20+at%5*150, 20+at/5*22,
			tool.colour, 30+at%5*150, 24+at/5*22, strings.Trim(tool.name, "`"))
		at++
	}
	bottom := top + len(starts)*line
	for _, ms := range []float64{0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000} {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#dddddd"/>`+
			`<text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			x(ms), top-8, bottom, x(ms), bottom+16, ms)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">ms</text>`+"\n",
		left-30, bottom+16)
	for i, start := range starts {
		y := top + i*line + line/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n",
			left-10, y+4, start.name)
		for _, tool := range r.measured() {
			row := r.find(isolated, tool.key+"-"+start.key)
			if row == nil {
				continue
			}
			fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="%s" `+
				`stroke-width="2"/><circle cx="%.1f" cy="%d" r="5" fill="%s"/>`+"\n",
				x(row.Wall.Q1), y, x(row.Wall.Q3), tool.colour,
				x(row.Wall.Median), y, tool.colour)
		}
	}
	fmt.Fprintln(&b, "</svg>")
	return b.String()
}
