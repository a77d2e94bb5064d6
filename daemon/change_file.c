/* The file of a context, changed as a person would: only what is meant, in its place. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "daemon/change.h"

static int refuse(struct spec_errors *errors, int r, const char *file, struct err *e)
{
	if (spec_errors_to_err(errors, e) == 0) {
		(void) err_set_errno(e, r, "reading %s", file);
	}
	return r;
}

/* @return 0 with the text and the mode of the file, read once. */
static int read_file(struct manager *m, const char *file, char **ret, size_t *ret_len,
		     mode_t *ret_mode, struct err *e)
{
	struct stat st;
	int r = sys(fstatat(m->config_dirfd, file, &st, AT_SYMLINK_NOFOLLOW));

	if (r >= 0) {
		r = S_ISREG(st.st_mode)
			    ? file_read_at(m->config_dirfd, file, SPEC_INI_MAX, ret, ret_len)
			    : -EINVAL;
	}
	if (r < 0) {
		return err_set_errno(e, r, "reading %s/%s", m->config_dir, file);
	}
	*ret_mode = st.st_mode & 07777;
	return 0;
}

static int set_keys(struct spec *s, const json_t *keys, struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *) keys, key, value) {
		int r = spec_set(s, key, json_string_value(value), e);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static bool is_changed(const char *section, const char *name, void *arg)
{
	char key[128];

	(void) snprintf(key, sizeof(key), "%s.%s", section, name);
	return json_object_get(arg, key) != NULL;
}

/* What was edited must say what was meant: never again is it looked at before it is in force. */
static int prove(const struct change_file *f, const char *file, struct err *e)
{
	struct spec_errors errors = {};
	struct spec again;
	int r = spec_init(&again, f->declared->name);

	if (r >= 0) {
		r = spec_read_ini(&again, f->text.data ? f->text.data : "", f->text.len, file,
				  &errors);
	}
	if (r == 0 && !spec_equal(&again, f->declared)) {
		r = -EIO;
	}
	spec_done(&again);
	spec_errors_done(&errors);
	return r < 0 ? err_set_errno(e, r, "%s: what would be written does not read back", file)
		     : 0;
}

static int edit(struct change_file *f, const char *name, const char *file, const char *text,
		size_t len, const json_t *keys, struct err *e)
{
	struct spec_errors errors = {};
	int r = f->declared ? spec_read_ini(f->declared, text, len, file, &errors) : -ENOMEM;

	if (r < 0) {
		r = refuse(&errors, r, file, e);
		spec_errors_done(&errors);
		return r;
	}
	spec_errors_done(&errors);
	r = set_keys(f->declared, keys, e);
	if (r < 0) {
		return r;
	}
	r = spec_check(f->declared, name, &errors);
	if (r < 0) {
		r = refuse(&errors, r, file, e);
	}
	spec_errors_done(&errors);
	if (r < 0) {
		return r;
	}
	r = spec_edit_ini(text, len, f->declared, is_changed, (void *) (uintptr_t) keys, &f->text);
	if (r >= 0 && f->text.len > SPEC_INI_MAX) {
		r = -EFBIG;
	}
	return r < 0 ? err_set_errno(e, r, "editing %s", file) : prove(f, file, e);
}

int change_file_make(struct manager *m, const char *name, const json_t *keys,
		     struct change_file *ret, struct err *e)
{
	struct change_file f = { .declared = spec_new(name) };
	_cleanup_free_ char *text = NULL;
	char file[SPEC_NAME_MAX + 8];
	size_t len = 0;
	int r;

	(void) snprintf(file, sizeof(file), "%s.ini", name);
	r = read_file(m, file, &text, &len, &f.mode, e);
	if (r >= 0) {
		r = edit(&f, name, file, text, len, keys, e);
	}
	if (r < 0) {
		change_file_done(&f);
		return r;
	}
	*ret = f;
	return 0;
}

int change_file_write(struct manager *m, const char *name, const struct change_file *f,
		      struct err *e)
{
	char file[SPEC_NAME_MAX + 8];
	int r;

	(void) snprintf(file, sizeof(file), "%s.ini", name);
	r = file_replace_at(m->config_dirfd, file, f->text.data ? f->text.data : "", f->text.len,
			    f->mode);
	return r < 0 ? err_set_errno(e, r, "writing %s/%s", m->config_dir, file) : 0;
}

void change_file_done(struct change_file *f)
{
	spec_discard(f->declared);
	buf_done(&f->text);
	*f = (struct change_file){};
}
