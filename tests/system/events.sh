#!/bin/bash
# Events: numbered for ever, kept over the daemon's deaths, filtered, waited for; nothing is missed
# between two calls, told twice, or lost to SIGKILL.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
ini web <<-END
	[context]
	command = sleep 1000
	stop = KILL
END
ini job <<-END
	[context]
	command = sh -c "sleep 0.3; exit 5"
END
# The audit's events of who did what are tests/system/owner.sh's.
events() { ctl events --json "$@" | jq -c 'select(.kind != "action")'; }
last_seq() { ctl events --json -n 1 | jq .seq; }
kinds() { events "$@" | jq -r .kind | paste -sd' '; }

# --- what is told ---
check "a context starts" ctl start web
seq=$(ctl freeze web --json | jq '.[0].seq')
is "the reply to something done says where events stand" "$(events web -k frozen | jq .seq)" "$seq"
ctl thaw web
ctl stop web
is "a life is told in order" "$(kinds web)" "started ready frozen thawed stopping exited"
is "numbers rise by one" "$(ctl events --json | jq -s '[range(length - 1) as $i | .[$i + 1].seq - .[$i].seq] | unique')" \
	"$(printf '[\n  1\n]')"
is "an end names its start" "$(events web -k started | jq .start)" "$(events web -k exited | jq .start)"
like "for people it is a line" "$(ctl events -n 1 -k exited)" '^[0-9]+ [0-9-]{10} [0-9:]{8} exited web with (status|signal) '

# --- which of them ---
ctl run -- true
ctl run --name other -- true
is "--kind and --context choose, several of each" \
	"$(events -k exited -k frozen web other | jq -r '.kind + "-" + .context' | paste -sd' ')" \
	"frozen-web exited-web exited-other"
is "-n gives the last that match" "$(events -n 2 web -k stopping -k exited -k frozen | jq -r .kind | paste -sd' ')" "stopping exited"
is "--after begins behind a number" "$(events --after "$seq" web | jq -r .kind | head -n 1)" thawed
is "--since: what is older is left out" "$(events --since "@$(($(date +%s) + 100))")" ""
is "--since: what is younger is there" "$(kinds web --since 1h)" "started ready frozen thawed stopping exited"
refuse "a time that is none is refused" ctl events --since soon
refuse "a kind that cannot be one is refused" ctl events --kind 'a b'
like "by curl: a parameter that is not allowed is refused" "$(api 'http://w/v1/events?kind=A')" EINVAL

# --- waiting ---
run_ctl wait job --exit --timeout 5s
is "one that never ran has ended: wait --exit returns" "$RC" 1
seq=$(ctl start job --json | jq '.[0].seq')
run_ctl wait job --exit --after "$seq" --timeout 10s
is "wait --exit has the command's status" "$RC" 5
like "and says it" "$OUT" '^job: ended with status 5$'
run_ctl wait job --exit --after "$seq"
is "also when it ended between the two calls" "$RC" 5
ctl run --detach --name gone -- sh -c 'exit 7' >/dev/null
seq=$(last_seq)
retry_until 5 is_state gone ""
run_ctl wait gone --exit --after 1
is "and when the context is gone by now" "$RC" 7
run_ctl wait gone --exit
is "without a number it is unknown" "$RC" 1
run_ctl start web
run_ctl wait web --ready
is "a context without a ready key is ready when it runs" "$RC-$OUT" "0-web: ready"
background "$WARDCTL" --socket "$SOCK" wait web --event frozen --timeout 20s >"$WARD_DIR/waited" 2>&1
waiter=$BG
sleep 0.3
ctl thaw web
ctl freeze web
wait "$waiter"
is "wait --event returns with the event" "$?" 0
like "and prints it" "$(cat "$WARD_DIR/waited")" '^web: [0-9]+ .* frozen web'
ctl thaw web
run_ctl wait web --event frozen --timeout 300ms
is "--timeout ends it with 124" "$RC" 124
like "and says so" "$ERR" 'longer than 300ms'
background "$WARDCTL" --socket "$SOCK" wait job --ready --timeout 20s 2>"$WARD_DIR/waited" >&2
waiter=$BG
sleep 0.2
ini job <<-END
	[context]
	command = /nowhere
END
ctl start job >/dev/null 2>&1
wait "$waiter"
is "wait --ready ends with 3 when it cannot become that" "$?" 3
like "and says what happened instead" "$(cat "$WARD_DIR/waited")" 'failed instead'
run_ctl wait web --ready --exit
is "two things at once are not waited for" "$RC" 2
background "$WARDCTL" --socket "$SOCK" wait web >"$WARD_DIR/waited" 2>&1
waiter=$BG
sleep 0.2
ctl stop web
wait "$waiter"
is "without more said it waits until the context is stopped" "$?" 0
like "and says how it ended" "$(cat "$WARD_DIR/waited")" '^web: stopped, ended with signal KILL$'

# --- out of memory ---
run_ctl run --name eater --set memory.limit=32M --set memory.swap=0 -- tail /dev/zero
is "one that runs out of memory ends by KILL" "$RC" 137
is "that is told before its end, with the limit" \
	"$(events eater | jq -r '"\(.kind)-\(.limit_bytes // "")"' | paste -sd' ')" "started- oom-33554432 exited-"

# --- over deaths ---
ctl start web
before=$(ctl events --json | md5sum)
seq=$(last_seq)
kill_daemon
launch_daemon
verdict "a new daemon comes" $?
is "after SIGKILL every event is there as it was" "$(ctl events --json --after 0 | head -n "$seq" | md5sum)" "$before"
is "adopting a context tells nothing" "$(last_seq)" "$seq"
pid=$(pid_of web)
kill_daemon
kill -KILL "$pid"
retry_until 5 gone "$pid"
launch_daemon
is "what ended meanwhile is told once, with the next number" \
	"$(events --after "$seq" | jq -c '[.seq, .kind, .context]')" "[$((seq + 1)),\"exited\",\"web\"]"
kill_daemon
launch_daemon
is "and not again by the next" "$(last_seq)" "$((seq + 1))"
kill_daemon
newest=$(find "$WARD_DIR/state/events" -name '*.jsonl' | sort | tail -n 1)
printf '{"seq": 99999, "time": 1, "ki' >>"$newest"
launch_daemon
like "a torn line is cut, and that is logged" "$(cat "$WARD_DIR/log")" 'bytes at the end of .* are torn: cut'
ctl run -- true
is "and numbers go on" "$(ctl events --json --after "$((seq + 1))" | jq -r .seq | head -n 1)" "$((seq + 2))"
kill_daemon
rm "$newest"
launch_daemon
ctl run -- true
is "when the newest part is lost, numbers go on where none was before" \
	"$(ctl events --json --after 1000000 | jq -r .seq | head -n 1)" 1000001
is "what is not there is told" "$(events --after "$seq" | jq -c 'select(.kind == "lost") | [.after, .until]')" \
	"[$seq,1000000]"
like "also to people" "$(ctl events --after "$seq")" "^$((seq + 1))-1000000 lost"

# --- a bounded history, a slow reader ---
term_daemon
launch_daemon --history 64K
from=$(last_seq)
background sh -c "\"$WARDCTL\" --socket \"$SOCK\" events --json -f --after $from | (sleep 6; cat) >\"$WARD_DIR/slow\""
long=$(head -c 5000 /dev/zero | tr '\0' x)
for i in {1..120}; do ctl set web "context.environment=A=$i$long" 2>/dev/null; done
seq=$(last_seq)
less "120 changes are told" 119 $((seq - from))
less "the history keeps to its bound" "$(du -sk --apparent-size "$WARD_DIR/state/events" | cut -f1)" 90
slow_is_there() { grep -q "\"seq\": $seq," "$WARD_DIR/slow"; }
check "a slow reader comes to the last" retry_until 15 slow_is_there
is "it has every number or was told that it is lost" \
	"$(jq -s 'map(if .kind == "lost" then .until - .after else 1 end) | add' "$WARD_DIR/slow")" $((seq - from))

# --- the journal ---
term_daemon
python3 -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('$WARD_DIR/journal')
s.settimeout(20)
print(s.recv(65536).decode(), flush=True)" >"$WARD_DIR/entry" &
EXTRA_PIDS="$EXTRA_PIDS $!"
retry_until 5 test -S "$WARD_DIR/journal"
launch_daemon --journal "$WARD_DIR/journal"
ctl start web
check "events go to the journal too" retry_until 5 grep -q WARD_EVENT "$WARD_DIR/entry"
is "with their fields" "$(grep -E '^WARD_(KIND|CONTEXT)' "$WARD_DIR/entry" | paste -sd' ')" \
	"WARD_KIND=started WARD_CONTEXT=web"
finish
