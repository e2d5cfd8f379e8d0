/*
 * cpuid: prints the microseconds that the instruction CPUID takes. Under some
 * hypervisors it is a trap, and a start of a C library has dozens of them.
 */
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
static void cpuid(void)
{
	unsigned a, b, c, d;

	__cpuid(0, a, b, c, d);
}
#else
static void cpuid(void) {}
#endif

int main(void)
{
	enum { runs = 1000 };
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < runs; i++)
		cpuid();
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.2f\n", ((to.tv_sec - from.tv_sec) * 1e6 +
			  (to.tv_nsec - from.tv_nsec) / 1e3) / runs);
	return 0;
}
