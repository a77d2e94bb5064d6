/* The arithmetic of restarts. The delay doubles from the first to the longest while the context
 * fails soon after each start; one that ran for long enough begins anew. The limit looks back over
 * a sliding window, so a context that fails slowly is restarted for ever. */
#include "daemon/restart.h"

#define DELAY_MAX_US (24ull * 3600 * 1000000) /* the largest that a spec allows */

static uint64_t next_delay(const struct spec *s, uint64_t last_us)
{
	uint64_t first = s->context.restart_first_us, max = s->context.restart_max_us;
	uint64_t next = last_us > max / 2 ? max : last_us * 2;

	return next < first ? first : next;
}

static void forget_old(struct restarts *r, uint64_t now_us, uint64_t interval_us)
{
	uint64_t since = now_us > interval_us ? now_us - interval_us : 0;
	size_t kept = 0;

	for (size_t i = 0; i < r->recent; i++) {
		if (r->times[i] > since) {
			r->times[kept++] = r->times[i];
		}
	}
	r->recent = kept;
}

bool restarts_plan(struct restarts *r, const struct spec *spec, uint64_t now_us, uint64_t ran_us,
		   bool steady)
{
	uint64_t max = spec->context.restart_max_us, delay = spec->context.restart_first_us;

	r->at_us = 0;
	if (steady || ran_us >= (max > RESTART_SETTLED_US ? max : RESTART_SETTLED_US)) {
		r->delay_us = 0;
	} else {
		delay = r->delay_us = next_delay(spec, r->delay_us);
	}
	if (spec->context.restart_limit) {
		forget_old(r, now_us, spec->context.restart_limit_us);
		if (r->recent >= spec->context.restart_limit) {
			return false;
		}
	}
	if (r->recent < SPEC_RESTARTS_MAX) { /* without a limit nobody looks at them */
		r->times[r->recent++] = now_us;
	}
	r->count++;
	r->at_us = now_us + delay;
	return true;
}

json_t *restarts_to_json(const struct restarts *r)
{
	json_t *times = json_array();

	for (size_t i = 0; times && i < r->recent; i++) {
		(void) json_array_append_new(times, json_integer((json_int_t) r->times[i]));
	}
	return json_pack("{s:i, s:I, s:I, s:o}", "count", (int) r->count, "delay_us",
			 (json_int_t) r->delay_us, "at_us", (json_int_t) r->at_us, "times", times);
}

static uint64_t number(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t) v : 0;
}

void restarts_from_json(struct restarts *r, const json_t *o, uint64_t now_us)
{
	const json_t *times = json_object_get(o, "times"), *v;
	size_t i;

	*r = (struct restarts){ .count = (unsigned) number(o, "count"),
				.delay_us = number(o, "delay_us"),
				.at_us = number(o, "at_us") };
	json_array_foreach (times, i, v) {
		json_int_t at = json_integer_value(v);

		/* later than now: of another boot of this machine */
		if (at > 0 && (uint64_t) at <= now_us && r->recent < SPEC_RESTARTS_MAX) {
			r->times[r->recent++] = (uint64_t) at;
		}
	}
	if (r->delay_us > DELAY_MAX_US) {
		r->delay_us = DELAY_MAX_US;
	}
	if (r->at_us > now_us + DELAY_MAX_US) {
		r->at_us = now_us;
	}
}
