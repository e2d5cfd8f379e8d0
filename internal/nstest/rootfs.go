//go:build linux

package nstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// applets are the programs of busybox that the tests use.
var applets = strings.Fields("cat chown dd df echo env false grep head " +
	"hostname id ip kill ls mkdir mount ps pwd readlink rm rmdir sh sleep " +
	"stat stty tail timeout touch true wc")

// MakeRootfs makes a root filesystem in a directory, with the static busybox.
func MakeRootfs(dir string) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err // Debian: busybox-static
	}
	for _, sub := range []string{"bin", "etc", "root", "proc", "sys", "dev", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	err = os.WriteFile(filepath.Join(dir, "bin/busybox"), program, 0o755)
	if err != nil {
		return err
	}
	for _, applet := range applets {
		link := filepath.Join(dir, "bin", applet)
		if err := os.Symlink("busybox", link); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "etc/passwd"),
		[]byte("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"), 0o644)
}
