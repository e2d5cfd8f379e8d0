package main

// What lesson 02 says about mounts: to whom a new one appears.
func drawPropagation() *picture {
	p := newPicture("propagation", 400, "Who sees a new mount?",
		"The host has a shared mount, and three mount namespaces have a copy of it. "+
			"A copy that is shared is a peer: what is mounted on one side appears on the other, "+
			"both ways. To a copy that is a slave, the host's mounts come, and its own go nowhere. "+
			"To a private copy nothing comes, and from it nothing goes.")
	host := rect{12, top, 216, 332}
	p.box("host", host)
	p.text(host.row(6, 34), label, middle, "host")
	mount := rect{host.x + 14, top + 44, host.w - 28, 274}
	p.box("own", mount)
	p.text(mount.row(70, 130), plain, middle, "the mount at /,", "shared,", "as systemd", "makes it")
	for i, c := range []struct {
		kind, what, who string
		way             string
	}{
		{"shared", "a peer of the host's", "if nobody changes it", "both ways"},
		{"slave", "listens to the host", "runc's default", "one way"},
		{"private", "on its own", "our lessons", "nothing"},
	} {
		y := float64(top + i*116)
		box := rect{500, y, 288, 100}
		p.box("wall", box)
		p.text(box.row(6, 32), monoBig, middle, c.kind)
		p.text(box.row(36, 28), plain, middle, c.what)
		p.text(box.row(64, 28), small, middle, c.who)
		from, to := mount.right()+4, box.x-4
		p.text(rect{from, y + 4, to - from, 28}, plain, middle, c.way)
		switch c.kind {
		case "shared":
			p.arrow("line", point{from, y + 46}, point{to, y + 46})
			p.arrow("line", point{to, y + 72}, point{from, y + 72})
		case "slave":
			p.arrow("line", point{from, y + 46}, point{to, y + 46})
			p.line("line dashed", point{to, y + 72}, point{from + 150, y + 72})
			p.cross(point{from + 138, y + 72})
		case "private":
			p.line("line dashed", point{from, y + 46}, point{to - 150, y + 46})
			p.cross(point{to - 138, y + 46})
			p.line("line dashed", point{to, y + 72}, point{from + 150, y + 72})
			p.cross(point{from + 138, y + 72})
		}
	}
	return p
}

// What lesson 05 says about veth pairs, and about what comes after them. The
// addresses are those of its text.
func drawNetwork() *picture {
	p := newPicture("veth-and-bridge", 650, "A veth pair, a bridge, and the way out",
		"Above: what the lesson makes. The host has one end of a veth pair, the device nsl42 with "+
			"the address 10.200.0.169, the container the other, eth0 with 10.200.0.170, and "+
			"its default route leads to the host's end. Below: two rooms, each connected by its "+
			"eth0 to a bridge on the host, nslbr with the address 10.201.0.1. The host has "+
			"nslwan for the internet. A room reaches it by three steps: first, a default "+
			"route to the bridge; second, forwarding on the host; third, address translation "+
			"on what leaves by nslwan.")
	device := func(r rect, name, address string) {
		p.box("own", r)
		p.text(r.row(3, 26), monoBig, middle, name)
		p.text(r.row(27, 24), mono, middle, address)
	}
	veth := func(x, to, y float64) {
		p.line("line", point{x, y - 4}, point{to, y - 4})
		p.line("line", point{x, y + 4}, point{to, y + 4})
	}

	host, room := rect{12, top, 330, 132}, rect{468, top, 320, 132}
	p.box("host", host)
	p.text(host.row(4, 32), label, left, "host")
	p.box("wall", room)
	p.text(room.row(4, 32), label, left, "container")
	y := float64(top + 68)
	veth(322, 488, y)
	p.text(rect{342, y - 46, 126, 30}, plain, middle, "veth")
	device(rect{142, y - 28, 180, 56}, "nsl42", "10.200.0.169/30")
	device(rect{488, y - 28, 180, 56}, "eth0", "10.200.0.170/30")
	lo := rect{700, y - 28, 70, 56}
	p.box("own", lo)
	p.text(lo, monoBig, middle, "lo")
	p.text(room.row(98, 30), small, left, "default via 10.200.0.169")

	const below = top + 160
	host = rect{270, below, 518, 246}
	p.box("host", host)
	p.text(host.row(4, 32), label, left, "host")
	for i, name := range []string{"room 2", "room 3"} {
		room := rect{12, below + float64(i)*128, 206, 118}
		p.box("wall", room)
		p.text(room.row(4, 32), label, left, name)
		p.pill(room.right()-38, room.y+9, "1")
		y := room.y + 72
		veth(204, 290, y)
		device(rect{26, y - 28, 178, 56}, "eth0", []string{"10.201.0.2/24", "10.201.0.3/24"}[i])
		port := rect{290, y - 20, 66, 40}
		p.box("own", port)
		p.text(port, mono, middle, []string{"nsl2", "nsl3"}[i])
	}
	bridge := rect{356, below + 44, 176, 184}
	p.box("shared", bridge)
	p.text(bridge, monoBig, middle, "nslbr")
	p.text(bridge.row(104, 26), mono, middle, "10.201.0.1/24")
	p.text(bridge.row(52, 26), small, middle, "a bridge")
	wan := rect{592, below + 108, 182, 56}
	p.arrow("line", point{bridge.right() + 2, wan.y + 28}, point{wan.x - 3, wan.y + 28})
	p.pill(548, wan.y-8, "2")
	device(wan, "nslwan", "203.0.113.1/24")
	p.pill(wan.right()-30, wan.y-28, "3")
	internet := rect{578, below + 280, 210, 116}
	p.box("wall", internet)
	p.text(internet.row(78, 32), label, left, "internet")
	p.line("line", point{679, wan.bottom()}, point{679, internet.y + 16})
	p.line("line", point{687, wan.bottom()}, point{687, internet.y + 16})
	device(rect{592, internet.y + 16, 182, 56}, "eth0", "203.0.113.2/24")
	for i, step := range []string{
		"a default route in the room, via nslbr",
		"forwarding on the host: ip_forward = 1",
		"NAT: what leaves is from 203.0.113.1",
	} {
		y := float64(below + 288 + i*36)
		p.pill(12, y+4, string(rune('1'+i)))
		p.text(rect{44, y, 500, 30}, plain, left, step)
	}
	return p
}

// What lesson 06 says about user IDs: a line of a uid map is a range inside,
// and one of the same length outside. Who is in no line is nobody.
func drawUIDMaps() *picture {
	p := newPicture("uid-maps", 636, "Who is who: the uid map",
		"Two user namespaces beside the host. In that of lesson 06 the map has one line: 0 inside "+
			"is 1000 outside, one ID. Root inside is you. All other users of the host, root as "+
			"well, are shown inside as 65534, nobody. In the second, that root or newuidmap "+
			"has given a map of two lines, 1 to 65535 inside are 100000 to 165534 outside: IDs "+
			"that nobody else has. The host's root is still nobody inside.")
	panel := func(y, high float64, title string) (inside, host rect) {
		p.text(rect{4, y, 480, 32}, label, left, title)
		inside, host = rect{12, y + 36, 300, high}, rect{488, y + 36, 300, high}
		p.box("wall", inside)
		p.text(inside.row(4, 32), label, middle, "inside")
		p.box("host", host)
		p.text(host.row(4, 32), label, middle, "host")
		return inside, host
	}
	slot := func(r rect, at float64) rect { return rect{r.x + 14, r.y + 42 + at*54, r.w - 28, 44} }
	id := func(class string, r rect, number, who string) rect {
		p.box(class, r)
		p.text(r, value, left, number)
		p.text(r, plain, right, who)
		return r
	}
	arrow := func(inside, host rect, line string) {
		y := inside.y + 26
		p.arrow("line", point{inside.right() + 2, y}, point{host.x - 3, y})
		p.text(rect{312, y - 28, 176, 24}, mono, middle, line)
	}
	nobody := func(inside rect, hosts ...rect) {
		for i, host := range hosts {
			y := inside.y + 14 + float64(i)*16
			p.arrow("line dashed", point{host.x - 2, host.y + 22}, point{440, host.y + 22},
				point{360, y}, point{inside.right() + 3, y})
		}
	}

	inside, host := panel(top, 212, "lesson 06: one line")
	arrow(id("new", slot(inside, 0), "0", "root"), id("own", slot(host, 0), "1000", "you"),
		"0 1000 1")
	nobody(id("gone", slot(inside, 1.5), "65534", "nobody"),
		id("own", slot(host, 1), "0", "root"), id("own", slot(host, 2), "all others", ""))

	inside, host = panel(top+268, 266, "with newuidmap(1): two lines")
	arrow(id("new", slot(inside, 0), "0", "root"), id("own", slot(host, 0), "1000", "you"),
		"0 1000 1")
	arrow(id("new", slot(inside, 1), "1–65535", ""), id("own", slot(host, 1), "100000–165534", ""),
		"1 100000 65535")
	nobody(id("gone", slot(inside, 2.5), "65534", "nobody"),
		id("own", slot(host, 2), "0", "root"), id("own", slot(host, 3), "all others", ""))
	return p
}

// What lesson 07 does, one system call after the other.
func drawPivotRoot() *picture {
	p := newPicture("pivot-root", 704, "pivot_root, step by step",
		"The mounts of the new mount namespace, in six panels. One: / is the host's disk, "+
			"and rootfs is a directory on it. Two: mounted on itself, rootfs is a mount, and the "+
			"process is in it. Three: after pivot_root of dot and dot, rootfs is /, and the old "+
			"root lies on top of it. Four: proc, sys and others are mounted, as long as the old "+
			"root is there. Five: the old root is unmounted, and rootfs is what is left. Six, to "+
			"compare, chroot: / of this process is rootfs, but the host's disk is still the root "+
			"of all mounts, and two dots lead up to it.")
	const w, h = 384, 204
	panel := func(i int, mark, call string) rect {
		r := rect{8 + float64(i%2)*(w+16), top + float64(i/2)*(h+12), w, h}
		p.box("host", r)
		x := p.pill(r.x+10, r.y+10, mark)
		p.text(rect{x, r.y + 4, r.right() - x, 34}, mono, left, call)
		return r
	}
	card := func(class string, r rect, name, what string) {
		p.box(class, r)
		head := measure(name, monoBig) + 8
		p.text(r.row(4, 32), monoBig, left, name)
		p.text(rect{r.x + head, r.y + 4, r.w - head, 32}, plain, left, what)
	}
	for i, call := range []string{"CLONE_NEWNS", "mount --bind rootfs rootfs"} {
		r := panel(i, string(rune('1'+i)), call)
		disk := rect{r.x + 14, r.y + 44, w - 28, 146}
		card("own", disk, "/", "the host's disk")
		dir := rect{disk.x + 30, disk.y + 54, disk.w - 44, 76}
		if i == 0 {
			card("gone", dir, "rootfs/", "")
			p.text(dir.row(36, 32), plain, left, "only a directory")
		} else {
			card("new", dir, "rootfs/", "")
			p.text(dir.row(36, 32), plain, left, "a mount, and we are in it")
		}
	}
	for i, call := range []string{`pivot_root(".", ".")`, "mount proc, sysfs, tmpfs",
		`umount2(".", MNT_DETACH)`} {
		r := panel(2+i, string(rune('3'+i)), call)
		below := rect{r.x + 14, r.y + 82, w - 84, 110}
		class := "own"
		if i == 0 {
			class = "new"
		}
		p.box(class, below)
		p.text(below.row(34, 28), monoBig, left, "/")
		p.text(rect{below.x + 24, below.y + 34, 200, 28}, plain, left, "rootfs")
		if i > 0 {
			class = "own"
			if i == 1 {
				class = "new"
			}
			for j, name := range []string{"/proc", "/sys", "/tmp"} {
				box := rect{below.x + 10 + float64(j)*94, below.bottom() - 44, 84, 34}
				p.box(class, box)
				p.text(box, mono, middle, name)
			}
		}
		above := rect{r.x + 84, r.y + 44, w - 98, 66}
		if i < 2 {
			p.box("shared", above)
			p.text(above, plain, middle, "on top of it: the old root,", "the host's disk")
		} else {
			p.box("gone", above.row(0, 34))
			p.text(above.row(0, 34), plain, middle, "the old root is gone")
		}
	}
	r := panel(5, "not", `chroot("rootfs")`)
	disk := rect{r.x + 14, r.y + 44, w - 28, 146}
	card("own", disk, "/", "of all mounts: the host's disk")
	dir := rect{disk.x + 14, disk.y + 68, 240, 66}
	card("gone", dir, "/", "of this process")
	p.text(dir.row(34, 28), plain, left, "rootfs")
	p.arrow("line", point{dir.right(), dir.y + 33}, point{dir.right() + 44, dir.y + 33},
		point{dir.right() + 44, disk.y + 40})
	p.text(rect{dir.right() + 44, dir.y + 16, 50, 34}, monoBig, left, "..")
	return p
}

// What lesson 08 does in the tree of cgroups.
func drawCgroups() *picture {
	p := newPicture("cgroup-tree", 566, "Where the container is held",
		"The tree of cgroups, as directories below /sys/fs/cgroup. In user.slice, user-1000.slice, "+
			"there are two beside each other: session-1.scope, which holds your shell and the "+
			"lesson's parent, and nsl-4711-20, which the lesson makes. That one holds the "+
			"container, process 4716, with the limits memory.max 32 MiB, pids.max 20 and cpu.max a tenth of a CPU. In "+
			"the cgroup namespace of the container it is the root, and all above it is out of sight.")
	dir := func(class string, r rect, name string) {
		p.box(class, r)
		p.text(r.row(2, 34), monoBig, left, name)
	}
	branch := func(x, from, y, to float64) {
		p.line("line", point{x, from}, point{x, y}, point{to, y})
	}
	dir("own", rect{12, top, 250, 38}, "/sys/fs/cgroup")
	p.text(rect{480, top - 4, 312, 60}, small, right, "cgroup v2. With v1 there is a",
		"tree for each controller.")
	branch(36, top+38, top+76, 60)
	dir("own", rect{60, top + 57, 250, 38}, "system.slice")
	p.text(rect{314, top + 57, 300, 38}, plain, left, "the services")
	branch(36, top+38, top+133, 60)
	dir("own", rect{60, top + 114, 364, 38}, "user.slice/user-1000.slice")
	p.text(rect{428, top + 110, 360, 46}, monoTag, left, "cgroup.subtree_control:",
		"cpu memory pids")

	session := rect{108, top + 172, 330, 108}
	branch(84, top+152, session.y+20, session.x)
	dir("own", session, "session-1.scope")
	p.text(session.row(36, 66), plain, left, "your shell", "08-cgroups, the parent")

	inside := rect{108, top + 300, 680, 196}
	p.box("wall", inside)
	own := rect{124, top + 316, 340, 164}
	branch(84, top+152, own.y+20, own.x)
	dir("new", own, "nsl-4711-20")
	p.text(own.row(36, 28), plain, left, "the container's processes")
	p.text(rect{own.x, own.y + 66, 150, 94}, mono, left, "cgroup.procs", "memory.max",
		"pids.max", "cpu.max")
	p.text(rect{own.x + 142, own.y + 66, 198, 94}, mono, left, "4716", "33554432", "20",
		"10000 100000")
	p.text(rect{476, own.y - 4, 308, 34}, label, left, "the cgroup namespace")
	p.text(rect{476, own.y + 34, 308, 84}, plain, left, "What is inside, sees this",
		"cgroup as /, and nothing", "of what is above it.")
	p.pill(session.right()+20, session.y+9, "beside, not below")
	p.text(rect{session.right() + 12, session.y + 36, 330, 66}, plain, left,
		"A cgroup with processes can", "hand no controller down.")
	return p
}

// The whole: what each lesson gives, and what still ties it to the host.
func drawContainer() *picture {
	p := newPicture("container", 690, "A container of lesson 08",
		"What each lesson gives, and what ties it to the host. 01: process 1 inside is process "+
			"4712 on the host. 02: mounts, and a /proc, of its own. 03: the hostname 08-cgroups, "+
			"not hotel. 04: no message queues, while the host has one. 05: the network devices lo "+
			"and eth0; a veth pair leads from eth0 to nsl42 on the host. 06: root inside is you, user 1000, "+
			"on the host. 07: / inside is the directory rootfs on the host. 08: 64 MiB, 64 processes "+
			"and half a CPU, held by the cgroup nsl-4711-20 on the host.")
	const high, gap = 58, 10
	host := rect{64, top, 316, 8*(high+gap) + 50}
	inside := rect{472, top, 316, host.h}
	p.box("host", host)
	p.text(host.row(4, 34), label, middle, "host")
	p.box("wall", inside)
	p.text(inside.row(4, 34), label, middle, "container")
	for i, t := range []struct{ out, outNote, tie, in, inNote string }{
		{"4712", "a process", "same", "1", "process 1"},
		{"/proc, /home, …", "mounts", "", "its own /proc", "mounts"},
		{"hotel", "hostname", "", "08-cgroups", "hostname"},
		{"key 0xb9ecbef8", "queues", "", "none", "queues"},
		{"nsl42, wlan0", "network", "veth", "eth0, lo", "network"},
		{"uid 1000, you", "user", "map", "uid 0, root", "user"},
		{"rootfs/", "directory", "same", "/", "root directory"},
		{"nsl-4711-20/", "cgroup", "holds", "64 MiB, 64 PIDs", "limits"},
	} {
		y := float64(top + 42 + i*(high+gap))
		p.pill(16, y+18, "0"+string(rune('1'+i)))
		a, b := rect{host.x + 12, y, host.w - 24, high}, rect{inside.x + 12, y, inside.w - 24, high}
		p.box("own", a)
		p.text(a.row(4, 28), monoBig, left, t.out)
		p.text(a.row(30, 24), small, left, t.outNote)
		p.box("own", b)
		p.text(b.row(4, 28), monoBig, left, t.in)
		p.text(b.row(30, 24), small, left, t.inNote)
		if t.tie == "" {
			continue
		}
		mid := y + 38
		p.text(rect{a.right() - 2, y + 2, b.x - a.right() + 4, 26}, plain, middle, t.tie)
		switch t.tie {
		case "veth":
			p.line("line", point{a.right(), mid - 4}, point{b.x, mid - 4})
			p.line("line", point{a.right(), mid + 4}, point{b.x, mid + 4})
		case "holds":
			p.arrow("line", point{a.right() + 2, mid}, point{b.x - 3, mid})
		default:
			half := (a.right() + b.x) / 2
			p.arrow("line", point{half, mid}, point{b.x - 3, mid})
			p.arrow("line", point{half, mid}, point{a.right() + 3, mid})
		}
	}
	return p
}
