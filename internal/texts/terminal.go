//go:build linux

package texts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is a terminal with a shell of the user.
type terminal struct {
	screen *os.File // the other side, see pty(7)
	unread []byte
	prompt string // $ or #, where the shell waits

	patience time.Duration    // how long a command may take
	forked   func(pid string) // see awaitExec
	end      func() error     // closes a terminal in the page
}

// play types all steps, and returns what was printed. Each terminal is opened by its name,
// with a shell that is about to show its prompt.
func play(o order, open func(name string) (*terminal, error),
	follow func(lesson string) (*guide, error), inodes *strings.Replacer,
) answer {
	var a answer
	terminals := map[string]*terminal{}
	var names []string
	for _, s := range o.Steps {
		if terminals[s.Terminal] != nil {
			continue
		}
		t, err := open(s.Terminal)
		if err == nil {
			_, err = t.output()
		}
		if err != nil {
			return answer{Problem: fmt.Sprintf("terminal %s: %v", s.Terminal, err)}
		}
		terminals[s.Terminal] = t
		names = append(names, s.Terminal)
	}
	var g *guide
	if o.Lesson != "" {
		var err error
		if g, err = follow(o.Lesson); err != nil {
			return answer{Problem: err.Error()}
		}
	}
	done := 0
	for i, s := range o.Steps {
		t := terminals[s.Terminal]
		if t.prompt != s.Prompt {
			t.changed()
		}
		if t.prompt != s.Prompt {
			a.Problem = fmt.Sprintf("terminal %s has the prompt %q, not %q",
				s.Terminal, t.prompt, s.Prompt)
			a.Number = s.Number
			return a
		}
		output, err := t.command(s.Typed)
		next := o.Steps[min(i+1, len(o.Steps)-1)].Done
		if err == nil && g != nil && (!g.seldom || s.Done != done || s.Done != next) {
			done, err = s.Done, g.expect(s.Done)
		}
		if err != nil {
			a.Problem, a.Number = err.Error(), s.Number
			return a
		}
		a.Outputs = append(a.Outputs, sortNamespaces(split(inodes.Replace(output))))
	}
	if g != nil {
		if err := g.close(); err != nil {
			a.Problem = err.Error()
			return a
		}
	}
	for _, name := range names {
		if err := terminals[name].close(); err != nil {
			a.Problem = fmt.Sprintf("terminal %s: %v", name, err)
			return a
		}
	}
	return a
}

// hostNamespaces replaces the numbers of this machine's namespaces by those of a reader's
// host, which are constants of the kernel.
func hostNamespaces() *strings.Replacer {
	var pairs []string
	for kind, number := range initial {
		link, _ := os.Readlink("/proc/self/ns/" + kind)
		if own := strings.Trim(strings.TrimPrefix(link, kind+":"), "[]"); own != "" {
			pairs = append(pairs, own, number)
		}
	}
	return strings.NewReplacer(pairs...)
}

// sortNamespaces sorts the rows of lsns as a reader's machine does: there the host's
// namespaces have the lowest numbers. Those of containers may have any numbers, and so
// are sorted by PID.
func sortNamespaces(lines []string) []string {
	for i, text := range lines {
		header := strings.Fields(text)
		ns, kind := slices.Index(header, "NS"), slices.Index(header, "TYPE")
		pid := slices.Index(header, "PID")
		if ns < 0 || kind < 0 || pid < 0 {
			continue
		}
		rows := lines[i+1:]
		for n, row := range rows {
			f := strings.Fields(row)
			if len(f) < len(header) || !strings.HasPrefix(f[ns], "40265") {
				rows = rows[:n]
				break
			}
		}
		key := func(row string) string {
			f := strings.Fields(row)
			if constants[f[ns]] {
				return f[ns]
			}
			return fmt.Sprintf("container %10s %s", f[pid], f[kind])
		}
		slices.SortStableFunc(rows, func(a, b string) int {
			return strings.Compare(key(a), key(b))
		})
	}
	return lines
}

// A shell says at some prompt that a job has ended.
var notice = regexp.MustCompile(`(?m)^\[\d+\][+-]?  +(?:Done|Terminated|Killed)\b.*\n?`)

// background is what a shell says when it starts a job.
var background = regexp.MustCompile(`(?m)^\[\d+\] (\d+)$`)

// awaitExec waits until the process with this PID, in its own namespace, has become its
// command: the shell does not wait, and what is typed next may look for the command. It
// does not wait for ever, since a subshell never becomes a command.
func awaitExec(pid string) {
	const forkNoExec = 0x40 // PF_FORKNOEXEC in the flags of proc_pid_stat(5)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		forked := false
		files, _ := filepath.Glob("/proc/[0-9]*/status")
		for _, file := range files {
			status, _ := os.ReadFile(file)
			_, after, _ := strings.Cut(string(status), "\nNSpid:\t")
			line, _, _ := strings.Cut(after, "\n")
			numbers := strings.Fields(line)
			if len(numbers) == 0 || numbers[len(numbers)-1] != pid {
				continue
			}
			stat, _ := os.ReadFile(filepath.Dir(file) + "/stat")
			_, after, _ = strings.Cut(string(stat), ") ")
			fields := strings.Fields(after)
			if len(fields) > 6 {
				flags, _ := strconv.Atoi(fields[6])
				forked = forked || flags&forkNoExec != 0
			}
		}
		if !forked {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func split(output string) []string {
	if output == "" {
		return nil
	}
	lines := strings.Split(output, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// newTerminal opens a terminal, and starts a shell in it.
func newTerminal(goDir string) (*terminal, error) {
	master, keyboard, err := pty.Open()
	if err != nil {
		return nil, err
	}
	defer master.Close()
	defer keyboard.Close()
	if err := errors.Join(os.Chown(keyboard.Name(), userID, 5),
		pty.Setsize(master, &pty.Winsize{Rows: 50, Cols: 80})); err != nil {
		return nil, err
	}
	// pty.Open leaves reading blocking, which has no deadline.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, err
	}
	screen := os.NewFile(uintptr(fd), master.Name())
	// What is typed is not part of an output.
	modes, err := unix.IoctlGetTermios(int(keyboard.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	modes.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(keyboard.Fd()), unix.TCSETS, modes); err != nil {
		return nil, err
	}
	_, err = os.StartProcess("/bin/bash", []string{"bash"}, &os.ProcAttr{
		Dir: checkout,
		Env: []string{"PATH=" + userPath + ":" + goDir, "HOME=" + home, "USER=" + user,
			"LOGNAME=" + user, "SHELL=/bin/bash", "TERM=dumb", "LANG=C.UTF-8",
			"TZ=UTC0"},
		Files: []*os.File{keyboard, keyboard, keyboard},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true,
			Credential: &syscall.Credential{Uid: userID, Gid: userID}},
	})
	return &terminal{screen: screen, patience: patience, forked: awaitExec}, err
}

// command types a command, and returns what is printed up to the next prompt.
func (t *terminal) command(typed []string) (string, error) {
	raw, err := t.raw()
	if err != nil {
		return "", err
	}
	_, err = t.screen.WriteString(strings.Join(typed, "\n") + "\n")
	if err != nil {
		return "", fmt.Errorf("type: %w", err)
	}
	output, err := t.output()
	if err != nil {
		return "", err
	}
	if m := background.FindStringSubmatch(output); m != nil {
		t.forked(m[1])
	}
	if raw { // the other machine's terminal shows what is typed
		output = strings.TrimPrefix(output, strings.Join(typed, "\n")+"\n")
	}
	output = notice.ReplaceAllString(output, "")
	// A shell that has not read our bashrc asks for the next line by "> ".
	for range typed[1:] {
		output = strings.TrimPrefix(output, "> ")
	}
	return strings.TrimSuffix(output, "\n"), nil
}

// raw says whether a different machine is behind this terminal, such as that of
// scripts/sandbox.sh, which gets every character.
func (t *terminal) raw() (bool, error) {
	if t.end != nil {
		return false, nil // a terminal in the page is never raw
	}
	conn, err := t.screen.SyscallConn()
	if err != nil {
		return false, err
	}
	var modes *unix.Termios
	var err2 error
	err = conn.Control(func(fd uintptr) {
		modes, err2 = unix.IoctlGetTermios(int(fd), unix.TCGETS)
	})
	if err := errors.Join(err, err2); err != nil {
		return false, fmt.Errorf("modes of the terminal: %w", err)
	}
	return modes.Oflag&unix.OPOST == 0, nil
}

// changed waits for a prompt that differs from the last: the shell may have been killed
// from a different terminal, and the shell below it goes on.
func (t *terminal) changed() {
	if t.read(time.Now().Add(5*time.Second)) == nil {
		_, _ = t.output() // without a new one, the old one counts
	}
}

var (
	// The prompts of a shell that has read our bashrc, and of any other.
	markedPrompt = regexp.MustCompile(`(` + regexp.QuoteMeta(promptMark) + `[$#] )$`)
	otherPrompt  = regexp.MustCompile(`(?:^|\n)((?:> )*(?:\S+ ?)?[$#] )$`)

	escapes = regexp.MustCompile(`\x1b\].*?\a|\x1b\[[0-9;?]*[a-zA-Z]`)
)

// quiet is how long nothing must come after what looks like a prompt: it may be the
// beginning of a line.
const quiet = 200 * time.Millisecond

// output reads up to a prompt.
func (t *terminal) output() (string, error) {
	end := time.Now().Add(t.patience)
	for {
		text := strings.ReplaceAll(string(t.unread), "\r", "")
		if m := markedPrompt.FindStringSubmatchIndex(text); m != nil {
			return t.at(text, m), nil
		}
		bare := escapes.ReplaceAllString(text, "")
		if m := otherPrompt.FindStringSubmatchIndex(bare); m != nil {
			err := t.read(time.Now().Add(quiet))
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return t.at(bare, m), nil
			}
			if err == nil {
				continue
			}
		}
		if err := t.read(end); err != nil {
			return "", fmt.Errorf("no prompt: %w; the screen has:\n%q", err, t.unread)
		}
	}
}

// at notes the prompt that was found, and returns what is before it.
func (t *terminal) at(text string, m []int) string {
	t.prompt, t.unread = text[m[1]-2:m[1]-1], nil
	return escapes.ReplaceAllString(text[:m[2]], "")
}

// read reads once, or until a point in time.
func (t *terminal) read(end time.Time) error {
	if err := t.screen.SetReadDeadline(end); err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	n, err := t.screen.Read(buf)
	t.unread = append(t.unread, buf[:n]...)
	return err
}

// close types exit, which must end the terminal: reading the screen gives an error once
// the last process is gone.
func (t *terminal) close() error {
	if t.end != nil {
		return t.end()
	}
	if _, err := t.screen.WriteString("exit\n"); err != nil {
		return fmt.Errorf("type: %w", err)
	}
	end := time.Now().Add(5 * time.Second)
	for {
		err := t.read(end)
		if errors.Is(err, unix.EIO) {
			return t.screen.Close()
		}
		if err != nil {
			return fmt.Errorf("an inner shell or another process is left at "+
				"the end of the file; exit has answered %q", t.unread)
		}
	}
}
