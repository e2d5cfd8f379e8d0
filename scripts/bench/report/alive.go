package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memory is what one container's parent holds while its command runs, with
// others of the same lesson alive.
type memory struct {
	Lesson string `json:"lesson"`
	RSSKiB int    `json:"rss_kib"`
	PSSKiB int    `json:"pss_kib"`
}

// crowd is a number of containers that stay until they are let go.
type crowd struct {
	pids  []int
	stdin io.Closer
	ended chan error // one from each
}

// gather starts containers, and returns when the command runs in all.
func gather(n int, command ...string) (*crowd, error) {
	stdin, release, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	says, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer says.Close()
	c := &crowd{stdin: release, ended: make(chan error, n)}
	for range n {
		var stderr bytes.Buffer
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &stderr
		if err := cmd.Start(); err != nil {
			c.dismiss()
			return nil, err
		}
		c.pids = append(c.pids, cmd.Process.Pid)
		go func() {
			err := cmd.Wait()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, &stderr)
			}
			c.ended <- err
		}()
	}
	stdout.Close()

	ready := make(chan bool)
	go func() {
		lines := bufio.NewReader(says)
		for range n {
			lines.ReadString('\n')
		}
		close(ready)
	}()
	select {
	case <-ready:
		return c, nil
	case err := <-c.ended:
		c.pids = c.pids[1:]
		c.dismiss()
		return nil, fmt.Errorf("%s: one of %d did not stay: %w",
			strings.Join(command, " "), n, err)
	}
}

// dismiss lets them end.
func (c *crowd) dismiss() {
	c.stdin.Close()
	for range c.pids {
		<-c.ended
	}
}

// crowded measures the same starts alone, and then with many containers of
// the last lesson alive.
func (s settings) crowded(rep *report, rows []*row) error {
	var alone []*row
	for _, r := range rows {
		alone = append(alone, &row{Series: r.Series, Name: "alone:" + r.Name,
			Command: r.Command})
	}
	s.rounds(alone, s.runs/2, 1, 1)
	log.Printf("starting %d containers", s.crowd)
	c, err := gather(s.crowd, filepath.Join(s.bin, "08-cgroups"),
		"-rootfs", filepath.Join(s.tools, "root"), "/stay")
	if err != nil {
		return err
	}
	s.rounds(rows, s.runs, 1, 1)
	c.dismiss()
	settle()
	s.rounds(alone, s.runs/2, 1, 1)
	rep.Rows = append(rep.Rows, alone...)
	rep.Rows = append(rep.Rows, rows...)
	return nil
}

// settle waits until the kernel has taken the dead containers' cables away,
// which it does when it finds the time.
func settle() {
	for range 600 {
		cables, _ := filepath.Glob("/sys/class/net/nsl*")
		if len(cables) < 10 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// memories looks at the parents of ten containers of each lesson.
func (s settings) memories() ([]memory, error) {
	var all []memory
	lessons, err := filepath.Glob(filepath.Join(s.bin, "0*"))
	if err != nil {
		return nil, err
	}
	for _, lesson := range lessons {
		command := []string{lesson, filepath.Join(s.tools, "stay")}
		if name := filepath.Base(lesson); name >= "07" {
			command = []string{lesson, "-rootfs",
				filepath.Join(s.tools, "root"), "/stay"}
		}
		c, err := gather(10, command...)
		if err != nil {
			return nil, err
		}
		var rss, pss []float64
		for _, pid := range c.pids {
			r, p := rollup(pid)
			rss, pss = append(rss, r), append(pss, p)
		}
		c.dismiss()
		all = append(all, memory{filepath.Base(lesson),
			int(quantile(rss, 0.5)), int(quantile(pss, 0.5))})
	}
	return all, nil
}

// rollup reads a process's resident and proportional memory in KiB.
func rollup(pid int) (rss, pss float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) == 3 {
			n, _ := strconv.ParseFloat(f[1], 64)
			switch f[0] {
			case "Rss:":
				rss = n
			case "Pss:":
				pss = n
			}
		}
	}
	return rss, pss
}
