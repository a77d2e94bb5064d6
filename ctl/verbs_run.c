/* run, exec, enter: what is asked of the daemon. The conversation itself is in stream.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/pty.h"
#include "ctl/spec_args.h"
#include "ctl/stream.h"
#include "ctl/verbs.h"

/* The login shell of the user in there, as far as that tree has one. */
#define ENTER_SCRIPT                                                                               \
	"u=$(id -u 2>/dev/null); s=; "                                                             \
	"while IFS=: read -r n p i g c h s; do [ \"$i\" = \"$u\" ] && break; s=; done "            \
	"</etc/passwd 2>/dev/null; "                                                               \
	"case $s in */nologin|*/false) s=;; esac; "                                                \
	"[ -x \"$s\" ] || s=/bin/sh; exec \"$s\" -l"

/* json_object() seeds its hash from the kernel otherwise; what we read on this path are a few
 * short lines of the daemon, so the time is better saved. */
static void hurry(void)
{
	json_object_seed(1);
}

static int add_word(json_t *array, const char *word, struct err *e)
{
	if (json_array_append_new(array, json_string(word)) == 0)
		return 0;
	return err_set(e, -EINVAL, "\"%.200s\" is no UTF-8", word);
}

static json_t *command_array(char *const *command, struct err *e)
{
	json_t *a = json_array();

	for (size_t i = 0; a && command && command[i]; i++) {
		if (add_word(a, command[i], e) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* --env, and TERM for a terminal unless --env said it. */
static json_t *environment_array(const struct ctl *c, bool terminal, struct err *e)
{
	const char *term = getenv("TERM");
	json_t *a = json_array();
	char text[80];
	int r = 0;

	for (size_t i = 0; a && r >= 0 && i < c->args.all_count; i++) {
		const struct option_given *g = &c->args.all[i];

		if (g->opt != OPT_ENV)
			continue;
		if (!strchr(g->value, '=') || *g->value == '=')
			r = err_set(e, -EINVAL, "--env \"%.200s\" is not NAME=VALUE", g->value);
		else
			r = add_word(a, g->value, e);
		if (!strncmp(g->value, "TERM=", 5))
			term = NULL;
	}
	if (r >= 0 && a && terminal && term && strlen(term) < 64) {
		snprintf(text, sizeof(text), "TERM=%s", term);
		r = add_word(a, text, e);
	}
	if (r >= 0)
		return a;
	json_decref(a);
	return NULL;
}

static json_t *terminal_object(void)
{
	unsigned short rows, cols;

	pty_size(&rows, &cols);
	return json_pack("{s:i, s:i}", "rows", (int) rows, "cols", (int) cols);
}

static int set_text(json_t *object, const char *key, const char *value, struct err *e)
{
	if (!value || json_object_set_new(object, key, json_string(value)) == 0)
		return 0;
	return err_set(e, -EINVAL, "\"%.200s\" is no UTF-8", value);
}

/* The keys that options of their own stand for; a command given here replaces the file's. */
static int add_context(const struct ctl *c, json_t *spec, bool terminal, struct err *e)
{
	json_t *context = json_object_get(spec, "context"), *env, *old;
	int r;

	if (!context) {
		context = json_object();
		if (json_object_set_new(spec, "context", context) < 0)
			return err_set(e, -ENOMEM, "out of memory");
	}
	if (c->args.command) {
		json_t *command = command_array(c->args.command, e);

		if (!command || json_object_set_new(context, "command", command) < 0)
			return e->code ? e->code : err_set(e, -ENOMEM, "out of memory");
	}
	env = environment_array(c, terminal, e);
	if (!env)
		return e->code ? e->code : err_set(e, -ENOMEM, "out of memory");
	old = json_object_get(context, "environment");
	if (json_is_array(old))
		(void) json_array_extend(old, env);
	if (json_is_array(old) || !json_array_size(env))
		json_decref(env);
	else
		(void) json_object_set_new(context, "environment", env);
	r = set_text(context, "user", c->args.value[OPT_USER], e);
	return r < 0 ? r : set_text(context, "directory", c->args.value[OPT_DIRECTORY], e);
}

/* Without a file or keys nothing has to be known of specs: the daemon fills in the defaults. */
static json_t *run_spec(const struct ctl *c, struct err *e)
{
	struct spec s;
	json_t *o = NULL;
	int r;

	if (!args_has(&c->args, OPT_FILE) && !args_has(&c->args, OPT_SET))
		return json_object();
	r = spec_args_read(c, c->args.value[OPT_FILE], &s, e);
	s.name[0] = '\0'; /* a throwaway is not the context that the file is named for */
	if (r >= 0)
		r = spec_args_set(c, &s, e);
	if (r >= 0)
		o = spec_write_json(&s, false);
	if (r >= 0 && !o)
		err_set(e, -ENOMEM, "out of memory");
	spec_done(&s);
	json_object_del(o, "name");
	return o;
}

static json_t *run_body(const struct ctl *c, bool terminal, struct err *e)
{
	json_t *body = json_object(), *spec = run_spec(c, e);
	const char *name = c->args.value[OPT_NAME];
	int r = spec && body ? json_object_set_new(body, "spec", spec) : -ENOMEM;

	if (r >= 0 && name) {
		r = ctl_check_name(name, e);
		if (r >= 0)
			r = set_text(spec, "name", name, e);
	}
	if (r >= 0)
		r = add_context(c, spec, terminal, e);
	if (r >= 0 && terminal)
		r = json_object_set_new(body, "terminal", terminal_object());
	if (r >= 0 && args_has(&c->args, OPT_DETACH))
		r = json_object_set_new(body, "detach", json_true());
	if (r >= 0)
		return body;
	if (!e->text[0])
		err_set(e, -ENOMEM, "out of memory");
	json_decref(body);
	return NULL;
}

static int run_detached(const struct ctl *c, const json_t *body)
{
	struct client client = CLIENT_INIT;
	struct err e = { 0 };
	struct buf b = { 0 };
	json_t *reply = NULL;
	int r = client_call(&client, c, "POST", "/v1/run", body, &reply, &e);

	client_close(&client);
	if (r < 0) {
		ctl_error(c, c->args.value[OPT_NAME], &e);
		return CTL_WARD_FAILED;
	}
	buf_printf(&b, "%s\n", js_text(reply, "name"));
	r = args_has(&c->args, OPT_JSON) ? ctl_print_json(c, reply) : ctl_print(c, &b);
	json_decref(reply);
	buf_done(&b);
	return r;
}

int verb_run(const struct ctl *c)
{
	bool detach = args_has(&c->args, OPT_DETACH);
	bool terminal = !detach && stream_wants_terminal(&c->args);
	struct err e = { 0 };
	json_t *body;
	int r;

	if (!c->args.command && !args_has(&c->args, OPT_FILE) && !args_has(&c->args, OPT_SET))
		return ctl_usage(c, "something is missing: wardctl run %s", c->verb->operands);
	hurry();
	body = run_body(c, terminal, &e);
	if (!body) {
		ctl_error(c, NULL, &e);
		return CTL_WARD_FAILED;
	}
	if (detach)
		r = run_detached(c, body);
	else
		r = stream_run(c, c->args.value[OPT_NAME], "/v1/run", body, terminal);
	json_decref(body);
	return r;
}

static json_t *exec_body(const struct ctl *c, char *const *command, bool terminal, struct err *e)
{
	json_t *body = json_object(), *words = command_array(command, e), *env = NULL;
	int r = body && words ? json_object_set_new(body, "command", words) : -EINVAL;

	if (r >= 0)
		env = environment_array(c, terminal, e);
	r = env ? json_object_set_new(body, "environment", env) : -EINVAL;
	if (r >= 0)
		r = set_text(body, "user", c->args.value[OPT_USER], e);
	if (r >= 0)
		r = set_text(body, "directory", c->args.value[OPT_DIRECTORY], e);
	if (r >= 0 && terminal)
		r = json_object_set_new(body, "terminal", terminal_object());
	if (r >= 0)
		return body;
	if (!e->text[0])
		err_set(e, -ENOMEM, "out of memory");
	json_decref(body);
	return NULL;
}

static int do_exec(const struct ctl *c, char *const *command, bool terminal)
{
	const char *name = c->args.operands[0];
	char path[CLIENT_PATH_MAX];
	struct err e = { 0 };
	json_t *body = NULL;
	int r = client_path(path, name, &e, "/exec");

	hurry();
	if (r >= 0)
		body = exec_body(c, command, terminal, &e);
	if (!body) {
		ctl_error(c, name, &e);
		return CTL_WARD_FAILED;
	}
	r = stream_run(c, name, path, body, terminal);
	json_decref(body);
	return r;
}

int verb_exec(const struct ctl *c)
{
	return do_exec(c, c->args.command, stream_wants_terminal(&c->args));
}

int verb_enter(const struct ctl *c)
{
	char shell[] = "/bin/sh", flag[] = "-c", script[] = ENTER_SCRIPT;
	char *const command[] = { shell, flag, script, NULL };

	return do_exec(c, command, true);
}
