/* What a new daemon does with what an earlier one left: adopt what lives, report what ended, and
 * sweep what was half-made. The journals say what there should be; processes are believed only
 * when their start time agrees. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/launch.h"

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t) json_integer_value(json_object_get(o, key));
}

static int read_spec(struct context *c, const json_t *o, struct spec **ret)
{
	struct spec_errors errors = {};
	struct spec *s = calloc(1, sizeof(*s));
	int r = s ? spec_init(s, c->name) : -ENOMEM;

	if (r < 0) {
		free(s);
		return r;
	}
	r = spec_read_json(s, o, &errors);
	for (size_t i = 0; i < errors.lines.count; i++) {
		log_warning("%s: its journal: %s", c->name, errors.lines.items[i]);
	}
	spec_errors_done(&errors);
	(void) snprintf(s->name, sizeof(s->name), "%s", c->name);
	*ret = s;
	return r;
}

static void read_process(struct context *c, const json_t *head)
{
	c->slot = (unsigned) number(head, "slot");
	c->id = (struct proc_id){ (pid_t) number(head, "pid"), number(head, "start") };
	c->ids_first = (uint32_t) number(head, "ids_first");
	c->ids_count = (uint32_t) number(head, "ids_count");
	c->ids_owned = json_is_true(json_object_get(head, "ids_owned"));
	c->started_us = number(head, "started_us");
	c->throwaway = json_is_true(json_object_get(head, "throwaway"));
}

/* Ended, or cut off while it was starting: its slot is left to the sweep. */
static void record_end(struct context *c, bool started)
{
	struct exit_info *x = &c->exit;

	*x = (struct exit_info){ .known = true, .code = CLD_KILLED, .status = SIGKILL };
	if (!started) {
		(void) snprintf(x->reason, sizeof(x->reason), "start");
		(void) str_replace(&x->text, "the daemon ended while it was starting");
	} else if (journal_status_read(c, &x->code, &x->status) == 0) {
		(void) snprintf(x->reason, sizeof(x->reason), "%s",
				x->code == CLD_EXITED ? "exit" : "signal");
	} else {
		(void) snprintf(x->reason, sizeof(x->reason), "lost");
		(void) str_replace(&x->text, "it ended while no daemon was running");
	}
	c->slot = 0;
	c->ids_owned = false;
	c->id = (struct proc_id){};
	events_add(c->manager->events, started ? "exited" : "failed", c->name,
		   json_pack("{s:o}", "exit", exit_to_json(x)));
	journal_end(c);
	spec_freep(&c->active);
	if (c->throwaway) {
		registry_remove(c->manager, c);
	}
}

/* What was not completed did not happen: the last daemon may have died between doing something and
 * noting it. */
static void restore(struct context *c, const struct journal_record *record)
{
	struct manager *m = c->manager;
	struct spec *wanted = NULL;
	struct err e = {};

	if (sched_slot_freeze(m->sched, c->slot, record->frozen) < 0 && record->frozen) {
		log_warning("%s: cannot be kept frozen", c->name);
	}
	if (record->intent && read_spec(c, record->intent, &wanted) >= 0 &&
	    sched_slot_change(m->sched, c->slot, wanted, c->active, &m->facts, &e) < 0) {
		log_warning("%s: going back to the limits before a change: %s", c->name, e.text);
	}
	spec_freep(&wanted);
}

static int adopt(struct context *c, const struct journal_record *record)
{
	int r;

	c->pidfd = proc_reopen(&c->id);
	if (c->pidfd < 0) {
		return c->pidfd;
	}
	r = ending_watch(c);
	if (r < 0) {
		return r;
	}
	if (c->ids_owned && context_ids_claim(c->manager->host, c->ids_first, c->ids_count) < 0) {
		log_warning("%s: its ids %u.. are outside of this daemon's range", c->name,
			    c->ids_first);
		c->ids_owned = false;
	}
	restore(c, record);
	ending_watch_memory(c);
	c->state = record->frozen ? LIFE_FROZEN : LIFE_RUNNING;
	log_info("%s: runs on as process %d", c->name, (int) c->id.pid);
	return 0;
}

/* It was being stopped, or the client that waited for its command went with the old daemon. */
static bool unwanted(const struct journal_record *record)
{
	return record->stopping || json_is_true(json_object_get(record->head, "attached"));
}

static void recover_one(struct manager *m, const char *name)
{
	struct journal_record record;
	struct context *c;
	struct err e = {};
	int r = journal_read(m, name, &record);

	if (r < 0) { /* torn: nothing had been made when it was written */
		log_warning("%s: its journal cannot be read: %s", name, strerror(-r));
		journal_remove(m, name);
		return;
	}
	c = registry_add(m, name);
	if (c && record.ended) {
		exit_from_json(&c->exit, json_object_get(record.head, "exit"));
		journal_status_remove(c); /* should the last daemon not have come so far */
	} else if (c) {
		read_process(c, record.head);
		r = read_spec(c, json_object_get(record.head, "spec"), &c->active);
		if (r < 0 || !record.started || adopt(c, &record) < 0) {
			record_end(c, record.started);
		} else if (unwanted(&record) && manager_stop(m, c, 0, NULL, NULL, &e) < 0) {
			log_warning("%s", e.text);
		}
	}
	journal_record_done(&record);
}

static void highest_slot(struct context *c, void *arg)
{
	struct manager *m = arg;

	if (c->slot >= m->next_slot) {
		m->next_slot = c->slot + 1;
	}
}

struct slot_owner {
	unsigned slot;
	bool found;
};

static void compare_slot(struct context *c, void *arg)
{
	struct slot_owner *o = arg;

	o->found |= c->slot == o->slot;
}

static bool keep_slot(unsigned slot, void *arg)
{
	struct slot_owner owner = { .slot = slot };

	registry_each(arg, compare_slot, &owner);
	return owner.found;
}

/* Seats of the kind that contexts without wishes need. */
static void fill_pool(struct manager *m)
{
	struct launch_plans plans;
	struct seat_kind kind;
	struct spec spec;
	int r = spec_init(&spec, "seat");

	if (r >= 0) { /* without a command there is no plan */
		r = strv_add(&spec.context.command, "true");
	}
	if (r >= 0) {
		r = launch_plan(&spec, &m->facts, &plans, NULL);
	}
	spec_done(&spec);
	if (r < 0) {
		return; /* this host lacks what the defaults want: seats are made when asked for */
	}
	kind = context_seat_kind(plans.context);
	seats_fill(m, &kind);
	launch_plans_done(&plans);
}

int recover(struct manager *m, struct err *e)
{
	int r;

	(void) fault_point("recover-begun", NULL);
	(void) file_sweep_at(m->journal_dirfd);
	(void) file_sweep_at(m->config_dirfd);
	r = journal_each(m, recover_one);
	if (r < 0) {
		return err_set_errno(e, r, "reading the journals in %s/contexts", m->run_dir);
	}
	(void) fault_point("recover-adopted", NULL);
	registry_each(m, highest_slot, m);
	r = sched_host_sweep(m->sched, keep_slot, m, e);
	if (r < 0) {
		return r;
	}
	fs_sweep(m->fs);
	fill_pool(m);
	return 0;
}
