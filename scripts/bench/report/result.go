package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// report is all that a run has found; --json prints it as it is.
type report struct {
	Machine machine   `json:"machine"`
	Rows    []*row    `json:"rows"`
	Ratios  []ratio   `json:"ratios"`
	Memory  []memory  `json:"memory,omitempty"`
	Build   *building `json:"build,omitempty"`
}

// row is a command and what its runs have cost in one series.
type row struct {
	Series  string   `json:"series"`
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Runs    int      `json:"runs"`
	Failed  int      `json:"failed"`
	Message string   `json:"message,omitempty"` // what a failed one has said
	Wall    spread   `json:"wall_ms"`
	CPU     spread   `json:"cpu_ms"`
	PeakKiB int      `json:"peak_kib"` // the median of the peaks

	wall, cpu, peak []float64
}

// spread is the fastest of some runs, and their quartiles.
type spread struct {
	Least  float64 `json:"least"`
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
}

// ratio compares the median of a row with that of another, or with a sum.
type ratio struct {
	Series  string  `json:"series"`
	Row     string  `json:"row"`
	To      string  `json:"to"`
	Wall    float64 `json:"wall"`
	CPU     float64 `json:"cpu"`
	Fastest float64 `json:"fastest"` // of the fastest runs, not of medians
	Line    float64 `json:"line"`    // for Wall: what is to be reached
}

// summarise computes what is printed from the single runs.
func (r *row) summarise() {
	r.Wall, r.CPU = spreadOf(r.wall), spreadOf(r.cpu)
	r.PeakKiB = int(spreadOf(r.peak).Median)
}

func spreadOf(values []float64) spread {
	return spread{quantile(values, 0), quantile(values, 0.25),
		quantile(values, 0.5), quantile(values, 0.75)}
}

// quantile interpolates between the two values nearest to part q.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	v := sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
	return math.Round(v*1e4) / 1e4
}

// find returns a row that has been measured, or nil.
func (r *report) find(series, name string) *row {
	for _, row := range r.Rows {
		if row.Series == series && row.Name == name && row.Runs > row.Failed {
			return row
		}
	}
	return nil
}

// compare computes the ratios of a file such as lines.tsv; those with a row
// that has not been measured are left out.
func (r *report) compare(file string) error {
	table, err := readTable(file, 4)
	if err != nil {
		return err
	}
	for _, fields := range table {
		x := ratio{Series: fields[0], Row: fields[1], To: fields[2]}
		if x.Line, err = strconv.ParseFloat(fields[3], 64); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		of, to := r.find(x.Series, x.Row), r.sum(x.Series, x.To)
		if of != nil && to != nil {
			x.Wall = of.Wall.Median / to.Wall.Median
			x.CPU = of.CPU.Median / to.CPU.Median
			x.Fastest = of.Wall.Least / to.Wall.Least
			r.Ratios = append(r.Ratios, x)
		}
	}
	return nil
}

// sum adds up rows; a - before a name subtracts.
func (r *report) sum(series, names string) *row {
	var total row
	for _, name := range strings.Fields(names) {
		bare, minus := strings.CutPrefix(name, "-")
		row := r.find(series, bare)
		if row == nil {
			return nil
		}
		sign := 1.0
		if minus {
			sign = -1
		}
		total.Wall.Median += sign * row.Wall.Median
		total.Wall.Least += sign * row.Wall.Least
		total.CPU.Median += sign * row.CPU.Median
	}
	return &total
}

// readTable reads a file with tabs between at least so many fields; # begins
// a comment.
func readTable(file string, fields int) ([][]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var table [][]string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		line := scan.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.Split(line, "\t")
		if len(row) < fields {
			return nil, fmt.Errorf("%s: want %d fields: %q", file, fields, line)
		}
		table = append(table, row)
	}
	return table, nil
}
