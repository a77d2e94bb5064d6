/* The layer between a context and the host's root that hides secrets. Private to fs/. */
#pragma once

#include "base/err.h"
#include "base/mem.h"

/** What a layer is made from. All borrowed. */
struct mask_input {
	int root_fd; /* the host's root, a detached clone: what lies under its mounts shows */
	const char *const *hidden; /* NULL-terminated: Ward's own directories, absolute */
	const struct strv *show; /* absolute paths to leave alone */
	const char *image; /* NULL: a tmpfs will do; else the name of the image to be made */
};

struct mask;

/** Walks the host and builds the layer, frozen. @return 0 or -errno. */
[[nodiscard]] int mask_new(const struct mask_input *in, struct mask **ret, struct err *e);
void mask_free(struct mask *m);
/** The layer's detached mount, borrowed. */
int mask_fd(const struct mask *m);
/** Readable when mask_stale() has something to read; -1 when nothing is watched. Borrowed. */
int mask_watch_fd(const struct mask *m);
/** The paths it was built to show. */
const struct strv *mask_show(const struct mask *m);
/** Whether what it was made from has changed: reads a descriptor, once. */
bool mask_stale(struct mask *m);
