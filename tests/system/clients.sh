#!/bin/bash
# Clients that are slow, silent, deaf or never end: the others notice nothing, the daemon does not
# grow, and a context is started and stopped meanwhile.
. "$(dirname "$0")/../lib/harness.sh"
[ -x /usr/bin/python3 ] || skip_all "needs python3"
start_daemon
ini box <<-END
	[context]
	command = sleep 1000
	stop = KILL
END
rude() { exec /usr/bin/python3 "$ROOT/tests/lib/rude.py" "$SOCK" "$@"; }
memory_kb() { awk '/^Private_(Clean|Dirty)/ { sum += $2 } END { print sum }' "/proc/$DAEMON/smaps_rollup"; }

# The host may be busy with other things: the best of a few rounds counts.
answers_quickly() { # RULE
	local median p95 best=9999
	for _ in 1 2 3 4 5; do
		read -r median p95 <<<"$( (rude polite 100) 2>&1)"
		awk -v a="$p95" -v b="$best" 'BEGIN { exit !(a + 0 > 0 && a + 0 < b) }' && best=$p95
		awk -v b="$best" 'BEGIN { exit !(b < 10) }' && break
	done
	note "$1: median $median ms, 95th percentile $p95 ms"
	less "$1: 95 of 100 answers come within ms" "$best" $((10 * ${WARD_SLOW:-1}))
	check "$1: a context starts" ctl start box
	check "$1: and stops" ctl stop box
}

answers_quickly "alone"
before=$(memory_kb)
for _ in 1 2 3 4 5; do background rude drip; done
answers_quickly "a byte a second"
background rude half 50
answers_quickly "half a request"
background rude deaf 20
answers_quickly "who asks without end and never listens"
OUT=$( (rude header 100) )
note "100 MB of header: $OUT"
like "100 MB of header are refused early" "$OUT" '^[0-9]{1,7} bytes taken'
like "and told so" "$OUT" '431|nothing'
answers_quickly "after 100 MB of header"
background rude idle 1000 >"$WARD_DIR/idle"
check "a thousand idle connections" retry_until 20 grep -q there "$WARD_DIR/idle"
answers_quickly "a thousand idle connections"
less "the daemon did not grow beyond what a connection may hold (KB)" $(($(memory_kb) - before)) 40000
for pid in $EXTRA_PIDS; do end_background "$pid"; done
EXTRA_PIDS=''
few_descriptors() { [ "$(find "/proc/$DAEMON/fd" -maxdepth 1 -type l | wc -l)" -lt 200 ]; }
check "when they have gone their descriptors are closed" retry_until 15 few_descriptors
answers_quickly "afterwards"
finish
