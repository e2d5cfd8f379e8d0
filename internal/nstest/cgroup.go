//go:build linux

package nstest

import "sync"

// NoLimits are the flags with which lesson 08 makes no cgroup.
var NoLimits = []string{"-memory", "max", "-pids", "max", "-cpus", "max"}

var cgroupWritable = sync.OnceValue(func() bool {
	return Root() // TODO
})

// CgroupWritable tells whether this user may make a cgroup here.
func CgroupWritable() bool { return cgroupWritable() }
