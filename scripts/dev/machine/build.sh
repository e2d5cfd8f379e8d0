#!/usr/bin/env bash
# build.sh makes the machine of the lesson pages: a kernel, the programs of
# Debian's i386 packages, the lessons, and the memory of all that as it is when
# it has started. It needs no root, and changes nothing on this machine.
# Usage: scripts/dev/machine/build.sh [--sources DIR | --update]
#   --sources DIR  collect the source packages of what is in it: for whoever
#                  publishes the pages
#   --update       write packages.tsv anew, with the versions that Debian has now
# It prints the directory that has it. What was made once is kept in
# ~/.cache/namespaces-machine, or below XDG_CACHE_HOME, by the sum of all that
# goes into it.
set -euo pipefail
source "$(dirname "$0")/../../lib/all.sh"
answer_help "$@"

here=$repo/scripts/dev/machine
cache=${XDG_CACHE_HOME:-$HOME/.cache}/namespaces-machine
suite=bookworm

sources='' update=''
case ${1:-} in
'') ;;
--sources)
  sources=${2:-}
  [[ -n $sources ]] || misused '--sources takes a directory'
  sources=$(realpath -m -- "$sources")
  ;;
--update) update=yes ;;
*) misused "unknown argument: $1" ;;
esac

[[ $(uname -m) == x86_64 ]] ||
  die "the machine is built on x86_64 alone, and this is $(uname -m)" \
    "its pages run anywhere: bring public/ from another machine"
missing=()
while read -r need kind _; do
  [[ $kind != machine && $kind != tour ]] || have "$need" || missing+=("$need")
done < <(rows lib/packages)
[[ ${#missing[@]} -eq 0 ]] ||
  die "missing: ${missing[*]}" "$(install_line "${missing[@]}")"
need_go

mkdir -p "$cache"/{debs,apt/lists/partial,apt/archives/partial}
exec {lock}<"$cache"
flock -n "$lock" || {
  say "waiting for another build" >&2
  flock "$lock"
}
rm -rf "$cache"/work.* # of a build that was killed
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
exit_on_signals

## Debian's packages

packages() { grep -v '^#' "$here/packages.tsv"; }

# with_apt COMMAND... is apt with directories of its own, for i386. The mirror
# and the way to it are this machine's; what comes from there is held against
# the sums of packages.tsv.
with_apt() {
  local mirror=${NSL_DEBIAN_MIRROR:-} keys=/usr/share/keyrings/debian-archive-keyring.gpg
  if [[ ! -e $cache/apt/fresh ]]; then
    [[ -n $mirror ]] || mirror=$(apt-get indextargets --format "\$(REPO_URI)" \
      'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
    [[ -n $mirror ]] ||
      die "apt has no index of a Debian mirror" "sudo apt-get update" \
        "or, not on Debian: NSL_DEBIAN_MIRROR=http://… $0"
    {
      apt-config dump | grep '^Acquire::[^"]* "[^"]\+"' || true
      cat <<CONF
Dir::State "$cache/apt";
Dir::State::status "$cache/apt/status";
Dir::Cache "$cache/apt";
Dir::Etc "$cache/apt";
Dir::Etc::sourcelist "$cache/apt/sources.list";
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Sandbox::User "";
Acquire::Languages "none";
CONF
    } >"$cache/apt/conf"
    mkdir -p "$cache"/apt/{sources.list.d,preferences.d,apt.conf.d,trusted.gpg.d}
    : >"$cache/apt/status"
    printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$mirror" "$suite" >"$cache/apt/sources.list"
    printf 'deb-src [signed-by=%s] %s %s main\n' "$keys" "$mirror" "$suite" >>"$cache/apt/sources.list"
    APT_CONFIG=$cache/apt/conf apt-get -qq update >&2 ||
      die "apt cannot read Debian's $suite" "is there a network? And the package debian-archive-keyring?"
    touch "$cache/apt/fresh"
  fi
  APT_CONFIG=$cache/apt/conf "$@"
}

if [[ -n $update ]]; then
  rm -f "$cache/apt/fresh"
  with_apt true
  sed -n '/^#/p' "$here/packages.tsv" >"$work/packages.tsv"
  while IFS=$'\t' read -r name _; do
    with_apt apt-cache show --no-all-versions "$name" |
      awk -v name="$name" '/^Version:/ { v = $2 } /^SHA256:/ { s = $2 }
        END { if (!s) exit 1; print name "\t" v "\t" s }' ||
      die "Debian's $suite has no package $name"
  done < <(packages) >>"$work/packages.tsv"
  cat "$work/packages.tsv" >"$here/packages.tsv"
  say "scripts/dev/machine/packages.tsv"
  exit
fi

# deb NAME prints the file of a package.
deb() { echo "$cache"/debs/"$1"_*.deb; }

# need_debs downloads those packages that are not there as packages.tsv has them.
need_debs() {
  local name version sum wanted=() try
  for try in 1 2 3; do
    wanted=()
    while IFS=$'\t' read -r name version sum; do
      [[ -e $cache/debs/$name.$sum ]] || wanted+=("$name=$version")
    done < <(packages)
    [[ ${#wanted[@]} -gt 0 ]] || return 0
    [[ $try -lt 3 ]] || break
    say "downloading ${#wanted[@]} packages of Debian's $suite" >&2
    [[ $try -eq 1 ]] || rm -f "$cache/apt/fresh" # its index is old
    mkdir -p "$work/debs"
    (cd "$work/debs" && with_apt apt-get -qq download "${wanted[@]}" >&2) || continue
    while IFS=$'\t' read -r name version sum; do
      for file in "$work/debs/${name}_"*.deb; do
        [[ -e $file ]] || continue
        echo "$sum  $file" | sha256sum --check --quiet >&2 ||
          die "the package $name is not the one of packages.tsv"
        rm -f "$cache/debs/$name".* "$cache/debs/${name}_"*
        mv "$file" "$cache/debs/"
        touch "$cache/debs/$name.$sum"
      done
    done < <(packages)
  done
  die "cannot download ${wanted[*]}" "if Debian has newer ones: $0 --update"
}

need_debs

# source_of NAME prints the source package and its version: what was only built
# again, +b1, has the same source.
source_of() {
  local source version
  source=$(dpkg-deb -f "$(deb "$1")" Source)
  version=$(dpkg-deb -f "$(deb "$1")" Version)
  case $source in
  *' ('*) version=${source#* (} version=${version%)} source=${source%% *} ;;
  '') source=$1 ;;
  esac
  printf '%s\t%s\n' "$source" "${version%+b[0-9]*}"
}

if [[ -n $sources ]]; then
  mkdir -p "$sources"
  rm -f "$cache/apt/fresh"
  packages | while read -r name _; do source_of "$name"; done | sort -u >"$work/sources"
  gone=()
  while IFS=$'\t' read -r name version; do
    (cd "$sources" && with_apt apt-get -qq source --download-only "$name=$version" >&2) ||
      gone+=("$name $version")
  done <"$work/sources"
  modules=$("$repo/scripts/dev/npm.sh")/node_modules
  for name in v86 @xterm/xterm @xterm/addon-fit; do
    (cd "$sources" && npm pack --silent "$name@$(node -p "require('$modules/$name/package.json').version.split('+')[0]")" >&2)
  done
  cp -r "$here" "$sources/machine"
  [[ ${#gone[@]} -eq 0 ]] ||
    die "this mirror has no source of $(printf '%s, ' "${gone[@]}")the rest is in $sources" \
      "NSL_DEBIAN_MIRROR=http://… $0 --sources $sources"
  say "$sources: the sources of $(wc -l <"$work/sources") packages of Debian, of v86 and xterm.js, and what builds the machine"
  exit
fi

## The kernel

# sum_of FILE... is short, and that of what the files hold.
sum_of() { cat "$@" | sha256sum | cut -c 1-16; }

kernel=$cache/kernel-$(sum_of "$here"/kernel.{config,h} <(sed -n '/^build_kernel/,/^}/p' "$0") \
  <(packages | grep '^linux-source') <(gcc --version))

# build_kernel makes the kernel, in $kernel.
build_kernel() {
  local source=$work/source name names=()
  mkdir "$source"
  # What it is made from, and what decides that: a sixth of the files.
  dpkg-deb --fsys-tarfile "$(deb linux-source-6.1)" |
    tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc -T 0 |
    tar -x -C "$source" --strip-components 1 --wildcards '*/Kconfig*' '*/Makefile*' '*/Kbuild*' \
      linux-source-6.1/{COPYING,LICENSES,arch/x86,block,certs,crypto,fs,include,init,io_uring,ipc,kernel,lib,mm} \
      linux-source-6.1/{net,scripts,security,tools/include,usr} \
      linux-source-6.1/drivers/{base,char,clocksource,net/{loopback,veth}.c,rtc,tty}
  cd "$source"
  cp "$here/kernel.h" .
  export KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_USER=nsl KBUILD_BUILD_HOST=nsl
  make ARCH=i386 KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig
  # What an option needs may be missing: it is dropped without a word.
  grep '^CONFIG_' "$here/kernel.config" | grep -v '=n$' | while read -r name; do
    grep -qx "$name" .config || {
      echo "the kernel's configuration has no $name"
      exit 1
    }
  done
  # See kernel.h: the same name for each file. The first one is there for its command.
  for name in basename:BASENAME modname:MODNAME modfile:MODFILE; do
    names+=("${name%:*}_flags=-DKBUILD_${name#*:}='\"nsl\"'")
  done
  names[1]+=' -D__KBUILD_MODNAME=nsl'
  make -j"$(nproc)" ARCH=i386 KCFLAGS=-w "${names[@]}" init/version.o
  eval "$(sed -n '1s/^[^=]*= *//; s/-Wp,-MMD,[^ ]*\|-include [^ ]*//g; s/ -c -o .*/ -x c-header kernel.h/; 1p' init/.version.o.cmd)"
  make -j"$(nproc)" ARCH=i386 KCFLAGS=-w "${names[@]}" CFLAGS_sort.o=-DALONE \
    NOSTDINC_FLAGS="-nostdinc -include $PWD/kernel.h" bzImage
  mkdir "$work/kernel"
  cp arch/x86/boot/bzImage .config COPYING LICENSES/preferred/GPL-2.0 "$work/kernel"
  rm -rf "$source" "$kernel"
  mv -T "$work/kernel" "$kernel"
}
building=''
if [[ ! -e $kernel/bzImage ]]; then
  say "building the kernel: some minutes, once" >&2
  (build_kernel) >"$work/log" 2>&1 & # beside the rest
  building=$!
fi

## The root filesystem

# unpacked prints the directory with all packages unpacked, but the kernel's.
unpacked=$cache/unpacked-$(sum_of <(packages))
if [[ ! -d $unpacked ]]; then
  mkdir "$work/unpacked"
  while read -r name _; do
    [[ $name == linux-source-* ]] || dpkg-deb -x "$(deb "$name")" "$work/unpacked"
  done < <(packages)
  rm -rf "$work"/unpacked/usr/share/{locale,man,info}
  mv -T "$work/unpacked" "$unpacked"
fi

# needed FILE... prints the libraries that programs ask for.
needed() { readelf -d "$@" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u; }

# for_machine ARGUMENT... compiles a C program, with the headers and the C library
# of the machine: this one's gcc has none for 32 bits.
for_machine() {
  gcc -m32 -march=i686 -O2 -s -Wall -Wextra -nostdlib -no-pie -fno-pie -fno-stack-protector \
    -fcf-protection=none -fno-asynchronous-unwind-tables -Wl,--build-id=none \
    -isystem "$unpacked/usr/include" -isystem "$unpacked/usr/include/i386-linux-gnu" \
    -L "$unpacked/lib/i386-linux-gnu" "$@"
}

# copy_programs DIR puts the programs there, with their libraries, where they
# belong: bin, sbin and lib are in usr, as Debian has it now.
copy_programs() {
  local name file to dirs=() wanted=() found
  for name in bin sbin lib; do
    mkdir -p "$1/usr/$name"
    ln -s "usr/$name" "$1/$name"
  done
  for name in {,usr/}{bin,sbin} {,usr/}lib/i386-linux-gnu{,/security} usr/libexec/{sudo,coreutils}; do
    [[ ! -d $unpacked/$name ]] || dirs+=("$unpacked/$name")
  done
  # shellcheck disable=SC2013 # words
  for name in $(grep -v '^#' "$here/programs"); do wanted+=("$name"); done
  while [[ ${#wanted[@]} -gt 0 ]]; do
    found=()
    for name in "${wanted[@]}"; do
      file=$(find "${dirs[@]}" -maxdepth 1 -name "${name//\[/\\[}" -print -quit)
      [[ -n $file ]] || {
        [[ $name != libsystemd.so.0 ]] || continue
        die "no package of packages.tsv has $name"
      }
      to=$1/usr/${file#"$unpacked"/}
      to=${to/usr\/usr/usr}
      [[ ! -e $to ]] || continue
      mkdir -p "${to%/*}"
      cp -L --preserve=mode "$file" "$to"
      found+=("$to")
    done
    wanted=()
    [[ ${#found[@]} -eq 0 ]] || mapfile -t wanted < <(needed "${found[@]}")
  done
  ln -s mawk "$1/usr/bin/awk"
  ln -sf dash "$1/usr/bin/sh"
  ln -sf ../lib/i386-linux-gnu/ld-linux.so.2 "$1/usr/lib/ld-linux.so.2"
  for_machine -shared -fPIC -Wl,-soname,libsystemd.so.0,--version-script="$here/nosystemd.map" \
    -o "$1/usr/lib/i386-linux-gnu/libsystemd.so.0" "$here/nosystemd.c"
  for name in $(busybox_list "$1/usr/bin/busybox"); do
    [[ -e $1/usr/bin/$name || -e $1/usr/sbin/$name ]] || ln -s busybox "$1/usr/bin/$name"
  done
  chmod 4755 "$1/usr/bin/"{sudo,newuidmap,newgidmap}
}

# busybox_list PROGRAM prints the names of its applets. An x86_64 kernel runs
# programs for i386, but some are built so that they do not.
busybox_list() {
  "$1" --list || die "this kernel runs no 32-bit programs" "the build needs one with IA32_EMULATION"
}

# copy_settings DIR writes what is in /etc, and in the homes.
copy_settings() {
  local file
  mkdir -p "$1"/{dev,etc/pam.d,home/guest,mnt,opt,proc,root,run,srv,sys,tmp,usr/local/bin,var/{lib,lock,log,tmp}}
  chmod 1777 "$1/tmp" "$1/var/tmp"
  chmod 700 "$1/root"
  cp "$unpacked/usr/lib/os-release" "$1/etc/os-release"
  cp "$unpacked/etc/debian_version" "$1/etc"
  mkdir -p "$1"/usr/lib/{terminfo/{x,d,l,v},locale}
  for file in x/xterm x/xterm-256color d/dumb l/linux v/vt100; do
    cp -L "$unpacked/lib/terminfo/$file" "$1/usr/lib/terminfo/$file"
  done
  cp -r "$unpacked/usr/lib/locale/C.utf8" "$1/usr/lib/locale/"
  echo hotel >"$1/etc/hostname"
  echo '127.0.0.1 localhost hotel' >"$1/etc/hosts"
  printf '%s\n' 'passwd: files' 'group: files' 'shadow: files' 'hosts: files' >"$1/etc/nsswitch.conf"
  cat >"$1/etc/passwd" <<'FILE'
root:x:0:0:root:/root:/bin/bash
guest:x:1000:1000::/home/guest:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
FILE
  printf '%s\n' root:x:0: tty:x:5: guest:x:1000: nogroup:x:65534: >"$1/etc/group"
  printf '%s:*:19000:0:99999:7:::\n' root guest >"$1/etc/shadow"
  chmod 640 "$1/etc/shadow"
  for file in subuid subgid; do echo guest:100000:65536 >"$1/etc/$file"; done
  cat >"$1/etc/sudoers" <<'FILE'
Defaults env_reset, secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
guest ALL=(ALL:ALL) NOPASSWD: ALL
FILE
  chmod 440 "$1/etc/sudoers"
  for file in sudo other; do
    printf '%s required pam_permit.so\n' auth account session password >"$1/etc/pam.d/$file"
  done
  cat >"$1/etc/fstab" <<'FILE'
proc    /proc          proc    nosuid,nodev,noexec
sysfs   /sys           sysfs   nosuid,nodev,noexec
cgroup2 /sys/fs/cgroup cgroup2 nosuid,nodev,noexec,nsdelegate
devpts  /dev/pts       devpts  nosuid,noexec,gid=5,mode=620,ptmxmode=666
tmpfs   /dev/shm       tmpfs   nosuid,nodev,mode=1777
mqueue  /dev/mqueue    mqueue  nosuid,nodev,noexec
tmpfs   /run           tmpfs   nosuid,nodev,mode=755
tmpfs   /tmp           tmpfs   nosuid,nodev,mode=1777
tmpfs   /var/tmp       tmpfs   mode=1777
FILE
  # The page, and the tests, find the prompt by what comes before it; a
  # terminal shows nothing of that.
  for file in root/.bashrc home/guest/.bashrc; do
    cat >"$1/$file" <<'FILE'
PS1='\[\e]prompt\a\]\$ ' HISTFILE=
[[ ! -e ~/.machine ]] || . ~/.machine
FILE
  done
}

# copy_course DIR puts the repository there, as a learner has it after
# scripts/tour.sh, but what needs Go: that is compiled.
copy_course() {
  local broken
  mkdir -p "$1"
  (cd "$repo" && find 0[0-9]-* docs scripts go.mod go.sum README.md -type f \
    ! -path 'scripts/dev/*' ! -path 'scripts/bench/*' ! -path '*/testdata/*' \
    ! -name '*_test.go' ! -path 'docs/pictures/*' ! -path 'docs/recordings/*' \
    ! -name '*.svg' ! -name 'slides.md' -print0 |
    cpio --quiet -0 -pdm "$1")
  install -m 755 "$here/sandbox.sh" "$1/scripts/"
  build_for_machine "$repo" "$1/bin/" ./0*
  broken=$cache/broken-$(sum_of "$1"/bin/* "$repo"/0*/breaks/*.patch "$here"/{prebuilt.sh,pack/main.go})
  if [[ ! -d $broken ]]; then
    "$here/prebuilt.sh" "$1" "$work"
    mv -T "$1/bin/prebuilt" "$broken"
  fi
  touch "$broken"
  cp -r "$broken" "$1/bin/prebuilt"
}

# build_for_machine MODULE OUT PACKAGE... compiles Go programs.
build_for_machine() {
  (cd "$1" && env GOOS=linux GOARCH=386 CGO_ENABLED=0 \
    go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" "${@:3}")
}

root=$work/root
mkdir -p "$root"
copy_programs "$root"
copy_settings "$root"
mkdir -p "$root/lib/machine"
for name in init loop terminal line; do cp "$here/$name.sh" "$root/lib/machine/$name"; done
ln -s lib/machine/init "$root/init"
for_machine -o "$root/usr/bin/socat" "$here/inside.c" \
  "$unpacked"/usr/lib/i386-linux-gnu/crt{1,i,n}.o \
  -l:libc.so.6 -l:ld-linux.so.2 -Wl,--as-needed,--dynamic-linker=/lib/ld-linux.so.2
ln "$root/usr/bin/socat" "$root/usr/bin/prebuilt"
ln "$root/usr/bin/socat" "$root/lib/machine/setserial"
copy_course "$root/home/guest/namespaces"
# Of the machine's busybox, not of this one's.
mkdir "$work/busybox"
cp "$root/usr/bin/busybox" "$work/busybox"
PATH=$work/busybox:$PATH "$repo/scripts/rootfs.sh" "$root/home/guest/namespaces/rootfs" >&2

## The state

if [[ -n $building ]] && ! wait "$building"; then
  grep -E '[eE]rror( |:)|Not found' "$work/log" >&2 || tail -n 20 "$work/log" >&2
  die "the kernel does not build"
fi
modules=$("$repo/scripts/dev/npm.sh")/node_modules
# What the files hold, and what is made of them, decides which state it is.
inputs=$({
  (cd "$root" && find . \( -type l -printf '%p %l\n' \) -o -printf '%p %m\n' | LC_ALL=C sort)
  (cd "$root" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
  echo "${kernel##*-}"
  cat "$here"/{make-state,machine}.mjs "$modules/v86/build/v86.wasm"
} | sha256sum | cut -c 1-16)
state=$cache/state-$inputs
if [[ ! -e $state/state.zst ]]; then
  say "starting the machine, to save its memory" >&2
  (cd "$root" && find . -print0 | LC_ALL=C sort -z |
    cpio --quiet -0 -o -H newc -R 0:0 | gzip -1) >"$work/files.gz"
  mkdir "$work/state"
  NODE_PATH=$modules node "$here/make-state.mjs" "$unpacked/usr/share/seabios/bios.bin" \
    "$kernel/bzImage" "$work/files.gz" "$work/state/state" >&2 ||
    die "the machine does not start"
  say "packing it" >&2
  zstd -q -19 --long=27 -T2 "$work/state/state" -o "$work/state/state.zst"
  mv -T "$work/state" "$state" # state itself stays: what Node starts from
fi

# What the page says of what is in it: package, version, source, and its version;
# the licences' texts, the kernel's configuration, and what builds it.
about=$work/about
mkdir -p "$about/licences"
packages | while read -r name version _; do
  case $name in
  *-dev) continue ;; # the headers: nothing of them is in it
  linux-source-*) cp "$kernel"/{COPYING,GPL-2.0} "$about" ;;
  *) cp "$unpacked/usr/share/doc/$name/copyright" "$about/licences/$name" ;;
  esac
  printf '%s\t%s\t%s\n' "$name" "$version" "$(source_of "$name")"
done >"$state/packages.tsv"
cp -L "$unpacked"/usr/share/common-licenses/* "$about/licences/"
for name in v86/LICENSE @xterm/xterm/LICENSE @xterm/addon-fit/LICENSE; do
  to=${name%/*}
  cp "$modules/$name" "$about/licences/${to//\//-}"
done
cp -r "$kernel/.config" "$here" "$about"
mv "$about/.config" "$about/kernel.config"
tar -C "$work" --owner 0 --group 0 --mtime 2026-01-01 --sort name -c about | gzip -9n >"$state/about.tar.gz"

# Of the older ones, as many are kept as people have branches.
for kind in state broken; do
  find "$cache" -maxdepth 1 -name "$kind-*" -printf '%T@ %p\n' | sort -rn |
    tail -n +6 | cut -d ' ' -f 2- | xargs -r rm -rf
done
touch "$state"
printf '%s\n' "$state"
