package main

import (
	"fmt"
	"math"
	"strings"

	"namespaces/internal/lessons"
)

// has says whether a lesson has a namespace of that type, or a root of its own. That is not
// a namespace.
func has(l lessons.Lesson, kind string) bool {
	return l.Has(kind) || kind == "root" && l.HasRootfs()
}

// board is in every lesson's picture: two containers, and the host below them.
type board struct {
	*picture
	one, two, host rect
}

func (b board) containers() []rect { return []rect{b.one, b.two} }

// things are what containers share with the host or have for themselves, in the order of
// the lessons.
var things = []struct {
	kind, label, gain string // of a lesson
	about             string // what draw draws
	draw              func(board)
}{
	{"pid", "processes", "process numbers of its own", "Process 1 of container one is process " +
		"4712 of the host, and process 1 of container two is 4713.", board.processes},
	{"mnt", "mounts", "mounts of its own", "The host and each container have a list of mounts. " +
		"From / in each of them an arrow leads to the same disk. The /proc of a container is " +
		"its own, and shows its own processes.", board.mounts},
	{"uts", "hostname", "a hostname of its own", "Each has a name plate: hotel, room-1 and " +
		"room-2.", board.hostname},
	{"ipc", "queues", "queues of its own", "Each has a switchboard whose extension 0 is taken, " +
		"by a queue with another key.", board.queues},
	{"net", "network", "a network of its own", "A veth pair leads from eth0 in each container " +
		"to a device on the host, nsl42 and nsl43. Each container has a lo, too.", board.network},
	{"user", "users", "users of its own", "Root in each container is you, user 1000, on the " +
		"host. Root and all others on the host are shown inside as 65534, nobody.", board.users},
	{"root", "root /", "a root of its own", "The / of container one is the host's directory " +
		"nsl-1, and that of container two is nsl-2.", board.root},
	{"cgroup", "limits", "limits of its own", "Each container has meters for 64 MiB of memory, " +
		"64 processes and half a CPU. A cgroup on the host holds each.", board.limits},
}

// drawLesson draws the last of some lessons: what it adds, and below it the lists that the
// kernel keeps, those of which each container has its own and those that all share. From
// one lesson to the next, one list moves up.
func drawLesson(all []lessons.Lesson) *picture {
	l, before := all[len(all)-1], lessons.Lesson{}
	if len(all) > 1 {
		before = all[len(all)-2]
	}
	var gains, drawn, own, shared []string
	for _, t := range things {
		switch {
		case !has(l, t.kind):
			shared = append(shared, t.label)
			continue
		case !has(before, t.kind):
			gains, drawn = append(gains, t.gain), append(drawn, t.about)
		}
		own = append(own, t.label)
	}
	if len(shared) == 0 {
		shared = []string{"the kernel itself, and its clocks"}
	}
	p := newPicture(l.Name, "Lesson "+l.Name[:2]+": "+strings.Join(gains, ", "),
		fmt.Sprintf("A host and two containers. %s Below, the kernel's lists. One for each: %s. One for all: %s.",
			strings.Join(drawn, " "), strings.Join(own, ", "), strings.Join(shared, ", ")))
	b := board{p, rect{16, top, 616, 224}, rect{648, top, 616, 224}, rect{16, top + 264, 1248, 190}}
	for i, r := range b.containers() {
		p.titled("wall", r, 4, 38, label, left, "container "+[]string{"one", "two"}[i])
	}
	p.titled("host", b.host, 4, 38, label, left, "host")

	y := b.host.bottom() + 14
	for i, side := range [][]string{own, shared} {
		y := y + float64(i)*62
		p.text(rect{8, y, 210, 52}, label, left, []string{"one for each", "one for all"}[i])
		x := 226.0
		for _, name := range side {
			class := []string{"own", "shared"}[i]
			for _, t := range things {
				if t.label == name && has(l, t.kind) && !has(before, t.kind) {
					class = "new"
				}
			}
			w := math.Ceil(measure(name, plain)) + 17
			p.boxed(class, rect{x, y, w, 52}, plain, middle, name)
			x += w + 8
		}
	}
	for _, t := range things {
		if has(l, t.kind) && !has(before, t.kind) {
			t.draw(b)
		}
	}
	return p
}

// center returns a box in the middle of a larger one, dy below its top.
func center(in rect, dy, w, h float64) rect { return rect{in.x + (in.w-w)/2, in.y + dy, w, h} }

// tie connects a box in a container with one on the host.
func (b board) tie(inside, host rect, what string, draw func(a, b point)) {
	x := inside.x + inside.w/2
	draw(point{x, host.y - 3}, point{x, inside.bottom() + 3})
	p := rect{x + 10, b.one.bottom() + 4, 296, 34}
	b.text(p, plain, left, what)
}

func (b board) processes() {
	for i, r := range b.containers() {
		inside := center(r, 76, 240, 76)
		b.entry("new", inside, "1", "bash")
		host := rect{inside.x, b.host.y + 74, 240, 76}
		b.entry("own", host, []string{"4712", "4713"}[i], "bash")
		b.tie(inside, host, "the same process", b.both)
	}
	b.entry("own", center(b.host, 74, 240, 76), "1", "systemd")
}

func (b board) mounts() {
	disk := center(b.host, 72, 300, 96)
	b.boxed("shared", disk, label, middle, "the disk")
	list := func(class string, r rect, proc string) rect {
		b.entry(class, r.row(0, 60), "/proc", proc)
		b.entry(class, r.row(68, 60), "/", "the disk")
		return r.row(0, 128)
	}
	for i, r := range b.containers() {
		l := list("new", center(r, 72, 560, 0), "shows this container")
		x := []float64{560, 720}[i]
		b.arrow("line", point{x, l.bottom() + 3}, point{x, disk.y - 3})
	}
	l := list("own", rect{40, b.host.y + 48, 360, 0}, "shows all")
	b.arrow("line", point{l.right() + 3, l.bottom() - 30}, point{disk.x - 3, l.bottom() - 30})
}

func (b board) hostname() {
	for i, r := range []rect{b.one, b.two, b.host} {
		sign := center(r, 62, 300, 110)
		b.boxed([]string{"new", "new", "own"}[i], sign, plate, middle, []string{"room-1", "room-2", "hotel"}[i])
		for _, x := range []float64{sign.x + 18, sign.right() - 18} { // screws
			for _, y := range []float64{sign.y + 18, sign.bottom() - 18} {
				b.add(`<circle class="head" cx="%g" cy="%g" r="5"/>`, x, y)
			}
		}
	}
}

func (b board) queues() {
	for i, r := range []rect{b.one, b.two, b.host} {
		at := center(r, (r.h-94)/2, 400, 48)
		at.x += 50
		for n := range 5 {
			socket := rect{at.x + float64(n)*84, at.y, 64, 48}
			if n > 0 {
				b.boxed("gone", socket, soft, middle, fmt.Sprint(n))
				continue
			}
			b.boxed([]string{"new", "new", "own"}[i], socket, mono, middle, "0")
			b.line("line", point{socket.x + 32, socket.bottom()}, point{socket.x + 32, at.y + 72})
		}
		b.entry("own", rect{at.x, at.y + 74, 400, 54}, "0x"+[]string{"2bb442fa", "38c434ae", "b9ecbef8"}[i], "a queue")
		b.text(rect{at.x - 150, at.y, 142, 48}, plain, right, "extension")
	}
}

func (b board) network() {
	for i, r := range b.containers() {
		eth0 := center(r, 98, 260, 84)
		host := rect{eth0.x, b.host.y + 64, 260, 84}
		b.device("new", eth0, "eth0", []string{"10.200.0.170/30", "10.200.0.174/30"}[i])
		b.boxed("new", rect{eth0.x - 136, eth0.y, 100, 84}, monoBig, middle, "lo")
		b.device("own", host, []string{"nsl42", "nsl43"}[i], []string{"10.200.0.169/30", "10.200.0.173/30"}[i])
		b.tie(eth0, host, "a veth pair", b.pair)
	}
	wlan := center(b.host, 64, 160, 84)
	b.boxed("own", wlan, monoBig, middle, "wlan0")
}

func (b board) users() {
	you := center(b.host, 78, 360, 70)
	b.entry("own", you, "1000", "you")
	for i, r := range b.containers() {
		root, nobody := rect{r.right() - 284, r.y + 136, 260, 64}, rect{r.x + 24, r.y + 136, 260, 64}
		if i == 1 {
			root.x, nobody.x = nobody.x, root.x
		}
		b.entry("new", root, "0", "root")
		b.entry("gone", nobody, "65534", "nobody")
		b.text(r.row(60, 60), plain, middle, "root of these namespaces, of nothing else")
		x := []float64{you.x + 60, you.right() - 60}[i]
		b.both(point{x, you.y - 3}, point{x, root.bottom() + 3})
		host := rect{nobody.x, you.y, 260, 70}
		b.entry("own", host, []string{"0", "1, 2, …"}[i], []string{"root", "all others"}[i])
		x = nobody.x + 130
		b.arrow("line dashed", point{x, host.y - 3}, point{x, nobody.bottom() + 3})
	}
}

func (b board) root() {
	disk := rect{b.host.x + 20, b.host.y + 48, b.host.w - 40, 124}
	b.box("own", disk)
	b.text(rect{disk.x, disk.y, 60, 124}, monoBig, left, "/")
	b.text(center(disk, 28, 300, 68), label, middle, "the disk")
	for i, r := range b.containers() {
		inside := center(r, 50, 520, 150)
		b.titled("new", inside, 6, 50, monoBig, left, "/")
		for j, name := range []string{"bin", "dev", "proc", "tmp"} {
			dir := rect{inside.x + 20 + float64(j)*124, inside.y + 66, 108, 60}
			b.boxed("own", dir, mono, middle, name)
		}
		host := rect{r.x + r.w/2 - 100, disk.y + 28, 200, 68}
		b.boxed("shared", host, monoBig, middle, []string{"nsl-1/", "nsl-2/"}[i])
		b.tie(inside, host, "the same directory", b.both)
	}
}

func (b board) limits() {
	for i, r := range b.containers() {
		for j, t := range []struct {
			name, limit string
			used        float64
		}{{"memory", "64 MiB", 90}, {"processes", "64", 40}, {"CPU", "a half", 170}} {
			y := r.y + 46 + float64(j)*54
			b.text(rect{r.x + 16, y, 170, 46}, plain, left, t.name)
			b.box("new", rect{r.x + 190, y, 240, 46})
			b.box("shared", rect{r.x + 194, y + 4, t.used, 38})
			b.text(rect{r.x + 436, y, 170, 46}, mono, left, t.limit)
		}
		host := rect{r.x + r.w/2 - 130, b.host.y + 74, 260, 76}
		b.boxed("own", host, monoBig, middle, []string{"nsl-4711-20", "nsl-4712-21"}[i])
		b.tie(rect{host.x, r.y, 260, r.h}, host, "a cgroup holds it",
			func(host, inside point) { b.arrow("line", host, inside) })
	}
}
