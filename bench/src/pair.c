/* Times commands against each other: runs them in turn, N rounds, and prints for each the median,
 * the 10th and 90th percentile, and the ratio of its median to the first one's. Wall time from
 * posix_spawn to the end, without a shell. In a word "%d" becomes a number never used before.
 *
 * usage: pair [-n ROUNDS] [-p PAUSE_MS] [-t] -- COMMAND... [--- COMMAND...]...
 *   -t  print every time instead, one round a line (microseconds) */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 8
#define WORDS_MAX 64

extern char **environ;

struct command {
	char **words;
	double *us;
};

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

/* Copies the words, "%d" replaced. */
static void fill(char **words, char *out[WORDS_MAX], char *space, size_t size)
{
	static unsigned counter;
	size_t i;

	for (i = 0; words[i] != NULL && i + 1 < WORDS_MAX; i++) {
		char *hole = strstr(words[i], "%d");
		out[i] = words[i];
		if (hole != NULL) {
			int n = snprintf(space, size, "%.*s%d-%u%s", (int) (hole - words[i]),
					 words[i], getpid(), counter++, hole + 2);
			out[i] = space;
			space += n + 1;
			size -= (size_t) n + 1;
		}
	}
	out[i] = NULL;
}

static double once(char **words, const posix_spawn_file_actions_t *io)
{
	char *argv[WORDS_MAX], space[1024];
	int status = 0;
	pid_t pid;

	fill(words, argv, space, sizeof(space));
	double begin = now_us();
	int r = posix_spawnp(&pid, argv[0], io, NULL, argv, environ);
	if (r != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "pair: %s: %s (status %d)\n", argv[0], strerror(r), status);
		exit(1);
	}
	return now_us() - begin;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;
	return (x > y) - (x < y);
}

static void report(struct command *commands, int count, int rounds)
{
	double first = 0;

	for (int c = 0; c < count; c++) {
		double *us = commands[c].us;
		qsort(us, (size_t) rounds, sizeof(*us), compare);
		double median = us[rounds / 2];
		first = c == 0 ? median : first;
		printf("%.0f %.0f %.0f %.3f\n", median, us[rounds / 10], us[rounds * 9 / 10],
		       median / first);
	}
}

static int split(int argc, char **argv, int at, int rounds, struct command commands[COMMANDS_MAX])
{
	int count = 0;

	for (int i = at; i < argc && count < COMMANDS_MAX; count++) {
		commands[count].words = argv + i;
		commands[count].us = calloc((size_t) rounds, sizeof(double));
		while (i < argc && strcmp(argv[i], "---") != 0) {
			i++;
		}
		if (i < argc) {
			argv[i++] = NULL;
		}
	}
	return count;
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX];
	posix_spawn_file_actions_t io;
	int rounds = 100, pause_ms = 0, each = 0, option;

	while ((option = getopt(argc, argv, "+n:p:t")) != -1) {
		switch (option) {
		case 'n':
			rounds = (int) strtol(optarg, NULL, 10);
			break;
		case 'p':
			pause_ms = (int) strtol(optarg, NULL, 10);
			break;
		case 't':
			each = 1;
			break;
		default:
			return 2;
		}
	}
	int count = split(argc, argv, optind, rounds, commands);
	if (count == 0 || rounds < 1) {
		return 2;
	}
	posix_spawn_file_actions_init(&io);
	posix_spawn_file_actions_addopen(&io, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&io, 1, "/dev/null", O_WRONLY, 0);
	for (int r = 0; r < rounds; r++) {
		for (int c = 0; c < count; c++) {
			usleep((useconds_t) pause_ms * 1000);
			commands[c].us[r] = once(commands[c].words, &io);
			if (each) {
				printf("%.0f%c", commands[c].us[r], c + 1 < count ? ' ' : '\n');
			}
		}
	}
	if (!each) {
		report(commands, count, rounds);
	}
	return 0;
}
