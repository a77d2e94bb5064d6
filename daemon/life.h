/* The life of a context as a table: state x event -> next state, or why not. */
#pragma once

enum life_state {
	LIFE_STOPPED,
	LIFE_STARTING,
	LIFE_RUNNING,
	LIFE_FROZEN,
	LIFE_STOPPING,
	LIFE_STATE_COUNT
};

enum life_event {
	LIFE_START, /* asked to start */
	LIFE_STARTED, /* the command runs */
	LIFE_STOP, /* asked to stop */
	LIFE_FREEZE,
	LIFE_THAW,
	LIFE_SIGNAL, /* asked to send a signal */
	LIFE_ENTER, /* asked to run something inside */
	LIFE_CHANGE, /* asked to change keys */
	LIFE_EXITED, /* process 1 is gone, or the start failed */
	LIFE_EVENT_COUNT
};

struct life_cell {
	enum life_state next;
	const char *refusal; /* NULL: allowed */
};

/** @return what `event` does in `state`; never NULL, the table is total. */
const struct life_cell *life_look(enum life_state state, enum life_event event);
const char *life_state_name(enum life_state state);
const char *life_event_name(enum life_event event);
