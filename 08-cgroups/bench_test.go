//go:build linux

package main

import "testing"

// What of a start is not waiting for the kernel: run them with
// go test -run '^$' -bench . ./08-cgroups

func BenchmarkHierarchies(b *testing.B) {
	for range b.N {
		if _, err := hierarchies(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLimits(b *testing.B) {
	for range b.N {
		var l limits
		if l.setMemory("64M") != nil || l.setPids("64") != nil ||
			l.setCPUs("0.5") != nil || len(l.settings()) != 4 {
			b.Fatal("limits that should be right are not: ", l)
		}
	}
}
