/* stay: what containers run that are to stay. It says so with an empty line,
 * and ends when its stdin does. */
#include <unistd.h>

int main(void)
{
	char c = '\n';

	if (write(1, &c, 1) < 0)
		return 1;
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
