/* Points in time, in and out. */
#include "ctl/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/units.h"

#define SECOND UINT64_C(1000000)
#define DAY_SECONDS 86400

static int ago(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	size_t len = strlen(text);
	uint64_t us, days;
	char number[24];

	if (len > 1 && len < sizeof(number) && text[len - 1] == 'd') {
		memcpy(number, text, len - 1);
		number[len - 1] = '\0';
		if (units_parse_u64(number, 0, 1000000, &days) < 0)
			return -EINVAL;
		us = days * DAY_SECONDS * SECOND;
	} else if (units_parse_duration(text, &us) < 0) {
		return -EINVAL;
	}
	*ret_us = us < now_us ? now_us - us : 0;
	return 0;
}

/* Midnight of the day that is `days` after that of `now`. */
static int midnight(time_t now, int days, uint64_t *ret_us)
{
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return -EINVAL;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday += days;
	tm.tm_isdst = -1;
	*ret_us = (uint64_t) mktime(&tm) * SECOND;
	return 0;
}

static bool read_format(const char *text, const char *format, struct tm *tm, bool *ret_utc)
{
	const char *end = strptime(text, format, tm);

	*ret_utc = end && *end == 'Z';
	return end && !end[*ret_utc];
}

static int moment(const char *text, time_t now, uint64_t *ret_us)
{
	static const char *const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d",	     "%H:%M:%S",	  "%H:%M"
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm, said;
		time_t t;
		bool utc;

		if (!localtime_r(&now, &tm))
			return -EINVAL;
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_isdst = -1;
		if (!read_format(text, formats[i], &tm, &utc))
			continue;
		said = tm;
		t = utc ? timegm(&tm) : mktime(&tm);
		/* the 31st of February is no day */
		if (t < 0 || tm.tm_mday != said.tm_mday || said.tm_sec > 59)
			return -EINVAL;
		*ret_us = (uint64_t) t * SECOND;
		return 0;
	}
	return -EINVAL;
}

int when_parse_at(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	time_t now = (time_t) (now_us / SECOND);
	uint64_t seconds;

	if (str_equal(text, "now")) {
		*ret_us = now_us;
		return 0;
	}
	if (str_equal(text, "today"))
		return midnight(now, 0, ret_us);
	if (str_equal(text, "yesterday"))
		return midnight(now, -1, ret_us);
	if (text[0] == '@') {
		if (units_parse_u64(text + 1, 0, INT64_MAX / SECOND, &seconds) < 0)
			return -EINVAL;
		*ret_us = seconds * SECOND;
		return 0;
	}
	return ago(text, now_us, ret_us) == 0 ? 0 : moment(text, now, ret_us);
}

int when_parse(const char *text, uint64_t *ret_us)
{
	return when_parse_at(text, when_now(), ret_us);
}

char *when_print(uint64_t us, char out[static WHEN_TEXT_MAX])
{
	time_t s = (time_t) (us / SECOND);
	struct tm tm;

	if (!us || !localtime_r(&s, &tm) || !strftime(out, WHEN_TEXT_MAX, "%F %T", &tm))
		(void) snprintf(out, WHEN_TEXT_MAX, "-");
	return out;
}

uint64_t when_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t) ts.tv_sec * SECOND + (uint64_t) ts.tv_nsec / 1000;
}
