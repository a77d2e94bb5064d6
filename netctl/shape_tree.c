/* One tree of classes on a device: what differs between what is there and what is wanted is told to
 * the kernel, nothing else; what another daemon left is read first. Whoever is in both keeps its
 * packets and its buckets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netctl/shape.h"

void shape_tree_forget(struct shape_tree *t)
{
	free(t->have);
	*t = (struct shape_tree){ 0 };
}

const struct shape_class *shape_tree_find(const struct shape_tree *t, uint32_t minor)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->have[i].minor == minor)
			return &t->have[i];
	return NULL;
}

static int refuse_root(const char *device, const struct tc_qdisc *q, struct err *e)
{
	if (shape_is_ward(q->handle))
		return err_set(e, -EBUSY,
			       "network: %s is shaped by another daemon of Ward (qdisc %s %x:)",
			       device, q->kind, q->handle >> 16);
	return err_set(e, -EBUSY,
		       "network: %s has a queueing discipline that is not Ward's, %s %x:; allowed: "
		       "to remove it, or \"link = %s ... replace\" in wardd.ini",
		       device, q->kind, q->handle >> 16, device);
}

/* Ours is there from now on, with nothing in it or with what was left. */
static int take(struct shape_tree *t, const struct shape_host *h, int device, bool replace,
		struct err *e)
{
	uint32_t ours = (uint32_t) h->major << 16;
	char name[IF_NAMESIZE] = "?";
	struct tc_qdisc q;
	int r = tc_root(h->tc, device, &q);

	(void) if_indextoname((unsigned) device, name);
	if (r == 0 && q.handle && q.handle != ours && !replace)
		return refuse_root(name, &q, e);
	if (r == 0 && q.handle != ours)
		r = tc_htb_add(h->tc, device, h->major, q.handle != 0);
	if (r == 0) {
		t->device = device;
		r = tc_classes(h->tc, device, h->major, &t->have, &t->count);
	}
	return r < 0 ? err_set_errno(e, r, "network: shaping %s", name) : 0;
}

/* Sets what is new or another; both lists are sorted. */
static int set_wanted(const struct shape_tree *t, const struct shape_host *h,
		      const struct shape_class *want, size_t count)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		while (at < t->count && t->have[at].minor < want[i].minor)
			at++;
		if (at == t->count || !shape_class_equal(&t->have[at], &want[i]))
			r = tc_class_set(h->tc, t->device, h->major, &want[i]);
	}
	return r;
}

static int remove_others(const struct shape_tree *t, const struct shape_host *h,
			 const struct shape_class *want, size_t count)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->count; i++) {
		while (at < count && want[at].minor < t->have[i].minor)
			at++;
		if (at == count || want[at].minor != t->have[i].minor)
			r = tc_class_remove(h->tc, t->device, h->major, t->have[i].minor);
	}
	return r;
}

int shape_tree_put(struct shape_tree *t, const struct shape_host *h, int device, bool replace,
		   const struct shape_class *want, size_t count, struct err *e)
{
	struct shape_class *have = malloc(count * sizeof(*have));
	char name[IF_NAMESIZE] = "?";
	int r = have ? 0 : err_set(e, -ENOMEM, "network: out of memory");

	if (r == 0 && (t->device != device || t->unsure)) {
		shape_tree_forget(t);
		r = take(t, h, device, replace, e);
	}
	if (r == 0) {
		r = set_wanted(t, h, want, count);
		if (r == 0)
			r = remove_others(t, h, want, count);
		(void) if_indextoname((unsigned) device, name);
		if (r < 0)
			(void) err_set_errno(e, r, "network: making classes on %s", name);
	}
	if (r < 0) {
		free(have);
		t->unsure = true;
		return r;
	}
	memcpy(have, want, count * sizeof(*have));
	free(t->have);
	t->have = have;
	t->count = count;
	return 0;
}

void shape_tree_drop(struct shape_tree *t, const struct shape_host *h)
{
	if (t->device)
		(void) tc_root_remove(h->tc, t->device, (uint32_t) h->major << 16);
	shape_tree_forget(t);
}
