/* The state machine of a context. Everything that may be asked of a context is refused or allowed
 * here, in one table, so that no handler decides by itself what a state permits. */
#include <assert.h>

#include "daemon/life.h"

#define GO(state)                                                                                  \
	{                                                                                          \
		.next = LIFE_##state                                                               \
	}
#define NO(state, text)                                                                            \
	{                                                                                          \
		.next = LIFE_##state, .refusal = (text)                                            \
	}

static const struct life_cell table[LIFE_STATE_COUNT][LIFE_EVENT_COUNT] = {
	[LIFE_STOPPED] = {
		[LIFE_START] = GO(STARTING),
		[LIFE_STARTED] = NO(STOPPED, "it was not being started"),
		[LIFE_STOP] = GO(STOPPED),
		[LIFE_FREEZE] = NO(STOPPED, "it does not run"),
		[LIFE_THAW] = NO(STOPPED, "it does not run"),
		[LIFE_SIGNAL] = NO(STOPPED, "it does not run"),
		[LIFE_ENTER] = NO(STOPPED, "it does not run"),
		[LIFE_CHANGE] = GO(STOPPED),
		[LIFE_EXITED] = GO(STOPPED),
	},
	[LIFE_STARTING] = {
		[LIFE_START] = NO(STARTING, "it is starting already"),
		[LIFE_STARTED] = GO(RUNNING),
		[LIFE_STOP] = GO(STOPPING),
		[LIFE_FREEZE] = NO(STARTING, "it is starting"),
		[LIFE_THAW] = NO(STARTING, "it is starting"),
		[LIFE_SIGNAL] = NO(STARTING, "it is starting"),
		[LIFE_ENTER] = NO(STARTING, "it is starting"),
		[LIFE_CHANGE] = NO(STARTING, "it is starting"),
		[LIFE_EXITED] = GO(STOPPED),
	},
	[LIFE_RUNNING] = {
		[LIFE_START] = NO(RUNNING, "it runs already"),
		[LIFE_STARTED] = NO(RUNNING, "it runs already"),
		[LIFE_STOP] = GO(STOPPING),
		[LIFE_FREEZE] = GO(FROZEN),
		[LIFE_THAW] = GO(RUNNING),
		[LIFE_SIGNAL] = GO(RUNNING),
		[LIFE_ENTER] = GO(RUNNING),
		[LIFE_CHANGE] = GO(RUNNING),
		[LIFE_EXITED] = GO(STOPPED),
	},
	[LIFE_FROZEN] = {
		[LIFE_START] = NO(FROZEN, "it runs already and is frozen"),
		[LIFE_STARTED] = NO(FROZEN, "it runs already and is frozen"),
		[LIFE_STOP] = GO(STOPPING),
		[LIFE_FREEZE] = GO(FROZEN),
		[LIFE_THAW] = GO(RUNNING),
		[LIFE_SIGNAL] = GO(FROZEN),
		[LIFE_ENTER] = NO(FROZEN, "it is frozen"),
		[LIFE_CHANGE] = GO(FROZEN),
		[LIFE_EXITED] = GO(STOPPED),
	},
	[LIFE_STOPPING] = {
		[LIFE_START] = NO(STOPPING, "it is stopping"),
		/* the start's report may still be on its way when a stop overtakes it */
		[LIFE_STARTED] = GO(STOPPING),
		[LIFE_STOP] = GO(STOPPING),
		[LIFE_FREEZE] = NO(STOPPING, "it is stopping"),
		[LIFE_THAW] = NO(STOPPING, "it is stopping"),
		[LIFE_SIGNAL] = GO(STOPPING),
		[LIFE_ENTER] = NO(STOPPING, "it is stopping"),
		[LIFE_CHANGE] = GO(STOPPING),
		[LIFE_EXITED] = GO(STOPPED),
	},
};

const struct life_cell *life_look(enum life_state state, enum life_event event)
{
	return &table[state][event];
}

const char *life_state_name(enum life_state state)
{
	static const char *const names[] = {
		[LIFE_STOPPED] = "stopped",   [LIFE_STARTING] = "starting",
		[LIFE_RUNNING] = "running",   [LIFE_FROZEN] = "frozen",
		[LIFE_STOPPING] = "stopping",
	};
	static_assert(sizeof(names) / sizeof(names[0]) == LIFE_STATE_COUNT);
	return names[state];
}

const char *life_event_name(enum life_event event)
{
	static const char *const names[] = {
		[LIFE_START] = "start",	  [LIFE_STARTED] = "started", [LIFE_STOP] = "stop",
		[LIFE_FREEZE] = "freeze", [LIFE_THAW] = "thaw",	      [LIFE_SIGNAL] = "signal",
		[LIFE_ENTER] = "exec",	  [LIFE_CHANGE] = "changing", [LIFE_EXITED] = "exited",
	};
	static_assert(sizeof(names) / sizeof(names[0]) == LIFE_EVENT_COUNT);
	return names[event];
}
