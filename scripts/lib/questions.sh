# shellcheck disable=SC2154,SC2034 # of env.sh, and for the script
# questions.sh: reads and asks the questions of a lesson, NN-name/quiz.md. It is
# sourced, not run.

# read_quiz NN-name reads them. For question i, from 0, it sets titles[i]; texts[i];
# letters[i] of its options; keys[i], the right one; more[i], what else is below the
# answer. For its option L it sets options[iL]; reasons[iL]; prints[iL], what the kernel
# prints if that option is right, or nothing if no kernel is asked.
read_quiz() {
  local line i=-1 to='' LF=$'\n'
  titles=() letters=() keys=()
  unset texts options reasons prints more
  declare -gA texts=() options=() reasons=() prints=() more=()
  while IFS= read -r line; do
    case $line in
    '## '*) i=$((i + 1)) titles[i]=${line:3} letters[i]='' keys[i]='' to="texts[$i]" ;;
    '<details>') to="more[$i]" ;;
    '</details>') to='' ;;
    '<summary>'*) ;;
    'The answer is '*) keys[i]=${line:16:1} ;;
    '- **'[a-z]'**'*)
      case $to in
      texts* | options*)
        letters[i]+=${line:4:1} to="options[$i${line:4:1}]"
        printf -v "$to" '%s' "${line:7}"
        ;;
      *)
        to="reasons[$i${line:4:1}]"
        printf -v "$to" '%s' "${line:4:1}${line:7}"
        [[ ! $line =~ ^....${line:4:1}..\ (would\ )?prints?\ \`([^\`]*)\` ]] ||
          prints[$i${line:4:1}]=${BASH_REMATCH[2]}
        ;;
      esac
      ;;
    '  '*) printf -v "${to:-line}" '%s' "${!to-} ${line:2}" ;;
    *)
      [[ $to != @(options|reasons)* ]] || to="more[$i]"
      [[ $i -lt 0 || -z $to ]] || printf -v "$to" '%s' "${!to-}$line$LF"
      ;;
    esac
  done <"$repo/$1/quiz.md"
}

# printed I TEXT prints the option whose words are in TEXT, the kernel's answer. Of
# several options it is the one with the most words.
printed() {
  local option words text said most=''
  text=" $(tr -s ' \t\n' ' ' <<<"$2") "
  for option in "${!prints[@]}"; do
    words=${prints[$option]}
    [[ $option == "$1"[a-z] && $text == *" $words "* && ${#words} -gt ${#most} ]] || continue
    most=$words
    said=${option#"$1"}
  done
  echo "${most:+$said}"
}

# flow TEXT prints paragraphs in lines of this width, and blocks as they are: a command
# that is cut in two cannot be copied.
flow() {
  awk -v width="$width" '
    /^```/ { out(); print ""; code = !code; next }
    code { print "  " $0; next }
    !NF { out(); gap = shown; next }
    { if (gap) print ""; gap = 0; text = text (text == "" ? "" : " ") $0 }
    END { out() }
    function out() {
      while (length(text) > width) {
        for (end = width + 1; end > 1 && substr(text, end, 1) != " "; end--);
        if (end == 1) break
        print substr(text, 1, end - 1)
        text = substr(text, end + 1)
      }
      if (text != "") { print text; shown = 1 }
      text = ""
    }' <<<"$1" | sed 's/ *$//'
}

# show_question I shows the question and its options, and nothing of the answer.
show_question() {
  local l letter
  printf '\n%s\n\n' "$bold$(flow "${texts[$1]}")$plain"
  for ((l = 0; l < ${#letters[$1]}; l++)); do
    letter=${letters[$1]:l:1}
    flow "$letter ${options[$1$letter]}"
  done
}

# read_answer I sets said to the letter of an option: a single key, no Enter. It fails
# at the end of the input. It waits in short steps: bash does not notice a Ctrl-C that
# comes just before it reads.
read_answer() {
  local status prompt="${letters[$1]:0:1} to ${letters[$1]: -1}: "
  printf '\n%s' "$prompt"
  while true; do
    status=0
    IFS= read -rsn 1 -t 1 said || status=$?
    [[ $status -eq 0 || $status -gt 128 ]] || { echo && return 1; }
    [[ $status -eq 0 ]] || continue
    [[ -z $said || ${letters[$1]} != *"$said"* ]] || break
    [[ $said != $'\e' ]] || read -rsn 4 -t 0.01 || true # the rest of an arrow, say
    printf '\r%s' "One of these letters (Ctrl-C ends this), $prompt"
  done
  echo "$said"
}

# show_reasons I shows the reason of each option, and what the kernel was asked.
show_reasons() {
  local l letter
  for ((l = 0; l < ${#letters[$1]}; l++)); do
    letter=${letters[$1]:l:1}
    if [[ $letter == "${keys[$1]}" ]]; then
      printf '%s\n' "$green$(flow "${reasons[$1$letter]}")$plain"
    else
      flow "${reasons[$1$letter]}"
    fi
  done
  flow "${more[$1]}"
}

# remember KIND QUESTION L notes an answer in work/.progress: the first one counts.
remember() {
  local file=work/.progress/$1
  grep -qs "^$2 " "$file" || echo "$2 $3" >>"$file"
}

# every_question prints all questions, in lines NN-name I.
every_question() {
  local lesson i
  while read -r lesson _; do
    read_quiz "$lesson"
    for i in "${!titles[@]}"; do echo "$lesson $i"; done
  done < <(rows lessons)
}

# twelve prints the questions for before and after a class: the first of each lesson,
# then the second of each, until there are twelve; in the order of the lessons.
twelve() { every_question | sort -s -n -k 2 | head -n 12 | sort; }
