//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// none is the word for no limit, in the flags as in the files of cgroup v2.
const none = "max"

// limits are the values of -memory, -pids and -cpus as the kernel takes
// them, or none.
type limits struct {
	memory string // bytes
	pids   string // processes, each thread counts as one
	cpus   string // microseconds in every period of 100000
}

// setMemory reads bytes, or units of 1024 (K), 1024² (M) or 1024³ (G). With
// too little, the kernel would kill the parent as it starts the child: on v1
// that one is in the cgroup, too, for a moment.
func (l *limits) setMemory(value string) error {
	if l.memory = value; value == none {
		return nil
	}
	number, unit := value, uint64(1)
	if last := len(value) - 1; last > 0 {
		power := map[byte]int{'K': 10, 'M': 20, 'G': 30}[value[last]]
		if power > 0 {
			number, unit = value[:last], 1<<power
		}
	}
	const least = 4 << 20
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n > math.MaxInt64/unit || n*unit < least {
		return fmt.Errorf("want 4M or more, as bytes or with K, M, G, or max")
	}
	l.memory = strconv.FormatUint(n*unit, 10)
	return nil
}

// setPids reads a number of processes. The Go runtime needs a few threads to
// get as far as the command: with less it would end in a stack trace.
func (l *limits) setPids(value string) error {
	if l.pids = value; value == none {
		return nil
	}
	const least, most = 16, 1 << 22 // PID_MAX_LIMIT, see proc_sys_kernel(5)
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return fmt.Errorf("want %d to %d, or max", least, most)
	}
	l.pids = strconv.Itoa(n) // 064 would be octal for the kernel
	return nil
}

// setCPUs reads a number of CPUs, such as 0.5, as time in a period.
func (l *limits) setCPUs(value string) error {
	if l.cpus = value; value == none {
		return nil
	}
	const least, most, period = 0.01, 8192, 100000
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || !(n >= least && n <= most) { // NaN is neither
		return fmt.Errorf("want %g to %d, or max", least, most)
	}
	l.cpus = strconv.Itoa(int(n * period))
	return nil
}

// setting is what to write where: see cgroups(7) for v1, and the kernel's
// Documentation/admin-guide/cgroup-v2.rst.
type setting struct {
	controller      string
	file, value     string // on v2
	v1file, v1value string
	optional        bool // not in a kernel that does not count swap
}

func (l limits) settings() []setting {
	all := []setting{
		{"memory", "memory.max", l.memory,
			"memory.limit_in_bytes", l.memory, false},
		// Swap would let a program have more. v1 counts both together.
		{"memory", "memory.swap.max", "0",
			"memory.memsw.limit_in_bytes", l.memory, true},
		{"pids", "pids.max", l.pids,
			"pids.max", l.pids, false},
		{"cpu", "cpu.max", l.cpus + " 100000",
			"cpu.cfs_quota_us", l.cpus, false},
	}
	return slices.DeleteFunc(all, func(s setting) bool {
		return s.v1value == none
	})
}
