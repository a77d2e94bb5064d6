/* The lines of a datagram. MAINPID, FDSTORE, RELOADING and the like are meant for systemd and
 * mean nothing here; they are no error either. */
#include "daemon/notify_message.h"

#include <string.h>

#include "base/units.h"

#define NOTIFY_US_MAX (24ull * 3600 * 1000000)

static size_t sequence_length(unsigned char first)
{
	if (first < 0x80) {
		return 1;
	}
	if (first >= 0xc2 && first < 0xe0) {
		return 2;
	}
	if ((first & 0xf0) == 0xe0) {
		return 3;
	}
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* @return the bytes of the well-formed character at s, or 0. */
static size_t character(const unsigned char *s, size_t len)
{
	size_t n = sequence_length(s[0]);
	uint32_t c = n > 1 ? s[0] & (0x7fu >> n) : s[0];

	if (n == 0 || n > len) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			return 0;
		}
		c = c << 6 | (s[i] & 0x3fu);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c <= 0xdfff)) {
		return 0;
	}
	return n;
}

/* C0, DEL and C1 drive terminals. */
static bool is_control(const unsigned char *s, size_t n)
{
	return (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

static void take_status(struct notify_message *m, const char *value, size_t len)
{
	const unsigned char *s = (const unsigned char *) value;
	size_t out = 0;

	while (len > 0) {
		size_t n = character(s, len), take = n ? n : 1;

		if (out + take > NOTIFY_STATUS_MAX) {
			break;
		}
		if (n == 0 || is_control(s, n)) {
			m->status[out++] = '?';
		} else {
			memcpy(m->status + out, s, n);
			out += n;
		}
		s += take;
		len -= take;
	}
	m->status[out] = '\0';
	m->has_status = true;
}

/* @return 0 where it is no number. */
static uint64_t number(const char *value, size_t len)
{
	char text[24];
	uint64_t v;

	if (len >= sizeof(text)) {
		return 0;
	}
	memcpy(text, value, len);
	text[len] = '\0';
	if (units_parse_u64(text, 0, UINT64_MAX, &v) < 0) {
		return 0;
	}
	return v > NOTIFY_US_MAX ? NOTIFY_US_MAX : v;
}

static bool is(const char *value, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(value, text, len) == 0;
}

static void take_line(struct notify_message *m, const char *line, size_t len, bool whole)
{
	const char *equal = memchr(line, '=', len);
	const char *value;
	size_t name, n;

	if (!equal) {
		return;
	}
	name = (size_t) (equal - line);
	value = equal + 1;
	n = len - name - 1;
	if (is(line, name, "STATUS")) {
		take_status(m, value, n);
	} else if (!whole) {
		return;
	} else if (is(line, name, "READY")) {
		m->ready |= is(value, n, "1");
	} else if (is(line, name, "STOPPING")) {
		m->stopping |= is(value, n, "1");
	} else if (is(line, name, "WATCHDOG")) {
		m->watchdog |= is(value, n, "1");
		m->trigger |= is(value, n, "trigger");
	} else if (is(line, name, "WATCHDOG_USEC")) {
		m->watchdog_us = number(value, n);
	} else if (is(line, name, "EXTEND_TIMEOUT_USEC")) {
		m->extend_us = number(value, n);
	}
}

void notify_parse(const char *text, size_t len, bool cut, struct notify_message *ret)
{
	*ret = (struct notify_message){ 0 };
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t) (end - text) : len;

		take_line(ret, text, n, end || !cut);
		n += end != NULL;
		text += n;
		len -= n;
	}
}

void notify_merge(struct notify_message *to, const struct notify_message *later)
{
	to->ready |= later->ready;
	to->stopping |= later->stopping;
	to->watchdog |= later->watchdog;
	to->trigger |= later->trigger;
	if (later->has_status) {
		to->has_status = true;
		memcpy(to->status, later->status, sizeof(to->status));
	}
	to->watchdog_us = later->watchdog_us ? later->watchdog_us : to->watchdog_us;
	to->extend_us = later->extend_us ? later->extend_us : to->extend_us;
}
