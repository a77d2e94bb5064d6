#!/bin/bash
# Hooks: what the host runs around a context's life, in which order, with what, and what becomes of
# it when a hook fails, hangs, is in the way of a stop, or the daemon dies meanwhile.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
T=$WARD_DIR/trace
HOOK=$WARD_DIR/hook
cat >"$HOOK" <<-'END'
	#!/bin/sh
	# notes that it ran, keeps its input, does as it is told
	dir=$(dirname "$0")
	echo "$WARD_HOOK $*" >>"$dir/trace"
	cat >"$dir/$WARD_NAME.$WARD_HOOK.json"
	echo "out of $WARD_HOOK"
	for order in "$@"; do
		case $order in
		fail) echo "it is full: /srv" >&2; exit 3 ;;
		hang) sleep @LONG@ & sleep @LONG@ ;;
		wait) touch "$dir/$WARD_HOOK.waits"; until [ -e "$dir/go" ]; do sleep 0.02; done ;;
		leave) setsid sleep @LONG@ >/dev/null 2>&1 & ;;
		esac
	done
END
LONG=$((100000 + $$))
sed -i "s/@LONG@/$LONG/g" "$HOOK"
chmod 755 "$HOOK"
sleeps() {
	local pid
	for pid in $(our_processes); do tr '\0' ' ' <"/proc/$pid/cmdline"; echo; done 2>/dev/null | grep -qx "sleep $LONG "
}
no_sleeps() { ! sleeps; }
trace() { cut -d' ' -f1 "$T" 2>/dev/null | paste -sd' '; }
input() { jq -r "$2" "$WARD_DIR/$1.json"; }
hooked() { # NAME [KEY=ORDERS]...: a context with all four hooks
	local name=$1 pair
	shift
	declare -A orders=()
	for pair in "$@"; do orders[${pair%%=*}]=${pair#*=}; done
	{
		printf '[context]\ncommand = %s\nstop = TERM 2s KILL\n[hooks]\n' "${COMMAND:-sleep 1000}"
		for pair in before-start after-ready before-stop after-stop; do
			echo "$pair = $HOOK ${orders[$pair]:-}"
		done
		echo "timeout = ${TIMEOUT:-20s}"
	} | ini "$name"
}
fresh() { rm -f "$T" "$WARD_DIR"/*.waits "$WARD_DIR/go"; }
waits() { [ -e "$WARD_DIR/$1.waits" ]; }
ran() { [ "$(trace)" = "$1" ]; }
up() { ctl start "$1" && retry_until 5 grep -q after-ready "$T"; }
kinds() { ctl events --json | jq -r "select(.context == \"$1\") | .kind" | paste -sd' '; }

# --- order, input, output ---
hooked web
check "a context with hooks starts" ctl start web
check "after-ready runs after the start" retry_until 5 ran "before-start after-ready"
check "it stops" ctl stop web
is "every hook ran once, in order" "$(trace)" "before-start after-ready before-stop after-stop"
is "before-start is told that nothing exists yet" \
	"$(input web.before-start '[.name, .state, .hook, has("pid"), .spec.context.command[0]] | join(" ")')" \
	"web starting before-start false sleep"
like "after-ready is told the process" "$(input web.after-ready '.pid')" '^[1-9]'
like "and the cgroup" "$(input web.after-ready '.cgroup')" "ward/$INSTANCE/"
is "before-stop is told of a context that still runs" "$(input web.before-stop '.state, (.pid > 0)' | paste -sd' ')" \
	"stopping true"
is "after-stop is told how it ended" "$(input web.after-stop '.exit.name, has("pid")' | paste -sd' ')" "TERM false"
is "what they print is in the context's log" "$(ctl logs web | paste -sd,)" \
	"out of before-start,out of after-ready,out of before-stop,out of after-stop"
fresh
check "restart" ctl restart web
retry_until 5 ran "before-start after-ready"
check "and again" ctl restart web
retry_until 5 ran "before-start after-ready before-stop after-stop before-start after-ready"
is "runs each of them in its place" "$(trace)" \
	"before-start after-ready before-stop after-stop before-start after-ready"
fresh
ctl kill web -s KILL
check "after a crash there is an after-stop, and no before-stop" retry_until 5 ran "after-stop"
retry_until 5 is_state web stopped

# --- where and as whom ---
cat >"$WARD_DIR/look" <<-'END'
	#!/bin/sh
	dir=$(dirname "$0")
	{
		env | sort | grep -v '^_=\|^PWD=\|^SHLVL='
		pwd
		id -u
		readlink /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/net
		ls /proc/self/fd | wc -l
		grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\t'
		head -c 0 /dev/loop-control && echo devices
	} >"$dir/seen" 2>&1
END
chmod 755 "$WARD_DIR/look"
ini looker <<-END
	[context]
	command = sleep 1000
	[hooks]
	before-start = $WARD_DIR/look
END
check "a hook looks around" ctl start looker
is "it sees the host, clean environment, no descriptor of the daemon's, signals as usual" \
	"$(cat "$WARD_DIR/seen")" \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WARD_HOOK=before-start
WARD_NAME=looker
/
0
$(readlink /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/net)
4
SigBlk:0000000000000000
SigIgn:0000000000000000
devices"
ctl stop looker

# --- failures ---
fresh
hooked full before-start=fail
run_ctl start full
is "a failing before-start hook fails the start" "$RC" 1
like "with its own words" "$ERR" "before-start, $HOOK: failed with status 3: out of before-start; it is full: /srv"
check "nothing is left" retry_until 5 is_state full stopped
is "and after-stop may clean up what it began" "$(trace)" "before-start after-stop"
is "the end says start" "$(ctl show full --json | jq -r .exit.reason)" start
is "the event is failed" "$(kinds full)" failed
fresh
hooked limps after-ready=fail before-stop=fail after-stop=fail
check "other failing hooks stop nothing" ctl start limps
warned() { ctl show limps --json | jq -r '.warnings[]' | grep -q "$1"; }
check "the warning is shown" retry_until 5 warned "hook after-ready, .*status 3"
check "the stop goes on after a failing before-stop" ctl stop limps
is "all ran" "$(trace)" "before-start after-ready before-stop after-stop"
is "each failure is an event" \
	"$(ctl events --json | jq -r 'select(.context == "limps" and .kind == "hook") | .hook' | paste -sd' ')" \
	"after-ready before-stop after-stop"
fresh
TIMEOUT=300ms hooked slow before-start=hang
run_ctl start slow
is "a hanging before-start hook fails the start" "$RC" 1
like "as late" "$ERR" 'killed after 300ms'
check "with all its children" retry_until 2 no_sleeps
fresh
TIMEOUT=3s hooked idle before-stop=hang
check "one with a hanging before-stop hook starts" up idle
check "and stops all the same" ctl stop idle
is "after it was killed" "$(trace)" "before-start after-ready before-stop after-stop"
ini nowhere <<-END
	[context]
	command = sleep 1000
	[hooks]
	before-start = /nonexistent/hook
END
run_ctl start nowhere
like "a hook that is not there is named" "$ERR" '/nonexistent/hook: No such file'
hooked leaver before-start=leave
check "a hook that leaves a process behind" ctl start leaver
check "leaves none" retry_until 2 no_sleeps
ctl stop leaver

# --- stop and start in the way ---
fresh
hooked waiter before-start=wait
background ctl start waiter 2>"$WARD_DIR/refused"
check "a start waits for its hook" retry_until 5 waits before-start
is "the context is starting" "$(state_of waiter)" starting
check "a stop meanwhile" ctl stop waiter
wait "$BG"
is "fails the start" "$?" 1
like "with the reason" "$(cat "$WARD_DIR/refused")" 'stopped meanwhile'
is "and after-stop follows" "$(trace)" "before-start after-stop"
fresh
hooked ender after-stop=wait
ctl start ender
background ctl stop ender
check "after-stop runs when all is gone" retry_until 5 waits after-stop
is "the context is ending" "$(state_of ender)" ending
run_ctl start ender
like "a start meanwhile is refused with the reason" "$RC $ERR" '^1 .*its after-stop hook'
run_ctl exec ender -- true
is "so is an exec" "$RC" 125
run_ctl set ender cpu.share=50
is "a change is written" "$RC" 0
touch "$WARD_DIR/go"
wait "$BG"
is "the stop is answered when the hook is over" "$?" 0
is "it is stopped" "$(state_of ender)" stopped
fresh
hooked halter before-stop=wait
check "a stop is short" up halter
t=$(now_ms)
check "when its caller says so" ctl stop halter --timeout 300ms
less "the hook is bounded as well" $(($(now_ms) - t)) 5000
fresh
COMMAND="sleep 1" hooked quick before-stop=wait
up quick
background ctl stop quick
retry_until 5 waits before-stop
retry_until 5 gone "$(pid_of quick)"
is "a context that exits during before-stop is looked at when that is over" "$(state_of quick)" stopping
touch "$WARD_DIR/go"
wait "$BG"
is "then after-stop runs" "$(trace)" "before-start after-ready before-stop after-stop"
is "its own exit is known" "$(ctl show quick --json | jq .exit.status)" 0
fresh
run_ctl run --set "hooks.before-start=$HOOK" --set "hooks.after-stop=$HOOK" -- sh -c 'exit 4'
is "a throwaway has hooks as well" "$RC" 4
check "and is forgotten after them" retry_until 5 ran "before-start after-stop"
retry_until 5 test "$(ctl list --json | jq '[.[] | select(.throwaway)] | length')" = 0

# --- the daemon dies meanwhile ---
for hook in before-start after-ready before-stop after-stop; do
	ctl stop mortal >/dev/null 2>&1
	fresh
	hooked mortal "$hook=wait"
	case $hook in
	before-start) ctl start mortal >/dev/null 2>&1 & ;;
	after-ready) ctl start mortal ;;
	*) up mortal; ctl stop mortal >/dev/null 2>&1 & ;;
	esac
	client=$!
	check "$hook runs" retry_until 5 waits "$hook"
	kill_daemon
	[ "$hook" = after-ready ] || wait "$client"
	touch "$WARD_DIR/go"
	sleep 0.3
	launch_daemon
	case $hook in
	before-start) want='before-start after-stop' state=stopped ;;
	after-ready) want='before-start after-ready after-ready' state=running ;;
	before-stop) want='before-start after-ready before-stop before-stop after-stop' state=stopped ;;
	after-stop) want='before-start after-ready before-stop after-stop after-stop' state=stopped ;;
	esac
	check "a new daemon ends up in order: $state" retry_until 5 is_state mortal "$state"
	retry_until 3 ran "$want"
	is "and runs again what was cut off in $hook, and what follows it" "$(trace)" "$want"
done
fresh
hooked mortal
check "it starts again" ctl restart mortal
retry_until 5 ran "before-start after-ready"
retry_until 5 grep -qx after-ready "$WARD_DIR/run/contexts/mortal.journal" # its end, too
kill_daemon
launch_daemon
check "a daemon that died at another time" is_state mortal running
sleep 0.3
is "runs no hook twice" "$(trace)" "before-start after-ready"
pid=$(pid_of mortal)
seq=$(ctl events --json | jq -s '.[-1].seq')
kill_daemon
kill -KILL "$pid"
launch_daemon
check "what ended without a daemon is cleaned up" retry_until 5 is_state mortal stopped
is "by its after-stop hook" "$(trace)" "before-start after-ready after-stop"
is "which knows how it ended" "$(input mortal.after-stop .exit.signal)" 9
exits() { ctl events --json --after "$seq" | jq -s '[.[] | select(.context == "mortal" and .kind == "exited")] | length'; }
is "one exit is told" "$(exits)" 1
finish
