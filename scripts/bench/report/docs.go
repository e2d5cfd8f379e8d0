package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeDocs puts what has been found into docs/performance.md, between the
// marks that name each part, and draws the picture beside it.
func writeDocs(s settings, r *report) error {
	file := filepath.Join(s.repo, "docs", "performance.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	page := string(text)
	type part struct{ name, text string }
	parts := []part{
		{"machine", r.machineText()},
		{"starts", r.startsTable()},
		{"steps", r.stepsTable()},
		{"many", r.manyTable()},
		{"ratios", r.ratiosTable()},
		{"memory", r.memoryTable()},
	}
	if s.v2 {
		parts = []part{{"v2", r.machineText() + "\n" + r.startsTable()}}
	}
	for _, part := range parts {
		before, rest, ok1 := strings.Cut(page, "<!-- bench: "+part.name+" -->\n")
		_, after, ok2 := strings.Cut(rest, "<!-- /bench -->")
		if !ok1 || !ok2 {
			return fmt.Errorf("%s: no place for %s", file, part.name)
		}
		page = before + "<!-- bench: " + part.name + " -->\n\n" + part.text +
			"\n<!-- /bench -->" + after
	}
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil || s.v2 {
		return err
	}
	picture := filepath.Join(s.repo, "docs", "performance.svg")
	return os.WriteFile(picture, []byte(r.plot()), 0o644)
}

func (r *report) machineText() string {
	m := r.Machine
	return fmt.Sprintf("Linux %s, %d × %s, cgroup %s; the instruction CPUID "+
		"takes %s µs.\nLoad before the first start: %s.\n%s.\n", m.Kernel,
		m.Cores, m.CPU, m.Cgroups, m.CPUID, m.Load, strings.Join(m.Tools, "; "))
}

// tool is a column of the table, and a colour in the plot.
type tool struct{ key, name, colour string }

var tools = []tool{
	{"floor", "the floor", "#888888"},
	{"lesson", "the lesson", "#d62728"},
	{"unshare", "unshare", "#1f77b4"},
	{"bwrap", "bubblewrap", "#2ca02c"},
	{"crun", "crun", "#9467bd"},
	{"runc", "runc", "#8c564b"},
	{"ip", "`ip`", "#e377c2"},
	{"nspawn", "systemd-nspawn", "#17becf"},
	{"podman", "podman", "#bcbd22"},
}

// starts are the rows of the table: the number of a lesson, and what it does.
var starts = []struct{ key, name string }{
	{"01", "01 pid"}, {"02", "02 mount"}, {"03", "03 uts"}, {"04", "04 ipc"},
	{"05", "05 net, lo only"}, {"05-veth", "05 net"},
	{"06", "06 user, lo only"}, {"06-veth", "06 user"},
	{"07", "07 pivot_root, lo only"}, {"07-veth", "07 pivot_root"},
	{"08", "08 cgroups, lo only"}, {"08-veth", "08 cgroups"},
}

// measured are the tools that there is a row of.
func (r *report) measured() []tool {
	var some []tool
	for _, tool := range tools {
		if slices.ContainsFunc(r.Rows, func(row *row) bool {
			return strings.HasPrefix(row.Name, tool.key+"-")
		}) {
			some = append(some, tool)
		}
	}
	return some
}

// startsTable is one row for each lesson, one column for each tool.
func (r *report) startsTable() string {
	var b strings.Builder
	fmt.Fprint(&b, "| ms |")
	tools := r.measured()
	for _, tool := range tools {
		fmt.Fprintf(&b, " %s |", tool.name)
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("--:|", len(tools)))
	for _, start := range starts {
		fmt.Fprintf(&b, "| %s |", start.name)
		for _, tool := range tools {
			if row := r.find(isolated, tool.key+"-"+start.key); row != nil {
				fmt.Fprintf(&b, " %.1f (%.1f) |", row.Wall.Median, row.CPU.Median)
			} else {
				fmt.Fprint(&b, " |")
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// stepsTable is what each step adds to the one before, in the floor and in
// the lessons.
func (r *report) stepsTable() string {
	var b strings.Builder
	fmt.Fprint(&b, "| step | alone in C, ms | in the lesson, ms |\n|---|--:|--:|\n")
	for _, step := range []struct{ name, of, to string }{
		{"fork and exec of a program that does nothing", "exec", ""},
		{"the same, of an empty Go program", "go", ""},
		{"lesson 01: clone with a PID namespace", "01", "exec"},
		{"02: mount namespace, private mounts, `/proc`", "02", "01"},
		{"03: UTS namespace, hostname", "03", "02"},
		{"04: IPC namespace, `/dev/mqueue`", "04", "03"},
		{"05: network namespace, `lo`", "05", "04"},
		{"05: the cable, addresses, a route", "05-veth", "05"},
		{"06: user namespace and its maps", "06", "05"},
		{"07: `/dev`, `pivot_root`, `/sys`, read-only `/proc/sys`", "07", "06"},
		{"08: cgroup with limits, cgroup namespace", "08", "07"},
	} {
		fmt.Fprintf(&b, "| %s |", step.name)
		for _, tool := range []string{"floor-", "lesson-"} {
			of, to := r.step(tool, step.of), r.step(tool, step.to)
			if of == nil || to == nil {
				fmt.Fprint(&b, " |")
				continue
			}
			fmt.Fprintf(&b, " %.2f (%.2f) |", of.Wall.Median-to.Wall.Median,
				of.CPU.Median-to.CPU.Median)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// step finds the row of a step: of the tool, or one that has no tool.
func (r *report) step(tool, name string) *row {
	switch {
	case name == "":
		return &row{}
	case name[0] == '0':
		return r.find(isolated, tool+name)
	case tool == "floor-" || name == "exec":
		return r.find(isolated, name)
	}
	return nil
}

// manyTable shows the series in which starts are not alone.
func (r *report) manyTable() string {
	var b strings.Builder
	fmt.Fprint(&b, "| series | program | ms | q1 to q3 | CPU ms |\n"+
		"|---|---|--:|--:|--:|\n")
	for _, row := range r.Rows {
		if row.Series == isolated || row.Runs == row.Failed {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.1f to %.1f | %.1f |\n", row.Series,
			row.Name, row.Wall.Median, row.Wall.Q1, row.Wall.Q3, row.CPU.Median)
	}
	return b.String()
}

func (r *report) ratiosTable() string {
	var b strings.Builder
	fmt.Fprint(&b, "| series | ratio | time | CPU | to reach | |\n"+
		"|---|---|--:|--:|--:|---|\n")
	for _, x := range r.Ratios {
		fmt.Fprintf(&b, "| %s | %s / (%s) | %.2f | %.2f | %g | %s |\n", x.Series,
			x.Row, x.To, x.Wall, x.CPU, x.Line, x.mark())
	}
	return b.String()
}

func (r *report) memoryTable() string {
	var b strings.Builder
	fmt.Fprint(&b, "| lesson | waiting parent, KiB resident | its share, KiB | "+
		"peak of both halves, KiB | program, MiB |\n|---|--:|--:|--:|--:|\n")
	for i, m := range r.Memory {
		peak := 0
		if row := r.find(isolated, "lesson-"+m.Lesson[:2]); row != nil {
			peak = row.PeakKiB
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %.2f |\n", m.Lesson, m.RSSKiB,
			m.PSSKiB, peak, r.Build.Sizes[i].MiB)
	}
	if r.Build != nil {
		fmt.Fprintf(&b, "\n`go build ./...` takes %.1f s with one file edited, "+
			"%.1f s with one in each lesson.\n", r.Build.One, r.Build.All)
	}
	return b.String()
}
