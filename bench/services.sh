#!/bin/bash
# A thousand services along chains of `after`, against as many bare starts: one by one, a client
# each, and all at once; then stop --all in the reverse order.
. "$(dirname "$0")/lib.sh"
count=${BENCH_CONTEXTS:-1000} chain=10
bench_start
export WARD_SOCKET=$SOCK
for ((i = 0; i < count; i++)); do
	printf '[context]\ncommand = sleep 100000\nstop = KILL\nmark = bare\n[memory]\nlimit = 64M\n' | ini "b$i"
	{
		printf '[context]\ncommand = sleep 100000\nstop = KILL\nrestart = on-failure\nmark = service\n'
		[ $((i % chain)) -eq 0 ] || echo "after = s$((i - 1))"
		printf '[memory]\nlimit = 64M\n'
	} | ini "s$i"
done
ctl list >/dev/null # the files are read
count_running() { ctl list --json | jq '[.[] | select(.state == "running")] | length'; }
t=$(now_ms)
for ((i = 0; i < count; i++)); do "$WARDCTL" start "b$i" || exit 1; done
bare=$(($(now_ms) - t))
[ "$(count_running)" -eq "$count" ] || echo "  MISSED: $count were to run"
ctl stop --all >/dev/null
t=$(now_ms)
ctl start --mark bare >/dev/null || echo "  MISSED: not all started"
at_once=$(($(now_ms) - t))
ctl stop --all >/dev/null
t=$(now_ms)
ctl start --mark service >/dev/null || echo "  MISSED: not all started"
ordered=$(($(now_ms) - t))
echo "services: $(count_running) contexts in chains of $chain"
figure "start of all in order / bare starts at once" "$(ratio "$ordered" "$at_once")" '' "($ordered ms, $at_once ms)"
figure "start of all in order / bare starts one by one" "$(ratio "$ordered" "$bare")" 1.5 "($ordered ms, $bare ms)"
t=$(now_ms)
ctl stop --all >/dev/null 2>&1
figure "stopped a second, in the reverse order" \
	"$(awk -v n="$count" -v t=$(($(now_ms) - t)) 'BEGIN { printf "%.0f", n * 1000 / t }')" ''
