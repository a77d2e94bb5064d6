#!/bin/bash
# timeout: 900
# Real software runs unchanged, over the host's root and in a Debian tree of its own: nginx,
# python3, PostgreSQL, gcc, apt-get. (The first run makes the tree.)
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/debian.sh"
start_daemon
mkdir "$WARD_DIR/www" "$WARD_DIR/src"
chmod 755 "$WARD_DIR"
head -c 3M /dev/urandom | base64 >"$WARD_DIR/www/file.txt"
want=$(sha256sum <"$WARD_DIR/www/file.txt" | cut -c 1-64)

cat >"$WARD_DIR/src/nginx.conf" <<'END'
daemon off; error_log stderr; pid /tmp/nginx.pid; user www-data;
events {}
http { access_log off; server { listen 127.0.0.1:PORT; root /srv; } }
END
cat >"$WARD_DIR/src/check.py" <<'END'
import json, sqlite3, os
rows = [{"n": i, "text": "v%d \u00e9" % i, "list": [i, None, True, 0.5]} for i in range(2000)]
assert json.loads(json.dumps(rows)) == rows
db = sqlite3.connect("/tmp/check.db")
db.execute("create table t (n integer primary key, body text)")
with db: db.executemany("insert into t values (?, ?)", ((r["n"], json.dumps(r)) for r in rows))
assert [json.loads(b) for (b,) in db.execute("select body from t order by n")] == rows
assert db.execute("pragma integrity_check").fetchone() == ("ok",)
print("python works", os.cpu_count() > 0)
END
cat >"$WARD_DIR/src/Makefile" <<'END'
all: prog
	./prog
prog: main.o sum.o
	$(CC) -o $@ $^ -lm -pthread
main.o sum.o: sum.h
END
echo 'double sum(int n);' >"$WARD_DIR/src/sum.h"
printf '#include <math.h>\n#include "sum.h"\ndouble sum(int n) { double s = 0; for (int i = 1; i <= n; i++) s += sqrt(i); return s; }\n' >"$WARD_DIR/src/sum.c"
cat >"$WARD_DIR/src/main.c" <<'END'
#include <pthread.h>
#include <stdio.h>
#include "sum.h"
static void *work(void *p) { *(double *) p = sum(1000); return 0; }
int main(void) {
	pthread_t t[4]; double d[4];
	for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, &d[i]);
	for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
	printf("gcc works %.0f\n", d[0] + d[3]);
	return d[0] != d[3];
}
END
cat >"$WARD_DIR/src/postgres.sh" <<'END'
set -e
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
export PGDATA=/tmp/pg PGHOST=/tmp LC_ALL=C.UTF-8
"$bin/initdb" -A trust -N >/dev/null
"$bin/pg_ctl" -w -l /tmp/pg.log -o "-k /tmp -c listen_addresses= -c shared_buffers=32MB" start >/dev/null || { cat /tmp/pg.log; exit 1; }
createdb bench
"$bin/pgbench" -q -i -s 1 bench >/dev/null 2>&1
"$bin/pgbench" -c 4 -j 2 -t 200 bench 2>&1 | grep -E 'processed|failed|tps'
psql -Atc 'select count(*) from pgbench_history' bench
"$bin/pg_ctl" -w -m fast stop >/dev/null
echo postgres works
END

# --- each program, in the context NAME ---
nginx() { # NAME MODE PORT
	sed "s/PORT/$3/" "$WARD_DIR/src/nginx.conf" >"$WARD_DIR/src/nginx-$1.conf"
	check "$1: nginx starts ($2)" ctl start "$1"
	check "$1: nginx serves ($2)" retry_until 15 ctl exec "$1" -- curl -sf -o /dev/null "http://127.0.0.1:$3/file.txt"
	is "$1: a file fetched inside is whole ($2)" \
		"$(ctl exec "$1" -- curl -s "http://127.0.0.1:$3/file.txt" </dev/null | sha256sum | cut -c 1-64)" "$want"
	if [ "$2" = host ]; then
		is "$1: and from the host" "$(curl -s "http://127.0.0.1:$3/file.txt" | sha256sum | cut -c 1-64)" "$want"
	else
		refuse "$1: but not from the host" curl -s --max-time 2 -o /dev/null "http://127.0.0.1:$3/file.txt"
	fi
	in_ctx "$1" 'for p in /proc/[0-9]*; do grep -qs "^Name:.nginx" $p/status && awk "/^Uid/ { print \$2 }" $p/status; done | sort -u | wc -l'
	is "$1: its workers run as www-data, its master as root ($2)" "$OUT" 2
	check "$1: nginx stops ($2)" ctl stop "$1"
	unlike "$1: without being killed ($2)" "$(ctl show "$1" --json | jq -c .exit)" '"signal": ?9'
}
context() { # NAME MODE: a web server's context over $FILES
	ini "$1" <<-END
		[context]
		command = /usr/sbin/nginx -c /mnt/nginx-$1.conf
		[files]
		$FILES
		upper = tmpfs:512M
		bind = $WARD_DIR/www:/srv:ro
		bind = $WARD_DIR/src:/mnt:ro
		[process]
		limit = 200
		[memory]
		limit = 512M
		[network]
		mode = $2
	END
}
programs() { # NAME
	local name=$1 options=(--file "$WARD_DIR/config/$1-private.ini" --name "$1-program")
	run() { OUT=$(ctl run "${options[@]}" "$@" 2>&1 </dev/null); RC=$?; }
	run -- /usr/bin/python3 /mnt/check.py
	like "$name: python3 uses json and sqlite3" "$OUT" 'python works True'
	run -- /usr/bin/python3 -c 'import test.test_json'
	if [ "$RC" -eq 0 ]; then
		run -u nobody -C /tmp -- /usr/bin/python3 -m test -q test_json test_dbm test_threading
		like "$name: python3 passes its own tests of json, dbm and threads" "$OUT" 'SUCCESS'
	else
		skip "$name: python3 passes its own tests" "libpython3.11-testsuite is neither here nor in the tree"
	fi
	run -- sh -c 'cp -r /mnt /tmp/src && cd /tmp/src && make -j2 2>&1'
	like "$name: gcc builds a project, and it runs" "$OUT" 'gcc works 42195'
	run -u postgres -- sh /mnt/postgres.sh
	if grep -q 'initdb.*not found\|cannot access' <<<"$OUT"; then
		skip "$name: PostgreSQL" "postgresql is not installed"
		return
	fi
	like "$name: PostgreSQL: initdb, pgbench, stop" "$OUT" '^postgres works$'
	like "$name: PostgreSQL: every transaction is there" "$OUT" '^800$'
	note "$(grep tps <<<"$OUT")"
}

debian_tree || true
# Python's own tests are a package of their own (which leaves out those of sqlite3): from the tree
suite=/usr/lib/python3.11/test
FILES='root = host'
[ ! -d "$DEBIAN_TREE$suite" ] || FILES="$FILES"$'\n'"bind = $DEBIAN_TREE$suite:$suite:ro"
if [ -x /usr/sbin/nginx ]; then
	context host-private private
	nginx host-private private 8099
	context host-host host
	nginx host-host host 18099
else
	context host-private private
	skip "host root: nginx" "nginx is not installed"
fi
programs host

# --- apt-get into the copy-on-write layer ---
packages() { dpkg-query -W 2>/dev/null | sha256sum; stat -c '%Y %s' /var/lib/dpkg/status /usr/bin /var/cache/apt 2>/dev/null; }
before=$(packages)
apt_in() { # OPTIONS...
	OUT=$(timeout 150 "$WARDCTL" --socket "$SOCK" run --set network.mode=host --set files.upper=tmpfs:1G \
		--set memory.limit=2G "$@" -- sh -c 'export DEBIAN_FRONTEND=noninteractive
		apt-get -q update && apt-get -qy install --no-install-recommends sl hello && /usr/games/sl -h >/dev/null 2>&1
		hello && dpkg -s hello | grep ^Status' 2>&1 </dev/null)
}
apt_in
if grep -qE 'Temporary failure|Could not (resolve|connect)|Unable to connect' <<<"$OUT" &&
	! apt-get -q update -o Dir::State::lists="$(mktemp -d -p "$WARD_DIR")" >/dev/null 2>&1; then
	skip "apt-get installs a package into the copy-on-write layer" "no mirror can be reached"
else
	like "apt-get installs a package into the copy-on-write layer" "$OUT" '^Hello, world'
	like "dpkg knows it inside" "$OUT" 'install ok installed'
fi
is "the host did not notice" "$(packages)" "$before"

# --- a Debian tree of its own ---
if debian_tree; then
	FILES="root = $DEBIAN_TREE"
	tree_state() { find "$DEBIAN_TREE" -xdev -printf '%P %U %m %s %T@\n' | sort | sha256sum; }
	before=$(tree_state)
	context debian-private private
	nginx debian-private private 8099
	context debian-host host
	nginx debian-host host 18099
	programs debian
	apt_in --set files.root="$DEBIAN_TREE"
	if grep -qE 'Temporary failure|Could not (resolve|connect)|Unable to connect' <<<"$OUT"; then
		skip "debian: apt-get installs a package" "no mirror can be reached"
	else
		like "debian: apt-get installs a package" "$OUT" '^Hello, world'
	fi
	is "debian: the tree is as it was" "$(tree_state)" "$before"
else
	skip "a Debian tree of its own" "$DEBIAN_WHY"
fi
finish
