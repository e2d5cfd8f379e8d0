//go:build linux

package texts

import (
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// partOf says which part of a lesson a section belongs to.
var partOf = map[string]string{
	"The idea": "talk", "Predict": "talk",
	"Run it": "type", "Compare lsns": "type",
	"Read the code": "code", "Read the difference": "code",
	"Break it": "break", "The whole container": "whole",
}

// minutesOf computes the minutes that each part takes: 200 words a minute, code
// included, and 15 seconds a command.
func minutesOf(d *document) map[string]int {
	minutes := map[string]float64{}
	part := ""
	kinds := map[int]string{} // the kind of the block that a line is in
	for _, b := range d.blocks {
		for n := b.number; n <= b.end; n++ {
			kinds[n] = b.kind
		}
	}
	for i, text := range d.lines {
		kind, inBlock := kinds[i+1]
		if heading, ok := strings.CutPrefix(text, "## "); ok && !inBlock {
			part = partOf[heading]
		}
		switch {
		case part == "":
		case kind != "console":
			minutes[part] += float64(len(strings.Fields(text))) / 200
		case strings.HasPrefix(text, "$ ") || strings.HasPrefix(text, "# "):
			minutes[part] += 0.25
		}
	}
	whole := map[string]int{}
	for part, m := range minutes {
		whole[part] = int(math.Ceil(m))
	}
	return whole
}

var (
	minutesLine = regexp.MustCompile(`(?m)^\*\*Minutes:\*\* (.*)\.$`)
	minutesPart = regexp.MustCompile(`(\w+) (\d+)`)
	plan        = regexp.MustCompile(`(?m)^### .*: (\d+) minutes$`)
	planRow     = regexp.MustCompile(`(?m)^\| (\d+) \| (?:\[(\S+)\]\S*|\w+) \|(.*)\|$`)
)

// TestMinutes compares the minutes that a lesson promises with its text, and the plans of
// the workshop guide with the lessons.
func TestMinutes(t *testing.T) {
	repo := repository(t)
	all := documents(t, repo)
	said := map[string]map[string]int{} // by lesson and part
	files, err := filepath.Glob(repo + "/0*/README.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		lesson := filepath.Base(filepath.Dir(file))
		text := all[lesson+"/README.md"]
		least := minutesOf(text)
		steps := nstest.Read(t, repo+"/scripts/"+lesson+".sh")
		least["show"] = (strings.Count(steps, "\nstep ") + 3) / 4 // 15 seconds each
		m := minutesLine.FindStringSubmatch(strings.Join(text.lines, "\n"))
		require.NotNil(t, m, "%s does not say its minutes: %v", lesson, least)
		said[lesson] = map[string]int{}
		for _, p := range minutesPart.FindAllStringSubmatch(m[1], -1) {
			said[lesson][p[1]], _ = strconv.Atoi(p[2])
		}
		for part, minutes := range least {
			assert.GreaterOrEqual(t, said[lesson][part], minutes, "%s: %s", lesson, part)
		}
	}

	guide := strings.Join(all["docs/workshop.md"].lines, "\n")
	plans := plan.FindAllStringSubmatchIndex(guide, -1)
	require.NotEmpty(t, plans)
	for _, at := range plans {
		name, sum := guide[at[2]:at[3]], 0
		section, _, _ := strings.Cut(guide[at[1]:], "\n#")
		for _, row := range planRow.FindAllStringSubmatch(section, -1) {
			minutes, _ := strconv.Atoi(row[1])
			sum += minutes
			if row[2] == "" {
				continue
			}
			need := 0
			for part, m := range said[row[2]] {
				if part == "talk" && strings.Contains(row[3], "question") || strings.Contains(row[3], part) {
					need += m
				}
			}
			assert.NotZero(t, need, "%s minutes: %s: no part of it", name, row[2])
			assert.GreaterOrEqual(t, minutes, need, "%s minutes: %s", name, row[2])
		}
		assert.Equal(t, name, strconv.Itoa(sum), "the rows of the plan")
	}
}
