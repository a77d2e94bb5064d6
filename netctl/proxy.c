/* The kernel's table of neighbours has entries that only answer. Ours bear a protocol number, by
 * which they are known when the daemon that made them has died: one whose address leads to no
 * context's port is nobody's. */
#include "netctl/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "netctl/link.h"
#include "netctl/port.h"

#define PROXY_PROTOCOL 0x57 /* whose the entry is; the kernel makes nothing of it */

/* --- whether the host would pass on what comes --- */

static bool is_on(const char *family, const char *interface, const char *setting)
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	if (asprintf(&path, "/proc/sys/net/%s/conf/%s/%s", family, interface, setting) < 0)
		return false;
	return file_read_at(AT_FDCWD, path, 16, &text, NULL) >= 0 && text[0] != '0';
}

static int lacks(const struct inet_address *a, const char *setting, struct err *e)
{
	char text[INET_TEXT_MAX];

	return err_set(e, -ENETUNREACH,
		       "network.address: %s@%s: nobody there would reach it, as this host does not "
		       "pass it on; allowed with the sysctl %s set to 1",
		       inet_print(&a->ip, text), a->interface, setting);
}

static int check_host(const struct inet_address *a, struct err *e)
{
	_cleanup_free_ char *setting = NULL;

	if (inet_is_v4(&a->ip))
		return is_on("ipv4", "all", "forwarding") ? 0 : lacks(a, "net.ipv4.ip_forward", e);
	if (!is_on("ipv6", "all", "forwarding"))
		return lacks(a, "net.ipv6.conf.all.forwarding", e);
	if (is_on("ipv6", "all", "proxy_ndp") || is_on("ipv6", a->interface, "proxy_ndp"))
		return 0;
	if (asprintf(&setting, "net.ipv6.conf.%s.proxy_ndp", a->interface) < 0)
		return err_set(e, -ENOMEM, "network: out of memory");
	return lacks(a, setting, e);
}

/* --- entries --- */

static int change(int index, const struct inet_ip *ip, bool add)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ndmsg head = { .ndm_family = inet_is_v4(ip) ? AF_INET : AF_INET6,
				    .ndm_ifindex = index,
				    .ndm_state = NUD_PERMANENT,
				    .ndm_flags = NTF_PROXY };
	const uint8_t protocol = PROXY_PROTOCOL;
	char data[128] __attribute__((aligned(8)));
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
		      &head, sizeof(head));
	message_ip(&l, NDA_DST, ip);
	if (add)
		message_put(&l, NDA_PROTOCOL, &protocol, sizeof(protocol));
	return fd < 0 ? fd : message_send(fd, &l, NULL);
}

int proxy_add(const struct inet_address *a, struct err *e)
{
	int index = link_index(a->interface), r;
	char text[INET_TEXT_MAX];

	if (index < 0)
		return err_set(e, index, "network.address: %s@%s: this host has no such interface",
			       inet_print(&a->ip, text), a->interface);
	r = check_host(a, e);
	if (r < 0)
		return r;
	r = change(index, &a->ip, true);
	return r < 0 ? err_set_errno(e, r, "network.address: answering for %s on %s",
				     inet_print(&a->ip, text), a->interface)
		     : 0;
}

void proxy_remove(const struct inet_address *a)
{
	int index = link_index(a->interface);

	if (index < 0 || change(index, &a->ip, false) < 0)
		log_debug("what answered on %s was gone already", a->interface);
}

/* --- what others left --- */

struct search {
	bool (*is_ours)(const struct inet_ip *ip, const void *arg);
	const void *arg;
	int index; /* of the one that is found */
	struct inet_ip ip;
};

static bool leads_to_port(const struct inet_ip *ip)
{
	struct port_way way = port_find_way(ip);
	char name[IF_NAMESIZE] = "";
	unsigned id, slot;

	return way.index && way.direct && if_indextoname((unsigned) way.index, name) &&
	       sscanf(name, "w%6x-%x", &id, &slot) == 2;
}

static int on_entry(const struct nlmsghdr *h, void *arg)
{
	const struct ndmsg *m = NLMSG_DATA(h);
	struct search *s = arg;
	struct inet_ip ip = { { 0, 0, htonl(0xffff), 0 } };
	const uint8_t *protocol;
	const void *to;
	size_t len, size;

	if (h->nlmsg_type != RTM_NEWNEIGH || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EBADMSG;
	protocol = message_find(h, sizeof(*m), NDA_PROTOCOL, &len);
	to = message_find(h, sizeof(*m), NDA_DST, &size);
	if (!(m->ndm_flags & NTF_PROXY) || !protocol || len != 1 || *protocol != PROXY_PROTOCOL ||
	    !to || (size != 4 && size != 16))
		return 0;
	memcpy(size == 4 ? (void *) &ip.w[3] : &ip, to, size);
	if (s->is_ours(&ip, s->arg) || leads_to_port(&ip))
		return 0;
	s->index = m->ndm_ifindex;
	s->ip = ip;
	return 1;
}

/* One at a time: what is deleted ends a listing. */
static bool find(struct search *s)
{
	_cleanup_close_ int fd = message_socket(NETLINK_ROUTE);
	const struct ndmsg head = { .ndm_family = AF_UNSPEC, .ndm_flags = NTF_PROXY };
	char data[64] __attribute__((aligned(8)));
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, RTM_GETNEIGH, NLM_F_DUMP, &head, sizeof(head));
	return fd >= 0 && message_ask(fd, &l, on_entry, s) == 1;
}

void proxy_sweep(bool (*is_ours)(const struct inet_ip *ip, const void *arg), const void *arg)
{
	struct search s = { .is_ours = is_ours, .arg = arg };

	while (find(&s) && change(s.index, &s.ip, false) == 0)
		continue;
}
