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

// Scripts wait more than they compute: so more of them at once than CPUs.
func TestMain(m *testing.M) {
	nstest.DefaultSignals()
	if err := flag.Set("test.parallel", fmt.Sprint(2*runtime.NumCPU())); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
