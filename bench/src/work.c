/* Work to be slowed down: each kind does a fixed amount and prints its own wall time in
 * microseconds, so that how it was started does not count.
 *
 * usage: work cpu | syscall | floor | file DIR | read TREE | fork | exec | shell SCRIPT
 *        work service: says that it is ready, where somebody listens, and sleeps */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void work_cpu(const char *unused)
{
	volatile uint64_t keep;
	uint64_t x = 88172645463325252ULL;
	(void) unused;
	for (int i = 0; i < 60000000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	keep = x;
	(void) keep;
}

/* Cheap calls of five kinds: what a filter costs shows here first. */
static void work_syscall(const char *unused)
{
	char byte[64];
	struct stat st;
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void) unused;
	if (zero < 0 || null < 0) {
		die("open");
	}
	for (int i = 0; i < 60000; i++) {
		if (getppid() < 0 || read(zero, byte, sizeof(byte)) < 0 ||
		    write(null, byte, sizeof(byte)) < 0 || fstat(zero, &st) < 0 ||
		    lseek(zero, 0, SEEK_SET) < 0) {
			die("syscall");
		}
	}
}

/* The same under the smallest filter there is: what the kernel takes for having one at all. */
static void work_floor(const char *unused)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { .len = 1, .filter = allow };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		die("prctl");
	}
	work_syscall(unused);
}

/* Small files: made, written, read, looked at, renamed, removed. */
static void work_file(const char *dir)
{
	char name[64], other[64];
	static char block[4096];
	struct stat st;
	if (chdir(dir) < 0) {
		die(dir);
	}
	for (int i = 0; i < 4000; i++) {
		snprintf(name, sizeof(name), "bench-%d", i % 50);
		snprintf(other, sizeof(other), "bench-%d-new", i % 50);
		int fd = open(name, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, block, sizeof(block)) < 0 ||
		    pread(fd, block, sizeof(block), 0) < 0 || close(fd) < 0 ||
		    stat(name, &st) < 0 || rename(name, other) < 0 || unlink(other) < 0) {
			die(name);
		}
	}
}

static int read_tree(int at, const char *name, int depth)
{
	static char block[16384];
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), files = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL) {
		struct stat st;
		if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			continue;
		}
		if (S_ISDIR(st.st_mode) && depth > 0) {
			files += read_tree(fd, e->d_name, depth - 1);
		} else if (S_ISREG(st.st_mode)) {
			int file = openat(fd, e->d_name, O_RDONLY | O_CLOEXEC);
			while (file >= 0 && read(file, block, sizeof(block)) > 0) {
			}
			close(file);
			files++;
		}
	}
	if (d != NULL) {
		closedir(d);
	}
	return files;
}

/* A tree of the host that lies in the page cache: looked at and read. */
static void work_read(const char *tree)
{
	for (int i = 0; i < 2; i++) {
		if (read_tree(AT_FDCWD, tree, 2) == 0) {
			die(tree);
		}
	}
}

static void work_fork(const char *unused)
{
	(void) unused;
	for (int i = 0; i < 400; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
			die("fork");
		}
	}
}

static void work_exec(const char *program)
{
	for (int i = 0; i < 150; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			execl(program, "work", "nothing", (char *) NULL);
			_exit(1);
		}
		int status = 1;
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
			die("exec");
		}
	}
}

/* Any other work: a script, several times. */
static void work_shell(const char *script)
{
	for (int i = 0; i < 3; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", script, (char *) NULL);
			_exit(1);
		}
		int status = 1;
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
			die("shell");
		}
	}
}

static void work_service(const char *unused)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd;
	(void) unused;
	if (path) {
		(void) snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0 ||
		    sendto(fd, "READY=1", 7, 0, (struct sockaddr *) &to, sizeof(to)) < 0) {
			die(path);
		}
		close(fd);
	}
	for (;;) {
		pause();
	}
}

static const struct {
	const char *name;
	void (*work)(const char *arg);
} kinds[] = {
	{ "cpu", work_cpu },	 { "syscall", work_syscall }, { "file", work_file },
	{ "read", work_read },	 { "fork", work_fork },	      { "exec", work_exec },
	{ "shell", work_shell }, { "floor", work_floor },     { "service", work_service },
};

int main(int argc, char **argv)
{
	struct timespec a, b;
	if (argc < 2 || strcmp(argv[1], "nothing") == 0) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) == 0) {
			const char *arg = argc > 2 ? argv[2] : i == 5 ? "/proc/self/exe" : ".";
			clock_gettime(CLOCK_MONOTONIC, &a);
			kinds[i].work(arg);
			clock_gettime(CLOCK_MONOTONIC, &b);
			printf("%.0f\n", (double) (b.tv_sec - a.tv_sec) * 1e6 +
						 (double) (b.tv_nsec - a.tv_nsec) / 1e3);
			return 0;
		}
	}
	return 2;
}
