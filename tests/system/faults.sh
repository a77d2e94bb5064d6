#!/bin/bash
# timeout: 600
# Death at every step. A daemon of a test build kills itself, or its child does, at each fault point
# (base/fault.h) on the way of each verb; the next daemon leaves no orphan and loses neither context
# nor status. Then the same points fail instead: everything made is undone, and the error says where.
. "$(dirname "$0")/../lib/harness.sh"
WARDD=${WARD_FAULTS:-$BUILD/faults/wardd}
[ -x "$WARDD" ] || skip_all "$WARDD is not built (make FAULTS=1)"
CTL_TIMEOUT=15
start_daemon

# --- contexts: together they come past every point ---
ini steady <<-END
	[context]
	command = sleep 1000
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
declare -A ENDS=([victim]='[signal TERM]' [tree]='[signal TERM]' [fresh]='[signal TERM]'
	[system]='[status 7]' [plain]='[status 7]' [mule]='[signal KILL]')
KEPT='victim fresh'

# --- fault points: their names, and the file by which daemon and children get their orders ---
points_in() {
	grep -rhoE "$1" --include=*.c base fs context daemon sched netctl |
		sed 's/[^"]*"\([^"]*\)".*/\1/' | sort -u
}
name='"[a-z]+(-[a-z]+)*"'
cd "$ROOT" || exit
STEPS=$(points_in "(add_step|step_for|step_rules)\([^\"]*$name|step\)\{ \.name = $name|\{ $name, (command|set)_")
POINTS=$(points_in "fault_point\($name")
NEVER_FAIL=$(points_in "\(void\) fault_point\($name") # nobody looks at what they return
BACKGROUND=$'slot-made\nseat-map\nseat-entered' # where seats are kept: on the way of no verb
among() { case $'\n'$2$'\n' in *$'\n'"$1"$'\n'*) ;; *) return 1 ;; esac; } # NAME LINES
needs() { # POINT: what the host must have to come past it, as doctor calls it
	case $1 in
	landlock*) echo landlock-scopes ;;
	seccomp*) echo seccomp-filter ;;
	time-namespace) echo time-ns ;;
	keyring) echo keyrings ;;
	mount-cgroup) echo cgroup2 ;;
	cgroup-devices) echo devices ;;
	image-made | loop-attached) echo loop ;;
	esac
}
FAULT=$WARD_DIR/fault
NOTHING=$(printf '\\0%.0s' {1..8192})
order() { printf "$1${NOTHING:2 * ${#1}}" 1<>"$FAULT"; }
obeyed() { local record; mapfile -d '' -n 1 -t record <"$FAULT"; [ -z "${record[0]}" ]; }
passed() { local records; mapfile -d '' -t records <"$FAULT"; printf '%s\n' "${records[@]:1}" | grep .; }

# --- the daemon ---
exec {SILENCE}<> <(:)
soon() { # SECONDS COMMAND...: as retry_until, without a process for each nap
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		read -rt 0.01 -u "$SILENCE" || :
	done
}
daemon_answers() { [ -S "$SOCK" ] && "$WARDCTL" --socket "$SOCK" list; } >/dev/null 2>&1
SEATS=2
mounts_of() { # PID: sets MOUNTS
	local device root point
	MOUNTS=()
	while read -r _ _ device root point _; do MOUNTS["$device $root $point"]=1; done <"/proc/$1/mountinfo"
}
declare -A MOUNTS BORN_WITH
launch() {
	WARD_FAULT=$FAULT "$WARDD" --config-dir "$WARD_DIR/config" --state-dir "$WARD_DIR/state" \
		--run-dir "$WARD_DIR/run" --seats $SEATS </dev/null >>"$WARD_DIR/log" 2>&1 &
	DAEMON=$!
	disown # its death is no news
	soon 20 daemon_settled
	daemon_answers || return
	mounts_of "$DAEMON"
	BORN_WITH=()
	for mount in "${!MOUNTS[@]}"; do BORN_WITH[$mount]=1; done
}
relaunch() { term_daemon; launch; }
# a dying daemon may take a moment to be gone: either it answers or it is
up() { soon 10 daemon_settled; gone "$DAEMON" || return 0; launch; }
descriptors() { local all=("/proc/$DAEMON/fd"/*); COUNT=${#all[@]}; }
descriptors_within() { descriptors; [ "$COUNT" -le "$1" ]; }

# --- what there is ---
declare -A STATE PID EXIT
look() {
	local name state pid end
	STATE=() PID=() EXIT=()
	while read -r name state pid _ _ _ end; do
		STATE[$name]=$state PID[$name]=$pid EXIT[$name]=$end
	done < <(ctl list)
	unset 'STATE[NAME]' 'PID[NAME]' # the table's head
}
children() { # of the daemon that are no context: sets CHILDREN
	local child
	CHILDREN=''
	for child in $(<"/proc/$DAEMON/task/$DAEMON/children"); do
		case " ${PID[*]} " in *" $child "*) ;; *) CHILDREN="$CHILDREN $child" ;; esac
	done
}
seated() { children; set -- $CHILDREN; [ $# -eq "$SEATS" ]; }
slot_of() { # PID: sets SLOT
	local line
	SLOT=
	while read -r line; do
		if [[ $line =~ /ward/$INSTANCE/([0-9]+) ]]; then SLOT=${BASH_REMATCH[1]}; fi
	done <"/proc/$1/cgroup"
} 2>/dev/null
in_slot() { # CONTEXT FILE...: the first of these files there is of its cgroups
	local top file
	slot_of "${PID[$1]}"
	shift
	for file in "$@"; do
		for top in "${TOPS[@]}"; do [ ! -e "$top/$SLOT/$file" ] || { echo "$(<"$top/$SLOT/$file")"; return; }; done
	done
}

# --- what there should not be: a line for each, told once ---
KNOWN=''
tell() { among "$1" "$KNOWN" || echo "$1"; }
stray_cgroups() { # " SLOT ... " of contexts
	local keep=$1 child top dir slot pid comm
	children
	for child in $CHILDREN; do slot_of "$child"; keep="$keep$SLOT "; done
	for top in "${TOPS[@]}"; do
		for dir in "$top"/*/; do
			slot=${dir%/} slot=${slot##*/}
			case $keep in *" $slot "*) ;; *) [ ! -d "$dir" ] || tell "cgroup $dir" ;; esac
			case $1 in *" $slot "*) ;; *) continue ;; esac
			while read -r pid; do # a child of the daemon that never came to its exec
				read -r comm <"/proc/$pid/comm" && [ "$comm" = wardd ] && tell "process $pid"
			done <"$dir/cgroup.procs"
		done
	done 2>/dev/null
}
stray_files() {
	local file base
	shopt -s nullglob dotglob
	for file in "$WARD_DIR"/{run,state,config}/{*,*/*}; do
		[ ! -d "$file" ] || continue
		file=${file#"$WARD_DIR/"} base=${file##*/} base=${base%.*}
		case $file in
		run/lock | run/control.sock) continue ;;
		run/contexts/*.status) [ "${STATE[$base]-stopped}" = stopped ] || continue ;;
		state/uppers/*.img | state/uppers/*.host) [[ " $KEPT " = *" $base "* ]] && continue ;;
		config/*.ini | run/contexts/*.journal | state/logs/*.log)
			[ "$base" != steady ] && [ -z "${ENDS[$base]-}" ] || continue ;;
		esac
		tell "file $file"
	done
}
stray_loops() {
	local file backing
	for file in /sys/block/loop*/loop/backing_file; do
		read -r backing <"$file" || continue
		[[ $backing = $WARD_DIR/*/*.img* ]] || continue
		backing=${backing##*/} backing=${backing%%.img*}
		[ "${STATE[$backing]-stopped}" != stopped ] || tell "loop device of $backing"
	done 2>/dev/null
}
# in the host's table any of ours, in the daemon's any that it was not born with nor got from the host
stray_mounts() {
	local -A host=()
	local mount
	mounts_of self
	for mount in "${!MOUNTS[@]}"; do
		host[$mount]=1
		[[ $mount != *"$WARD_DIR"* ]] || tell "mount $mount"
	done
	mounts_of "$DAEMON"
	for mount in "${!MOUNTS[@]}"; do
		[ -n "${host[$mount]-}${BORN_WITH[$mount]-}" ] || tell "mount of the daemon $mount"
	done
}
stray() {
	local name slots=' '
	look
	for name in "${!STATE[@]}"; do
		[ "$name" = steady ] || [ -n "${ENDS[$name]-}" ] || tell "context $name"
		[ "${STATE[$name]}" = stopped ] || { slot_of "${PID[$name]}"; slots="$slots$SLOT "; }
	done
	stray_cgroups "$slots"
	stray_files
	stray_loops
	stray_mounts
	[ "${PID[steady]}" = "$STEADY" ] || tell "another steady context"
}
nothing_stray() { STRAY=$(stray); [ -z "$STRAY" ]; }

# --- verbs: what each needs, what it does, what is true after it whoever died ---
# process 1 without an init gets only the signals that it catches
catches_term() { local mask; mask=$(sed -n 's/^SigCgt:.*\(....\)$/\1/p' "/proc/$1/status") && ((0x$mask & 0x4000)); }
begin() { # CONTEXT
	ctl start "$1" && look && case $1 in system | plain) soon 5 catches_term "${PID[$1]}" ;; esac
}
ready() { # VERB CONTEXT
	[ -e "$WARD_DIR/config/fresh.ini" ] || cp "$WARD_DIR/fresh.ini" "$WARD_DIR/config/"
	look
	case $1 in
	run* | detach) return ;;
	recover) [ "${STATE[mule]}" = running ] || begin mule ;;
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
act() { # VERB CONTEXT
	case $1 in
	start | freeze | thaw | stop) ctl "$1" "$2" ;;
	refill | bare) ctl start "$2" ;; # with seats kept, and without
	exec) ctl exec "$2" -- true ;;
	exec-tty) ctl exec --tty "$2" -- true ;;
	set) share=$((share + 1)) && ctl set "$2" cpu.limit=$share% ;;
	run) ctl run -- true ;;
	run-tty) ctl run --tty -- true ;;
	detach) ctl run --detach -- true ;;
	delete) ctl delete "$2" ;;
	recover) # the daemon is killed, and while there is none a context ends
		kill -KILL "$DAEMON" && soon 5 gone "$DAEMON" && kill -TERM "${PID[mule]}" &&
			soon 5 gone "${PID[mule]}" && launch ;;
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
trace() { # VERB CONTEXT
	local point
	ready "$@"
	soon 3 seated
	order ''
	act "$@" || not_ok "$1 $2" "$(<"$WARD_DIR/stderr")"
	look
	soon 3 seated
	SEEN=$SEEN$'\n'$(passed)
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
mapfile -t TOPS < <(our_cgroups | grep "/$INSTANCE\$")
check "a context that must never notice starts" ctl start steady
STEADY=$(pid_of steady) SEEN=''
ctl start victim && ctl stop victim # from now on it has its upper
for context in victim tree system; do
	for verb in start exec exec-tty set freeze thaw stop; do trace $verb $context; done
done
trace start fresh
trace stop fresh
trace delete fresh
trace stop mule
for verb in run run-tty detach; do trace $verb -; done
trace recover victim
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
	[ "$2" != bare ] || { SEATS=0; relaunch; }
	ready "$2" "$context" 2>"$WARD_DIR/stderr" || complain "it is not ready: $(<"$WARD_DIR/stderr")"
	soon 5 seated || complain "$SEATS seats are kept: $CHILDREN"
	descriptors
	local before=$COUNT pid=${PID[$context]-}
	daemon=$DAEMON
	order "$1:${3%=*}"
	act "$2" "$context"
	RC=$? SAID=$(<"$WARD_DIR/stderr")
	if soon 2 obeyed; then OBEYED=$OBEYED$'\n'"$1:${3%=*}"; else complain "it did not come past"; fi
	up || complain "no daemon: $(tail -n 3 "$WARD_DIR/log")"
	[ "$DAEMON" = "$daemon" ] || deaths=$((deaths + 1))
	[ "$1" != fail ] || refused "$2" "$3" "$context"
	[ "$2" != bare ] || { SEATS=2; relaunch; }
	after "$2" "$context" "$pid"
	soon 5 nothing_stray || {
		complain "left: ${STRAY//$'\n'/, }"
		KNOWN=$KNOWN$'\n'$STRAY
	}
	[ "$DAEMON" != "$daemon" ] || soon 3 descriptors_within "$before" ||
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
	need=$(needs "$point")
	if [ -n "$need" ] && jq -e --arg n "$need" 'any(.features[]; .name == $n and (.present | not))' \
		<<<"$facts" >/dev/null; then
		skip "killed at $point" "this host has no $need"
	else
		missed="$missed$point "
	fi
done
is "every fault point was reached" "$missed" ""

# --- the same points failing ---
# The client is told, and where; the context is as it was.
refused() { # VERB POINT CONTEXT
	local where=$2
	case $2 in file-written | image-made) where='Input/output error' ;; esac
	look
	case $1:$2 in
	freeze:* | thaw:*) return ;; # only the log is told
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
term_daemon
launch_daemon
is "the steady context never noticed" "$(pid_of steady):$(state_of steady)" "$STEADY:running"
finish
