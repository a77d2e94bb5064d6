/* GET /metrics: the numbers are gathered, the page is written, and it is shared by all who ask
 * within a moment, so that however many do so, however slowly they read, there is one page of each
 * format a moment. It is let go soon after: 2 KB a context are not to be kept between scrapes. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/api/metrics.h"
#include "daemon/api/private.h"

#define FRESH_US UINT64_C(100000) /* for who may ask anything */
#define OPEN_FRESH_US UINT64_C(1000000) /* for everybody */
#define KEEP_US UINT64_C(1500000)
#define LIVE_MAX 16u /* pages that somebody is still reading */

struct shared_page {
	struct api_pages *owner; /* outlives all replies */
	unsigned refs; /* replies, and one while it is the latest */
	uint64_t made_us;
	struct page page;
};

struct api_pages {
	struct shared_page *latest[2]; /* by format */
	sd_event_source *drop;
	unsigned live;
};

static void release(void *arg)
{
	struct shared_page *s = arg;

	if (--s->refs > 0)
		return;
	s->owner->live--;
	free(s->page.data);
	free(s);
}

static void forget(struct api_pages *pages)
{
	for (size_t i = 0; i < 2; i++)
		if (pages->latest[i])
			release(TAKE_PTR(pages->latest[i]));
}

static int on_drop(sd_event_source *source, uint64_t now, void *arg)
{
	(void) source;
	(void) now;
	forget(arg);
	return 0;
}

static void drop_later(struct api *a)
{
	struct api_pages *pages = a->pages;
	int r;

	if (!pages->drop) {
		r = sd_event_add_time_relative(a->loop, &pages->drop, CLOCK_MONOTONIC, KEEP_US,
					       KEEP_US, on_drop, pages);
	} else {
		r = sd_event_source_set_time_relative(pages->drop, KEEP_US);
		if (r >= 0)
			r = sd_event_source_set_enabled(pages->drop, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		forget(pages);
}

void api_pages_done(struct api *a)
{
	if (!a->pages)
		return;
	forget(a->pages);
	sd_event_source_disable_unref(a->pages->drop);
	free(a->pages);
}

/* --- making one --- */

struct rows {
	struct numbers_row *list;
	size_t count, room;
	int error;
};

static void add_row(const struct numbers_row *row, void *arg)
{
	struct rows *r = arg;

	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct numbers_row *list = reallocarray(r->list, room, sizeof(*list));

		if (!list) {
			r->error = -ENOMEM;
			return;
		}
		r->list = list;
		r->room = room;
	}
	r->list[r->count++] = *row;
}

/* @page may have room of an earlier one; its text is written anew. */
static int write_page(struct api *a, bool open, struct page *page)
{
	struct rows rows = {};
	struct metrics m = { .open = open, .connections = http_connections(a->http) };

	page->len = 0;
	numbers_each(a->manager, add_row, &rows);
	numbers_of_daemon(a->manager, &m.daemon);
	m.rows = rows.list;
	m.count = rows.count;
	metrics_write(&m, page);
	free(rows.list);
	return rows.error ?: page->error;
}

/* @return the latest page if nobody reads it (its memory serves again), else a new one. */
static struct shared_page *page_get(struct api_pages *pages, bool open)
{
	struct shared_page *s = pages->latest[open];

	if (s && s->refs == 1)
		return s;
	if (pages->live >= LIVE_MAX)
		return NULL;
	if (s)
		release(s);
	s = pages->latest[open] = calloc(1, sizeof(*s));
	if (s) {
		*s = (struct shared_page){ .owner = pages, .refs = 1 };
		pages->live++;
	}
	return s;
}

/* Writes the latest page anew. @return it, or NULL with `e`. */
static struct shared_page *renew(struct api *a, bool open, uint64_t now_us, struct err *e)
{
	struct shared_page *s = page_get(a->pages, open);
	int r;

	if (!s) {
		(void) err_set(e, -EBUSY, "writing the metrics: too many slow readers");
		return NULL;
	}
	r = write_page(a, open, &s->page);
	s->made_us = now_us;
	if (r < 0) {
		release(TAKE_PTR(a->pages->latest[open]));
		(void) err_set_errno(e, r, "writing the metrics");
		return NULL;
	}
	return s;
}

static struct shared_page *find_page(struct api *a, bool open, uint64_t fresh_us, struct err *e)
{
	struct shared_page *s;
	uint64_t now = 0;

	if (!a->pages)
		a->pages = calloc(1, sizeof(*a->pages));
	if (!a->pages) {
		(void) err_set(e, -ENOMEM, "writing the metrics: out of memory");
		return NULL;
	}
	(void) sd_event_now(a->loop, CLOCK_MONOTONIC, &now);
	s = a->pages->latest[open];
	if (s && now - s->made_us < fresh_us)
		return s;
	s = renew(a, open, now, e);
	if (s)
		drop_later(a);
	return s;
}

static void reply(struct http_request *r, uint64_t fresh_us)
{
	bool open = metrics_wants_open(http_header(r, MHD_HTTP_HEADER_ACCEPT));
	struct shared_page *s = find_page(api_of(r), open, fresh_us, &r->err);

	if (!s) {
		http_reply_refused(r);
		return;
	}
	s->refs++;
	http_reply_shared(r, metrics_type(open), s->page.data, s->page.len, release, s);
}

void api_metrics(struct http_request *r)
{
	reply(r, FRESH_US);
}

void api_metrics_open(struct http_request *r)
{
	reply(r, OPEN_FRESH_US);
}
