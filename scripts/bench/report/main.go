// report measures the commands that scripts/bench.sh gives it, and says what
// they cost: as a table, as JSON, or in docs/performance.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"time"
)

// settings are what bench.sh asks for.
type settings struct {
	// tools is where measure, stay and the other programs in C are
	tools string
	// rows is the file of commands, lines the one of what is to be reached
	rows, lines string
	// repo is the repository, bin where the lessons are
	repo, bin string

	runs  int           // of each command in each series
	pause time.Duration // between isolated starts
	crowd int           // containers alive, and starts at once

	quick, json, write bool
	v2                 bool   // in the virtual machine with cgroup v2
	from               string // file of an earlier run, instead of a new one
	only               *regexp.Regexp
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var s settings
	flag.StringVar(&s.tools, "tools", "", "")
	flag.StringVar(&s.rows, "rows", "", "")
	flag.StringVar(&s.lines, "lines", "", "")
	flag.StringVar(&s.repo, "repo", "", "")
	flag.StringVar(&s.bin, "bin", "", "")
	flag.IntVar(&s.runs, "runs", 40, "")
	flag.DurationVar(&s.pause, "pause", 100*time.Millisecond, "")
	flag.IntVar(&s.crowd, "crowd", 500, "")
	flag.BoolVar(&s.quick, "quick", false, "")
	flag.BoolVar(&s.json, "json", false, "")
	flag.BoolVar(&s.write, "write", false, "")
	flag.BoolVar(&s.v2, "v2", false, "")
	flag.StringVar(&s.from, "from", "", "")
	only := flag.String("only", "", "")
	flag.Parse()
	s.only = regexp.MustCompile(*only)
	if err := run(s); err != nil {
		log.Fatal(err)
	}
}

func run(s settings) error {
	rep, err := s.report()
	if err != nil {
		return err
	}
	if s.write {
		if err := writeDocs(s, rep); err != nil {
			return err
		}
	}
	if s.json {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(rep); err != nil {
			return err
		}
	} else {
		fmt.Print(rep.text())
	}
	return rep.verdict(s.quick)
}

// report measures, or reads what has been measured.
func (s settings) report() (*report, error) {
	if s.from == "" {
		return measureAll(s)
	}
	text, err := os.ReadFile(s.from)
	if err != nil {
		return nil, err
	}
	rep := &report{}
	if err := json.Unmarshal(text, rep); err != nil {
		return nil, fmt.Errorf("%s: %w", s.from, err)
	}
	return rep, nil
}

// verdict is an error where a start has failed or a line is not reached. A
// quick run is short, and may be on a busy machine: it takes the fastest starts
// if these are nearer, and fails beyond twice the line, or twice what is within
// reach.
func (r *report) verdict(quick bool) error {
	var errs []error
	for _, row := range r.Rows {
		if row.Failed > 0 {
			errs = append(errs, fmt.Errorf("%s, %s: %d of %d failed: %s",
				row.Series, row.Name, row.Failed, row.Runs, row.Message))
		}
	}
	for _, x := range r.Ratios {
		is, line, times := x.Wall, x.Line, ""
		if quick {
			is, times = min(x.Wall, x.Fastest), "twice "
			line = 2 * max(line, r.reach(x))
		}
		if is > line {
			errs = append(errs, fmt.Errorf("%s, %s: %.2f times %s, and the "+
				"line is %s%g", x.Series, x.Row, is, x.To, times, x.Line))
		}
	}
	return errors.Join(errs...)
}

// reach is what two starts of an empty Go program are in the place of a lesson:
// how near a ratio can come to its line on this machine.
func (r *report) reach(x ratio) float64 {
	empty, to := r.sum(x.Series, "go go"), r.sum(x.Series, x.To)
	if empty == nil || to == nil {
		return 0
	}
	return empty.Wall.Median / to.Wall.Median
}
