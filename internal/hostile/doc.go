/*
Package hostile holds tests of containers in which somebody wants to get out,
or up. Each attempt is really tried in a container of lessons 06, 07 and 08, by
a program of the attacker's: what the kernel answers is compared with a table,
and that nothing has changed on the host with what it was.

What a container of lesson 08 keeps out, and what it does not, is told to
readers in docs/containers.md. Its rows are these attempts: a row without an
attempt, an attempt without a row, or one that says something else than the
kernel is a failure.

No attempt would harm this machine if it succeeded. What belongs to the kernel
is opened and not written to, the clock is set to what it says, a module has
no code, and files, processes and cgroups are the tests' own.

Two attempts are races: containers start while another one, which shares their
root filesystem, exchanges a mount point all the time. With HOSTILE_STARTS=2000
in the environment that is tried so often, for each of the lessons, and without
it 60 times.
*/
package hostile
