#!/bin/bash
# The stop sequence: each signal in its turn, the whole cgroup killed at its end, whatever the
# context is doing: deaf, frozen, forking, starting; and a second, more impatient caller.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
LONG=$((200000 + $$))
sleeps() {
	local pid
	for pid in $(our_processes); do tr '\0' ' ' <"/proc/$pid/cmdline"; echo; done 2>/dev/null | grep -qx "sleep $LONG "
}
no_sleeps() { ! sleeps; }
says() { ctl logs "$1" | grep -qx "$2"; }

ini steps <<-END
	[context]
	command = sh -c "trap 'echo usr1' USR1; trap 'echo hup' HUP; trap '' TERM INT; echo up; while :; do sleep 0.05; done"
	stop = USR1 200ms HUP 200ms INT 200ms KILL
END
check "it starts" ctl start steps
retry_until 5 says steps up
t=$(now_ms)
check "a context that ignores all is stopped" ctl stop steps
is "each signal was sent, in order" "$(ctl logs steps | paste -sd' ')" "up usr1 hup"
ms=$(($(now_ms) - t))
less "no wait is left out" 500 "$ms"
is "the last one ends it" "$(ctl show steps --json | jq .exit.signal)" 9

ini deaf <<-END
	[context]
	command = sh -c "trap '' TERM HUP INT QUIT USR1 USR2; sleep $LONG & sleep $LONG & while :; do sleep 1; done"
	stop = TERM 100s KILL
END
check "a deaf one starts" ctl start deaf
check "with its children" retry_until 5 sleeps
pid=$(pid_of deaf)
ctl freeze deaf
background ctl stop deaf
check "frozen, it is stopping" retry_until 5 is_state deaf stopping
check "a more impatient caller has it killed" ctl stop deaf --timeout 100ms
wait "$BG"
is "the first is answered, too" "$?" 0
check "process 1 is gone" gone "$pid"
check "and so is everything else in it" retry_until 2 no_sleeps

ini bomb <<-END
	[context]
	command = sh -c "trap '' TERM; bomb() { while :; do (trap '' TERM; bomb) & sleep 0.01; done; }; bomb"
	stop = TERM 200ms KILL
	[process]
	limit = 200
	[cpu]
	limit = 50%
END
check "a fork storm starts" ctl start bomb
full() { [ "$(stat_of bomb pids)" -gt 100 ]; }
check "it rages" retry_until 10 full
t=$(now_ms)
check "it is stopped" ctl stop bomb
less "soon" $(($(now_ms) - t)) 10000
bomb_gone() { [ "$(our_processes | wc -l)" -le 8 ]; }
check "all of it is gone" retry_until 5 bomb_gone

ini frozen <<-END
	[context]
	command = sh -c "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done"
	stop = TERM 20s KILL
END
check "a polite one starts" ctl start frozen
retry_until 5 says frozen up
ctl freeze frozen
check "it is stopped though frozen" ctl stop frozen
is "and could clean up" "$(ctl show frozen --json | jq .exit.status)" 5

# --- a stop on the way in ---
for i in 1 2 3 4 5 6 7 8; do
	ini slow <<-END
		[context]
		command = sleep $LONG
		hostname = slow-$i
		stop = TERM 20s KILL
	END
	ctl start slow >/dev/null 2>&1 &
	starter=$!
	sleep "0.00$i"
	ctl stop slow >/dev/null 2>&1
	wait "$starter"
	ctl stop slow >/dev/null 2>&1 || not_ok "round $i: it stops"
	is_state slow stopped || not_ok "round $i: it is stopped"
done
check "after eight stops during a start nothing is left" retry_until 2 no_sleeps

# --- the daemon dies on the way out ---
ini heir <<-END
	[context]
	command = sh -c "trap '' TERM; echo up; while :; do sleep 0.05; done"
	stop = TERM 500ms KILL
END
check "one starts" ctl start heir
retry_until 5 says heir up
background ctl stop heir
retry_until 5 is_state heir stopping
kill_daemon
end_background "$BG"
launch_daemon
check "the next daemon stops it" retry_until 5 is_state heir stopped
finish
