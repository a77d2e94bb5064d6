/* The pure part of HTTP: finding the route of a path, decoding, and which status an error has. */
#include <string.h>

#include "base/mem.h"
#include "daemon/http/http.h"

/* Compares component by component; fills the captures on the way. */
static bool match(const char *pattern, const char *path, struct http_match *m)
{
	size_t captured = 0;

	while (*pattern && *path) {
		if (!strncmp(pattern, "{}", 2)) {
			size_t len = strcspn(path, "/");

			if (len == 0 || len >= HTTP_CAPTURE_SIZE || captured == HTTP_CAPTURES_MAX)
				return false;
			memcpy(m->captures[captured], path, len);
			m->captures[captured++][len] = '\0';
			pattern += 2;
			path += len;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *pattern == *path;
}

void http_route_find(const struct http_route *routes, size_t count, const char *method,
		     const char *path, struct http_match *ret)
{
	struct http_match other = {};
	size_t at = 0;

	*ret = (struct http_match){ .status = 404 };
	for (size_t i = 0; i < count; i++) {
		int n;

		if (!match(routes[i].pattern, path, &other))
			continue;
		if (!strcmp(routes[i].method, method)) {
			other.route = &routes[i];
			other.status = 200;
			*ret = other;
			return;
		}
		n = snprintf(ret->allow + at, sizeof(ret->allow) - at, "%s%s", at ? ", " : "",
			     routes[i].method);
		at += n > 0 && (size_t) n < sizeof(ret->allow) - at ? (size_t) n : 0;
		ret->status = 405;
	}
}

void http_first_words(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (unsigned words = 0; n < len && n + 1 < size; n++) {
		unsigned char c = (unsigned char) text[n];

		if (c <= ' ' && (c != ' ' || ++words == 2))
			break;
		out[n] = (char) (c < 0x7f && c != '"' && c != '\\' ? c : '?');
	}
	out[n] = '\0';
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t http_unescape(char *s)
{
	char *to = s;

	for (const char *from = s; *from; from++) {
		int high = from[0] == '%' ? hex(from[1]) : -1;
		int low = high >= 0 ? hex(from[2]) : -1;

		if (low >= 0 && (high || low)) {
			*to++ = (char) (high << 4 | low);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return (size_t) (to - s);
}

unsigned http_status(int code)
{
	static const struct {
		int code;
		unsigned status;
	} rows[] = {
		{ -EINVAL, 400 },    { -E2BIG, 400 },	   { -ENAMETOOLONG, 400 },
		{ -ERANGE, 400 },    { -EFBIG, 413 },	   { -EEXIST, 409 },
		{ -EBUSY, 409 },     { -EALREADY, 409 },   { -EINPROGRESS, 409 },
		{ -ESRCH, 409 },     { -EOPNOTSUPP, 409 }, { -ECANCELED, 409 },
		{ -ETIMEDOUT, 409 }, { -EDQUOT, 409 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].code == code)
			return rows[i].status;
	return 500;
}
