//go:build linux

package scripttest

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// stickTools replace apt-get, whose package for a different processor has a text in place
// of a program, and go build, which notes what it is asked to build.
const stickTools = `mkdir $1/tools; cat >$1/tools/apt-get <<'END'
#!/usr/bin/env bash
[[ $1 == download ]] || exit 0
arch=$(sed -n 's/^APT::Architecture "\(.*\)";/\1/p' "$APT_CONFIG")
mkdir -p deb/DEBIAN deb/bin
printf '%s\n' 'Package: busybox-static' 'Version: 1' "Architecture: $arch" \
  'Maintainer: x <x@x>' 'Description: x' >deb/DEBIAN/control
if [[ $arch == "$(dpkg --print-architecture)" ]]; then
  cp "$BUSYBOX" deb/bin/busybox
else
  install /dev/stdin deb/bin/busybox <<<"$arch"
fi
dpkg-deb --build deb busybox-static.deb && rm -r deb
END
cat >$1/tools/go <<'END'
#!/usr/bin/env bash
[[ $1 == build ]] || PATH=${PATH#*:} exec go "$@"
mkdir -p bin && for lesson in 0*; do echo "$GOOS $GOARCH $CGO_ENABLED" >bin/$lesson; done
END
chmod +x $1/tools/*; mkdir $1/stick $1/empty
export BUSYBOX=$(type -p busybox) PATH=$1/tools:$PATH
"$2/scripts/dev/stick.sh" $1/stick`

// Each archive has what its processor needs, and builds without a network.
func TestStick(t *testing.T) {
	nstest.Slow(t)
	repo := nstest.Repo(t)
	dir := t.TempDir()
	made := done(t, exec.Command("bash", "-euc", stickTools, "bash", dir, repo))
	for machine, arch := range map[string]string{"x86_64": "amd64", "aarch64": "arm64"} {
		assert.Contains(t, made, dir+"/stick/namespaces-"+machine+".tar.gz\n")
		out, status := output(t, exec.Command("bash", "-euc", `cd $1; mkdir $2; tar xzf stick/namespaces-$2.tar.gz -C $2
			[[ $3 == "$(go env GOARCH)" ]] || exit 0 # the rest is the same
			export GOPROXY=off GOMODCACHE=$1/empty GOFLAGS=; cd $2/namespaces
			go list -deps ./08-cgroups >/dev/null; cp go.mod go.sum work; mkdir work/01-pid
			cp 05-net/*.go work/01-pid; cd work; go list -deps ./01-pid >/dev/null`, "bash", dir, machine, arch))
		require.Zero(t, status, out)
		tree := filepath.Join(dir, machine, "namespaces")
		for _, name := range []string{"01-pid", "08-cgroups"} {
			assert.Equal(t, "linux "+arch+" 0\n", nstest.Read(t, tree, "bin", name))
		}
		assert.Equal(t, arch != runtime.GOARCH, nstest.Read(t, tree, "rootfs/bin/sh") == arch+"\n")
		for _, name := range []string{"README.md", "scripts/doctor.sh", "docs/pictures/hotel.svg"} {
			assert.FileExists(t, filepath.Join(tree, name))
		}
		for _, name := range []string{".git", "public", "work/bin"} {
			assert.NoFileExists(t, filepath.Join(tree, name))
			assert.NoDirExists(t, filepath.Join(tree, name))
		}
	}

	// There is no such stick.
	out, status := output(t, exec.Command(repo+"/scripts/dev/stick.sh", dir+"/none"))
	assert.Equal(t, 2, status)
	assert.True(t, strings.HasPrefix(out, "stick.sh: DIR must be a directory"), out)
}
