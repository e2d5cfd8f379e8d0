//go:build linux

package nstest

import (
	"math/rand"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// randomLines: whatever is on the command line, the lesson ends, says nothing
// that only a programmer understands, and leaves the host as it was. NSTEST_LINES
// is how many command lines to try, NSTEST_SEED repeats those of another run.
func randomLines(t *testing.T, flags map[string]string) {
	seed := envInt("NSTEST_SEED", int(time.Now().UnixNano()))
	random := rand.New(rand.NewSource(int64(seed)))
	check := UnchangedHost(t)
	t.Run("all", func(t *testing.T) {
		for range envInt("NSTEST_LINES", 40) {
			args := randomLine(t, random, flags)
			t.Run("", func(t *testing.T) {
				t.Parallel()
				r := RunCmd(t, Bare(args...))
				requireNoTrace(t, r)
				require.Contains(t, []int{0, 1, 2, 7, 125, 126, 127, 137},
					r.Status, "NSTEST_SEED=%d: %q\n%s", seed, args, r.Stderr)
				if r.Status == 2 || r.Status >= 125 && r.Status < 128 {
					require.True(t, strings.HasPrefix(r.Stderr, This.Name+": "),
						"NSTEST_SEED=%d: %q\n%s", seed, args, r.Stderr)
				}
			})
		}
	})
	check()
}

func envInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// randomLine is made of what lessons know and of what they do not.
func randomLine(t *testing.T, random *rand.Rand, flags map[string]string) []string {
	one := func(of ...string) string { return of[random.Intn(len(of))] }
	var args []string
	names := []string{"nonsense", "", "h", "help", "-", "rootfs=x=y", "net"}
	for name := range flags {
		names = append(names, name, name, name)
	}
	slices.Sort(names) // the same for the same seed
	for range random.Intn(4) {
		name := one(names...)
		value := one(flags[name], flags[name], "", "0", "1", "-1", "max", "64",
			"64M", "1e9", "lo", "veth", "/no/such", "/dev/null", "\xff\xfe",
			"ä", "a\nb", " ", "%s%n", "$(true)", "18446744073709551616",
			"0x40", "NaN", strings.Repeat("9", 70), strings.Repeat("x", 100_000))
		if name == "rootfs" && random.Intn(4) > 0 {
			value = Rootfs(t)
		}
		dash := one("-", "-", "-", "--", "---")
		if random.Intn(2) == 0 {
			args = append(args, dash+name+"="+value)
		} else {
			args = append(args, dash+name, value)
		}
	}
	// So that some come as far as the command.
	if random.Intn(3) > 0 {
		args = append(Flags(t), args...)
	}
	if random.Intn(4) == 0 {
		args = append(args, "--")
	}
	commands := [][]string{
		{}, {""}, {"true"}, {"false"}, {"echo", "-n", ""}, {"/no/such"}, {"."},
		{"/"}, {"-"}, {"-x"}, {"sh", "-c", "exit 7"}, {"\xff"}, {"true\n"},
		{"sh", "-c", "kill -9 $$"}, {strings.Repeat("/x", 3000)},
		{"true", strings.Repeat("x", 100_000)},
	}
	return append(args, commands[random.Intn(len(commands))]...)
}
