/* Finds the hierarchies: mountinfo says what is mounted where (so the symbolic links that hosts
 * keep beside co-mounted controllers never matter), /proc/self/cgroup where this process is. */
#include "sched/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static const struct {
	const char *v2, *v1;
} names[] = {
	[CG_CPU] = { "cpu", "cpu" },
	[CG_CPUACCT] = { "cpuacct", "cpuacct" },
	[CG_CPUSET] = { "cpuset", "cpuset" },
	[CG_MEMORY] = { "memory", "memory" },
	[CG_IO] = { "io", "blkio" },
	[CG_PIDS] = { "pids", "pids" },
	[CG_DEVICES] = { "devices", "devices" },
	[CG_FREEZER] = { "freezer", "freezer" },
	[CG_CORE] = { "cgroup2", "cgroup2" },
};
_Static_assert(ARRAY_SIZE(names) == CG_CONTROLLER_COUNT, "one row for each controller");

const char *cg_controller_name(enum cg_controller c)
{
	return names[c].v2;
}

const char *cg_controller_name_v1(enum cg_controller c)
{
	return names[c].v1;
}

/* Turns a list of names into bits; names Ward does not use are none of its business. */
static unsigned controllers_parse(const char *s, const char *separators, bool v1)
{
	unsigned bits = 0;

	for (s += strspn(s, separators); *s != '\0'; s += strspn(s, separators)) {
		size_t len = strcspn(s, separators);

		for (unsigned c = 0; c < CG_CORE; c++) {
			const char *name = v1 ? names[c].v1 : names[c].v2;

			if (strlen(name) == len && memcmp(s, name, len) == 0)
				bits |= 1u << c;
		}
		s += len;
	}
	return bits;
}

static bool octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
	       s[2] <= '7';
}

/* Undoes mountinfo's \040 escapes. @return false when it does not fit. */
static bool unescape(const char *s, char out[static CG_PATH_MAX])
{
	size_t n = 0;

	while (*s != '\0') {
		if (n + 1 >= CG_PATH_MAX)
			return false;
		if (*s == '\\' && octal(s + 1)) {
			out[n++] = (char) ((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			out[n++] = *s++;
		}
	}
	out[n] = '\0';
	return true;
}

/* One line of mountinfo, cut in place. */
struct mount_line {
	char *root, *point, *type, *options;
};

static char *next_field(char **p)
{
	return strsep(p, " ");
}

static bool mount_line_cut(char *line, struct mount_line *ret)
{
	char *p = line, *field;

	for (int i = 0; i < 3; i++)
		if (next_field(&p) == NULL)
			return false;
	ret->root = next_field(&p);
	ret->point = next_field(&p);
	do
		field = next_field(&p);
	while (field != NULL && strcmp(field, "-") != 0);
	ret->type = next_field(&p);
	(void) next_field(&p);
	ret->options = next_field(&p);
	return ret->options != NULL;
}

/* The same hierarchy may be mounted twice; the first mount that shows its top wins. */
static struct cg_hierarchy *slot_for(struct cg_layout *l, bool unified, unsigned bits)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->list[i].unified == unified && (unified || l->list[i].controllers == bits))
			return &l->list[i];
	if (l->count == CG_HIERARCHIES_MAX)
		return NULL;
	return &l->list[l->count];
}

static void add_mount(struct cg_layout *l, const struct mount_line *m, char roots[][CG_PATH_MAX])
{
	bool unified = strcmp(m->type, "cgroup2") == 0;
	unsigned bits = unified ? 0 : controllers_parse(m->options, ",", true);
	struct cg_hierarchy *h, made = { .unified = unified, .controllers = bits, .own = "/" };
	char root[CG_PATH_MAX];
	size_t i;

	if ((!unified && bits == 0) || !unescape(m->point, made.mount) || !unescape(m->root, root))
		return;
	h = slot_for(l, unified, bits);
	if (h == NULL)
		return;
	i = (size_t) (h - l->list);
	if (i == l->count)
		l->count++;
	else if (strcmp(roots[i], "/") == 0 || strcmp(root, "/") != 0)
		return;
	*h = made;
	(void) snprintf(roots[i], CG_PATH_MAX, "%s", root);
}

/* Where this process is below the mount, given where the mount's top is in the hierarchy. */
static void set_own(struct cg_hierarchy *h, const char *root, const char *cgroup)
{
	size_t skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
	const char *line = cgroup;
	size_t len;

	while (line != NULL && strncmp(line, "0::", 3) != 0) {
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	if (line == NULL || strncmp(line + 3, root, skip) != 0)
		return;
	line += 3 + skip;
	len = strcspn(line, "\n");
	/* A process outside the cgroup namespace's root is shown as "/../..": not usable. */
	if (len > 0 && len < CG_PATH_MAX && line[0] == '/' && strncmp(line, "/..", 3) != 0)
		(void) snprintf(h->own, sizeof(h->own), "%.*s", (int) len, line);
}

static void layout_settle(struct cg_layout *l)
{
	bool v1 = false;

	for (unsigned c = 0; c < CG_CONTROLLER_COUNT; c++)
		l->of[c] = -1;
	for (size_t i = 0; i < l->count; i++) {
		for (unsigned c = 0; c < CG_CORE; c++)
			if ((l->list[i].controllers & 1u << c) != 0 && l->of[c] < 0)
				l->of[c] = (int) i;
		if (l->list[i].unified)
			l->of[CG_CORE] = (int) i;
		else
			v1 = true;
	}
	if (l->count == 0)
		l->kind = FACTS_CGROUP_NONE;
	else if (l->of[CG_CORE] < 0)
		l->kind = FACTS_CGROUP_V1;
	else
		l->kind = v1 ? FACTS_CGROUP_HYBRID : FACTS_CGROUP_V2;
}

int cg_layout_parse(const char *mountinfo, const char *cgroup, struct cg_layout *ret)
{
	_cleanup_free_ char *copy = strdup(mountinfo);
	_cleanup_free_ char(*roots)[CG_PATH_MAX] = calloc(CG_HIERARCHIES_MAX, CG_PATH_MAX);
	char *p = copy, *line;
	struct cg_layout l = { 0 };

	if (copy == NULL || roots == NULL)
		return -ENOMEM;
	while ((line = strsep(&p, "\n")) != NULL) {
		struct mount_line m;

		if (mount_line_cut(line, &m) &&
		    (strcmp(m.type, "cgroup") == 0 || strcmp(m.type, "cgroup2") == 0))
			add_mount(&l, &m, roots);
	}
	for (size_t i = 0; i < l.count; i++)
		if (l.list[i].unified)
			set_own(&l.list[i], roots[i], cgroup);
	layout_settle(&l);
	if (l.count == 0)
		return -ENODEV;
	*ret = l;
	return 0;
}

void cg_layout_add_unified(struct cg_layout *l, const char *controllers)
{
	int i = l->of[CG_CORE];

	if (i < 0)
		return;
	l->list[i].controllers = controllers_parse(controllers, " \n", false);
	layout_settle(l);
}

int cg_layout_read(struct cg_layout *ret)
{
	_cleanup_free_ char *mounts = NULL, *own = NULL, *controllers = NULL;
	char path[CG_PATH_MAX + 32];
	int r;

	r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", 4u << 20, &mounts, NULL);
	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, "/proc/self/cgroup", 64u << 10, &own, NULL);
	if (r < 0)
		return r;
	r = cg_layout_parse(mounts, own, ret);
	if (r < 0 || ret->of[CG_CORE] < 0)
		return r;
	(void) snprintf(path, sizeof(path), "%s/cgroup.controllers",
			ret->list[ret->of[CG_CORE]].mount);
	if (file_read_at(AT_FDCWD, path, 4096, &controllers, NULL) == 0)
		cg_layout_add_unified(ret, controllers);
	return 0;
}
