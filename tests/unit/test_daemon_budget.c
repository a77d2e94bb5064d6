/* The ledger of promises: what fits, what is refused and in which words, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ledger.h"

#define GIB (UINT64_C(1) << 30)
#define MAX 64

static struct spec specs[MAX];
static char names[MAX][16];
static size_t used;

/* "/dev/a2" is a partition of "/dev/a"; "/dev/none" is not there. */
static int disk_named(const char *key, const char *path, struct sched_disk *ret, struct err *e)
{
	*ret = (struct sched_disk){ .major = 8, .minor = (unsigned char) path[5] };
	(void) snprintf(ret->name, sizeof(ret->name), "/dev/%c", path[5]);
	return strcmp(path, "/dev/none") == 0 ? err_set_errno(e, -ENOENT, "%s", key) : 0;
}

static struct ledger *ledger_on(const char *cpus, uint32_t keep_ppm)
{
	struct ledger_host host = { .cpu_keep_ppm = keep_ppm,
				    .memory = 4 * GIB,
				    .memory_keep = GIB / 4,
				    .memory_reserve = true,
				    .io_keep_ppm = 50000,
				    .disk = disk_named };
	struct ledger *l;

	assert_int_equal(cpus_parse(cpus, &host.cpus), 0);
	assert_int_equal(ledger_new(&host, &l), 0);
	return l;
}

static void done(struct ledger *l)
{
	ledger_free(l);
	while (used > 0)
		spec_done(&specs[--used]);
}

static struct spec *make(const char *reserve, const char *cpus, const char *memory)
{
	struct spec *s = &specs[used++];

	assert_int_equal(spec_init(s, ""), 0);
	assert_int_equal(spec_set(s, "cpu.reserve", reserve, NULL), 0);
	assert_int_equal(spec_set(s, "cpu.cpus", cpus, NULL), 0);
	assert_int_equal(spec_set(s, "memory.reserve", memory, NULL), 0);
	return s;
}

static struct spec *hold(struct ledger *l, const char *name, const char *reserve, const char *cpus)
{
	struct spec *s = make(reserve, cpus, "0");

	assert_int_equal(ledger_add(l, name, s, "running", true), 0);
	return s;
}

static void admits(struct ledger *l, const char *reserve, const char *cpus)
{
	struct err e = {};

	if (ledger_admit_cpu(l, make(reserve, cpus, "0"), &e) < 0)
		fail_msg("%s on \"%s\": %s", reserve, cpus, e.text);
}

static void refuses(struct ledger *l, const char *reserve, const char *cpus, const char *text)
{
	struct err e = {};

	assert_int_equal(ledger_admit_cpu(l, make(reserve, cpus, "0"), &e), -EDQUOT);
	assert_string_equal(e.text, text);
}

static void test_the_sum_stays_within_the_machine(void **state)
{
	struct ledger *l = ledger_on("0-1", 50000);

	(void) state;
	admits(l, "190%", "");
	refuses(l, "190.1%", "", "cpu.reserve: 190.1% asked, 190% free on CPUs 0-1: the host 10%");
	hold(l, "web", "100%", "");
	hold(l, "idle", "0%", "");
	hold(l, "db", "60%", "");
	admits(l, "30%", "");
	refuses(l, "50%", "",
		"cpu.reserve: 50% asked, 30% free on CPUs 0-1: web 100%, db 60%, the host 10%");
	ledger_drop(l, "web");
	admits(l, "130%", "");
	done(l);
}

static void test_each_set_of_cpus_counts(void **state)
{
	struct ledger *l = ledger_on("0-3", 0);

	(void) state;
	hold(l, "left", "90%", "0");
	hold(l, "both", "100%", "0-1");
	refuses(l, "20%", "0", "cpu.reserve: 20% asked, 10% free on CPU 0: left 90%");
	refuses(l, "20%", "1", "cpu.reserve: 20% asked, 10% free on CPUs 0-1: both 100%, left 90%");
	admits(l, "200%", "2-3");
	admits(l, "210%", "");
	refuses(l, "211%", "",
		"cpu.reserve: 211% asked, 210% free on CPUs 0-3: both 100%, left 90%");
	refuses(l, "101%", "3,9", "cpu.reserve: 101% asked, 100% free on CPU 3");
	done(l);
}

static void test_cpus_that_are_not_here(void **state)
{
	struct ledger *l = ledger_on("0,2", 0);
	struct err e = {};

	(void) state;
	assert_int_equal(ledger_admit_cpu(l, make("1%", "1,3-9", "0"), &e), -EINVAL);
	assert_string_equal(e.text, "cpu.reserve: of the CPUs of cpu.cpus (1,3-9) none is here; "
				    "there are: 0,2");
	assert_int_equal(ledger_admit_cpu(l, make("0%", "1", "0"), &e), 0);
	admits(l, "100%", "1-2");
	done(l);
}

/* After a CPU went away: who has nothing to do with it is not refused for it. */
static void test_a_shortage_concerns_those_in_it(void **state)
{
	struct ledger *l = ledger_on("0-1", 0);

	(void) state;
	hold(l, "a", "80%", "0");
	hold(l, "b", "80%", "0");
	admits(l, "100%", "1");
	refuses(l, "1%", "0", "cpu.reserve: 1% asked, 0% free on CPU 0: a 80%, b 80%");
	refuses(l, "101%", "1", "cpu.reserve: 101% asked, 100% free on CPU 1");
	hold(l, "gone", "10%", "7"); /* it may use all now */
	admits(l, "90%", "1");
	refuses(l, "91%", "1",
		"cpu.reserve: 91% asked, 90% free on CPUs 0-1: a 80%, b 80%, gone 10%");
	done(l);
}

static void test_many_holders_are_summed_up(void **state)
{
	struct ledger *l = ledger_on("0-63", 10000);

	(void) state;
	for (unsigned i = 0; i < 40; i++) {
		char reserve[16];

		(void) snprintf(names[i], sizeof(names[i]), "c%u", i);
		(void) snprintf(reserve, sizeof(reserve), "%u%%", i + 1);
		hold(l, names[i], reserve, "");
	}
	refuses(l, "6400%", "",
		"cpu.reserve: 6400% asked, 5516% free on CPUs 0-63: c39 40%, c38 39%, c37 38%, "
		"c36 37%, c35 36%, c34 35%, c33 34%, c32 33%, others 528%, the host 64%");
	done(l);
}

static void test_owners_learn_no_names(void **state)
{
	struct ledger *l = ledger_on("0", 0);
	struct spec *asked = make("100%", "", "4G"), *friend;
	struct err e = {};

	(void) state;
	assert_int_equal(spec_set(asked, "context.owner", "alice", NULL), 0);
	hold(l, "secret", "20%", "");
	hold(l, "hidden", "10%", "")->memory.reserve = GIB;
	friend = hold(l, "mine", "5%", "");
	assert_int_equal(spec_set(friend, "context.owner", "bob alice", NULL), 0);
	assert_int_equal(ledger_admit_cpu(l, asked, &e), -EDQUOT);
	assert_string_equal(e.text,
			    "cpu.reserve: 100% asked, 65% free on CPU 0: mine 5%, others 30%");
	assert_int_equal(ledger_admit_memory(l, asked, &e), -EDQUOT);
	assert_string_equal(e.text, "memory.reserve: 4G asked, 2816M free of 4.0G: others 1.0G, "
				    "the host 256M");
	done(l);
}

static void test_memory_is_one_sum(void **state)
{
	struct ledger *l = ledger_on("0", 0);
	struct err e = {};

	(void) state;
	assert_int_equal(ledger_admit_memory(l, make("0%", "", "3840M"), &e), 0);
	hold(l, "db", "0%", "")->memory.reserve = 3 * GIB;
	assert_int_equal(ledger_admit_memory(l, make("0%", "", "768M"), &e), 0);
	assert_int_equal(ledger_admit_memory(l, make("0%", "", "769M"), &e), -EDQUOT);
	assert_string_equal(e.text, "memory.reserve: 769M asked, 768M free of 4.0G: db 3.0G, the "
				    "host 256M");
	assert_int_equal(ledger_admit_memory(l, make("0%", "", "0"), &e), 0);
	hold(l, "huge", "0%", "")->memory.reserve = UINT64_C(1) << 50;
	assert_int_equal(ledger_admit_memory(l, make("0%", "", "1"), &e), -EDQUOT);
	done(l);
}

static struct spec *holding(struct ledger *l, const char *name, const char *parts)
{
	struct spec *s = hold(l, name, "0%", "");

	assert_int_equal(spec_set(s, "io.reserve", parts, NULL), 0);
	return s;
}

static const char *admitted(struct ledger *l, const struct spec *has, const char *parts)
{
	struct spec *s = make("0%", "", "0");
	static struct err e;

	e = (struct err){};
	assert_int_equal(spec_set(s, "io.reserve", parts, NULL), 0);
	return ledger_admit_disks(l, s, has, &e) < 0 ? e.text : "";
}

static void test_each_disk_is_one_sum(void **state)
{
	struct ledger *l = ledger_on("0", 0);
	struct spec *web;

	(void) state;
	assert_string_equal(admitted(l, NULL, "/dev/a 95%"), "");
	assert_string_equal(admitted(l, NULL, "/dev/a 95.1%"),
			    "io.reserve: 95.1% asked, 95% free of /dev/a: the host 5%");
	web = holding(l, "web", "/dev/a2 60%\n/dev/b 10%");
	holding(l, "db", "/dev/a1 20.5%");
	holding(l, "lost", "/dev/none 90%");
	assert_string_equal(admitted(l, NULL, "/dev/a 14.5%\n/dev/b 85%\n/dev/c 95%"), "");
	assert_string_equal(admitted(l, NULL, "/dev/c 1%\n/dev/a9 14.6%"),
			    "io.reserve: 14.6% asked, 14.5% free of /dev/a: web 60%, db 20.5%, "
			    "the host 5%");
	assert_string_equal(admitted(l, NULL, "/dev/a1 1%\n/dev/a2 1%"),
			    "io.reserve: \"/dev/a1\": its disk, /dev/a, is reserved twice");
	assert_string_equal(admitted(l, NULL, "/dev/none 1%"),
			    "io.reserve: No such file or directory");
	holding(l, "over", "/dev/a 50%"); /* the host was given more, say */
	assert_string_equal(admitted(l, NULL, "/dev/a 0.1%"),
			    "io.reserve: 0.1% asked, 0% free of /dev/a: web 60%, over 50%, db "
			    "20.5%, the host 5%");
	ledger_drop(l, "web");
	assert_string_equal(admitted(l, web, "/dev/a1 60%"), ""); /* no more than it had */
	assert_string_equal(admitted(l, web, "/dev/a1 60.1%"),
			    "io.reserve: 60.1% asked, 24.5% free of /dev/a: over 50%, db 20.5%, "
			    "the host 5%");
	done(l);
}

static void test_owners_learn_no_names_of_disks(void **state)
{
	struct ledger *l = ledger_on("0", 0);
	struct spec *asked = make("0%", "", "0");
	struct err e = {};

	(void) state;
	assert_int_equal(spec_set(asked, "context.owner", "alice", NULL), 0);
	assert_int_equal(spec_set(asked, "io.reserve", "/dev/a 80%", NULL), 0);
	holding(l, "secret", "/dev/a 20%");
	holding(l, "elsewhere", "/dev/b 20%");
	assert_int_equal(spec_set(holding(l, "mine", "/dev/a 5%"), "context.owner", "bob alice",
				  NULL),
			 0);
	assert_int_equal(ledger_admit_disks(l, asked, NULL, &e), -EDQUOT);
	assert_string_equal(e.text, "io.reserve: 80% asked, 70% free of /dev/a: mine 5%, others "
				    "20%, the host 5%");
	done(l);
}

static json_int_t number(const json_t *o, const char *key)
{
	assert_true(json_is_integer(json_object_get(o, key)));
	return json_integer_value(json_object_get(o, key));
}

static void test_the_whole_view(void **state)
{
	struct ledger *l = ledger_on("0-2", 100000);
	const json_t *sets, *s, *memory, *contexts;
	struct spec *quiet;
	json_t *o;

	(void) state;
	hold(l, "pinned", "50%", "1")->cpu.share = 300;
	quiet = make("20%", "", "1G");
	quiet->memory.limit = 2 * GIB;
	assert_int_equal(ledger_add(l, "quiet", quiet, "frozen", false), 0);
	hold(l, "plain", "0%", "");
	assert_int_equal(ledger_json(l, &o), 0);
	sets = json_object_get(o, "cpu");
	assert_int_equal(json_array_size(sets), 2);
	s = json_array_get(sets, 0);
	assert_string_equal(json_string_value(json_object_get(s, "cpus")), "0-2");
	assert_int_equal(number(s, "capacity_millicpu"), 3000);
	assert_int_equal(number(s, "host_millicpu"), 300);
	assert_int_equal(number(s, "reserved_millicpu"), 700);
	assert_int_equal(number(s, "free_millicpu"), 2000);
	assert_int_equal(number(s, "shares"), 500);
	assert_int_equal(number(s, "contexts"), 3);
	s = json_array_get(sets, 1);
	assert_string_equal(json_string_value(json_object_get(s, "cpus")), "1");
	assert_int_equal(number(s, "reserved_millicpu"), 500);
	assert_int_equal(number(s, "free_millicpu"), 400);
	memory = json_object_get(o, "memory");
	assert_int_equal(number(memory, "reserved_bytes"), GIB);
	assert_int_equal(number(memory, "free_bytes"), 11 * GIB / 4);
	assert_int_equal(number(memory, "limits_bytes"), 2 * GIB);
	assert_int_equal(number(memory, "limitless"), 2);
	contexts = json_object_get(o, "contexts");
	assert_int_equal(json_array_size(contexts), 2); /* not what is not shown */
	s = json_array_get(contexts, 1);
	assert_string_equal(json_string_value(json_object_get(s, "name")), "plain");
	assert_int_equal(number(s, "cpu_share"), 100); /* without any budget */
	assert_int_equal(number(s, "cpu_reserve_millicpu"), 0);
	assert_true(json_is_null(json_object_get(s, "cpu_limit_millicpu")));
	json_decref(o);
	done(l);
}

static void test_the_view_of_disks(void **state)
{
	struct ledger *l = ledger_on("0", 0);
	const json_t *disks, *d, *contexts;
	json_t *o;

	(void) state;
	assert_int_equal(spec_set(holding(l, "web", "/dev/a1 60%"), "io.share", "/dev/b 300", NULL),
			 0);
	holding(l, "db", "/dev/a 20.5%");
	hold(l, "plain", "0%", "");
	assert_int_equal(ledger_json(l, &o), 0);
	disks = json_object_get(o, "disks");
	assert_int_equal(json_array_size(disks), 2);
	d = json_array_get(disks, 0);
	assert_string_equal(json_string_value(json_object_get(d, "device")), "/dev/a");
	assert_int_equal(number(d, "capacity_permille"), 1000);
	assert_int_equal(number(d, "host_permille"), 50);
	assert_int_equal(number(d, "reserved_permille"), 805);
	assert_int_equal(number(d, "free_permille"), 145);
	assert_int_equal(number(d, "shares"), 300);
	assert_int_equal(number(d, "holders"), 2);
	d = json_array_get(disks, 1);
	assert_int_equal(number(d, "shares"), 500);
	assert_int_equal(number(d, "holders"), 0);
	contexts = json_object_get(o, "contexts");
	d = json_object_get(json_array_get(contexts, 0), "disks");
	assert_int_equal(json_array_size(d), 2);
	assert_int_equal(number(json_array_get(d, 0), "reserve_permille"), 600);
	assert_int_equal(number(json_array_get(d, 0), "share"), 100);
	assert_int_equal(number(json_array_get(d, 1), "share"), 300);
	assert_int_equal(json_array_size(json_object_get(json_array_get(contexts, 2), "disks")), 0);
	json_decref(o);
	done(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_sum_stays_within_the_machine),
		cmocka_unit_test(test_each_set_of_cpus_counts),
		cmocka_unit_test(test_cpus_that_are_not_here),
		cmocka_unit_test(test_a_shortage_concerns_those_in_it),
		cmocka_unit_test(test_many_holders_are_summed_up),
		cmocka_unit_test(test_owners_learn_no_names),
		cmocka_unit_test(test_memory_is_one_sum),
		cmocka_unit_test(test_the_whole_view),
		cmocka_unit_test(test_each_disk_is_one_sum),
		cmocka_unit_test(test_owners_learn_no_names_of_disks),
		cmocka_unit_test(test_the_view_of_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
