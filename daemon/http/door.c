/* The socket's permissions: 0666 when open; when shut, an access list that leaves out who were
 * too many. Where the file system has no such lists the mode is 0600, and all wait but root. */
#include "daemon/http/door.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/log.h"
#include "base/mem.h"

#define ACL "system.posix_acl_access"
#define ACL_UIDS_MAX 4096
#define READ_WRITE 6

/* As in linux/posix_acl_xattr.h, which says little-endian and sorted. */
struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};
enum { ACL_VERSION = 2, USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, MASK = 16, OTHER = 32 };
struct acl {
	uint32_t version;
	struct acl_entry entries[ACL_UIDS_MAX + 4];
};

/* --- counting --- */

static void refill(struct http_door_count *c, unsigned burst, unsigned per_s, uint64_t now_us)
{
	uint64_t step = 1000000 / per_s;
	uint64_t n = now_us > c->since_us ? (now_us - c->since_us) / step : 0;

	c->since_us += n * step;
	c->left = n >= burst - c->left ? burst : c->left + (unsigned) n;
	if (c->left == burst)
		c->since_us = now_us;
}

static struct http_door_count *owner(struct http_door *d, uid_t uid, uint64_t now_us)
{
	struct http_door_count *c;

	for (unsigned i = 0; i < DOOR_UIDS; i++)
		if (d->owners[i].uid == uid)
			return &d->owners[i];
	c = &d->owners[d->next++ % DOOR_UIDS];
	*c = (struct http_door_count){ uid, false, DOOR_OWNER_BURST, now_us };
	return c;
}

bool http_door_count(struct http_door *d, enum http_kind kind, uid_t uid, uint64_t now_us,
		     bool *ret_first)
{
	bool stranger = kind == HTTP_KIND_STRANGER;
	struct http_door_count *c = stranger ? &d->strangers : owner(d, uid, now_us);

	refill(c, stranger ? DOOR_STRANGERS_BURST : DOOR_OWNER_BURST,
	       stranger ? DOOR_STRANGERS_PER_S : DOOR_OWNER_PER_S, now_us);
	if (c->left == 0) {
		*ret_first = !c->shut;
		c->shut = true;
		return true;
	}
	c->left--;
	return false;
}

/* --- the permissions --- */

static bool is_shut_out(const struct http_door *d, uid_t uid)
{
	for (unsigned i = 0; i < DOOR_UIDS; i++)
		if (d->owners[i].shut && d->owners[i].uid == uid)
			return true;
	return false;
}

static void add(struct acl *a, size_t *n, unsigned tag, unsigned perm, uint32_t id)
{
	a->entries[(*n)++] = (struct acl_entry){ htole16((uint16_t) tag), htole16((uint16_t) perm),
						 htole32(id) };
}

/* Either all but owners are shut out, who are listed; or only those owners who are listed. */
static int set_list(const struct http_door *d, const uid_t *uids, size_t count)
{
	_cleanup_free_ struct acl *a = malloc(sizeof(*a));
	unsigned others = d->strangers.shut ? 0 : READ_WRITE;
	size_t n = 0;

	if (!a)
		return -ENOMEM;
	a->version = htole32(ACL_VERSION);
	add(a, &n, USER_OBJ, READ_WRITE, UINT32_MAX);
	for (size_t i = 0; i < count && n <= ACL_UIDS_MAX; i++)
		if ((i == 0 || uids[i] != uids[i - 1]) &&
		    is_shut_out(d, uids[i]) != d->strangers.shut)
			add(a, &n, USER, READ_WRITE - others, uids[i]);
	add(a, &n, GROUP_OBJ, others, UINT32_MAX);
	add(a, &n, MASK, READ_WRITE, UINT32_MAX);
	add(a, &n, OTHER, others, UINT32_MAX);
	return sys(lsetxattr(d->path, ACL, a, sizeof(a->version) + n * sizeof(a->entries[0]), 0));
}

static void forget(struct http_door *d)
{
	d->shut = d->strangers.shut = false;
	for (unsigned i = 0; i < DOOR_UIDS; i++)
		d->owners[i].shut = false;
}

void http_door_shut(struct http_door *d, const uid_t *uids, size_t count)
{
	int r;

	if (!d->path) {
		forget(d);
		return;
	}
	r = set_list(d, uids, count);
	if (r < 0)
		r = sys(chmod(d->path, 0600));
	if (r < 0)
		log_debug("http: shutting %s: %s", d->path, strerror(-r));
	if (d->shut)
		return;
	d->shut = true;
	log_info("too many connections by who is not root: %s is shut for %u s", d->path,
		 (unsigned) (DOOR_SHUT_US / 1000000));
	(void) sd_event_source_set_time_relative(d->timer, DOOR_SHUT_US);
	(void) sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

static void set_open(struct http_door *d)
{
	(void) lremovexattr(d->path, ACL);
	if (chmod(d->path, d->mode) < 0)
		log_warning("opening %s again: %s", d->path, strerror(errno));
	forget(d);
}

static int on_timer(sd_event_source *s, uint64_t t, void *arg)
{
	(void) s;
	(void) t;
	set_open(arg);
	return 0;
}

int http_door_init(struct http_door *d, sd_event *loop, const char *path, mode_t mode,
		   struct err *e)
{
	int r;

	*d = (struct http_door){ .path = path, .mode = mode };
	for (unsigned i = 0; i < DOOR_UIDS; i++)
		d->owners[i].uid = (uid_t) -1;
	d->strangers.left = DOOR_STRANGERS_BURST;
	r = sd_event_add_time(loop, &d->timer, CLOCK_MONOTONIC, 0, 0, on_timer, d);
	if (r >= 0)
		r = sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
	if (r < 0)
		return err_set_errno(e, r, "adding the socket's timer to the loop");
	/* A daemon that was killed may have left a socket of systemd's shut. */
	if (path && lgetxattr(path, ACL, NULL, 0) > 0)
		set_open(d);
	return 0;
}

void http_door_done(struct http_door *d)
{
	if (d->shut)
		set_open(d);
	d->timer = sd_event_source_disable_unref(d->timer);
}
