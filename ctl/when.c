/* Points in time, in and out. */
#include "ctl/when.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "base/units.h"

uint64_t when_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* What the text does not say of the date is today, of the time is 0. */
static int parse_clock(const char *text, uint64_t *ret_us)
{
	static const struct {
		const char *format;
		bool date;
	} forms[] = {
		{ "%Y-%m-%d %H:%M:%S", true }, { "%Y-%m-%dT%H:%M:%S", true },
		{ "%Y-%m-%d %H:%M", true },    { "%Y-%m-%dT%H:%M", true },
		{ "%Y-%m-%d", true },	       { "%H:%M:%S", false },
		{ "%H:%M", false },
	};
	time_t now = (time_t) (when_now() / 1000000), t;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm today, tm = { .tm_isdst = -1 };
		const char *end;

		if (!forms[i].date && localtime_r(&now, &today)) {
			tm.tm_year = today.tm_year;
			tm.tm_mon = today.tm_mon;
			tm.tm_mday = today.tm_mday;
		}
		end = strptime(text, forms[i].format, &tm);
		if (!end || *end)
			continue;
		tm.tm_isdst = -1;
		t = mktime(&tm);
		if (t < 0)
			return -EINVAL;
		*ret_us = (uint64_t) t * 1000000;
		return 0;
	}
	return -EINVAL;
}

int when_parse(const char *text, uint64_t *ret_us)
{
	uint64_t n, now = when_now();

	if (text[0] == '@') {
		if (units_parse_u64(text + 1, 0, INT64_MAX / 1000000, &n) < 0)
			return -EINVAL;
		*ret_us = n * 1000000;
		return 0;
	}
	if (units_parse_duration(text, &n) == 0) {
		*ret_us = n < now ? now - n : 0;
		return 0;
	}
	return parse_clock(text, ret_us);
}

char *when_print(uint64_t us, char out[static WHEN_TEXT_MAX])
{
	time_t s = (time_t) (us / 1000000);
	struct tm tm;

	if (!us || !localtime_r(&s, &tm) || !strftime(out, WHEN_TEXT_MAX, "%F %T", &tm))
		(void) snprintf(out, WHEN_TEXT_MAX, "-");
	return out;
}
