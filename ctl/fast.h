/* What the fast path hands to the rest of the program when it meets anything unusual. */
#pragma once

#include <stddef.h>

#define FAST_BUFFER_MAX 4096

enum fast_phase {
	FAST_NONE, /* it did nothing; all is to be done */
	FAST_REPLY, /* request and streams are sent; `data` is what came of the reply's head */
	FAST_LINES /* upgraded; `data` is what came of the daemon's lines */
};

struct fast {
	enum fast_phase phase;
	int sock; /* the connection, when phase says so */
	size_t len;
	char data[FAST_BUFFER_MAX];
};

extern struct fast fast_state;
