//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// block is the length of what is looked for in the old file.
const block = 32

func prebuilt(args []string) error {
	if len(args) != 3 || args[0] != "pack" && args[0] != "unpack" {
		return errors.New("usage: prebuilt pack|unpack LESSON FILE")
	}
	old, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	file, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	if args[0] == "pack" {
		pack(out, old, file)
	} else if err := unpack(out, old, file); err != nil {
		return fmt.Errorf("%s: %w", args[2], err)
	}
	return out.Flush()
}

// pack writes the new file as pieces: how many bytes of its own come, these
// bytes, and which part of the old file follows them.
func pack(out *bufio.Writer, old, file []byte) {
	at := map[string]int{}
	for i := 0; i+block <= len(old); i += 4 {
		at[string(old[i:i+block])] = i
	}
	piece := func(own []byte, from, length int) {
		for _, n := range []int{len(own), from, length} {
			_, _ = out.Write(binary.AppendUvarint(nil, uint64(n)))
		}
		_, _ = out.Write(own)
	}
	begin, next := 0, 0 // of the bytes of its own; in the old file, as it goes on
	for i := 0; i < len(file); {
		from, ok := next, i+block <= len(file) && next+block <= len(old) &&
			string(file[i:i+block]) == string(old[next:next+block])
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

func unpack(out io.Writer, old, packed []byte) error {
	for len(packed) > 0 {
		var n [3]int
		for i := range n {
			v, length := binary.Uvarint(packed)
			if length <= 0 {
				return io.ErrUnexpectedEOF
			}
			n[i], packed = int(v), packed[length:]
		}
		if n[0] > len(packed) || n[1]+n[2] > len(old) {
			return errors.New("it belongs to another lesson")
		}
		if _, err := out.Write(packed[:n[0]]); err != nil {
			return err
		}
		if _, err := out.Write(old[n[1] : n[1]+n[2]]); err != nil {
			return err
		}
		packed = packed[n[0]:]
	}
	return nil
}
