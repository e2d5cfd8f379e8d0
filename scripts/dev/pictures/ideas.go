package main

import "fmt"

// The image with which the lessons begin: the machine is a hotel.
func drawHotel() *picture {
	p := newPicture("hotel", "A machine is a hotel",
		"A house with a roof. Upstairs two rooms, the containers. Room one has a door number "+
			"(processes), furniture (mounts), a name plate (hostname), a house telephone (queues), a "+
			"line to the street (network), a master of the room (users), a floor plan (root), and a "+
			"meter on the wall (limits). Room two has the same eight, of its own. Downstairs is the "+
			"management, the host: it sees every room. All stand on one kernel.")
	p.line("line", point{24, 148}, point{640, 78}, point{1256, 148})
	p.text(rect{440, 92, 400, 60}, plate, middle, "hotel")
	one, two := rect{40, 158, 800, 352}, rect{856, 158, 384, 352}
	p.titled("wall", one, 4, 42, label, left, "room one, a container")
	for i, t := range [][2]string{{"door number", "processes"}, {"furniture", "mounts"},
		{"name plate", "hostname"}, {"house telephone", "queues"}, {"line to the street", "network"},
		{"master of the room", "users"}, {"floor plan", "root /"}, {"meter on the wall", "limits"}} {
		at := rect{one.x + 14 + float64(i/4)*396, one.y + 52 + float64(i%4)*74, 0, 0}
		x := p.pill(at.x, at.y+16, fmt.Sprintf("0%d", i+1))
		p.text(rect{x, at.y, 330, 36}, label, left, t[0])
		p.text(rect{x, at.y + 34, 330, 34}, soft, left, t[1])
	}
	p.titled("wall", two, 4, 42, label, left, "room two")
	p.text(two.row(90, 180), plain, middle, "the same eight,", "of its own,", "and it believes", "itself alone")
	p.boxed("host", rect{40, 520, 1200, 74}, label, left, "management: the host")
	p.text(rect{640, 520, 600, 74}, plain, right, "sees every room, by numbers of its own")
	p.boxed("shared", rect{40, 604, 1200, 74}, label, left, "the kernel")
	p.text(rect{300, 604, 940, 74}, plain, right, "one for all. It keeps the lists: one for each room, or one for all")
	return p
}

// What lesson 02 says about mounts: where a new one appears.
func drawPropagation() *picture {
	p := newPicture("propagation", "Who sees a new mount?",
		"The host has a shared mount, and three mount namespaces have a copy of it. "+
			"A copy that is shared is a peer: what is mounted on one side appears on the other, "+
			"both ways. To a copy that is a slave, the host's mounts come, and its own go nowhere. "+
			"To a private copy nothing comes, and from it nothing goes.")
	host := rect{16, top, 350, 604}
	p.titled("host", host, 8, 44, label, middle, "host")
	mount := rect{host.x + 20, top + 60, host.w - 40, 524}
	p.boxed("own", mount, plain, middle, "the mount at /,", "shared,", "as systemd", "makes it")
	for i, c := range []struct{ kind, what, who, way string }{
		{"shared", "a peer of the host's", "if nobody changes it", "both ways"},
		{"slave", "listens to the host", "runc's default", "one way"},
		{"private", "on its own", "our lessons", "nothing"},
	} {
		y := float64(top + i*207)
		box := rect{824, y, 440, 190}
		p.titled("wall", box, 16, 52, monoBig, middle, c.kind)
		p.text(box.row(68, 46), plain, middle, c.what)
		p.text(box.row(118, 46), soft, middle, c.who)
		from, to := mount.right()+4, box.x-4
		p.text(rect{from, y + 16, to - from, 44}, plain, middle, c.way)
		there, back := y+88, y+132
		if c.kind == "private" {
			p.line("line dashed", point{from, there}, point{from + 240, there})
			p.cross(point{from + 222, there}, 13)
		} else {
			p.arrow("line", point{from, there}, point{to, there})
		}
		if c.kind == "shared" {
			p.arrow("line", point{to, back}, point{from, back})
		} else {
			p.line("line dashed", point{to, back}, point{to - 240, back})
			p.cross(point{to - 222, back}, 13)
		}
	}
	return p
}

// What comes after a veth pair in lesson 05, with the addresses of its text.
func drawNetwork() *picture {
	p := newPicture("veth-and-bridge", "Veth pairs, a bridge, and the way out",
		"Two rooms, each connected by a veth pair from its eth0 to a bridge on the host, nslbr "+
			"with the address 10.201.0.1. The host has nslwan for the internet. A room "+
			"reaches it by three steps: first, a default route to the bridge; second, "+
			"forwarding on the host; third, address translation on what leaves by nslwan.")
	host := rect{396, top, 868, 340}
	p.titled("host", host, 6, 40, label, left, "host")
	for i, name := range []string{"room 2", "room 3"} {
		room := rect{16, top + float64(i)*176, 316, 164}
		p.titled("wall", room, 6, 40, label, left, name)
		p.pill(room.right()-50, room.y+10, "1")
		y := room.y + 106
		p.pair(point{300, y}, point{424, y})
		p.device("own", rect{34, y - 42, 266, 84}, "eth0", []string{"10.201.0.2/24", "10.201.0.3/24"}[i])
		port := rect{424, y - 28, 92, 56}
		p.boxed("own", port, mono, middle, []string{"nsl2", "nsl3"}[i])
	}
	bridge := rect{516, top + 50, 270, 272}
	p.titled("shared", bridge, 60, 40, soft, middle, "a bridge")
	p.text(bridge.row(106, 40), monoBig, middle, "nslbr")
	p.text(bridge.row(152, 40), mono, middle, "10.201.0.1/24")
	wan := rect{968, top + 144, 270, 84}
	p.arrow("line", point{bridge.right() + 3, wan.y + 42}, point{wan.x - 3, wan.y + 42})
	p.pill(856, wan.y-6, "2")
	p.device("own", wan, "nslwan", "203.0.113.1/24")
	p.pill(wan.right()-40, wan.y-42, "3")
	internet := rect{942, top + 396, 322, 200}
	p.titled("wall", internet, 144, 44, label, middle, "internet")
	eth0 := rect{968, internet.y + 44, 270, 84}
	p.pair(point{1103, wan.bottom()}, point{1103, eth0.y})
	p.device("own", eth0, "eth0", "203.0.113.2/24")
	for i, step := range []string{
		"a default route in the room, via nslbr",
		"forwarding on the host: ip_forward = 1",
		"NAT: what leaves is from 203.0.113.1",
	} {
		y := float64(top + 396 + i*66)
		x := p.pill(24, y+8, fmt.Sprint(i+1))
		p.text(rect{x + 8, y, 800, 50}, plain, left, step)
	}
	return p
}

// What lesson 06 says about user IDs: a line of a uid map is a range inside and a range
// of the same length outside. An ID in no line is nobody.
func drawUIDMaps() *picture {
	p := newPicture("uid-maps", "Who is who: the uid map",
		"Two user namespaces beside the host. In that of lesson 06 the map has one line: 0 inside "+
			"is 1000 outside, one ID. Root inside is you. All other users of the host, root as "+
			"well, are shown inside as 65534, nobody. In the second, that root or newuidmap "+
			"has given a map of two lines, 1 to 65535 inside are 100000 to 165534 outside: IDs "+
			"that nobody else has. The host's root is still nobody inside.")
	type user struct {
		class, number, who string
		at                 float64 // place from the top
	}
	panel := func(x float64, title string, mapped int, inside, host []user, uidMap ...string) {
		p.text(rect{x, top, 616, 42}, label, left, title)
		for i, line := range uidMap {
			p.text(rect{x, top + 46 + float64(i)*38, 616, 36}, mono, left, line)
		}
		in, out := rect{x, top + 140, 250, 464}, rect{x + 340, top + 140, 260, 464}
		slot := func(r rect, u user) rect {
			s := rect{r.x + 12, r.y + 56 + u.at*98, r.w - 24, 68}
			p.entry(u.class, s, u.number, u.who)
			return s
		}
		p.titled("wall", in, 6, 42, label, middle, "inside")
		p.titled("host", out, 6, 42, label, middle, "host")
		for i, u := range host {
			outside := slot(out, u)
			y := outside.y + 34
			if i < mapped {
				slot(in, inside[i])
				p.arrow("line", point{in.right() - 9, y}, point{outside.x - 3, y})
				continue
			}
			if i == mapped {
				slot(in, inside[i])
			}
			to := in.y + 56 + inside[mapped].at*98 + 22 + float64(i-mapped)*24
			p.arrow("line dashed", point{outside.x - 3, y}, point{x + 326, y},
				point{x + 286, to}, point{in.right() - 9, to})
		}
	}
	root, nobody := user{"new", "0", "root", 0}, user{"gone", "65534", "nobody", 1.5}
	you, hostRoot := user{"own", "1000", "you", 0}, user{"own", "0", "root", 1}
	others := user{"own", "all others", "", 2}
	panel(16, "lesson 06: one line", 1, []user{root, nobody}, []user{you, hostRoot, others}, "0 1000 1")
	nobody.at, hostRoot.at, others.at = 2.5, 2, 3
	panel(664, "with newuidmap(1): two lines", 2, []user{root, {"own", "1–65535", "", 1}, nobody},
		[]user{you, {"own", "100000–165534", "", 1}, hostRoot, others}, "0 1000 1", "1 100000 65535")
	return p
}

// What lesson 07 does, step by step.
func drawPivotRoot() *picture {
	p := newPicture("pivot-root", "pivot_root in four steps",
		"The mounts of the new mount namespace, in six panels. Before: / is the host's disk, "+
			"and rootfs is a directory on it. Step one: mounted on itself, rootfs is a mount, and the "+
			"process is in it. Two: proc, sys, dev and tmp are mounted in it, as long as "+
			"the old root is there. Three: after pivot_root of dot and dot, rootfs is /, and the "+
			"old root lies on top of it. Four: the old root is unmounted, crossed out, and rootfs is "+
			"what is left. To compare, chroot: / of this process is rootfs, but the host's disk "+
			"is still the root of all mounts, and two dots lead up to it.")
	const w, h = 408, 300
	panel := func(i int, mark string, s style, call string) rect {
		r := rect{16 + float64(i%3)*(w+12), top + float64(i/3)*(h+12), w, h}
		p.box("host", r)
		x := p.pill(r.x+10, r.y+10, mark)
		p.text(rect{x, r.y + 6, r.right() - x, 42}, s, left, call)
		return rect{r.x + 14, r.y + 56, w - 28, h - 70}
	}
	card := func(class string, r rect, name, what string) {
		p.titled(class, r, 6, 42, monoBig, left, name)
		head := measure(name, monoBig) + 10
		p.text(rect{r.x + head, r.y + 6, r.w - head, 42}, plain, left, what)
	}
	filled := func(class string, r rect) {
		for i, name := range []string{"proc", "sys", "dev", "tmp"} {
			dir := rect{r.x + 8 + float64(i)*84, r.bottom() - 60, 78, 50}
			p.boxed(class, dir, mono, middle, name)
		}
	}
	for i, step := range []struct{ mark, call, class string }{
		{"before", "", "gone"},
		{"1", "bind rootfs on itself", "new"},
		{"2", "bind /proc and others", "own"},
	} {
		disk := panel(i, step.mark, plain, step.call)
		card("own", disk, "/", "the host's disk")
		dir := rect{disk.x + 16, disk.y + 66, disk.w - 30, 148}
		card(step.class, dir, "rootfs/", "")
		switch i {
		case 0:
			p.text(dir.row(66, 60), plain, left, "only a directory")
		case 1:
			p.text(dir.row(66, 60), plain, left, "a mount, and we are in it")
		default:
			filled("new", dir)
		}
	}
	in := panel(3, "3", mono, `pivot_root(".", ".")`)
	below := rect{in.x, in.y + 60, in.w - 26, 170}
	p.box("new", below)
	p.text(rect{below.x, below.y + 56, 60, 44}, monoBig, left, "/")
	filled("own", below)
	above := rect{in.x + 60, in.y + 4, in.w - 60, 108}
	p.boxed("shared", above, plain, middle, "on top: the old root,", "the host's disk")

	in = panel(4, "4", plain, "unmount the old root")
	below = rect{in.x, in.y + 60, in.w - 26, 170}
	gone := rect{in.x + 60, in.y + 4, in.w - 60, 108}
	card("own", below, "", "")
	p.text(rect{below.x, below.y + 56, 60, 44}, monoBig, left, "/")
	filled("own", below)
	p.box("gone", gone)
	p.line("line", point{gone.x, gone.y}, point{gone.right(), gone.bottom()})
	p.line("line", point{gone.x, gone.bottom()}, point{gone.right(), gone.y})

	disk := panel(5, "not", mono, `chroot("rootfs")`)
	card("own", disk, "/", "of all mounts: the disk")
	dir := rect{disk.x + 14, disk.y + 90, 250, 120}
	card("gone", dir, "/", "of this process")
	p.text(dir.row(58, 50), plain, left, "rootfs")
	corner := point{dir.right() + 40, dir.y + 60}
	p.arrow("line", point{dir.right(), corner.y}, corner, point{corner.x, disk.y + 54})
	p.text(rect{corner.x, corner.y - 22, 70, 44}, monoBig, left, "..")
	return p
}

// What lesson 08 does in the tree of cgroups.
func drawCgroups() *picture {
	p := newPicture("cgroup-tree", "Where the container is held",
		"The tree of cgroups, as directories below /sys/fs/cgroup. In user.slice, user-1000.slice, "+
			"there are two beside each other: session-1.scope, which holds your shell and the "+
			"lesson's parent, and nsl-4711-20, which the lesson makes. That one holds the "+
			"container, process 4716, with the limits memory.max 32 MiB, pids.max 20 and cpu.max a tenth of a CPU. In "+
			"the cgroup namespace of the container it is the root, and all above it is out of sight.")
	dir := func(class string, r rect, name string) {
		p.titled(class, r, 4, 42, monoBig, left, name)
	}
	branch := func(x, from, y, to float64) {
		p.line("line", point{x, from}, point{x, y}, point{to, y})
	}
	dir("own", rect{16, top, 300, 50}, "/sys/fs/cgroup")
	p.text(rect{560, top, 704, 50}, soft, right, "cgroup v2. With v1: a tree for each controller.")
	branch(46, top+50, top+87, 84)
	dir("own", rect{84, top + 62, 300, 50}, "system.slice")
	p.text(rect{390, top + 62, 300, 50}, plain, left, "the services")
	branch(46, top+50, top+149, 84)
	dir("own", rect{84, top + 124, 460, 50}, "user.slice/user-1000.slice")
	p.text(rect{560, top + 116, 704, 70}, mono, left, "cgroup.subtree_control:", "cpu memory pids")

	session := rect{160, top + 194, 430, 126}
	branch(114, top+174, session.y+26, session.x)
	dir("own", session, "session-1.scope")
	p.text(session.row(46, 72), plain, left, "your shell", "08-cgroups, the parent")
	x := session.right() + 12
	p.pill(x+8, session.y+8, "beside, not below")
	p.text(rect{x, session.y + 48, 640, 70}, plain, left,
		"A cgroup with processes can hand", "no controller down.")

	inside := rect{160, top + 336, 1104, 276}
	p.box("wall", inside)
	own := rect{180, inside.y + 16, 520, 244}
	branch(114, top+174, own.y+26, own.x)
	dir("new", own, "nsl-4711-20")
	p.text(own.row(48, 40), plain, left, "the container's processes")
	p.text(rect{own.x, own.y + 94, 230, 140}, mono, left, "cgroup.procs", "memory.max",
		"pids.max", "cpu.max")
	p.text(rect{own.x + 230, own.y + 94, 280, 140}, mono, left, "4716", "33554432", "20",
		"10000 100000")
	p.text(rect{724, own.y, 530, 44}, label, left, "the cgroup namespace")
	p.text(rect{724, own.y + 58, 530, 110}, plain, left, "What is inside, sees this",
		"cgroup as /, and nothing", "of what is above it.")
	return p
}

// The whole container: what each lesson gives to it, and what still ties it to the host.
func drawContainer() *picture {
	p := newPicture("container", "A container of lesson 08",
		"What each lesson gives, and what ties it to the host. 01: process 1 inside is process "+
			"4712 on the host. 02: mounts, and a /proc, of its own. 03: the hostname 08-cgroups, "+
			"not hotel. 04: no message queues, while the host has one. 05: the network devices lo "+
			"and eth0; a veth pair leads from eth0 to nsl42 on the host. 06: root inside is you, user 1000, "+
			"on the host. 07: / inside is the directory rootfs on the host. 08: 64 MiB, 64 processes "+
			"and half a CPU, held by the cgroup nsl-4711-20 on the host.")
	const high, gap = 62, 8
	host := rect{92, top, 500, 8*(high+gap) + 56}
	inside := rect{764, top, 500, host.h}
	p.titled("host", host, 6, 42, label, middle, "host")
	p.titled("wall", inside, 6, 42, label, middle, "container")
	for i, t := range []struct{ out, outNote, tie, in, inNote string }{
		{"4712", "a process", "same", "1", "a process"},
		{"/proc, /home, …", "mounts", "", "/proc", "mounts"},
		{"hotel", "hostname", "", "08-cgroups", "hostname"},
		{"0xb9ecbef8", "queues", "", "none", "queues"},
		{"nsl42, wlan0", "network", "veth", "eth0, lo", "network"},
		{"1000, you", "user", "map", "0, root", "user"},
		{"rootfs/", "directory", "same", "/", "root directory"},
		{"nsl-4711-20/", "cgroup", "holds", "64 MiB, 64 PIDs", "limits"},
	} {
		y := float64(top + 52 + i*(high+gap))
		p.pill(24, y+14, "0"+string(rune('1'+i)))
		a, b := rect{host.x + 12, y, host.w - 24, high}, rect{inside.x + 12, y, inside.w - 24, high}
		p.entry("own", a, t.out, t.outNote)
		p.entry("own", b, t.in, t.inNote)
		if t.tie == "" {
			continue
		}
		p.text(rect{host.right(), y - 4, inside.x - host.right(), 36}, plain, middle, t.tie)
		from, to := point{a.right() + 3, y + 45}, point{b.x - 3, y + 45}
		switch t.tie {
		case "veth":
			p.pair(from, to)
		case "holds":
			p.arrow("line", from, to)
		default:
			p.both(from, to)
		}
	}
	return p
}
