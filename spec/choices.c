/* The words that keys choose from, by the enum of spec.h that they stand for. */
#include "spec/choices.h"

#define CHOICE(list, index)                                                                        \
	{                                                                                          \
		.words = (list), .count = ARRAY_SIZE(list), .path = (index)                        \
	}

static const char *const init_words[SPEC_INIT_COUNT] = {
	[SPEC_INIT_FAKE] = "fake",
	[SPEC_INIT_NONE] = "none",
};
const struct row_choice choice_init = CHOICE(init_words, SPEC_INIT_PATH);

static const char *const root_words[SPEC_ROOT_COUNT] = { [SPEC_ROOT_HOST] = "host" };
const struct row_choice choice_root = CHOICE(root_words, SPEC_ROOT_DIRECTORY);

static const char *const mode_words[] = {
	[SPEC_MODE_COW] = "cow",
	[SPEC_MODE_READ_ONLY] = "read-only",
	[SPEC_MODE_READ_WRITE] = "read-write",
};
static_assert(ARRAY_SIZE(mode_words) == SPEC_MODE_COUNT);
const struct row_choice choice_mode = CHOICE(mode_words, -1);

static const char *const upper_words[] = {
	[SPEC_UPPER_TMPFS] = "tmpfs",
	[SPEC_UPPER_KEPT] = "kept",
};
static_assert(ARRAY_SIZE(upper_words) == SPEC_UPPER_COUNT);
const struct row_choice choice_upper = CHOICE(upper_words, -1);

static const char *const seccomp_words[SPEC_SECCOMP_COUNT] = {
	[SPEC_SECCOMP_DEFAULT] = "default",
	[SPEC_SECCOMP_STRICT] = "strict",
	[SPEC_SECCOMP_NONE] = "none",
};
const struct row_choice choice_seccomp = CHOICE(seccomp_words, SPEC_SECCOMP_FILE);

static const char *const ids_words[SPEC_IDS_COUNT] = {
	[SPEC_IDS_AUTO] = "auto",
	[SPEC_IDS_NONE] = "none",
};
const struct row_choice choice_ids = CHOICE(ids_words, -1);

static const char *const network_words[] = {
	[SPEC_NETWORK_NONE] = "none",
	[SPEC_NETWORK_PRIVATE] = "private",
	[SPEC_NETWORK_HOST] = "host",
	[SPEC_NETWORK_SHARED] = "shared",
};
static_assert(ARRAY_SIZE(network_words) == SPEC_NETWORK_COUNT);
const struct row_choice choice_network = CHOICE(network_words, -1);

static const char *const restart_words[] = {
	[SPEC_RESTART_NO] = "no",
	[SPEC_RESTART_ON_FAILURE] = "on-failure",
	[SPEC_RESTART_ALWAYS] = "always",
};
static_assert(ARRAY_SIZE(restart_words) == SPEC_RESTART_COUNT);
const struct row_choice choice_restart = CHOICE(restart_words, -1);

static const char *const answer_words[] = { [SPEC_NO] = "no", [SPEC_YES] = "yes" };
static_assert(ARRAY_SIZE(answer_words) == SPEC_ANSWER_COUNT);
const struct row_choice choice_answer = CHOICE(answer_words, -1);

static const char *const unhealthy_words[] = {
	[SPEC_UNHEALTHY_RESTART] = "restart",
	[SPEC_UNHEALTHY_STOP] = "stop",
	[SPEC_UNHEALTHY_NONE] = "none",
};
static_assert(ARRAY_SIZE(unhealthy_words) == SPEC_UNHEALTHY_COUNT);
const struct row_choice choice_unhealthy = CHOICE(unhealthy_words, -1);

/* Only for "did you mean": tcp: and exec: are followed by something. */
static const char *const ready_words[] = { "started", "notify", "tcp:PORT", "exec:COMMAND" };
const struct row_choice choice_ready = CHOICE(ready_words, -1);
static const char *const health_words[] = { "none", "tcp:PORT", "exec:COMMAND" };
const struct row_choice choice_health = CHOICE(health_words, -1);

static const char *const oom_words[] = {
	[SPEC_OOM_CONTEXT] = "context",
	[SPEC_OOM_PROCESS] = "process",
};
static_assert(ARRAY_SIZE(oom_words) == SPEC_OOM_COUNT);
const struct row_choice choice_oom = CHOICE(oom_words, -1);

static const char *const log_words[] = {
	[SPEC_LOG_FILE] = "file",
	[SPEC_LOG_JOURNAL] = "journal",
	[SPEC_LOG_NONE] = "none",
};
static_assert(ARRAY_SIZE(log_words) == SPEC_LOG_COUNT);
const struct row_choice choice_log = CHOICE(log_words, -1);
