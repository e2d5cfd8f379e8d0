package main

import (
	"bytes"
	"fmt"
	"log"
	"math/rand"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The series: how starts follow each other.
const (
	isolated   = "isolated"          // a pause before each
	backToBack = "back to back"      // blocks of one command without a pause
	hundred    = "a hundred at once" // all started, then waited for
	among      = "among 500"         // isolated, with so many alive
)

const block = 10 // starts in a row, back to back

// measureAll runs every series that the settings ask for.
func measureAll(s settings) (*report, error) {
	rep := &report{Machine: thisMachine(s)}
	table, err := readTable(s.rows, 3)
	if err != nil {
		return nil, err
	}
	series := map[string][]*row{}
	for _, fields := range table {
		if s.only.MatchString(fields[1]) {
			r := &row{Series: fields[0], Name: fields[1], Command: fields[2:]}
			series[r.Series] = append(series[r.Series], r)
		}
	}

	s.rounds(series[isolated], s.runs, 1, 1)
	s.rounds(series[backToBack], s.runs/block, block, 1)
	s.rounds(series[hundred], s.runs/8, 1, 100)
	for _, name := range []string{isolated, backToBack, hundred} {
		rep.Rows = append(rep.Rows, series[name]...)
	}
	if rows := series[among]; len(rows) > 0 {
		if err := s.crowded(rep, rows); err != nil {
			return nil, err
		}
	}
	for _, r := range rep.Rows {
		r.summarise()
	}
	if !s.quick && !s.v2 && s.only.String() == "" {
		if rep.Memory, err = s.memories(); err != nil {
			return nil, err
		}
		if rep.Build, err = s.builds(); err != nil {
			return nil, err
		}
	}
	if s.v2 { // the lines are for real machines
		return rep, nil
	}
	return rep, rep.compare(s.lines)
}

// rounds measures rows in turn, each round in another order, so that what
// changes on the machine meanwhile changes it for all. A round of the first
// kind, to warm up, does not count.
func (s settings) rounds(rows []*row, rounds, inARow, atOnce int) {
	if len(rows) == 0 {
		return
	}
	log.Printf("%s: %d commands, %d rounds", rows[0].Series, len(rows), rounds)
	for round := range rounds + 1 {
		for _, i := range rand.Perm(len(rows)) {
			time.Sleep(s.pause)
			for range inARow {
				s.start(rows[i], atOnce, round > 0)
			}
		}
	}
}

// start runs a row's command once, or many at once, and notes what it cost.
func (s settings) start(r *row, atOnce int, counts bool) {
	measure := filepath.Join(s.tools, "measure")
	args := append([]string{"-n", fmt.Sprint(atOnce)}, r.Command...)
	cmd := exec.Command(measure, args...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	// What the command prints stands before measure's own line.
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var wall, cpu, peak float64
	var failed int
	if err == nil {
		_, err = fmt.Sscan(lines[len(lines)-1], &wall, &cpu, &peak, &failed)
	}
	if err != nil || failed > 0 {
		r.Runs++
		r.Failed++
		if r.Message == "" {
			text := strings.TrimSpace(stderr.String())
			r.Message = strings.TrimSpace(fmt.Sprint(text, " ", err))
		}
		return
	}
	if counts {
		r.Runs++
		r.wall = append(r.wall, wall/1e3)
		r.cpu = append(r.cpu, cpu/1e3)
		r.peak = append(r.peak, peak)
	}
}
