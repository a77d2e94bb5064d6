#!/bin/bash
# Logs: bounded without a line lost, torn or shown twice; followed, searched by time and start; to
# the journal or nowhere; and a daemon that dies while it shortens one.
. "$(dirname "$0")/../lib/harness.sh"
JOURNAL=${TMPDIR:-/tmp}/ward-test-journal.$$
start_daemon --journal-stdout "$JOURNAL"
LOGS=$WARD_DIR/state/logs
mkdir "$WARD_DIR/gate"
log_has() { ctl logs "$1" | grep -q -- "$2"; }
this_run_has() { ctl logs "$1" --start 1 | grep -q -- "$2"; }
size_of() { stat -c %s "$LOGS/$1.log"; }
disk_of() { echo $(($(stat -c '%b * %B' "$LOGS/$1.log"))); }
disk_below() { [ "$(disk_of "$1")" -lt "$2" ]; }
size_below() { [ "$(size_of "$1")" -lt "$2" ]; }

# --- a fast writer, a small bound ---
LINES=800000
cpu_ms() { awk '{ printf "%d", $1 / 1000000 }' "/proc/$DAEMON/schedstat"; }
ini fast <<-END
	[context]
	command = sh -c "while [ ! -e /gate/go ]; do sleep 0.02; done; seq -f 'line %.0f of many' $LINES"
	log = file:256K
	[files]
	bind = $WARD_DIR/gate:/gate:ro
END
check "a fast writer starts" ctl start fast
background "$WARDCTL" --socket "$SOCK" logs -f fast >"$WARD_DIR/followed" 2>"$WARD_DIR/missed"
follower=$BG
sleep 0.3
cpu=$(cpu_ms) t=$(now_ms)
touch "$WARD_DIR/gate/go"
check "it ends" ctl wait fast
took=$(($(now_ms) - t))
cpu=$(($(cpu_ms) - cpu))
total=$(seq -f 'line %.0f of many' $LINES | wc -c)
note "$total bytes in $took ms; the daemon used $cpu ms of CPU, for its reader as well"
less "a flood costs the daemon a bounded share (ms of $took)" "$cpu" $((took / 2 + 100))
check "a follower ends with it" retry_until 10 gone "$follower"
check "what is kept is bounded" retry_until 5 disk_below fast 300000
ctl logs fast >"$WARD_DIR/kept"
is "what is kept are whole lines without a gap, up to the last one" "$(awk -v last=$LINES '
	$0 != "line " $2 " of many" { print "torn: " $0; exit }
	NR > 1 && $2 != n + 1 { print "gap after " n; exit }
	{ n = $2 } END { print n == last ? "good" : "ends with " n }' "$WARD_DIR/kept")" good
less "and not too few of them" 120000 "$(stat -c %s "$WARD_DIR/kept")"
is "a follower gets whole lines, each once, in order" "$(awk -v last=$LINES '
	$0 != "line " $2 " of many" { torn++; next }
	$2 <= n { print "again: " $0; exit }
	{ n = $2 } END { print n == last ? "good" : "ends with " n }' "$WARD_DIR/followed")" good
missed=$(awk '/bytes were removed before they were read/ { n += $(NF - 7) } END { print n + 0 }' "$WARD_DIR/missed")
pauses=$(grep -c 'bytes were removed' "$WARD_DIR/missed")
note "the follower got $(wc -c <"$WARD_DIR/followed") bytes and was told of $missed missed ones, $pauses times"
# a line that was begun when the rest was removed is ended by a newline that is wardctl's
extra=$(($(wc -c <"$WARD_DIR/followed") + missed - total))
verdict "what it got and what it was told it missed is all there was" \
	"$([ "$extra" -ge 0 ] && [ "$extra" -le "$pauses" ]; echo $?)" "$extra bytes too many"
torn=$(awk '$0 != "line " $2 " of many" { n++ } END { print n + 0 }' "$WARD_DIR/followed")
verdict "no line is torn but where it was told so" "$([ "$torn" -le "$pauses" ]; echo $?)" "$torn torn, $pauses told"
rm "$WARD_DIR/gate/go"
sed -i 's/256K/64M/' "$WARD_DIR/config/fast.ini"
check "the same with room for all" ctl start fast
background "$WARDCTL" --socket "$SOCK" logs -f fast --start 1 >"$WARD_DIR/followed" 2>"$WARD_DIR/missed"
sleep 0.3
touch "$WARD_DIR/gate/go"
check "its follower ends with it" retry_until 20 gone "$BG"
is "and has every byte" "$(md5sum <"$WARD_DIR/followed")" "$(seq -f 'line %.0f of many' $LINES | md5sum)"
rm "$WARD_DIR/gate/go"

# --- the file's size: what is removed is cut off before a file system's end is reached ---
ini long <<-END
	[context]
	command = sh -c "seq -f 'line %.0f' 200000; sleep 1000"
	log = file:64M
	stop = KILL
END
collapses() { # whether this file system can cut the front of a file
	head -c 8192 /dev/zero >"$WARD_DIR/probe" && fallocate -c -o 0 -l 4096 "$WARD_DIR/probe" 2>/dev/null
}
if collapses; then
	truncate -s 6G "$LOGS/long.log"
	echo "an old line" >>"$LOGS/long.log"
	check "a context whose log has a hole of 6 GiB starts" ctl start long
	check "the hole is cut off" retry_until 10 size_below long 2000000000
	check "it writes on" retry_until 10 log_has long 'line 200000$'
	is "no line is lost or torn on the way" "$(ctl logs long | awk '
		$0 != "line " NR { print "line " NR ": " $0; exit } END { if (NR != 200000) print NR " lines" }')" ""
	check "it stops" ctl stop long
	rm "$LOGS/long.log"
	if truncate -s 17592186040000 "$LOGS/long.log" 2>/dev/null; then
		check "one whose log is as long as ext4 can bear starts" ctl start long
		check "and its lines get through" retry_until 10 log_has long 'line 200000$'
		check "it stops" ctl stop long
	fi
	rm -f "$LOGS/long.log"
else
	skip "a log's hole is cut off" "this file system cannot"
fi

# --- what a context does to its own log ---
ini rude <<-END
	[context]
	command = /usr/bin/python3 -c "import ctypes, os, time; print('before', flush=True); c = ctypes.CDLL(None); c.fallocate(1, 1, ctypes.c_long(0), ctypes.c_long(1 << 30)); time.sleep(1); os.ftruncate(1, 0); print('after', flush=True); time.sleep(1000)"
	stop = KILL
END
check "a context that allocates a GiB for its log starts" ctl start rude
check "and cuts it" retry_until 10 log_has rude after
is "its log is what is left" "$(ctl logs rude)" after
check "the disk gets its blocks back" retry_until 5 disk_below rude 100000000
check "it stops" ctl stop rude
term_daemon
launch_daemon --journal-stdout "$JOURNAL"
is "a new daemon knows that the first line is whole" "$(ctl logs rude)" after

# --- time and starts ---
ini talk <<-END
	[context]
	command = sh -c "echo \$\$ begins; while [ ! -e /gate/end ]; do sleep 0.05; done; echo ends; exit 3"
	stop = KILL
	[files]
	bind = $WARD_DIR/gate:/gate:ro
END
runs() { touch "$WARD_DIR/gate/end"; ctl wait talk; rm "$WARD_DIR/gate/end"; }
ctl start talk && sleep 1.1
runs >/dev/null
between=$(($(date +%s) + 2))
sleep 2.5
ctl start talk && retry_until 5 log_has talk begins
is "--since begins with what came after" "$(ctl logs talk --since "@$between" | wc -l)" 1
is "--until ends with what came before" "$(ctl logs talk --until "@$between" | tail -n 1)" ends
is "--since now is nothing" "$(sleep 0.1; ctl logs talk --since now)" ""
is "--since 1h is all" "$(ctl logs talk --since 1h | wc -l)" 3
like "--start 1 is the last run" "$(ctl logs talk --start 1)" '^[0-9]+ begins$'
is "--start 2 the one before, to its end" "$(ctl logs talk --start 2 | tail -n 1)" ends
is "-n counts within what is asked for" "$(ctl logs talk --start 2 -n 1)" ends
refuse "a third there was not" ctl logs talk --start 3
run_ctl logs talk --since rubbish
is "a time that is none is wrong use" "$RC" 2
like "and it says what is one" "$ERR" '10m'
OUT=$(api "http://w/v1/contexts/talk/logs?frames=1")
like "frames tell starts" "$OUT" '^start [0-9]{16}$'
like "and exits with their status" "$OUT" '^exit [0-9]{16} status 3$'
is "the API refuses to follow what ends" "$(api -o /dev/null -w '%{http_code}' 'http://w/v1/contexts/talk/logs?follow&until=5')" 400
kill_daemon
sleep 1.2
touch "$WARD_DIR/gate/end"
sleep 0.3
launch_daemon --journal-stdout "$JOURNAL"
is "a new daemon knows when what was written" "$(ctl logs talk --since "@$between" | tail -n 1)" ends
is "and the starts before it" "$(ctl logs talk --start 2 | tail -n 1)" ends
like "an end that no daemon saw is marked" "$(api "http://w/v1/contexts/talk/logs?frames=1" | tail -n 1)" '^exit .* status 3$'
rm "$WARD_DIR/gate/end"

# --- several at once ---
for name in one two; do
	ini $name <<-END
		[context]
		command = sh -c "while [ ! -e /gate/$name ]; do sleep 0.02; done; echo $name speaks; printf unfinished"
		[files]
		bind = $WARD_DIR/gate:/gate:ro
	END
done
check "two start" ctl start one two
background "$WARDCTL" --socket "$SOCK" logs -f one two >"$WARD_DIR/both"
touch "$WARD_DIR/gate/two"
check "what one of them says is there at once" retry_until 5 grep -qx 'two | two speaks' "$WARD_DIR/both"
touch "$WARD_DIR/gate/one"
check "it ends with the last of them" retry_until 5 gone "$BG"
is "each line bears its context's name, also one without an end" "$(sort "$WARD_DIR/both")" \
	"$(printf '%s | %s\n' one 'one speaks' one unfinished two 'two speaks' two unfinished)"
run_ctl logs one nosuch
is "one that is not there makes it fail" "$RC" 1
like "the others are printed" "$OUT" '^one +\| one speaks$'

# --- the journal, and nowhere ---
ini told <<-END
	[context]
	command = sh -c "echo to the journal; echo and this >&2; cat /gate/none; sleep 1000"
	log = journal
	stop = KILL
	[files]
	bind = $WARD_DIR/gate:/gate:ro
END
run_ctl start told
is "without a journal the start is refused" "$RC" 1
like "and says why" "$ERR" 'journal.*No such file.*context\.log'
cat >"$WARD_DIR/journal.py" <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
	while True:
	    c, _ = s.accept()
	    with open(sys.argv[2], 'ab', 0) as f:
	        while data := c.recv(65536): f.write(data)
END
background python3 "$WARD_DIR/journal.py" "$JOURNAL" "$WARD_DIR/journal"
retry_until 5 test -S "$JOURNAL"
check "with one it starts" ctl start told
check "and what it writes gets there" retry_until 5 grep -q 'No such file' "$WARD_DIR/journal"
is "behind the header of a stream" "$(head -n 7 "$WARD_DIR/journal" | tr '\n' ,)" "told,,6,1,0,0,0,"
like "standard output and error" "$(tr '\n' ' ' <"$WARD_DIR/journal")" 'to the journal and this'
refuse "it has no log file" test -e "$LOGS/told.log"
run_ctl logs told
like "logs names journalctl" "$ERR" 'journalctl -t told'
end_background "$BG"
rm -f "$JOURNAL"
check "it stops" ctl stop told
ini mute <<-END
	[context]
	command = sh -c "echo unheard; sleep 1000"
	log = none
	stop = KILL
END
check "one without a log starts" ctl start mute
refuse "and has none" test -e "$LOGS/mute.log"
run_ctl logs mute
like "logs says so" "$ERR" 'context\.log = none'

# --- what goes ---
check "a context is deleted" ctl delete one
is "its log and index with it" "$(find "$LOGS" -name 'one*')" ""
check "a throwaway runs" ctl run --detach --name thrown -- sh -c 'echo x; sleep 1000'
check "it has a log" retry_until 5 test -s "$LOGS/thrown.log"
check "it ends" ctl kill thrown
check "and is no more" retry_until 5 is_state thrown ""
is "its log and index are gone" "$(find "$LOGS" -name 'thrown*')" ""

# --- death while a log is shortened ---
FAULTY=${WARD_FAULTS:-$BUILD/faults/wardd}
if [ -x "$FAULTY" ] && collapses; then
	term_daemon
	for point in log-moving log-moved; do
		rm -f "$LOGS/long.log" "$LOGS/index/long"
		truncate -s 6G "$LOGS/long.log"
		echo "an old line" >>"$LOGS/long.log"
		WARDD=$FAULTY WARD_FAULT=kill:$point launch_daemon
		ctl start long >/dev/null 2>&1
		check "the daemon dies at $point" retry_until 10 gone "$DAEMON"
		{ wait "$DAEMON"; } 2>/dev/null
		launch_daemon
		[ "$(state_of long)" = running ] || ctl start long
		check "the next one cuts the hole off, once" retry_until 10 size_below long 2000000000
		check "the context writes on" retry_until 10 this_run_has long 'line 200000$' # the first may have as well
		is "no line is lost" "$(ctl logs long --start 1 | awk '
			$0 != "line " NR { print "line " NR ": " $0; exit } END { if (NR != 200000) print NR " lines" }')" ""
		ctl stop long
		term_daemon
	done
	launch_daemon
else
	skip "a daemon that dies while it cuts a log" "needs make FAULTS=1 and a file system that can cut"
fi
finish
