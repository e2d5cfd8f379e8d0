//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hierarchy is a tree of cgroups: the one of cgroup v2, or on hybrid and v1
// hosts the one of a v1 controller. See cgroups(7).
type hierarchy struct {
	v1 bool
	// own is the directory of the cgroup that this process is in.
	own string
	// top is the directory where the tree is mounted.
	top string
}

// hierarchies finds them by the names of their controllers; v2 is "".
func hierarchies() (map[string]hierarchy, error) {
	cgroups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find our cgroups: %w%s", err, hint(err))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find the cgroup mounts: %w", err)
	}

	paths := map[string]string{} // line: ID:controller,controller:/path
	for _, line := range strings.Split(string(cgroups), "\n") {
		if part := strings.SplitN(line, ":", 3); len(part) == 3 {
			for _, name := range strings.Split(part[1], ",") {
				paths[name] = part[2]
			}
		}
	}

	found := map[string]hierarchy{} // line: see proc_pid_mountinfo(5)
	for _, line := range strings.Split(string(mounts), "\n") {
		mount, super, _ := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(super)
		if len(m) < 5 || len(s) < 3 {
			continue
		}
		names := []string{""}
		if s[0] == "cgroup" {
			names = strings.Split(s[2], ",")
		} else if s[0] != "cgroup2" {
			continue
		}
		for _, name := range names {
			if path, ok := paths[name]; ok {
				below := strings.TrimPrefix(path, strings.TrimSuffix(m[3], "/"))
				if strings.Contains(below+"/", "../") {
					continue // above the root of our cgroup namespace
				}
				found[name] = hierarchy{
					v1:  s[0] == "cgroup",
					own: filepath.Join(m[4], below),
					top: m[4],
				}
			}
		}
	}
	return found, nil
}
