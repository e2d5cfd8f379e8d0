//go:build linux

package texts

import (
	"regexp"
	"strconv"
	"strings"
)

// firstPID is the first PID that the host of the texts gives, so that PIDs look different
// from other numbers: five digits, of which the first is a 2.
const firstPID = 20000

// initial are the numbers of the namespaces with which Linux starts. They are the same on
// every machine: linux/proc_ns.h has them, except for the last two, which are the first
// that a kernel gives.
var initial = map[string]string{
	"ipc":    "4026531839",
	"uts":    "4026531838",
	"user":   "4026531837",
	"pid":    "4026531836",
	"cgroup": "4026531835",
	"time":   "4026531834",
	"net":    "4026531840",
	"mnt":    "4026531841",
}

// A form is something that differs from run to run.
type form struct {
	name string
	re   string
	// same is set where equality counts: two of them are equal in the text if and only
	// if they are equal on the machine.
	same bool
}

// forms are tried from the first to the last at each place in a line.
var forms = []form{
	{"MAC address", `\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b`, true},
	{"link-local address", `\bfe80::[0-9a-f:]+`, false},
	{"address", `\b10\.200\.\d+\.\d+\b`, true},
	{"date", `\b\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[+-]\d{4})?)?`, false},
	{"date", `\b(?:(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)` +
		` +\d+ +(?:\d\d:\d\d(?::\d\d UTC \d{4})?|\d{4})\b`, false},
	{"time", `\b\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?\b`, false},
	{"durations", `\b\d+\.\d+(?:/\d+\.\d+){2,3} ms\b`, false},
	{"duration", `\b\d+m\d+\.\d+s\b|\b\d+(?:\.\d+)? ?m?s\b`, false},
	{"namespace", `\b40265\d{5}\b`, true},
	{"key", `\b0x[0-9a-f]{8}\b`, true},
	{"scratch directory", `\bnsl\.\w{7}\b`, false},
	{"cgroup", `\bnsl-\d+-\d+\b`, false},
	{"name of check.sh", `\bcheck-\d+\b`, false},
	{"image or container", `\b[0-9a-f]{20,64}\b`, false},
	{"veth", `\bnsl\d+\b`, true},
	// The kernel may notice a second later that both ends are up.
	{"peer", `@if\d+(?: (?:UP|DOWN|LOWERLAYERDOWN|UNKNOWN))?\b`, false},
	{"PID", `\b2\d{4}\b`, true},
	{"version of busybox", `\bBusyBox v\S+ \([^)]*\)`, false},
	{"runs or sleeps", `\b[RS] (?:sh|timeout) `, false}, // on a busy machine
	{"PID inside", `(?:(?i:\bprocess |\bpid |\bthe kernel says )|^\[\d+\][+-]? +)\d{1,4}\b`, false},
}

// constants look like a form, and are themselves.
var constants = map[string]bool{
	"00:00:00:00:00:00": true, "ff:ff:ff:ff:ff:ff": true, "0x00000000": true,
}

// volatile are the columns of tables whose numbers differ from run to run. In columns of
// PIDs, 0 and 1 stand for themselves.
var volatile = map[string]bool{
	"PID": true, "PPID": true, "TGID": true, "NPROCS": true, "%CPU": true,
	"%MEM": true, "VSZ": true, "RSS": true, "START": true, "STIME": true,
	"msqid": true, "shmid": true, "semid": true, "C": true, "NLWP": true,
}

var anyForm = func() *regexp.Regexp {
	var all []string
	for _, f := range forms {
		all = append(all, "("+f.re+")")
	}
	return regexp.MustCompile(strings.Join(all, "|"))
}()

func init() {
	for _, number := range initial {
		constants[number] = true
	}
}

// piece is a part of a line: something that has a form, or the text between two of them.
type piece struct {
	form string // empty for plain text
	same bool
	text string
}

// table remembers which columns of the present table are volatile.
type table map[int]bool

// cut cuts a line into pieces. The number of spaces depends on the width of a number: so
// one space is as good as ten.
func (t *table) cut(text string) []piece {
	fields := strings.Fields(text)
	if header := columns(fields); header != nil {
		*t = header
		return []piece{{text: strings.Join(fields, " ")}}
	}
	if len(fields) == 0 {
		*t = nil
	}
	nspid := len(fields) > 1 && fields[0] == "NSpid:"
	var pieces []piece
	for i, field := range fields {
		if !(*t)[i] && !nspid || !number(field) || field == "0" ||
			field == "1" || len(field) == 5 && field[0] == '2' {
			continue
		}
		// This marks it for the scan below, which looks at the whole line.
		fields[i] = "\x00" + field + "\x00"
	}
	for i, part := range strings.Split(strings.Join(fields, " "), "\x00") {
		if i%2 == 1 {
			pieces = append(pieces, piece{form: "number", text: part})
			continue
		}
		pieces = append(pieces, scan(part)...)
	}
	return pieces
}

func number(field string) bool {
	_, err := strconv.ParseFloat(field, 64)
	return err == nil
}

// columns returns the volatile ones if these are the fields of a header.
func columns(fields []string) table {
	found := table{}
	for i, field := range fields {
		if volatile[field] {
			found[i] = true
		} else if field != strings.ToUpper(field) && fields[0] != "key" {
			return nil // it is a sentence with PID in it
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// scan finds the forms in a part of a line.
func scan(text string) []piece {
	var pieces []piece
	plain := func(s string) {
		if s != "" {
			pieces = append(pieces, piece{text: s})
		}
	}
	from := 0
	for _, m := range anyForm.FindAllStringSubmatchIndex(text, -1) {
		found := text[m[0]:m[1]]
		if constants[found] || strings.HasSuffix(found, " 0") ||
			strings.HasSuffix(found, " 1") {
			continue
		}
		plain(text[from:m[0]])
		for i, f := range forms {
			if m[2+2*i] >= 0 {
				pieces = append(pieces, piece{f.name, f.same, found})
			}
		}
		from = m[1]
	}
	plain(text[from:])
	return pieces
}

// pairs holds which number of the text stands for which one of the machine.
type pairs struct{ there, back map[string]string }

func newPairs() pairs {
	return pairs{map[string]string{}, map[string]string{}}
}

func (p pairs) clone() pairs {
	c := newPairs()
	for text, machine := range p.there {
		c.there[text], c.back[machine] = machine, text
	}
	return c
}

// fit notes that a number of the text stands for one of the machine, unless either
// is paired with a different number already.
func (p pairs) fit(text, machine string) bool {
	if old, ok := p.there[text]; ok {
		return old == machine
	}
	if _, ok := p.back[machine]; ok {
		return false
	}
	p.there[text], p.back[machine] = machine, text
	return true
}

// ellipsis stands in a text for any number of lines.
const ellipsis = "…"

func isEllipsis(text string) bool { return strings.TrimSpace(text) == ellipsis }

// comparison compares a block with the machine. Numbers that are equal in two outputs of
// the block have to be equal on the machine.
type comparison struct{ pairs pairs }

// output compares one command's output with what the text says.
func (c *comparison) output(want, got []string) bool {
	var wantTable, gotTable table
	cutAll := func(lines []string, t *table) [][]piece {
		var all [][]piece
		for _, text := range lines {
			all = append(all, t.cut(text))
		}
		return all
	}
	p, ok := match(want, cutAll(want, &wantTable), cutAll(got, &gotTable), c.pairs)
	if ok {
		c.pairs = p
	}
	return ok
}

// match returns what fits, and whether all of it does.
func match(text []string, want, got [][]piece, p pairs) (pairs, bool) {
	if len(want) == 0 {
		return p, len(got) == 0
	}
	if isEllipsis(text[0]) {
		for skip := 0; skip <= len(got); skip++ {
			if q, ok := match(text[1:], want[1:], got[skip:], p); ok {
				return q, true
			}
		}
		return p, false
	}
	if len(got) == 0 {
		return p, false
	}
	q := p.clone()
	if !q.line(want[0], got[0]) {
		return p, false
	}
	return match(text[1:], want[1:], got[1:], q)
}

// line compares two lines.
func (p pairs) line(want, got []piece) bool {
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		g := got[i]
		if w.form != g.form || w.form == "" && w.text != g.text {
			return false
		}
		if w.same && !p.fit(w.text, g.text) {
			return false
		}
	}
	return true
}

// refresh returns what -update writes: the machine's output, cut where the text cuts its
// own, as far as that is clear.
func refresh(want, got []string) []string {
	var cuts []int
	for i, text := range want {
		if isEllipsis(text) {
			cuts = append(cuts, i)
		}
	}
	if len(cuts) != 1 {
		return got
	}
	head, tail := cuts[0], len(want)-cuts[0]-1
	if head+tail >= len(got) {
		return got
	}
	out := append([]string{}, got[:head]...)
	out = append(out, want[head])
	return append(out, got[len(got)-tail:]...)
}
