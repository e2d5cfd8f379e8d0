#!/usr/bin/env bash
# class.sh makes accounts for a class on a shared server, prints a card for each,
# and removes them again. docs/workshop.md, "A shared server", says what they may.
# Usage, as root: scripts/class.sh add N | cards [ADDRESS] | remove
#   add N    so many more learners: learner1, learner2 ... each with a password and
#            the course, without sudo
#   cards    a card for each to print, with ADDRESS or the name of this machine
#   remove   ends all that they run, and removes their accounts, their files and
#            whatever else add has made
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # not by sh
set -euo pipefail
source "$(dirname "$0")/lib/all.sh"
answer_help "$@"

course=/srv/namespaces # one bin/ for all, which no learner may change
room=/srv/class        # where progress.sh --share writes
list=$course/class     # name:uid:password, for root alone

case ${1:-} in
add) [[ $# -eq 2 && $2 =~ ^[1-9][0-9]{0,2}$ ]] || misused 'add takes a number, up to 999' ;;
cards) [[ $# -le 2 ]] || misused 'cards takes one ADDRESS' ;;
remove) [[ $# -eq 1 ]] || misused 'remove takes nothing' ;;
*) misused 'add, cards or remove?' ;;
esac
[[ $EUID -eq 0 ]] || {
  as_root "$0" "$@"
  exit
}
umask 022

# make_course puts there what all share.
make_course() {
  local dir
  [[ -x $repo/bin/$(rows lessons | tail -n 1 | cut -f 1) && -d $repo/rootfs ]] ||
    die 'there are no programs and no rootfs/ yet' 'scripts/tour.sh'
  if [[ ! -e $list ]]; then
    for dir in "$course" "$room"; do
      [[ ! -e $dir && ! -L $dir ]] || die "there is a $dir, and no class" "mv $dir $dir.old"
    done
    mkdir "$course"
    install -m 600 /dev/null "$list"
  fi
  install -d -m 1777 "$room"
  install -D -t "$course/bin" "$repo"/bin/0*
  install /dev/stdin "$course/bin/second" <<'END'
#!/bin/bash
# second is the second terminal: a shell, or COMMAND, in all namespaces of your
# bin/06-user but the cgroup namespace, which is not yours.
# Usage: bin/second [COMMAND...]
first=$(pgrep --newest --exact --uid "$EUID" 06-user) && pid=$(pgrep --parent "$first") || {
  echo 'no bin/06-user of yours runs: start it at the first terminal' >&2
  exit 1
}
exec nsenter --target "$pid" --user --preserve-credentials --mount --pid --uts --ipc --net \
  sh -c 'cd ~/namespaces && exec "$@"' sh "${@:-bash}"
END
}

# password prints ten letters and digits, without those that look alike.
password() { LC_ALL=C tr -dc 'abcdefghijkmnpqrstuvwxyz23456789' < <(head -c 1000 /dev/urandom) | cut -b 1-10; }

# as_learner NAME COMMAND... runs it as that user: nothing that root writes is below
# what another may change.
as_learner() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }

# add_learner NAME makes the account. The password comes last: until then, nobody
# can log in.
add_learner() {
  local uid pass home=/home/$1
  useradd --create-home --home-dir "$home" --user-group --key HOME_MODE=0700 \
    --shell /bin/bash "$1"
  uid=$(id -u "$1") pass=$(password)
  echo "$1:$uid:$pass" >>"$list"
  (cd "$repo" && tar -c --exclude='*_test.go' 0* docs scripts rootfs go.mod go.sum README.md) |
    as_learner "$1" tar -C "$home" -x --one-top-level=namespaces --no-same-owner
  as_learner "$1" bash -c 'ln -s "$1/bin" "$2/namespaces/bin"; cat >>"$2/.bashrc"' \
    bash "$course" "$home" <<'END'
# Of the course: host, container one and container two have a color and a word each.
case $EUID:$HOSTNAME in
0:room-2) PS1='\[\e[97;45m\]container two\[\e[0m\]:\w\$ ' ;;
0:*) PS1='\[\e[30;43m\]container one\[\e[0m\]:\w\$ ' ;;
*) PS1='\[\e[30;46m\]\u@hotel\[\e[0m\]:\w\$ ' ;;
esac
[[ $SHLVL -ne 1 ]] || cd ~/namespaces
END
  chpasswd <<<"$1:$pass"
  say "$1"
}

add() {
  local name n left=$1
  make_course
  for ((n = 1; left > 0; n++)); do
    name=learner$n
    ! grep -q "^$name:" "$list" || continue
    if getent passwd "$name" >/dev/null || getent group "$name" >/dev/null ||
      [[ -e /home/$name || -L /home/$name ]]; then
      say "$name is here already, and not of this class: left alone"
      continue
    fi
    add_learner "$name"
    left=$((left - 1))
  done
  say 'their passwords: scripts/class.sh cards'
}

cards() {
  local name pass
  [[ -s $list ]] || die 'there is no class' 'scripts/class.sh add 10'
  while IFS=: read -r name _ pass; do
    printf '%s\n' '- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -' '' \
      "  ssh $name@${1:-$(uname -n)}" "  password:         $pass" '' \
      '  first terminal:   bin/06-user -net=lo      then, in there, without sudo,' \
      '                    mount -t tmpfs tmpfs /tmp' '                    and what the lesson says' \
      '  second terminal:  bin/second' ''
  done <"$list"
}

# running prints the PIDs of what runs as a learner or as one of their subordinate
# users. A zombie runs no more.
running() {
  { cat /proc/[0-9]*/status 2>/dev/null || true; } | awk -v ids="${ids[*]}" '
    BEGIN { n = split(ids, id) }
    $1 == "State:" { state = $2 }
    $1 == "Pid:" { pid = $2 }
    $1 == "Uid:" && state !~ /[ZX]/ {
      for (i = 1; i < n; i += 2) if ($2 >= id[i] + 0 && $2 <= id[i + 1] + 0) print pid
    }'
}

# end_all lets each learner kill all that they may: one call, which no fork escapes,
# and which reaches into their namespaces. They may hold up that process, or kill it.
end_all() {
  local tries uid
  # Or a fork bomb leaves no process for this.
  ulimit -u unlimited 2>/dev/null || ulimit -S -u "$(ulimit -H -u)"
  for ((tries = 0; tries < 50; tries++)); do
    for uid in "${uids[@]}"; do
      timeout --signal KILL 5 setsid setpriv --reuid "$uid" --regid "$uid" --clear-groups \
        bash -c 'kill -KILL -1' </dev/null &>/dev/null || true
    done
    [[ -n $(running) ]] || return 0
    sleep 0.1
  done
  return 1
}

# remove_objects removes System V IPC objects that a learner has made, and their files
# where everybody may write: crontabs, at jobs and POSIX message queues are files, too.
remove_objects() {
  local kind flag n places=() status=0
  for kind in msg:-q sem:-s shm:-m; do
    flag=${kind#*:} kind=${kind%:*}
    while read -r n; do ipcrm "$flag" "$n" || status=1; done < <(awk -v ids="${ids[*]}" '
      BEGIN { n = split(ids, id) }
      NR == 1 { for (i = 1; i <= NF; i++) if ($i == "cuid") cuid = i }
      NR > 1 { for (i = 1; i < n; i += 2) if ($cuid >= id[i] + 0 && $cuid <= id[i + 1] + 0) print $2 }
    ' "/proc/sysvipc/$kind")
  done
  for n in /tmp /var/tmp /dev/shm /dev/mqueue /run/lock /var/spool/cron /var/mail "$room"; do
    [[ ! -d $n ]] || places+=("$n")
  done
  find -H "${places[@]}" -xdev -mindepth 1 \( "${whose[@]}" \) -delete || status=1
  return $status
}

remove() {
  local name uid first count owner names=() uids=() ids=() whose=(-false) left=() i
  [[ -e $list ]] || die 'there is no class to remove'
  while IFS=: read -r name uid _; do
    owner=$(getent passwd "$uid" | cut -d : -f 1) || true
    [[ $owner == "$name" || (-z $owner && -z $(getent passwd "$name")) ]] ||
      die "$name was user $uid, and that is ${owner:-nobody} now: nothing is removed" \
        "look at them, and then take the line of $name out of $list"
    names+=("$name") uids+=("$uid") ids+=("$uid" "$uid") whose+=(-o -uid "$uid")
    while IFS=: read -r owner first count; do
      [[ $owner == "$name" || $owner == "$uid" ]] || continue
      ids+=("$first" $((first + count - 1)))
      whose+=(-o \( -uid +$((first - 1)) -uid -$((first + count)) \))
    done < <(cat /etc/subuid 2>/dev/null)
    [[ -z $(getent passwd "$name") ]] || usermod --lock --expiredate 1 "$name" # or they come back
    rm -f "/var/lib/systemd/linger/$name"
    ! command -v loginctl >/dev/null || loginctl terminate-user "$name" 2>/dev/null || true
  done <"$list"

  end_all || die "these processes do not end: $(running | xargs)" 'scripts/class.sh remove'
  # logind forgets a user a moment after the last process.
  for name in "${names[@]}"; do
    for ((i = 0; i < 100; i++)); do
      loginctl show-user "$name" &>/dev/null || break
      sleep 0.1
    done
  done
  remove_objects || left+=('what is named above')
  for name in "${names[@]}"; do
    rm -rf --one-file-system "/home/${name:?}" "/var/mail/$name" || left+=("/home/$name")
    # Last, or nobody would know whose the rest is.
    [[ ${#left[@]} -gt 0 || -z $(getent passwd "$name") ]] || userdel "$name" || left+=("$name")
    [[ ${#left[@]} -gt 0 || -z $(getent group "$name") ]] || groupdel "$name" || left+=("$name")
  done
  [[ ${#left[@]} -eq 0 ]] || die "not all could be removed: ${left[*]}" 'scripts/class.sh remove'
  rm -rf --one-file-system -- "$course" "$room"
  say 'all learners and their files are removed'
}

[[ $1 == cards ]] || trap '' HUP INT # nobody would know of half an account
"$1" "${@:2}"
