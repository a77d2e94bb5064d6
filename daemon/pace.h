/* Private to the daemon's core: how urgently its thread runs beside what it governs. */
#pragma once

enum pace {
	PACE_PLAIN, /* as it was started */
	PACE_NICE, /* ahead of most of the host */
	PACE_URGENT, /* of the lowest real-time priority: ahead of all that is not */
};

/**
 * Changes the calling thread's pace. What it forks is plain at every pace.
 * @return the pace it has now: the one before where the kernel refuses another.
 */
enum pace pace_set(enum pace from, enum pace to);
