//go:build linux

/*
Inside has three small programs for the machine in the page, in one file. Their
names say which one is meant:

	socat     what the demonstrations use of socat(1): that needs OpenSSL,
	          4.5 MB for a learner to load
	prebuilt  a lesson with a breakage, compiled beforehand, since there is
	          no Go in the page; kept as the difference to the lesson

	setserial the fourth serial line, which the kernel does not find

	prebuilt pack LESSON BROKEN >FILE
	prebuilt unpack LESSON FILE >BROKEN
*/
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	name := filepath.Base(os.Args[0])
	run := map[string]func([]string) error{"socat": socat, "prebuilt": prebuilt, "setserial": setSerial}[name]
	if run == nil {
		fmt.Fprintln(os.Stderr, name+": it goes by the name socat, prebuilt or setserial")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
