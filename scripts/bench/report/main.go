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
	only := flag.String("only", "", "")
	flag.Parse()
	s.only = regexp.MustCompile(*only)
	if err := run(s); err != nil {
		log.Fatal(err)
	}
}

func run(s settings) error {
	rep, err := measureAll(s)
	if err != nil {
		return err
	}
	if s.write {
		if err := writeDocs(s.repo, rep); err != nil {
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

// verdict is an error where a start has failed or a line is not reached. A
// quick run is too short for more than twice the line.
func (r *report) verdict(quick bool) error {
	var errs []error
	for _, row := range r.Rows {
		if row.Failed > 0 {
			errs = append(errs, fmt.Errorf("%s, %s: %d of %d failed: %s",
				row.Series, row.Name, row.Failed, row.Runs, row.Message))
		}
	}
	for _, x := range r.Ratios {
		line, times := x.Line, ""
		if quick {
			line, times = 2*line, "twice "
		}
		if x.Wall > line {
			errs = append(errs, fmt.Errorf("%s, %s: %.2f times %s, and the "+
				"line is %s%g", x.Series, x.Row, x.Wall, x.To, times, x.Line))
		}
	}
	return errors.Join(errs...)
}
