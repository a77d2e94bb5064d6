/* The door of fs/: what a context sees as "/" and how it is built.
 *
 * Two owners of privilege share the work. What needs the host's user namespace (cloning and
 * id-mapping host trees, mounting overlay and block file systems) is done by the daemon in PARENT
 * steps as *detached* mounts: they have no place in any mount table, and vanish with their
 * descriptor, so a killed daemon leaves nothing. The child attaches them (move_mount), mounts what
 * belongs to its own namespaces (proc, sysfs, mqueue, devpts), masks, and pivots (CHILD steps). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/step.h"
#include "spec/facts.h"
#include "spec/spec.h"

/** Fills facts->fs. @state_dir where kept uppers will lie. */
void fs_probe(struct facts *facts, const char *state_dir);

/** What the daemon keeps for all contexts, made once: the host root, the layer that masks the
 * host's secrets, the prepared /dev. Only descriptors and detached mounts. */
struct fs_host;

/**
 * @state_dir (DIR/uppers/NAME.img ...), @run_dir (scratch): both are hidden from every context.
 * @return 0 or -errno.
 */
[[nodiscard]] int fs_host_new(const char *state_dir, const char *run_dir, const struct facts *facts,
			      struct fs_host **ret, struct err *e);
void fs_host_free(struct fs_host *h);
/** Rebuilds the masking layer if the host changed (checked by times of the watched directories
 * and files; a no-op costs microseconds). Running contexts keep the one they have. */
[[nodiscard]] int fs_host_refresh(struct fs_host *h, struct err *e);

/** Readable when the host changed and fs_host_refresh() has work: calling it then keeps that work
 * off the start path. Borrowed, differs after a refresh that rebuilt; -1: nothing to watch. */
int fs_host_watch_fd(const struct fs_host *h);

/** The view as data: ordered operations with every value resolved. Printable, comparable. */
struct fs_plan;
[[nodiscard]] int fs_plan_new(const struct spec *spec, const struct facts *facts,
			      struct fs_plan **ret, struct err *e);
void fs_plan_free(struct fs_plan *p);
void fs_print(const struct fs_plan *p, struct buf *out);

/** What a parked child has made ahead, in an arena that the daemon sees too: the child's numbers of
 * mounts that depend on its namespaces only. -1: not made. */
struct fs_seat {
	int proc_fd, sys_fd, mqueue_fd, devpts_fd;
};
/** In the child: fills `s` (struct fs_seat), then leaves the host's tree for an empty root of its
 * own, so that this costs a start nothing. @return 0 or -errno. */
[[nodiscard]] int fs_seat_prepare(void *s, bool own_network);

/** What is known only at launch. */
struct fs_launch {
	struct fs_seat *seat; /* in the arena: fs_seat_prepare() has run */
	int userns_fd; /* borrowed; -1 with ids = none */
	uint32_t ids_first, ids_count; /* host ids the context's 0.. are mapped to */
	int notify_fd; /* borrowed; directory of the notify socket, where spec_wants_notify() */
};

/** Turns the plan into steps (PARENT and CHILD); the last CHILD step leaves the child chdir'ed to
 * "/" of the view, the old root gone. Borrowed: h must outlive the launch. */
[[nodiscard]] int fs_steps(const struct fs_plan *p, struct fs_host *h, const struct fs_launch *at,
			   struct step_list *steps, struct err *e);

/** Deletes what a context keeps on disk (its kept upper). A missing one is success. */
[[nodiscard]] int fs_forget(struct fs_host *h, const char *name, struct err *e);
/** Whether NAME's kept upper was made above a host state that has changed since (package
 * database, /etc/os-release, /usr times). @ret_text one sentence, "" when nothing changed. */
[[nodiscard]] int fs_kept_changed(struct fs_host *h, const char *name, char *ret_text, size_t size);
/** Bytes the context's upper uses and may use; 0, 0 where it has none. */
[[nodiscard]] int fs_usage(struct fs_host *h, const char *name, pid_t init, uint64_t *ret_used,
			   uint64_t *ret_limit);
/** Removes half-made or orphaned things of dead daemons below state_dir/run_dir (unnamed images,
 * loop devices still bound to files of ours that nothing mounts). */
void fs_sweep(struct fs_host *h);
