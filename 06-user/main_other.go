//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "Namespaces are a part of Linux: this program "+
		"runs there only. README.md says how to get a Linux to try it in.")
	os.Exit(125)
}
