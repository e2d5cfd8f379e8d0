/*
Package texts executes the Markdown files of this repository. It holds tests
and what they need; no program imports it.

# Commands

All blocks of a file with the info string console are typed, in order, into
shells of a machine of their own: new mount, PID, UTS, IPC and network
namespaces, on a copy of this machine's files that is thrown away. There, the
host is called hotel, the user guest, who may sudo, and the current directory
is a copy of the repository with the lessons built and a root filesystem made.
What the shells print is compared with what the block says.

	$ sudo bin/03-uts       typed in a shell of the user's
	# hostname              typed in a shell of root's: here, the one inside
	03-uts                  what it prints
	# exit                  back to the user's shell: the prompts are compared

	```console              the terminal that is open: all blocks share it
	```console terminal=2   a second one, a user's shell on the same host
	> …                     continues a command after \, ', <<END, in a loop
	…                       a line of just that is for any number of lines

PIDs, numbers of namespaces, keys, addresses, times and the like are not
compared as such, see neutral.go: but where a block shows the same number
twice the machine has to as well, and where it shows two, two. PIDs 0 and 1,
and the numbers of the host's namespaces, which are constants of the kernel,
stand for themselves. A shell says at one prompt or another that a background
job has ended: that is left out.

At the end of a file, exit must end each terminal: no inner shell is left.

A comment on the line before a block that cannot be run here says why:

	<!-- not run: needs Docker -->

A file without a block, where there should be one, says why:

	<!-- no commands: a list of terms -->

# Code

A block with the info string go has a comment before it that says where the
code comes from:

	<!-- code: 02-mount/mount.go makePrivate -->   a declaration, by its name
	<!-- code: 03-uts/uts.go all -->               all of them
	<!-- code: 03-uts/main.go added -->            what lesson 02 does not have
	<!-- code: 03-uts/main.go parent added -->     the same, of a declaration

What has not been added is left out, except for the line before and after, and
… stands for it. A lesson's text shows its new files whole, and of main.go all
that it adds.

# Messages

The headings of docs/troubleshooting.md are messages. An executed block below
one has to print it, or else a comment says which file does:

	<!-- message: 06-user/user.go -->

# Images

An image has a text for whoever cannot see it, and a text shows or links to each
image in docs/.

# Tests

	go test ./internal/texts            compare; as root, for the machine
	go test ./internal/texts -update    write what differs into the files

With -update, the ellipses of an output stay where they are as far as that is
possible. The words that the spelling checker does not know are in words.txt.
*/
package texts
