/* The words that keys choose from: for the table of keys. Private to spec/. */
#pragma once

#include "spec/row.h"

extern const struct row_choice choice_init, choice_root, choice_mode, choice_upper, choice_seccomp,
	choice_ids, choice_network, choice_restart, choice_answer, choice_unhealthy, choice_ready,
	choice_health, choice_log, choice_oom;
