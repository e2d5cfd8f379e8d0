package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is where the numbers come from.
type machine struct {
	Kernel  string   `json:"kernel"`
	CPU     string   `json:"cpu"`
	Cores   int      `json:"cores"`
	Cgroups string   `json:"cgroups"`
	CPUID   string   `json:"cpuid_us"` // what the instruction takes
	Load    string   `json:"load"`     // processes that run, on average
	Tools   []string `json:"tools"`
}

func thisMachine(s settings) machine {
	m := machine{
		Kernel:  firstLine(os.ReadFile("/proc/sys/kernel/osrelease")),
		CPU:     runtime.GOARCH,
		Cores:   runtime.NumCPU(),
		Cgroups: "v1",
		CPUID:   firstLine(exec.Command(filepath.Join(s.tools, "cpuid")).Output()),
		Tools:   []string{runtime.Version()},
	}
	load := firstLine(os.ReadFile("/proc/loadavg"))
	m.Load, _, _ = strings.Cut(load, " ")
	if n, _ := strconv.ParseFloat(m.Load, 64); n > 0.5 {
		log.Printf("this machine is busy, its load is %s: expect other "+
			"numbers when it is quiet", m.Load)
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	if _, after, ok := strings.Cut(string(info), "model name\t: "); ok {
		m.CPU = firstLine([]byte(after), nil)
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		m.Cgroups = "v2"
	}
	for _, tool := range [][]string{
		{"unshare", "--version"}, {"ip", "-V"}, {"bwrap", "--version"},
		{"crun", "--version"}, {"runc", "--version"},
		{"podman", "--version"}, {"systemd-nspawn", "--version"},
	} {
		out := firstLine(exec.Command(tool[0], tool[1:]...).Output())
		if out != "" {
			m.Tools = append(m.Tools, out)
		}
	}
	return m
}

func firstLine(text []byte, _ error) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// building is how large the lessons are, and how long `go build` takes.
type building struct {
	Sizes []size  `json:"sizes"`
	One   float64 `json:"one_edited_s"`
	All   float64 `json:"all_edited_s"`
}

type size struct {
	Lesson string  `json:"lesson"`
	MiB    float64 `json:"mib"`
}

// builds edits a copy of the repository, and builds that.
func (s settings) builds() (*building, error) {
	b := &building{}
	lessons, err := filepath.Glob(filepath.Join(s.bin, "0*"))
	if err != nil {
		return nil, err
	}
	for _, lesson := range lessons {
		info, err := os.Stat(lesson)
		if err != nil {
			return nil, err
		}
		b.Sizes = append(b.Sizes,
			size{filepath.Base(lesson), float64(info.Size()) / (1 << 20)})
	}

	copied := filepath.Join(s.tools, "copy")
	if err := os.Mkdir(copied, 0o755); err != nil {
		return nil, err
	}
	cp := exec.Command("sh", "-c", `cp -r "$0"/go.* "$0"/0* "$1"`, s.repo, copied)
	if out, err := cp.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy the lessons: %w: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(copied, "0*", "main.go"))
	if err != nil {
		return nil, err
	}
	var one, all []float64
	for i := range 4 {
		t, err := build(copied, files[:1], 2*i)
		if err != nil {
			return nil, err
		}
		one = append(one, t)
		if t, err = build(copied, files, 2*i+1); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	// The first of each fills the cache.
	b.One, b.All = quantile(one[1:], 0.5), quantile(all[1:], 0.5)
	return b, nil
}

// build edits files and returns the seconds that `go build ./...` takes.
func build(dir string, files []string, edit int) (float64, error) {
	for _, file := range files {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(f, "\nvar edit%d = os.Getenv(\"EDIT%d\")\n", edit, edit)
		if err := f.Close(); err != nil {
			return 0, err
		}
	}
	cmd := exec.Command("go", "build", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w: %s", err, out)
	}
	return time.Since(start).Seconds(), nil
}
