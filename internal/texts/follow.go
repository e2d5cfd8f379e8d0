//go:build linux

package texts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// guide is scripts/follow.sh, which watches while a lesson's text is typed.
type guide struct {
	look     func() (string, error) // a line of follow.sh --lines
	close    func() error
	patience time.Duration
	seldom   bool // looks around the steps alone: in the page it takes a while
}

// followed notes, for each command of a lesson's text, how many steps of the guide are
// done after it: those whose commands have all been typed. Other texts have no guide.
func followed(repo, name string, steps []step) (lesson string, err error) {
	lesson = filepath.Dir(name)
	_, err = os.Stat(filepath.Join(repo, lesson, "main.go"))
	if err != nil || name != lesson+"/README.md" {
		return "", nil
	}
	list := exec.Command(filepath.Join(repo, "scripts/follow.sh"), "--steps", lesson)
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", list, err) // for example a lesson without steps
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	place := map[string]string{"1": "first", "2": "second"}
	last, done := 0, 0
	for i := range steps {
		if len(lines) > 0 {
			want := strings.Split(lines[0], "\t")
			if place[steps[i].Terminal] == want[1] && slices.Contains(steps[i].Typed, want[2]) {
				if last, err = strconv.Atoi(want[0]); err != nil {
					return "", err
				}
				if lines = lines[1:]; len(lines) == 0 ||
					!strings.HasPrefix(lines[0], want[0]+"\t") {
					done = last
				}
			}
		}
		steps[i].Done = done
	}
	if len(lines) > 0 {
		return "", fmt.Errorf("no block of %s has, from there on, what the guide has: %q", name, lines[0])
	}
	return lesson, nil
}

// startGuide starts the guide as the user, who may sudo.
func startGuide(lesson string) (*guide, error) {
	cmd := exec.Command("scripts/follow.sh", "--lines", lesson)
	cmd.Dir, cmd.Stderr = checkout, os.Stderr
	cmd.Env = []string{"PATH=" + userPath, "HOME=" + home, "USER=" + user, "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true,
		Credential: &syscall.Credential{Uid: userID, Gid: userID}}
	typed, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	answer := bufio.NewReader(out)
	g := &guide{patience: 10 * time.Second}
	g.look = func() (string, error) {
		if _, err := io.WriteString(typed, "\n"); err != nil {
			return "", err
		}
		return answer.ReadString('\n')
	}
	g.close = func() error {
		reaping.Lock() // it ends here, and is ours to wait for
		defer reaping.Unlock()
		return errors.Join(typed.Close(), cmd.Wait())
	}
	return g, g.expect(0)
}

// expect waits until so many steps are done, and fails if there are more.
func (g *guide) expect(want int) error {
	for end := time.Now().Add(g.patience); ; time.Sleep(50 * time.Millisecond) {
		line, err := g.look()
		if err != nil {
			return fmt.Errorf("the guide: %w", err)
		}
		word, _, _ := strings.Cut(line, "\t")
		done, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("the guide: %w", err)
		}
		if done == want {
			return nil
		}
		if done > want || time.Now().After(end) {
			return fmt.Errorf("the guide has ticked %d steps, not %d: %s", done, want, line)
		}
	}
}
