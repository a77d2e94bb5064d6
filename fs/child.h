/* What runs in the context's process 1: system calls on data prepared in the arena. Private. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fs/plan.h"

/** One view under construction; lies in the arena, shared by its steps. */
struct view {
	struct fs_seat *seat; /* in the arena */
	int root_fd; /* given: the detached root; the view's root once attached */
	int layers[3]; /* given, to be closed by exec and not by the daemon */
	int proc_fd, sys_fd; /* opened by the child's own steps */
	int empty_fd, empty_file_fd; /* given: what masks are made of */
	int hide_fd, hide_file_fd; /* given if there are hides */
	bool empty_placed, empty_file_placed, hide_placed, hide_file_placed;
	bool tty_group; /* gid 5 is mapped */
};

/** The arg of one step. */
struct view_step {
	struct view *v;
	int fd; /* given, for what the daemon made */
	unsigned flags; /* enum fs_op_flag */
	const char *target;
	const char *size; /* tmpfs */
	size_t count; /* of the list, for masks */
	const char **list; /* paths below the mount; directories end with '/' */
};

int view_attach_root(void *arg, struct err *e);
int view_attach(void *arg, struct err *e);
int view_attach_file(void *arg, struct err *e);
int view_devpts(void *arg, struct err *e);
int view_mqueue(void *arg, struct err *e);
int view_proc(void *arg, struct err *e);
int view_sys(void *arg, struct err *e);
int view_cgroup(void *arg, struct err *e);
int view_mask_proc(void *arg, struct err *e);
int view_lock_proc(void *arg, struct err *e);
int view_mask_sys(void *arg, struct err *e);
int view_tmpfs(void *arg, struct err *e);
int view_hide(void *arg, struct err *e);
int view_pivot(void *arg, struct err *e);
