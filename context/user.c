/* A parser of passwd(5) and group(5) for hostile files: no heap, no recursion, a bound on what is
 * read, numbers checked, and a line that is too long or holds a NUL counts as not there. */
#include "context/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/units.h"

#define LINE_MAX_BYTES 32768u

struct lines {
	int fd;
	size_t total, start, end;
	char buf[LINE_MAX_BYTES];
};

int user_open(const char *path)
{
	struct stat st;
	/* Not blocking: it may be a fifo that nobody writes. */
	_cleanup_close_ int fd = sys(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));

	if (fd < 0) {
		return fd;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		return -EINVAL;
	}
	return TAKE_FD(fd);
}

/** The buffer is left as it is: zeroing it would cost more than reading the files. */
static void lines_begin(struct lines *l, int fd)
{
	l->fd = fd;
	l->total = l->start = l->end = 0;
	l->buf[0] = '\0';
}

/** Reads more behind what is there. @return 1, 0 at the end, -errno. */
static int lines_fill(struct lines *l)
{
	ssize_t got;

	if (l->start > 0) {
		memmove(l->buf, l->buf + l->start, l->end - l->start);
		l->end -= l->start;
		l->start = 0;
	}
	do {
		got = sys(read(l->fd, l->buf + l->end, sizeof(l->buf) - l->end));
	} while (got == -EINTR);
	if (got <= 0) {
		return (int) got;
	}
	l->end += (size_t) got;
	l->total += (size_t) got;
	return l->total > USER_FILE_MAX ? -EFBIG : 1;
}

/** Terminates and yields the next line. @return 1, 0 at the end, -errno. */
static int lines_next(struct lines *l, char **ret)
{
	bool skipping = false;

	for (;;) {
		char *line = l->buf + l->start;
		char *newline = memchr(line, '\n', l->end - l->start);

		if (newline) {
			bool bad = skipping || memchr(line, '\0', (size_t) (newline - line));

			l->start = (size_t) (newline - l->buf) + 1;
			if (!bad) {
				*newline = '\0';
				*ret = line;
				return 1;
			}
			skipping = false;
			continue;
		}
		if (l->start == 0 && l->end == sizeof(l->buf)) {
			skipping = true;
			l->end = 0;
		}
		int r = lines_fill(l);
		if (r < 0) {
			return r;
		}
		if (r == 0) {
			return 0; /* what has no newline at its end is not a line */
		}
	}
}

/** Cuts the next field off at `separator`. @return it, or NULL when there is none left. */
static char *field(char **rest, char separator)
{
	char *start = *rest, *stop;

	if (!start) {
		return NULL;
	}
	stop = strchr(start, separator);
	if (stop) {
		*stop = '\0';
		*rest = stop + 1;
	} else {
		*rest = NULL;
	}
	return start;
}

/** @return whether `s` is an id; (uid_t) -1 is none. */
static bool parse_id(const char *s, uint32_t *ret)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9' || units_parse_u64(s, 0, UINT32_MAX - 1, &v) < 0) {
		return false;
	}
	*ret = (uint32_t) v;
	return true;
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = from ? strlen(from) : 0;

	/* What does not fit is not a path anyone could use. */
	if (len >= size) {
		len = 0;
	}
	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

/** One line of passwd. @return whether it matches by name (2) or by number (1). */
static int match_user(char *line, const char *want, bool numeric, uint32_t number,
		      struct user_identity *ret)
{
	char *rest = line;
	char *name = field(&rest, ':');
	char *password = field(&rest, ':');
	char *uid_text = field(&rest, ':');
	char *gid_text = field(&rest, ':');
	char *gecos = field(&rest, ':');
	char *home = field(&rest, ':');
	uint32_t uid = 0, gid = 0;
	int match;

	(void) password;
	(void) gecos;
	if (!gid_text || *name == '\0' || !parse_id(uid_text, &uid) || !parse_id(gid_text, &gid)) {
		return 0;
	}
	match = str_equal(name, want) ? 2 : numeric && uid == number ? 1 : 0;
	if (match == 0 || strlen(name) >= sizeof(ret->name)) {
		return 0;
	}
	ret->uid = uid;
	ret->gid = gid;
	copy_text(ret->name, sizeof(ret->name), name);
	copy_text(ret->home, sizeof(ret->home), home);
	copy_text(ret->shell, sizeof(ret->shell), field(&rest, ':'));
	return match;
}

static int find_user(const char *want, int fd, struct user_identity *ret, struct err *e)
{
	struct lines l;
	uint32_t number = 0;
	bool numeric = parse_id(want, &number);
	bool found = false;
	char *line;
	int r = 0;

	lines_begin(&l, fd);
	while (fd >= 0 && (r = lines_next(&l, &line)) > 0) {
		struct user_identity one = { 0 };
		int match = match_user(line, want, numeric, number, &one);

		if (match == 2 || (match == 1 && !found)) {
			*ret = one;
			found = true;
		}
		if (match == 2) {
			break;
		}
	}
	if (r < 0) {
		return err_set_errno(e, r, "reading the view's /etc/passwd");
	}
	if (!found && !numeric) {
		return err_set(e, -ENOENT, "no user \"%s\" in the view's /etc/passwd", want);
	}
	if (!found) {
		ret->uid = ret->gid = number;
	}
	return 0;
}

/** Whether `name` is in the comma-separated list. */
static bool is_member(char *members, const char *name)
{
	char *member;

	while ((member = field(&members, ','))) {
		if (str_equal(member, name)) {
			return true;
		}
	}
	return false;
}

static void add_group(struct user_identity *u, gid_t gid)
{
	for (size_t i = 0; i < u->group_count; i++) {
		if (u->groups[i] == gid) {
			return;
		}
	}
	if (u->group_count < USER_GROUPS_MAX) {
		u->groups[u->group_count++] = gid;
	}
}

/** With `want` finds that group as the primary one, else gathers those the user is a member of. */
static int find_groups(const char *want, int fd, struct user_identity *u, struct err *e)
{
	struct lines l;
	uint32_t number = 0;
	bool numeric = want && parse_id(want, &number);
	char *line;
	int r = 0;

	lines_begin(&l, fd);
	while (fd >= 0 && (r = lines_next(&l, &line)) > 0) {
		char *rest = line;
		char *name = field(&rest, ':');
		char *password = field(&rest, ':');
		char *gid_text = field(&rest, ':');
		uint32_t gid;

		(void) password;
		if (!gid_text || !parse_id(gid_text, &gid)) {
			continue;
		}
		if (want && str_equal(name, want)) {
			u->gid = gid;
			return 0;
		}
		if (!want && rest && is_member(rest, u->name)) {
			add_group(u, gid);
		}
	}
	if (r < 0) {
		return err_set_errno(e, r, "reading the view's /etc/group");
	}
	if (want && !numeric) {
		return err_set(e, -ENOENT, "no group \"%s\" in the view's /etc/group", want);
	}
	if (want) {
		u->gid = number;
	}
	return 0;
}

int user_find(const char *text, int passwd_fd, int group_fd, struct user_identity *ret,
	      struct err *e)
{
	char user[USER_NAME_MAX];
	const char *colon = text ? strchr(text, ':') : NULL;
	size_t len = !text ? 1 : colon ? (size_t) (colon - text) : strlen(text);
	int r;

	if (len == 0 || len >= sizeof(user) || (colon && colon[1] == '\0')) {
		return err_set(e, -EINVAL, "user \"%.300s\": must be USER or USER:GROUP", text);
	}
	memcpy(user, text ? text : "0", len);
	user[len] = '\0';
	*ret = (struct user_identity){ 0 };
	r = find_user(user, passwd_fd, ret, e);
	if (r < 0) {
		return r;
	}
	if (ret->home[0] == '\0') {
		ret->home[0] = '/';
	}
	r = 0;
	if (colon || ret->name[0] != '\0') {
		r = find_groups(colon ? colon + 1 : NULL, group_fd, ret, e);
	}
	if (r == 0) {
		add_group(ret, ret->gid);
	}
	return r;
}
