/* Private to `wardctl top`: what it shows (top.c, which knows no terminal), how (top_draw.c), and
 * what its keys do (top_keys.c, top_act.c). verbs_top.c joins them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctl/columns.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"
#include "ctl/sample.h"

#define TOP_INPUT_MAX 64
#define TOP_MESSAGE_MAX 256
#define TOP_ACTIONS_MAX 8

enum top_mode {
	TOP_TABLE,
	TOP_HELP,
	TOP_FILTER, /* a line is being typed: what names must hold */
	TOP_SIGNAL, /* a line is being typed: the signal to send */
	TOP_CONFIRM /* y or n */
};

enum top_command { TOP_FREEZE, TOP_THAW, TOP_STOP, TOP_RESTART, TOP_KILL, TOP_START };

/** Something the daemon was asked to do. */
struct top_action {
	struct fetch fetch;
	enum top_command command;
	char name[SPEC_NAME_MAX + 1];
};

/** The host, from its own files. */
struct top_host {
	double cpu; /* 1: one CPU busy; below 0: not known yet */
	unsigned cpus;
	uint64_t memory_bytes, memory_used_bytes;
	double load[3];
	uint64_t busy_ticks, total_ticks; /* as they were read last */
};

struct top {
	const struct ctl *ctl;
	struct columns_chosen columns;
	const struct column *sort; /* NULL: by name */
	bool reverse;
	uint64_t interval_us;

	struct sample now, before;
	struct columns_view *views; /* sorted, those that pass the filter */
	size_t view_count;
	struct top_host host;
	bool away; /* the daemon does not answer */

	enum top_mode mode;
	size_t first, cursor; /* in views */
	char selected[SPEC_NAME_MAX + 1]; /* the cursor stays on it when rows move */
	char filter[TOP_INPUT_MAX], input[TOP_INPUT_MAX];
	enum top_command asked; /* what TOP_CONFIRM and TOP_SIGNAL are about */
	char asked_name[SPEC_NAME_MAX + 1]; /* the context it is about, whatever moves meanwhile */
	char message[TOP_MESSAGE_MAX];

	struct fetch fetch;
	uint64_t next_us, asked_us; /* when to look again; when it was asked last */
	struct top_action actions[TOP_ACTIONS_MAX];
	unsigned help_first; /* line of the help that is on top */
	bool utf8, quit, draw;
};

/* --- top.c: the model --- */

/** Takes a new sample over; rows, cursor and rates follow. */
void top_take(struct top *t, struct sample *s);
/** Sorts and filters anew; the cursor stays with its context. */
void top_arrange(struct top *t);
/** Moves the cursor, as far as there are rows. */
void top_move(struct top *t, long by);
/** Scrolls so that the cursor is among `rows` rows. */
void top_scroll(struct top *t, size_t rows);
/** @return the row under the cursor or NULL. */
const struct sample_row *top_selected(const struct top *t);
/** The columns that fit, the one sorted by among them; how wide the first is. */
void top_fit(const struct top *t, unsigned width, struct columns_chosen *ret, unsigned *ret_first);
/** Sorts by the next (or the previous) of the columns shown. */
void top_sort_next(struct top *t, int step);
/** Fills from the texts of /proc/stat, /proc/meminfo, /proc/loadavg. */
void top_host_parse(struct top_host *h, const char *stat, const char *meminfo, const char *loadavg);
void top_host_read(struct top_host *h);
void top_done(struct top *t);
void top_say(struct top *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- top_act.c --- */

void top_act(struct top *t, enum top_command command, const char *name, const char *signal);
/** Takes what has come of the answers. */
void top_act_step(struct top *t);
/** Leaves the screen, runs `wardctl VERB NAME ...`, comes back. */
void top_visit(struct top *t, const char *verb, const char *name, bool pause);

/* --- top_keys.c, top_draw.c --- */

void top_key(struct top *t, int key);
void top_draw(struct top *t);
/** Lines of the help; NULL past its end. */
const char *top_help_line(unsigned i, char out[static 128]);
