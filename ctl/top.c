/* What top shows, apart from any terminal: which rows, in which order, where the cursor is. */
#include "ctl/top.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

void top_say(struct top *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(t->message, sizeof(t->message), fmt, ap);
	va_end(ap);
	t->draw = true;
}

const struct sample_row *top_selected(const struct top *t)
{
	return t->cursor < t->view_count ? t->views[t->cursor].row : NULL;
}

static void remember(struct top *t)
{
	const struct sample_row *row = top_selected(t);

	if (row)
		(void) snprintf(t->selected, sizeof(t->selected), "%s", row->name);
}

static void find_selected(struct top *t)
{
	size_t last = t->view_count ? t->view_count - 1 : 0;

	for (size_t i = 0; i < t->view_count; i++)
		if (!strcmp(t->views[i].row->name, t->selected)) {
			t->cursor = i;
			return;
		}
	if (t->cursor > last)
		t->cursor = last;
	remember(t);
}

void top_arrange(struct top *t)
{
	uint64_t elapsed = t->now.at_us - t->before.at_us;

	free(t->views);
	t->view_count = 0;
	t->views = calloc(t->now.count + 1, sizeof(*t->views));
	for (size_t i = 0; t->views && i < t->now.count; i++) {
		const struct sample_row *row = &t->now.rows[i];
		struct columns_view *v = &t->views[t->view_count];

		if (t->filter[0] && !strstr(row->name, t->filter))
			continue;
		v->row = row;
		sample_rates(row, sample_find(&t->before, row->name), elapsed, &v->rates);
		t->view_count++;
	}
	columns_sort(t->views, t->view_count, t->sort, t->reverse);
	find_selected(t);
	t->draw = true;
}

void top_take(struct top *t, struct sample *s)
{
	sample_done(&t->before);
	t->before = t->now;
	t->now = *s;
	*s = (struct sample){ 0 };
	top_arrange(t);
}

void top_move(struct top *t, long by)
{
	long last = t->view_count ? (long) t->view_count - 1 : 0, to = (long) t->cursor;

	to = by > 0 && by > last - to ? last : by < -to ? 0 : to + by;
	t->cursor = (size_t) to;
	remember(t);
	t->draw = true;
}

void top_scroll(struct top *t, size_t rows)
{
	size_t most = t->view_count > rows ? t->view_count - rows : 0;

	if (t->cursor < t->first)
		t->first = t->cursor;
	if (rows && t->cursor >= t->first + rows)
		t->first = t->cursor - rows + 1;
	if (t->first > most)
		t->first = most;
}

/* Takes columns from the right until what is left fits. */
static unsigned drop_to(struct columns_chosen *c, size_t keep, unsigned width)
{
	unsigned used = 0;

	for (size_t i = 0; i < c->count; i++)
		used += c->of[i]->width + (i > 0);
	while (c->count > keep && used > width) {
		c->count--;
		used -= c->of[c->count]->width + 1;
	}
	return used;
}

static bool is_among(const struct columns_chosen *c, const struct column *what)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->of[i] == what)
			return true;
	return false;
}

void top_fit(const struct top *t, unsigned width, struct columns_chosen *ret, unsigned *ret_first)
{
	unsigned used;

	*ret = t->columns;
	used = drop_to(ret, 1, width);
	if (t->sort && !is_among(ret, t->sort)) {
		unsigned room = width > t->sort->width ? width - t->sort->width - 1 : 0;

		used = drop_to(ret, 1, room);
		if (used <= room) {
			ret->of[ret->count++] = t->sort;
			used += t->sort->width + 1;
		}
	}
	*ret_first = ret->of[0]->width + (width > used ? width - used : 0);
	if (*ret_first > width)
		*ret_first = width;
}

void top_sort_next(struct top *t, int step)
{
	size_t n = t->columns.count, at = 0;

	if (n == 0)
		return;
	while (at < n && t->columns.of[at] != t->sort)
		at++;
	if (at == n)
		at = step > 0 ? n - 1 : 0;
	t->sort = t->columns.of[(at + n + (size_t) (step > 0 ? 1 : (long) n - 1)) % n];
	top_arrange(t);
}

/* --- the host --- */

static uint64_t field(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	uint64_t v = 0;

	if (!at || sscanf(at + strlen(key), " %" SCNu64, &v) != 1)
		return 0;
	return v;
}

static void parse_cpu(struct top_host *h, const char *stat)
{
	uint64_t v[8] = { 0 }, total = 0, busy, cpus = 0;

	if (sscanf(stat,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64,
		   &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) < 4)
		return;
	for (const char *p = stat; (p = strstr(p, "\ncpu")); p += 4)
		cpus++;
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		total += v[i];
	busy = total - v[3] - v[4]; /* idle, and idle waiting for a disk */
	h->cpus = (unsigned) cpus;
	h->cpu = -1;
	if (h->total_ticks && total > h->total_ticks && busy >= h->busy_ticks)
		h->cpu = (double) (busy - h->busy_ticks) / (double) (total - h->total_ticks) *
			 (double) cpus;
	h->total_ticks = total;
	h->busy_ticks = busy;
}

void top_host_parse(struct top_host *h, const char *stat, const char *meminfo, const char *loadavg)
{
	uint64_t available = field(meminfo, "MemAvailable:") * 1024;

	parse_cpu(h, stat);
	h->memory_bytes = field(meminfo, "MemTotal:") * 1024;
	h->memory_used_bytes = h->memory_bytes > available ? h->memory_bytes - available : 0;
	if (sscanf(loadavg, "%lf %lf %lf", &h->load[0], &h->load[1], &h->load[2]) != 3)
		h->load[0] = h->load[1] = h->load[2] = 0;
}

void top_host_read(struct top_host *h)
{
	_cleanup_free_ char *stat = NULL, *meminfo = NULL, *loadavg = NULL;

	if (file_read_at(AT_FDCWD, "/proc/stat", 1u << 20, &stat, NULL) == 0 &&
	    file_read_at(AT_FDCWD, "/proc/meminfo", 65536, &meminfo, NULL) == 0 &&
	    file_read_at(AT_FDCWD, "/proc/loadavg", 4096, &loadavg, NULL) == 0)
		top_host_parse(h, stat, meminfo, loadavg);
}

void top_done(struct top *t)
{
	fetch_end(&t->fetch);
	for (size_t i = 0; i < TOP_ACTIONS_MAX; i++)
		fetch_end(&t->actions[i].fetch);
	sample_done(&t->now);
	sample_done(&t->before);
	free(t->views);
}
