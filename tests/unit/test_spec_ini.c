/* What the INI reader accepts and how it refuses: each message to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "spec/spec.h"

static int read_text(struct spec *s, const char *text, size_t len, struct spec_errors *errors)
{
	*errors = (struct spec_errors){ 0 };
	assert_int_equal(spec_init(s, "t"), 0);
	return spec_read_ini(s, text, len, "t.ini", errors);
}

static void expect_key(const char *text, const char *key, const char *expected)
{
	struct spec_errors errors;
	struct buf out = { 0 };
	struct spec s;

	int r = read_text(&s, text, strlen(text), &errors);
	if (r < 0)
		fail_msg("%s", errors.lines.count ? errors.lines.items[0] : "no message");
	assert_int_equal(spec_get(&s, key, &out, NULL), 0);
	assert_string_equal(out.data ? out.data : "", expected);
	buf_done(&out);
	spec_errors_done(&errors);
	spec_done(&s);
}

/* Every line of the list, in order, and no more. */
static void expect_errors(const char *text, const char *const *lines)
{
	struct spec_errors errors;
	struct spec s;
	size_t i = 0;

	assert_int_equal(read_text(&s, text, strlen(text), &errors), -EINVAL);
	for (; lines[i]; i++) {
		assert_true(i < errors.lines.count);
		assert_string_equal(errors.lines.items[i], lines[i]);
	}
	assert_int_equal(errors.lines.count, i);
	spec_errors_done(&errors);
	spec_done(&s);
}

static void expect_error(const char *text, const char *line)
{
	expect_errors(text, (const char *const[]){ line, NULL });
}

/* --- what is accepted --- */

static void test_the_file_of_the_design_is_read(void **state)
{
	static const char text[] = "[context]\n"
				   "description = public web server\n"
				   "command     = /usr/sbin/nginx -g \"daemon off;\"\n"
				   "init        = fake                 ; fake | none | /sbin/init\n"
				   "environment = LANG=C.UTF-8\n"
				   "stop        = TERM 10s KILL        ; signal, wait, signal\n"
				   "\n[files]\n"
				   "bind    = /srv/www:/srv/www:ro\n"
				   "tmpfs   = /tmp:64M\n"
				   "hide    = /root /home\n"
				   "[process]\n"
				   "rlimit       = nofile 4096\n"
				   "[io]\nlimit   = /dev/vda read 50MB/s write 20MB/s\n";

	(void) state;
	expect_key(text, "context.description", "public web server");
	expect_key(text, "context.command", "/usr/sbin/nginx -g 'daemon off;'");
	expect_key(text, "context.init", "fake");
	expect_key(text, "context.environment", "LANG=C.UTF-8");
	expect_key(text, "context.stop", "TERM 10s KILL");
	expect_key(text, "files.bind", "/srv/www:/srv/www:ro");
	expect_key(text, "files.tmpfs", "/tmp:64M");
	expect_key(text, "files.hide", "/root\n/home");
	expect_key(text, "process.rlimit", "nofile 4096");
	expect_key(text, "io.limit", "/dev/vda read 50MB/s write 20MB/s");
	expect_key(text, "cpu.share", "100");
}

static void test_comments_end_values_only_after_a_blank_and_outside_quotes(void **state)
{
	(void) state;
	expect_key("[cpu]\n\tshare\t=  7 ; c\n", "cpu.share", "7");
	expect_key("# c\n; c\n  # c\n  [ cpu ]  ; c\nshare=8\n", "cpu.share", "8");
	expect_key("[context]\ndescription = a;b # c ; d\n", "context.description", "\"a;b # c\"");
	expect_key("[context]\ncommand = sh -c 'a ; b' \"c ; d\" $'e ; \\' f' ; g\n",
		   "context.command", "sh -c 'a ; b' 'c ; d' \"e ; ' f\"");
	expect_key("[context]\ndescription = Bob's ; and more\n", "context.description", "Bob's");
}

static void test_line_ends_and_bom(void **state)
{
	(void) state;
	expect_key("\xef\xbb\xbf[cpu]\r\nshare = 7\r\n", "cpu.share", "7");
	expect_key("[cpu]\nshare = 7", "cpu.share", "7");
	expect_key("", "cpu.share", "100");
}

static void test_indented_lines_are_lines(void **state)
{
	(void) state;
	expect_key("[cpu]\nshare = 7\n   burst = 1ms\n", "cpu.burst", "1ms");
}

static void test_lists_grow_and_empty(void **state)
{
	(void) state;
	expect_key("[files]\nhide = /a /b\nhide = '/c d'\n", "files.hide", "/a\n/b\n'/c d'");
	expect_key("[files]\nhide = /a\nhide =\n", "files.hide", "/a");
	expect_key("[cpu]\nshare = 3\n[files]\n[cpu]\ncpus =\n", "cpu.share", "3");
}

static void test_a_file_replaces_the_list_that_was_there(void **state)
{
	struct spec_errors errors = { 0 };
	struct spec s;

	(void) state;
	assert_int_equal(spec_init(&s, "t"), 0);
	assert_int_equal(spec_set(&s, "files.hide", "/old", NULL), 0);
	assert_int_equal(spec_read_ini(&s, "[files]\nhide=/new\n", 18, "t", &errors), 0);
	assert_int_equal(s.files.hide.count, 1);
	assert_string_equal(s.files.hide.items[0], "/new");
	spec_done(&s);
	spec_errors_done(&errors);
}

static void test_long_lines_are_read_whole(void **state)
{
	struct spec_errors errors;
	struct buf text = { 0 };
	struct spec s;

	(void) state;
	buf_puts(&text, "[context]\ncommand = /bin/true");
	for (unsigned i = 0; i < 20000; i++)
		buf_printf(&text, "%s", i % 2000 ? "abcdefghij" : " x");
	assert_int_equal(read_text(&s, text.data, text.len, &errors), 0);
	assert_int_equal(s.context.command.count, 11);
	assert_int_equal(strlen(s.context.command.items[10]), 19991);
	spec_done(&s);
	spec_errors_done(&errors);
	buf_done(&text);
}

static void test_the_longest_text_and_one_byte_more(void **state)
{
	struct spec_errors errors;
	char *text = malloc(SPEC_INI_MAX + 1);
	struct spec s;

	(void) state;
	assert_non_null(text);
	memset(text, 'x', SPEC_INI_MAX + 1);
	text[0] = '#'; /* one comment */
	assert_int_equal(read_text(&s, text, SPEC_INI_MAX, &errors), 0);
	spec_done(&s);
	assert_int_equal(read_text(&s, text, SPEC_INI_MAX + 1, &errors), -EFBIG);
	spec_done(&s);
	free(text);
}

static void test_files_give_the_name(void **state)
{
	char dir[] = "/tmp/ward-test-XXXXXX", path[64];
	struct spec_errors errors = { 0 };
	struct spec s;

	(void) state;
	assert_non_null(mkdtemp(dir));
	(void) snprintf(path, sizeof(path), "%s/web-1.ini", dir);
	assert_int_equal(file_replace_at(-1, path, "[cpu]\nshare = 9\n", 16, 0600), 0);
	assert_int_equal(spec_read_file(&s, path, &errors), 0);
	assert_string_equal(s.name, "web-1");
	assert_int_equal(s.cpu.share, 9);
	spec_done(&s);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(spec_read_file(&s, path, &errors), -ENOENT);
	spec_done(&s);
	assert_int_equal(rmdir(dir), 0);
	spec_errors_done(&errors);
}

/* --- what is refused --- */

static void test_typos_are_answered_with_the_nearest(void **state)
{
	(void) state;
	expect_error("[cpu]\nlimti = 5%\n", "t.ini:2: cpu.limti: no such key; did you mean limit? "
					    "allowed: share, reserve, limit, "
					    "burst, cpus, mems");
	expect_error("\n[proces]\nlimit = 1\n",
		     "t.ini:2: [proces]: no such section; did you mean process? allowed: context, "
		     "files, process, cpu, memory, io, network, hooks");
	expect_error("[cpu]\nswap = 0\n", "t.ini:2: cpu.swap: no such key (memory has one); "
					  "allowed: share, reserve, limit, burst, cpus, mems");
	expect_error("[network]\nfrobnicate = 0\n",
		     "t.ini:2: network.frobnicate: no such key; allowed: mode, "
		     "address, listen, connect, allow, dns, bridge, gateway, mac, forward, "
		     "masquerade, reserve, share, limit, burst");
	expect_error("[files]\nmode = cwo\n",
		     "t.ini:2: files.mode: \"cwo\" is unknown; did you mean "
		     "cow? allowed: cow, read-only, read-write");
	expect_error(
		"[process]\ncapability = default +net_admin\n",
		"t.ini:2: process.capability: \"net_admin\" is unknown; did you mean net-admin? "
		"allowed: default, none, all, names such as net-bind-service, or changes of the "
		"default: +net-admin -kill");
	expect_error(
		"[process]\nrlimit = nofiles 1\n",
		"t.ini:2: process.rlimit: \"nofiles\" is unknown; did you mean nofile? allowed: "
		"NAME VALUE or NAME SOFT:HARD with numbers, sizes or max: nofile 1024:4096");
}

static void test_malformed_lines(void **state)
{
	(void) state;
	expect_error("[cpu\nshare = 1\n",
		     "t.ini:1: the section's ] is missing; allowed: [SECTION]");
	expect_error("[cpu] x\n", "t.ini:1: text follows the section's ]; allowed: [SECTION]");
	expect_error("[cpu]\nshare\n",
		     "t.ini:2: not a setting; allowed: KEY = VALUE, [SECTION], # comment");
	expect_error("[cpu]\nshare: 7\n",
		     "t.ini:2: not a setting; allowed: KEY = VALUE, [SECTION], # comment");
	expect_error("[cpu]\n= 7\n",
		     "t.ini:2: not a setting; allowed: KEY = VALUE, [SECTION], # comment");
	expect_error("share = 7\n",
		     "t.ini:1: a setting before the first section; allowed: [SECTION]");
	expect_error("[cpu]\nshare = 7\x01\n", "t.ini:2: a control character in the line");
	expect_error("[cpu]\rshare = 7\n", "t.ini:1: a control character in the line");
	expect_error("[context]\ndescription = \xff\n", "t.ini:2: the line is not UTF-8");
	expect_error("[context]\ndescription = \xed\xa0\x80\n", "t.ini:2: the line is not UTF-8");
}

static void test_nul_bytes(void **state)
{
	static const char text[] = "[cpu]\nshare = 7\0 8\n";
	struct spec_errors errors;
	struct spec s;

	(void) state;
	assert_int_equal(read_text(&s, text, sizeof(text) - 1, &errors), -EINVAL);
	assert_string_equal(errors.lines.items[0], "t.ini:2: a NUL byte in the line");
	spec_errors_done(&errors);
	spec_done(&s);
}

static void test_a_key_given_twice(void **state)
{
	(void) state;
	expect_error("[cpu]\nshare = 1\n\n[files]\n[cpu]\nshare = 1\n",
		     "t.ini:6: cpu.share: given twice; the first is on line 2");
}

static const struct {
	const char *key, *value, *message;
} bad_values[] = {
	{ "context]\ncommand", "sh 'x", "context.command: a quote (') is not closed" },
	{ "context]\ncommand", "sh $'\\q'",
	  "context.command: an unknown escape in $'...'; allowed: \\n \\t \\r \\e \\\\ \\' \\\" "
	  "\\xHH" },
	{ "context]\ncommand", "sh $'\\x00'",
	  "context.command: an unknown escape in $'...'; allowed: \\n \\t \\r \\e \\\\ \\' \\\" "
	  "\\xHH" },
	{ "context]\ncommand", "sh $'\\xff'", "context.command: an escape that makes no UTF-8" },
	{ "context]\ncommand", "sh \\", "context.command: a backslash at the end" },
	{ "context]\ndescription", "\"a\" b",
	  "context.description: text follows the closing quote" },
	{ "context]\ndescription", "$'a\\nb'",
	  "context.description: \"a?b\" has a control character; allowed: one line of text" },
	{ "context]\ninit", "sbin/init",
	  "context.init: \"sbin/init\" is unknown; allowed: fake, none or the absolute PATH of "
	  "a program in the view" },
	{ "context]\ninit", "/sbin/../init",
	  "context.init: \"/sbin/../init\" is not a clean absolute path; allowed: fake, none "
	  "or the absolute PATH of a program in the view" },
	{ "context]\nuser", "-x",
	  "context.user: \"-x\" is not USER or USER:GROUP; allowed: USER "
	  "or USER:GROUP, names or numbers" },
	{ "context]\nuser", "4294967295",
	  "context.user: \"4294967295\" is not USER or USER:GROUP; allowed: USER or "
	  "USER:GROUP, names or numbers" },
	{ "context]\nhostname", "a_b",
	  "context.hostname: \"a_b\" is not a host name; allowed: "
	  "letters, digits, '-' and '.', at most 64" },
	{ "context]\nhostname", "a..b",
	  "context.hostname: \"a..b\" is not a host name; allowed: "
	  "letters, digits, '-' and '.', at most 64" },
	{ "context]\ndirectory", "tmp",
	  "context.directory: \"tmp\" is not a clean absolute path; allowed: an absolute path, "
	  "no . or .. in it" },
	{ "context]\nenvironment", "A=1 9B=2",
	  "context.environment: \"9B=2\" is not NAME=VALUE; allowed: NAME=VALUE, quoted as in a "
	  "shell where VALUE has blanks" },
	{ "context]\nstop", "TERM KILL",
	  "context.stop: \"KILL\" is not a duration; allowed: default, or signals with waits "
	  "between them: TERM 10s KILL" },
	{ "context]\nstop", "TERM 10s",
	  "context.stop: \"10s\" is not followed by a signal; allowed: default, or signals with "
	  "waits between them: TERM 10s KILL" },
	{ "context]\nstop", "BOGUS",
	  "context.stop: \"BOGUS\" is not a signal; allowed: default, "
	  "or signals with waits between them: TERM 10s KILL" },
	{ "files]\nroot", "/srv/./x",
	  "files.root: \"/srv/./x\" is not a clean absolute path; "
	  "allowed: host or the absolute path of a DIRECTORY" },
	{ "context]\nlog", "file:1K",
	  "context.log: \"file:1K\" has a size out of range; allowed: file, file:SIZE (64K..1T), "
	  "journal or none" },
	{ "context]\nlog", "file:",
	  "context.log: \"file:\" has a size that is none; allowed: file, file:SIZE (64K..1T), "
	  "journal or none" },
	{ "context]\nlog", "journal:1M",
	  "context.log: \"journal:1M\" is unknown; did you mean journal? allowed: file, file:SIZE "
	  "(64K..1T), journal or none" },
	{ "files]\nupper", "tmpfs",
	  "files.upper: \"tmpfs\" has no size; allowed: tmpfs:SIZE or kept:SIZE, 1M..16T" },
	{ "files]\nupper", "tmpfs:max",
	  "files.upper: \"tmpfs:max\" has a size out of range; "
	  "allowed: tmpfs:SIZE or kept:SIZE, 1M..16T" },
	{ "files]\nupper", "kept:0",
	  "files.upper: \"kept:0\" has a size out of range; allowed: "
	  "tmpfs:SIZE or kept:SIZE, 1M..16T" },
	{ "files]\nupper", "kept:big",
	  "files.upper: \"kept:big\" has a size that is none; "
	  "allowed: tmpfs:SIZE or kept:SIZE, 1M..16T" },
	{ "files]\nbind", "srv",
	  "files.bind: \"srv\" has a source that is not a clean absolute "
	  "path; allowed: SOURCE, SOURCE:TARGET, SOURCE:TARGET:ro or "
	  "SOURCE:TARGET:rw" },
	{ "files]\nbind", "/srv:/a/../b",
	  "files.bind: \"/srv:/a/../b\" has a target that is not a clean absolute path; allowed: "
	  "SOURCE, SOURCE:TARGET, SOURCE:TARGET:ro or SOURCE:TARGET:rw" },
	{ "files]\nbind", "/srv:/srv:rx",
	  "files.bind: \"/srv:/srv:rx\" is neither ro nor rw; allowed: SOURCE, SOURCE:TARGET, "
	  "SOURCE:TARGET:ro or SOURCE:TARGET:rw" },
	{ "files]\nbind", "/a:/b:ro:x",
	  "files.bind: \"/a:/b:ro:x\" has too many parts; allowed: SOURCE, SOURCE:TARGET, "
	  "SOURCE:TARGET:ro or SOURCE:TARGET:rw" },
	{ "files]\ntmpfs", "/tmp",
	  "files.tmpfs: \"/tmp\" has no size; allowed: TARGET:SIZE, "
	  "4K..16T" },
	{ "files]\ntmpfs", "/tmp:max",
	  "files.tmpfs: \"/tmp:max\" has a size out of range; "
	  "allowed: TARGET:SIZE, 4K..16T" },
	{ "files]\nhide", "/a b",
	  "files.hide: \"b\" is not a clean absolute path; allowed: "
	  "absolute paths, no . or .. in them" },
	{ "files]\ndevice", "/etc/fuse",
	  "files.device: \"/etc/fuse\" is not a path below /dev; allowed: paths below /dev" },
	{ "process]\nlimit", "1",
	  "process.limit: \"1\" is out of range; allowed: 2..4194304 or max" },
	{ "process]\nlimit", "ten",
	  "process.limit: \"ten\" is not a number; allowed: 2..4194304 or max" },
	{ "process]\nlimit", "99999999999999999999",
	  "process.limit: \"99999999999999999999\" is out of range; allowed: 2..4194304 or max" },
	{ "process]\nrlimit", "nofile",
	  "process.rlimit: \"nofile\" is not a name and a value; "
	  "allowed: NAME VALUE or NAME SOFT:HARD with numbers, "
	  "sizes or max: nofile 1024:4096" },
	{ "process]\nrlimit", "nofile 2:1",
	  "process.rlimit: \"nofile 2:1\" has a soft value above the hard one; allowed: NAME "
	  "VALUE or NAME SOFT:HARD with numbers, sizes or max: nofile 1024:4096" },
	{ "process]\nids", "0:65536",
	  "process.ids: \"0:65536\" is no range of ids; allowed: "
	  "auto, none or FIRST:COUNT, from 1 to 4294967294" },
	{ "process]\nids", "4294967000:296",
	  "process.ids: \"4294967000:296\" goes beyond the last id; allowed: auto, none or "
	  "FIRST:COUNT, from 1 to 4294967294" },
	{ "process]\nids", "1:2:3",
	  "process.ids: \"1:2:3\" is no range of ids; allowed: auto, "
	  "none or FIRST:COUNT, from 1 to 4294967294" },
	{ "process]\numask", "8",
	  "process.umask: \"8\" is not an octal mask; allowed: 000..777, octal" },
	{ "process]\numask", "1777",
	  "process.umask: \"1777\" is out of range; allowed: 000..777, octal" },
	{ "cpu]\nshare", "0", "cpu.share: \"0\" is out of range; allowed: 1..10000" },
	{ "cpu]\nshare", "max", "cpu.share: \"max\" is out of range; allowed: 1..10000" },
	{ "cpu]\nshare", "", "cpu.share: \"\" is not a number; allowed: 1..10000" },
	{ "cpu]\nlimit", "150",
	  "cpu.limit: \"150\" is not an amount of CPU; allowed: "
	  "1%..1000000% of one CPU, 20%m of the machine, or max" },
	{ "cpu]\nlimit", "0%",
	  "cpu.limit: \"0%\" is out of range; allowed: 1%..1000000% of one "
	  "CPU, 20%m of the machine, or max" },
	{ "cpu]\nreserve", "-5%",
	  "cpu.reserve: \"-5%\" is not an amount of CPU; allowed: 0%..1000000% of one CPU, 20%m of "
	  "the machine, at most the limit" },
	{ "cpu]\nreserve", "max",
	  "cpu.reserve: \"max\" is out of range; allowed: 0%..1000000% of one CPU, 20%m of the "
	  "machine, at most the limit" },
	{ "cpu]\nburst", "50",
	  "cpu.burst: \"50\" is not a duration; allowed: 0s..10s, at most "
	  "what the limit grants in a second" },
	{ "cpu]\ncpus", "0-",
	  "cpu.cpus: \"0-\" is not a list of numbers and ranges; allowed: "
	  "numbers and ranges such as 0-1,3" },
	{ "cpu]\ncpus", "3-1",
	  "cpu.cpus: \"3-1\" is not a list of numbers and ranges; allowed: "
	  "numbers and ranges such as 0-1,3" },
	{ "cpu]\ncpus", "8192",
	  "cpu.cpus: \"8192\" is not a list of numbers and ranges; "
	  "allowed: numbers and ranges such as 0-1,3" },
	{ "memory]\nlimit", "512m",
	  "memory.limit: \"512m\" is not a size; allowed: 1M..1024T or max" },
	{ "memory]\nlimit", "64K",
	  "memory.limit: \"64K\" is out of range; allowed: 1M..1024T or max" },
	{ "memory]\nreserve", "max", "memory.reserve: \"max\" is out of range; allowed: 0..1024T" },
	{ "memory]\nsoft", "64K",
	  "memory.soft: \"64K\" is out of range; allowed: 1M..1024T or max, at least the reserve, "
	  "at most the limit" },
	{ "memory]\noom", "all", "memory.oom: \"all\" is unknown; allowed: context, process" },
	{ "io]\nlimit", "vda read 1MB/s",
	  "io.limit: \"vda\" is not a path below /dev; allowed: DEVICE and one or more of read "
	  "RATE, write RATE, read-ops NUMBER, write-ops NUMBER: /dev/vda read 50MB/s write-ops "
	  "500" },
	{ "io]\nlimit", "/dev/vda",
	  "io.limit: \"/dev/vda\" sets no limit; allowed: DEVICE and one or more of read RATE, "
	  "write RATE, read-ops NUMBER, write-ops NUMBER: /dev/vda read 50MB/s write-ops 500" },
	{ "io]\nlimit", "/dev/vda read 0B/s",
	  "io.limit: \"0B/s\" is no rate; allowed: DEVICE and one or more of read RATE, write "
	  "RATE, read-ops NUMBER, write-ops NUMBER: /dev/vda read 50MB/s write-ops 500" },
	{ "io]\nlimit", "/dev/vda read 1B/s read 2B/s",
	  "io.limit: \"read\" is given twice; allowed: DEVICE and one or more of read RATE, "
	  "write RATE, read-ops NUMBER, write-ops NUMBER: /dev/vda read 50MB/s write-ops 500" },
	{ "network]\nmode", "bridged",
	  "network.mode: \"bridged\" is unknown; allowed: none, private, host, shared" },
};

static void test_values(void **state)
{
	char text[300], message[400];

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_values); i++) {
		(void) snprintf(text, sizeof(text), "[%s = %s\n", bad_values[i].key,
				bad_values[i].value);
		(void) snprintf(message, sizeof(message), "t.ini:2: %s", bad_values[i].message);
		expect_error(text, message);
	}
}

static void test_all_errors_are_told_at_once_in_order(void **state)
{
	static const char no_section[] = "t.ini:4: [nowhere]: no such section; allowed: context, "
					 "files, process, cpu, memory, io, network, hooks";

	(void) state;
	expect_errors("[cpu]\nshare = x\nbogus\n[nowhere]\nx = 1\n[network]\nmode = 1\n",
		      (const char *const[]){
			      "t.ini:2: cpu.share: \"x\" is not a number; allowed: 1..10000",
			      "t.ini:3: not a setting; allowed: KEY = VALUE, [SECTION], # comment",
			      no_section,
			      "t.ini:7: network.mode: \"1\" is unknown; allowed: none, private, "
			      "host, shared",
			      NULL });
}

static void test_errors_and_lists_are_bounded(void **state)
{
	struct spec_errors errors;
	struct buf text = { 0 };
	struct err e = { 0 };
	struct spec s;

	(void) state;
	for (unsigned i = 0; i < 1000; i++)
		buf_puts(&text, "bogus\n");
	assert_int_equal(read_text(&s, text.data, text.len, &errors), -EINVAL);
	assert_int_equal(errors.lines.count, SPEC_ERRORS_MAX + 1);
	assert_string_equal(errors.lines.items[SPEC_ERRORS_MAX],
			    "there are more errors than these");
	assert_int_equal(spec_errors_to_err(&errors, &e), -EINVAL);
	assert_non_null(strstr(e.text, "\nand "));
	spec_errors_done(&errors);
	spec_done(&s);

	buf_done(&text);
	buf_puts(&text, "[files]\n");
	for (unsigned i = 0; i <= SPEC_LIST_MAX; i++)
		buf_printf(&text, "tmpfs = /t%u:1M\nhide = /h%u\n", i, i);
	assert_int_equal(read_text(&s, text.data, text.len, &errors), -EINVAL);
	assert_int_equal(errors.lines.count, 2);
	assert_string_equal(errors.lines.items[0], "t.ini:514: files.tmpfs: more than 256 entries");
	assert_string_equal(errors.lines.items[1], "t.ini:515: files.hide: more than 256 entries");
	assert_int_equal(s.files.tmpfs_count, SPEC_LIST_MAX);
	spec_errors_done(&errors);
	spec_done(&s);
	buf_done(&text);
}

static void test_capability_words(void **state)
{
	static const char small[] = "chown dac-override fowner fsetid kill setgid setuid setpcap "
				    "net-bind-service sys-chroot setfcap";

	(void) state;
	expect_key("[process]\ncapability = none\n", "process.capability", "none");
	expect_key("[process]\ncapability = all\n", "process.capability", "all");
	expect_key("[process]\ncapability = kill,chown , bpf\n", "process.capability",
		   "chown kill bpf");
	expect_key("[process]\ncapability = -kill +kill\n", "process.capability", "default");
	expect_key("[process]\ncapability = none +kill\n", "process.capability", "kill");
	expect_key("[process]\ncapability = all -bpf +bpf\n", "process.capability", "all");

	char text[200];
	(void) snprintf(text, sizeof(text), "[process]\ncapability = %s\n", small);
	expect_key(text, "process.capability", "default");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_file_of_the_design_is_read),
		cmocka_unit_test(test_comments_end_values_only_after_a_blank_and_outside_quotes),
		cmocka_unit_test(test_line_ends_and_bom),
		cmocka_unit_test(test_indented_lines_are_lines),
		cmocka_unit_test(test_lists_grow_and_empty),
		cmocka_unit_test(test_a_file_replaces_the_list_that_was_there),
		cmocka_unit_test(test_long_lines_are_read_whole),
		cmocka_unit_test(test_the_longest_text_and_one_byte_more),
		cmocka_unit_test(test_files_give_the_name),
		cmocka_unit_test(test_typos_are_answered_with_the_nearest),
		cmocka_unit_test(test_malformed_lines),
		cmocka_unit_test(test_nul_bytes),
		cmocka_unit_test(test_a_key_given_twice),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_all_errors_are_told_at_once_in_order),
		cmocka_unit_test(test_errors_and_lists_are_bounded),
		cmocka_unit_test(test_capability_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
