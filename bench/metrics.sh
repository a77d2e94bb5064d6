#!/bin/bash
# What it costs the daemon to be scraped each second with a thousand contexts, at rest and at work.
. "$(dirname "$0")/lib.sh"
count=${BENCH_CONTEXTS:-1000}
scrapes=${BENCH_SCRAPES:-10}
bench_start
export WARD_SOCKET=$SOCK
# CPU time of the daemon, in nanoseconds: as /proc/PID/stat has it, but exact
cpu_ns() { cut -d' ' -f1 "/proc/$DAEMON/schedstat"; }
# scrape FORMAT: prints the percent of a core that a scrape a second takes
scrape() {
	local before took=0
	for ((i = 0; i < scrapes; i++)); do
		before=$(cpu_ns)
		api -H "Accept: $1" -o "$WARD_DIR/page" http://w/metrics
		took=$((took + $(cpu_ns) - before))
		sleep 1
	done
	awk -v t="$took" -v n="$scrapes" 'BEGIN { printf "%.2f", t / n / 1e7 }'
}
start_all() { # PREFIX COMMAND...
	"$PAIR" -t -n "$count" -- "$WARDCTL" run --detach --name "$1%d" --set context.stop=KILL \
		--set memory.limit=64M --set process.limit=20 -- "${@:2}" >/dev/null || exit 1
}
start_all c sleep 100000
ticks() { awk '{ print $14 + $15 }' "/proc/$DAEMON/stat"; }
anon_kb() { awk '/^RssAnon/ { print $2 }' "/proc/$DAEMON/status"; } # seats share pages with it
unscraped=$(anon_kb)
before=$(cpu_ns)
api -o "$WARD_DIR/page" http://w/metrics
echo "metrics: $count contexts, each running sleep; $(grep -vc '^#' "$WARD_DIR/page") samples, $(wc -c <"$WARD_DIR/page") bytes"
figure "the first scrape, ms of CPU" "$(awk -v t=$(($(cpu_ns) - before)) 'BEGIN { printf "%.1f", t / 1e6 }')" ''
for _ in 1 2 3 4 5 6 7 8; do api -o /dev/null http://w/metrics; sleep 0.2; done # disks looked at
t=$(ticks)
figure "a scrape a second, % of a core" "$(scrape text/plain)" 1
figure "  (the same by /proc/PID/stat, all the daemon does, %)" \
	"$(awk -v t=$(($(ticks) - t)) -v n="$scrapes" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f", t * 100 / hz / n }')" ''
figure "  in OpenMetrics, % of a core" "$(scrape application/openmetrics-text)" 1
sleep 4
figure "memory kept for the next scrape, KB a context" \
	"$(awk -v a=$(($(anon_kb) - unscraped)) -v n="$count" 'BEGIN { printf "%.2f", a / n }')" '' \
	"($unscraped KB before)"
before=$(cpu_ns)
sleep 5
figure "between scrapes, % of a core" "$(awk -v t=$(($(cpu_ns) - before)) 'BEGIN { printf "%.3f", t / 5e7 }')" 0.2
ctl stop --all >/dev/null 2>&1
# each of them runs for a moment every second
start_all w sh -c 'while sleep 1; do :; done'
for _ in 1 2 3; do api -o /dev/null http://w/metrics; sleep 1; done
figure "a scrape a second, all contexts at work, % of a core" "$(scrape text/plain)" ''
