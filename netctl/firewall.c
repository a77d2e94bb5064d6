/* The tables are written once, as text, by libnftables; what comes and goes with contexts are
 * elements of their sets, sent as they are: a text would have to be read and all tables of the host
 * looked at, at every start. All of a port's elements are one transaction.
 *
 * An administrator may flush all rules there are. Then the next change finds no table, and makes
 * it again for all ports. */
#include "netctl/firewall.h"

#include <errno.h>
#include <netinet/in.h> /* before those of the kernel */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "netctl/firewall_rules.h"
#include "netctl/firewall_sets.h"

void firewall_init(struct firewall *f, const char *id, const char *ports)
{
	*f = (struct firewall){ .loaded = false };
	(void) snprintf(f->table, sizeof(f->table), "ward_%s", id);
	(void) snprintf(f->nat, sizeof(f->nat), "ward_%s_nat", id);
	(void) snprintf(f->ports, sizeof(f->ports), "%s", ports);
}

bool firewall_is_there(void)
{
	_cleanup_close_ int fd = message_socket(NETLINK_NETFILTER);
	const struct nfgenmsg head = { .nfgen_family = AF_UNSPEC };
	char data[64] __attribute__((aligned(8)));
	struct message_list l;

	message_init(&l, data, sizeof(data));
	message_begin(&l, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0, &head, sizeof(head));
	return fd >= 0 && message_send(fd, &l, NULL) == 0;
}

/* --- the tables --- */

static bool wants_nat(const struct private_port *p)
{
	return !p->leaving && (p->masquerade || p->forward_count);
}

static bool anyone_wants_nat(const struct private_list *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (wants_nat(all->ports[i]))
			return true;
	return false;
}

/* The text with this daemon's names in it. */
static void fill_in(const struct firewall *f, const char *text, struct buf *out)
{
	const struct {
		const char *word, *value, *after;
	} words[] = {
		{ "COMMON", NULL, "" },
		{ "TABLE", f->table, "" },
		{ "NAT", f->nat, "" },
		{ "P*", f->ports, "*" },
	};

	while (*text) {
		size_t w = 0;

		while (w < ARRAY_SIZE(words) &&
		       strncmp(text, words[w].word, strlen(words[w].word)) != 0)
			w++;
		if (w == ARRAY_SIZE(words)) {
			buf_add(out, text++, 1);
			continue;
		}
		if (words[w].value)
			buf_printf(out, "%s%s", words[w].value, words[w].after);
		else
			fill_in(f, firewall_common, out);
		text += strlen(words[w].word);
	}
}

static int load_text(const char *text, struct err *e)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *said;
	int r = -ENOMEM;

	if (!ctx)
		return err_set(e, r, "network: nftables: out of memory");
	(void) nft_ctx_buffer_error(ctx);
	(void) nft_ctx_buffer_output(ctx);
	errno = 0;
	r = nft_run_cmd_from_buffer(ctx, text) == 0 ? 0 : -(errno ?: EIO);
	said = nft_ctx_get_error_buffer(ctx);
	if (r < 0)
		(void) err_set(e, r, "network: the kernel takes no rules by nftables: %.*s",
			       (int) strcspn(said ?: "", "\n"), said ?: "");
	nft_ctx_free(ctx);
	return r;
}

static int load(const struct firewall *f, const char *rules, struct err *e)
{
	struct buf text = { 0 };
	int r;

	fill_in(f, rules, &text);
	r = text.error ? err_set_errno(e, text.error, "network: writing rules")
		       : load_text(text.data, e);
	buf_done(&text);
	return r;
}

static void put_unload(struct message_list *l, const char *table, unsigned family)
{
	const struct nfgenmsg head = { .nfgen_family = (uint8_t) family };

	message_begin(l, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, &head, sizeof(head));
	message_text(l, NFTA_TABLE_NAME, table);
}

/* Of which tables: those that are there, or all or nothing happens. */
static int unload_some(const struct firewall *f, bool bridge, bool host, bool nat)
{
	struct transaction t;
	int r = transaction_begin(&t, f, FIREWALL_HEAD_BYTES);

	if (r < 0)
		return r;
	if (bridge)
		put_unload(&t.list, f->table, NFPROTO_BRIDGE);
	if (host)
		put_unload(&t.list, f->table, NFPROTO_INET);
	if (nat)
		put_unload(&t.list, f->nat, NFPROTO_INET);
	return transaction_commit(&t);
}

static void unload_nat(struct firewall *f)
{
	(void) unload_some(f, false, false, true);
	f->nat_loaded = false;
}

/* In one transaction: the kernel waits at the end of each. */
static void unload(struct firewall *f)
{
	if (!f->loaded || unload_some(f, true, true, f->nat_loaded) < 0) {
		/* nobody knows what there is */
		(void) unload_some(f, true, false, false);
		(void) unload_some(f, false, true, false);
		(void) unload_some(f, false, false, true);
	}
	f->loaded = f->nat_loaded = false;
}

/* All tables, with all elements. In between nothing gets through, for less than a millisecond. */
int firewall_settle(struct firewall *f, const struct private_list *all, struct err *e)
{
	struct transaction t;
	int r;

	if (all->count == 0) {
		unload(f);
		return 0;
	}
	r = load(f, firewall_filter, e);
	f->loaded = r == 0;
	if (r == 0 && anyone_wants_nat(all)) {
		r = load(f, firewall_nat, e);
		f->nat_loaded = r == 0;
	} else if (r == 0) {
		unload_nat(f); /* of an earlier daemon's contexts */
	}
	if (r < 0)
		return r;
	r = transaction_begin(&t, f, FIREWALL_HEAD_BYTES + all->count * FIREWALL_PORT_BYTES);
	if (r == 0) {
		t.add = true;
		for (size_t i = 0; i < all->count; i++)
			transaction_put(&t, all->ports[i]);
		r = transaction_commit(&t);
	}
	return r < 0 ? err_set_errno(e, r, "network: writing the rules of %zu contexts", all->count)
		     : 0;
}

int firewall_add(struct firewall *f, const struct private_list *all, const struct private_port *p,
		 struct err *e)
{
	struct transaction t;
	int r = -ENOENT;

	if (f->loaded && wants_nat(p) && !f->nat_loaded) {
		r = load(f, firewall_nat, e);
		if (r < 0)
			return r;
		f->nat_loaded = true;
	}
	if (f->loaded) {
		r = transaction_begin(&t, f, FIREWALL_HEAD_BYTES + FIREWALL_PORT_BYTES);
		if (r == 0) {
			t.add = true;
			transaction_put(&t, p);
			r = transaction_commit(&t);
		}
	}
	if (r == -ENOENT)
		return firewall_settle(f, all, e);
	return r < 0 ? err_set_errno(e, r, "network: writing the rules of %s", p->context) : 0;
}

static void take_out(struct firewall *f, const struct private_list *all,
		     const struct private_port *p, enum firewall_set first, enum firewall_set last)
{
	struct transaction t;
	struct err e = { 0 };
	int r = f->loaded ? transaction_begin(&t, f, FIREWALL_HEAD_BYTES + FIREWALL_PORT_BYTES)
			  : -ENOENT;

	if (r == 0) {
		t.others = all;
		t.first = first;
		t.last = last;
		transaction_put(&t, p);
		r = transaction_commit(&t);
	}
	if (r < 0 && all->count && firewall_settle(f, all, &e) < 0)
		log_warning("%s", e.text);
}

void firewall_withdraw(struct firewall *f, const struct private_list *all,
		       const struct private_port *p)
{
	if (p->contexts || p->masquerade || p->forward_count)
		take_out(f, all, p, SET_OPEN4, SET_COUNT - 1);
	if (f->nat_loaded && all->count > 1 && !anyone_wants_nat(all))
		unload_nat(f);
}

void firewall_remove(struct firewall *f, const struct private_list *all,
		     const struct private_port *p)
{
	if (all->count == 0)
		unload(f);
	else
		take_out(f, all, p, 0, SET_CONTEXTS6);
}

int firewall_try(struct firewall *f, struct err *e)
{
	int r = load(f, firewall_filter, e);

	return r < 0 ? r : load(f, firewall_nat, e);
}
