//go:build linux

package scripttest

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"
	"namespaces/internal/nstest"
)

// placesDebian is the release from which all three places are made, and the minor version
// of its Go.
const (
	placesCodename, placesNumber = "trixie", "13"
	placesGo                     = 24
)

// placesPackages are those that a place must have from the beginning: otherwise the
// learners' scripts would install them with sudo.
func placesPackages(t *testing.T) []string {
	t.Helper()
	want := []string{"git", "golang-go"}
	for _, line := range strings.Split(nstest.Read(t, "../..", "scripts/lib/packages.tsv"), "\n") {
		f := strings.Split(line, "\t")
		if len(f) > 2 && slices.Contains([]string{"tour", "demo", "net", "exercise"}, f[1]) {
			want = append(want, strings.Fields(f[2])...)
		}
	}
	slices.Sort(want)
	return slices.Compact(want)
}

// placesParses has a shell read a script without running it.
func placesParses(t *testing.T, shell, script string) {
	t.Helper()
	cmd := exec.Command(shell, "-n")
	cmd.Stdin = strings.NewReader(script)
	nstest.Printed(t, cmd)
}

// go.mod allows the Go of that Debian.
func TestPlacesGo(t *testing.T) {
	m := regexp.MustCompile(`(?m)^go 1\.(\d+)$`).FindStringSubmatch(nstest.Read(t, "../..", "go.mod"))
	require.NotNil(t, m)
	least, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	assert.LessOrEqual(t, least, placesGo, "Debian %s has Go 1.%d", placesNumber, placesGo)
}

func TestPlacesDevcontainer(t *testing.T) {
	text := regexp.MustCompile(`(?m)^\s*//.*$`).ReplaceAllString(
		nstest.Read(t, "../..", ".devcontainer/devcontainer.json"), "")
	// The schema of the format has these, and we need no others.
	var place struct {
		Name              string
		Build             struct{ Dockerfile string }
		RemoteUser        string
		Privileged, Init  bool
		PostCreateCommand []string
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&place))
	assert.Equal(t, "Dockerfile", place.Build.Dockerfile)
	assert.True(t, place.Privileged, "no lesson works without")
	assert.True(t, place.Init)
	m := placesDockerfile(t)
	assert.Equal(t, placesCodename, m[1])
	for _, name := range []string{"git", "golang-go", "sudo"} {
		assert.Contains(t, strings.Fields(m[2]), name)
	}
	assert.Contains(t, strings.Fields(m[2]), place.RemoteUser)

	// The other packages come from the table, read by the scripts' own library.
	require.Len(t, place.PostCreateCommand, 3)
	assert.Equal(t, []string{"bash", "-euc"}, place.PostCreateCommand[:2])
	commands := strings.Split(place.PostCreateCommand[2], "; ")
	require.Equal(t, "source scripts/lib/all.sh", commands[0])
	assert.Equal(t, "install_for tour demo net exercise", commands[1])
	for _, command := range commands[1:] {
		cmd := exec.Command("bash", "-euc", commands[0]+`; declare -F "$1"`, "",
			strings.Fields(command)[0])
		cmd.Dir = "../.."
		nstest.Printed(t, cmd)
	}
}

// The scripts of a checkout on Windows start after it is copied to Linux.
func TestPlacesWindows(t *testing.T) {
	t.Parallel()
	place := newPlace(t, "windows", `cp -r .gitattributes scripts 01-pid "$place"
		cd "$place"
		git init --quiet
		git add .
		git -c user.name=me -c user.email=me commit --quiet -m all
		git -c core.autocrlf=true clone --quiet . clone`)
	assert.Contains(t, done(t, script(place+"/clone", "exercise.sh", "01")), "01-1  -init")
}

// placesDockerfile is the release from which the container is made, and what runs in it.
func placesDockerfile(t *testing.T) []string {
	t.Helper()
	m := regexp.MustCompile(`\nFROM debian:(\w+)\nRUN ((?s:.*))\n$`).FindStringSubmatch(
		nstest.Read(t, "../..", ".devcontainer/Dockerfile"))
	require.NotNil(t, m)
	return m
}

// The container's commands make a user, here on this machine, which has the packages.
func TestPlacesDevcontainerUser(t *testing.T) {
	nstest.NeedRoot(t)
	doctorDir = doctorBuild(t)
	m := doctorIn(`etc=$(mktemp -d); mount -t tmpfs none $etc; cp -a /etc/. $etc
		mount --move $etc /etc; rmdir $etc
		for dir in /home /var/log /var/mail; do mount -t tmpfs none $dir; done
		sed -i '/:1000:/d' /etc/passwd /etc/group # as in the image
		mkdir /home/bin; install /dev/stdin /home/bin/apt-get <<<'#!/bin/sh'`)
	out, errs, status := m.run(t, m.wrap, "sh", "-euc", `PATH=/home/bin:$PATH; [ "$(command -v apt-get)" = /home/bin/apt-get ]
		`+placesDockerfile(t)[2]+`
		exec setpriv --reuid=learner --regid=learner --init-groups --reset-env sh -uc \
			"id -un; id -u; sudo -n id -u; cd; pwd; $0/bin/06-user -net=lo cat /etc/shadow"`, doctorDir)
	assert.Equal(t, "learner\n1000\n0\n/home/learner\n", out, errs)
	assert.Contains(t, errs, "/etc/shadow: Permission denied")
	assert.Equal(t, 1, status)
}

func TestPlacesLima(t *testing.T) {
	var place struct {
		MinimumLimaVersion string `yaml:"minimumLimaVersion"`
		Base               string
		Provision          []struct{ Mode, Script string }
	}
	require.NoError(t, yaml.Unmarshal([]byte(nstest.Read(t, "../..", "scripts/dev/lima.yaml")), &place))
	assert.Equal(t, "2.0.0", place.MinimumLimaVersion, "it has template: and Debian 13")
	assert.Equal(t, "template:debian-"+placesNumber, place.Base)
	require.Len(t, place.Provision, 1)
	assert.Equal(t, "system", place.Provision[0].Mode)
	script := place.Provision[0].Script
	placesParses(t, "sh", script)
	_, list, found := strings.Cut(script, "--no-install-recommends")
	require.True(t, found)
	have := slices.DeleteFunc(strings.Fields(list), func(word string) bool {
		return word == `\`
	})
	slices.Sort(have)
	want := append(placesPackages(t), "sudo")
	slices.Sort(want)
	assert.Equal(t, want, have)
}

func TestPlacesCloudInit(t *testing.T) {
	text := nstest.Read(t, "../..", "scripts/dev/cloud-init.yaml")
	assert.True(t, strings.HasPrefix(text, "#cloud-config\n"), "how it is recognised")
	assert.Contains(t, text, "Debian "+placesNumber)
	var keys map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &keys))
	for key := range keys { // of the schema, and no others are needed
		assert.Contains(t, []string{"hostname", "package_update", "packages",
			"write_files", "runcmd"}, key)
	}
	var place struct {
		Packages []string
		Files    []struct{ Path, Content string } `yaml:"write_files"`
		Commands [][]string                       `yaml:"runcmd"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &place))
	slices.Sort(place.Packages)
	assert.Equal(t, placesPackages(t), place.Packages)
	require.Len(t, place.Files, 1)
	assert.Equal(t, "/etc/systemd/system/user-.slice.d/50-workshop.conf", place.Files[0].Path)
	for _, setting := range []string{"TasksMax=", "MemoryMax="} {
		assert.Contains(t, place.Files[0].Content, "\n"+setting)
	}
	require.NotEmpty(t, place.Commands)
	for _, command := range place.Commands {
		assert.Equal(t, "systemctl", command[0])
	}
}
