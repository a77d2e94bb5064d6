#!/bin/bash
# Order: `after` and `mark`, starts and stops of many along the graph, what becomes of those behind
# one that fails, cycles and unknown names, autostart, and a stop of all within a given time.
. "$(dirname "$0")/../lib/harness.sh"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
# sleeper NAME [KEY=VALUE]...: a context that sleeps, with more keys of [context]
sleeper() {
	local name=$1 pair
	shift
	{
		printf '[context]\ncommand = %s\n' "${COMMAND:-sleep 1000}"
		for pair in "$@"; do printf '%s = %s\n' "${pair%%=*}" "${pair#*=}"; done
	} | ini "$name"
}
running() { ctl list --json | jq -r '.[] | select(.state == "running") | .name' | sort | paste -sd' '; }
# told KIND [AFTER]: the contexts of all such events, in order
told() {
	ctl events --json --after "${2:-0}" | jq -r --arg k "$1" 'select(.kind == $k) | .context' | paste -sd' '
}
last_event() { ctl events --json | jq -s '.[-1].seq // 0'; }
# before A B LIST: A stands before B
before() { [[ " $3 " == *" $1 "* && " ${3#*"$1"} " == *" $2 "* ]]; }

start_daemon
# --- a chain, a fork, and what is named is what starts, with what it needs ---
sleeper db
sleeper cache after=db
sleeper app 'after=db cache' mark='front web'
sleeper lonely mark=web
run_ctl start app
is "a context starts" "$RC" 0
is "those it is after start first" "$(told started)" "db cache app"
is "and are told" "$(sort <<<"$OUT")" "cache: started, as app is after it
db: started, as app is after it"
is "nothing else starts" "$(running)" "app cache db"
run_ctl stop cache
is "a stop takes only what is named" "$RC $(running)" "0 app db"
ctl stop app
seq=$(last_event)
run_ctl start app
is "what runs already is left alone" "$RC $(told started "$seq") $OUT" \
	"0 cache app cache: started, as app is after it"
run_ctl start app db
is "naming what runs is an error" "$RC" 1
like "for each of them" "$ERR" 'app: .*runs already'
seq=$(last_event)
check "stop of many" ctl stop db cache app
is "is in the reverse order" "$(told exited "$seq")" "app cache db"
seq=$(last_event)
check "stop of what is stopped is done already" ctl stop db cache app
is "and nothing happens" "$(told exited "$seq")" ""
run_ctl start app nobody-here lonely
is "one unknown name fails the start of many" "$RC" 1
like "with its name" "$ERR" 'nobody-here: no such context'
is "the others go on" "$(running)" "app cache db lonely"
run_ctl stop --all
is "and all stop" "$RC $(running)" "0 "

# --- marks ---
check "start --mark" ctl start --mark web
is "starts those with the mark, and what they need" "$(running)" "app cache db lonely"
is "list --mark" "$(ctl list --mark front --quiet)" app
is "status --mark" "$(ctl status --mark web | cut -d: -f1 | paste -sd' ')" "app lonely"
check "freeze --mark" ctl freeze --mark front
is "freezes those" "$(state_of app) $(state_of lonely)" "frozen running"
check "thaw --mark" ctl thaw --mark front
pid=$(pid_of lonely)
check "restart --mark" ctl restart --mark web
isnt "restarts those" "$(pid_of lonely)" "$pid"
check "kill --mark" ctl kill --mark front -s KILL
check "reaches those" retry_until 5 is_state app stopped
check "stop --mark" ctl stop --mark web
is "stops those" "$(running)" "cache db"
run_ctl start --mark nothing-like-it
is "a mark nobody has is no error" "$RC" 0
run_ctl start --mark web app
is "names and --mark exclude each other" "$RC" 2
ctl stop --all

# --- failures ---
COMMAND=/no/such/program sleeper broken
sleeper behind after=broken
sleeper further after=behind
sleeper typo after=nosuch
run_ctl start further lonely
is "one that fails fails the start" "$RC" 1
like "it is told why" "$ERR" 'broken: .*/no/such/program'
like "and those after it" "$ERR" 'behind: not started: it is after broken, which failed: '
like "and those after these" "$ERR" 'further: not started: it is after behind; broken failed: '
is "others go on" "$(running)" lonely
run_ctl start typo
is "an unknown name in after is an error" "$RC" 1
like "that names file and key" "$ERR" 'typo.ini: context.after: there is no context "nosuch"'
like "show warns of it before" "$(ctl show typo)" 'warning: context.after: there is no context'
sleeper one after=two
sleeper two after=three
sleeper three after=one
sleeper four after=three
ctl stop lonely
run_ctl start four lonely
is "a cycle is refused" "$RC" 1
like "and printed" "$ERR" 'context.after makes a cycle: one after two after three after one'
like "what is after it does not start" "$ERR" 'four: not started: it is after three'
is "nothing of it runs" "$(running)" lonely
run_ctl start --all
is "with --all, too" "$RC $(running)" "1 app cache db lonely"
sleeper self after=self
run_ctl check "$WARD_DIR/config/self.ini"
like "a context after itself is found by check" "$ERR$OUT" 'self.ini:3: context.after: self cannot be after itself'
rm "$WARD_DIR"/config/{broken,behind,further,typo,one,two,three,four,self}.ini
ctl stop --all

# --- the API ---
results() { jq -r '[.name, .result, .wanted_by // "-"] | join(" ")' | sort | paste -sd,; }
is "POST /v1/start answers a line a context" \
	"$(api -d '{"contexts": ["app"]}' http://w/v1/start | results)" \
	"app started -,cache started app,db started app"
is "what runs is told as running" "$(api -d '{"mark": "web"}' http://w/v1/start | results)" "lonely started -"
is "errors are in the line" \
	"$(api -d '{"contexts": ["app", "x"]}' http://w/v1/start | jq -r '.name + " " + .error.code' | sort | paste -sd,)" \
	"app EBUSY,x ENOENT"
is "POST /v1/stop likewise" "$(api -d '{"all": true}' http://w/v1/stop | results)" \
	"app stopped -,cache stopped -,db stopped -,lonely stopped -"
for body in '{}' '{"all": true, "mark": "web"}' '{"contexts": []}' '{"contexts": ["../x"]}' '{"mark": "A"}' \
	'{"all": true, "timeout_us": 5}'; do
	is "POST /v1/start refuses $body" "$(api -o /dev/null -w '%{http_code}' -d "$body" http://w/v1/start)" 400
done
sleeper slow after=db
printf '[hooks]\nbefore-start = /bin/sleep 2\n' >>"$WARD_DIR/config/slow.ini"
timeout 1 curl -sS --unix-socket "$SOCK" -d '{"contexts": ["slow"]}' http://w/v1/start >/dev/null 2>&1
isnt "a client leaves before all is done" "$(state_of slow)" running
check "what it has begun goes on without it" retry_until 10 is_state slow running
ctl stop --all
rm "$WARD_DIR/config/slow.ini"

# --- an owner's many ---
chmod 755 "$WARD_DIR"
install -m 755 "$WARDCTL" "$WARD_DIR/wardctl"
# as_owner ARGS...: sets OUT (both streams) and RC
as_owner() {
	OUT=$(setpriv --reuid=4711 --regid=4711 --clear-groups -- timeout 30 "$WARD_DIR/wardctl" --socket "$SOCK" "$@" 2>&1 </dev/null)
	RC=$?
}
sleeper mine owner=4711 mark=front
sleeper own owner=4711 after=db
ctl start app
seq=$(last_event)
as_owner start mine own
is "an owner starts several of theirs" "$RC $(running)" "0 app cache db mine own"
is "each is told with who did it" "$(ctl events --json --after "$seq" |
	jq -r 'select(.kind == "action" and .uid == 4711 and .context) | .context' | sort | paste -sd' ')" "mine own"
as_owner start mine lonely
is "with one that is not theirs nothing happens" "$RC $(state_of lonely)" "1 stopped"
like "and they are told" "$OUT" 'uid 4711 is not an owner of "lonely"'
as_owner start mine nobody-here
like "one that is not there looks the same" "$OUT" 'uid 4711 is not an owner of "nobody-here"'
as_owner start --autostart
is "nor do they start what starts with the machine" "$RC" 1
as_owner stop --mark front
is "a mark means theirs of it" "$RC $(running)" "0 app cache db own"
as_owner stop --all
is "all means theirs" "$RC $(running)" "0 app cache db"
ctl stop --all
rm "$WARD_DIR"/config/{mine,own}.ini

# --- many, in parallel, in order ---
for i in 1 2 3 4 5 6 7 8; do
	for j in 0 1 2 3; do
		COMMAND="sleep 1000" sleeper "n$i.$j" mark=many stop=KILL "$([ "$j" -eq 0 ] || echo "after=n$i.$((j - 1))")"
		sed -i '/^ *= *$/d' "$WARD_DIR/config/n$i.$j.ini"
	done
done
in_order() { # LIST [reverse]
	local i j a b
	for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3; do
		a=n$i.$((j - 1)) b=n$i.$j
		[ -z "${2:-}" ] || { a=n$i.$j b=n$i.$((j - 1)); }
		before "$a" "$b" "$1" || return 1
	done; done
}
seq=$(last_event)
check "eight chains of four start" ctl start --mark many
is "all run" "$(running | wc -w)" 32
check "each in its order" in_order "$(told started "$seq")"
seq=$(last_event)
check "they stop" ctl stop --mark many
check "in the reverse order" in_order "$(told exited "$seq")" reverse
rm "$WARD_DIR"/config/n*.ini

# --- a stop within a given time ---
COMMAND="sh -c \"trap '' TERM HUP INT; while :; do sleep 1; done\"" sleeper deaf 'stop=TERM 60s INT 60s KILL' after=db
COMMAND="sh -c \"trap '' TERM HUP INT; while :; do sleep 1; done\"" sleeper cold 'stop=TERM 60s INT 60s KILL'
check "deaf ones start" ctl start deaf cold lonely
sleep 0.3
ctl freeze cold
t=$(now_ms)
check "stop --all --timeout" ctl stop --all --timeout 1s
less "keeps to its time, deaf or frozen" $(($(now_ms) - t)) 6000
is "none is left" "$(running)" ""
rm "$WARD_DIR"/config/{deaf,cold}.ini

# --- autostart ---
reborn() { # as after a boot of the machine: nothing runs, the record is of another boot
	ctl stop --all
	kill_daemon
	rm -f "$WARD_DIR/run/autostart"
}
sleeper app after=cache autostart=yes
COMMAND=true sleeper once autostart=yes
sleeper lonely
kill_daemon
launch_daemon
is "a daemon that is started again starts nothing" "$(running)" ""
reborn
launch_daemon
check "the first one starts what starts with the machine" retry_until 5 is_state app running
all_done() { grep -qx '\.' "$WARD_DIR/run/autostart"; }
check "to its end" retry_until 5 all_done
is "with what it needs, and nothing else" "$(running)" "app cache db"
retry_until 5 is_state once stopped
ctl stop app
kill_daemon
launch_daemon
sleep 0.3
is "the next one starts nothing that was stopped by hand or has ended" "$(running)" "cache db"
seq=$(last_event)
check "start --autostart" ctl start --autostart
is "neither does this" "$(told started "$seq")" ""
check "but after a stop of all" ctl stop --all
kill_daemon
launch_daemon
sleep 0.3
is "(still not by the daemon)" "$(running)" ""
check "start --autostart" ctl start --autostart
retry_until 5 is_state once stopped
is "starts them again" "$(running)" "app cache db"
reborn
echo "00000000-0000-0000-0000-000000000000" >"$WARD_DIR/run/autostart"
launch_daemon
check "a record of another boot does not count" retry_until 5 is_state app running
# the daemon dies in the middle: the next one goes on where it was
retry_until 5 all_done
reborn
for i in 1 2 3 4 5 6 7 8 9; do COMMAND="sleep 0.1" sleeper "m$i" autostart=yes "after=$([ "$i" = 1 ] && echo cache || echo "m$((i - 1))")"; done
launch_daemon
sleep 0.03
kill_daemon
launch_daemon
check "autostart that was cut off goes on" retry_until 10 all_done
is "each was started" "$(sort "$WARD_DIR/run/autostart" | grep -c '^m[1-9]$')" 9
is "none twice" "$(sort "$WARD_DIR/run/autostart" | uniq -d)" ""
finish
