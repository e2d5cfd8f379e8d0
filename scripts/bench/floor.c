/*
 * floor: what the kernel alone asks for a lesson. The same flags for clone(2),
 * the same mounts, devices and limits, in C and with nothing around it: no
 * option is checked, and what fails ends it.
 *
 *   floor LESSON lo|veth ROOTFS COMMAND [ARGUMENT ...]
 *
 * LESSON is 1 to 8; 8 takes the directories to make its cgroups in from the
 * environment: CGROUP, or MEMORY, PIDS and CPU on cgroup v1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* must ends the program when a system call has failed. */
#define must(call) do { if ((call) < 0) err(125, "%s", #call); } while (0)

enum { safe = MS_NOSUID | MS_NODEV | MS_NOEXEC };

static int lesson, veth;
static const char *rootfs;

/* put writes a value to a file of the kernel's. */
static void put(const char *dir, const char *file, const char *value)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(125, "write %s to %s", value, path);
	close(fd);
}

/* --- network: requests to rtnetlink(7), one socket for all --- */

static struct request {
	struct nlmsghdr h;
	char body[1024];
} request;

static void begin(int type, int flags, const void *body, int size)
{
	request.h = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags,
	};
	memcpy(NLMSG_DATA(&request.h), body, size);
}

static struct rtattr *attribute(int type, const void *data, int size)
{
	struct rtattr *a = (void *)((char *)&request +
				    NLMSG_ALIGN(request.h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), data, size);
	request.h.nlmsg_len = (char *)a + RTA_ALIGN(a->rta_len) -
			      (char *)&request;
	return a;
}

static void end(struct rtattr *nest)
{
	nest->rta_len = (char *)&request + request.h.nlmsg_len - (char *)nest;
}

/* ask sends the request and reads the kernel's answer: 0, or an error. */
static void ask(int netlink, const char *what)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} answer;

	must(send(netlink, &request, request.h.nlmsg_len, 0));
	must(recv(netlink, &answer, sizeof answer, 0));
	if (answer.h.nlmsg_type != NLMSG_ERROR || answer.e.error) {
		errno = -answer.e.error;
		err(125, "%s", what);
	}
}

static void set_up(int netlink, int device, uint32_t address)
{
	struct ifaddrmsg a = { AF_INET, 30, 0, RT_SCOPE_UNIVERSE, device };
	struct ifinfomsg i = { .ifi_index = device, .ifi_flags = IFF_UP,
			       .ifi_change = IFF_UP };

	if (address) {
		address = htonl(address);
		begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &a, sizeof a);
		attribute(IFA_LOCAL, &address, sizeof address);
		ask(netlink, "add address");
	}
	begin(RTM_NEWLINK, 0, &i, sizeof i);
	ask(netlink, "set up");
}

/* subnet is the first address of a /30 of 10.200.0.0/16 for a process. */
static uint32_t subnet(pid_t pid)
{
	return 10u << 24 | 200 << 16 | (pid & 0x3fff) << 2;
}

/* connect_host does the host's part: the two devices, and the near one. */
static void connect_host(pid_t pid)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct ifinfomsg i = { 0 };
	struct rtattr *info, *data, *peer;
	char name[IFNAMSIZ];

	must(netlink);
	snprintf(name, sizeof name, "nslf%d", pid & 0x3fff);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	attribute(IFLA_IFNAME, name, strlen(name) + 1);
	info = attribute(IFLA_LINKINFO, NULL, 0);
	attribute(IFLA_INFO_KIND, "veth", 4);
	data = attribute(IFLA_INFO_DATA, NULL, 0);
	peer = attribute(VETH_INFO_PEER, &i, sizeof i);
	attribute(IFLA_IFNAME, "eth0", 5);
	attribute(IFLA_NET_NS_PID, &pid, sizeof pid);
	end(peer), end(data), end(info);
	ask(netlink, "add veth");
	set_up(netlink, if_nametoindex(name), subnet(pid) + 1);
	close(netlink);
}

/* join_network does the part of the new network namespace. */
static void join_network(pid_t pid)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct rtmsg r = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST };
	uint32_t gateway = htonl(subnet(pid) + 1);

	must(netlink);
	set_up(netlink, 1, 0);
	if (veth) {
		set_up(netlink, if_nametoindex("eth0"), subnet(pid) + 2);
		begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &r, sizeof r);
		attribute(RTA_GATEWAY, &gateway, sizeof gateway);
		ask(netlink, "add route");
	}
	close(netlink);
}

/* --- mounts --- */

static void make_dev(void)
{
	static const char *const device[] = {
		"null", "zero", "full", "random", "urandom", "tty",
	};
	static const char *const link[][2] = {
		{ "pts/ptmx", "ptmx" }, { "/proc/self/fd", "fd" },
		{ "fd/0", "stdin" }, { "fd/1", "stdout" }, { "fd/2", "stderr" },
	};

	must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755"));
	must(chdir("dev"));
	for (size_t i = 0; i < sizeof device / sizeof *device; i++) {
		char host[32];

		snprintf(host, sizeof host, "/dev/%s", device[i]);
		must(close(open(device[i], O_CREAT | O_WRONLY, 0644)));
		must(mount(host, device[i], NULL, MS_BIND, NULL));
	}
	for (size_t i = 0; i < sizeof link / sizeof *link; i++)
		must(symlink(link[i][0], link[i][1]));
	must(mkdir("pts", 0755));
	must(mkdir("shm", 0755));
	must(mkdir("mqueue", 0755));
	must(chdir(".."));
}

static void enter_root(void)
{
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
	must(chdir(rootfs));
	make_dev();
	must(syscall(SYS_pivot_root, ".", "."));
}

static void furnish(void)
{
	static const char *const path[] = {
		"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
		"/proc/fs",
	};

	for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
		if (access(path[i], F_OK))
			continue;
		must(mount(path[i], path[i], NULL, MS_BIND, NULL));
		must(mount(NULL, path[i], NULL,
			   MS_REMOUNT | MS_BIND | MS_RDONLY | safe, NULL));
	}
	must(mount("sysfs", "/sys", "sysfs", safe | MS_RDONLY, NULL));
	must(mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "newinstance,ptmxmode=0666,mode=0620"));
	must(mount("tmpfs", "/dev/shm", "tmpfs", safe, "mode=1777"));
	must(mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"));
	if (lesson >= 8 && getenv("CGROUP"))
		must(mount("cgroup2", "/sys/fs/cgroup", "cgroup2",
			   safe | MS_RDONLY, NULL));
}

/* --- cgroup: up to three directories, with limits --- */

static struct {
	const char *parent;
	char dir[4096];
} cgroup[3];

static int make_cgroup(void)
{
	static const char *const controller[] = { "MEMORY", "PIDS", "CPU" };
	const char *unified = getenv("CGROUP");
	char *dir, memsw[5000];

	for (int i = 0; i < (unified ? 1 : 3); i++) {
		cgroup[i].parent = unified ? unified : getenv(controller[i]);
		if (!cgroup[i].parent)
			errx(125, "no CGROUP, and no %s", controller[i]);
		snprintf(cgroup[i].dir, sizeof cgroup[i].dir, "%s/nsl-%d-floor",
			 cgroup[i].parent, getpid());
		must(mkdir(cgroup[i].dir, 0755));
	}
	dir = cgroup[0].dir;
	if (unified) {
		put(dir, "memory.max", "67108864");
		put(dir, "memory.swap.max", "0");
		put(dir, "pids.max", "64");
		put(dir, "cpu.max", "50000 100000");
		return open(dir, O_RDONLY | O_CLOEXEC);
	}
	put(dir, "memory.limit_in_bytes", "67108864");
	snprintf(memsw, sizeof memsw, "%s/memory.memsw.limit_in_bytes", dir);
	if (access(memsw, F_OK) == 0)
		put(dir, "memory.memsw.limit_in_bytes", "67108864");
	put(cgroup[1].dir, "pids.max", "64");
	put(cgroup[2].dir, "cpu.cfs_quota_us", "50000");
	for (int i = 0; i < 3; i++)
		put(cgroup[i].dir, "tasks", "0");
	return -1;
}

static void leave_cgroup(void)
{
	for (int i = 0; i < 3 && cgroup[1].parent; i++)
		put(cgroup[i].parent, "tasks", "0");
}

/* --- the two halves --- */

static void child(int ready, char **command)
{
	char *const bare[] = { "PATH=/bin", NULL };
	pid_t pid;

	if (lesson >= 5) {
		must(read(ready, &pid, sizeof pid));
		close(ready);
	}
	if (lesson >= 6) {
		must(syscall(SYS_setgid, 0));
		must(syscall(SYS_setuid, 0));
	}
	if (lesson >= 8)
		must(unshare(CLONE_NEWCGROUP));
	if (lesson >= 2)
		must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (lesson >= 7)
		enter_root();
	if (lesson >= 2)
		must(mount("proc", "/proc", "proc", safe, NULL));
	if (lesson >= 7)
		furnish();
	if (lesson >= 3)
		must(sethostname("floor", 5));
	if (lesson >= 4)
		must(mount("mqueue", "/dev/mqueue", "mqueue", safe, NULL));
	if (lesson >= 5)
		join_network(pid);
	if (lesson >= 6)
		must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (lesson >= 7) {
		must(umount2(".", MNT_DETACH));
		must(chdir("/"));
	}
	must(syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC));
	execve(command[0], command, bare);
	err(127, "exec %s", command[0]);
}

int main(int argc, char **argv)
{
	static const uint64_t flag[] = {
		0, CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWNET, CLONE_NEWUSER,
	};
	struct clone_args clone = { .exit_signal = SIGCHLD };
	int ready[2], status, fd = -1;
	pid_t pid;

	if (argc < 5)
		errx(125, "usage: floor LESSON lo|veth ROOTFS COMMAND ...");
	lesson = atoi(argv[1]);
	veth = strcmp(argv[2], "veth") == 0;
	rootfs = argv[3];
	for (int i = 1; i <= lesson && i <= 6; i++)
		clone.flags |= flag[i];
	must(pipe2(ready, O_CLOEXEC));
	if (lesson >= 8)
		fd = make_cgroup();
	if (fd >= 0) {
		clone.flags |= CLONE_INTO_CGROUP;
		clone.cgroup = fd;
	}

	pid = syscall(SYS_clone3, &clone, sizeof clone);
	must(pid);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[1]);
		child(ready[0], argv + 4);
	}
	close(ready[0]);
	if (lesson >= 8)
		leave_cgroup();
	if (lesson >= 6) {
		char proc[32];

		snprintf(proc, sizeof proc, "/proc/%d", pid);
		put(proc, "uid_map", "0 0 1");
		put(proc, "setgroups", "deny");
		put(proc, "gid_map", "0 0 1");
	}
	if (lesson >= 5) {
		if (veth)
			connect_host(pid);
		must(write(ready[1], &pid, sizeof pid));
	}
	close(ready[1]);
	must(waitpid(pid, &status, 0));
	for (int i = 0; i < 3 && cgroup[i].parent; i++)
		must(rmdir(cgroup[i].dir));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
