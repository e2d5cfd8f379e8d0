//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
)

// socat copies from one address to the other: -u from the first to the second,
// -U the other way. Without a flag it would do both, and nobody asks for that.
func socat(args []string) error {
	if len(args) != 3 || args[0] != "-u" && args[0] != "-U" {
		return errors.New("this small one wants -u or -U, and two addresses")
	}
	kind, name, _ := strings.Cut(args[1], ":")
	name, options, _ := strings.Cut(name, ",")
	if strings.HasPrefix(kind, "ABSTRACT-") {
		name = "@" + name
	}
	_, does, _ := strings.Cut(kind, "-")
	switch {
	case does == "LISTEN" && args[0] == "-U" && (options == "" || options == "fork"):
		return serve(name, options == "fork", args[2])
	case does == "CONNECT" && args[0] == "-u" && args[2] == "-":
		conn, err := net.Dial("unix", name)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		_, err = io.Copy(os.Stdout, conn)
		return err
	}
	return fmt.Errorf("this small one does not know %s", strings.Join(args, " "))
}

// serve runs a command for each connection, or for the first one.
func serve(name string, again bool, to string) error {
	command, ok := strings.CutPrefix(to, "EXEC:")
	if !ok {
		return fmt.Errorf("this small one does not know %s", to)
	}
	listener, err := net.Listen("unix", name)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		words := strings.Fields(command)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Stdout, cmd.Stderr = conn, os.Stderr
		err = cmd.Run()
		conn.Close()
		if err != nil || !again {
			return err
		}
	}
}
