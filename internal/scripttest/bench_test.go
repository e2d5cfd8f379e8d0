//go:build linux

package scripttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// benchReport is what these tests read of the output of bench.sh --json.
type benchReport struct {
	Rows []struct {
		Series string
		Name   string
		Runs   int
		Failed int
		Wall   struct{ Q1, Median, Q3 float64 } `json:"wall_ms"`
		CPU    struct{ Median float64 }         `json:"cpu_ms"`
	}
	Ratios []struct {
		Row, To   string
		Wall, CPU float64
		Line      float64
	}
}

// bench runs scripts/bench.sh --quick --json on the lessons of a directory,
// and returns what it has printed, what it has complained of, and its error.
func bench(t *testing.T, bin string, args ...string) (benchReport, string, error) {
	t.Helper()
	nstest.NeedRoot(t)
	if _, err := exec.LookPath("gcc"); err != nil {
		nstest.Skip(t, fmt.Sprintf("bench.sh compiles the floor: %v", err))
	}
	script, err := filepath.Abs("../../scripts/bench.sh")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, script, append([]string{
		"--quick", "--json", "--runs", "3",
	}, args...)...)
	cmd.Env = append(os.Environ(), "NSL_BIN="+bin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	runErr := cmd.Run()
	var report benchReport
	require.NoError(t, json.Unmarshal(out.Bytes(), &report), "%s%s", &out, &stderr)
	return report, stderr.String(), runErr
}

// TestBenchMeasures: each lesson and its floor has times that make sense, and
// a ratio is that of the medians beside it.
func TestBenchMeasures(t *testing.T) {
	// Its verdict depends on the machine: only what it measures is checked.
	report, complaints, _ := bench(t, lessonsBin(t), "--only", "^(exec|go|floor|lesson)")

	median := map[string]float64{}
	for _, row := range report.Rows {
		median[row.Name] = row.Wall.Median
		assert.Equal(t, "isolated", row.Series)
		assert.Zero(t, row.Failed, "%s: %s", row.Name, complaints)
		assert.Positive(t, row.Runs, row.Name)
		assert.Positive(t, row.CPU.Median, row.Name)
		assert.LessOrEqual(t, row.Wall.Q1, row.Wall.Median, row.Name)
		assert.LessOrEqual(t, row.Wall.Median, row.Wall.Q3, row.Name)
	}
	for n := 1; n <= 8; n++ {
		floor, lesson := fmt.Sprintf("floor-%02d", n), fmt.Sprintf("lesson-%02d", n)
		assert.Positive(t, median[floor], floor)
		assert.Greater(t, median[lesson], median["go"], "%s is two Go programs", lesson)
	}

	require.NotEmpty(t, report.Ratios)
	for _, ratio := range report.Ratios {
		sum := 0.0
		for _, name := range strings.Fields(ratio.To) {
			bare := strings.TrimPrefix(name, "-")
			require.Contains(t, median, bare)
			if bare == name {
				sum += median[bare]
			} else {
				sum -= median[bare]
			}
		}
		assert.InEpsilon(t, median[ratio.Row]/sum, ratio.Wall, 0.01, ratio.Row)
		assert.Positive(t, ratio.Line, ratio.Row)
	}
}

// TestBenchFailsOnASlowLesson: a lesson that takes 50 ms more, and one that
// does not work, are complaints by name and a failure, the others are not.
func TestBenchFailsOnASlowLesson(t *testing.T) {
	lessons, bin := lessonsBin(t), t.TempDir()
	require.NoError(t, os.Chmod(bin, 0o755))
	require.NoError(t, os.Symlink(lessons+"/01-pid", bin+"/01-pid"))
	for name, stub := range map[string]string{
		"02-mount": "sleep 0.05\nexec " + lessons + "/02-mount \"$@\"",
		"03-uts":   "echo 03-uts: broken on purpose >&2\nexit 125",
	} {
		stub = "#!/bin/sh\n" + stub + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(stub), 0o755))
	}

	report, complaints, err := bench(t, bin, "--only", "^(exec|go|(floor|lesson)-0[1-3])$")

	assert.Error(t, err)
	for _, row := range report.Rows {
		if row.Name == "lesson-02" {
			assert.Greater(t, row.Wall.Median, 50.0)
		}
	}
	assert.Contains(t, complaints, "lesson-02: ")
	assert.Contains(t, complaints, "twice 1.1")
	assert.Contains(t, complaints, "lesson-03: ")
	assert.Contains(t, complaints, "03-uts: broken on purpose")
	assert.NotContains(t, complaints, "lesson-01")
}

// The scripts as whole commands: go test -run '^$' -bench . ./internal/scripttest

func BenchmarkDoctor(b *testing.B) { benchScript(b, "doctor.sh") }

func BenchmarkCompare(b *testing.B) { benchScript(b, "compare.sh", "08") }

func BenchmarkCheck(b *testing.B) {
	benchScript(b, "check.sh", "03", "--", filepath.Join(lessonsBin(b), "03-uts"))
}

func BenchmarkWatchFifty(b *testing.B) {
	lesson := filepath.Join(lessonsBin(b), "04-ipc")
	for range 50 {
		cmd := exec.Command(lesson, "sh", "-c", "echo; read -r _")
		stdin, err := cmd.StdinPipe()
		require.NoError(b, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(b, err)
		require.NoError(b, cmd.Start())
		b.Cleanup(func() {
			stdin.Close()
			_ = cmd.Wait() // read's own status, at the end of file
		})
		_, err = stdout.Read(make([]byte, 1))
		require.NoError(b, err, "a container did not start")
	}
	benchScript(b, "watch.sh", "--once")
}

// benchScript measures a script that succeeds.
func benchScript(b *testing.B, name string, args ...string) {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("the lessons 01 to 05 need root")
	}
	script, err := filepath.Abs(filepath.Join("../../scripts", name))
	require.NoError(b, err)
	bin := lessonsBin(b)
	b.ResetTimer()
	for range b.N {
		cmd := exec.Command(script, args...)
		cmd.Env = append(os.Environ(), "NSL_BIN="+bin)
		out, err := cmd.CombinedOutput()
		require.NoError(b, err, "%s", out)
	}
}
