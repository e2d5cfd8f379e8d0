//go:build linux

// Package scripttest holds the tests of the scripts in scripts/.
package scripttest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"namespaces/internal/nstest"
)

// Scripts wait far more than they compute, a check that fails above all: so many
// of them at once.
func TestMain(m *testing.M) {
	nstest.DefaultSignals()
	if err := flag.Set("test.parallel", fmt.Sprint(6*runtime.NumCPU())); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
