//go:build linux

package scripttest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// ninth adds a lesson to a copy of the course: a directory and a row, no more.
const ninth = `
cp -r *.md docs scripts 0* internal go.mod go.sum "$place"
cd "$place"
scripts/rootfs.sh
cp -r 08-cgroups 09-time
printf '09-time\tpid,mnt,uts,ipc,net,user,cgroup,time\tunshare --time --root rootfs\tlimits\n' \
	>>scripts/lessons.tsv
cd 09-time
rm -r exercises breaks *_test.go
sed -i 's/08-cgroups/09-time/; s/^\texecute/\tmust(newTime())\n&/' *.go *.md
printf '# 09-time: clocks\n\nEach has its own.\n' >README.md
printf '# The ninth\n' >slides.md
cat >time.go <<'EOF'
//go:build linux

package main

import "golang.org/x/sys/unix"

// newTime makes a time namespace, which the next execve(2) enters.
func newTime() error { return unix.Unshare(unix.CLONE_NEWTIME) }
EOF
cat >points.sh <<'EOF'
check_time() {
	point time 'clocks that may be set' "$(wc -l <"/proc/${shell[a]}/timens_offsets")" 2 'Which?'
}
EOF
cat >steps.sh <<'EOF'
step container 'clocks of its own'
first 'bin/09-time'
EOF
cat >tour.sh <<'EOF'
title "clocks of its own"
run cat /proc/self/timens_offsets
expect "clocks" "$(wc -l <<<"$output")" 2
EOF
mkdir breaks
printf 'Do not make it.\n\nNo clocks.\n\nFails: time: the namespace\n\n' >breaks/1-no-newtime.patch
sed '/newTime/d' main.go | diff -u --label a/09-time/main.go --label b/09-time/main.go main.go - \
	>>breaks/1-no-newtime.patch || true`

// TestNinthLesson checks that a directory and a row of scripts/lessons.tsv are enough for a
// new lesson.
func TestNinthLesson(t *testing.T) {
	nstest.Slow(t)
	t.Parallel()
	nstest.NeedRoot(t)
	place := newPlace(t, "ninth", ninth)
	done := func(name string, args ...string) string {
		t.Helper()
		return done(t, in("/", script(place, name, args...)))
	}
	assert.Regexp(t, `(?m)^09-time +pid mnt uts ipc net user cgroup time +ok$`, done("tour.sh"))
	assert.Regexp(t, `(?m)^time +\d+ +\d+ \* +\d+ \*$`, done("compare.sh", "09"))
	assert.Contains(t, done("doctor.sh", "09"), "09-time: ready: in the directory of rootfs\n")
	assert.Contains(t, done("check.sh", "--only", "time", "09", "--",
		place+"/bin/09-time", "-rootfs", place+"/rootfs"), "6 of 6 points hold")
	assert.Contains(t, done("break.sh", "09", "1"), "The check finds this break.")
	assert.Contains(t, done("diff.sh", "09"), "\ntime.go, new\n")
	assert.Contains(t, done("hint.sh", "09"), "1 of 3: A question")
	assert.Contains(t, done("start.sh", "09"), "TODO: 1 new line in lesson 09")
	assert.Regexp(t, `^begun: TODO is in 1 lines$`, workLine(t, place, "09-time"))
	assert.Contains(t, done("progress.sh", "--share", filepath.Join(t.TempDir(), "room"), "me"), " ........o me")

	assert.Equal(t, "1\tfirst\tbin/09-time\tclocks of its own\n", done("follow.sh", "--steps", "09"))
	g := followStart(t, followMachine(t), place+"/scripts/follow.sh", "--lines", "09")
	g.run(place+"/bin/09-time", "-rootfs", place+"/rootfs", "sh")
	g.done(1)

	// At each save the lesson's own point is checked, which wants three of two clocks now.
	diffReplace(t, place+"/work/09-time/main.go", "// TODO: 1 new line in lesson 09", "must(newTime())")
	diffReplace(t, place+"/09-time/points.sh", " 2 ", " 3 ")
	watch := script(place, "check.sh", "--watch", "09")
	watch.Env = append(watch.Env, "TERM=xterm")
	x := nstest.StartTerminal(t, watch)
	x.Expect("time: clocks that may be set: seen 2, expected 3")
	x.Type("q")
	assert.Equal(t, 0, x.Wait())

	out, status := output(t, exec.Command("sh", "-ec", `cd "$0"
		go run ./scripts/dev/pictures
		cd scripts/dev/site
		go run . -repo "$0" -out "$0/public"
		go run . -slides all "$0"/*/slides.md >"$0/public/all.md"`, place))
	require.Zero(t, status, out)
	for file, want := range map[string]string{
		"docs/pictures/09-time.svg": "Lesson 09:",
		"public/09-time.html":       "09-time: clocks",
		"public/all.md":             "# The ninth",
	} {
		text := nstest.Read(t, place, file)
		assert.Contains(t, text, want)
	}
}
