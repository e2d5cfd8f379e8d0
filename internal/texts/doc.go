/*
Package texts executes the Markdown files of this repository. Tests use it, and no
program imports it.

# Commands

All blocks of a file with the info string console are typed, in order, into shells of
a machine of their own: new mount, PID, UTS, IPC and network namespaces, on a copy of
this machine's files that is thrown away. There the host is called hotel, the user is
guest and may sudo, and the current directory is a copy of the repository with built
lessons and a root filesystem. The tests compare what the shells print with what the
block says.

	$ sudo bin/03-uts       typed in a shell of the user's
	# hostname              typed in a shell of root's: here, the one inside
	03-uts                  what it prints
	# exit                  back to the user's shell: the prompts are compared

	```console              the terminal that is open: all blocks share it
	```console terminal=2   a second one, a user's shell on the same host
	> …                     continues a command after \, ', <<END, in a loop
	…                       a line of just that is for any number of lines

PIDs, numbers of namespaces, keys, addresses, times and the like differ from run to
run, see neutral.go. But where a block shows the same number twice, so must the
machine, and where it shows two numbers, so must the machine. PIDs 0 and 1, and the
numbers of the host's namespaces, which are constants of the kernel, stand for
themselves. What a shell says about the end of a background job is left out, since it
may come at any prompt.

At the end of a file, exit must end each terminal: no inner shell may be left.

A comment on the line before a block that cannot be run here says why:

	<!-- not run: it takes minutes -->

One that needs a container engine says so: that machine has a Docker daemon, or
podman, in cgroups of its own. Where it is not installed, that is a skip.

	<!-- needs: docker -->

A file that needs blocks and has none says why:

	<!-- no commands: a list of terms -->

# Code

A comment before each block with the info string go says where the code comes from:

	<!-- code: 02-mount/mount.go makePrivate -->   a declaration, by its name
	<!-- code: 03-uts/uts.go all -->               all of them
	<!-- code: 03-uts/main.go added -->            what lesson 02 does not have
	<!-- code: 03-uts/main.go parent added -->     the same, of a declaration

… stands for what was not added, except for the line before and the line after. A
lesson's text shows its new files whole, and everything that it adds to main.go.

# Messages

The headings of docs/troubleshooting.md are messages. An executed block below a
heading has to print it, or a comment says which file does:

	<!-- message: 06-user/user.go -->

# Images

An image has a text for whoever cannot see it. Some text shows or links to each image
in docs/.

# Tests

	go test ./internal/texts            compare; as root, for the machine
	go test ./internal/texts -update    write what differs into the files

With -update, the ellipses of an output stay as far as that is possible. words.txt has
the words that the spelling checker does not know.
*/
package texts
