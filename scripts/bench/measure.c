/*
 * measure: runs a command and says what the whole process cost, from outside.
 *
 *   measure [-n N] COMMAND [ARGUMENT ...]
 *
 * Prints one line: microseconds from vfork(2) until wait4(2) has returned,
 * microseconds of CPU time of the command and of all that it has waited for,
 * the peak of their resident memory in KiB, and how many runs failed. With -n
 * it starts N at once and waits for all. A {} in an argument becomes the number
 * of the run, from 0, for containers that need a name each.
 *
 * A small program in C, since what it starts inherits its peak of memory.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static double microseconds(struct timeval t)
{
	return t.tv_sec * 1e6 + t.tv_usec;
}

/* fill returns a copy of argv for one run. */
static char **fill(int argc, char **argv, int run)
{
	char **copy = calloc(argc + 1, sizeof *copy);

	for (int i = 0; i < argc; i++) {
		char *at = strstr(argv[i], "{}");

		copy[i] = argv[i];
		if (at && asprintf(&copy[i], "%.*s%d%s", (int)(at - argv[i]),
				   argv[i], run, at + 2) < 0)
			err(125, "asprintf");
	}
	return copy;
}

static void spawn(char **command)
{
	pid_t pid = vfork();

	if (pid < 0)
		err(125, "vfork");
	if (pid == 0) {
		execve(command[0], command, environ);
		_exit(127);
	}
}

int main(int argc, char **argv)
{
	int runs = 1, failures = 0;
	long peak = 0;
	double start, cpu = 0;
	char ***commands;

	if (argc > 2 && strcmp(argv[1], "-n") == 0) {
		runs = atoi(argv[2]);
		argc -= 2, argv += 2;
	}
	argc--, argv++;
	if (argc < 1 || runs < 1)
		errx(125, "usage: measure [-n N] COMMAND [ARGUMENT ...]");
	commands = calloc(runs, sizeof *commands);
	for (int i = 0; i < runs; i++)
		commands[i] = fill(argc, argv, i);

	start = now();
	for (int i = 0; i < runs; i++)
		spawn(commands[i]);
	for (int i = 0; i < runs; i++) {
		struct rusage usage;
		int status;

		if (wait4(-1, &status, 0, &usage) < 0)
			err(125, "wait4");
		failures += status != 0;
		cpu += microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
		if (usage.ru_maxrss > peak)
			peak = usage.ru_maxrss;
	}
	printf("%.1f %.1f %ld %d\n", now() - start, cpu, peak, failures);
	return 0;
}
