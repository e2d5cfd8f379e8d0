#!/usr/bin/env bash
# -overlay: a root that is never written to.
# Usage: 07-pivot-root/exercises/1-overlay/check.sh COMMAND...
set -euo pipefail
source "$(dirname "$0")/../../../scripts/lib/exercise.sh"
begin "$@"
grep -qw overlay /proc/filesystems || as_root modprobe overlay 2>/dev/null ||
  die 'this kernel has no overlay filesystem' 'grep overlay /proc/filesystems'

# A root of our own: what is written to it is nobody's loss.
"$repo/scripts/rootfs.sh" "$dir/root" >/dev/null
echo first >"$dir/root/etc/$mark"
# Behind sudo, root inside is who called it.
[[ $EUID -ne 0 ]] || chown -R "${SUDO_UID:-0}:${SUDO_GID:-0}" "$dir/root"

# state prints all that there is to know about the files in that root.
state() {
  (cd "$dir/root" && find . -printf '%p %y %m %U:%G %s %T@ %l\n' | sort &&
    find . -type f -exec cksum {} + | sort -k 3)
}
before=$(state)

run a -overlay "-rootfs=$dir/root"
ask a "cat /etc/$mark"
point overlay 'a file of the root' "$answer" first \
  'ls / inside. What is the lower directory, and does it come before or after pivot_root?'
[[ $answer == first ]] || finish_check # this is not our root

ask a "echo second >>/etc/$mark && echo new >/new && cat /etc/$mark /new"
point overlay 'a changed file and a new one, inside' "${answer//$'\n'/ }" 'first second new' \
  'grep overlay /proc/self/mountinfo inside. Who owns the upper directory?'
ask a 'rm /bin/ls && mkdir /dir && echo x >/dir/file && ls /bin/ls'
point overlay 'a file that is removed, inside' "$answer" 'ls: /bin/ls: No such file or directory' \
  'How does an upper directory say that there is no such file? Look for a device 0/0.'

run b -overlay "-rootfs=$dir/root"
ask b "cat /etc/$mark && ls -d /new /dir 2>/dev/null"
point overlay 'the same files in a second container, at the same time' "$answer" first \
  'Where is the upper directory of the second one?'

finish a
finish b
seen=$(diff <(echo "$before") <(state) | grep -m 3 '^[<>]') || true
point overlay 'the files of the root when both have ended' "${seen:-as before}" 'as before' \
  'Which of the steps before the mount has written to it? ls -la --time-style=full-iso'

finish_check
