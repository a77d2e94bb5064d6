#!/bin/bash
# Promises of CPU time: delivered against ideal, governed and by the same weights with nobody looking;
# how soon a reserved context runs; what the governor costs. Half a minute of full load at most.
. "$(dirname "$0")/lib.sh"
seconds=${BENCH_SECONDS:-10}
many=${BENCH_CONTEXTS:-1000}
CPUS=$(nproc)
USE=$ROOT/tests/lib/cpu_use.py
UNIFIED=/sys/fs/cgroup/unified
[ -d "$UNIFIED" ] || UNIFIED=/sys/fs/cgroup
bench_start
export WARD_SOCKET=$SOCK
BUSY='while :; do :; done & while :; do :; done & while :; do :; done & while :; do :; done'

slot_of() { head -n 1 "$WARD_DIR/run/contexts/$1.journal" | jq .slot; }
cgroup_of() { echo "$UNIFIED/ward/$INSTANCE/$(slot_of "$1")"; }
# begin NAME RESERVE SHARE COMMAND...: reserve in percent of the machine
begin() {
	ctl run --detach --name "$1" --set context.stop=KILL --set cpu.reserve=$(($2 * CPUS))% \
		--set cpu.share="$3" -- "${@:4}" >/dev/null || exit 1
}
hog() { begin "$1" "$2" "$3" timeout 300 sh -c "$BUSY"; }
group() { echo "$(cgroup_of "$1")=$(awk -v r="$2" -v n="$CPUS" 'BEGIN { print r * n / 100 }'):$3"; }
points() { # WHAT AIM AIM_WINDOW ARGS...: a figure for all of it and one for the worst second
	local said error worst
	said=$(python3 "$USE" "${@:4}")
	read -r error worst < <(sed -n 's/^error //p' <<<"$said")
	figure "$1, points off" "$error" "$2"
	figure "  in the worst second" "$worst" "$3"
}
mixes() { # AIM AIM_WINDOW
	points "all busy" "$1" "$2" "$seconds" 1000 "$A" "$B" "$C" "$D"
	points "a quarter asleep" "$1" "$2" --asleep 0.1 "$seconds" 1000 "$A" "$B" "$C" "$D"
	points "a half asleep" "$1" "$2" --asleep 0.1 "$seconds" 1000 "$B" "$A" "$C" "$D"
}
# late NAME: what part of a millisecond a thread of it is late when a timer wakes it; p50 and p99
LATE='
import time
late = []
for _ in range(1500):
    begin = time.monotonic()
    time.sleep(0.001)
    late.append((time.monotonic() - begin) * 1e6 - 1000)
late.sort()
print(round(late[len(late) // 2]), round(late[len(late) * 99 // 100]))'
late() { ctl exec "$1" -- python3 -c "$LATE" </dev/null; }
cpu_ns() { cut -d' ' -f1 "/proc/$DAEMON/schedstat"; }
cost() { # SECONDS: percent of one CPU
	local before
	before=$(cpu_ns)
	sleep "$1"
	awk -v t=$(($(cpu_ns) - before)) -v s="$1" 'BEGIN { printf "%.2f", t / s / 1e7 }'
}

echo "budgets: $CPUS CPUs, four busy threads a context; 25 % and 50 % reserved, shares 1:1:1:3"
renice -n -15 -p $$ >/dev/null 2>&1
begin still 25 10 sleep 1000
read -r p50 p99 < <(late still)
figure "a reserved one wakes up on an idle host, us (p50)" "$p50" ''
figure "  p99" "$p99" ''
for ((i = 0; i < 20; i++)); do hog "noise$i" 0 10; done
read -r p50 p99busy < <(late still)
figure "the same beside 20 others that are busy, us (p50)" "$p50" ''
figure "  p99" "$p99busy" "$((2 * p99))"
for ((i = 0; i < 20; i++)); do ctl kill "noise$i" >/dev/null; done
ctl kill still >/dev/null

hog a 25 10
hog b 50 10
hog c 0 10
hog d 0 30
A=$(group a 25 10) B=$(group b 50 10) C=$(group c 0 10) D=$(group d 0 30)
echo "governed"
mixes 1 3
figure "awake in the first 100 ms, % of its reserve (negative: more)" \
	"$(awk -v w="$(python3 "$USE" --wake 0.5 0.1 100 "$A" "$B" "$C" "$D" | sed -n 's/^woken //p')" 'BEGIN { print -w }')" -95
figure "the daemon with 4 contexts that contend, % of one CPU" "$(cost 3)" 0.2
kill_daemon
sleep 0.2
echo "by hand: the same weights, nobody looks"
mixes '' ''
launch_daemon
ctl kill a b c d >/dev/null

echo "what it costs"
for n in 100 "$many"; do
	"$PAIR" -t -n "$n" -- "$WARDCTL" run --detach --name "s$n-%d" --set context.stop=KILL -- sleep 1000 \
		>/dev/null || exit 1
	begin "r$n" 25 10 timeout 100 sh -c "$BUSY"
	for ((i = 0; i < 50; i++)); do
		ctl run --detach --name "b$n-$i" --set context.stop=KILL --set cpu.share=1 -- \
			timeout 60 sh -c 'while :; do :; done' >/dev/null
	done
	sleep 1
	figure "the daemon with $n contexts and 50 that contend, % of one CPU" "$(cost 3)" \
		"$(if [ "$n" -le 100 ]; then echo 0.2; else echo 1; fi)"
	ctl stop --all --timeout 1s >/dev/null
done
