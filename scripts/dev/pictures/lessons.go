package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"namespaces/internal/lessons"
)

// lesson is a row of the table of lessons.
type lesson struct {
	name  string
	types []string // of namespaces of its own, and "root"
}

// readLessons reads the table of a repository. The root is no namespace: a
// lesson has one of its own when its shell twin has.
func readLessons(repo string) ([]lesson, error) {
	table, err := lessons.Read(repo)
	if err != nil {
		return nil, err
	}
	var all []lesson
	for _, row := range table {
		l := lesson{row.Name, row.Namespaces}
		if row.HasRootfs() {
			l.types = append(l.types, "root")
		}
		all = append(all, l)
	}
	return all, nil
}

func (l lesson) has(kind string) bool { return slices.Contains(l.types, kind) }

// thing is what containers share with the host, or have for themselves.
type thing struct {
	kind, label, below string // below: the type of namespace
	gain               string // the lesson that makes it their own
	shared             string
	host, one, two     string // once it is their own
}

// things are in the order of the lessons.
func things(l lesson) []thing {
	mounts, eth0 := "copy, own /proc", "lo, eth0"
	if l.has("root") {
		mounts = "own /proc, /sys"
	}
	if l.has("user") {
		eth0 = "lo, eth0 (sudo)"
	}
	return []thing{
		{"pid", "processes", "pid", "process numbers of its own",
			"one list of processes", "1 … 4712, 4713", "1 (host: 4712)", "1 (host: 4713)"},
		{"mnt", "mounts", "mnt", "mounts of its own",
			"one list of mounts, and one /proc: the host's", "/proc, /home, …", mounts, mounts},
		{"uts", "hostname", "uts", "a hostname of its own",
			"one hostname: hotel", "hotel", "room-1", "room-2"},
		{"ipc", "queues", "ipc", "queues of its own",
			"the same message queues and shared memory", "key 0xb9ecbef8", "none", "none"},
		{"net", "network", "net", "a network of its own",
			"one network: devices, addresses, ports", "nsl1, nsl2, …", eth0, eth0},
		{"user", "users", "user", "users of its own",
			"the same users: root inside is the host's root", "root, you", "root = you", "root = you"},
		{"root", "root /", "mnt", "a root of its own",
			"one tree of files: the host's", "/ is the disk", "/ is nsl-1/", "/ is nsl-2/"},
		{"cgroup", "limits", "cgroup", "limits of its own",
			"no limits of its own: all memory, all CPUs", "all there is", "64 MiB, 64 PIDs", "64 MiB, 64 PIDs"},
	}
}

// drawLesson draws the last of some lessons: what is shared is a bar through
// the walls of the containers, what is each one's own is a box for each. From
// one lesson to the next, one bar falls into three boxes.
func drawLesson(all []lesson) *picture {
	l, before := all[len(all)-1], lesson{}
	if len(all) > 1 {
		before = all[len(all)-2]
	}
	rows := things(l)
	var fresh, own, shared []string
	title := "Lesson " + l.name[:2] + ":"
	for _, t := range rows {
		switch {
		case !l.has(t.kind):
			shared = append(shared, fmt.Sprintf("%s (%s).", t.label, t.shared))
			continue
		case !before.has(t.kind):
			title += " " + t.gain
			fresh = append(fresh, t.label)
		}
		own = append(own, fmt.Sprintf("%s (host: %s; container one: %s; container two: %s).",
			t.label, t.host, t.one, t.two))
	}
	about := "The host and two containers. New in this lesson: " +
		strings.Join(fresh, ", ") + ". Each has its own: " + strings.Join(own, " ")
	if len(shared) > 0 {
		about += " Shared by all: " + strings.Join(shared, " ")
	}

	const (
		high, gap = 46, 9 // of a row
		first     = top + 46
	)
	bottom := first + float64(len(rows))*(high+gap)
	p := newPicture(l.name, bottom+60, title, about)
	host := rect{130, top, width - 138, bottom - top + 6}
	one := rect{344, top + 8, 216, host.h - 16}
	two := rect{568, top + 8, 216, host.h - 16}
	p.box("host", host)
	p.box("wall", one)
	p.box("wall", two)
	p.text(rect{host.x, top + 8, 206, 36}, label, middle, "host")
	p.text(one.row(0, 36), label, middle, "container one")
	p.text(two.row(0, 36), label, middle, "container two")
	for i, t := range rows {
		y := first + float64(i)*(high+gap)
		p.text(rect{0, y, 128, 25}, label, left, t.label)
		p.text(rect{0, y + 25, 80, 21}, monoTag, left, t.below)
		if !l.has(t.kind) {
			bar := rect{host.x + 10, y, two.right() - 10 - host.x - 10, high}
			p.box("shared", bar)
			p.text(bar, plain, middle, t.shared)
			continue
		}
		class := "own"
		if !before.has(t.kind) {
			class = "new"
			p.pill(71, y+25, "new")
		}
		for j, text := range []string{t.host, t.one, t.two} {
			cell := rect{[]float64{host.x + 10, one.x + 10, two.x + 10}[j], y, 196, high}
			p.box(class, cell)
			p.text(cell, value, middle, text)
		}
	}
	legend(p, bottom+20)
	return p
}

// legend says what the boxes mean.
func legend(p *picture, y float64) {
	x := 8.0
	for _, entry := range []struct {
		class, text string
		w           float64
	}{{"shared", "one for all", 110}, {"own", "its own", 46}, {"new", "new in this lesson", 46}} {
		p.box(entry.class, rect{x + 6, y + 4, entry.w, 22})
		x += entry.w + 8
		w := math.Ceil(measure(entry.text, plain)) + 17
		p.text(rect{x, y, w, 30}, plain, left, entry.text)
		x += w + 24
	}
}
