/* What keys do, and the text that says so. */
#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/top.h"
#include "ctl/watch.h"

#define PAGE 10
#define ESCAPE 27

static const char *const help[] = {
	"Keys",
	"  arrows, PgUp, PgDn, Home, End   move the cursor",
	"  < >           sort by the column to the left or right",
	"  letter below  sort by that column; again: the other way round",
	"  /             show only names that hold a text; empty: all",
	"  f             freeze, or thaw what is frozen",
	"  s             stop",
	"  r             restart: stop, then start",
	"  k             send a signal",
	"  e, Enter      open a shell inside",
	"  l             show the log; ^C ends it",
	"  + -           look less, more often",
	"  space         look now",
	"  h, ?          this help",
	"  q             quit",
	"",
	"Columns",
};

const char *top_help_line(unsigned i, char out[static 128])
{
	const struct column *c;

	if (i < ARRAY_SIZE(help))
		return help[i];
	i -= (unsigned) ARRAY_SIZE(help);
	if (i >= columns_count)
		return NULL;
	c = &columns_table[i];
	(void) snprintf(out, 128, "  %c  %-15s %-12s %s", c->key ? c->key : ' ', c->name, c->title,
			c->help);
	return out;
}

static bool sort_by_key(struct top *t, int key)
{
	for (size_t i = 0; i < columns_count; i++) {
		if (!columns_table[i].key || columns_table[i].key != key)
			continue;
		t->reverse = t->sort == &columns_table[i] && !t->reverse;
		t->sort = &columns_table[i];
		top_say(t, "sorted by %s%s", t->sort->name, t->reverse ? ", reversed" : "");
		top_arrange(t);
		return true;
	}
	return false;
}

static void begin_input(struct top *t, enum top_mode mode, const char *text)
{
	t->mode = mode;
	(void) snprintf(t->input, sizeof(t->input), "%s", text);
}

static void ask(struct top *t, enum top_mode mode, enum top_command command)
{
	const struct sample_row *row = top_selected(t);

	if (!row)
		return;
	t->asked = command;
	(void) snprintf(t->asked_name, sizeof(t->asked_name), "%s", row->name);
	begin_input(t, mode, "");
}

static void act_on_row(struct top *t, int key)
{
	const struct sample_row *row = top_selected(t);
	char name[SPEC_NAME_MAX + 1];

	if (!row)
		return top_say(t, "there is no context here");
	(void) snprintf(name, sizeof(name), "%s", row->name);
	if (key == 'f')
		top_act(t, strcmp(row->state, "frozen") ? TOP_FREEZE : TOP_THAW, name, NULL);
	else if (key == 'l')
		top_visit(t, "logs", name, true);
	else
		top_visit(t, "enter", name, false);
}

static void change_interval(struct top *t, bool longer)
{
	t->interval_us = longer ? t->interval_us * 2 : t->interval_us / 2;
	if (t->interval_us < 250000)
		t->interval_us = 250000;
	if (t->interval_us > 60000000)
		t->interval_us = 60000000;
	t->next_us = watch_now_us() + t->interval_us;
	top_say(t, "every %.2g s", (double) t->interval_us / 1000000);
}

static bool move_key(struct top *t, int key)
{
	switch (key) {
	case KEY_UP:
		top_move(t, -1);
		return true;
	case KEY_DOWN:
		top_move(t, 1);
		return true;
	case KEY_PPAGE:
		top_move(t, -PAGE);
		return true;
	case KEY_NPAGE:
		top_move(t, PAGE);
		return true;
	case KEY_HOME:
		top_move(t, -(long) t->view_count);
		return true;
	case KEY_END:
		top_move(t, (long) t->view_count);
		return true;
	default:
		return false;
	}
}

static void table_key(struct top *t, int key)
{
	t->message[0] = '\0';
	if (move_key(t, key) || sort_by_key(t, key))
		return;
	switch (key) {
	case 'q':
		t->quit = true;
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		t->mode = TOP_HELP;
		t->help_first = 0;
		break;
	case '<':
	case '>':
	case KEY_LEFT:
	case KEY_RIGHT:
		top_sort_next(t, key == '<' || key == KEY_LEFT ? -1 : 1);
		break;
	case '/':
		begin_input(t, TOP_FILTER, t->filter);
		break;
	case 's':
		ask(t, TOP_CONFIRM, TOP_STOP);
		break;
	case 'r':
		ask(t, TOP_CONFIRM, TOP_RESTART);
		break;
	case 'k':
		ask(t, TOP_SIGNAL, TOP_KILL);
		break;
	case '+':
	case '-':
		change_interval(t, key == '+');
		break;
	case ' ':
		t->next_us = 0;
		break;
	case 'f':
	case 'l':
	case 'e':
	case '\n':
	case '\r':
	case KEY_ENTER:
		act_on_row(t, key);
		break;
	default:
		break;
	}
}

static void help_key(struct top *t, int key)
{
	char line[128];

	if (key == KEY_DOWN && top_help_line(t->help_first + 1, line))
		t->help_first++;
	else if (key == KEY_NPAGE && top_help_line(t->help_first + PAGE, line))
		t->help_first += PAGE;
	else if (key == KEY_UP && t->help_first)
		t->help_first--;
	else if (key == KEY_PPAGE)
		t->help_first -= t->help_first < PAGE ? t->help_first : PAGE;
	else if (key != KEY_DOWN && key != KEY_NPAGE && key != KEY_UP && key != KEY_RESIZE)
		t->mode = TOP_TABLE;
}

static void finish_input(struct top *t)
{
	if (t->mode == TOP_FILTER) {
		memcpy(t->filter, t->input, sizeof(t->filter));
		top_arrange(t);
	} else {
		top_act(t, TOP_KILL, t->asked_name, t->input[0] ? t->input : "TERM");
	}
	t->mode = TOP_TABLE;
}

static void input_key(struct top *t, int key)
{
	size_t len = strlen(t->input);

	if (key == ESCAPE) {
		t->mode = TOP_TABLE;
	} else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		finish_input(t);
	} else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		t->input[len ? len - 1 : 0] = '\0';
	} else if (key > 0x20 && key < 0x7f && len + 1 < sizeof(t->input)) {
		t->input[len] = (char) key;
		t->input[len + 1] = '\0';
	}
}

void top_key(struct top *t, int key)
{
	t->draw = true;
	if (key == KEY_RESIZE)
		return;
	switch (t->mode) {
	case TOP_TABLE:
		table_key(t, key);
		break;
	case TOP_HELP:
		help_key(t, key);
		break;
	case TOP_FILTER:
	case TOP_SIGNAL:
		input_key(t, key);
		break;
	case TOP_CONFIRM:
		t->mode = TOP_TABLE;
		if (key == 'y' || key == 'Y')
			top_act(t, t->asked, t->asked_name, NULL);
		break;
	}
}
