#!/bin/bash
# wardctl why: a state explained from what is read back: ends, memory, quota, limits, drift between
# file and kernel, what it waits for, files with errors, names that are no context (any more).
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
ini web <<-END
	[context]
	command = sleep 1000
	stop = KILL
	[process]
	limit = 10
	[cpu]
	limit = 50%
	[memory]
	limit = 64M
END
ini hot <<-END
	[context]
	command = sh -c "timeout 8 sh -c 'while :; do :; done'; sleep 1000"
	stop = KILL
	[cpu]
	limit = 10%
END
ini plain <<-END
	[context]
	command = sleep 1000
	stop = KILL
END
why() { ctl why "$1" --json | jq -c "$2"; }
check "contexts start" ctl start web hot plain

# --- all is well ---
is "one that runs as its file says has no drift" "$(why plain .drift) $(why web .drift)" "[] []"
is "it says since when" "$(why plain '.since_us == ([.events[] | select(.kind == "started")][0].time)')" true
is "and what it uses of what it may" "$(why web '[.memory.limit_bytes, .processes.limit]')" "[67108864,10]"
run_ctl why plain
like "for people it is sentences" "$OUT" '^plain: running, process [0-9]+, for .* \(since [0-9-]+ [0-9:]+\)$'
if [ -e /proc/pressure/cpu ]; then
	is "pressure is told, and whose" "$(why plain '.pressure.cpu.of | IN("context", "host")')" true
fi

# --- file, spec in force, kernel ---
sed -i 's/limit = 64M/limit = 96M/; s/^stop = KILL/stop = TERM 1s KILL/' "$WARD_DIR/config/web.ini"
is "a changed file is told key by key" "$(why web '[.drift[] | [.key, .file, .active, .live, .restart]] | sort')" \
	'[["context.stop","TERM 1s KILL","KILL",null,true],["memory.limit","96M","64M","64M",false]]'
run_ctl why web
like "also to people" "$OUT" 'memory.limit: the file says "96M", it runs with "64M"'
slot=$(ctl show plain --json | jq -r .cgroup)
meddle() {
	local f
	for f in /sys/fs/cgroup/pids"$slot" /sys/fs/cgroup"$slot"; do
		[ ! -e "$f/pids.max" ] || echo 77 >"$f/pids.max"
	done
}
meddle
is "what somebody else has written to a control file is told" \
	"$(why plain '.drift[] | [.key, .file == .active, .live]')" '["process.limit",true,"77"]'
run_ctl why plain
like "also to people" "$OUT" 'process.limit: it was started with "[0-9]+", the kernel has "77"'

# --- held back ---
is_throttled() { ctl events --json hot -k throttled | grep -q throttled_us; }
check "a context at its CPU limit is told as throttled" retry_until 15 is_throttled
is "why says that it is, since when, and the limit" "$(why hot '[.throttle.limit, .throttle.since_us > 0]')" '["10%",true]'
run_ctl why hot
like "also to people" "$OUT" 'throttled +cpu.limit 10% held it back in [0-9]+ of [0-9]+ periods.*now, since'
in_ctx web 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 2 & done'
is "a limit of processes that was hit is counted" "$(why web '.processes.limit_hits > 0')" true
ctl set plain process.limit=20 cpu.limit=30% --runtime
is "a live change is drift from the file" "$(why plain '[.drift[] | [.key, .active, .live]] | sort')" \
	'[["cpu.limit","30%","30%"],["process.limit","20","20"]]'

# --- waiting ---
ctl freeze web
is "one that is frozen waits for a thaw" "$(why web '[.state, .waits_for]')" '["frozen",["a thaw"]]'
kill_daemon
launch_daemon
is "the next daemon knows that one is throttled" "$(why hot '.throttle.since_us > 0')" true
ctl thaw web
ini slow <<-END
	[context]
	command = sleep 1000
	stop = KILL
	ready = exec:/bin/false
END
ctl start slow --no-wait >/dev/null 2>&1
like "one that is not ready says what it waits for" "$(why slow .waits_for)" 'its readiness: exec:/bin/false'
ini again <<-END
	[context]
	command = sh -c "exit 9"
	restart = always
	restart-delay = 60s
END
ctl start again
waits_again() { why again .waits_for | grep -q 'its restart, in'; }
check "one that will be restarted says when" retry_until 5 waits_again
is "and how often it was" "$(why again .restarts)" 1
unthrottled() { ctl events --json hot -k unthrottled | grep -q for_us; }
check "when the quota holds it back no more, that is told" retry_until 40 unthrottled
is "once each" "$(ctl events --json hot -k throttled -k unthrottled | jq -r .kind | paste -sd' ')" "throttled unthrottled"

# --- ends ---
ini eater <<-END
	[context]
	command = tail /dev/zero
	[memory]
	limit = 32M
	swap = 0
END
ctl start eater >/dev/null 2>&1
retry_until 10 is_state eater stopped
is "the end by memory: reason, limit and peak" \
	"$(why eater '[.exit.reason, .oom.limit_bytes, (.oom.peak_bytes > 30000000)]')" '["oom",33554432,true]'
run_ctl why eater
like "in words" "$OUT" 'it ran out of memory: signal KILL: out of memory: limit 32M'
ctl stop web
ctl start web
ctl kill web -s KILL
retry_until 5 is_state web stopped
run_ctl why web
like "the end by a signal" "$OUT" 'a signal ended it: signal KILL \(.* ago, .*event [0-9]+\)'
ini bad <<-END
	[context]
	command = /no/such/program
END
ctl start bad >/dev/null 2>&1
like "a start that failed, with its text" "$(ctl why bad)" 'could not be started: .*/no/such/program'
ctl run --name short -- sh -c 'exit 4'
is "a throwaway that is gone is known by its events" "$(why short '[.state, .end.exit.status]')" '["gone",4]'

# --- names and files ---
printf '[context]\ncommandx = x\n' | ini faulty
like "a file with errors is told line by line" "$(ctl why faulty)" 'faulty.ini:2: context.commandx: no such key'
is "its state is broken" "$(why faulty .state)" '"broken"'
printf '[context]\ncommandx = x\n' | ini hot
like "also of one that runs" "$(ctl why hot)" 'hot.ini:2: context.commandx'
run_ctl why plian
is "an unknown name is an error" "$RC" 1
like "that names the nearest one" "$ERR" 'no such context; did you mean plain\?'
finish
