#!/bin/bash
# timeout: 600
# Death at every step. A daemon of a test build kills itself, or its child does, at each fault point
# (base/fault.h) on the way of each verb; the next daemon leaves no orphan and loses neither context
# nor status. Then the same points fail instead: everything made is undone, and the error says where.
. "$(dirname "$0")/../lib/harness.sh"
WARDD=${WARD_FAULTS:-$BUILD/faults/wardd}
[ -x "$WARDD" ] || skip_all "$WARDD is not built (make FAULTS=1)"
# what the daemons leave is this shell's, which reaps at once, not like any init
[ -n "${REAPS-}" ] || REAPS=1 exec python3 -c 'import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1) # PR_SET_CHILD_SUBREAPER
os.execvp("unshare", ["unshare", "-n", "/bin/bash", *sys.argv[1:]])' "$0"
ip link set lo up
ip link add near type veth peer name far && ip link set near up && ip link set far up
CTL_TIMEOUT=15
start_daemon

# --- contexts: together they come past every point ---
# ready when it says so
cat >"$WARD_DIR/tell" <<-'END'
	import os, socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"])
	s.send(b"READY=1")
	os.execvp("sleep", ["sleep", "1000"])
END
ini steady <<-END
	[context]
	command = /usr/bin/env python3 /tell
	ready = notify
	[files]
	bind = $WARD_DIR/tell:/tell
END
ini victim <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	[files]
	upper = kept:16M
	tmpfs = /mnt:1M
	hide = /usr/share/doc
	bind = /srv
	[memory]
	limit = 100M
	[cpu]
	limit = 80%
END
# the directory itself, the host's network, devices, and the right to mount
mkdir -p "$WARD_DIR/tree"/{etc,usr,tmp}
touch "$WARD_DIR/tree/etc/hosts"
for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$WARD_DIR/tree/$dir"; done
ini tree <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	[files]
	root = $WARD_DIR/tree
	mode = read-write
	bind = /usr
	device = /dev/null
	[process]
	capability = +sys-admin
	[network]
	mode = host
END
# addresses of its own on the host's network, which is the test's: several, of both families
SHARED='10.9.0.1/24 10.9.0.2/24 fd09::1/64'
ini shared <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	[network]
	mode = shared
	address = ${SHARED// /@near }@near
END
# an interface of its own, on a bridge, with a port of the host's
echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding >/dev/null # the test's
ini private <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	[network]
	mode = private
	bridge = ward0
	address = 10.8.0.2/24 fd08::2/64
	forward = tcp:8080:80
END
# an init of its own
printf '#!/bin/sh\ntrap "exit 7" TERM\nwhile :; do sleep 0.02; done\n' >"$WARD_DIR/init"
chmod 755 "$WARD_DIR" "$WARD_DIR/init"
ini system <<-END
	[context]
	init = /sbin/test-init
	stop = TERM 5s KILL
	[files]
	bind = $WARD_DIR/init:/sbin/test-init
	[network]
	mode = host
END
# no init, no ids, nothing to write to
ini plain <<-END
	[context]
	command = sh -c "trap 'exit 7' TERM; while :; do sleep 0.02; done"
	init = none
	stop = TERM 5s KILL
	[files]
	mode = read-only
	[process]
	ids = none
END
# its upper is made anew by each start; it is deleted as well
ini fresh <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	[files]
	upper = kept:16M
END
cp "$WARD_DIR/config/fresh.ini" "$WARD_DIR/"
ini mule <<-END
	[context]
	command = sleep 1000
	stop = KILL
END
# programs of the host around its life: two and two, as an order is good for once
printf '#!/bin/sh\necho "$WARD_NAME $WARD_HOOK" >>%s\n' "$WARD_DIR/hooked" >"$WARD_DIR/hook"
chmod 755 "$WARD_DIR/hook"
for kinds in 'before before-start before-stop' 'after after-ready after-stop'; do
	read -r name first second <<<"$kinds"
	ini "$name" <<-END
		[context]
		command = sleep 1000
		stop = TERM 5s KILL
		[hooks]
		$first = $WARD_DIR/hook
		$second = $WARD_DIR/hook
	END
done
# ready when it says so, with a watchdog; ready when a look says so
ini listener <<-END
	[context]
	command = /usr/bin/env python3 /tell
	stop = TERM 5s KILL
	ready = notify
	watchdog = 10m
	[files]
	bind = $WARD_DIR/tell:/tell
END
ini probed <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	ready = exec:true
END
# starts again by itself; starts with the machine; many at once
ini service <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	restart = always
	restart-delay = 10ms
	restart-limit = none
END
ini auto <<-END
	[context]
	command = sleep 1000
	stop = TERM 5s KILL
	autostart = yes
END
for name in one two; do
	ini $name <<-END
		[context]
		command = sleep 1000
		stop = TERM 5s KILL
		mark = pack
		$([ $name = one ] || echo after = one)
	END
done
# the front of its log is cut off
LINES_WRITTEN=2000
ini long <<-END
	[context]
	command = sh -c "seq -f 'line %.0f' $LINES_WRITTEN; exec sleep 1000"
	log = file:64M
	stop = TERM 5s KILL
END
declare -A ENDS=([system]='[status 7]' [plain]='[status 7]' [mule]='[signal KILL]')
for name in victim tree shared private fresh before after listener probed service auto one two long; do ENDS[$name]='[signal TERM]'; done
KEPT='victim fresh'
. "$ROOT/tests/lib/faults.sh"

# --- verbs: what each needs, what it does, what is true after it whoever died ---
# process 1 without an init gets only the signals that it catches
catches_term() { local mask; mask=$(sed -n 's/^SigCgt:.*\(....\)$/\1/p' "/proc/$1/status") && ((0x$mask & 0x4000)); }
begin() { # CONTEXT
	ctl start "$1" && look && case $1 in system | plain) soon 5 catches_term "${PID[$1]}" ;; esac
}
put_hole() { # before what the context will write
	ctl stop long && rm -f "$WARD_DIR"/state/logs/{long.log,index/long} &&
		truncate -s 6G "$WARD_DIR/state/logs/long.log" && echo "an old line" >>"$WARD_DIR/state/logs/long.log"
}
has_no_hole() { [ "$(stat -c %s "$WARD_DIR/state/logs/long.log")" -lt 2000000000 ]; }
has_log() { [ "$(ctl logs long --start 1 | paste -sd, | md5sum)" = "$(seq -f 'line %.0f' $LINES_WRITTEN | paste -sd, | md5sum)" ]; }
runs() { look && [ "${STATE[$1]-}" = running ]; }
runs_anew() { runs "$1" && [ "${PID[$1]}" != "$2" ]; } # CONTEXT PID
dead_or() { gone "$DAEMON" || "$@"; }
ready() { # VERB CONTEXT
	[ -e "$WARD_DIR/config/fresh.ini" ] || cp "$WARD_DIR/fresh.ini" "$WARD_DIR/config/"
	look
	case $1 in
	run* | detach) return ;;
	recover) [ "${STATE[mule]}" = running ] || begin mule ;;
	create) ctl stop fresh; ctl delete fresh; look; return ;;
	start-many) ctl stop --mark pack; look; return ;;
	stop-many) ctl start --mark pack; look; return ;;
	boot) ctl stop auto; look; return ;;
	shorten) put_hole; look; return ;;
	esac
	case $1:${STATE[$2]} in
	start:stopped | bare:stopped | refill:stopped | thaw:frozen) ;;
	start:* | bare:* | refill:*) ctl stop "$2" ;;
	delete:*) begin "$2" && ctl stop "$2" ;; # now it has a log, a record and an upper
	thaw:running) ctl freeze "$2" ;;
	thaw:*) begin "$2" && ctl freeze "$2" ;;
	*:stopped) begin "$2" ;;
	*:frozen) ctl thaw "$2" ;;
	esac
	[ "$1:$2" != start:fresh ] || rm -f "$WARD_DIR/state/uppers/fresh".*
	look
} >/dev/null
share=40
FREEZES=$(for _ in {1..100}; do echo "http://w/v1/contexts/victim/"{freeze,thaw}; done)
act() { # VERB CONTEXT
	case $1 in
	start | freeze | thaw | stop) ctl "$1" "$2" ;;
	refill | bare) ctl start "$2" ;; # with seats kept, and without
	exec) ctl exec "$2" -- true ;;
	exec-tty) ctl exec --tty "$2" -- true ;;
	set) share=$((share + 1)) && ctl set "$2" cpu.limit=$share% ;;
	reload) share=$((share + 1)) && sed -Ei "s/(limit *= *)[0-9]+%/\1$share%/" "$WARD_DIR/config/$2.ini" && ctl reload "$2" ;;
	rotate) api -X POST $FREEZES ;; # more than fits into a segment of the events' history
	create) ctl create "$WARD_DIR/fresh.ini" ;;
	start-many) ctl start --mark pack ;;
	stop-many) ctl stop --mark pack ;;
	again) kill -KILL "${PID[$2]}" && soon 5 dead_or runs_anew "$2" "${PID[$2]}" ;;
	shorten) ctl start long && soon 10 dead_or has_no_hole ;;
	run) ctl run -- true ;;
	run-tty) ctl run --tty -- true ;;
	detach) ctl run --detach -- true ;;
	delete) ctl delete "$2" ;;
	recover) # the daemon is killed, and while there is none a context ends
		kill -KILL "$DAEMON" && soon 5 gone "$DAEMON" && kill -TERM "${PID[mule]}" &&
			soon 5 gone "${PID[mule]}" && launch ;;
	upgrade) # from directories as version 1 has them
		term_daemon; rm -rf "$WARD_DIR"/{run,state}/version "$WARD_DIR/run/lock"
		: >"$WARD_DIR/run/lock"; launch ;;
	boot) term_daemon; rm -f "$WARD_DIR/run/autostart"; launch && soon 5 dead_or runs auto ;;
	esac
} </dev/null >/dev/null 2>"$WARD_DIR/stderr"
complain() { WHY="$WHY$1; "; }
ends_well() { # CONTEXT
	ctl stop "$1" >/dev/null 2>"$WARD_DIR/stderr" || complain "stop: $(<"$WARD_DIR/stderr")"
	look
	[ "${EXIT[$1]}" = "${ENDS[$1]}" ] || complain "it ended with ${EXIT[$1]}"
}
agrees() { # CONTEXT: what is said of it is what the kernel says
	local limit frozen
	limit=$(ctl get "$1" cpu.limit) frozen=$(in_slot "$1" cgroup.freeze freezer.state)
	case $limit:$(in_slot "$1" cpu.cfs_quota_us cpu.max) in
	"$limit:${limit%\%}000"*) ;;
	max:-1 | max:max*) ;;
	*) complain "cpu.limit is said to be $limit, and is $(in_slot "$1" cpu.cfs_quota_us cpu.max)" ;;
	esac
	case ${STATE[$1]}:$frozen in
	running:0 | running:THAWED | frozen:1 | frozen:FROZEN) ;;
	*) complain "it is said to be ${STATE[$1]}, and frozen is $frozen" ;;
	esac
}
after() { # VERB CONTEXT PID
	local name
	look
	case $1:$RC in run*:0 | run*:125 | exec*:0 | exec*:125) ;; run* | exec*) complain "the client ended with $RC" ;; esac
	case $1 in
	run | run-tty | detach) ;;
	stop) ends_well "$2" ;;
	create) [ -n "${STATE[$2]-}" ] || ctl create "$WARD_DIR/fresh.ini" || complain "it is not created again" ;;
	start-many | stop-many)
		ctl start --mark pack >/dev/null 2>"$WARD_DIR/stderr" || complain "start: $(<"$WARD_DIR/stderr")"
		ends_well two && ends_well one ;;
	again) soon 10 runs_anew "$2" "$3" || complain "it is ${STATE[$2]} as ${PID[$2]}, was $3" ;;
	boot) soon 10 runs auto && ends_well auto || complain "it was not started: ${STATE[auto]}" ;;
	shorten)
		[ "${STATE[long]-}" = running ] || ctl start long
		soon 10 has_no_hole || complain "the hole is there yet"
		soon 5 has_log || complain "lines are lost: $(ctl logs long --start 1 | head -n 3 | paste -sd,)" ;;
	rotate)
		[ "${PID[$2]}" = "$3" ] || complain "it is ${STATE[$2]} as ${PID[$2]}, was $3"
		ctl events --json | jq -s -e '[.[].seq] | . == unique' >/dev/null || complain "numbers of events come twice"
		agrees "$2" ;;
	delete)
		[ -z "${STATE[$2]-}" ] || ctl delete "$2" 2>"$WARD_DIR/stderr" >&2 ||
			complain "it is not deleted again: $(<"$WARD_DIR/stderr")"
		name=$(find "$WARD_DIR"/{run,state,config} -name "*$2*")
		[ -z "$name" ] || complain "left: $name" ;;
	start | bare | refill)
		[ "${STATE[$2]}" = running ] || begin "$2" >/dev/null 2>"$WARD_DIR/stderr" ||
			complain "it does not start again: $(<"$WARD_DIR/stderr")"
		case $2 in system | plain) soon 5 catches_term "${PID[$2]}" ;; esac
		ends_well "$2" ;;
	*)
		[ "${PID[$2]}" = "$3" ] || complain "it is ${STATE[$2]} as ${PID[$2]}, was $3"
		[ "$1" != recover ] || [ "${EXIT[mule]}" = '[signal TERM]' ] ||
			complain "what ended meanwhile: ${EXIT[mule]}"
		agrees "$2" ;;
	esac
}

# --- who comes past where ---
declare -A WAY=() # "VERB POINT" -> CONTEXT
PAIRS=()
add_pair() { # VERB POINT CONTEXT
	[ -z "${WAY[$1 $2]-}" ] || return
	WAY[$1 $2]=$3
	PAIRS+=("$1 $2")
}
trace() { # VERB CONTEXT [POINTS]: all that were not seen before, or these, whatever was seen
	local point
	ready "$1" "$2"
	soon 3 seated
	order ''
	act "$1" "$2" || not_ok "$1 $2" "$(<"$WARD_DIR/stderr")"
	look
	soon 3 seated
	SEEN=$SEEN$'\n'$(passed)
	for point in ${3-}; do
		among "$point" "$(passed)" || not_ok "$1 $2 comes past $point" "$(passed | paste -sd' ')"
		[ -z "${WAY[$1 $point]-}" ] || point=$point=$2
		add_pair "$1" "$point" "$2"
	done
	[ $# -eq 2 ] || return
	for point in $(passed); do
		case $1 in
		bare | refill) among "$point" "$BACKGROUND" || continue ;;
		*) ! among "$point" "$BACKGROUND" || continue ;;
		esac
		case $1 in
		exec-tty | run-tty) [ -z "${WAY[${1%-tty} $point]-}" ] || continue ;;
		detach) ! among "$point" "$STEPS" || continue ;; # those are as for run
		esac
		add_pair "$1" "$point" "$2"
	done
}
term_daemon
truncate -s 8192 "$FAULT"
launch
check "a new daemon keeps seats before anything was started" soon 3 seated
mapfile -t TOPS < <(our_cgroups | grep "/$INSTANCE\$")
check "a context that must never notice starts" ctl start steady
STEADY=$(pid_of steady) SEEN=''
ctl start victim && ctl stop victim # from now on it has its upper
for context in victim tree system; do
	for verb in start exec exec-tty set freeze thaw stop; do trace $verb $context; done
done
if ctl doctor | grep -Eq '^network +shared +yes'; then
	trace start shared 'network-join address-added'
	trace stop shared 'ending-slot-removed'
fi
if ctl doctor | grep -Eq '^network +private +yes'; then
	trace start private 'network-join network-bridge network-rules network-port network-inside'
	trace stop private 'ending-slot-removed'
fi
trace start fresh
trace stop fresh
trace delete fresh
trace create fresh 'file-written file-replaced'
trace stop mule
hooks='hook-slot-made hook-entered hook-begun hook-finished'
for context in before after; do
	trace start $context "$hooks"
	trace stop $context "$hooks"
done
trace start listener 'attach-notify watchdog notify-made ready-told'
ctl stop listener
trace start probed 'exec-begun ready-told'
ctl stop probed
trace reload victim 'set-intended set-applied'
trace rotate victim segment-begun
trace start-many two batch-item
trace stop-many two batch-item
ctl start service
trace again service 'ending-read ending-journaled ending-slot-removed restart-begun'
trace boot auto 'file-written file-replaced autostart-begun batch-item'
trace upgrade victim 'layout-stamp layout-bar layout-barred file-written'
! collapses || trace shorten long 'log-moving log-shortened log-moved'
for verb in run run-tty detach; do trace $verb -; done
trace recover victim 'recover-begun file-written recover-adopted'
trace refill victim
SEATS=0
relaunch
trace bare victim
add_pair stop ending-journaled=plain plain # nobody but the daemon knows how this one ended
add_pair stop ending-slot-removed=plain plain
SEATS=2
relaunch
is "every point that was passed is known by its name" \
	"$(comm -13 <(sort -u <<<"$STEPS"$'\n'"$POINTS") <(grep . <<<"$SEEN" | sort -u))" ""

# --- rounds ---
# One round: a verb, something on its way dies or fails, and what is true then.
round() { # kill|fail VERB POINT
	local context=${WAY[$2 $3]} daemon
	WHY=''
	case $2:$SEATS in
	bare:2) SEATS=0 && relaunch ;;
	bare:0) ;;
	*:0) SEATS=2 && relaunch ;;
	esac
	ready "$2" "$context" 2>"$WARD_DIR/stderr" || complain "it is not ready: $(<"$WARD_DIR/stderr")"
	soon 5 seated || complain "$SEATS seats are kept: $CHILDREN"
	descriptors
	local before=$COUNT pid=${PID[$context]-}
	: >"$WARD_DIR/hooked"
	daemon=$DAEMON
	order "$1:${3%=*}"
	act "$2" "$context"
	RC=$? SAID=$(<"$WARD_DIR/stderr")
	if soon 2 obeyed; then OBEYED=$OBEYED$'\n'"$1:${3%=*}"; else complain "it did not come past"; fi
	up || complain "no daemon: $(tail -n 3 "$WARD_DIR/log")"
	[ "$DAEMON" = "$daemon" ] || deaths=$((deaths + 1))
	[ "$1" != fail ] || refused "$2" "$3" "$context"
	after "$2" "$context" "$pid"
	case $1:$2:$3 in
	*:hook-entered* | fail:*:hook-slot-made*) ;; # that one was lost
	*:st*:hook-*) grep -q "^$context " "$WARD_DIR/hooked" || complain "no hook of $context ran" ;;
	esac
	soon 5 nothing_stray || {
		complain "left: ${STRAY//$'\n'/, }"
		KNOWN=$KNOWN$'\n'$STRAY
	}
	[ "$DAEMON" != "$daemon" ] || [ "$2" = shorten ] || soon 3 descriptors_within "$before" ||
		complain "descriptors: $COUNT, were $before"
}
OBEYED='' deaths=0
for pair in "${PAIRS[@]}"; do
	read -r verb point <<<"$pair"
	round kill "$verb" "$point"
	[ -z "$WHY" ]
	verdict "killed at $point during $verb: nothing is orphaned, nothing lost" $? "$WHY"
done
note "${#PAIRS[@]} deaths on the way of verbs, $deaths of them the daemon's, the others a child's"
missed=''
facts=$(ctl doctor --json)
for point in $(sort -u <<<"$STEPS"$'\n'"$POINTS"); do
	! among "kill:$point" "$OBEYED" || continue
	if why=$(lacks "$point" "$facts"); then
		skip "killed at $point" "$why"
	else
		missed="$missed$point "
	fi
done
is "every fault point was reached" "$missed" ""

# --- the same points failing ---
# The client is told, and where; the context is as it was.
refused() { # VERB POINT CONTEXT
	local where=${2%=*}
	case $2 in file-written | image-made | hook-entered) where='Input/output error' ;; esac
	look
	case $1:$2 in
	freeze:* | thaw:* | boot:* | again:* | upgrade:*) return ;; # only the log is told
	start:hook-*=after | start:exec-begun) return ;; # likewise; a look is had again
	refill:*) relaunch; return ;; # likewise; the next start would have made more
	stop:* | recover:*) relaunch; return ;; # the status file is there yet
	run*:* | exec*:*) [ "$RC" = 125 ] || complain "the client ended with $RC" ;;
	start:* | bare:*) [ "${STATE[$3]}" = stopped ] || complain "it is ${STATE[$3]}" ;;
	set:*) [ "$(ctl get "$3" cpu.limit)" != $share% ] || complain "cpu.limit was changed" ;;
	esac
	[ "$RC" != 0 ] || complain "the client was told of no error"
	[[ $SAID = *"$where"* ]] || complain "the error does not say where: $SAID"
}
for pair in "${PAIRS[@]}"; do
	read -r verb point <<<"$pair"
	! among "${point%=*}" "$NEVER_FAIL" || continue
	round fail "$verb" "$point"
	[ -z "$WHY" ]
	verdict "failing at $point during $verb: all is undone, and the error says where" $? "$WHY"
done
# --- what the rounds do not see ---
ctl start fresh && ctl stop fresh
printf 'device = /dev/none-%d\n' {1..40} >>"$WARD_DIR/config/fresh.ini" # more than can be planned
refuse "a start is refused at once" ctl start fresh
look
is "how the context had ended before is known" "${EXIT[fresh]}" "${ENDS[fresh]}"
DIRECTORIES=$(echo "$WARD_DIR"/{config,run,run/contexts,state,state/uppers,state/logs/index})
for dir in $DIRECTORIES; do : >"$dir/.x.0123abcd"; done
relaunch
look
is "also by the next daemon" "${EXIT[fresh]}" "${ENDS[fresh]}"
is "which removes what is left of files that were being replaced" \
	"$(find $DIRECTORIES -name '.x.*')" ""
term_daemon
launch_daemon
is "the steady context never noticed" "$(pid_of steady):$(state_of steady)" "$STEADY:running"
finish
