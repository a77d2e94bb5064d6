/* The frame of the attacks: `attack list`, `attack controls`, `attack all`, `attack NAME...`.
 * Prints one line each: "NAME: refused: ..." or "NAME: ESCAPED: ...". */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/src/attack.h"

static char *said; /* shared with children */
#define SAID_MAX 256

void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(said, SAID_MAX, format, args);
	va_end(args);
}

bool got(long result, const char *what)
{
	if (result < 0) {
		say("%s: %s", what, strerror(errno));
	} else {
		say("%s succeeded", what);
	}
	return result >= 0;
}

const char *told(const char *name)
{
	const char *value = getenv(name);
	return value != NULL ? value : "";
}

bool in_child(bool (*f)(void))
{
	pid_t pid = fork();
	if (pid < 0) {
		return got(pid, "fork") && false;
	}
	if (pid == 0) {
		_exit(f() ? 42 : 0);
	}
	int status = 0;
	if (waitpid(pid, &status, 0) != pid) {
		return false;
	}
	if (WIFSIGNALED(status)) {
		say("killed by signal %d", WTERMSIG(status));
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

bool is_host_root(int dir)
{
	struct stat st;
	unsigned long long dev, ino;
	const char *marker = told("HOST_MARKER");
	if (*marker == '/' && faccessat(dir, marker + 1, R_OK, 0) == 0) {
		return true;
	}
	return sscanf(told("HOST_ROOT"), "%llu:%llu", &dev, &ino) == 2 && fstat(dir, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

static const struct attack *const rooms[] = { file_attacks, mount_attacks, process_attacks,
					      kernel_attacks, net_attacks };

static bool wanted(const struct attack *a, int argc, char **argv)
{
	if (strcmp(argv[1], "all") == 0) {
		return true;
	}
	if (strcmp(argv[1], "controls") == 0) {
		return a->control;
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], a->name) == 0) {
			return true;
		}
	}
	return false;
}

static bool perform(const struct attack *a)
{
	say("no reason given");
	fflush(stdout);
	bool through = in_child(a->run);
	printf("%s: %s: %s\n", a->name, through ? "ESCAPED" : "refused", said);
	return through;
}

int main(int argc, char **argv)
{
	bool through = false;
	if (argc < 2) {
		fprintf(stderr, "usage: attack list | controls | all | NAME...\n");
		return 2;
	}
	int done = host_main(argc, argv);
	if (done >= 0) {
		return done;
	}
	said = mmap(NULL, SAID_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (said == MAP_FAILED) {
		return 2;
	}
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		for (const struct attack *a = rooms[i]; a->name != NULL; a++) {
			if (strcmp(argv[1], "list") == 0) {
				puts(a->name);
			} else if (wanted(a, argc, argv)) {
				through |= perform(a);
			}
		}
	}
	return through;
}
