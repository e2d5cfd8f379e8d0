package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// row is one of a plan of docs/workshop.md: so many minutes for a lesson, a
// pause and so on, and how.
type row struct{ minutes, what, how string }

var planRow = regexp.MustCompile(`(?m)^\| (\d+) \| (?:\[(\S+)\]\S*|(\w+)) \|(.*)\|$`)

// readPlan finds the plan with so many minutes in the guide.
func readPlan(guide, minutes string) ([]row, error) {
	_, rest, ok := strings.Cut(guide, ": "+minutes+" minutes\n")
	if !ok {
		return nil, fmt.Errorf("the guide has no plan of %s minutes", minutes)
	}
	section, _, _ := strings.Cut(rest, "\n#")
	var rows []row
	for _, m := range planRow.FindAllStringSubmatch(section, -1) {
		rows = append(rows, row{m[1], m[2] + m[3], m[4]})
	}
	return rows, nil
}

// parts says which slides of a lesson a word of the plan asks for, by the slide's
// heading. What has none of these headings is about code; "" is the title and the
// picture.
var parts = map[string][]string{
	"question": {"Predict"},
	"show":     {"See it"},
	"type":     {"See it"},
	"whole":    {"See it"},
	"break":    {"Break it"},
	"write":    {"Your turn"},
}

var heading = regexp.MustCompile(`(?m)^# (.*)$`)

// lessonSlides are those slides of a lesson that the plan has.
func lessonSlides(text, how string) []string {
	want := []string{"", "The idea"}
	var named []string
	for word, headings := range parts {
		named = append(named, headings...)
		if strings.Contains(how, word) {
			want = append(want, headings...)
		}
	}
	var found []string
	for i, slide := range strings.Split(text, "\n---\n") {
		title := ""
		if m := heading.FindStringSubmatch(slide); m != nil && i > 0 {
			title = m[1]
		}
		isCode := title != "" && title != "The idea" && !slices.Contains(named, title)
		if slices.Contains(want, title) || isCode && strings.Contains(how, "code") {
			found = append(found, slide)
		}
	}
	return found
}

// planned are the slides of a plan. frame has those that are no lesson's: each
// begins with a comment that names it, as a row of a plan does.
func planned(minutes, guide, frame string) ([]piece, error) {
	text, err := readFile(guide)
	if err != nil {
		return nil, err
	}
	rows, err := readPlan(string(text), minutes)
	if err != nil {
		return nil, err
	}
	if text, err = readFile(frame); err != nil {
		return nil, err
	}
	frames := map[string]piece{}
	for _, slide := range strings.Split(string(text), "\n---\n") {
		name, text, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(slide), "<!-- "), " -->\n")
		frames[name] = piece{filepath.Dir(frame), text + "\n"}
	}

	agenda := "<ul class=\"agenda\">\n"
	slides := []piece{frames["title"], frames["hotel"], frames["agenda"]}
	for _, r := range rows {
		if r.what == "slack" { // not for the class to see
			continue
		}
		agenda += fmt.Sprintf("<li><b>%s</b> %s</li>\n", r.minutes, r.what)
		if slide, ok := frames[r.what]; ok {
			slide.text = strings.ReplaceAll(slide.text, "MINUTES", r.minutes)
			slides = append(slides, slide)
			continue
		}
		text, err := readFile(r.what, "slides.md")
		if err != nil {
			return nil, fmt.Errorf("the row %q of the plan has no slides: %w", r.what, err)
		}
		for _, slide := range lessonSlides(string(text), r.how) {
			slides = append(slides, piece{r.what, slide})
		}
	}
	slides[2].text = strings.ReplaceAll(slides[2].text, "AGENDA\n", agenda+"</ul>\n")
	return slides, nil
}
