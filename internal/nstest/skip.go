//go:build linux

package nstest

import (
	"os"
	"slices"
	"testing"
)

// Reasons that may leave out a test even where NS_STRICT=1 makes a skip a failure.
const (
	// NoAlpine: only tests use the archive, which is not part of the repository.
	// The same is tested with busybox.
	NoAlpine = "no archive of Alpine's root filesystem in ../shared"

	// NoCgroup: where a user's cgroup is not delegated, lesson 08 can only refuse,
	// which is tested. Root's tests make cgroups.
	NoCgroup = "may not make a cgroup here"

	// OtherCgroups: a host has one version of cgroups. The tests run on both, one
	// here and the other in the virtual machine.
	OtherCgroups = "this host has the other version of cgroups"

	// NoPage: the machine of the lesson pages takes minutes to build. test.sh runs
	// its tests when it is there, beside the rest.
	NoPage = "the Linux of the pages is for scripts/dev/machine/test.sh"

	// leftOut: takes many builds, or seconds of a processor.
	leftOut = "slow: -short leaves it out, and so does scripts/test.sh --quick"

	// The tests of lessons 06 to 08 run as root and as an ordinary user.
	rootsPart = "root's part: this runs when root runs the tests"
	usersPart = "a user's part: this runs when a user runs the tests"
)

var allowed = []string{
	NoAlpine, NoCgroup, OtherCgroups, NoPage, leftOut, rootsPart, usersPart,
}

// Skip leaves out a test, and says why. Nothing else may skip: scripts/test.sh counts
// what this prints.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("NS_STRICT") == "1" && !slices.Contains(allowed, reason) {
		t.Fatal("may not be skipped: " + reason)
	}
	t.Skip("skipped: " + reason)
}

// Slow is for a test that `go test -short` leaves out.
func Slow(t testing.TB) {
	t.Helper()
	if testing.Short() {
		Skip(t, leftOut)
	}
}

// OnlyRoot is for what a lesson does for root alone, though everybody can run it.
func OnlyRoot(t testing.TB) {
	t.Helper()
	if !Root() {
		Skip(t, rootsPart)
	}
}

// OnlyUser is for what it does for ordinary users alone.
func OnlyUser(t testing.TB) {
	t.Helper()
	if Root() {
		Skip(t, usersPart)
	}
}

// NeedRoot is for the lessons that only root can run.
func NeedRoot(t *testing.T) {
	t.Helper()
	if !Root() {
		Skip(t, "needs root")
	}
}
