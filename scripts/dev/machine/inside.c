/*
 * Three small programs for the machine in the page, in one file. The name by
 * which it is called says which one is meant:
 *
 *	socat      what the demonstrations use of socat(1): that needs OpenSSL,
 *	           4.5 MB for a learner to load
 *	setserial  makes the fourth serial line one of the kernel's
 *	prebuilt   LESSON FILE >BROKEN: a lesson with a breakage, compiled
 *	           beforehand, since there is no Go in the page. FILE is the
 *	           difference to the lesson, from scripts/dev/machine/pack
 */
#include <err.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* put writes all of it. */
static void put(const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, length);
		if (n < 0)
			err(1, "write");
		bytes += n;
		length -= n;
	}
}

/* after returns what follows a prefix, or NULL if there is no such prefix. */
static char *after(char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) ? NULL : text + length;
}

/* socket_at makes a socket and its address; an abstract one begins with a 0. */
static int socket_at(const char *name, int abstract, struct sockaddr_un *to, socklen_t *length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(name) + 2 > sizeof(to->sun_path))
		err(1, "socket %s", name);
	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	strcpy(to->sun_path + abstract, name);
	*length = offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1;
	return fd;
}

/* socat: -U LISTEN EXEC runs a command for each connection, -u CONNECT - reads. */
static void socat(int argc, char **argv)
{
	struct sockaddr_un address;
	socklen_t length;
	char *name, *options, *command, bytes[4096];
	ssize_t n;
	int fd, peer, abstract, serve;

	if (argc != 4)
		errx(1, "this small one wants -u or -U, and two addresses");
	abstract = after(argv[2], "ABSTRACT-") != NULL;
	name = after(argv[2], abstract ? "ABSTRACT-" : "UNIX-");
	serve = !strcmp(argv[1], "-U");
	command = after(argv[3], "EXEC:");
	if (name)
		name = after(name, serve ? "LISTEN:" : "CONNECT:");
	if (!name || (serve ? !command : strcmp(argv[1], "-u") || strcmp(argv[3], "-")))
		errx(1, "this small one does not know %s %s %s", argv[1], argv[2], argv[3]);
	options = strchr(name, ',');
	if (options)
		*options++ = 0;
	fd = socket_at(name, abstract, &address, &length);
	if (!serve) {
		if (connect(fd, (struct sockaddr *)&address, length))
			err(1, "connect %s", name);
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			put(bytes, n);
		return;
	}
	if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 5))
		err(1, "listen %s", name);
	do {
		peer = accept(fd, NULL, NULL);
		if (peer < 0)
			err(1, "accept");
		if (fork() == 0) {
			dup2(peer, STDOUT_FILENO);
			execlp(command, command, NULL);
			err(127, "%s", command);
		}
		close(peer);
		wait(NULL);
	} while (options && !strcmp(options, "fork"));
}

/*
 * When the kernel looks for the fourth line, it wants the line to hear itself,
 * as it does of no other, and the emulated one does not.
 */
static void setserial(void)
{
	struct serial_struct line;
	int fd = open("/dev/ttyS3", O_RDWR | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || ioctl(fd, TIOCGSERIAL, &line))
		err(1, "/dev/ttyS3");
	line.type = PORT_16550A;
	line.port = 0x2e8;
	line.irq = 3;
	line.flags |= ASYNC_SKIP_TEST;
	if (ioctl(fd, TIOCSSERIAL, &line))
		err(1, "TIOCSSERIAL");
}

/* map has the whole of a file. */
static const unsigned char *map(const char *name, size_t *length)
{
	struct stat info;
	void *bytes;
	int fd = open(name, O_RDONLY);

	if (fd < 0 || fstat(fd, &info))
		err(1, "%s", name);
	*length = info.st_size;
	bytes = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		err(1, "%s", name);
	return bytes;
}

/*
 * Pieces: how many bytes of its own, where in the lesson it goes on, counted from
 * the end of the last piece, with how many bytes; and its own. Numbers as Go's
 * encoding/binary has them: seven bits a byte, the sign in the lowest.
 */
static void prebuilt(int argc, char **argv)
{
	const unsigned char *old, *packed, *end;
	size_t have, length, at = 0, n[3];

	if (argc != 3)
		errx(2, "LESSON and FILE");
	old = map(argv[1], &have);
	packed = map(argv[2], &length);
	end = packed + length;
	while (packed < end) {
		for (int i = 0; i < 3; i++) {
			n[i] = 0;
			for (int shift = 0; packed < end; shift += 7) {
				n[i] |= (size_t)(*packed & 127) << shift;
				if (!(*packed++ & 128))
					break;
			}
			n[i] = n[i] >> 1 ^ -(n[i] & 1);
		}
		at += n[1];
		if (n[0] > (size_t)(end - packed) || at > have || n[2] > have - at)
			errx(1, "%s belongs to another lesson", argv[2]);
		put((const char *)packed, n[0]);
		put((const char *)old + at, n[2]);
		packed += n[0];
		at += n[2];
	}
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

	if (!strcmp(name, "socat"))
		socat(argc, argv);
	else if (!strcmp(name, "setserial"))
		setserial();
	else
		prebuilt(argc, argv);
	return 0;
}
