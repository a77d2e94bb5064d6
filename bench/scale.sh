#!/bin/bash
# A thousand contexts at once: rate, memory, latency of the last against the first, listing.
. "$(dirname "$0")/lib.sh"
count=${BENCH_CONTEXTS:-1000}
bench_start
export WARD_SOCKET=$SOCK
"$PAIR" -n 20 -- "$WARDCTL" run -- /bin/true >/dev/null
rest() { sleep 5; } # by then the daemon has given back what it needs no more
rest
daemon_before=$(private_kb "$DAEMON")
t=$(now_ms)
"$PAIR" -t -n "$count" -- "$WARDCTL" run --detach --name 'c%d' --set context.stop=KILL \
	--set memory.limit=64M --set process.limit=20 -- sleep 100000 >"$WARD_DIR/latency" || exit 1
ms=$(($(now_ms) - t))
running=$(ctl list --json | jq '[.[] | select(.state == "running")] | length')
echo "scale: $running contexts, each running sleep"
[ "$running" -eq "$count" ] || echo "  MISSED: $count were asked for"
figure "starts a second" "$(awk -v n="$count" -v t="$ms" 'BEGIN { printf "%.0f", n * 1000 / t }')" ''
first=$(head -n 100 "$WARD_DIR/latency" | median)
last=$(tail -n 100 "$WARD_DIR/latency" | median)
figure "latency of the last hundred / the first hundred" "$(ratio "$last" "$first")" 1.5 "($first us, $last us)"
rest
daemon_after=$(private_kb "$DAEMON")
figure "daemon memory, KB a context" \
	"$(awk -v a="$daemon_before" -v b="$daemon_after" -v n="$count" 'BEGIN { printf "%.2f", (b - a) / n }')" 4 \
	"($daemon_before KB before, $daemon_after KB after)"
for pid in $(ctl list --json | jq -r '.[].pid' | shuf -n 50 --random-source="$WARDD"); do private_kb "$pid"; done >"$WARD_DIR/init"
figure "ward-init, private KB" "$(median <"$WARD_DIR/init")" 100
for _ in 1 2 3 4 5 6 7 8 9 10; do
	bwrap --ro-bind / / --proc /proc --dev /dev --unshare-all sleep 1000 </dev/null >/dev/null 2>&1 &
	bwraps="${bwraps:-} $!"
done
sleep 0.5
for pid in $bwraps; do
	a=$(private_kb "$pid") child=$(cut -d' ' -f1 "/proc/$pid/task/$pid/children")
	echo $((a + $(private_kb "$child")))
done >"$WARD_DIR/bwrap"
figure "  (bwrap's monitor and process 1, private KB)" "$(median <"$WARD_DIR/bwrap")" ''
# shellcheck disable=SC2086
kill $bwraps 2>/dev/null
"$PAIR" -n 21 -- "$WARDCTL" list >"$WARD_DIR/list"
figure "wardctl list, ms" "$(awk '{ printf "%.1f", $1 / 1000 }' "$WARD_DIR/list")" 50
"$PAIR" -n 21 -- "$WARDCTL" list --json >"$WARD_DIR/list"
figure "wardctl list --json, ms" "$(awk '{ printf "%.1f", $1 / 1000 }' "$WARD_DIR/list")" 50
"$PAIR" -n 40 -p 10 -- "$WARDCTL" run -- /bin/true >"$WARD_DIR/among"
figure "a throwaway among them, ms" "$(awk '{ printf "%.1f", $1 / 1000 }' "$WARD_DIR/among")" ''
t=$(now_ms)
ctl stop --all >/dev/null 2>&1
figure "stopped a second" "$(awk -v n="$count" -v t=$(($(now_ms) - t)) 'BEGIN { printf "%.0f", n * 1000 / t }')" ''
rest
figure "daemon memory afterwards, KB above before" $(($(private_kb "$DAEMON") - daemon_before)) ''
