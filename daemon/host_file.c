/* wardd.ini in the configuration directory: the daemon's own file. It need not be there. A daemon
 * that would not start because of an error in it would leave its contexts alone, so errors are
 * told, and what held before holds on. */
#include "daemon/budget.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

/* @return 0 with what the file says now, defaults without one; -errno with errors. */
static int read_file(struct manager *m, struct spec_host *ret, struct spec_errors *errors)
{
	_cleanup_free_ char *text = NULL, *source = NULL;
	struct spec_host h;
	size_t len = 0;
	int r;

	spec_host_init(&h);
	if (asprintf(&source, "%s/" SPEC_HOST_FILE, m->config_dir) < 0) {
		source = NULL;
		return -ENOMEM;
	}
	r = file_read_at(m->config_dirfd, SPEC_HOST_FILE, SPEC_INI_MAX, &text, &len);
	if (r == -ENOENT) {
		*ret = h;
		return 0;
	}
	if (r < 0) {
		_cleanup_free_ char *line = NULL;

		if (asprintf(&line, "%s: %s", source, strerror(-r)) < 0) {
			line = NULL;
			return -ENOMEM;
		}
		(void) strv_add(&errors->lines, line);
		return r;
	}
	r = spec_host_read(&h, text, len, source, errors);
	if (r >= 0) {
		*ret = h;
	}
	return r;
}

void host_file_read(struct manager *m)
{
	struct spec_errors errors = {};
	int r;

	spec_host_init(&m->host_file);
	r = read_file(m, &m->host_file, &errors);
	for (size_t i = 0; i < errors.lines.count; i++) {
		log_error("%s", errors.lines.items[i]);
	}
	if (r < 0) {
		log_error("%s/" SPEC_HOST_FILE " is not in force: %s; the defaults are",
			  m->config_dir, errors.lines.count ? "it has errors" : strerror(-r));
	}
	spec_errors_done(&errors);
}

static json_t *differences(const struct spec_host *from, const struct spec_host *to)
{
	char before[SPEC_HOST_TEXT_MAX], after[SPEC_HOST_TEXT_MAX], key[64];
	json_t *o = json_object();
	const char *name;

	for (size_t i = 0; spec_host_key(from, i, &name, before); i++) {
		(void) spec_host_key(to, i, &name, after);
		(void) snprintf(key, sizeof(key), "host.%s", name);
		if (!str_equal(before, after)) {
			(void) json_object_set_new(o, key, json_pack("[s, s]", before, after));
		}
	}
	return o;
}

static json_t *lines_json(const struct spec_errors *errors)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < errors->lines.count; i++) {
		(void) json_array_append_new(lines, json_string(errors->lines.items[i]));
	}
	return lines;
}

static void links_changed(struct manager *m)
{
	struct err e = {};

	if (netctl_links(m->net, NULL, &m->host_file, &e) < 0) {
		log_warning("%s", e.text);
	}
}

json_t *host_file_reload(struct manager *m, bool dry)
{
	struct spec_errors errors = {};
	struct spec_host now = m->host_file;
	int r = read_file(m, &now, &errors);
	json_t *changed = differences(&m->host_file, &now), *o = NULL;

	if (r < 0) {
		o = json_pack("{s:s, s:s, s:s, s:o}", "name", SPEC_HOST_NAME, "what", "broken",
			      "state", "running", "errors", lines_json(&errors));
	} else if (json_object_size(changed) > 0) {
		o = json_pack("{s:s, s:s, s:s, s:O, s:{}}", "name", SPEC_HOST_NAME, "what",
			      "changed", "state", "running", "live", changed, "restart");
	}
	if (r >= 0 && !dry) {
		m->host_file = now;
		governor_host_changed(m);
		links_changed(m);
	}
	json_decref(changed);
	spec_errors_done(&errors);
	return o;
}
