/* Attacks on the wall of a context, as small functions of one static program.
 *
 * Every attack is harmless where it succeeds: it opens but does not write, sets what is set
 * already, creates and removes. It answers whether it got through, so that the same program run
 * on the bare host is the positive control. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct attack {
	const char *name;
	/** @return true when it got through; say() tells how, or why not. */
	bool (*run)(void);
	/** The bare host as root must let it through; else the attack itself is broken. */
	bool control;
};

extern const struct attack file_attacks[], mount_attacks[], process_attacks[], kernel_attacks[],
	net_attacks[];

/** One line about the result, kept until the attack returns; printf-like. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** For a call that must fail: says "WHAT: errno text". @return whether `result` is a success. */
bool got(long result, const char *what);
/** Runs `f` in a child of its own, so that what it unshares or unmounts ends with it. */
bool in_child(bool (*f)(void));
/** Whether an open directory is the host's own root (by the marker file that the test put there
 * or by device and inode from $HOST_ROOT). */
bool is_host_root(int dir);
/** An environment variable that the test sets about the host, or "". */
const char *told(const char *name);
/** The verbs that prepare the host. @return an exit status, or -1: not one of them. */
int host_main(int argc, char **argv);
