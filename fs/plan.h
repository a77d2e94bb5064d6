/* The plan of a view: private to fs/ and its tests. Every value is resolved; no descriptor. */
#pragma once

#include "fs/fs.h"

enum fs_op_kind {
	FS_OP_WARNING, /* a line for people; nothing is done */
	FS_OP_ROOT,
	FS_OP_FILE, /* a file made for the context; text NULL: the host's (resolv.conf) */
	FS_OP_DEV,
	FS_OP_DEVICE, /* a further node in a /dev of its own */
	FS_OP_DEVPTS,
	FS_OP_MQUEUE,
	FS_OP_NOTIFY, /* the directory of the context's notify socket */
	FS_OP_PROC,
	FS_OP_SYS,
	FS_OP_CGROUP,
	FS_OP_MASK, /* below /proc or /sys: an empty file or directory on top */
	FS_OP_LOCK, /* below /proc: read-only */
	FS_OP_TMPFS,
	FS_OP_BIND,
	FS_OP_HIDE,
	FS_OP_PIVOT,
	FS_OP_KIND_COUNT
};

enum fs_op_flag {
	FS_OP_READ_ONLY = 1,
	FS_OP_DIRECTORY = 2,
	/** DEV: of its own; SYS: of its own network namespace. */
	FS_OP_PRIVATE = 4,
	/** BIND, HIDE: not to be undone by who may mount. */
};

struct fs_op {
	enum fs_op_kind kind;
	char *source, *target;
	char *text; /* FILE: content; WARNING: the sentence */
	uint64_t bytes;
	unsigned flags; /* enum fs_op_flag */
};

#define FS_OPS_MAX 1200 /* four lists of SPEC_LIST_MAX and what every view has */
#define FS_ATTACHED_MAX 40 /* binds: each takes one of the descriptors a child can be given */

struct fs_plan {
	char name[SPEC_NAME_MAX + 1];
	enum spec_root root;
	char *root_path; /* SPEC_ROOT_DIRECTORY */
	enum spec_mode mode;
	enum spec_upper upper; /* with SPEC_MODE_COW */
	uint64_t upper_bytes;
	bool idmap;
	bool chown; /* what is made on tmpfs gets the context's owners: it cannot be id-mapped */
	struct strv show; /* sorted */
	struct fs_op *ops;
	size_t count, max, binds; /* max: that `ops` has room for */
};

/** One path below /proc that is masked or locked, and what protects it without us. */
struct fs_proc_rule {
	const char *path; /* below /proc */
	enum fs_op_kind kind; /* FS_OP_MASK or FS_OP_LOCK */
	bool directory;
	bool always; /* false: only without a user namespace, whose root owns nothing of it */
};
/** NULL-terminated (path == NULL). */
extern const struct fs_proc_rule fs_proc_rules[];

const char *fs_op_kind_name(enum fs_op_kind k);
