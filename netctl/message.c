/* One buffer, one sendmsg: the kernel does all of it before the call returns, so nobody is killed
 * between two of its messages. */
#include "netctl/message.h"

#include <errno.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

#define BIG 65536 /* bytes that any socket takes at once */
#define PATIENCE_S 10 /* the kernel answers at once; whatever holds its lock is done by then */

void message_init(struct message_list *l, void *data, size_t room)
{
	*l = (struct message_list){ .data = data, .room = room };
}

/* @return room for `len` bytes and what they are padded by, zeroed, or NULL. */
static void *extend(struct message_list *l, size_t len)
{
	size_t padded = NLMSG_ALIGN(len);
	char *at = l->data + l->len;

	if (l->full || padded > l->room - l->len) {
		l->full = true;
		return NULL;
	}
	memset(at, 0, padded);
	l->len += padded;
	if (l->count)
		((struct nlmsghdr *) (void *) (l->data + l->begin))->nlmsg_len =
			(uint32_t) (l->len - l->begin);
	return at;
}

void message_raw(struct message_list *l, const void *data, size_t len)
{
	void *at = extend(l, len);

	if (at)
		memcpy(at, data, len);
}

void message_begin(struct message_list *l, unsigned type, unsigned flags, const void *head,
		   size_t len)
{
	struct nlmsghdr h = { .nlmsg_len = sizeof(h),
			      .nlmsg_type = (uint16_t) type,
			      .nlmsg_flags = (uint16_t) (flags | NLM_F_REQUEST),
			      .nlmsg_seq = l->count + 1 };

	l->begin = l->answered = l->len;
	l->count++;
	message_raw(l, &h, sizeof(h));
	message_raw(l, head, len);
}

void message_put(struct message_list *l, unsigned attribute, const void *data, size_t len)
{
	struct nlattr a = { .nla_len = (uint16_t) (sizeof(a) + len),
			    .nla_type = (uint16_t) attribute };
	char *at = extend(l, sizeof(a) + len);

	if (!at)
		return;
	memcpy(at, &a, sizeof(a));
	if (len)
		memcpy(at + sizeof(a), data, len);
}

void message_put32(struct message_list *l, unsigned attribute, uint32_t value)
{
	message_put(l, attribute, &value, sizeof(value));
}

void message_text(struct message_list *l, unsigned attribute, const char *text)
{
	message_put(l, attribute, text, strlen(text) + 1);
}

void message_ip(struct message_list *l, unsigned attribute, const struct inet_ip *ip)
{
	bool v4 = inet_is_v4(ip);

	message_put(l, attribute, v4 ? &ip->w[3] : &ip->w[0], v4 ? 4 : 16);
}

size_t message_nest(struct message_list *l, unsigned attribute)
{
	size_t nest = l->len;

	message_put(l, attribute | NLA_F_NESTED, NULL, 0);
	return nest;
}

void message_close(struct message_list *l, size_t nest)
{
	if (!l->full)
		((struct nlattr *) (void *) (l->data + nest))->nla_len = (uint16_t) (l->len - nest);
}

/* --- exchange --- */

int message_socket(int protocol)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	const int one = 1;
	int fd = sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));

	if (fd < 0)
		return fd;
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void) setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)); /* short answers */
	return fd;
}

/* @return whether that was the last answer. */
static bool read_answer(const struct nlmsghdr *h, unsigned last, unsigned *failed, int *result)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
		return false;
	if (e->error && *result == 0) {
		*result = e->error;
		*failed = h->nlmsg_seq;
	}
	/* Where all of a transaction is refused, its first message is answered alone. */
	return h->nlmsg_seq >= last || (e->error && h->nlmsg_seq == 1);
}

int message_send(int fd, struct message_list *l, unsigned *ret_failed)
{
	char buffer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	int result = 0, room = (int) l->len * 2;
	struct nlmsghdr *acknowledged;
	unsigned failed = 0;
	bool done = false;

	if (l->full)
		return -EMSGSIZE;
	if (l->count == 0)
		return 0;
	acknowledged = (void *) (l->data + l->answered);
	acknowledged->nlmsg_flags |= NLM_F_ACK;
	if (l->len > BIG)
		(void) setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (send(fd, l->data, l->len, 0) < 0)
		return -errno;
	while (!done) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		struct nlmsghdr *h = (void *) buffer;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (int left = (int) n; nlmsg_ok(h, left) && !done; h = nlmsg_next(h, &left))
			done = read_answer(h, acknowledged->nlmsg_seq, &failed, &result);
	}
	if (ret_failed)
		*ret_failed = failed;
	return result;
}

/* @return whether there is more to come. */
static bool take(const struct nlmsghdr *h, int (*each)(const struct nlmsghdr *, void *), void *arg,
		 int *result)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	if (h->nlmsg_type == NLMSG_DONE)
		return false;
	if (h->nlmsg_type == NLMSG_ERROR) {
		*result = h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? -EBADMSG : e->error;
		return false;
	}
	*result = each(h, arg);
	return *result == 0 && (h->nlmsg_flags & NLM_F_MULTI);
}

int message_ask(int fd, struct message_list *l, int (*each)(const struct nlmsghdr *, void *),
		void *arg)
{
	char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool more = true;
	int result = 0;

	if (l->full)
		return -EMSGSIZE;
	if (send(fd, l->data, l->len, 0) < 0)
		return -errno;
	while (more) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		struct nlmsghdr *h = (void *) buffer;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (int left = (int) n; more && nlmsg_ok(h, left); h = nlmsg_next(h, &left))
			more = take(h, each, arg, &result);
	}
	return result;
}

const void *message_find_in(const void *data, size_t size, unsigned attribute, size_t *len)
{
	for (size_t at = 0; at + sizeof(struct nlattr) <= size;) {
		struct nlattr a;

		memcpy(&a, (const char *) data + at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > size - at)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == attribute) {
			*len = a.nla_len - sizeof(a);
			return (const char *) data + at + sizeof(a);
		}
		at += NLA_ALIGN(a.nla_len);
	}
	return NULL;
}

const void *message_find(const struct nlmsghdr *h, size_t head, unsigned attribute, size_t *len)
{
	size_t from = NLMSG_LENGTH(NLMSG_ALIGN(head));

	return h->nlmsg_len < from ? NULL
				   : message_find_in((const char *) h + from, h->nlmsg_len - from,
						     attribute, len);
}
