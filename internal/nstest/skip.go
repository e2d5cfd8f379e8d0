//go:build linux

package nstest

import (
	"os"
	"slices"
	"testing"
)

// Reasons for which a test may be left out even where NS_STRICT=1 makes a
// skip a failure.
const (
	// NoAlpine: the archive is no part of the project, and nothing but a
	// test may need it. The same is tested with busybox.
	NoAlpine = "no archive of Alpine's root filesystem in ../shared"

	// NoCgroup: where a user's cgroup is not delegated, all that lesson 08
	// can do is to refuse, which is tested. Root's tests make cgroups.
	NoCgroup = "may not make a cgroup here"

	// OtherCgroups: a host has one version of cgroups. The tests run on
	// both: here, and in the virtual machine.
	OtherCgroups = "this host has the other version of cgroups"
)

var allowed = []string{NoAlpine, NoCgroup, OtherCgroups}

// Skip leaves a test out, and says why. It is the only way to do so.
func Skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("NS_STRICT") == "1" && !slices.Contains(allowed, reason) {
		t.Fatal("may not be skipped: " + reason)
	}
	t.Skip(reason)
}

// NeedRoot is for tests of what only root can do.
func NeedRoot(t *testing.T) {
	t.Helper()
	if !Root() {
		Skip(t, "needs root")
	}
}
