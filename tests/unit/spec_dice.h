/* Random specs, with values as a file would have them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

struct dice {
	uint64_t state;
};

static unsigned roll(struct dice *d, unsigned sides)
{
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return sides ? (unsigned) (d->state >> 11) % sides : 0;
}

static const char *pick(struct dice *d, const char *const *words)
{
	unsigned n = 0;

	while (words[n])
		n++;
	return words[roll(d, n)];
}

/* A text of awkward characters. `plain` ones only where nothing else may stand. */
static void make_text(struct dice *d, bool controls, char *out, size_t size)
{
	static const char *const parts[] = { "a",    "Z",  "0",	      " ", ";",	 " ;",	   "#",
					     "'",    "\"", "\\",      "$", "$'", "`",	   "=",
					     ":",    ",",  "[",	      "]",
					     "é",	 "\u20ac", "~",
					     "*",    "&&", "%",	      "x", "\t", "\n",	   "\x01",
					     "\x7f", "\r", "\xc2\xa0" };
	unsigned n = roll(d, 12), kinds = ARRAY_SIZE(parts);

	out[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		const char *part = parts[roll(d, kinds)];

		if (!controls && ((unsigned char) *part < ' ' || *part == 0x7f))
			continue;
		(void) snprintf(out + strlen(out), size - strlen(out), "%s", part);
	}
}

static void make_path(struct dice *d, const char *prefix, char *out, size_t size)
{
	char text[200];

	make_text(d, false, text, sizeof(text));
	(void) snprintf(out, size, "%s/%u%s", prefix, roll(d, 100000), text);
}

struct maker {
	const char *key;
	void (*set)(struct dice *d, struct spec *s); /* or */
	const char *const *values;
};

#define VALUES(...)                                                                                \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void set_description(struct dice *d, struct spec *s)
{
	char text[200];

	make_text(d, false, text, sizeof(text));
	assert_int_equal(str_replace(&s->context.description, *text ? text : NULL), 0);
}

static void set_command(struct dice *d, struct spec *s)
{
	char text[200];

	for (unsigned n = roll(d, 6); n > 0; n--) {
		make_text(d, true, text, sizeof(text));
		assert_int_equal(strv_add(&s->context.command, text), 0);
	}
}

static void set_probe(struct dice *d, struct spec_probe *p)
{
	char text[200];

	strv_done(&p->command);
	*p = (struct spec_probe){ .kind = SPEC_PROBE_TCP };
	if (roll(d, 2)) {
		p->port = 1 + roll(d, 65535);
		return;
	}
	p->kind = SPEC_PROBE_EXEC;
	assert_int_equal(strv_add(&p->command, "/bin/check"), 0);
	for (unsigned n = roll(d, 4); n > 0; n--) {
		make_text(d, true, text, sizeof(text));
		assert_int_equal(strv_add(&p->command, text), 0);
	}
	if (roll(d, 3) == 0) { /* words that look like the interval */
		assert_int_equal(strv_add(&p->command, "every"), 0);
		assert_int_equal(strv_add(&p->command, "7s"), 0);
	}
}

static void set_ready(struct dice *d, struct spec *s)
{
	set_probe(d, &s->context.ready);
	if (roll(d, 3) == 0) {
		strv_done(&s->context.ready.command);
		s->context.ready = (struct spec_probe){ .kind = SPEC_PROBE_NOTIFY };
	}
}

static void set_health(struct dice *d, struct spec *s)
{
	set_probe(d, &s->context.health);
	s->context.health.every_us = 100000 + roll(d, 1u << 30);
}

static void set_environment(struct dice *d, struct spec *s)
{
	char text[200], variable[240];

	for (unsigned n = roll(d, 4); n > 0; n--) {
		make_text(d, true, text, sizeof(text));
		(void) snprintf(variable, sizeof(variable), "V%u=%s", roll(d, 1000), text);
		assert_int_equal(strv_add(&s->context.environment, variable), 0);
	}
}

static void set_paths(struct dice *d, struct strv *v, const char *prefix)
{
	char path[300];

	for (unsigned n = roll(d, 4); n > 0; n--) {
		make_path(d, prefix, path, sizeof(path));
		assert_int_equal(strv_add(v, path), 0);
	}
}

static void set_lists(struct dice *d, struct spec *s)
{
	set_paths(d, &s->files.hide, "/hidden");
	set_paths(d, &s->files.show, "");
}

static void set_binds(struct dice *d, struct spec *s)
{
	size_t n = roll(d, 4);
	char path[300];

	s->files.binds = calloc(n + 1, sizeof(*s->files.binds));
	s->files.bind_count = n;
	for (size_t i = 0; i < n; i++) {
		make_path(d, "/b", path, sizeof(path));
		s->files.binds[i].source = strdup(path);
		make_path(d, "/t", path, sizeof(path));
		s->files.binds[i].target = strdup(path);
		s->files.binds[i].writable = roll(d, 2);
	}
}

static void set_tmpfs(struct dice *d, struct spec *s)
{
	size_t n = roll(d, 3);
	char path[300];

	s->files.tmpfs = calloc(n + 1, sizeof(*s->files.tmpfs));
	s->files.tmpfs_count = n;
	for (size_t i = 0; i < n; i++) {
		make_path(d, "/tmp", path, sizeof(path));
		s->files.tmpfs[i].target = strdup(path);
		s->files.tmpfs[i].size_bytes = 4096 + ((uint64_t) roll(d, 1000000) << roll(d, 20));
	}
}

static void set_root(struct dice *d, struct spec *s)
{
	char path[300];

	if (roll(d, 2)) {
		make_path(d, "/srv", path, sizeof(path));
		s->files.root = SPEC_ROOT_DIRECTORY;
		assert_int_equal(str_replace(&s->files.root_path, path), 0);
	}
}

static void set_capabilities(struct dice *d, struct spec *s)
{
	s->process.capabilities = ((uint64_t) roll(d, 1u << 21) << 20 | roll(d, 1u << 20)) &
				  ((UINT64_C(1) << 41) - 1);
}

static void set_numbers(struct dice *d, struct spec *s)
{
	s->process.umask = roll(d, 01000);
	s->process.limit = roll(d, 4) ? 2 + roll(d, 4194303) : UNITS_NONE;
	s->cpu.share = 1 + roll(d, 10000);
	s->cpu.reserve_millicpu = roll(d, 10000000);
	s->cpu.limit_millicpu = roll(d, 3) ? 10 + roll(d, 9999990) : UNITS_NONE;
	s->cpu.burst_us = roll(d, 10000001);
	s->memory.limit = roll(d, 3) ? (1u << 20) + ((uint64_t) roll(d, 1u << 30) << roll(d, 19))
				     : UNITS_NONE;
	s->memory.reserve = (uint64_t) roll(d, 1u << 30) << roll(d, 19);
	s->memory.soft = roll(d, 2) ? s->memory.limit : UNITS_NONE;
	s->memory.oom = roll(d, SPEC_OOM_COUNT);
	s->memory.swap = roll(d, 3) ? (uint64_t) roll(d, 1u << 30) << roll(d, 19) : UNITS_NONE;
	s->files.upper = roll(d, SPEC_UPPER_COUNT);
	s->files.upper_bytes = (1u << 20) + ((uint64_t) roll(d, 1u << 30) << roll(d, 13));
}

static const struct maker makers[] = {
	{ "context.description", set_description, NULL },
	{ "context.command", set_command, NULL },
	{ "context.environment", set_environment, NULL },
	{ "context.init", NULL, VALUES("fake", "none", "/sbin/init", "\"/a \\\"b\\\" ; c\"") },
	{ "context.user", NULL, VALUES("", "www-data", "1000:100", "a_b.c$:z", "0") },
	{ "context.hostname", NULL, VALUES("", "a", "web-1.example.org") },
	{ "context.directory", NULL, VALUES("", "/", "/srv/with blank", "\"/semi ; colon\"") },
	{ "context.owner", NULL, VALUES("", "alice", "1000 www-data\n0", "1879048191 a_b.c$") },
	{ "context.grant", NULL,
	  VALUES("", "cpu.limit", "cpu.share >= 2 <= 500, memory.limit<=1G\nio.limit",
		 "cpu.limit <= 12.5% process.limit >= 5 cpu.burst <= 20ms cpu.cpus") },
	{ "context.stop", NULL,
	  VALUES("default", "KILL", "TERM 10s KILL", "RTMIN+3 1m TERM 250ms INT 0s 9") },
	{ "context.ready", set_ready, NULL },
	{ "context.ready-timeout", NULL, VALUES("1m", "100ms", "24h") },
	{ "context.restart", NULL, VALUES("no", "on-failure", "always") },
	{ "context.restart-delay", NULL, VALUES("100ms..10s", "1s", "10ms..24h", "5s..5s") },
	{ "context.restart-limit", NULL, VALUES("10 in 5m", "none", "1 in 1s", "100 in 24h") },
	{ "context.watchdog", NULL, VALUES("off", "100ms", "30s") },
	{ "context.health", set_health, NULL },
	{ "context.health-timeout", NULL, VALUES("5s", "10ms", "1h") },
	{ "context.health-retries", NULL, VALUES("3", "1", "1000") },
	{ "context.on-unhealthy", NULL, VALUES("restart", "stop", "none") },
	{ "context.log", NULL,
	  VALUES("file", "file:16M", "file:64K", "file:1T", "file:100000", "journal", "none") },
	{ "context.autostart", NULL, VALUES("no", "yes") },
	{ "context.after", NULL, VALUES("", "db", "db cache\nmail.1") },
	{ "context.mark", NULL, VALUES("", "web", "web front-end") },
	{ "hooks.before-start", NULL, VALUES("", "/bin/true", "/bin/sh -c 'echo \"$1\"; :' ''") },
	{ "hooks.after-ready", NULL, VALUES("", "/bin/true a", "/bin/a\\ b ' ; '") },
	{ "hooks.before-stop", NULL, VALUES("", "/bin/true b") },
	{ "hooks.after-stop", NULL, VALUES("", "/bin/true c d") },
	{ "hooks.timeout", NULL, VALUES("30s", "1ms", "1h") },
	{ "files.mode", NULL, VALUES("cow", "read-only", "read-write") },
	{ "files.root", set_root, NULL },
	{ "files.hide", set_lists, NULL },
	{ "files.bind", set_binds, NULL },
	{ "files.tmpfs", set_tmpfs, NULL },
	{ "files.device", NULL,
	  VALUES("", "/dev/fuse", "/dev/net/tun\n/dev/kvm", "/dev/a /dev/b") },
	{ "process.capability", set_capabilities, NULL },
	{ "process.seccomp", NULL, VALUES("default", "strict", "none", "/etc/my profile") },
	{ "process.rlimit", NULL,
	  VALUES("", "nofile 4096", "nofile 1024:4096\nstack 8M:max\ncpu max", "nice 0") },
	{ "process.ids", NULL, VALUES("auto", "none", "100000:65536", "1:4294967294") },
	{ "process.umask", set_numbers, NULL },
	{ "cpu.cpus", NULL, VALUES("", "0", "0-1,3", "8191") },
	{ "cpu.mems", NULL, VALUES("", "0", "0-1") },
	{ "io.share", NULL, VALUES("", "/dev/vda 200", "/dev/a 1\n/dev/b 1000", "'/dev/c;d' 100") },
	{ "io.reserve", NULL,
	  VALUES("", "/dev/vda 30%", "/dev/a 0.1%\n/dev/b 100%", "'/dev/c;d' 12.5%") },
	{ "io.limit", NULL,
	  VALUES("", "/dev/vda read 50MB/s write 1.5GB/s",
		 "/dev/a read-ops 1\n/dev/b write-ops 4294967294 read 1B/s",
		 "'/dev/c;d' write 7KB/s") },
	{ "network.mode", NULL, VALUES("none", "private", "host", "shared") },
	{ "network.address", NULL, VALUES("", "10.0.0.5/24@eth0 fd00::5/64@eth0\n192.0.2.1") },
	{ "network.listen", NULL, VALUES("", "tcp:80", "tcp:80 udp:53\ntcp:443") },
	{ "network.connect", NULL, VALUES("any", "none", "10.0.0.0/8:80 [fd00::/8]:1\n::/0") },
	{ "network.allow", NULL, VALUES("", "ping", "multicast ping contexts") },
	{ "network.reserve", NULL, VALUES("0Kbit", "10Mbit", "out 8Kbit in 1.5MB/s", "in 1Mbit") },
	{ "network.share", NULL, VALUES("100", "1", "out 1000 in 7") },
	{ "network.limit", NULL, VALUES("max", "100Mbit", "out 1001B/s", "in 1Tbit out max") },
	{ "network.burst", NULL, VALUES("0", "64K", "out 1M in 3") },
	{ "network.dns", NULL, VALUES("", "192.0.2.53 fd00::53") },
	{ "network.bridge", NULL, VALUES("", "ward0", "br.1") },
	{ "network.gateway", NULL, VALUES("", "none", "10.0.0.1 fd00::1") },
	{ "network.mac", NULL, VALUES("", "02:00:00:aB:00:05") },
	{ "network.forward", NULL, VALUES("", "tcp:8080:80", "tcp:1:65535 udp:53:53\ntcp:2:1") },
	{ "network.masquerade", NULL, VALUES("no", "yes") },
};

static inline void make_spec(struct dice *d, struct spec *s)
{
	assert_int_equal(spec_init(s, roll(d, 2) ? "random-1.x" : ""), 0);
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		struct err e = { 0 };

		if (roll(d, 3) == 0)
			continue;
		if (makers[i].set) {
			makers[i].set(d, s);
			continue;
		}
		if (spec_set(s, makers[i].key, pick(d, makers[i].values), &e) < 0)
			fail_msg("%s", e.text);
	}
}
