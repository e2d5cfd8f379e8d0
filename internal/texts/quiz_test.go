//go:build linux

package texts

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/lessons"
	"namespaces/internal/nstest"
)

// readQuiz has the scripts' own reader print, for each question: title, letters, the right
// letter, the letter that fits the kernel's answer in the block, that answer, the words of
// the right option, the text, and each option with its reason.
const readQuiz = `
	repo=$1
	source "$1/scripts/lib/questions.sh"
	read_quiz "$2"
	for i in "${!titles[@]}"; do
		answer=$(printf '%s\n' "${more[$i]}" | sed -n '/^` + "```" + `console/,/^` + "```" + `/{/^[$#>` + "`" + `]/!p}')
		right="$i${keys[i]}"
		printf '%s\0' "${titles[i]}" "${letters[i]}" "${keys[i]}" \
			"$(printed "$i" "$answer")" "$answer" "${prints[$right]-}" "${texts[$i]}"
		for ((l = 0; l < ${#letters[i]}; l++)); do
			printf '%s|' "${options[$i${letters[i]:l:1}]}" "${reasons[$i${letters[i]:l:1}]}"
		done
		printf '\0'
	done`

// TestQuiz checks the form of each lesson's questions, and compares the right option with
// the kernel's answer: TestCommands compares the block with that.
func TestQuiz(t *testing.T) {
	repo := repository(t)
	all, err := lessons.Read(repo)
	require.NoError(t, err)
	keys := map[string]int{}
	for _, lesson := range all {
		out, err := exec.Command("bash", "-euc", readQuiz, "bash", repo, lesson.Name).Output()
		require.NoError(t, err, lesson.Name)
		fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		const each = 8
		require.Zero(t, len(fields)%each, "%q", fields)
		assert.GreaterOrEqual(t, len(fields)/each, 3, lesson.Name)
		assert.LessOrEqual(t, len(fields)/each, 5, lesson.Name)
		assert.Equal(t, "Predict", fields[0], lesson.Name)
		asked := 0
		for ; len(fields) > 0; fields = fields[each:] {
			title, letters, key, kernel := fields[0], fields[1], fields[2], fields[3]
			answer, words, text, options := fields[4], fields[5], fields[6], strings.Split(fields[7], "|")
			name := lesson.Name + ": " + title
			assert.Contains(t, []string{"abc", "abcd", "abcde"}, letters, name)
			assert.Contains(t, letters, key, name)
			assert.Contains(t, text, "?", name)
			assert.Len(t, options, 2*len(letters)+1, "an option without a reason: %s", name)
			for _, option := range options[:2*len(letters)] {
				assert.Greater(t, len(strings.TrimSpace(option)), 2, name)
			}
			lower := strings.ToLower(text + fields[7])
			assert.NotContains(t, lower, "not true", name)
			assert.NotContains(t, lower, "of the above", name)
			keys[key]++
			assert.Equal(t, answer != "", words != "", "a command and its words: %s", name)
			if answer != "" {
				asked++
				assert.Equal(t, key, kernel, "the kernel says %q: %s", answer, name)
			}
		}
		assert.GreaterOrEqual(t, asked, 2, "questions that a kernel answers: "+lesson.Name)
	}
	for _, letter := range []string{"a", "b", "c"} {
		assert.GreaterOrEqual(t, keys[letter], len(all)/2, "the right one is %s too seldom: %v", letter, keys)
	}
}

// TestPredict checks that a lesson's text asks the first question in the same words.
func TestPredict(t *testing.T) {
	repo := repository(t)
	all, err := lessons.Read(repo)
	require.NoError(t, err)
	for _, lesson := range all {
		quiz := nstest.Read(t, repo, lesson.Name, "quiz.md")
		want := predict(quiz)
		require.NotEmpty(t, want, lesson.Name)
		file := filepath.Join(repo, lesson.Name, "README.md")
		text := nstest.Read(t, file)
		have := predict(text)
		require.NotEmpty(t, have, file)
		if *update {
			write(t, file, strings.Replace(text, have, want, 1))
			continue
		}
		assert.Equal(t, want, have, "%s; -update takes it from quiz.md", file)
	}
}

// predict is the section of that name.
func predict(text string) string {
	_, text, _ = strings.Cut(text, "\n## Predict\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}
