#!/bin/bash
# Contexts as services: readiness, restarts, health; also when the daemon dies meanwhile.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
mkdir "$WARD_DIR/gate"
gate="bind = $WARD_DIR/gate:/gate:ro"
field() { ctl show "$1" --json | jq -r ".$2"; }
is_field() { [ "$(field "$1" "$2")" = "$3" ]; }
kinds() { ctl events --json | jq -r "select(.context == \"$1\" and .kind != \"action\") | .kind" | paste -sd' '; }
has_event() { ctl events --json | jq -e "select(.context == \"$1\" and .kind == \"$2\")" >/dev/null; }
count_event() { ctl events --json | jq -c "select(.context == \"$1\" and .kind == \"$2\")" | wc -l; }
starts_at_least() { [ "$(count_event "$1" started)" -ge "$2" ]; }
cat >"$WARD_DIR/server.py" <<-'PY'
	import os, socket, sys, time
	while not os.path.exists("/gate/go"):
	    time.sleep(0.05)
	s = socket.socket(getattr(socket, sys.argv[1]))
	s.bind((sys.argv[2], 80))
	s.listen()
	time.sleep(1000)
PY

# --- readiness ---

ini plain <<-END
	[context]
	command = sleep 1000
END
check "a context without a condition starts" ctl start plain
is "it is ready as soon as it runs" "$(field plain ready)" true
is "and says so" "$(kinds plain)" "started ready"
ctl stop plain
is "a stopped one is not ready" "$(field plain ready)" false

for where in "four AF_INET 127.0.0.1" "six AF_INET6 ::1"; do
	read -r name family address <<<"$where"
	ini "$name" <<-END
		[context]
		command = /usr/bin/python3 /server.py $family $address
		ready = tcp:80
		[network]
		mode = private
		[files]
		bind = $WARD_DIR/server.py:/server.py
		$gate
	END
	rm -f "$WARD_DIR/gate/go"
	background ctl start "$name"
	check "$address: it runs" retry_until 10 is_state "$name" running
	is "$address: but is not ready" "$(field "$name" ready)" false
	like "$address: list says what it waits for" "$(ctl list)" \
		"^$name .*not ready: waits for tcp:80"
	check "$address: start waits" kill -0 "$BG"
	in_ctx "$name" 'echo inside'
	is "$address: exec works meanwhile" "$OUT" inside
	: >"$WARD_DIR/gate/go"
	wait "$BG"
	is "$address: start returns when the port accepts" "$?" 0
	is "$address: it is ready" "$(field "$name" ready)" true
done
ctl stop four six

ini byexec <<-END
	[context]
	command = sleep 1000
	user = nobody
	ready = exec:/bin/sh -c 'test "\$(id -u)" = 65534 && test -e /gate/up'
	[files]
	$gate
END
check "--no-wait returns when the command runs" ctl start --no-wait byexec
is "ready or not" "$(field byexec ready)" false
check "it says what was wrong with the last look" retry_until 5 is_field byexec \
	'waits_for | test("^exec:.*ended with status 1")' true
# --- the daemon dies while it is waited for ---
kill_daemon
: >"$WARD_DIR/gate/up"
launch_daemon
check "a new daemon goes on waiting, as the context's user" retry_until 10 is_field byexec ready true
kill_daemon
rm "$WARD_DIR/gate/up"
launch_daemon
is "once ready it is ready for the next daemon" "$(field byexec ready)" true
ctl stop byexec

ini never <<-END
	[context]
	command = sleep 1000
	ready = tcp:81
	ready-timeout = 400ms
	[network]
	mode = private
END
run_ctl start never
is "a start that is not ready in time fails" "$RC" 1
is "and says what was waited for" "$ERR" \
	"wardctl: starting never: not ready within 400ms: waited for tcp:81 (Connection refused)"
is "the context is stopped" "$(state_of never)" stopped
is "for that reason" "$(field never exit.reason)" start

ini early <<-END
	[context]
	command = sh -c 'exit 4'
	ready = notify
END
run_ctl start early
is "one that ends before it is ready" "$ERR" \
	"wardctl: starting early: it ended with status 4 before it was ready"
background ctl start byexec
starter=$BG
check "one is waited for" retry_until 10 is_state byexec running
check "it can be stopped" ctl stop byexec
wait "$starter" 2>/dev/null
is "then its start fails" "$?" 1

ini broken <<-END
	[context]
	command = true
	ready = tcp:0
	restart-delay = 5s..1s
	restart-limit = 5 per 1m
	watchdog = soon
	health = every 5s
END
OUT=$(ctl check "$WARD_DIR/config/broken.ini" 2>&1)
like "a wrong port is told" "$OUT" 'broken.ini:3: context.ready: .*no port.*allowed: started, notify'
like "a delay that shrinks" "$OUT" 'broken.ini:4: context.restart-delay: .*begins above its end'
like "a limit in other words" "$OUT" 'broken.ini:5: context.restart-limit: .*COUNT in DURATION'
like "a watchdog of no duration" "$OUT" 'broken.ini:6: context.watchdog: .*not a duration'
like "a health that asks nothing" "$OUT" 'broken.ini:7: context.health: .*allowed: none, tcp:PORT'
rm "$WARD_DIR/config/broken.ini"

# --- restarts ---

ini fails <<-END
	[context]
	command = sh -c 'exit 3'
	restart = on-failure
	restart-delay = 50ms..100ms
	restart-limit = 3 in 1m
END
check "a context that fails starts" ctl start fails
check "it is restarted until it is given up" retry_until 10 has_event fails gave-up
is "as often as the limit says" "$(count_event fails started) $(count_event fails restarting)" "4 3"
is "the delay doubles up to its maximum" \
	"$(ctl events --json | jq -r 'select(.kind == "restarting") | .in_us / 10000 | ceil' | paste -sd' ')" \
	"5 10 10"
is "the exit says so" "$(field fails exit.text)" "given up after 3 restarts in 1m"
is "nothing is pending" "$(field fails restart_in_us)" null

ini clean <<-END
	[context]
	command = sh -c 'exit 0'
	restart = on-failure
END
ini always <<-END
	[context]
	command = sh -c 'sleep 0.1; exit 0'
	restart = always
	restart-delay = 50ms
	restart-limit = none
END
ini later <<-END
	[context]
	command = sh -c 'test -e /gate/stay && exec sleep 1000; exit 1'
	restart = on-failure
	restart-delay = 1h
	[files]
	$gate
END
check "contexts with policies start" ctl start clean always later
check "always restarts after success too" retry_until 10 starts_at_least always 3
is "on-failure does not" "$(kinds clean)" "started ready exited"
ctl stop always
sleep 0.2
is "what is stopped stays stopped" "$(state_of always) $(field always restart_in_us)" "stopped null"
check "a restart is waited for" retry_until 5 is_state later stopped
like "list says when it comes" "$(ctl list)" '^later .*restarts in (59m|1h|60m)'
run_ctl status later
is "status says that it does not run" "$RC" 3
: >"$WARD_DIR/gate/stay"
check "start starts it at once" ctl start later
is "and it runs" "$(state_of later) $(field later restart_in_us)" "running null"
rm "$WARD_DIR/gate/stay"
ctl kill -s KILL later
check "killed from outside it is to come back" retry_until 5 is_state later stopped
isnt "in an hour" "$(field later restart_in_us)" null
check "stop calls that off" ctl stop later
is "really" "$(field later restart_in_us)" null

# --- restarts and the daemon's own death ---

ini comes <<-END
	[context]
	command = sh -c 'while [ ! -e /gate/end ]; do sleep 0.02; done; exit 1'
	restart = on-failure
	restart-delay = 1s
	[files]
	$gate
END
ctl start comes later
check "a restart is pending" retry_until 5 is_state later stopped
pid=$(pid_of comes)
kill_daemon
: >"$WARD_DIR/gate/end"
check "one ends while no daemon is there" retry_until 5 gone "$pid"
launch_daemon
isnt "a pending restart is still pending" "$(field later restart_in_us)" null
is "it is counted" "$(field later restarts)" 1
is "what ended meanwhile is to be restarted" "$(field comes restarts)" 1
kill_daemon
rm "$WARD_DIR/gate/end"
launch_daemon
check "and is, by the third daemon" retry_until 10 is_state comes running
: >"$WARD_DIR/gate/end"
check "its policy still applies" retry_until 10 is_field comes restarts 2
rm "$WARD_DIR/gate/end"
check "pending ones are stopped by stop --all" ctl stop --all
is "both of them" "$(field later restart_in_us) $(field comes restart_in_us)" "null null"

# --- reboot(2) ---

for what in "reboots 0x1234567 fake" "halts 0x4321fedc none"; do
	read -r name how init <<<"$what"
	ini "$name" <<-END
		[context]
		command = /usr/bin/python3 -c 'import ctypes; ctypes.CDLL(None).reboot($how)'
		init = $init
		restart-delay = 50ms
		restart-limit = 2 in 1m
		[process]
		capability = +sys-boot
	END
	ctl start "$name"
done
check "a context that reboots is started again, as often as the limit allows" \
	retry_until 10 has_event reboots gave-up
is "whatever its policy is" "$(count_event reboots started) $(field reboots exit.reason)" "3 reboot"
check "one that powers off ends" retry_until 5 is_state halts stopped
is "for good" "$(count_event halts started) $(field halts exit.reason)" "1 poweroff"

# --- health ---

ini sick <<-END
	[context]
	command = sleep 1000
	health = exec:test ! -e /gate/sick every 100ms
	health-retries = 2
	on-unhealthy = none
	[files]
	$gate
END
check "a context with a health check starts" ctl start sick
check "it is healthy" retry_until 5 is_field sick health healthy
: >"$WARD_DIR/gate/sick"
check "then it is not" retry_until 5 is_field sick health unhealthy
like "the event says why" "$(ctl events --json | jq -r 'select(.kind == "unhealthy") | .text')" \
	'exec:test .* -e /gate/sick: ended with status 1, 2 times in a row'
like "list shows it" "$(ctl list)" '^sick .*unhealthy'
rm "$WARD_DIR/gate/sick"
check "and is again" retry_until 5 has_event sick healthy
is "nothing was done about it" "$(count_event sick started)" 1
ctl freeze sick
: >"$WARD_DIR/gate/sick"
sleep 0.5
is "a frozen one is not asked" "$(count_event sick unhealthy)" 1
ctl thaw sick
check "a thawed one is" retry_until 5 is_field sick health unhealthy
rm "$WARD_DIR/gate/sick"
check "it recovers" retry_until 5 is_field sick health healthy
check "the action can change while it runs" ctl set sick context.on-unhealthy=restart \
	context.restart-delay=50ms --runtime
pid=$(pid_of sick)
: >"$WARD_DIR/gate/sick"
check "an unhealthy context is stopped" retry_until 10 gone "$pid"
rm "$WARD_DIR/gate/sick"
check "and started again, without a restart policy" retry_until 10 starts_at_least sick 2
is "its end has the reason" \
	"$(ctl events --json | jq -r 'select(.kind == "exited" and .context == "sick") | .exit.reason')" \
	unhealthy
check "it runs" retry_until 5 is_state sick running
check "the check can be taken away" ctl set sick context.health=none
is "then nothing is said about health" "$(field sick health)" null

ini stuck <<-END
	[context]
	command = sleep 1000
	health = exec:sleep 1000 every 100ms
	health-timeout = 100ms
	health-retries = 1
	on-unhealthy = stop
	restart = always
END
ctl start stuck
check "a check that hangs is a failure, and may stop the context" retry_until 10 is_state stuck stopped
is "for good" "$(field stuck exit.reason) $(field stuck restart_in_us)" "unhealthy null"

# --- nothing is lost when the daemon dies while it restarts something itself ---

ini slow <<-END
	[context]
	command = sh -c 'trap "sleep 1; exit 0" TERM; while :; do sleep 0.05; done'
	health = exec:test ! -e /gate/slow every 100ms
	health-retries = 1
	restart-delay = 50ms
	[files]
	$gate
END
ctl start slow
pid=$(pid_of slow)
: >"$WARD_DIR/gate/slow"
check "an unhealthy context is being stopped" retry_until 5 is_state slow stopping
kill_daemon
rm "$WARD_DIR/gate/slow"
launch_daemon
check "the next daemon brings it back" retry_until 10 is_state slow running
isnt "as a new process" "$(pid_of slow)" "$pid"
finish
