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
)

var allowed = []string{NoAlpine}

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
