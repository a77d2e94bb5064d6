#!/bin/bash
# Memory: what dies when there is none left, what a soft limit is worth here, and a limit that is
# lowered under a context that does not want to give anything back.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/disk.sh"
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

# --- a limit lowered under a context that gives nothing back ---
ini hot <<-END
	[context]
	command = sh -c "for i in 1 2 3; do while :; do cat /mnt/f >/dev/null; done & done; wait"
	stop = KILL
	[memory]
	limit = 200M
	[files]
	bind = $WARD_DIR/data:/mnt
END
mkdir "$WARD_DIR/data"
head -c 100M /dev/zero >"$WARD_DIR/data/f"
sync -f "$WARD_DIR/data/f"
dd if="$WARD_DIR/data/f" iflag=nocache count=0 2>/dev/null # it is to be charged to its readers
check "a context that touches its pages again and again starts" ctl start hot
sleep 1
t=$(now_ms)
run_ctl set hot memory.limit=20M
t=$(($(now_ms) - t))
note "lowering it took $t ms, status $RC $ERR"
less "lowering its limit comes to an end, whatever it does (ms)" "$t" 5000
[ "$RC" -eq 0 ] || like "or is refused with both numbers" "$ERR" 'cannot be lowered to 20M.*in use'
is "it lives" "$(state_of hot)" running
ctl stop hot

# On v1 reclaim waits for dirty pages to be written: to a slow disk that takes as long as it takes.
throttle=/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device
if [ -e $throttle ] && make_disk 64; then
	ini dirty <<-END
		[context]
		command = sh -c "exec 3<>$DISK; dd if=/dev/zero bs=1M count=60 >&3; echo written; sleep 1000"
		stop = KILL
		[memory]
		limit = 200M
		[files]
		device = $DISK
	END
	echo "$DISK_NUMBER 2097152" >$throttle # of the host's own writers, and of this disk alone
	ctl start dirty
	check "a context has 60 MB that a slow disk has not got yet" retry_until 30 grep -q written "$WARD_DIR/state/logs/dirty.log"
	background sh -c "sleep 0.3; $WARDCTL --socket $SOCK list >/dev/null; date +%s%N >$WARD_DIR/answered"
	t=$(now_ms)
	run_ctl set dirty memory.limit=20M
	t=$(($(now_ms) - t))
	note "lowering its limit took $t ms, status $RC $ERR"
	less "lowering its limit does not wait for the disk (ms)" "$t" 5000
	is "it is refused" "$RC" 1
	like "with both numbers and the time it was given" "$ERR" 'memory\.limit: cannot be lowered to 20M within 1s, .* in use'
	is "and the limit is as before" "$(stat_of dirty memory_limit_bytes)" $((200 << 20))
	echo "$DISK_NUMBER 0" >$throttle
	lowered() { ctl set dirty memory.limit=20M; }
	check "when the disk has got them it can be lowered" retry_until 30 lowered
	is "nobody has died of it" "$(state_of dirty) $(stat_of dirty oom_kills)" "running 0"
	ctl stop dirty
	drop_disk
else
	skip "reclaim that waits for a slow disk has a deadline" "needs cgroup v1 and a loop device"
fi
finish
