/* What a new daemon does with what an earlier one left: adopt what lives, report what ended, and
 * sweep what was half-made. The journals say what there should be; processes are believed only
 * when their start time agrees. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/budget.h"
#include "daemon/change.h"
#include "daemon/launch.h"
#include "daemon/logs.h"
#include "daemon/memory_out.h"
#include "daemon/service.h"
#include "daemon/tell.h"
#include "daemon/watch_limits.h"

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t) json_integer_value(json_object_get(o, key));
}

static int read_spec(struct context *c, const json_t *o)
{
	struct spec_errors errors = {};
	struct spec *s = spec_new(c->name);
	int r;

	if (!s) {
		return -ENOMEM;
	}
	r = spec_read_json(s, o, &errors);
	for (size_t i = 0; i < errors.lines.count; i++) {
		log_warning("%s: its journal: %s", c->name, errors.lines.items[i]);
	}
	spec_errors_done(&errors);
	(void) snprintf(s->name, sizeof(s->name), "%s", c->name);
	c->active = s;
	return r == -EINVAL ? 0 : r; /* without what another Ward meant: it runs all the same */
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

/* It was being stopped, or the client that waited for its command went with the old daemon. */
static bool unwanted(const struct journal_record *record)
{
	return service_was_asked(record) || json_is_true(json_object_get(record->head, "attached"));
}

/* Ended, or cut off while it was starting: its slot is left to the sweep; it can still be asked. */
static void record_end(struct context *c, const struct journal_record *record)
{
	struct exit_info *x = &c->exit;
	bool started = record->started;

	c->start_failed = !started;
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
	if (started) {
		ending_explain(c, x);
	}
	c->state = hooks_wanted(c, HOOK_AFTER_STOP) ? LIFE_ENDING : LIFE_STOPPED;
	if (!json_is_true(json_object_get(record->head, "attached")) && c->active &&
	    c->active->context.log == SPEC_LOG_FILE) {
		logs_mark(c, LOG_MARK_EXIT, log_exit(x->code != CLD_EXITED, x->status));
	}
	if (c->active) {
		service_ended(c, unwanted(record));
	}
	if (!tell_end_again(c, !started) && c->state == LIFE_STOPPED) {
		service_tell_plan(c);
	}
	c->slot = 0;
	c->ids_owned = false;
	c->id = (struct proc_id){};
	if (c->state == LIFE_ENDING) {
		service_close(c, true);
		journal_end(c);
		ending_resume(c);
		return;
	}
	service_close(c, true);
	journal_end(c);
	spec_freep(&c->active);
	if (c->throwaway) {
		registry_remove(c->manager, c);
	}
}

/* The kernel knows whether it is frozen; the daemon may have died before it noted so. */
static void adopt_frozen(struct context *c, const struct journal_record *record)
{
	bool frozen = sched_slot_frozen(c->manager->sched, c->slot);

	c->state = frozen ? LIFE_FROZEN : LIFE_RUNNING;
	if (frozen != record->frozen) {
		context_note_frozen(c, frozen);
	}
}

/* Its rules are in the kernel; what is taken over is the knowledge of who has which address. */
static void adopt_network(struct context *c)
{
	struct manager *m = c->manager;
	struct netctl_context who = { .name = c->name, .slot = c->slot };
	struct netctl_plan plan;
	struct err e = {};
	int r = netctl_plan(c->active, &m->facts, &plan, &e);

	if (r >= 0 && plan.mode == SPEC_NETWORK_SHARED) {
		r = sched_slot_id(m->sched, c->slot, &who.cgroup_id);
	} else if (r >= 0 && plan.linked && sched_slot_id(m->sched, c->slot, &who.cgroup_id) < 0) {
		who.cgroup_id = 0; /* it can do without */
	}
	if (r >= 0) {
		r = netctl_adopt(&plan, m->net, &who, &e);
	}
	if (r < 0) {
		log_warning("%s: taking over its addresses: %s", c->name,
			    e.code ? e.text : strerror(-r));
	}
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
	adopt_network(c);
	if (c->ids_owned && context_ids_claim(c->manager->host, c->ids_first, c->ids_count) < 0) {
		log_warning("%s: its ids %u.. are outside of this daemon's range", c->name,
			    c->ids_first);
		c->ids_owned = false;
	}
	memory_out_watch(c);
	tell_adopted(c);
	adopt_frozen(c, record);
	governor_begin(c);
	limits_watch(c, record->throttled);
	r = service_adopt(c, record);
	if (r < 0) {
		log_warning("%s: going on with its health and restarts: %s", c->name, strerror(-r));
	}
	if (record->intent) {
		change_settle(c, record->intent);
		governor_changed(c);
	}
	log_info("%s: runs on as process %d", c->name, (int) c->id.pid);
	if (!record->stopping && !unwanted(record) && context_is_ready(c)) {
		launch_ready(c);
	}
	return 0;
}

/* The last daemon died before the after-stop hook was over. */
static void resume_end(struct context *c, const json_t *head)
{
	const json_t *spec = json_object_get(head, "spec");

	if (!spec) {
		return;
	}
	c->throwaway = json_is_true(json_object_get(head, "throwaway"));
	if (read_spec(c, spec) < 0 || !hooks_wanted(c, HOOK_AFTER_STOP)) {
		spec_freep(&c->active);
		return;
	}
	c->state = LIFE_ENDING;
	ending_resume(c);
}

static void read_hooks(struct context *c, const struct journal_record *record)
{
	for (enum hook_kind k = 0; k < HOOK_COUNT; k++) {
		if (record->hooks & 1u << k) {
			hooks_mark(c, k);
		}
	}
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
		journal_drop_status(m, name);
		exit_from_json(&c->exit, json_object_get(record.head, "exit"));
		resume_end(c, record.head); /* before the next: a restart waits for the hook */
		service_from_journal(c, &record);
	} else if (c) {
		read_process(c, record.head);
		c->stop_told = record.stopping;
		read_hooks(c, &record);
		service_from_journal(c, &record);
		r = read_spec(c, json_object_get(record.head, "spec"));
		if (r >= 0 && record.started) {
			tell_fact_again(c, &record);
		}
		if (r < 0 || !record.started || adopt(c, &record) < 0) {
			record_end(c, &record);
		} else if (unwanted(&record) && manager_stop(m, c, 0, NULL, NULL, &e) < 0) {
			log_warning("%s", e.text);
		} else if (record.stopping && !unwanted(&record)) {
			service_stop_on(c, &record);
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
	struct err links = {};
	int r;

	(void) fault_point("recover-begun", NULL);
	(void) file_sweep_at(m->journal_dirfd, ".");
	(void) file_sweep_at(m->config_dirfd, ".");
	(void) file_sweep_at(AT_FDCWD, m->run_dir);
	(void) file_sweep_at(AT_FDCWD, m->state_dir);
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
	r = netctl_settle(m->net, e);
	if (r < 0) {
		return r;
	}
	if (netctl_settle_links(m->net, &links) < 0) {
		log_warning("%s", links.text);
	}
	fs_sweep(m->fs);
	notify_sweep(m);
	fill_pool(m);
	return 0;
}
