/* wardd: from the command line to the loop, and back. The order matters: directories, the lock
 * (two daemons never share a run directory), a mount namespace of our own (so that nothing mounted
 * here shows on the host), the socket (clients queue while contexts are re-adopted), the manager,
 * the API; then readiness is told. On the way out contexts are left running. */
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "daemon/api/api.h"
#include "daemon/journald.h"
#include "daemon/layout.h"
#include "daemon/main/instance.h"
#include "daemon/main/options.h"
#include "daemon/main/trim.h"
#include "daemon/manager.h"

/* The directories are a newer Ward's: starting again changes nothing (wardd.service knows it). */
#define EXIT_NEWER 3

struct daemon {
	struct options options;
	struct instance instance;
	sd_event *loop;
	struct manager *manager;
	struct api *api;
	struct trim *trim;
	int listen_fd;
	int host_mounts; /* the mount namespace we came from */
	char socket_path[PATH_MAX + 16]; /* "" when it has none */
	bool activated; /* the socket came from systemd and stays its */
};

static int make_dir(char path[static PATH_MAX], mode_t mode, struct err *e)
{
	char real[PATH_MAX];
	int r = dir_make(path, mode);

	if (r < 0)
		return err_set_errno(e, r, "making %s", path);
	if (!realpath(path, real))
		return err_set_errno(e, -errno, "resolving %s", path);
	memcpy(path, real, strlen(real) + 1);
	return 0;
}

static int make_dirs(struct options *o, struct err *e)
{
	int r = make_dir(o->config_dir, 0755, e);

	if (r == 0)
		r = make_dir(o->state_dir, 0700, e);
	/* Everyone may come as far as the socket; there the kernel says who they are. */
	return r < 0 ? r : make_dir(o->run_dir, 0755, e);
}

/* Mounts of ours stay ours; those of the host go on coming in. */
static int own_mounts(struct daemon *d, struct err *e)
{
	int r;

	d->host_mounts = sys(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	r = d->host_mounts < 0 ? d->host_mounts : sys(unshare(CLONE_NEWNS));
	if (r == 0)
		r = sys(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
	return r < 0 ? err_set_errno(e, r, "making a mount namespace") : 0;
}

static void raise_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		log_warning("raising the limit of open files: %s", strerror(errno));
}

/* --- the socket --- */

#define QUEUE_MAX 512 /* connections that wait: who comes then waits for all before them */

/* A path too long for an address is reached through the directory's descriptor. */
static int bind_socket(int fd, const char *run_dir, mode_t mode)
{
	_cleanup_close_ int dir = sys(open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r;

	if (dir < 0)
		return dir;
	r = sys(unlinkat(dir, "control.sock", 0)); /* of a dead daemon: we hold the lock */
	if (r < 0 && r != -ENOENT)
		return r;
	if (snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", run_dir) >=
	    (int) sizeof(a.sun_path))
		(void) snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/control.sock",
				dir);
	r = sys(bind(fd, (const struct sockaddr *) &a, sizeof(a)));
	if (r == 0)
		r = sys(fchmodat(dir, "control.sock", mode, 0));
	return r < 0 ? r : sys(listen(fd, QUEUE_MAX));
}

/* Of a socket that came from elsewhere. */
static void find_path(int fd, char out[static PATH_MAX])
{
	struct sockaddr_un a = {};
	socklen_t len = sizeof(a);

	out[0] = '\0';
	if (getsockname(fd, (struct sockaddr *) &a, &len) == 0 && a.sun_path[0] == '/')
		(void) snprintf(out, PATH_MAX, "%.*s", (int) sizeof(a.sun_path), a.sun_path);
}

static int open_socket(struct daemon *d, struct err *e)
{
	int n = sd_listen_fds(1), r;

	d->activated = n > 0;
	if (n > 1 || (n == 1 && sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_STREAM, 1) <= 0))
		return err_set(e, -EINVAL,
			       "taking the socket from systemd: one listening stream "
			       "socket is expected");
	(void) snprintf(d->socket_path, sizeof(d->socket_path), "%s/control.sock",
			d->options.run_dir);
	if (d->activated) {
		d->listen_fd = SD_LISTEN_FDS_START;
		find_path(d->listen_fd, d->socket_path);
		r = sys(fcntl(d->listen_fd, F_SETFL, O_NONBLOCK));
		return r < 0 ? err_set_errno(e, r, "taking the socket from systemd") : 0;
	}
	d->listen_fd = sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	r = d->listen_fd < 0 ? d->listen_fd
			     : bind_socket(d->listen_fd, d->options.run_dir,
					   d->options.root_only ? 0600 : 0666);
	return r < 0 ? err_set_errno(e, r, "listening on %s/control.sock", d->options.run_dir) : 0;
}

/* The other way to the numbers: over TCP, for a Prometheus that knows no Unix sockets. */
static int open_metrics(struct daemon *d, struct err *e)
{
	const struct options_address *a = &d->options.metrics;
	int fd, r, on = 1;

	if (!a->len)
		return 0;
	fd = sys(socket(a->of.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	r = fd < 0 ? fd : sys(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	if (r >= 0)
		r = sys(bind(fd, &a->of.any, a->len));
	if (r >= 0)
		r = sys(listen(fd, SOMAXCONN));
	if (r < 0) {
		(void) fd_close(fd);
		return err_set_errno(e, r, "listening for --metrics-listen");
	}
	return api_listen_open(d->api, fd, e);
}

/* --- signals --- */

static int on_end(sd_event_source *s, const struct signalfd_siginfo *si, void *arg)
{
	(void) arg;
	log_info("ending by %s; contexts run on", strsignal((int) si->ssi_signo));
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

static void log_reloaded(const json_t *o)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const char *what = json_string_value(json_object_get(o, "what"));
	const char *failed = json_string_value(json_object_get(o, "failed"));
	const char *key;
	json_t *pair;

	if (!str_equal(what, "unchanged"))
		log_info("%s: %s", name, what);
	if (failed)
		log_warning("%s: %s", name, failed);
	json_object_foreach (json_object_get(o, "live"), key, pair)
		if (!failed)
			log_info("%s: %s: %s -> %s", name, key,
				 json_string_value(json_array_get(pair, 0)),
				 json_string_value(json_array_get(pair, 1)));
	json_object_foreach (json_object_get(o, "restart"), key, pair)
		log_info("%s: %s: %s -> %s with the next start", name, key,
			 json_string_value(json_array_get(pair, 0)),
			 json_string_value(json_array_get(pair, 1)));
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *si, void *arg)
{
	struct daemon *d = arg;
	json_t *report = NULL, *o;
	struct err e = {};
	size_t i;

	(void) s;
	(void) si;
	(void) sd_notify(0, "RELOADING=1");
	if (manager_reload(d->manager, NULL, false, &report, &e) < 0)
		log_error("reloading: %s", e.text);
	json_array_foreach (report, i, o)
		log_reloaded(o);
	json_decref(report);
	log_info("read %s again", d->options.config_dir);
	trim_now();
	(void) sd_notify(0, "READY=1");
	return 0;
}

static int watch_signals(struct daemon *d, struct err *e)
{
	static const struct {
		int sig;
		sd_event_signal_handler_t call;
	} rows[] = { { SIGTERM, on_end }, { SIGINT, on_end }, { SIGHUP, on_reload } };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && r >= 0; i++)
		r = sd_event_add_signal(d->loop, NULL, rows[i].sig, rows[i].call, d);
	return r < 0 ? err_set_errno(e, r, "watching signals") : 0;
}

static void block_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void) sigaction(SIGPIPE, &ignore, NULL);
	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGTERM);
	(void) sigaddset(&set, SIGINT);
	(void) sigaddset(&set, SIGHUP);
	(void) sigprocmask(SIG_BLOCK, &set, NULL);
}

/* --- the parts together --- */

static int start_manager(struct daemon *d, struct err *e)
{
	const struct manager_config config = {
		.config_dir = d->options.config_dir,
		.state_dir = d->options.state_dir,
		.run_dir = d->options.run_dir,
		.init_path = d->options.init,
		.profile_dir = d->options.profiles,
		.instance = d->instance.name,
		.journal_stdout = d->options.journal_stdout,
		.seats = d->options.seats,
		.history_bytes = d->options.history_bytes,
		.journal = d->options.journal[0]  ? d->options.journal
			   : journald_is_stderr() ? JOURNALD_SOCKET
						  : NULL,
		.ids_first = d->instance.ids_first,
		.ids_total = d->instance.ids_total,
		.host_mounts_fd = d->host_mounts,
	};

	return manager_new(&config, d->loop, &d->manager, e);
}

static int start(struct daemon *d, struct err *e)
{
	int r = make_dirs(&d->options, e);

	if (r == 0)
		r = instance_claim(d->options.run_dir, d->options.state_dir, &d->instance, e);
	if (r == 0)
		r = layout_open(d->options.run_dir, d->options.state_dir, e);
	if (r == 0)
		r = options_find(&d->options, e);
	if (r == 0)
		r = own_mounts(d, e);
	if (r == 0)
		r = open_socket(d, e);
	if (r < 0)
		return r;
	r = sd_event_new(&d->loop);
	if (r < 0)
		return err_set_errno(e, r, "making the event loop");
	r = watch_signals(d, e);
	if (r == 0)
		r = start_manager(d, e);
	if (r == 0)
		r = api_new(d->manager, d->loop, TAKE_FD(d->listen_fd),
			    d->socket_path[0] ? d->socket_path : NULL, d->options.root_only,
			    &d->api, e);
	if (r == 0)
		r = open_metrics(d, e);
	return r;
}

static int serve(struct daemon *d, struct err *e)
{
	int r;

	log_info("ready: %s, %s/control.sock", d->instance.name, d->options.run_dir);
	trim_now();
	r = trim_begin(d->loop, manager_events(d->manager), &d->trim);
	if (r < 0)
		return err_set_errno(e, r, "watching for quiet moments");
	(void) sd_notify(0, "READY=1");
	r = manager_loop(d->manager);
	(void) sd_notify(0, "STOPPING=1");
	return r < 0 ? err_set_errno(e, r, "waiting for events") : 0;
}

static void note_running(struct context *c, void *arg)
{
	if (context_is_running(c))
		*(bool *) arg = true;
}

static void finish(struct daemon *d)
{
	bool contexts_run = false;

	trim_end(d->trim);
	api_free(d->api);
	if (d->manager)
		manager_each(d->manager, note_running, &contexts_run);
	else
		contexts_run = true; /* who knows */
	manager_free(d->manager);
	sd_event_unref(d->loop);
	(void) fd_close(d->listen_fd);
	(void) fd_close(d->host_mounts);
	if (d->instance.name[0] && !d->activated) { /* while we still hold the lock */
		(void) unlink(d->socket_path);
	}
	instance_release(&d->instance, contexts_run);
}

int main(int argc, char **argv)
{
	static struct daemon d = { .listen_fd = -1, .host_mounts = -1, .instance = INSTANCE_INIT };
	struct err e = {};
	int r = options_parse(argc, argv, &d.options, &e);

	if (r < 0) {
		(void) fprintf(stderr, "wardd: %s\n", e.text);
		return 2;
	}
	if (d.options.help)
		options_help();
	if (d.options.version)
		puts("wardd " WARD_VERSION);
	if (d.options.help || d.options.version)
		return 0;
	log_set_level(d.options.log_level);
	sealed_run(argv);
	/* What is large (a page of metrics, the kernel's types) is given back when it is freed;
	 * else glibc learns from the first such piece to keep them. */
	(void) mallopt(M_MMAP_THRESHOLD, 256 << 10);
	(void) umask(0022);
	block_signals();
	raise_limits();
	r = start(&d, &e);
	if (r == 0)
		r = serve(&d, &e);
	if (r < 0)
		log_error("%s", e.text);
	finish(&d);
	return r >= 0 ? EXIT_SUCCESS : r == -EPROTONOSUPPORT ? EXIT_NEWER : EXIT_FAILURE;
}
