//go:build linux

package scripttest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// Root may have made a login of an ordinary user by sudo, with root as the
// caller in its environment: that means nothing to the scripts.
func TestLibSudoIsForRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		nstest.Skip(t, "needs root to become somebody else")
	}
	repo := nstest.Repo(t)
	lib := nstest.Read(t, repo+"/scripts/lib/env.sh")
	for user, want := range map[string]string{"0": "0 root", "54321": "none none"} {
		cmd := exec.Command("setpriv", "--reuid="+user, "--regid="+user, "--clear-groups",
			"bash", "-euc", `source <(cat); echo "${SUDO_UID:-none} ${SUDO_USER:-none}"`)
		cmd.Stdin = strings.NewReader(lib)
		cmd.Env = append(os.Environ(), "SUDO_UID=0", "SUDO_GID=0", "SUDO_USER=root")
		out := nstest.Printed(t, cmd)
		require.Equal(t, want+"\n", out, "user %s", user)
	}
	// Half of what sudo sets is not from sudo.
	cmd := exec.Command("bash", "-euc", `source <(cat); echo "${SUDO_UID:-none}"`)
	cmd.Stdin = strings.NewReader(lib)
	cmd.Env = append(os.Environ(), "SUDO_UID=1000", "SUDO_GID=")
	out := nstest.Printed(t, cmd)
	require.Equal(t, "none\n", out)

	// A shell of root's may have kept what is out of date: root goes on as root.
	for name, want := range map[string]string{"daemon": "1 daemon", "nobody": "none none", "is-gone": "none none",
		"unshare -Ur": "none none"} {
		command := []string{"bash", "-euc", `source <(cat); echo "${SUDO_UID:-none} ${SUDO_USER:-none}"`}
		if name == "unshare -Ur" {
			command, name = append(strings.Fields(name), command...), "daemon"
		}
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdin = strings.NewReader(lib)
		cmd.Env = append(os.Environ(), "SUDO_UID=1", "SUDO_GID=1", "SUDO_USER="+name)
		out := nstest.Printed(t, cmd)
		require.Equal(t, want+"\n", out, "%v %s", command, name)
	}
}

// A kernel thread's name may be long, and a name may look like what follows it.
func TestLibFindContainers(t *testing.T) {
	nstest.NeedRoot(t)
	cmd := exec.Command("unshare", "--mount", "bash", "-euc", `
		source ../../scripts/lib/all.sh
		source ../../scripts/lib/containers.sh
		rows lessons >/dev/null # before there is no /proc
		lesson_names='01-pid 02-mount'
		mount -t tmpfs none /proc
		process() { mkdir "/proc/$1"; echo "$1 ($2) S $3 $1 $1 0 -1 4194560" >"/proc/$1/stat"; }
		process 7 "kworker/u257:12-events_freezable_power_efficient_and_more_of_it" 2
		process 8 "a) S 9 (b" 1
		process 9 01-pid 8
		process 4194303 "sh" 9
		printf 'sh\0' >/proc/4194303/cmdline
		find_containers
		echo "${containers[*]} ${lesson_of[4194303]} ${launcher_of[4194303]}"`)
	out := done(t, cmd)
	require.Equal(t, "4194303 01-pid 9\n", out)
}

// TestLibCgroup tries the look-up of cgroups with whatever mountinfo may contain.
func TestLibCgroup(t *testing.T) {
	for name, test := range map[string]struct{ mounts, cgroup, want string }{
		"v2": {
			"30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:2 - cgroup2 cgroup2 rw",
			"0::/a/b", "v2=/sys/fs/cgroup/a/b",
		},
		"the root": {"30 20 0:26 / /cg rw - cgroup2 cgroup2 rw", "0::/", "v2=/cg"},
		"the first counts": {
			"30 20 0:26 / /cg rw - cgroup2 cgroup2 rw\n31 20 0:26 / /copy ro - cgroup2 cgroup2 rw",
			"0::/a", "v2=/cg/a",
		},
		"a part of it that is another": {
			"30 20 0:26 /a /part rw - cgroup2 cgroup2 rw\n31 20 0:26 / /cg rw - cgroup2 cgroup2 rw",
			"0::/ab", "v2=/cg/ab",
		},
		"a part of it": {"30 20 0:26 /a /part rw - cgroup2 cgroup2 rw", "0::/a/b", "v2=/part/b"},
		"just it":      {"30 20 0:26 /a /part rw - cgroup2 cgroup2 rw", "0::/a", "v2=/part"},
		"above our namespace": {
			"30 20 0:26 /../.. /cg rw - cgroup2 cgroup2 rw", "0::/", "",
		},
		"beside our namespace": {
			"30 20 0:26 /../.. /cg rw - cgroup2 cgroup2 rw", "0::/../../init.scope", "v2=/cg/init.scope",
		},
		"above its root": {"30 20 0:26 /.. /cg rw - cgroup2 cgroup2 rw", "0::/../../x", ""},
		"controllers": {
			"30 20 0:26 / /cg/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n" +
				"31 20 0:27 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd",
			"4:cpu,cpuacct:/a:b\n1:name=systemd:/", "cpu=/cg/cpu,cpuacct/a:b cpuacct=/cg/cpu,cpuacct/a:b name=systemd=/cg/systemd",
		},
		"hybrid": {
			"30 20 0:26 / /cg/memory rw - cgroup cgroup rw,memory\n31 20 0:27 / /cg/unified rw - cgroup2 cgroup2 rw",
			"4:memory:/m\n0::/u", "memory=/cg/memory/m v2=/cg/unified/u",
		},
		"escapes": {
			`30 20 0:26 /a\0401 /my\134c\0401 rw - cgroup2 cgroup2 rw`, "0::/a 1/b", `v2=/my\c 1/b`,
		},
		"nothing mounted": {"30 20 0:26 / / rw - ext4 /dev/vda rw", "0::/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(dir+"/mountinfo", []byte(test.mounts+"\n"), 0o644))
			require.NoError(t, os.WriteFile(dir+"/cgroup", []byte(test.cgroup+"\n"), 0o644))
			out, status := output(t, exec.Command("bash", "-euc", `
				source ../../scripts/lib/cgroup.sh
				mountinfo=$1/mountinfo
				find_cgroups "$1/cgroup"
				for name in "${!cgroup_dir[@]}"; do echo "$name=${cgroup_dir[$name]}"; done | sort | xargs -r -d '\n'`,
				"bash", dir))
			require.Zero(t, status, out)
			require.Equal(t, test.want, strings.TrimSuffix(out, "\n"))
		})
	}
}

// The cgroup that is found is the kernel's: it lists the process, though a read-only copy of
// the tree is mounted as well.
func TestLibCgroupOfSelf(t *testing.T) {
	nstest.NeedRoot(t)
	cmd := exec.Command("unshare", "--mount", "bash", "-euc", `
		source ../../scripts/lib/cgroup.sh
		mount -t tmpfs none /mnt
		mkdir /mnt/copy
		top=$(awk '/ - cgroup2? / { print $5; exit }' /proc/self/mountinfo)
		mount --bind -o ro "$top" /mnt/copy
		find_cgroups /proc/self/cgroup
		[[ ${#cgroup_dir[@]} -gt 0 ]]
		for name in "${!cgroup_dir[@]}"; do
			grep -qx $$ "${cgroup_dir[$name]}/cgroup.procs"
			[[ ${cgroup_dir[$name]} != /mnt/* ]]
		done`)
	done(t, cmd)
}

// A Go that is too old says so, and is not asked to download a newer one.
func TestLibNeedGo(t *testing.T) {
	repo := t.TempDir()
	done(t, exec.Command("cp", "-r", "../../scripts", repo))
	require.NoError(t, os.WriteFile(repo+"/go.mod", []byte("module namespaces\n\ngo 1.99\n"), 0o644))
	cmd := exec.Command("bash", "-euc", "source scripts/lib/all.sh; need_go")
	cmd.Dir = repo
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=auto", "GOPROXY=off", "GOFLAGS=-mod=mod")
	out := fails(t, cmd)
	require.Regexp(t, `bash: go1\.\d+\S* is too old: go\.mod says 1\.99\n  install a newer Go`, out)
}

// Without a network and the modules, one line says so, and what to type.
func TestLibNoModules(t *testing.T) {
	place, cache := workPlace(t), t.TempDir()
	cmd := exec.Command("bash", "-euc", "source scripts/lib/all.sh; build_lessons")
	cmd.Dir = place
	cmd.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOPROXY=http://127.0.0.1:1")
	out := fails(t, cmd)
	require.Regexp(t, `^building .*\nbash: Go has to download what the lessons import, and cannot: `+
		`connection refused\n  once, where there is a network: go mod download\n$`, out)
}

// Advice that begins with sudo is su's where there is no sudo, and root needs neither.
func TestLibAdvice(t *testing.T) {
	nstest.NeedRoot(t)
	say := nstest.Read(t, "../../scripts/lib/say.sh")
	for want, path := range map[string]string{"sudo reboot": "", "su -c \"reboot\"": "PATH=/nowhere;"} {
		cmd := exec.Command("setpriv", "--reuid=54321", "--clear-groups",
			"bash", "-euc", "source <(cat); "+path+" as_typed 'sudo reboot'; echo \"$typed\"")
		cmd.Stdin = strings.NewReader(say)
		out := done(t, cmd)
		require.Equal(t, want+"\n", out)
	}
	out, _ := output(t, exec.Command("bash", "-c", say+"\ndie no 'sudo a\nb' c"))
	require.Equal(t, "bash: no\n  a\n  b\n  c\n", out)
}

// Scripts that are not executable start each other.
func TestLibNotExecutable(t *testing.T) {
	cmd := exec.Command("bash", "-euc", "chmod a-x scripts/*.sh; source scripts/lib/all.sh; need_rootfs; ls rootfs/bin/sh")
	cmd.Dir = workPlace(t)
	done(t, cmd)
}
