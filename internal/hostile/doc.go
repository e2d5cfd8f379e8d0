/*
Package hostile tests containers in which somebody tries to get out, or to become
root. A program of the attacker's makes each attempt in a container of lessons 06, 07
and 08. The tests compare the kernel's answer with a table, and check that nothing has
changed on the host.

docs/containers.md tells readers what a container of lesson 08 keeps out and what it
does not. Its rows are these attempts: a row without an attempt, an attempt without a
row, or a row that differs from the kernel's answer is a failure.

No attempt would harm this machine if it succeeded: files of the kernel are opened but
not written to, the clock is set to the time that it shows, the module has no code, and
the files, processes and cgroups are the tests' own.

Two attempts are races: containers start while a different one, which shares their root
filesystem, swaps a mount point again and again. Each lesson starts 60 times, or
HOSTILE_STARTS times.
*/
package hostile
