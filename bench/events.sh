#!/bin/bash
# 10,000 events a second and readers that do not keep up: what an event costs, what the daemon grows
# by, what the reader is told; then the same with a live daemon and a reader that is stopped.
. "$(dirname "$0")/lib.sh"
rate=10000 seconds=${BENCH_SECONDS:-20}
FLOOD=$BUILD/bench/flood
"${CC:-cc}" -std=gnu2x -D_GNU_SOURCE -O2 -I"$ROOT" -o "$FLOOD" "$ROOT/bench/src/flood.c" \
	"$BUILD/libdaemon.a" "$BUILD/libbase.a" -ljansson || exit 1
bench_start
export WARD_SOCKET=$SOCK
echo "events: $rate a second for $seconds s, kept on disk (8 MiB), read at 16 KB a second"
read -r median worst cpu grown got lost < <("$FLOOD" "$WARD_DIR/state/flood" $rate "$seconds")
figure "us to add one, median (budget: 100)" "$median" 50 "(worst: $worst us)"
figure "share of a core" "$cpu" 0.5
figure "KB grown while it goes on" "$grown" 256
figure "numbers the reader got or was told as lost" $((got + lost)) '' "of $((rate * seconds)): $got and $lost"
[ $((got + lost)) -eq $((rate * seconds)) ] || T_FAILED=1

echo "a live daemon: freeze and thaw by 2 clients without a pause, one reader stopped (SIGSTOP)"
ini web <<-END
	[context]
	command = sleep 100000
	stop = KILL
END
ctl start web
background "$WARDCTL" events --json -f >"$WARD_DIR/read"
reader=$BG
sleep 0.3
kill -STOP "$reader"
flood() {
	python3 - "$SOCK" "$1" <<-'END'
		import socket, sys, time
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		def ask(what):
		    s.sendall(b"POST /v1/contexts/web/" + what + b" HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n")
		    s.recv(4096)
		end = time.time() + float(sys.argv[2])
		while time.time() < end:
		    ask(b"freeze")
		    ask(b"thaw")
	END
}
"$PAIR" -n 100 -p 40 -- "$WARDCTL" version >"$WARD_DIR/quiet"
flood 2 # what is used once, is used
seq=$(ctl events -n 1 --json | jq .seq)
before=$(private_kb "$DAEMON")
flood 6 &
first=$!
flood 6 &
second=$!
"$PAIR" -n 100 -p 40 -- "$WARDCTL" version >"$WARD_DIR/others"
wait $first $second
events=$(($(ctl events -n 1 --json | jq .seq) - seq))
figure "events a second" $((events / 6)) ''
figure "KB the daemon grew meanwhile" $(($(private_kb "$DAEMON") - before)) 512
ms() { awk '{ printf "%.1f", $3 / 1000 }' "$1"; }
figure "another client's request, p90, ms" "$(ms "$WARD_DIR/others")" '' "(before: $(ms "$WARD_DIR/quiet"))"
kill -CONT "$reader"
last=$(ctl events -n 1 --json | jq .seq)
caught_up() { tail -n 1 "$WARD_DIR/read" | grep -q "\"seq\": $last,"; }
retry_until 20 caught_up || T_FAILED=1
figure "numbers the reader got or was told as lost" \
	"$(jq -s 'map(if .kind == "lost" then .until - .after else 1 end) | add' "$WARD_DIR/read")" '' "of $last"
