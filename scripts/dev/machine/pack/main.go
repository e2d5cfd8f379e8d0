/*
Pack writes a program as its difference to another one: a lesson with a breakage
for the machine in the page, which puts it together again, see inside.c.

	pack LESSON BROKEN >FILE
*/
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
)

// block is the length of the pieces that are looked for in the old file, and again that of
// those that go on behind the last one: between them, an address has changed.
const block, again = 32, 4

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want two files, not %d", len(args))
	}
	old, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	file, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	pack(out, old, file)
	return out.Flush()
}

// pack writes the new file as pieces: how many bytes of its own, where in the old file it
// goes on, counted from the end of the last piece, with how many bytes, and its own.
func pack(out *bufio.Writer, old, file []byte) {
	at := map[string]int{}
	for i := 0; i+block <= len(old); i += 4 {
		at[string(old[i:i+block])] = i
	}
	end := 0
	piece := func(own []byte, from, length int) {
		for _, n := range []int{len(own), from - end, length} {
			_, _ = out.Write(binary.AppendVarint(nil, int64(n)))
		}
		_, _ = out.Write(own)
		end = from + length
	}
	begin, next := 0, 0 // of the bytes of its own; in the old file, as it goes on
	for i := 0; i < len(file); {
		from, ok := next, i+again <= len(file) && next+again <= len(old) &&
			string(file[i:i+again]) == string(old[next:next+again])
		if !ok && i+block <= len(file) {
			from, ok = at[string(file[i:i+block])]
		}
		if !ok {
			i, next = i+1, min(next+1, len(old))
			continue
		}
		length := 0
		for i+length < len(file) && from+length < len(old) && file[i+length] == old[from+length] {
			length++
		}
		piece(file[begin:i], from, length)
		i += length
		begin, next = i, from+length
	}
	piece(file[begin:], 0, 0)
}
