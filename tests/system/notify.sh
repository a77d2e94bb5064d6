#!/bin/bash
# The notify socket: sd_notify(3) inside a context, the watchdog, hostile senders, a daemon that dies.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
field() { ctl show "$1" --json | jq -r ".$2"; }
is_field() { [ "$(field "$1" "$2")" = "$3" ]; }
count_event() { ctl events --json | jq -c "select(.context == \"$1\" and .kind == \"$2\")" | wc -l; }
starts_at_least() { [ "$(count_event "$1" started)" -ge "$2" ]; }
mkdir "$WARD_DIR/tools" "$WARD_DIR/gate"
chmod 755 "$WARD_DIR"
cat >"$WARD_DIR/tools/say" <<-'PY'
	#!/usr/bin/python3
	# say MESSAGE [fds|flood|drip]: to the notify socket, as sd_notify(3) does
	import array, os, socket, sys, time
	where = os.environ.get("NOTIFY_SOCKET", "/dev/ward/notify")
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(where)
	message = sys.argv[1].encode("utf-8", "surrogateescape")
	how = sys.argv[2] if len(sys.argv) > 2 else ""
	if how == "fds":
	    r, w = os.pipe()
	    s.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [w, w, w]))])
	    os.close(w)
	    sys.exit(0 if os.read(r, 1) == b"" else 1) # all copies are closed
	if how == "flood":
	    for i in range(3000):
	        s.send(b"STATUS=%d\n" % i + message)
	elif how == "drip":
	    while True:
	        s.send(message)
	        time.sleep(0.1)
	elif how == "dog": # as sd_notify(3): a socket for each; may fail, must not hang
	    while True:
	        try:
	            if os.path.exists("/gate/go"):
	                s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	                s.connect(where)
	                s.send(message)
	        except OSError:
	            print("failed softly", flush=True)
	        time.sleep(0.05)
	else:
	    s.send(message)
PY
chmod 755 "$WARD_DIR/tools/say"
tools="bind = $WARD_DIR/tools:/tools"
say() { local name=$1; shift; ctl exec "$name" -- /tools/say "$@" </dev/null; }

# --- READY, STATUS ---

ini plain <<-END
	[context]
	command = sh -c 'printf %s "\$NOTIFY_SOCKET\$WATCHDOG_USEC"; ls -A /dev/ward; sleep 1000'
END
ctl start plain
is "a context that wants no socket has none" "$(ctl logs plain)" ""
ctl stop plain

ini talks <<-END
	[context]
	command = sh -c 'echo "\$NOTIFY_SOCKET"; id -u; /tools/say "STATUS=warming up"; while [ ! -e /gate/go ]; do sleep 0.02; done; exec /tools/say READY=1 drip'
	user = nobody
	ready = notify
	[files]
	bind = $WARD_DIR/gate:/gate
	$tools
END
background ctl start talks
check "what it says is shown before it is ready" retry_until 10 is_field talks status "warming up"
is "it is not ready by that" "$(field talks ready)" false
: >"$WARD_DIR/gate/go"
wait "$BG"
is "READY=1 ends its start" "$?" 0
is "it is ready" "$(field talks ready)" true
is "any user may send to the socket its environment names" "$(ctl logs talks | paste -sd' ')" \
	"/dev/ward/notify 65534"
like "the status is an event" "$(ctl events --json | jq -r 'select(.kind == "status") | .text')" \
	'warming up'
in_ctx talks 'rm -f /dev/ward/notify; mv /dev/ward/notify /tmp; chmod 000 /dev/ward/notify; touch /dev/ward/x; stat -c "%a %n" /dev/ward/*'
like "root inside cannot change the socket's place" "$OUT" '^666 /dev/ward/notify$'
unlike "nor put something beside it" "$OUT" '/dev/ward/x$'
say talks "STATUS=$(printf 'one\033[2Jtwo\x01')"
check "control characters do not get through" retry_until 5 is_field talks status 'one?[2Jtwo?'
say talks "STATUS=$(head -c 3000 /dev/zero | tr '\0' x)"
check "a long text is cut" retry_until 5 is_field talks 'status | length' 255
say talks "$(printf 'STATUS=ok\nMAINPID=1\nFDSTORE=1\nRELOADING=1\nMONOTONIC_USEC=5\nNONSENSE\n=\nREADY=2')"
check "what is meant for others is passed over" retry_until 5 is_field talks status ok
say talks "STATUS=with descriptors" fds
verdict "descriptors that are sent are closed" $?
check "the message counts" retry_until 5 is_field talks status "with descriptors"
say talks BARRIER=1 fds
verdict "so a barrier (sd_notify_barrier(3)) is passed" $?
say talks "$(head -c 60000 /dev/zero | tr '\0' 'A')"
say talks "STATUS=still heard"
check "a datagram that is too long harms nobody" retry_until 5 is_field talks status "still heard"

# --- floods ---

five() { # the time of five requests
	local t
	t=$(now_ms)
	for _ in 1 2 3 4 5; do api -o /dev/null http://w/v1/contexts; done
	echo $(($(now_ms) - t))
}
quiet=$(five)
background "$WARDCTL" --socket "$SOCK" exec talks -- /tools/say x=1 flood
less "others are answered during a flood (ms for five; $quiet without)" "$(five)" \
	$((5 * quiet + 1000))
before=$(count_event talks status)
sleep 1
less "few of its texts become events" $(($(count_event talks status) - before)) 5
wait "$BG"
check "the last one counts" retry_until 10 is_field talks status 2999

# --- nobody else ---

path=$WARD_DIR/run/notify/talks/notify
check "the socket is where the manual says" test -S "$path"
is "only root may look there" "$(stat -c %a "$WARD_DIR/run/notify")" 700
NOTIFY_SOCKET=$path /usr/bin/python3 "$WARD_DIR/tools/say" "STATUS=from outside"
sleep 0.2
is "not even the host's root speaks for the context" "$(field talks status)" 2999
say talks "STATUS=bye
STOPPING=1"
check "STOPPING=1: it is ready no more" retry_until 5 is_field talks ready false
check "it stops" ctl stop talks
check "its socket is gone" test ! -e "$WARD_DIR/run/notify/talks"

# --- views ---

mkdir -p "$WARD_DIR/tree"/{proc,sys,dev,tmp,bin,usr,lib,lib64,etc}
for mode in read-only read-write; do
	ini "view-$mode" <<-END
		[context]
		command = /tools/say READY=1 drip
		ready = notify
		ready-timeout = 5s
		[files]
		root = $WARD_DIR/tree
		mode = $mode
		bind = /usr
		bind = /lib
		bind = /lib64
		$tools
	END
	mkdir -p "$WARD_DIR/tree/tools"
	check "it works in a view that is $mode" ctl start "view-$mode"
	ctl stop "view-$mode"
done
ini noids <<-END
	[context]
	command = /tools/say READY=1 drip
	init = none
	stop = KILL
	ready = notify
	ready-timeout = 5s
	[process]
	ids = none
	[files]
	$tools
END
check "without ids of its own and without ward-init" ctl start noids
ctl stop noids

ini system <<-END
	[context]
	init = /tools/init
	stop = KILL
	ready = notify
	ready-timeout = 5s
	[files]
	$tools
END
printf '#!/bin/sh\nexec /tools/say READY=1 drip\n' >"$WARD_DIR/tools/init"
chmod 755 "$WARD_DIR/tools/init"
check "a full init says when it has booted" ctl start system
ctl stop system

# --- the daemon dies ---

ini waits <<-END
	[context]
	command = /tools/late
	ready = notify
	[files]
	bind = $WARD_DIR/gate:/gate
	$tools
END
rm "$WARD_DIR/gate/go"
cat >"$WARD_DIR/tools/late" <<-'SH'
	#!/bin/sh
	while [ ! -e /gate/go ]; do sleep 0.02; done
	/tools/say "STATUS=said to nobody"
	/tools/say READY=1
	echo said
	sleep 1000
SH
chmod 755 "$WARD_DIR/tools/late"
ctl start --no-wait waits
pid=$(pid_of waits)
kill_daemon
: >"$WARD_DIR/gate/go"
check "it speaks while no daemon is there" retry_until 10 grep -q said "$WARD_DIR/state/logs/waits.log"
launch_daemon
check "the next daemon hears it" retry_until 5 is_field waits ready true
check "every word" retry_until 5 is_field waits status "said to nobody"
say waits "STATUS=again"
check "and goes on listening" retry_until 5 is_field waits status again
ctl stop waits
ini noinit <<-END
	[context]
	command = sh -c '/tools/say READY=1; sleep 1000'
	init = none
	stop = KILL
	ready = notify
	[files]
	$tools
END
ctl start noinit
kill_daemon
launch_daemon
say noinit "STATUS=new socket"
check "where ward-init holds nothing there is a new socket" retry_until 5 is_field noinit status \
	"new socket"
ctl stop noinit

# --- watchdog ---

ini dog <<-END
	[context]
	command = /tools/dog
	watchdog = 1s
	restart-delay = 50ms
	restart-limit = none
	[files]
	bind = $WARD_DIR/gate:/gate
	$tools
END
cat >"$WARD_DIR/tools/dog" <<-'SH'
	#!/bin/sh
	echo "usec $WATCHDOG_USEC"
	[ "$WATCHDOG_PID" = "$$" ] && echo "pid is mine"
	exec /tools/say WATCHDOG=1 dog
SH
chmod 755 "$WARD_DIR/tools/dog"
check "a context with a watchdog starts" ctl start dog
sleep 1.5
is "it knows how often to speak, and that it is meant" "$(ctl logs dog | paste -sd' ')" \
	"usec 1000000 pid is mine"
is "while it speaks it is left alone" "$(count_event dog started)" 1
ctl freeze dog
sleep 1.5
is "frozen it need not" "$(count_event dog watchdog)" 0
ctl thaw dog
kill_daemon
check "without a daemon what it says fails at once, again and again" retry_until 10 \
	sh -c "[ \"\$(grep -c softly '$WARD_DIR/state/logs/dog.log')\" -gt 15 ]"
launch_daemon
sleep 1.5
is "a new daemon hears it" "$(count_event dog watchdog) $(state_of dog)" "0 running"
rm "$WARD_DIR/gate/go"
check "when it falls silent it is restarted" retry_until 10 starts_at_least dog 2
is "for that" "$(ctl events --json |
	jq -r 'select(.kind == "exited" and .context == "dog") | .exit.reason' | head -n 1)" watchdog
ctl stop dog
finish
