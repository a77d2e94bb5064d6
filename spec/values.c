/* What texts may be, as far as it can be known without looking at any host. */
#include "spec/values.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/inet.h"
#include "base/mem.h"
#include "base/units.h"
#include "spec/row.h"

#define LIST_NUMBER_MAX 8191 /* the kernel's greatest NR_CPUS */
#define LIST_TEXT_MAX 200
#define NAME_LENGTH_MAX 255
#define HOSTNAME_LENGTH_MAX 64

static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

const char *value_check_name(const char *value)
{
	return spec_name_valid(value) ? NULL : "is not [a-z0-9][a-z0-9._-]{0,62}";
}

const char *value_check_path(const char *value)
{
	return row_path_is_plain(value) ? NULL : "is not a clean absolute path";
}

const char *value_check_device(const char *value)
{
	bool below = strncmp(value, "/dev/", 5) == 0 && row_path_is_plain(value);

	return below && !strchr(value, ' ') ? NULL : "is not a path below /dev";
}

/* A name or a number, the whole of value[0..len). */
static bool is_account(const char *value, size_t len)
{
	char text[NAME_LENGTH_MAX + 1];
	uint64_t id;

	if (len == 0 || len > NAME_LENGTH_MAX || *value == '-')
		return false;
	memcpy(text, value, len);
	text[len] = '\0';
	if (strspn(text, "0123456789") == len)
		return units_parse_u64(text, 0, UINT32_MAX - 1, &id) == 0;

	size_t n = strspn(text, alnum);
	while (text[n] && strchr("_.-", text[n]))
		n += 1 + strspn(text + n + 1, alnum);
	return n == len || (n + 1 == len && n > 0 && text[n] == '$');
}

const char *value_check_user(const char *value)
{
	size_t user = strcspn(value, ":");
	const char *group = value[user] ? value + user + 1 : "root";

	return is_account(value, user) && is_account(group, strlen(group))
		       ? NULL
		       : "is not USER or USER:GROUP";
}

const char *value_check_owner(const char *value)
{
	uint64_t id;

	if (!is_account(value, strlen(value)))
		return "is not a user";
	if (value[strspn(value, "0123456789")])
		return NULL;
	return units_parse_u64(value, 0, SPEC_IDS_FIRST - 1, &id) < 0
		       ? "is an id that contexts get for their own"
		       : NULL;
}

const char *value_check_hostname(const char *value)
{
	size_t len = strlen(value);

	if (len > HOSTNAME_LENGTH_MAX)
		return "is longer than 64 bytes";
	for (const char *p = value;; p++) { /* one label a round */
		size_t n = strcspn(p, ".");

		if (n == 0 || *p == '-' || p[n - 1] == '-')
			return "is not a host name";
		for (size_t i = 0; i < n; i++) {
			if (p[i] != '-' && !strchr(alnum, p[i]))
				return "is not a host name";
		}
		p += n;
		if (!*p)
			return NULL;
	}
}

const char *value_check_variable(const char *value)
{
	size_t n = 0;

	while (value[n] == '_' || (value[n] && strchr(alnum, value[n])))
		n++;
	return n > 0 && value[n] == '=' && (value[0] < '0' || value[0] > '9') ? NULL
									      : "is not NAME=VALUE";
}

/* @return what follows one number, or NULL. */
static const char *read_number(const char *p, unsigned *ret)
{
	unsigned v = 0;

	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (unsigned) (*p - '0');
		if (v > LIST_NUMBER_MAX)
			return NULL;
	}
	*ret = v;
	return p;
}

const char *value_check_list(const char *value)
{
	static const char wrong[] = "is not a list of numbers and ranges";
	unsigned first, last;
	const char *p = value;

	if (strlen(value) > LIST_TEXT_MAX)
		return "is longer than 200 bytes";
	for (;; p++) {
		p = read_number(p, &first);
		if (!p)
			return wrong;
		if (*p == '-') {
			p = read_number(p + 1, &last);
			if (!p || last < first)
				return wrong;
		}
		if (!*p)
			return NULL;
		if (*p != ',')
			return wrong;
	}
}

const char *value_check_address(const char *value)
{
	struct inet_address a;

	return inet_parse_address(value, &a);
}

const char *value_check_port(const char *value)
{
	struct inet_port p;

	return inet_parse_port(value, &p);
}

const char *value_check_peer(const char *value)
{
	struct inet_peer p;

	if (strcmp(value, "any") == 0 || strcmp(value, "none") == 0)
		return NULL;
	return inet_parse_peer(value, &p);
}

const char *value_check_allow(const char *value)
{
	static const char *const words[] = { "multicast", "ping", "contexts" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(value, words[i]) == 0)
			return NULL;
	return "is unknown";
}

const char *value_check_ip(const char *value)
{
	struct inet_ip ip;

	return inet_parse_ip(value, &ip) < 0 ? "is not an address" : NULL;
}

const char *value_check_interface(const char *value)
{
	return inet_is_interface(value) ? NULL : "is not an interface's name";
}

const char *value_check_gateway(const char *value)
{
	struct inet_address a;

	if (strcmp(value, "none") == 0)
		return NULL;
	return strpbrk(value, "/@") ? "is not an address" : inet_parse_address(value, &a);
}

const char *value_check_mac(const char *value)
{
	uint8_t mac[6];

	return inet_parse_mac(value, mac);
}

const char *value_check_forward(const char *value)
{
	struct inet_forward f;

	return inet_parse_forward(value, &f);
}
