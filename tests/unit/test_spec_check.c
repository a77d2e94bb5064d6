/* The rules across keys: each refuses what it is for, with the line when it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

#define COMMAND "[context]\ncommand = /bin/true\n"

/* Reads and checks; `line` NULL: all is well. */
static void expect(const char *text, const char *line)
{
	struct spec_errors errors = { 0 };
	struct spec s;

	assert_int_equal(spec_init(&s, "t"), 0);
	int r = spec_read_ini(&s, text, strlen(text), "t.ini", &errors);
	if (r < 0)
		fail_msg("%s", errors.lines.items[0]);
	r = spec_check(&s, "t.ini", &errors);
	if (line) {
		assert_int_equal(r, -EINVAL);
		assert_string_equal(errors.lines.items[0], line);
		assert_int_equal(errors.lines.count, 1);
	} else if (r < 0) {
		fail_msg("%s", errors.lines.items[0]);
	}
	spec_errors_done(&errors);
	spec_done(&s);
}

/* Of several errors, `part` stands in one. */
static void expect_part(const char *text, const char *part)
{
	struct spec_errors errors = { 0 };
	bool said = false;
	struct spec s;

	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_read_ini(&s, text, strlen(text), "t.ini", &errors), 0);
	assert_int_equal(spec_check(&s, "t.ini", &errors), -EINVAL);
	for (size_t i = 0; i < errors.lines.count; i++)
		said |= strstr(errors.lines.items[i], part) != NULL;
	if (!said)
		fail_msg("\"%s\": not \"%s\" but \"%s\"", text, part, errors.lines.items[0]);
	spec_errors_done(&errors);
	spec_done(&s);
}

static void test_command_and_init(void **state)
{
	(void) state;
	expect(COMMAND, NULL);
	expect("[context]\ninit = /sbin/init\n", NULL);
	expect("", "t.ini: context.command: is missing; allowed without one: init = PATH, as in "
		   "/sbin/init");
	expect("[context]\ncommand = ''\n",
	       "t.ini:2: context.command: its first word, the program, is empty");
	expect("[context]\ninit = /sbin/init\ncommand = x\n",
	       "t.ini:3: context.command: is not run when init is a path; allowed with a command: "
	       "init = fake, none");
	expect("[context]\ninit = /sbin/init\nuser = x\n",
	       "t.ini:3: context.user: does not apply when init is a path, which runs as root");
	expect("[context]\ninit = /sbin/init\ndirectory = /srv\n",
	       "t.ini:3: context.directory: does not apply when init is a path, which starts in /");
}

static void test_environment(void **state)
{
	(void) state;
	expect(COMMAND "environment = A=1 AB=2\n", NULL);
	expect(COMMAND "environment = A=1\nenvironment = AB=2 A=3\n",
	       "t.ini:4: context.environment: A is set twice");
}

static void test_order(void **state)
{
	(void) state;
	expect(COMMAND "after = db cache\nmark = web\nautostart = yes\n", NULL);
	expect(COMMAND "after = db t\n", "t.ini:3: context.after: t cannot be after itself");
}

static void test_hooks(void **state)
{
	(void) state;
	expect(COMMAND "[hooks]\nbefore-start = /bin/sh -c 'exit 0'\ntimeout = 1h\n", NULL);
	expect(COMMAND "[hooks]\nafter-stop = sh -c 'exit 0'\n",
	       "t.ini:4: hooks.after-stop: \"sh\": a program of the host is needed by its absolute "
	       "path");
	expect(COMMAND "[hooks]\nbefore-stop = /bin/../x\n",
	       "t.ini:4: hooks.before-stop: \"/bin/../x\": a program of the host is needed by its "
	       "absolute path");
}

static void test_root_and_mode(void **state)
{
	(void) state;
	expect(COMMAND "[files]\nroot = /srv/x\nmode = read-write\n", NULL);
	expect(COMMAND "[files]\nupper = kept:1G\n", NULL);
	expect(COMMAND "[files]\nroot = /\n",
	       "t.ini:4: files.root: \"/\" is this host itself; allowed: host, which masks its "
	       "secrets, or a directory below /");
	expect(COMMAND "[files]\nmode = read-write\n", "t.ini:4: files.mode: read-write would give "
						       "the host's root away; allowed with root = "
						       "host: cow, read-only");
	expect(COMMAND "[files]\nmode = read-only\nupper = kept:1G\n",
	       "t.ini:5: files.upper: a kept upper has no use without mode = cow");
	expect(COMMAND "[files]\nroot = /srv/x\nshow = /root\n",
	       "t.ini:5: files.show: only root = host masks paths that could be shown");
}

static void test_places(void **state)
{
	(void) state;
	expect(COMMAND "[files]\nbind = /procx:/system\nhide = /root\n", NULL);
	expect(COMMAND "[files]\nbind = /srv:/\n",
	       "t.ini:4: files.bind: \"/\" is the root; allowed: paths below it");
	expect(COMMAND "[files]\nbind = /a\nbind = /srv:/proc/sys\n",
	       "t.ini:5: files.bind: \"/proc/sys\": /proc is made by Ward");
	expect(COMMAND "[files]\ntmpfs = /sys:1M\n",
	       "t.ini:4: files.tmpfs: \"/sys\": /sys is made by Ward");
	expect(COMMAND "[files]\nhide = /a /\n",
	       "t.ini:4: files.hide: \"/\" is the root; allowed: paths below it");
	expect(COMMAND "[files]\nbind = /a:/x\nbind = /b:/x\n",
	       "t.ini:5: files.bind: the target \"/x\" is bound twice");
	expect(COMMAND "[files]\ntmpfs = /x:1M\ntmpfs = /x:2M\n",
	       "t.ini:5: files.tmpfs: the target \"/x\" is given twice");
	expect(COMMAND "[files]\nbind = /a:/x\ntmpfs = /x:2M\n",
	       "t.ini:5: files.tmpfs: the target \"/x\" is a bind's too");
	expect(COMMAND "[files]\nhide = /x\nshow = /y /x\n",
	       "t.ini:5: files.show: \"/x\" is hidden too");
	expect(COMMAND "[files]\ndevice = /dev/kvm /dev/fuse\ndevice = /dev/kvm\n",
	       "t.ini:5: files.device: \"/dev/kvm\" is given twice");
}

static void test_limits(void **state)
{
	(void) state;
	expect(COMMAND "[cpu]\nlimit = 50%\nburst = 500ms\n[memory]\nlimit = 1G\nreserve = 1G\n",
	       NULL);
	expect(COMMAND "[cpu]\nlimit = 50%\nreserve = 50%\ncpus = 0,2\n", NULL);
	expect(COMMAND "[cpu]\nlimit = 50%\nreserve = 50.1%\n",
	       "t.ini:5: cpu.reserve: 50.1% is more than cpu.limit; allowed: at most 50%");
	expect(COMMAND "[cpu]\ncpus = 0,2-3\nreserve = 301%\n",
	       "t.ini:5: cpu.reserve: 301% is more than the CPUs of cpu.cpus (0,2-3) have; "
	       "allowed: at most 300%");
	expect(COMMAND "[cpu]\nburst = 1ms\n",
	       "t.ini:4: cpu.burst: there is no cpu.limit to burst above");
	expect(COMMAND "[cpu]\nlimit = 5%\nburst = 60ms\n",
	       "t.ini:5: cpu.burst: 60ms is more than cpu.limit grants in a second; allowed: at "
	       "most "
	       "50ms");
	expect(COMMAND "[memory]\nlimit = 64M\nreserve = 65M\n",
	       "t.ini:5: memory.reserve: 65M is more than memory.limit; allowed: at most 64M");
	expect(COMMAND "[memory]\nlimit = 64M\nsoft = 65M\n",
	       "t.ini:5: memory.soft: 65M is more than memory.limit; allowed: at most 64M");
	expect(COMMAND "[memory]\nreserve = 8M\nsoft = 4M\n",
	       "t.ini:5: memory.soft: 4M is less than memory.reserve; allowed: at least 8M");
	expect(COMMAND "[memory]\nlimit = 64M\nreserve = 8M\nsoft = 64M\n", NULL);
	expect(COMMAND "[process]\nrlimit = nofile 1\nrlimit = stack 8M\nrlimit = nofile 2\n",
	       "t.ini:6: process.rlimit: this resource is limited twice");
	expect(COMMAND "[io]\nshare = /dev/a 5\nshare = /dev/a 6\n",
	       "t.ini:5: io.share: \"/dev/a\" has two shares");
	expect(COMMAND "[io]\nreserve = /dev/a 5%\nreserve = /dev/b 5%\nreserve = /dev/a 6%\n",
	       "t.ini:6: io.reserve: \"/dev/a\" is reserved twice");
	expect(COMMAND "[io]\nlimit = /dev/a read 1B/s\nlimit = /dev/a write 1B/s\n",
	       "t.ini:5: io.limit: \"/dev/a\" is limited twice");
}

static void test_without_lines_the_entry_is_named(void **state)
{
	struct spec_errors errors = { 0 };
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_set(&s, "files.bind", "/a:/x\n/b:/y\n/c:/x", NULL), 0);
	assert_int_equal(spec_check(&s, "spec", &errors), -EINVAL);
	assert_int_equal(errors.lines.count, 2);
	assert_string_equal(
		errors.lines.items[0],
		"spec: context.command: is missing; allowed without one: init = PATH, as "
		"in /sbin/init");
	assert_string_equal(errors.lines.items[1],
			    "spec: files.bind[2]: the target \"/x\" is bound twice");
	spec_errors_done(&errors);
	spec_done(&s);
}

static void test_owners_and_grants(void **state)
{
	(void) state;
	expect(COMMAND "owner = alice 1000\ngrant = cpu.limit cpu.share\n", NULL);
	expect(COMMAND "owner = alice 99999\n[process]\nids = 100000:65536\n", NULL);
	expect(COMMAND "owner = alice\nowner = 0 100007\n[process]\nids = 100000:65536\n",
	       "t.ini:4: context.owner: 100007 is one of the context's own ids; allowed: users "
	       "outside process.ids");
	expect(COMMAND "grant = cpu.limit\ngrant = cpu.limit <= 5%\n",
	       "t.ini:4: context.grant: a key is granted twice");
}

static void test_network_values(void **state)
{
	static const struct {
		const char *key, *value, *message;
	} bad[] = {
		{ "network]\naddress", "10.0.0.5/24@eth0 127.0.0.1",
		  "network.address: \"127.0.0.1\" is not an address that a host can have for its "
		  "own; "
		  "allowed: ADDRESS or ADDRESS/PREFIX, with mode = shared of this host, or "
		  "ADDRESS/PREFIX@INTERFACE, at most 16" },
		{ "network]\nlisten", "80",
		  "network.listen: \"80\" is not tcp:PORT or udp:PORT; allowed: tcp:PORT or "
		  "udp:PORT, at "
		  "most 32" },
		{ "network]\nconnect", "10.0.0.1/8",
		  "network.connect: \"10.0.0.1/8\" has bits beyond its prefix length; allowed: "
		  "any, none, "
		  "or networks such as 10.0.0.0/8 10.1.2.3:5432 [fd00::/8]:443, at most 32" },
		{ "network]\nallow", "raw",
		  "network.allow: \"raw\" is unknown; allowed: multicast, ping, contexts" },
		{ "network]\nlimit", "0Mbit",
		  "network.limit: \"0Mbit\" is out of range; allowed: "
		  "8Kbit..1Tbit, max, or out RATE in RATE" },
		{ "network]\nlimit", "10",
		  "network.limit: \"10\" is not a rate; allowed: "
		  "8Kbit..1Tbit, max, or out RATE in RATE" },
		{ "network]\nlimit", "up 1Mbit",
		  "network.limit: \"up\" is not out or in; allowed: "
		  "8Kbit..1Tbit, max, or out RATE in RATE" },
		{ "network]\nlimit", "in 1Mbit in 2Mbit",
		  "network.limit: \"in\" is given twice; allowed: "
		  "8Kbit..1Tbit, max, or out RATE in RATE" },
		{ "network]\nlimit", "in 1Mbit out",
		  "network.limit: \"out\" is not followed by a value; allowed: "
		  "8Kbit..1Tbit, max, or out RATE in RATE" },
		{ "network]\nreserve", "7Kbit",
		  "network.reserve: \"7Kbit\" is out of range; allowed: "
		  "0Kbit, 8Kbit..1Tbit, or out RATE in RATE, at most the limit" },
		{ "network]\nreserve", "max",
		  "network.reserve: \"max\" is out of range; allowed: "
		  "0Kbit, 8Kbit..1Tbit, or out RATE in RATE, at most the limit" },
		{ "network]\nshare", "0",
		  "network.share: \"0\" is out of range; allowed: "
		  "1..1000, or out NUMBER in NUMBER" },
		{ "network]\ndns", "ns1",
		  "network.dns: \"ns1\" is not an address; allowed: addresses" },
	};
	char text[200], message[400];

	(void) state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct spec_errors errors = { 0 };
		struct spec s;

		(void) snprintf(text, sizeof(text), "[%s = %s\n", bad[i].key, bad[i].value);
		(void) snprintf(message, sizeof(message), "t.ini:2: %s", bad[i].message);
		assert_int_equal(spec_init(&s, "t"), 0);
		assert_int_equal(spec_read_ini(&s, text, strlen(text), "t.ini", &errors), -EINVAL);
		assert_string_equal(errors.lines.items[0], message);
		spec_errors_done(&errors);
		spec_done(&s);
	}
}

static void test_network(void **state)
{
#define SHARED COMMAND "[network]\nmode = shared\n"
	(void) state;
	expect(SHARED "address = 10.0.0.5\n", NULL);
	expect(SHARED, "t.ini: network.address[0]: is missing; mode = shared needs at least one");
	expect(SHARED "address = 10.0.0.5 10.0.0.6 10.0.0.5\n",
	       "t.ini:5: network.address: \"10.0.0.5\" is given twice");
	expect(SHARED "address = 10.0.0.5\nconnect = 10.0.0.0/8 any\n",
	       "t.ini:6: network.connect: \"any\" stands alone; allowed: any, none, or networks");
	expect(COMMAND "[network]\nlisten = tcp:80\n",
	       "t.ini:4: network.listen: has no meaning without mode = shared or private");
	expect(COMMAND "[network]\nmode = host\ndns = 192.0.2.53\n",
	       "t.ini:5: network.dns: has no meaning without mode = shared or private");
	expect(SHARED "address = 10.0.0.5\ndns = 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4\n",
	       "t.ini:6: network.dns: more than 3; allowed: at most 3");
#undef SHARED
}

/* Nothing that is said is left out in silence. */
static void test_private_network(void **state)
{
#define PRIVATE COMMAND "[network]\nmode = private\n"
#define BRIDGED PRIVATE "bridge = ward0\n"
#define SHARED_ONE COMMAND "[network]\nmode = shared\naddress = 10.0.0.5\n"
	static const char *const good[] = {
		PRIVATE,
		PRIVATE "address = 10.0.0.5 fd00::5\n",
		PRIVATE "address = 10.0.0.5/24@eth0 fd00::5/64@eth0\n",
		BRIDGED "address = 10.0.0.5/24@ward0\n",
		SHARED_ONE "allow = contexts\n",
		PRIVATE "address = 10.0.0.5/32\nmac = 02:00:00:00:00:05\nforward = tcp:80:80\n",
		BRIDGED "address = 10.0.0.5/24 fd00::5/64\ngateway = 10.0.0.9 fd00::9\n",
		BRIDGED "address = 10.0.0.5/30\ngateway = none\nallow = contexts ping multicast\n",
		BRIDGED
		"address = 10.0.0.5/24\nlisten = tcp:80\nconnect = none\nmasquerade = yes\n",
	};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ BRIDGED, "network.bridge: has no meaning without network.address" },
		{ PRIVATE "dns = 192.0.2.53\n", "has no meaning without network.address" },
		{ PRIVATE "address = 10.0.0.5/24\n", "needs network.bridge" },
		{ PRIVATE "address = 10.0.0.5\ngateway = 10.0.0.1\n", "without network.bridge" },
		{ BRIDGED "address = 10.0.0.5\n", "with a prefix of at most 30" },
		{ BRIDGED "address = fd00::5/127\n", "with a prefix of at most 126" },
		{ BRIDGED "address = 10.0.0.5/24@eth0\n", "allowed: @ward0, or none" },
		{ BRIDGED "address = 10.0.0.5/24\ngateway = none 10.0.0.1\n", "stands alone" },
		{ BRIDGED "address = 10.0.0.5/24\ngateway = 10.0.0.1 10.0.0.2\n", "one of each" },
		{ BRIDGED "address = 10.0.0.5/24\nforward = tcp:80:80 tcp:80:81\n",
		  "has two destinations" },
		{ BRIDGED "address = 10.0.0.5/24\ngateway = none\nforward = tcp:80:80\n",
		  "has no meaning with gateway = none" },
		{ SHARED_ONE "bridge = ward0\n", "has no meaning without mode = private" },
		{ SHARED_ONE "masquerade = yes\n", "has no meaning without mode = private" },
		{ COMMAND "[network]\nmac = 02:00:00:00:00:05\n", "without mode = private" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		expect(good[i], NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_part(bad[i].text, bad[i].why);
#undef PRIVATE
#undef BRIDGED
#undef SHARED_ONE
}

static void test_shaping(void **state)
{
#define SHAPED COMMAND "[network]\nmode = shared\naddress = 10.0.0.5\n"
	(void) state;
	expect(SHAPED "reserve = 10Mbit\nshare = 1000\nlimit = out 10Mbit in 20Mbit\n"
		      "burst = in 23M\n",
	       NULL);
	expect(SHAPED "reserve = 2Mbit\nlimit = in 1Mbit\n",
	       "t.ini:6: network.reserve: in 2Mbit is more than network.limit; allowed: at most "
	       "1Mbit");
	expect(SHAPED "burst = 1M\nlimit = in 1Mbit\n",
	       "t.ini:6: network.burst: there is no network.limit out to burst above");
	expect(SHAPED "burst = out 10M\nlimit = 1Mbit\n",
	       "t.ini:6: network.burst: out 10M is more than network.limit grants in ten seconds; "
	       "allowed: at most 1250000");
	expect(COMMAND "[network]\nlimit = 1Mbit\n",
	       "t.ini:4: network.limit: has no meaning without mode = shared, or private with "
	       "network.address");
	expect(COMMAND "[network]\nmode = private\naddress = 10.0.0.5\nlimit = 1Mbit\n", NULL);
	expect(COMMAND "[network]\nmode = private\naddress = 10.0.0.5\nreserve = 1Mbit\n",
	       "t.ini:6: network.reserve: has no meaning without mode = shared");
#undef SHAPED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_and_init),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_owners_and_grants),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_root_and_mode),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_without_lines_the_entry_is_named),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_shaping),
		cmocka_unit_test(test_network_values),
		cmocka_unit_test(test_private_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
