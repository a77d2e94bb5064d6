/* The door's context_steps(): what this room adds to a launch, in the order process 1 runs it. */
#include <errno.h>

#include "base/fd.h"
#include "context/host.h"
#include "context/launch.h"
#include "context/namespaces.h"

/** Gives the streams to the list; a pipe made by the host's root becomes the context root's. */
static int give_streams(struct command *c, struct context_stdio *io, uid_t owner,
			struct step_list *steps)
{
	int *fds[3] = { &io->in, &io->out, &io->err };
	int result = 0;

	for (int i = 0; i < 3; i++) {
		int fd = TAKE_FD(*fds[i]);

		c->streams[i] = -1;
		if (fd < 0) {
			continue;
		}
		command_own_pipe(fd, 0, owner, owner);
		int r = steps_give_fd(steps, &c->streams[i], fd);
		if (r < 0) {
			result = r;
		}
	}
	return result;
}

static int give_status(struct launch *l, int status_fd, struct step_list *steps)
{
	l->status_fd = -1;
	if (status_fd < 0) {
		return l->init == SPEC_INIT_FAKE ? -EBADF : 0;
	}
	if (l->init != SPEC_INIT_FAKE) {
		fd_close(status_fd);
		return 0;
	}
	return steps_give_fd(steps, &l->status_fd, status_fd);
}

/** Only ward-init can be trusted to hold it. */
static int give_kept(struct launch *l, int *slot, int fd, struct step_list *steps)
{
	*slot = -1;
	if (fd < 0 || l->init != SPEC_INIT_FAKE) {
		fd_close(fd);
		return 0;
	}
	return steps_give_fd(steps, slot, fd);
}

static void close_all(struct context_stdio *io, const struct context_kept *kept)
{
	io->in = fd_close(io->in);
	io->out = fd_close(io->out);
	io->err = fd_close(io->err);
	fd_close(kept->status_fd);
	fd_close(kept->notify_fd);
	fd_close(kept->network_fd);
}

int context_steps(const struct context_plan *p, struct context_host *h, const struct seat *s,
		  struct context_stdio *io, const struct context_kept *kept,
		  struct step_list *steps, struct err *e)
{
	struct seat_shared *shared = seat_of(s)->shared;
	struct launch *l = arena_alloc(steps->arena, sizeof(*l));
	struct strv init_argv = { .items = (char *[]){ p->init_path, NULL }, .count = 1 };
	bool path = p->init == SPEC_INIT_PATH;
	const struct command_request q = {
		.argv = path ? &init_argv : &p->command,
		.user = path ? NULL : p->user,
		.directory = path ? NULL : p->directory,
		.io = io,
		.service = true,
	};
	int r, notify, network, streams;

	if (!l) {
		close_all(io, kept);
		return err_set(e, -ENOMEM, "preparing the launch: the arena is full");
	}
	l->init = p->init;
	r = give_status(l, kept->status_fd, steps);
	notify = give_kept(l, &l->notify_fd, kept->notify_fd, steps);
	network = give_kept(l, &l->network_fd, kept->network_fd, steps);
	if (r == 0) {
		r = notify;
	}
	if (r == 0) {
		r = network;
	}
	streams = give_streams(&l->command, io, s->ids_first, steps);
	if (r == 0) {
		r = streams;
	}
	if (r == 0) {
		r = namespaces_steps(p, shared, steps);
	}
	if (r < 0) {
		return err_set_errno(e, r, "preparing the launch");
	}
	r = command_prepare(&l->command, p, h, shared, &q, steps, e);
	if (r == 0) {
		shared->launch = l;
	}
	return r;
}
