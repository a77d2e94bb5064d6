#!/bin/bash
# The API as any HTTP client sees it: statuses, limits, slow and rude clients, events.
. "$(dirname "$0")/../lib/harness.sh"
command -v curl >/dev/null || skip_all "curl is not installed"
start_daemon
ini box <<-END
	[context]
	command = sleep 1000
END
code() { api -o "$WARD_DIR/body" -w '%{http_code}' "$@"; }
body() { cat "$WARD_DIR/body"; }
is "GET version is 200" "$(code http://w/v1/version)" 200
is "the API is version 1" "$(jq .api "$WARD_DIR/body")" 1
is "an unknown route is 404" "$(code http://w/v1/nothing)" 404
like "with an error object" "$(body)" '"error"'
is "an unknown context is 404" "$(code http://w/v1/contexts/none)" 404
is "a wrong method is 405" "$(code -X PUT http://w/v1/version)" 405
is "starting by POST" "$(code -X POST http://w/v1/contexts/box/start)" 200
is "the summary says running" "$(jq -r .state "$WARD_DIR/body")" running
is "starting what runs is 409" "$(code -X POST http://w/v1/contexts/box/start)" 409
is "deleting what runs is 409" "$(code -X DELETE http://w/v1/contexts/box)" 409
is "no JSON is 400" "$(code -X POST -d 'nonsense' http://w/v1/contexts)" 400
is "an array is 400" "$(code -X POST -d '[]' http://w/v1/contexts)" 400
is "a bad name is 400" "$(code -X POST -d '{"name": "../x"}' http://w/v1/contexts)" 400
is "an unknown key is 400" \
	"$(code -X POST -d '{"name": "x", "cpu": {"limmit": "5%"}}' http://w/v1/contexts)" 400
like "the nearest key is suggested" "$(body)" 'limit'
is "a declared one is 201" \
	"$(code -X POST -d '{"name": "made", "context": {"command": ["sleep", "5"]}}' http://w/v1/contexts)" 201
is "again is 409" \
	"$(code -X POST -d '{"name": "made", "context": {"command": ["sleep", "5"]}}' http://w/v1/contexts)" 409
check "it is a file" test -s "$WARD_DIR/config/made.ini"
is "PATCH is 200" "$(code -X PATCH -d '{"cpu.limit": "50%"}' http://w/v1/contexts/made)" 200
is "a key by its route" "$(code http://w/v1/contexts/made/keys/cpu.limit)" 200
is "has its value" "$(jq -r .value "$WARD_DIR/body")" 50%
is "an unknown key by its route is 404" "$(code http://w/v1/contexts/made/keys/cpu.nothing)" 404
is "DELETE is 200" "$(code -X DELETE http://w/v1/contexts/made)" 200
head -c 2M /dev/zero | tr '\0' ' ' >"$WARD_DIR/large"
is "a body over 1 MiB is 413" "$(code -X POST --data-binary @"$WARD_DIR/large" http://w/v1/contexts)" 413
is "a deep body is 400" \
	"$(code -X POST -d "$(printf '{"a":%.0s' $(seq 500))1$(printf '}%.0s' $(seq 500))" http://w/v1/contexts)" 400
is "a path that climbs is 404 or 400" "$(code --path-as-is http://w/v1/contexts/../../etc/passwd | grep -cE '^40[04]$')" 1
is "stats" "$(code http://w/v1/contexts/box/stats)" 200
check "the numbers have units" jq -e '.cpu_us >= 0 and .memory_bytes > 0 and .pids >= 1' "$WARD_DIR/body"
is "a limit that is not set is null" "$(jq -c .pids_limit "$WARD_DIR/body" | grep -cE 'null|[0-9]+')" 1
is "host" "$(code http://w/v1/host)" 200
check "features have name, group, present" jq -e '.features | length > 10 and all(has("name") and has("group") and has("present"))' "$WARD_DIR/body"
is "plan" "$(code -X POST -d '{"context": {"command": ["true"]}}' http://w/v1/plan)" 200

# --- others than root ---
chmod 755 "$WARD_DIR" "$WARD_DIR/run"
mode=$(stat -c %a "$SOCK")
chmod 666 "$SOCK"
OUT=$(setpriv --reuid=65534 --regid=65534 --clear-groups curl -s -o /dev/null -w '%{http_code}' \
	--unix-socket "$SOCK" http://w/v1/contexts 2>&1)
is "who is not root gets 403" "$OUT" 403
OUT=$(setpriv --reuid=65534 --regid=0 --clear-groups curl -s -o /dev/null -w '%{http_code}' \
	--unix-socket "$SOCK" -X POST http://w/v1/contexts/box/stop 2>&1)
is "also with root's group" "$OUT" 403
chmod "$mode" "$SOCK"
is "nothing was stopped" "$(state_of box)" running

# --- slow and rude clients ---
talk() { # TEXT: sends it on a raw connection and keeps that open
	exec /usr/bin/python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
time.sleep(float(sys.argv[3]))' "$SOCK" "$1" "${2:-30}"
}
if [ -x /usr/bin/python3 ]; then
	for _ in $(seq 30); do background talk 'GET /v1/ver'; done 2>/dev/null
	background talk 'POST /v1/contexts HTTP/1.1\r\nHost: w\r\nContent-Length: 100000\r\n\r\n{"'
	background talk 'POST /v1/run HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: ward\r\nContent-Length: 2\r\n\r\n{}'
	sleep 0.5
	t=$(now_ms)
	check "thirty slow clients do not stop the others" ctl list
	less "nor slow them (ms)" $(($(now_ms) - t)) $((1000 * ${WARD_SLOW:-1}))
	(talk '\x00\x01\x02\xff\xfe garbage\r\n\r\n' 0.2)
	(talk 'GET / HTTP/9.9\r\n\r\n' 0.2)
	(talk 'POST /v1/run HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: ward\r\nContent-Length: 37\r\n\r\n{"spec":{"context":{"command":["x"]}}}\n{"streams": 99}\n' 0.3)
	(talk 'POST /v1/contexts/box/exec HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: ward\r\nContent-Length: 20\r\n\r\n{"command":["true"]}garbage without end' 0.3)
	check "garbage does not hurt the daemon" ctl list
	head -c 200000 /dev/urandom | timeout 5 /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
try: s.sendall(sys.stdin.buffer.read()); s.recv(1)
except OSError: pass' "$SOCK"
	check "nor noise" ctl list
	for pid in $EXTRA_PIDS; do end_background "$pid"; done 2>/dev/null
	EXTRA_PIDS=''
	descriptors() { find "/proc/$DAEMON/fd" -maxdepth 1 -type l | wc -l; }
	many=$(descriptors)
	for _ in $(seq 100); do api -o /dev/null http://w/v1/contexts; done
	retry_until 5 test "$(descriptors)" -le "$many"
	less "a hundred requests leave no descriptor open" "$(descriptors)" $((many + 3))
fi

# --- events ---
background curl -sN --unix-socket "$SOCK" "http://w/v1/events?follow=1" >"$WARD_DIR/stream"
ctl stop box --timeout 1s && ctl start box && ctl freeze box && ctl thaw box
check "a follower sees what happens" retry_until 5 grep -q '"thawed"' "$WARD_DIR/stream"
is "in order" "$(jq -r 'select(.context == "box") | .kind' "$WARD_DIR/stream" |
	grep -E 'exited|started|frozen|thawed' | tail -n 4 | tr '\n' ' ')" "exited started frozen thawed "
check "the numbers are without gaps" \
	jq -se '[.[].seq] | . == [range(.[0]; .[0] + length)]' "$WARD_DIR/stream"
last=$(jq -s '.[-2].seq' "$WARD_DIR/stream")
is "?after resumes where one stopped" \
	"$(api "http://w/v1/events?after=$last" | jq -s '.[0].seq')" $((last + 1))
end_background "$BG"
for _ in $(seq 20); do api -X POST http://w/v1/contexts/box/freeze; api -X POST http://w/v1/contexts/box/thaw; done
is "forty changes later it is still well" "$(state_of box)" running
finish
