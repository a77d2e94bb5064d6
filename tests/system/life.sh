#!/bin/bash
# The life of a context: start, stop, restart, kill, freeze, thaw, wait, status, with every init.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon

ini sleeper <<-END
	[context]
	description = sleeps
	command = sleep 1000
END
ini quick <<-END
	[context]
	command = sh -c "echo out; echo err >&2; exit 7"
END
ini stubborn <<-END
	[context]
	command = sh -c "trap '' TERM; while :; do sleep 1; done"
	stop = TERM 300ms KILL
END
ini polite <<-END
	[context]
	command = sh -c "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done"
END

# --- start and status ---
is "a declared context is stopped" "$(state_of sleeper)" stopped
run_ctl status sleeper
is "status of a stopped context is 3" "$RC" 3
check "start" ctl start sleeper
is "a started context is running" "$(state_of sleeper)" running
run_ctl status sleeper
is "status of a running context is 0" "$RC" 0
run_ctl start sleeper
is "starting a running context fails with 1" "$RC" 1
like "and says why" "$ERR" 'runs already'
run_ctl status nobody-here
is "status of an unknown context is 1" "$RC" 1
like "and names it" "$ERR" 'nobody-here'
run_ctl start
is "a verb without its operand is wrong use, 2" "$RC" 2
run_ctl strat sleeper
is "an unknown verb is wrong use, 2" "$RC" 2
like "and the nearest is suggested" "$ERR" 'start'

# --- what runs inside ---
pid=$(pid_of sleeper)
check "process 1 is a child of the daemon and lives" kill -0 "$pid"
in_ctx sleeper 'cat /proc/1/comm; hostname; id -u; cat /proc/self/uid_map'
like "process 1 is ward-init" "$OUT" '^ward-init'
like "the hostname is the name of the context" "$OUT" '^sleeper$'
like "its ids are a range of 65536 of their own" "$OUT" '0 +[1-9][0-9]+ +65536'
run_ctl ps sleeper
like "ps shows the command" "$OUT" 'sleep 1000'
in_ctx sleeper 'for ns in pid mnt ipc uts cgroup user net time; do readlink /proc/self/ns/$ns; done'
theirs=$OUT
mine=$(for ns in pid mnt ipc uts cgroup user net time; do readlink /proc/self/ns/$ns; done)
is "every namespace is its own" "$(comm -12 <(sort <<<"$theirs") <(sort <<<"$mine"))" ""
in_ctx sleeper 'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status; umask; pwd; env'
like "exec: no new privileges" "$OUT" 'NoNewPrivs:.1'
like "exec: the filter is on" "$OUT" 'Seccomp:.2'
like "exec: begins in /" "$OUT" '^/$'
unlike "exec: the caller's environment stays outside" "$OUT" 'WARD_|OLDPWD='

# --- freeze and thaw ---
check "freeze" ctl freeze sleeper
is "a frozen context says so" "$(state_of sleeper)" frozen
run_ctl exec sleeper -- true
is "exec into a frozen context is refused with 125" "$RC" 125
before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
is "a frozen process gets no time" "$(awk '{ print $14 + $15 }' "/proc/$pid/stat")" "$before"
check "thaw" ctl thaw sleeper
is "a thawed context runs" "$(state_of sleeper)" running
in_ctx sleeper 'echo alive'
is "and works" "$OUT" alive
check "freeze again" ctl freeze sleeper
check "a frozen context can be stopped" ctl stop sleeper --timeout 2s
is "it is stopped then" "$(state_of sleeper)" stopped
check "no process of it is left" gone "$pid"
run_ctl freeze sleeper
is "freezing what does not run fails with 1" "$RC" 1
check "stopping what is stopped is done already" ctl stop sleeper

# --- exit statuses ---
check "a short command starts" ctl start quick
is "wait tells the command's status" "$(ctl wait quick --json | jq '.[0].exit.status')" 7
like "the state tells it" "$(ctl show quick --json)" '"status": 7'
like "logs keep both streams" "$(ctl logs quick)" 'out'
like "logs keep standard error" "$(ctl logs quick)" 'err'
is "logs -n 1 is the last line" "$(ctl logs quick -n 1)" err
check "a context that ended can be started again" ctl start quick
retry_until 5 is_state quick stopped

# --- stop, restart, kill ---
check "polite starts" ctl start polite
is_up() { ctl logs polite | grep -qx up; }
check "it is ready to be told" retry_until 3 is_up
check "stop lets the command clean up" ctl stop polite
like "its own status is kept" "$(ctl show polite --json)" '"status": 5'
like "what it said on the way is in the log" "$(ctl logs polite)" bye
check "stubborn starts" ctl start stubborn
t=$(now_ms)
check "stop goes on to KILL" ctl stop stubborn
less "and takes the time of the stop sequence" $(($(now_ms) - t)) 3000
like "the signal is told" "$(ctl show stubborn --json)" '"signal": 9'
check "restart starts what is stopped" ctl restart sleeper
pid=$(pid_of sleeper)
check "restart of what runs" ctl restart sleeper
isnt "is a new process" "$(pid_of sleeper)" "$pid"
check "kill -s INT reaches the command" ctl kill sleeper -s INT
is "wait tells the signal" "$(ctl wait sleeper --json | jq '.[0].exit.signal')" 2
check "and again" ctl start sleeper
check "kill -s KILL ends all" ctl kill sleeper -s KILL
check "soon" retry_until 3 is_state sleeper stopped
run_ctl kill sleeper
is "kill of what does not run fails with 1" "$RC" 1
run_ctl kill sleeper -s NOSUCH
is "an unknown signal is refused" "$((RC == 1 || RC == 2))" 1

# --- many ---
check "start of all" ctl start sleeper stubborn polite
check "stop of all" ctl stop --all --timeout 1s
is "none runs" "$(ctl list --json | jq -r '[.[] | select(.state != "stopped")] | length')" 0

# --- init ---
ini bare <<-END
	[context]
	command = sh -c "echo \$\$; sleep 1000"
	init = none
	stop = KILL
END
check "init = none starts" ctl start bare
says_one() { ctl logs bare | grep -qx 1; }
check "the command itself is process 1" retry_until 5 says_one
check "and stops" ctl stop bare
ini orphans <<-END
	[context]
	command = sh -c "for i in 1 2 3 4 5 6 7 8; do (sleep 0.01 &); done; sleep 1000"
END
check "a maker of orphans starts" ctl start orphans
no_zombies() { ! ctl ps orphans --json | jq -e '.[] | select(.state == "Z")' >/dev/null &&
	[ "$(ctl ps orphans --json | jq length)" -le 3 ]; }
check "ward-init reaps them" retry_until 5 no_zombies
rss=$(awk '/^Private/ { s += $2 } END { print s }' "/proc/$(pid_of orphans)/smaps_rollup")
less "ward-init keeps less than 100 KB to itself" "$rss" 100
check "its context stops" ctl stop orphans --timeout 1s

# --- events ---
OUT=$(ctl events --json)
like "events tell starts" "$OUT" '"kind": ?"started"'
like "events tell exits" "$OUT" '"kind": ?"exited"'
is "event numbers are without gaps" \
	"$(jq -s '[.[].seq] | . == [range(.[0]; .[0] + length)]' <<<"$OUT")" true

# --- quiet ---
resident_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"; }
busy=$(resident_kb)
rested() { [ "$(resident_kb)" -lt $((busy - busy / 5)) ]; }
retry_until 8 rested
verdict "after some quiet seconds the daemon has given a fifth of its memory back" $? \
	"$busy KB when busy, $(resident_kb) KB now"

# --- declare, delete ---
check "delete forgets a stopped context" api -f -X DELETE http://w/v1/contexts/quick
refuse "its file is gone" test -e "$WARD_DIR/config/quick.ini"
finish
