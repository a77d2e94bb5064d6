#!/bin/bash
# Promises of CPU time, measured: real contexts with four busy threads each. What the host does
# beside them is its own: each is held to what all contexts used together. A measurement that others
# on this machine have disturbed is taken again; what it is held to stays.
. "$(dirname "$0")/../lib/harness.sh"
USE=$ROOT/tests/lib/cpu_use.py
UNIFIED=/sys/fs/cgroup/unified
[ -d "$UNIFIED" ] || UNIFIED=/sys/fs/cgroup
CPUS=$(nproc)

# hog NAME RESERVE SHARE: reserve in percent of the machine. The host's share is 100: these are less.
hog() {
	ini "$1" <<-EOF
	[context]
	command = /usr/bin/timeout 300 /bin/sh -c 'while :; do :; done & while :; do :; done & while :; do :; done & while :; do :; done'
	stop = KILL
	[cpu]
	reserve = $(($2 * CPUS))%
	share = $3
	EOF
}
slot_of() { head -n 1 "$WARD_DIR/run/contexts/$1.journal" | jq .slot; }
cgroup_of() { echo "$UNIFIED/ward/$INSTANCE/$(slot_of "$1")"; }
# group NAME RESERVE SHARE: as cpu_use.py takes it
group() { echo "$(cgroup_of "$1")=$(awk -v r="$2" -v n="$CPUS" 'BEGIN { print r * n / 100 }'):$3"; }
within() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }'; }

# holds RULE POINTS POINTS_OF_A_WINDOW ARGS...: the difference is no greater, in one of some tries
holds() {
	local rule=$1 most=$2 most_window=$3 said error worst
	shift 3
	for _ in 1 2 3 4 5 6; do
		said=$(python3 "$USE" "$@" 2>&1)
		read -r error worst < <(sed -n 's/^error //p' <<<"$said")
		if within "$error" "$most" && within "$worst" "$most_window"; then
			ok "$rule ($error points off, $worst in a window)"
			return
		fi
	done
	not_ok "$rule" "$said"
}
# keeps RULE ARGS...: in no window has anybody less than its reserve
keeps() {
	local rule=$1 said least
	shift
	for _ in 1 2 3 4; do
		said=$(python3 "$USE" "$@" 2>&1)
		least=$(sed -n 's/^least //p' <<<"$said")
		if within 99.5 "$least"; then
			ok "$rule ($least % of a reserve at least)"
			return
		fi
	done
	not_ok "$rule" "$said"
}
# wakes RULE LEAST ARGS...
wakes() {
	local rule=$1 least=$2 said part
	shift 2
	for _ in 1 2 3 4 5 6; do
		said=$(python3 "$USE" --wake 0.5 0.1 100 "$@" 2>&1)
		part=$(sed -n 's/^woken //p' <<<"$said")
		if within "$least" "$part"; then
			ok "$rule ($part %)"
			return
		fi
	done
	not_ok "$rule" "$said"
}
switches() { awk '/ctxt/ { n += $2 } END { print n }' "/proc/$DAEMON/status"; }
sleeps_through() { # SECONDS
	local before
	before=$(switches)
	sleep "$1"
	[ "$(switches)" -eq "$before" ]
}
weight_of() { cat "/sys/fs/cgroup/cpu/ward/$INSTANCE/$(slot_of "$1")/cpu.shares" 2>/dev/null ||
	cat "$(cgroup_of "$1")/cpu.weight"; }

start_daemon
if ! grep -q '^usage_usec' "$UNIFIED/cpu.stat" 2>/dev/null; then
	skip "budgets are measured" "no cgroup2 to read CPU time from"
	finish
fi

# --- with nobody awake ---

ini idle <<EOF
[context]
command = /bin/sleep 600
[cpu]
reserve = 20%
EOF
check "a context with a reserve starts" ctl start idle
retry_until 30 sleeps_through 2
verdict "the daemon does not wake up for reserves that nobody uses" $?
check "it stops" ctl stop idle

# --- who contends ---

# The test itself is of the host, and must not come late.
renice -n -15 -p $$ >/dev/null 2>&1
hog a 25 10
hog b 50 10
hog c 0 10
hog d 0 30
check "contexts start, half of what there is reserved for one" ctl start a b c d
A=$(group a 25 10) B=$(group b 50 10) C=$(group c 0 10) D=$(group d 0 30)
holds "all busy: reserves, and shares of the rest" 1 3 4 1000 "$A" "$B" "$C" "$D"
holds "100 ms after a reserved one sleeps, the others share what it left" 3 5 \
	--asleep 0.1 2 1000 "$A" "$B" "$C" "$D"
holds "the same of the other one" 3 5 --asleep 0.1 2 1000 "$B" "$A" "$C" "$D"
wakes "a quarter is there in the first 100 ms after it wakes" 95 "$A" "$B" "$C" "$D"
wakes "so is a half" 95 "$B" "$A" "$C" "$D"

# --- live ---

B=$(group b 25 10)
check "a reserve is lowered while it is used" ctl set b cpu.reserve=$((25 * CPUS))%
holds "shares have what it gave back" 1 3 3 1000 "$A" "$B" "$C" "$D"
check "a share is raised" ctl set c cpu.share=30
C=$(group c 0 30)
holds "its weight follows" 1 3 3 1000 "$A" "$B" "$C" "$D"
is "cpu.share is told as it was set" "$(api http://w/v1/contexts/c | jq -r '.. | objects | .share? // empty' | head -n 1)" "30"

# --- no daemon ---

# Killed while one sleeps and the rest has what it leaves, it is put back to what is due.
echo 1 >"$(cgroup_of a)/cgroup.freeze"
sleep 0.5
if [ -d /sys/fs/cgroup/cpu/ward ]; then plain=307; else plain=30; fi
tuned=$(weight_of d)
kill_daemon
isnt "while it looked, what one left was the others'" "$tuned" "$plain"
is_due() { [ "$(weight_of d)" -eq "$plain" ]; }
retry_until 2 is_due
verdict "a killed daemon leaves to everyone what is due" $? "$tuned then, $(weight_of d) now"
echo 0 >"$(cgroup_of a)/cgroup.freeze"
keeps "the daemon was killed: every promise is kept" 3 1000 "$A" "$B" "$C" "$D"
wakes "who wakes now has its reserve as well" 95 "$A" "$B" "$C" "$D"
launch_daemon
keeps "a new daemon keeps them while it begins" 1 1000 "$A" "$B" "$C" "$D"
holds "a new daemon goes on with it" 1 3 3 1000 "$A" "$B" "$C" "$D"
holds "and governs: 100 ms after one sleeps, the others share what it left" 3 5 \
	--asleep 0.1 2 1000 "$A" "$B" "$C" "$D"

# --- the end ---

check "those with reserves stop" ctl stop a b
is_plain() { [ "$(weight_of c)" = "$1" ] && [ "$(weight_of d)" = "$1" ]; }
retry_until 5 is_plain "$plain"
verdict "with nothing reserved weights are shares" $? "$(weight_of c) $(weight_of d)"
finish
