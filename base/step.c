/* The one loop that runs what the rooms prepared. Every step is a fault point, and every failure
 * reads "STEP OBJECT: reason". */
#include "base/step.h"

#include <stdbool.h>
#include <string.h>

#include "base/fault.h"
#include "base/fd.h"

int steps_init(struct step_list *l, struct arena *arena)
{
	struct step *steps = arena_alloc(arena, STEP_LIST_MAX * sizeof(*steps));

	*l = (struct step_list){ .arena = arena, .steps = steps };
	return steps ? 0 : -ENOMEM;
}

void steps_done(struct step_list *l)
{
	for (size_t i = 0; i < l->fd_count; i++)
		*l->fd_slots[i] = fd_close(*l->fd_slots[i]);
	l->fd_count = 0;
}

int steps_add(struct step_list *l, struct step step)
{
	if (l->count >= STEP_LIST_MAX)
		return -E2BIG;
	l->steps[l->count++] = step;
	return 0;
}

int steps_give_fd(struct step_list *l, int *slot, int fd)
{
	if (l->fd_count >= STEP_FDS_MAX) {
		fd_close(fd);
		return -EMFILE;
	}
	*slot = fd;
	l->fd_slots[l->fd_count++] = slot;
	return 0;
}

/* Puts the step's name and object before the reason, unless the reason names the object. */
static void explain(const struct step *s, int code, struct err *e)
{
	bool named = s->object && e->code && strstr(e->text, s->object);
	const char *object = s->object && !named ? s->object : "";
	const char *space = *object ? " " : "";

	if (e->code)
		(void) err_prefix(e, "%s%s%s", s->name, space, object);
	else
		(void) err_set_errno(e, code, "%s%s%s", s->name, space, object);
}

static int run_one(const struct step *s, struct err *e)
{
	struct err unread;

	if (!e)
		e = &unread;
	e->code = 0;
	e->text[0] = '\0';
	int r = fault_point(s->name, NULL);
	if (r == 0)
		r = s->run(s->arg, e);
	if (r < 0)
		explain(s, r, e);
	return r < 0 ? r : 0;
}

int steps_run_parent(struct step_list *l, struct err *e)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->steps[i].phase != STEP_PARENT)
			continue;
		int r = run_one(&l->steps[i], e);
		if (r < 0) {
			steps_undo(l);
			return r;
		}
		l->done++;
	}
	return 0;
}

void steps_undo(struct step_list *l)
{
	size_t seen = 0;

	for (size_t i = 0; i < l->count; i++)
		seen += l->steps[i].phase == STEP_PARENT;
	for (size_t i = l->count; i-- > 0 && l->done > 0;) {
		const struct step *s = &l->steps[i];

		if (s->phase != STEP_PARENT || seen-- > l->done)
			continue;
		l->done--;
		if (s->undo)
			s->undo(s->arg);
	}
}

int steps_run_child(const struct step_list *l, enum step_phase phase, struct err *e)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->steps[i].phase != phase)
			continue;
		int r = run_one(&l->steps[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}
