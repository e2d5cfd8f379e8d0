//go:build linux

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// makeV1 makes a cgroup in each hierarchy of cgroup v1, which has one for each
// controller or a few. Even in one without a limit: or else root inside could
// mount that hierarchy, and freeze the caller. See cgroups(7).
func (cg *cgroup) makeV1(l limits, cgroups string) (err error) {
	set := map[string][]string{
		"memory": {"memory.limit_in_bytes", l.memory,
			"memory.memsw.limit_in_bytes", l.memory, // with swap
			"memory.kmem.tcp.limit_in_bytes", l.memory},
		"pids": {"pids.max", l.pids},
		"cpu":  {"cpu.cfs_quota_us", microseconds(l.cpus)},
	}
	for _, line := range strings.Fields(cgroups) {
		part := strings.SplitN(line, ":", 3) // ID:controller,controller:/path
		names := strings.Split(cmp.Or(part[1], "cgroup2"), ",")
		own := findCgroup(names[0], part[2])
		if own == "" || os.Geteuid() != 0 && set[names[0]] == nil {
			continue // not mounted, or without a limit and not ours
		}
		dir, err := makeCgroup(own)
		if err != nil {
			return err
		}
		if part[1] == "" { // cgroup v2, here without controllers
			cg.dir = dir
			continue
		}
		cg.v1, cg.own = append(cg.v1, dir), append(cg.own, own)
		for _, name := range names {
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				if name == "cpuset" { // while it is empty, nothing could run
					value, _ := os.ReadFile(filepath.Join(own, file))
					err = cmp.Or(err, write(dir, file, string(value)))
				}
			}
			for i := 0; i < len(set[name]); i += 2 {
				err = cmp.Or(err, write(dir, set[name][i], set[name][i+1]))
			}
			delete(set, name)
		}
		if err != nil {
			return err
		}
	}
	for name, s := range set {
		if s[1] != "max" {
			return fmt.Errorf("no cgroup controller %s is mounted", name)
		}
	}
	return nil
}

// findCgroup returns the directory of a cgroup, below the first mount of its
// hierarchy that has it. See proc_pid_mountinfo(5).
func findCgroup(name, path string) string {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(mounts), "\n") {
		mount, super, _ := strings.Cut(line, " - ")
		words := strings.Split(strings.ReplaceAll(super, ",", " "), " ")
		if words[0] != "cgroup" && words[0] != name ||
			!slices.Contains(words, name) {
			continue
		}
		m := strings.Fields(mount)
		rel, _ := filepath.Rel(m[3], path) // begins with .. if it is elsewhere
		dir := filepath.Join(m[4], rel)
		if _, err := os.Stat(dir); err == nil && !strings.HasPrefix(rel, "..") {
			return dir
		}
	}
	return ""
}

// moveTo moves this thread into cgroups: its next child is born in them.
func moveTo(cgroups []string) error {
	for _, dir := range cgroups {
		if err := write(dir, "tasks", "0"); err != nil {
			return err
		}
	}
	return nil
}
