/* Netlink messages, many in one buffer, sent at once and answered by their first error. By hand
 * and not by libnl, as the child of a start only makes system calls, and as a start's changes are
 * to cost one call, not one each. Private to netctl/. */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/inet.h"

/** Messages one after the other. `data` is borrowed; what does not fit is told by full. */
struct message_list {
	char *data;
	size_t len, room;
	size_t begin; /* of the last message */
	size_t answered; /* the last one that does something: its acknowledgement is the end */
	unsigned count; /* also the numbers that they bear: 1 and up */
	bool full;
};

void message_init(struct message_list *l, void *data, size_t room);
/** Begins a request with its family's head. */
void message_begin(struct message_list *l, unsigned type, unsigned flags, const void *head,
		   size_t len);
void message_put(struct message_list *l, unsigned attribute, const void *data, size_t len);
void message_put32(struct message_list *l, unsigned attribute, uint32_t value);
void message_text(struct message_list *l, unsigned attribute, const char *text);
/** The bytes of an address in its own family. */
void message_ip(struct message_list *l, unsigned attribute, const struct inet_ip *ip);
/** Attributes in an attribute, from here to message_close() of what it returns. */
size_t message_nest(struct message_list *l, unsigned attribute);
void message_close(struct message_list *l, size_t nest);
/** A bare head inside an attribute, as veth's peer has one. */
void message_raw(struct message_list *l, const void *data, size_t len);

/** @return a socket of that protocol that does not wait for ever, or -errno. */
int message_socket(int protocol);
/**
 * Sends all and reads the answers. System calls only.
 * @ret_failed the number of the message that the error is of, or 0; may be NULL.
 * @return 0, or the first error.
 */
int message_send(int fd, struct message_list *l, unsigned *ret_failed);

/** Sends the one question in `l` and calls for each answer. @return 0, -errno, or what `each` said
 * that was not 0. */
int message_ask(int fd, struct message_list *l,
		int (*each)(const struct nlmsghdr *answer, void *arg), void *arg);
/** An attribute after a head of `head` bytes. @return its content and sets *len, or NULL. */
const void *message_find(const struct nlmsghdr *h, size_t head, unsigned attribute, size_t *len);
/** The same among nested ones. */
const void *message_find_in(const void *data, size_t size, unsigned attribute, size_t *len);
