#!/bin/bash
# Keys of live contexts: changed at once or refused, all or nothing, kept unless --runtime.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
ini box <<-END
	[context]
	command = sh -c "tail -c 40M /dev/zero | (sleep 1000)"
	[cpu]
	limit = 50%
	[memory]
	limit = 256M
	[process]
	limit = 50
END
check "it starts" ctl start box
pid=$(pid_of box)
is "get gives the value" "$(ctl get box cpu.limit)" 50%
check "set cpu.limit" ctl set box cpu.limit=75%
is "get gives the new value" "$(ctl get box cpu.limit)" 75%
check "its file has it" grep -Eq '^limit *= *75%' "$WARD_DIR/config/box.ini"
check "set --runtime" ctl set box cpu.limit=80% --runtime
refuse "its file has it not" grep -q '80%' "$WARD_DIR/config/box.ini"
check "several at once" ctl set box cpu.share=200 process.limit=60
is "the limit of processes is in force" "$(stat_of box pids_limit)" 60
run_ctl set box cpu.share=300 process.limit=nonsense
is "one bad value refuses all" "$RC" 1
like "it names the key" "$ERR" 'process\.limit'
is "and nothing is changed" "$(ctl get box cpu.share)" 200
run_ctl set box cpu.shrae=300
is "an unknown key is refused" "$RC" 1
like "the nearest is suggested" "$ERR" 'share'
run_ctl set box files.root=/tmp
like "a key that cannot change live waits or is refused, and says so" "$OUT$ERR" 'restart|running|runs'
is "the context goes on" "$(pid_of box)" "$pid"
check "and the key can be set back" ctl set box files.root=host

# --- memory below use ---
ini fat <<-END
	[context]
	command = python3 -c "b = bytearray(100 << 20); print('full', flush=True); import time; time.sleep(1000)"
	[memory]
	limit = 256M
	swap = 0
END
sed -i 's,python3,/usr/bin/python3,' "$WARD_DIR/config/fat.ini"
check "a context that uses 100 MB starts" ctl start fat
log_has() { ctl logs "$1" | grep -q "$2"; }
check "it has them" retry_until 15 log_has fat full
retry_until 10 test "$(stat_of fat memory_bytes)" -gt 100000000
pid=$(pid_of fat)
t=$(now_ms)
run_ctl set fat memory.limit=50M
is "a limit below use is refused" "$RC" 1
like "with both numbers" "$ERR" '50.*1[0-9][0-9]|1[0-9][0-9].*50'
less "within a deadline (ms)" $(($(now_ms) - t)) 8000
is "nothing is killed" "$(pid_of fat):$(state_of fat)" "$pid:running"
is "the old limit is in force" "$(stat_of fat memory_limit_bytes)" $((256 << 20))
is "no OOM kill happened" "$(stat_of fat oom_kills)" 0
check "a limit above use is taken" ctl set fat memory.limit=180M
is "and in force" "$(stat_of fat memory_limit_bytes)" $((180 << 20))
# page cache gives way
in_ctx fat 'head -c 60M /dev/zero >/dev/null; cat /usr/bin/* >/dev/null 2>&1; echo read'
check "cache is reclaimed rather than refused" ctl set fat memory.limit=140M
is "still the same process" "$(pid_of fat)" "$pid"

# --- a stopped context ---
ctl stop box fat --timeout 1s
check "a stopped context can be changed" ctl set box memory.limit=64M
check "and starts with it" ctl start box
is "in force" "$(stat_of box memory_limit_bytes)" $((64 << 20))
is "the value survives in show" "$(ctl show box --json | jq -r .spec.memory.limit)" 64M
check "the file is still a good one" ctl check "$WARD_DIR/config/box.ini"
check "it stops" ctl stop box --timeout 1s
finish
