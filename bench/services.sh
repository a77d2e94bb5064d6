#!/bin/bash
# A thousand services that say when they are ready, are restarted when they fail, and stand in chains
# of `after`, against as many bare starts of the same program: one by one, a client each, and all at
# once; the daemon while nothing happens; then stop --all in the reverse order.
. "$(dirname "$0")/lib.sh"
count=${BENCH_CONTEXTS:-1000} chain=10 quiet=${BENCH_QUIET:-20}
bench_start
export WARD_SOCKET=$SOCK
mkdir "$WARD_DIR/bin"
chmod 755 "$WARD_DIR"
cp "$WORK" "$WARD_DIR/bin/work"
files=$(printf '[files]\nbind = %s:/srv:ro\n[memory]\nlimit = 64M\n' "$WARD_DIR/bin")
for ((i = 0; i < count; i++)); do
	printf '[context]\ncommand = /srv/work service\nstop = KILL\nmark = bare\n%s\n' "$files" | ini "b$i"
	{
		printf '[context]\ncommand = /srv/work service\nstop = KILL\nmark = service\n'
		printf 'ready = notify\nrestart = on-failure\n'
		[ $((i % chain)) -eq 0 ] || echo "after = s$((i - 1))"
		echo "$files"
	} | ini "s$i"
done
ctl list >/dev/null # the files are read
count_running() { ctl list --json | jq '[.[] | select(.state == "running")] | length'; }
parts() { awk '/^Rss/ { printf "%s %.1f ", $1, $2 / 1024 }' "/proc/$DAEMON/status"; }
resident_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"; }
cpu_ns() { cat /proc/"$DAEMON"/task/*/schedstat | awk '{ s += $1 } END { printf "%.0f", s }'; }
# each time it slept and was woken
wakeups() { awk '/^voluntary/ { s += $2 } END { print s }' /proc/"$DAEMON"/task/*/status; }
t=$(now_ms)
for ((i = 0; i < count; i++)); do "$WARDCTL" start "b$i" || exit 1; done
bare=$(($(now_ms) - t))
[ "$(count_running)" -eq "$count" ] || echo "  MISSED: $count were to run"
ctl stop --all >/dev/null
t=$(now_ms)
ctl start --mark bare >/dev/null || echo "  MISSED: not all started"
at_once=$(($(now_ms) - t))
ctl stop --all >/dev/null
rm "$WARD_DIR"/config/b*.ini
ctl list >/dev/null
t=$(now_ms)
ctl start --mark service >/dev/null || echo "  MISSED: not all started"
ordered=$(($(now_ms) - t))
echo "services: $(count_running) contexts in chains of $chain"
figure "start of all in order / bare starts at once" "$(ratio "$ordered" "$at_once")" 1.5 "($ordered ms, $at_once ms)"
figure "start of all in order / bare starts one by one" "$(ratio "$ordered" "$bare")" 1.5 "($ordered ms, $bare ms)"
sleep 5
figure "resident memory of the daemon, MB" "$(resident_kb | awk '{ printf "%.1f", $1 / 1024 }')" \
	"$(awk -v n="$count" 'BEGIN { printf "%.1f", 4 + n * 4 / 1024 }')" "($(parts))"
before=$(cpu_ns) woken=$(wakeups)
sleep "$quiet"
figure "while nothing happens, % of a core" \
	"$(awk -v t=$(($(cpu_ns) - before)) -v n="$quiet" 'BEGIN { printf "%.3f", t / n / 1e7 }')" 0.2
figure "  wake-ups a second" \
	"$(awk -v t=$(($(wakeups) - woken)) -v n="$quiet" 'BEGIN { printf "%.1f", t / n }')" 5
t=$(now_ms)
ctl stop --all >/dev/null 2>&1
figure "stopped a second, in the reverse order" \
	"$(awk -v n="$count" -v t=$(($(now_ms) - t)) 'BEGIN { printf "%.0f", n * 1000 / t }')" ''
