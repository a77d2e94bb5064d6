# shellcheck shell=bash
# What every system test shares: a private daemon, TAP, bounded waiting, and the proof that the
# host is left as it was. Source it first; call `finish` last. Nothing is ever killed by name.
set -u
export LC_ALL=C
umask 022
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${WARD_BUILD:-$ROOT/build}
WARDD=${WARDD:-$BUILD/wardd}
WARDCTL=${WARDCTL:-$BUILD/wardctl}
CTL_TIMEOUT=${CTL_TIMEOUT:-60}
T_COUNT=0 T_FAILED=0 DAEMON='' INSTANCE='' EXTRA_PIDS='' EXTRA_CGROUPS=''
OUT='' ERR='' RC=0

# --- TAP ---

ok() { T_COUNT=$((T_COUNT + 1)); echo "ok $T_COUNT - $1"; }
not_ok() {
	T_COUNT=$((T_COUNT + 1)) T_FAILED=$((T_FAILED + 1))
	echo "not ok $T_COUNT - $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | head -n 25 | sed 's/^/#   /'
}
skip() { T_COUNT=$((T_COUNT + 1)); echo "ok $T_COUNT - $1 # SKIP $2"; }
note() { printf '%s\n' "$@" | sed 's/^/# /'; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }

# verdict RULE STATUS [WHY]: 0 is ok
verdict() { if [ "$2" -eq 0 ]; then ok "$1"; else not_ok "$1" "${3:-}"; fi; }
# check RULE COMMAND...: the command succeeds
check() {
	local rule=$1 said
	shift
	if said=$("$@" 2>&1); then ok "$rule"; else not_ok "$rule" "command: $* (status $?)"$'\n'"$said"; fi
}
# refuse RULE COMMAND...: the command fails
refuse() {
	local rule=$1 said
	shift
	if said=$("$@" 2>&1); then not_ok "$rule" "succeeded: $*"$'\n'"$said"; else ok "$rule"; fi
}
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:  $2"$'\n'"want: $3"; fi; }
isnt() { if [ "$2" != "$3" ]; then ok "$1"; else not_ok "$1" "got what must not be: $2"; fi; }
like() {
	if grep -Eq -- "$3" <<<"$2"; then ok "$1"; else not_ok "$1" "no match for: $3"$'\n'"in: $2"; fi
}
unlike() {
	if grep -Eq -- "$3" <<<"$2"; then not_ok "$1" "matches: $3"$'\n'"in: $2"; else ok "$1"; fi
}
# less RULE VALUE BOUND, with decimals
less() {
	if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a + 0 < b + 0 && a != "") }'; then
		ok "$1 ($2 < $3)"
	else
		not_ok "$1" "$2 is not below $3"
	fi
}

# walk PROGRAM ARGS...: a Python program that tells its verdicts as client.py does
walk() {
	local line status
	/usr/bin/python3 "$@" >"$WARD_DIR/said" 2>&1
	status=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) ok "${line#ok }" ;;
		"not ok "*) not_ok "${line#not ok }" ;;
		*) note "${line#\# }" ;;
		esac
	done <"$WARD_DIR/said"
	is "the walk came to its end" "$status" 0
}

# --- running things ---

# retry_until SECONDS COMMAND...: tries again every 50 ms until it succeeds or time is over
retry_until() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.05
	done
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
ctl() { timeout --foreground -k 5 "$CTL_TIMEOUT" "$WARDCTL" --socket "$SOCK" "$@"; }
# run_ctl ARGS...: sets OUT, ERR and RC
run_ctl() {
	OUT=$(ctl "$@" 2>"$WARD_DIR/stderr" </dev/null)
	RC=$?
	ERR=$(cat "$WARD_DIR/stderr")
}
# in_ctx NAME SCRIPT: a shell script inside a running context; sets OUT (with stderr) and RC
in_ctx() {
	OUT=$(ctl exec "$1" -- /bin/sh -c "$2" 2>&1 </dev/null)
	RC=$?
}
# run_sh [OPTIONS] -- SCRIPT: a shell script in a throwaway; sets OUT (with stderr) and RC
run_sh() {
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	OUT=$(ctl run "${options[@]}" -- /bin/sh -c "$2" 2>&1 </dev/null)
	RC=$?
}
# ini NAME <<EOF: declares a context by its file
ini() { cat >"$WARD_DIR/config/$1.ini"; }
state_of() { ctl list --json | jq -r --arg n "$1" '.[] | select(.name == $n) | .state'; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
stat_of() { ctl stats "$1" --json | jq -r "(if type == \"array\" then .[0] else . end) | .$2"; }
pid_of() { ctl list --json | jq -r --arg n "$1" '.[] | select(.name == $n) | .pid // empty'; }
api() { curl -sS --max-time 20 --unix-socket "$SOCK" "$@"; }
# background COMMAND...: remembered, and ended with the test; pid in $BG
background() {
	"$@" &
	BG=$!
	EXTRA_PIDS="$EXTRA_PIDS $BG"
}
end_background() { kill -KILL "$1" 2>/dev/null; wait "$1" 2>/dev/null; }
# own_cgroups DIRECTORY...: made on the side, with all CPUs and memory; removed with the test
own_cgroups() {
	local dir file
	for dir; do
		mkdir "$dir"
		EXTRA_CGROUPS="$EXTRA_CGROUPS $dir"
		for file in cpuset.cpus cpuset.mems; do
			[ ! -e "$dir/$file" ] || cat "${dir%/*}/$file" >"$dir/$file"
		done
	done
}

# as_old_kernel TEST: becomes that test, of a test build that does as on a kernel before 6.3
as_old_kernel() {
	export WARD_BUILD=$BUILD/faults WARD_LACK="idmap-tmpfs detached"
	[ -x "$WARD_BUILD/wardd" ] || skip_all "$WARD_BUILD/wardd is not built (make FAULTS=1)"
	exec "$1"
}

# --- the daemon ---

daemon_answers() { [ -S "$SOCK" ] && api -f -o /dev/null http://w/v1/version; }
daemon_settled() { gone "$DAEMON" || daemon_answers; }
# launch_daemon [OPTIONS]: starts wardd over the present directories, in a session of its own as a
# service has one, and waits until it answers
launch_daemon() {
	setsid "$WARDD" --config-dir "$WARD_DIR/config" --state-dir "$WARD_DIR/state" \
		--run-dir "$WARD_DIR/run" "$@" </dev/null >>"$WARD_DIR/log" 2>&1 &
	DAEMON=$!
	retry_until 20 daemon_settled
	daemon_answers 2>/dev/null
}
start_daemon() {
	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
	[ -x "$WARDD" ] || skip_all "$WARDD is not built"
	WARD_DIR=$(mktemp -d /tmp/ward-test.XXXXXX)
	SOCK=$WARD_DIR/run/control.sock
	mkdir "$WARD_DIR/config" "$WARD_DIR/state" "$WARD_DIR/run"
	: >"$WARD_DIR/log"
	trap 'finish 1' EXIT
	trap 'exit 1' INT TERM HUP
	host_snapshot >"$WARD_DIR/before"
	if ! launch_daemon "$@"; then
		not_ok "the daemon starts"
		exit 1
	fi
	INSTANCE=$(our_instance)
	[ -n "$INSTANCE" ] || not_ok "the daemon tells its name" "$(cat "$WARD_DIR/log")"
}
# The name of this daemon's directory below */ward/, as it tells in its log.
our_instance() { sed -n 's/.*ready: \([^ ,]*\),.*/\1/p' "$WARD_DIR/log" | tail -n 1; }
our_cgroups() {
	[ -z "$INSTANCE" ] || find /sys/fs/cgroup -maxdepth 6 -type d -path "*/ward/$INSTANCE*" 2>/dev/null
}
our_processes() {
	local dir
	for dir in $(our_cgroups); do cat "$dir/cgroup.procs" 2>/dev/null; done | sort -un
}
our_loops() { losetup -nO NAME,BACK-FILE 2>/dev/null | grep -F "$WARD_DIR/"; }
our_uppers() { our_loops | grep -F /uppers/; } # and not the daemon's own image, on an old kernel
# What must be the same before and after, one fact a line.
host_snapshot() {
	sed 's/^[0-9]* [0-9]* /mount /; s/ shared:.*- / - /' /proc/self/mountinfo | sort
	losetup -nO BACK-FILE 2>/dev/null | grep -F "$WARD_DIR/" | sed 's/^/loop /'
	find /sys/fs/cgroup -maxdepth 3 -type d -path "*/ward/*" -name "${INSTANCE:-none}" 2>/dev/null |
		sed 's/^/cgroup /'
	grep -F "$WARD_DIR/" /proc/net/unix | awk '{ print "socket", $NF }'
	cat /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname | sed 's/^/sysctl /'
}
no_cgroups() { [ -z "$(our_cgroups)" ]; }
no_processes() { [ -z "$(our_processes)" ]; }
no_loops() { [ -z "$(our_loops)" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }
term_daemon() {
	kill -TERM "$DAEMON" 2>/dev/null
	retry_until 15 gone "$DAEMON" || kill -KILL "$DAEMON" 2>/dev/null
	wait "$DAEMON" 2>/dev/null
	local status=$?
	DAEMON=''
	return $status
}
kill_daemon() {
	kill -KILL "$DAEMON"
	{ wait "$DAEMON"; } 2>/dev/null
	DAEMON=''
}
# Stops all, ends the daemon, and proves that the host is as it was: itself a test.
stop_daemon() {
	ctl stop --all --timeout 5s >"$WARD_DIR/stderr" 2>&1 ||
		not_ok "all contexts stop at the end" "$(cat "$WARD_DIR/stderr")"
	term_daemon
	verdict "the daemon ends with status 0 when asked to" $? "$(tail -n 5 "$WARD_DIR/log")"
	check_nothing_left
}
our_daemons() { grep -lzFx -- "$WARD_DIR/run" /proc/[0-9]*/cmdline 2>/dev/null; }
no_daemons() { [ -z "$(our_daemons)" ]; }
check_nothing_left() {
	retry_until 5 no_daemons
	verdict "no daemon is left" $? "$(our_daemons)"
	retry_until 5 no_processes
	verdict "no process of a context is left" $? "$(our_processes | xargs -r ps -fp)"
	retry_until 5 no_cgroups
	verdict "no cgroup is left" $? "$(our_cgroups)"
	retry_until 5 no_loops
	verdict "no loop device is left" $? "$(our_loops)"
	is "no record of a running context and no socket is left" \
		"$(grep -LF '"exit"' "$WARD_DIR"/run/contexts/* 2>/dev/null; ls "$SOCK" 2>/dev/null)" ""
	host_snapshot >"$WARD_DIR/after"
	is "mounts, loop devices, cgroups and sockets of the host are as before" \
		"$(diff "$WARD_DIR/before" "$WARD_DIR/after")" ""
}

# tidy: stops what runs, checks that nothing is left, removes the test's directory.
tidy() {
	local pid dir
	for pid in $EXTRA_PIDS; do end_background "$pid"; done
	for dir in $EXTRA_CGROUPS; do retry_until 5 rmdir "$dir"; done
	if [ -n "$DAEMON" ]; then stop_daemon; fi
	if [ "$T_FAILED" -gt 0 ] && [ -s "$WARD_DIR/log" ]; then
		echo "# the daemon's log:"
		tail -n "${WARD_LOG_LINES:-15}" "$WARD_DIR/log" | sed 's/^/#   /'
	fi
	clean_by_force
	rm -rf "$WARD_DIR"
}
# finish: the end of a test, also its exit trap.
finish() {
	trap - EXIT
	trap "" INT TERM HUP # timeout(1) says it twice
	[ "${1:-0}" = 0 ] || not_ok "the test runs to its end"
	tidy
	echo "1..$T_COUNT"
	exit $((T_FAILED > 0))
}
# Only after a failed test: ends, by pid, what is left in this daemon's own cgroups.
clean_by_force() {
	local pid dir loop
	for pid in $(our_processes); do kill -KILL "$pid" 2>/dev/null; done
	for dir in $(our_cgroups); do [ ! -e "$dir/freezer.state" ] || echo THAWED >"$dir/freezer.state"; done
	retry_until 5 no_processes
	for dir in $(our_cgroups | sort -r); do rmdir "$dir" 2>/dev/null; done
	for loop in $(our_loops | awk '{ print $1 }'); do losetup -d "$loop" 2>/dev/null; done
}
