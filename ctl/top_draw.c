/* The screen: everything is drawn into curses' window each time, and curses sends what differs.
 * What does not fit is left out from below and from the right, down to a single cell. */
#include <curses.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/text.h"
#include "ctl/top.h"

#define BAR_MAX 30
#define ROWS_WITH_HEAD 8 /* a lower screen has one line of head */

/* @width cells from (y, x) on, filled with blanks. What is too long is cut. */
static void put(int y, int x, int width, bool left, const char *text)
{
	int len = (int) text_width(text);

	if (width <= 0 || y >= LINES || x >= COLS)
		return;
	if (x + width > COLS)
		width = COLS - x;
	if (len > width)
		mvprintw(y, x, "%.*s", width, text); /* names and numbers: one byte a cell */
	else if (left)
		mvprintw(y, x, "%s%*s", text, width - len, "");
	else
		mvprintw(y, x, "%*s%s", width - len, "", text);
}

static void bar(int y, int x, int width, double part, bool utf8)
{
	int full = (int) (part * width + 0.5);

	if (width > BAR_MAX)
		width = BAR_MAX;
	if (width < 4 || y >= LINES)
		return;
	full = part <= 0 ? 0 : part >= 1 ? width - 2 : (int) (part * (width - 2) + 0.5);
	mvaddstr(y, x, "[");
	for (int i = 0; i < width - 2; i++)
		addstr(i >= full ? " " : utf8 ? "\xe2\x96\xae" : "|");
	addstr("]");
}

static void draw_title(const struct top *t)
{
	char clock[16] = "", text[192];
	size_t frozen = 0;
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		(void) strftime(clock, sizeof(clock), "%T", &tm);
	for (size_t i = 0; i < t->now.count; i++)
		frozen += !strcmp(t->now.rows[i].state, "frozen");
	(void) snprintf(text, sizeof(text),
			"ward top %s  %zu running, %zu frozen  load %.2f %.2f %.2f", clock,
			t->now.count - frozen, frozen, t->host.load[0], t->host.load[1],
			t->host.load[2]);
	put(0, 0, COLS, true, text);
	if (t->away) {
		attron(A_REVERSE);
		put(0, COLS > 15 ? COLS - 15 : 0, 15, true, "  daemon away  ");
		attroff(A_REVERSE);
	}
}

static void draw_host(const struct top *t)
{
	const struct top_host *h = &t->host;
	char used[UNITS_TEXT_MAX], all[UNITS_TEXT_MAX], ours[UNITS_TEXT_MAX], text[160];
	uint64_t memory = 0;
	double cpu = 0;

	for (size_t i = 0; i < t->view_count; i++) {
		cpu += t->views[i].rates.cpu > 0 ? t->views[i].rates.cpu : 0;
		memory += t->views[i].row->memory_bytes != SAMPLE_UNKNOWN
				  ? t->views[i].row->memory_bytes
				  : 0;
	}
	(void) snprintf(text, sizeof(text), "cpu %5.1f%% of %u%%, contexts %.1f%%",
			h->cpu < 0 ? 0 : h->cpu * 100, h->cpus * 100, cpu * 100);
	put(1, 0, COLS, true, text);
	bar(1, 46, COLS - 46, h->cpus ? h->cpu / h->cpus : 0, t->utf8);
	(void) snprintf(text, sizeof(text), "mem %6s of %s, contexts %s",
			units_print_human(h->memory_used_bytes, used),
			units_print_human(h->memory_bytes, all), units_print_human(memory, ours));
	put(2, 0, COLS, true, text);
	bar(2, 46, COLS - 46,
	    h->memory_bytes ? (double) h->memory_used_bytes / (double) h->memory_bytes : 0,
	    t->utf8);
}

static void draw_row(const struct top *t, int y, const struct columns_view *v,
		     const struct columns_chosen *columns, unsigned first)
{
	char text[COLUMNS_TEXT_MAX];
	int x = 0;

	for (size_t i = 0; i < columns->count; i++) {
		const struct column *c = columns->of[i];
		int width = i ? (int) c->width : (int) first;

		if (v)
			c->print(v, text);
		if (i)
			put(y, x++, 1, true, " ");
		if (!v && c == t->sort)
			attron(A_UNDERLINE);
		put(y, x, width, c->left, v ? text : c->title);
		if (!v && c == t->sort)
			attroff(A_UNDERLINE);
		x += width;
	}
}

static void draw_table(struct top *t, int from, int to)
{
	struct columns_chosen columns;
	unsigned first;
	size_t rows = to > from + 1 ? (size_t) (to - from - 1) : 0;

	top_fit(t, (unsigned) COLS, &columns, &first);
	top_scroll(t, rows);
	attron(A_REVERSE);
	put(from, 0, COLS, true, "");
	draw_row(t, from, NULL, &columns, first);
	attroff(A_REVERSE);
	for (size_t i = 0; i < rows && t->first + i < t->view_count; i++) {
		const struct columns_view *v = &t->views[t->first + i];
		int look = t->first + i == t->cursor	       ? A_BOLD | A_STANDOUT
			   : !strcmp(v->row->state, "running") ? A_NORMAL
							       : A_DIM;

		attron(look);
		draw_row(t, from + 1 + (int) i, v, &columns, first);
		attroff(look);
	}
	if (rows && !t->view_count)
		put(from + 1, 0, COLS, true,
		    t->now.count   ? "no name holds that text"
		    : t->now.at_us ? "no context runs"
				   : "");
}

static void draw_help(struct top *t, int to)
{
	char line[128];

	for (int y = 0; y < to; y++) {
		const char *text = top_help_line(t->help_first + (unsigned) y, line);

		if (!text)
			break;
		put(y, 0, COLS, true, text);
	}
}

static void draw_foot(const struct top *t, int y)
{
	static const char *const questions[] = {
		[TOP_STOP] = "stop", [TOP_RESTART] = "restart", [TOP_KILL] = "kill"
	};
	char text[TOP_MESSAGE_MAX + SPEC_NAME_MAX + 64];

	switch (t->mode) {
	case TOP_HELP:
		(void) snprintf(text, sizeof(text), "arrows scroll; any other key goes back");
		break;
	case TOP_FILTER:
		(void) snprintf(text, sizeof(text), "names that hold: %s_", t->input);
		break;
	case TOP_SIGNAL:
		(void) snprintf(text, sizeof(text), "signal to %s (TERM): %s_", t->asked_name,
				t->input);
		break;
	case TOP_CONFIRM:
		(void) snprintf(text, sizeof(text), "%s %s? y or n", questions[t->asked],
				t->asked_name);
		break;
	case TOP_TABLE:
	default:
		(void) snprintf(text, sizeof(text), "%s%s%s%s",
				t->message[0]
					? t->message
					: "h help  f freeze  s stop  r restart  k kill  e enter  "
					  "l log  / find  q quit",
				t->filter[0] ? "  [" : "", t->filter, t->filter[0] ? "]" : "");
	}
	put(y, 0, COLS - 1, true, text); /* the last cell would scroll some terminals */
}

void top_draw(struct top *t)
{
	int head = LINES >= ROWS_WITH_HEAD ? 3 : LINES >= 4 ? 1 : 0, foot = LINES > 1;

	t->draw = false;
	(void) erase();
	if (t->mode == TOP_HELP) {
		draw_help(t, LINES - foot);
	} else {
		if (head > 0)
			draw_title(t);
		if (head > 1)
			draw_host(t);
		draw_table(t, head, LINES - foot);
	}
	if (foot)
		draw_foot(t, LINES - 1);
	(void) refresh();
}
