/* What starts with the machine: contexts with autostart = yes, once. RUN/autostart remembers what
 * was done: the boot it was done in, then a name a line as each context was started or failed to,
 * "." when all were. A daemon that is started again reads it and goes on where the last one
 * stopped; what has been stopped or has ended since is left alone. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/batch.h"
#include "daemon/core.h"

#define RECORD_MAX (16u << 20)
#define ALL_DONE "."

/* With its newline. */
static int read_boot(char **ret)
{
	return file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, ret, NULL);
}

static int open_run(struct manager *m)
{
	return sys(open(m->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void warn(struct manager *m, int r)
{
	log_warning("writing %s/autostart: %s", m->run_dir, strerror(-r));
}

static void replace(struct manager *m, const char *more)
{
	_cleanup_close_ int dir = open_run(m);
	_cleanup_free_ char *boot = NULL;
	struct buf text = {};
	int r = dir < 0 ? dir : read_boot(&boot);

	buf_puts(&text, r < 0 ? "" : boot);
	buf_puts(&text, more);
	if (r >= 0) {
		r = text.error ? text.error
			       : file_replace_at(dir, "autostart", text.data, text.len, 0600);
	}
	buf_done(&text);
	if (r < 0) {
		warn(m, r);
	}
}

static void append(struct manager *m, const char *line)
{
	_cleanup_close_ int dir = open_run(m);
	char text[SPEC_NAME_MAX + 2];
	_cleanup_close_ int fd = -1;
	int r = dir;

	(void) snprintf(text, sizeof(text), "%s\n", line);
	if (dir >= 0) {
		fd = sys(openat(dir, "autostart", O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
		r = fd < 0 ? fd : write_all(fd, text, strlen(text));
	}
	if (r < 0) {
		warn(m, r);
	}
}

void autostart_note(struct manager *m, const char *name)
{
	struct context *c = registry_lookup(m, name);

	if (c && !c->autostarted) {
		c->autostarted = true;
		append(m, name);
	}
}

static void forget_one(struct context *c, void *arg)
{
	*(bool *) arg |= c->autostarted;
	c->autostarted = false;
}

void autostart_forget(struct manager *m)
{
	bool any = false;

	registry_each(m, forget_one, &any);
	if (any) {
		replace(m, ALL_DONE "\n");
	}
}

/* @return whether there is anything left to do in this boot. */
static bool read_record(struct manager *m)
{
	_cleanup_close_ int dir = open_run(m);
	_cleanup_free_ char *text = NULL, *boot = NULL;
	char *rest, *line;
	bool done = false;
	size_t len;

	if (dir < 0 || read_boot(&boot) < 0 ||
	    file_read_at(dir, "autostart", RECORD_MAX, &text, NULL) < 0) {
		replace(m, "");
		return true;
	}
	len = strlen(boot);
	if (strncmp(text, boot, len) != 0) {
		replace(m, "");
		return true;
	}
	rest = text + len;
	while ((line = strsep(&rest, "\n"))) {
		struct context *c = registry_lookup(m, line);

		if (str_equal(line, ALL_DONE)) {
			done = true;
		} else if (c) {
			c->autostarted = true;
		}
	}
	return !done;
}

static void on_result(void *arg, const struct batch_result *r)
{
	(void) arg;
	if (r->error->code) {
		log_warning("starting %s with the machine: %s", r->name, r->error->text);
	}
}

static void on_done(void *arg)
{
	append(arg, ALL_DONE);
}

void autostart_begin(struct manager *m)
{
	static const struct batch_events events = { on_result, on_done };
	struct batch *b;
	struct err e = {};
	bool any = read_record(m);

	(void) fault_point("autostart-begun", NULL);
	if (any && manager_start_many(m, &(struct batch_request){ .autostart = true }, &events, m,
				      &b, &e) < 0) {
		log_warning("starting what starts with the machine: %s", e.text);
	}
}
