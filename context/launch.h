/* What process 1 does with its order. Private to context/. */
#pragma once

#include "context/command.h"
#include "context/plan.h"
#include "context/seat.h"

#define INIT_STATUS_FD 3 /* context/init/init.c */
#define INIT_NOTIFY_FD CONTEXT_NOTIFY_FD
#define INIT_NETWORK_FD 5

struct launch {
	enum spec_init init;
	int status_fd, notify_fd, network_fd; /* -1: none */
	struct command command;
};
