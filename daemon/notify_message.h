/* What a datagram on a notify socket says (sd_notify(3)). Pure; its bytes are hostile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_MESSAGE_MAX 4096 /* bytes of a datagram; longer ones are cut */
#define NOTIFY_STATUS_MAX 255 /* bytes of STATUS=, cut at a character's end */

struct notify_message {
	bool ready, stopping, watchdog;
	bool trigger; /* WATCHDOG=trigger: it says itself that it failed */
	bool has_status;
	char status[NOTIFY_STATUS_MAX + 1]; /* UTF-8 without control characters */
	uint64_t watchdog_us; /* WATCHDOG_USEC=, 0: not said */
	uint64_t extend_us; /* EXTEND_TIMEOUT_USEC=, 0: not said */
};

/** What is unknown, not a number or meant for another manager is passed over.
 * @cut the end of the datagram is missing: its last line counts only as a status. */
void notify_parse(const char *text, size_t len, bool cut, struct notify_message *ret);
/** Adds a later message to an earlier one: what both say together. */
void notify_merge(struct notify_message *to, const struct notify_message *later);
