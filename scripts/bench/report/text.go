package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// text is what a person reads in the terminal.
func (r *report) text() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Linux %s, %d x %s, cgroup %s, CPUID takes %s us, load %s\n%s\n",
		m.Kernel, m.Cores, m.CPU, m.Cgroups, m.CPUID, m.Load,
		strings.Join(m.Tools, ", "))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	series := ""
	for _, row := range r.Rows {
		if row.Series != series {
			series = row.Series
			fmt.Fprintf(w, "\n%s\tmedian ms\tq1\tq3\tCPU ms\tpeak KiB\truns\t\n",
				series)
		}
		if row.Failed > 0 {
			fmt.Fprintf(w, "%s\t%d of %d failed\t\t\t\t\t\t\n", row.Name,
				row.Failed, row.Runs)
			continue
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t%d\t\n", row.Name,
			row.Wall.Median, row.Wall.Q1, row.Wall.Q3, row.CPU.Median,
			row.PeakKiB, row.Runs)
	}
	if len(r.Ratios) > 0 {
		fmt.Fprint(w, "\nratio of medians\ttime\tCPU\tto reach\t\t\n")
	}
	for _, x := range r.Ratios {
		fmt.Fprintf(w, "%s: %s / (%s)\t%.2f\t%.2f\t%g\t%s\t\n", x.Series,
			x.Row, x.To, x.Wall, x.CPU, x.Line, x.mark())
	}
	if len(r.Memory) > 0 {
		fmt.Fprint(w, "\na parent that waits\tKiB resident\tproportional\t\n")
		for _, m := range r.Memory {
			fmt.Fprintf(w, "%s\t%d\t%d\t\n", m.Lesson, m.RSSKiB, m.PSSKiB)
		}
	}
	if r.Build != nil {
		fmt.Fprint(w, "\nprogram\tMiB\t\n")
		for _, s := range r.Build.Sizes {
			fmt.Fprintf(w, "%s\t%.2f\t\n", s.Lesson, s.MiB)
		}
		fmt.Fprintf(w, "\ngo build ./...\tseconds\t\n")
		fmt.Fprintf(w, "one file edited\t%.2f\t\n", r.Build.One)
		fmt.Fprintf(w, "each lesson edited\t%.2f\t\n", r.Build.All)
	}
	w.Flush()
	return b.String()
}

func (x ratio) mark() string {
	if x.Wall > x.Line {
		return "above"
	}
	return "ok"
}
