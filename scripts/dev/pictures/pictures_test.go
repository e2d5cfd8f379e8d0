package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/lessons"
)

var repo = filepath.Join("..", "..", "..")

func all(t *testing.T) []*picture {
	t.Helper()
	found, err := pictures(repo)
	require.NoError(t, err)
	require.Len(t, found, 15)
	return found
}

// TestCommitted compares the files with what the program makes.
func TestCommitted(t *testing.T) {
	var names []string
	for _, p := range all(t) {
		file := filepath.Join(repo, "docs", "pictures", p.name+".svg")
		names = append(names, file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.True(t, p.svg() == string(text),
			"%s is not what the program makes:\n  go run ./scripts/dev/pictures", file)
	}
	files, err := filepath.Glob(filepath.Join(repo, "docs", "pictures", "*"))
	require.NoError(t, err)
	assert.ElementsMatch(t, names, files)
}

// TestReadable finds text that is cut, covered or crossed by a line.
func TestReadable(t *testing.T) {
	for _, p := range all(t) {
		for _, problem := range p.problems() {
			t.Errorf("%s: %s", p.name, problem)
		}
	}
}

// TestSlide checks that each picture has the size of a slide, and no letter smaller than
// those on the rest of a slide; and that letters have the size that measure knows.
func TestSlide(t *testing.T) {
	for _, found := range regexp.MustCompile(`font-size:([^;}]*)`).FindAllStringSubmatch(styles, -1) {
		assert.Contains(t, []string{"24px", "26px", "36px", "44px"}, found[1])
	}
	for _, s := range []style{heading, label, plain, soft, mono, monoBig, plate, tag} {
		assert.GreaterOrEqual(t, s.size, 24.0, s.class)
		words := strings.Fields(s.class)
		assert.Regexp(t, fmt.Sprintf(`(?m)\.%s\b[^{}\n]*\{font-size:%gpx`, words[len(words)-1], s.size), styles)
	}
	for _, p := range all(t) {
		assert.Contains(t, p.svg(), ` width="1280" height="720" viewBox="0 0 1280 720"`, p.name)
		assert.NotRegexp(t, `(?i)font-size=|style="|transform|<tspan`, p.svg(), p.name)
	}
}

// TestProblems draws one picture with each problem.
func TestProblems(t *testing.T) {
	for want, draw := range map[string]func(p *picture){
		"": func(p *picture) {
			p.box("own", rect{10, 80, 140, 50})
			p.text(rect{10, 80, 140, 50}, plain, middle, "inside")
			p.line("line", point{10, 160}, point{150, 160})
		},
		"too long for its room": func(p *picture) {
			p.text(rect{100, 80, 100, 50}, plain, middle, "much too long")
		},
		"too high for its room": func(p *picture) {
			p.text(rect{10, 80, 100, 20}, plain, middle, "high")
		},
		"out of the picture": func(p *picture) {
			p.text(rect{1220, 80, 140, 50}, plain, middle, "outside")
		},
		`on "one"`: func(p *picture) {
			p.text(rect{10, 80, 140, 50}, plain, middle, "one")
			p.text(rect{10, 80, 140, 50}, plain, middle, "two")
		},
		"a line through": func(p *picture) {
			p.text(rect{10, 80, 140, 50}, plain, middle, "crossed")
			p.line("line", point{10, 80}, point{150, 130})
		},
		"the edge of a box": func(p *picture) {
			p.text(rect{10, 80, 140, 50}, plain, middle, "half")
			p.box("gone", rect{10, 80, 70, 50})
		},
		"under a box": func(p *picture) {
			p.text(rect{10, 80, 140, 50}, plain, middle, "gone")
			p.box("own", rect{10, 80, 140, 50})
		},
	} {
		p := newPicture("x", "A title", "What it says.")
		draw(p)
		if want == "" {
			assert.Empty(t, p.problems())
			continue
		}
		if assert.Len(t, p.problems(), 1, want) {
			assert.Contains(t, p.problems()[0], want)
		}
	}
}

// problems returns what keeps a text from being read.
func (p *picture) problems() []string {
	var found []string
	for i, s := range p.drawn {
		if s.kind != "text" {
			continue
		}
		note := func(what string) { found = append(found, fmt.Sprintf("%q: %s", s.text, what)) }
		if s.takes.w > s.in.w {
			note(fmt.Sprintf("too long for its room, %.0f > %.0f", s.takes.w, s.in.w))
		} else if s.takes.y < s.in.y || s.takes.bottom() > s.in.bottom() {
			note("too high for its room")
		}
		if s.takes.x < 0 || s.takes.right() > width || s.takes.bottom() > height {
			note("out of the picture")
		}
		// Whatever is below the last box that holds the text does not show.
		from := 0
		for j, other := range p.drawn[:i] {
			if other.kind == "box" && other.text != "gone" && other.takes.holds(s.takes) {
				from = j
			}
		}
		for j, other := range p.drawn {
			switch {
			case other.kind == "text" && j < i && other.takes.meets(s.takes):
				note(fmt.Sprintf("on %q", other.text))
			case other.kind == "line" && other.takes.crosses(s.takes):
				note("a line through it")
			case other.kind != "box" || j < from || !other.takes.meets(s.takes):
			case !other.takes.holds(s.takes):
				note("the edge of a box through it")
			case j > i && other.text != "gone":
				note("under a box")
			}
		}
	}
	return found
}

func (r rect) holds(s rect) bool {
	return r.x <= s.x && r.y <= s.y && r.right() >= s.right() && r.bottom() >= s.bottom()
}

func (r rect) meets(s rect) bool {
	return r.x < s.right() && s.x < r.right() && r.y < s.bottom() && s.y < r.bottom()
}

// crosses says whether the line from one corner of r to the other meets s.
func (r rect) crosses(s rect) bool {
	steps := math.Max(math.Abs(r.w), math.Abs(r.h))
	for i := 0.0; i <= steps; i++ {
		x, y := r.x+r.w*i/steps, r.y+r.h*i/steps
		if x > s.x && x < s.right() && y > s.y && y < s.bottom() {
			return true
		}
	}
	return false
}

// TestAccessible reads the files as a browser does.
func TestAccessible(t *testing.T) {
	titles := map[string]bool{}
	for _, p := range all(t) {
		type labelled struct {
			ID   string `xml:"id,attr"`
			Text string `xml:",chardata"`
		}
		var svg struct {
			XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
			Role    string   `xml:"role,attr"`
			By      string   `xml:"aria-labelledby,attr"`
			Title   labelled `xml:"title"`
			Desc    labelled `xml:"desc"`
			Style   string   `xml:"style"`
		}
		require.NoError(t, xml.Unmarshal([]byte(p.svg()), &svg), p.name)
		assert.Equal(t, "img", svg.Role, p.name)
		assert.Equal(t, svg.By, svg.Title.ID+" "+svg.Desc.ID, p.name)
		assert.NotEmpty(t, svg.Title.Text, p.name)
		assert.False(t, titles[svg.Title.Text], "twice: %s", svg.Title.Text)
		titles[svg.Title.Text] = true
		assert.Greater(t, len(svg.Desc.Text), 2*len(svg.Title.Text), p.name)
		assert.Contains(t, svg.Style, "prefers-color-scheme:dark", p.name)
	}
}

// TestLessons checks that the pictures follow the table.
func TestLessons(t *testing.T) {
	about := drawLesson([]lessons.Lesson{{Name: "01-pid", Namespaces: []string{"pid"}},
		{Name: "02-x", Namespaces: []string{"pid", "net"}, Twin: "unshare --root x"}}).about
	assert.Contains(t, about, "A veth pair leads from eth0")
	assert.Contains(t, about, "One for each: processes, network, root /.")
	assert.Contains(t, about, "One for all: mounts,")
}
