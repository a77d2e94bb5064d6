/* One table a look. On a terminal each takes the place of the one before, into a pipe they follow
 * one another with an empty line between. */
#include "ctl/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "ctl/look.h"

#define INTERVAL_MIN_US UINT64_C(100000)
#define INTERVAL_MAX_US (UINT64_C(3600) * 1000000)

uint64_t watch_now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

int watch_options(const struct ctl *c, const char *columns, struct watch *ret)
{
	const char *interval = c->args.value[OPT_INTERVAL], *sort = c->args.value[OPT_SORT];
	struct err e = { 0 };

	if (c->args.value[OPT_COLUMNS])
		columns = c->args.value[OPT_COLUMNS];
	if (columns_choose(columns, &ret->columns, &e) < 0 ||
	    (sort && !(ret->sort = columns_find(sort, &e)))) {
		ctl_usage(c, "%s", e.text);
		return -EINVAL;
	}
	ret->interval_us = WATCH_INTERVAL_US;
	if (interval &&
	    (units_parse_duration(interval, &ret->interval_us) < 0 ||
	     ret->interval_us < INTERVAL_MIN_US || ret->interval_us > INTERVAL_MAX_US)) {
		ctl_usage(c, "--interval \"%.64s\": write a duration of 100ms to 1h, such as 2s",
			  interval);
		return -EINVAL;
	}
	return 0;
}

static int print_table(const struct ctl *c, const struct watch *w, const struct sample *now,
		       const struct sample *before)
{
	struct table_column titles[TABLE_COLUMNS_MAX];
	_cleanup_free_ struct columns_view *views = calloc(now->count + 1, sizeof(*views));
	char text[COLUMNS_TEXT_MAX];
	struct table t;

	for (size_t i = 0; i < w->columns.count; i++)
		titles[i] =
			(struct table_column){ w->columns.of[i]->title, !w->columns.of[i]->left };
	table_init(&t, titles, w->columns.count);
	for (size_t i = 0; views && i < now->count; i++) {
		const struct sample_row *row = &now->rows[i];

		views[i].row = row;
		sample_rates(row, sample_find(before, row->name), now->at_us - before->at_us,
			     &views[i].rates);
	}
	if (views)
		columns_sort(views, now->count, w->sort, false);
	for (size_t i = 0; views && i < now->count; i++)
		for (size_t k = 0; k < w->columns.count; k++) {
			w->columns.of[k]->print(&views[i], text);
			table_add(&t, text);
		}
	return look_print(c, &t);
}

static int look(const struct ctl *c, const struct watch *w, const json_t *list,
		struct sample *before)
{
	struct sample now;
	struct err e = { 0 };
	int r = sample_read(list, watch_now_us(), &now);

	if (r < 0) {
		(void) err_set_errno(&e, r, "reading the daemon's reply");
		return ctl_error(c, NULL, &e);
	}
	r = print_table(c, w, &now, before);
	sample_done(before);
	*before = now;
	return r;
}

static int separate(const struct ctl *c, const struct watch *w, bool first)
{
	struct buf b = { 0 };
	int r;

	if (c->terminal && w->times != 1 && !w->json)
		buf_puts(&b, "\033[H\033[J");
	else if (!first && !w->json)
		buf_puts(&b, "\n");
	r = ctl_print(c, &b);
	buf_done(&b);
	return r;
}

static void rest(uint64_t us)
{
	struct timespec t = { (time_t) (us / 1000000), (long) (us % 1000000) * 1000 };

	(void) clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

int watch_run(const struct ctl *c, const struct watch *w)
{
	struct sample before = { 0 };
	int status = CTL_DONE, r = CTL_DONE;

	for (uint64_t i = 0; (!w->times || i < w->times) && r == CTL_DONE; i++) {
		json_t *list;

		if (i)
			rest(w->interval_us);
		list = w->get(c, &status);
		r = list ? separate(c, w, i == 0) : status;
		if (list && r == CTL_DONE)
			r = w->json ? ctl_print_json(c, list) : look(c, w, list, &before);
		json_decref(list);
	}
	sample_done(&before);
	return r == CTL_DONE ? status : r;
}
