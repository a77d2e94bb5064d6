#!/bin/bash
# Memory: what dies when there is none left, what a soft limit is worth here, and a limit that is
# lowered under a context that does not want to give anything back.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
v2=false
[ -e /sys/fs/cgroup/cgroup.controllers ] && v2=true

# --- the whole context, or a process ---
# The command goes on when a child of it dies; the eater is much larger than the rest.
ini box <<-END
	[context]
	command = sh -c "while :; do sleep 0.1; done"
	stop = KILL
	[memory]
	limit = 48M
	swap = 0
	oom = process
END
check "a context whose processes die one by one starts" ctl start box
pid=$(pid_of box)
in_ctx box 'tail /dev/zero; echo "status $?"'
is "the process that eats is killed, and who started it is told" "$(tail -n 1 <<<"$OUT")" "status 137"
is "the context goes on" "$(state_of box) $(pid_of box)" "running $pid"
less "the kill is counted" 0 "$(stat_of box oom_kills)"
oom_events() { ctl events --json | jq -c "select(.kind == \"oom\" and .context == \"$1\")"; }
told() { [ -n "$(oom_events "$1")" ]; }
check "an event tells it" retry_until 5 told box
is "with whose choice it was, how many died and the limit" \
	"$(oom_events box | jq -c '[.choice, .kills, .limit_bytes]')" '["process",1,50331648]'
like "and who it was, by the kernel's log" "$(oom_events box)" '"command": ?"tail"'
run_ctl why box
like "why says that the rest went on" "$OUT" 'memory out.*1 died and the rest went on'
in_ctx box 'tail /dev/zero'
in_ctx box 'tail /dev/zero'
sleep 0.5
is "one that runs out of memory all the time is told of now and then" "$(oom_events box | wc -l)" 1
check "a kill by hand is no end by memory" ctl kill box -s TERM
ctl stop box
is "nor is a stop" "$(ctl show box --json | jq -r .exit.reason)" signal

check "it starts again" ctl start box
check "the choice may change while it runs" ctl set box memory.oom=context
in_ctx box 'tail /dev/zero; echo survived'
unlike "now all of it ends" "$OUT" survived
check "the context too" retry_until 10 is_state box stopped
is "for its memory" "$(ctl show box --json | jq -r .exit.reason)" oom
is "and the event says so" "$(oom_events box | tail -n 1 | jq -r .choice)" context
check "and changes back" ctl set box memory.oom=process
check "it starts" ctl start box
kill_daemon
launch_daemon
in_ctx box 'tail /dev/zero; echo survived'
like "a new daemon leaves it the choice" "$OUT" survived
is "and the context goes on" "$(state_of box)" running
two_more() { [ "$(oom_events box | jq -c 'select(.choice == "process")' | wc -l)" -ge 2 ]; }
check "and tells it" retry_until 5 two_more
ctl stop box
run_ctl run --set memory.limit=32M --set memory.swap=0 --set memory.oom=process -- tail /dev/zero
is "a command that is itself the victim ends by KILL" "$RC" 137
like "for its memory" "$ERR" 'memory'
run_ctl set box memory.oom=all
like "another choice is refused with what is allowed" "$ERR" 'memory\.oom: "all" is unknown; allowed: context, process'

# --- soft ---
if $v2; then
	ini soft <<-END
		[context]
		command = sh -c "while :; do sleep 0.1; done"
		stop = KILL
		[memory]
		limit = 200M
		soft = 32M
	END
	check "a context with a soft limit starts" ctl start soft
	in_ctx soft 'head -c 100M /dev/zero >/tmp/f; cat /tmp/f >/dev/null; echo survived'
	like "nobody dies of it" "$OUT" survived
	is "it may change" "$(ctl set soft memory.soft=64M; ctl get soft memory.soft)" 64M
	ctl stop soft
else
	run_ctl run --set memory.soft=32M -- true
	is "on cgroup v1 a soft limit is refused" "$RC" 125
	like "with the reason" "$ERR" 'memory\.soft: .*heeds a soft limit only when the whole host is short'
	like "doctor tells what is lost" "$(ctl doctor 2>&1)" 'memory-soft.*no memory\.soft'
	# The reason holds here: this is what the kernel makes of its own soft limit.
	probe=/sys/fs/cgroup/memory/ward/$INSTANCE/probe-$$
	mkdir "$probe"
	echo 16M >"$probe/memory.soft_limit_in_bytes"
	(echo 0 >"$probe/cgroup.procs" && exec perl -e '$x = "a" x (50 << 20); $| = 1; print "ready\n"; sleep 100') >"$WARD_DIR/probe" &
	eater=$! EXTRA_PIDS="$EXTRA_PIDS $!"
	check "a process beyond v1's soft limit has its memory" retry_until 10 grep -q ready "$WARD_DIR/probe"
	sleep 0.5
	less "and keeps it (soft limit and use in MB)" 48 $(($(cat "$probe/memory.usage_in_bytes") >> 20))
	end_background "$eater"
	check "the probe is removed" retry_until 5 rmdir "$probe"
fi
ini bad <<-END
	[context]
	command = true
	[memory]
	limit = 64M
	soft = 65M
END
run_ctl start bad
like "a soft limit above the limit is refused" "$ERR" 'bad\.ini:5: memory\.soft: 65M is more than memory\.limit; allowed: at most 64M'
finish
