#!/bin/bash
# Delegation: users of the host who own a context, by wardctl and by curl, and those who do not; what
# they may change; what of it is told; what they cannot do to others by any number of connections.
. "$(dirname "$0")/../lib/harness.sh"
/usr/bin/python3 -c 'import yaml' 2>/dev/null || skip_all "needs python3-yaml"
OWNER=4711 OTHER=4712 STRANGER=4713
start_daemon
chmod 755 "$WARD_DIR"
for tool in rude fuse; do install -m 644 "$ROOT/tests/lib/$tool.py" "$WARD_DIR/$tool.py"; done
install -m 755 "$WARDCTL" "$WARD_DIR/wardctl"

as() { local uid=$1; shift; setpriv --reuid="$uid" --regid="$uid" --clear-groups -- "$@"; }
uctl() { local uid=$1; shift; as "$uid" timeout 30 "$WARD_DIR/wardctl" --socket "$SOCK" "$@"; }
# ask UID ARGS...: sets OUT (both streams) and RC
ask() { OUT=$(uctl "$@" 2>&1 </dev/null); RC=$?; }
code() { local uid=$1; shift; as "$uid" curl -s --max-time 20 -o /dev/null -w '%{http_code}' --unix-socket "$SOCK" "$@"; }
rude() { exec /usr/bin/python3 "$WARD_DIR/rude.py" "$SOCK" "$@"; }
rude_as() { exec setpriv --reuid="$1" --regid="$1" --clear-groups -- /usr/bin/python3 "$WARD_DIR/rude.py" "$SOCK" "${@:2}"; }
sleeper() { # NAME OWNER [MORE LINES]
	printf '[context]\ncommand = sleep 1000\nstop = KILL\nowner = %s\n%b\n' "$2" "${3:-}" | ini "$1"
}
events_since() { ctl events --json --after "$1"; }
last_event() { ctl events --json | jq -s '.[-1].seq // 0'; }

# --- every route, every caller ---
sleeper mine $OWNER 'grant = cpu.limit <= 200%, memory.limit >= 16M\ngrant = cpu.share'
sleeper theirs $OTHER
walk "$ROOT/tests/lib/rights.py" "$SOCK" "$ROOT" $OWNER $OTHER $STRANGER

# --- by wardctl ---
background rude_as $OWNER slow >"$WARD_DIR/slow" # looked at below
ask $OWNER list --quiet
is "an owner's list is theirs" "$OUT" mine
ask $OWNER start mine
is "an owner starts" "$RC" 0
is "with streams of their own" "$(echo in | uctl $OWNER exec mine -- sh -c 'cat; id -u; exit 7'; echo $?)" $'in\n0\n7'
is "a pipe of an owner's can be opened anew inside" \
	"$(as $OWNER sh -c '"$0" --socket "$1" exec mine -- sh -c "echo anew >/dev/stdout" | cat' "$WARD_DIR/wardctl" "$SOCK")" anew
is "a file of an owner's is written" \
	"$(install -d -o $OWNER "$WARD_DIR/home" && as $OWNER sh -c '"$0" --socket "$1" exec mine -- echo there >"$2"' "$WARD_DIR/wardctl" "$SOCK" "$WARD_DIR/home/file"; cat "$WARD_DIR/home/file")" there
is "signals reach it" "$(as $OWNER sh -c '"$0" --socket "$1" exec mine -- sh -c "trap \"echo got; exit 5\" TERM; echo up; sleep 5 & wait" & p=$!; sleep 1; kill -TERM $p; wait $p; echo $?' "$WARD_DIR/wardctl" "$SOCK")" $'up\ngot\n5'
OUT=$(as $OWNER script -qec "$WARD_DIR/wardctl --socket $SOCK exec mine -- tty" /dev/null </dev/null | tr -d '\0\r^@\b\004' | tail -n 1)
like "a terminal is one of the context's" "$OUT" '^/dev/pts/[0-9]+$'
is "any user inside" "$(uctl $OWNER exec -u nobody mine -- id -u)" 65534
for verb in 'show mine' 'status mine' 'ps mine' 'stats mine' 'get mine cpu.limit' 'logs mine' 'plan mine' \
	'freeze mine' 'thaw mine' 'kill -s CONT mine' 'events' 'version' 'restart mine'; do
	read -ra words <<<"$verb"
	ask $OWNER "${words[@]}"
	is "an owner: wardctl $verb" "$RC" 0
done
for verb in 'delete mine' 'run -- true' "create $WARD_DIR/config/theirs.ini" 'doctor' \
	'set mine context.owner=0' 'set mine files.bind=/:/x:rw' 'set mine context.grant=process.limit'; do
	read -ra words <<<"$verb"
	ask $OWNER "${words[@]}"
	isnt "an owner may not: wardctl ${words[*]:0:2}" "$RC" 0
done
ask $OWNER stop theirs
like "another's context is refused with a clear text" "$OUT" 'uid 4711 is not an owner of "theirs"'
ask $STRANGER list
like "a stranger hears that they own nothing" "$OUT" 'uid 4713 is owner of nothing on this host'
ask $OWNER stop --timeout 1s mine
is "an owner stops" "$RC" 0

# --- names, and changes of ownership ---
sleeper named 'daemon no-such-user'
ask "$(id -u daemon)" start named
is "an owner by name" "$RC" 0
like "a name that the host does not know is told" "$(ctl show named --json | jq -r '.warnings[]')" 'no-such-user'
ctl set named context.owner=$OWNER || not_ok "ownership can be given away"
is "holds at once, while it runs" "$(code "$(id -u daemon)" http://w/v1/contexts/named)" 403
is "for the new owner too" "$(code $OWNER http://w/v1/contexts/named)" 200
is "no group equals root" "$(setpriv --reuid=$STRANGER --regid=0 --groups=0 curl -s -o /dev/null -w '%{http_code}' \
	--unix-socket "$SOCK" http://w/v1/contexts)" 403

# --- bounds ---
for row in 'cpu.limit=200% 200' 'cpu.limit=201% 403' 'cpu.limit=max 403' 'cpu.limit=much 400' 'memory.limit=16M 200' \
	'memory.limit=15M 403' 'cpu.share=10000 200' 'cpu.share=0 400' 'process.limit=5 403' 'context.owner=4713 403' \
	'context.command=sh 403' 'cpu.limti=5% 404'; do
	read -r change want <<<"$row"
	for how in '' '?runtime=1'; do
		[ -z "$how" ] || ctl start mine 2>/dev/null
		is "an owner sets $change$how" "$(code $OWNER -X PATCH -d "{\"${change%%=*}\": \"${change#*=}\"}" \
			"http://w/v1/contexts/mine$how")" "$want"
	done
	ctl stop mine
done
is "all or nothing" "$(code $OWNER -X PATCH -d '{"cpu.share": "77", "process.limit": "9"}' http://w/v1/contexts/mine)" 403
isnt "so nothing was changed" "$(ctl get mine cpu.share)" 77
like "what is granted is told" "$(uctl $OWNER set mine cpu.limit=300% 2>&1)" 'beyond what is granted to owners: cpu.limit <= 200%'

# --- where root inside is more than a stranger outside ---
mkdir "$WARD_DIR/data"
for row in 'process:ids = none' "files:bind = $WARD_DIR/data:/data:rw" 'files:device = /dev/full'; do
	sleeper reaching $OWNER "[${row%%:*}]\n${row#*:}"
	ask $OWNER start reaching
	is "${row#*:}: an owner starts it" "$RC" 0
	ask $OWNER exec reaching -- true
	like "and may not enter it" "$OUT" 'its owners may not enter it; (process|files)\.'
	check "root may" ctl exec reaching -- true
	ask $OWNER stop reaching
	is "an owner stops it" "$RC" 0
done
rm "$WARD_DIR/config/reaching.ini"

# --- processes of contexts ---
sleeper inner $OWNER "[process]\nids = 100000:65536\n[files]\nbind = $WARD_DIR/run:/mnt"
sleeper target 100001
ctl start inner target
inside() { ctl exec -u "$1" inner -- curl -s -o /dev/null -w '%{http_code}' --unix-socket /mnt/control.sock "http://w/v1/contexts$2"; }
is "root of a context that has the socket bound is no root" "$(inside 0 '')" 403
is "nor an owner by the number it has inside" "$(inside $OWNER /mine)" 403
is "an id that a context has is nobody's owner" "$(inside 1 /target)" 403
is "also where a user of the host has it" "$(code 100001 http://w/v1/contexts/target)" 403
ctl stop inner && rm "$WARD_DIR/config/inner.ini"
ask 100001 start target
like "until that context is gone" "$(code 100001 http://w/v1/contexts/target)" 200
ctl stop target

# --- descriptors ---
if [ -c /dev/fuse ]; then
	ctl start mine
	mkdir "$WARD_DIR/fuse"
	for uid in $OWNER $STRANGER; do
		HELD=$WARD_DIR/fuse/file background unshare -m /usr/bin/python3 "$WARD_DIR/fuse.py" "$WARD_DIR/fuse" \
			setpriv --reuid="$uid" --regid="$uid" --clear-groups /usr/bin/python3 "$WARD_DIR/rude.py" "$SOCK" hold \
			>"$WARD_DIR/held" 2>&1
		check "uid $uid gives descriptors that never finish closing" retry_until 10 grep -q '^sent' "$WARD_DIR/held"
		note "$(tr '\n' '|' <"$WARD_DIR/held")"
		check "and the daemon goes on" timeout 5 "$WARDCTL" --socket "$SOCK" list
		end_background "$BG"
	done
	ctl stop mine
else
	skip "descriptors that never finish closing" "no /dev/fuse"
fi

# --- the audit ---
seq=$(last_event)
uctl $OWNER start mine
uctl $OWNER set mine cpu.share=99
uctl $OWNER exec mine -- true
uctl $OWNER list >/dev/null
ctl stop mine
ctl check "$WARD_DIR/config/mine.ini"
is "each change is an event with uid and action" \
	"$(events_since "$seq" | jq -r 'select(.kind == "action") | "\(.uid) \(.action) \(.context) \(.pid > 0)"')" \
	"$OWNER POST /v1/contexts/mine/start mine true
$OWNER PATCH /v1/contexts/mine mine true
$OWNER POST /v1/contexts/mine/exec mine true
0 POST /v1/contexts/mine/stop mine true"
seq=$(last_event)
uctl $OTHER stop mine 2>/dev/null
code 4714 -X POST http://w/v1/contexts/mine/stop >/dev/null
is "and each refusal" "$(events_since "$seq" | jq -r 'select(.kind == "denied") | "\(.uid) \(.action) \(.text != "")"')" \
	"$OTHER POST /v1/contexts/mine/stop true
4714 POST /v1/contexts/mine/stop true"
printf '[context]\ncommand = sh -c "trap : TERM; while :; do sleep 0.1; done"\nstop = TERM 1s KILL\nowner = %s\n' $OWNER | ini stubborn
ctl start stubborn
seq=$(last_event)
code $OWNER --max-time 0.3 -X POST http://w/v1/contexts/stubborn/stop >/dev/null
check "who leaves before the answer has acted all the same" retry_until 10 sh -c \
	"'$WARDCTL' --socket '$SOCK' events --json --after $seq | jq -se '[.[] | select(.kind == \"action\" and .uid == $OWNER)] | length == 1'"
seq=$(last_event)
for _ in $(seq 40); do code 4720 http://w/v1/contexts; done >/dev/null
less "a stranger's refusals do not flood the history" \
	"$(events_since "$seq" | jq -s '[.[] | select(.kind == "denied")] | length')" 15
check "their number is told later" retry_until 15 sh -c \
	"'$WARDCTL' --socket '$SOCK' events --json --after $seq | jq -se '[.[] | select(.uid == 4720) | .suppressed // 0] | add >= 25'"

# --- many connections ---
answers() { # RULE [UID]
	local median p95 best=9999
	for _ in 1 2 3 4 5; do
		read -r median p95 <<<"$( (rude_as "${2:-0}" polite 60) 2>&1)"
		awk -v a="$median" -v b="$best" 'BEGIN { exit !(a + 0 > 0 && a + 0 < b) }' && best=$median
		awk -v b="$best" 'BEGIN { exit !(b < 10) }' && break
	done
	note "$1: median $median ms, 95th percentile $p95 ms"
	less "$1: an answer comes within ms" "$best" $((10 * ${WARD_SLOW:-1}))
}
check "a request that does not come to its end" retry_until 20 test -s "$WARD_DIR/slow"
less "is not waited for (s)" "$(cat "$WARD_DIR/slow")" 15
for uid in $STRANGER $OWNER; do
	background rude_as "$uid" half 300 2>/dev/null
	background rude_as "$uid" idle 300 >/dev/null 2>&1
	sleep 0.3
	answers "uid $uid holds what it can: root"
	answers "uid $uid holds what it can: an owner" $OTHER
	end_background "$BG"
done
for pid in $EXTRA_PIDS; do end_background "$pid"; done
EXTRA_PIDS=''
sleep 2.5 # a door that was shut is open again
is "the socket is open to all" "$(stat -c %a "$SOCK")" 666
background rude_as $STRANGER flood
sleep 0.5
answers "a stranger connects without end: root"
answers "a stranger connects without end: an owner" $OTHER
is "strangers are shut out meanwhile" "$(code $STRANGER http://w/v1/version)" 000
end_background "$BG"
background rude_as $OWNER flood
sleep 1
answers "an owner connects without end: root"
answers "an owner connects without end: another" $OTHER
end_background "$BG"
check "then everyone is told 403 again" retry_until 10 sh -c \
	"[ \$(setpriv --reuid=4730 --regid=4730 --clear-groups curl -s -o /dev/null -w '%{http_code}' --unix-socket '$SOCK' http://w/) = 403 ]"
is "a body that is too large for an owner" "$(head -c 100000 /dev/zero | tr '\0' ' ' |
	code $OTHER -X PATCH --data-binary @- http://w/v1/contexts/theirs)" 413
less "the daemon stays small (KB)" "$(awk '/^Private_/ { sum += $2 } END { print sum }' "/proc/$DAEMON/smaps_rollup")" 30000
for pid in $EXTRA_PIDS; do end_background "$pid"; done
EXTRA_PIDS=''

# --- root only ---
check "contexts stop" ctl stop --all
term_daemon
launch_daemon --root-only
verdict "a daemon for root only starts" $?
is "its socket is root's" "$(stat -c %a "$SOCK")" 600
chmod 666 "$SOCK"
is "and owners are refused even so" "$(code $OWNER http://w/v1/contexts)" 403
finish
