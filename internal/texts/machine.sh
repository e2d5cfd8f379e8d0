#!/usr/bin/env bash
# machine.sh makes the host that the texts are about. The tests call its functions, with
# the fields of an order as variables.
# shellcheck disable=SC2154
set -euo pipefail
umask 022

# own_cgroups NAME finds cgroups of ours, one in each tree: an engine that starts there
# makes its own below, and touches no other. cleanup.sh knows their names.
own_cgroups() {
  # shellcheck source=../../scripts/lib/cgroup.sh
  source "$repository/scripts/lib/cgroup.sh"
  find_cgroups /proc/self/cgroup
  [[ ${#cgroup_dir[@]} -gt 0 ]]
  # v2 alone: a cgroup with processes gives no controllers.
  if [[ ${!cgroup_dir[*]} == v2 && ${cgroup_dir[v2]} != "${cgroup_top[v2]}" ]]; then
    cgroup_dir[v2]=${cgroup_dir[v2]%/*}
  fi
  mapfile -t cgroups < <(printf "%s/$1\n" "${cgroup_dir[@]}" | sort -u)
}

# enter_cgroups NAME PROGRAM makes them, goes in, and becomes a machine's first process,
# for which they are the roots.
enter_cgroups() {
  own_cgroups "$1"
  local dir file
  for dir in "${cgroups[@]}"; do
    mkdir "$dir"
    for file in cpuset.cpus cpuset.mems; do # of v1: without these no process may go in
      [[ ! -e $dir/tasks || ! -e $dir/$file ]] || cat "${dir%/*}/$file" >"$dir/$file"
    done
    echo $$ >"$dir/cgroup.procs"
  done
  # shellcheck disable=SC2016 # for the other shell
  exec unshare --cgroup bash -c 'exec -a /sbin/init "$0"' "$2"
}

# remove_cgroups NAME removes them with all below: their processes have been killed, and
# take a moment to be gone.
remove_cgroups() {
  own_cgroups "$1"
  local dir end=$((SECONDS + 10))
  for dir in "${cgroups[@]}"; do
    until [[ ! -e $dir ]] || find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null; do
      [[ $SECONDS -lt $end ]] || { echo "cannot remove $dir" >&2 && return 1; }
      sleep 0.01
    done
  done
}

# put NAME MODE writes a file, in whose place there may be a link.
put() { install -D -m "$2" /dev/stdin "$root$1"; }

# add NAME MODE ENTRY replaces other people's entries by one for the user.
add() {
  local old
  old=$(awk -F : -v user="$user" '$1 != user && length($3) != 4' "/etc/$1")
  printf '%s\n' "$old" "$3" | put "/etc/$1" "$2"
}

overlay() {
  mount -t overlay -o "lowerdir=$1,upperdir=$scratch/$2,workdir=$scratch/$3" overlay "$4"
}

# build DIR makes bin/ as the scripts do, and keeps in DIR what that adds to Go's cache. Go
# knows what it has built by the path of the source, which is the machine's here.
build() {
  local home=$scratch/home/$user
  mkdir "$scratch"
  mount -t tmpfs tmpfs "$scratch"
  mkdir -p "$home"/{namespaces,go/pkg/mod,.cache/go-build} "$scratch"/{builds,w}
  mount --bind "$repository" "$home/namespaces"
  mount --bind "$modules" "$home/go/pkg/mod"
  overlay "$builds" builds w "$home/.cache/go-build"
  mount --rbind "$scratch/home" /home
  cd "/home/$user/namespaces"
  HOME=/home/$user CGO_ENABLED=0 go build -ldflags='-s -w' -o bin/ ./0*
  cp -r "$scratch/builds" "$1"
}

# furnish KERNEL... makes the host in $scratch/root. It is this machine's, and everything
# written goes to a tmpfs.
furnish() {
  local dir name root=$scratch/root
  mount --make-rprivate /
  mount -t tmpfs tmpfs "$scratch"
  mkdir "$scratch"/{root,upper,work,builds,w}
  overlay / upper work "$root"
  # An overlay shows one filesystem. Programs may be on a different one.
  for dir in /usr /usr/local /opt /nix; do
    ! mountpoint -q $dir || mount --rbind -o ro $dir "$root$dir"
  done
  mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
  mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
  mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
  mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$root/run"
  mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/tmp"
  mount -t tmpfs -o mode=1777 tmpfs "$root/var/tmp"
  mount -t tmpfs -o nodev,mode=755 tmpfs "$root/home"
  mount -t tmpfs -o nodev,mode=700 tmpfs "$root/root"

  # The devices that programs expect, without this machine's disks.
  for name in null zero full random urandom tty; do
    : >"$root/dev/$name"
    mount --bind /dev/$name "$root/dev/$name"
  done
  mkdir "$root"/dev/{pts,shm,mqueue}
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s fd/0 "$root/dev/stdin"
  ln -s fd/1 "$root/dev/stdout"
  ln -s fd/2 "$root/dev/stderr"
  mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
  mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/dev/shm"
  mount -t mqueue mqueue "$root/dev/mqueue"

  if [[ -n $engines ]]; then
    furnish_engines
  elif mountpoint -q /sys/fs/cgroup; then
    mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
  fi
  furnish_user "$@"
  hostname hotel
  ip link set lo up
}

# furnish_engines mounts what container engines need.
furnish_engines() {
  local names top=$root/sys/fs/cgroup
  if [[ $(</proc/self/cgroup) == 0::* ]]; then
    mount -t cgroup2 cgroup2 "$top"
    mkdir "$top/init" # a cgroup whose controllers others get has no processes
    echo 1 >"$top/init/cgroup.procs"
    echo $$ >"$top/init/cgroup.procs"
    echo '+cpu +memory +pids' >"$top/cgroup.subtree_control" # as systemd leaves them, for lesson 08
  else
    mount -t tmpfs -o mode=755 tmpfs "$top"
    # crun refuses a hybrid host whose cgroup v2 has a controller.
    while IFS=: read -r _ names _; do
      name=$(findmnt --noheadings --first-only --types cgroup --options "$names" --output TARGET) || continue
      mkdir "$top/${name##*/}"
      mount -t cgroup -o "$names" cgroup "$top/${name##*/}"
    done < <(grep -v ^0:: /proc/self/cgroup)
  fi
  mkdir -p "$root"/{var/lib/docker,var/lib/containers,dev/net}
  mount -t tmpfs -o mode=711 tmpfs "$root/var/lib/docker"
  mount -t tmpfs -o mode=755 tmpfs "$root/var/lib/containers"
  # No module for bridges to filter packets is loaded into the kernel of all.
  [[ ! -e $root/lib/modules ]] || mount -t tmpfs -o mode=755 tmpfs "$root/lib/modules"
  mknod -m 666 "$root/dev/net/tun" c 10 200 # as hosts have it, for slirp4netns
}

# furnish_user KERNEL... makes the user, with a copy of the repository, who may sudo.
furnish_user() {
  local name home=$root/home/$user
  add passwd 644 "$user:x:$id:$id::/home/$user:/bin/bash"
  add group 644 "$user:x:$id:"
  add shadow 640 "$user:*:19000:0:99999:7:::"
  echo "$user:100000:65536" | put /etc/subuid 644
  echo "$user:100000:65536" | put /etc/subgid 644
  echo hotel | put /etc/hostname 644
  echo 127.0.0.1 localhost hotel | put /etc/hosts 644
  put /etc/sudoers 440 <<END
Defaults env_reset, secure_path="$root_path"
root ALL=(ALL:ALL) ALL
$user ALL=(ALL:ALL) NOPASSWD: ALL
END
  for name in sudo sudo-i; do
    printf '%s required pam_permit.so\n' auth account session | put /etc/pam.d/$name 644
  done
  # The prompt ends in what the texts show. Its beginning never occurs in an output, so
  # that it is clear where an output ends.
  for name in "/home/$user" /root; do
    put "$name/.bashrc" 644 <<'END'
PS1='\[\e]prompt\a\]\$ ' PS2= HISTFILE=
set +o emacs
END
  done
  put /etc/bash.bashrc 644 </dev/null
  mkdir -p "$home"/{go/pkg/mod,.cache/go-build,.cache/namespaces-sandbox}
  cp -a "$repository" "$home/namespaces"
  [[ $# -eq 0 ]] || cp -r "$@" "$home/.cache/namespaces-sandbox"
  chown -Rh "$id:$id" "$home"
  mount --bind "$modules" "$home/go/pkg/mod"
  overlay "$builds" builds w "$home/.cache/go-build"
  # Go's cache has a directory for each first byte of a hash.
  chown "$id:$id" "$home/.cache/go-build"{,/*}
}

# start_docker starts a daemon, which the user may ask, and waits until it answers.
start_docker() {
  env -i HOME=/root PATH="$root_path" dockerd --group "$user" >/run/dockerd.log 2>&1 &
  until docker version >/dev/null 2>&1; do
    if ! kill -0 $! || [[ $SECONDS -gt 60 ]]; then
      cat /run/dockerd.log >&2
      return 1
    fi
    sleep 0.1
  done
}

"$@"
