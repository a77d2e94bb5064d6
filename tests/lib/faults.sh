# shellcheck shell=bash
# What faults.sh needs to know: the names of the fault points, the file by which daemon and children
# get their orders, what there is of contexts, and what there should not be. The test declares the
# contexts: how each ends (ENDS), and whose upper is kept (KEPT).

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
collapses() { # whether the file system can cut the front of a file
	head -c 8192 /dev/zero >"$WARD_DIR/probe" && fallocate -c -o 0 -l 4096 "$WARD_DIR/probe" 2>/dev/null
}
needs() { # POINT: what the host must have to come past it, as doctor calls it
	case $1 in
	landlock*) echo landlock-scopes ;;
	seccomp*) echo seccomp-filter ;;
	time-namespace) echo time-ns ;;
	keyring) echo keyrings ;;
	mount-cgroup) echo cgroup2 ;;
	cgroup-devices) echo devices ;;
	image-made | loop-attached) echo loop ;;
	network-join | address-added) echo shared ;;
	esac
}
lacks() { # POINT FACTS: why this host never comes past it; fails where it should
	local need
	need=$(needs "$1")
	case $1 in
	network-*) echo "net_private.sh dies there, in a network of its own" && return ;;
	enter-time) echo "this kernel enters time namespaces with exec" && uname -r | grep -qvE '^([1-5]|6\.[0-2])\.' && return ;;
	log-mov* | log-shortened) echo "no file system here that can cut the front of a file" && ! collapses && return ;;
	esac
	[ -n "$need" ] && echo "this host has no $need" &&
		jq -e --arg n "$need" 'any(.features[]; .name == $n and (.present | not))' <<<"$2" >/dev/null
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
	[ ! -S "$SOCK" ] || rm -f "$SOCK" # of a dead one: until there is a new one, nobody need be asked
	WARD_FAULT=$FAULT "$WARDD" --config-dir "$WARD_DIR/config" --state-dir "$WARD_DIR/state" \
		--run-dir "$WARD_DIR/run" --history 64K --seats $SEATS </dev/null >>"$WARD_DIR/log" 2>&1 &
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
		STATE[$name]=$state PID[$name]=$pid EXIT[$name]=${end%% ! *} # what a hook said is not the end
	done < <(ctl list)
	unset 'STATE[NAME]' 'PID[NAME]' # the table's head
}
children() { # of the daemon that are neither contexts nor its log worker: sets CHILDREN
	local child comm
	CHILDREN=''
	for child in $(<"/proc/$DAEMON/task/$DAEMON/children"); do
		{ read -r comm <"/proc/$child/comm"; } 2>/dev/null && [ "$comm" != wardd-logs ] || continue
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
	for file in "$WARD_DIR"/{run,state,config}/{*,*/*,*/*/*}; do
		case $file in */run/notify/*) ;; *) [ ! -d "$file" ] || continue ;; esac
		file=${file#"$WARD_DIR/"} base=${file##*/} base=${base%.*}
		case $file in
		run/lock/README | run/wardd.lock | state/lock | run/control.sock | run/autostart | run/version | state/version | state/events/state | state/events/*.jsonl) continue ;;
		run/notify/*) base=${file#run/notify/} && [ "${STATE[${base%/*}]-stopped}" = stopped ] || continue ;;
		run/contexts/*.status) [ "${STATE[$base]-stopped}" = stopped ] || continue ;;
		state/uppers/*.img | state/uppers/*.host) [[ " $KEPT " = *" $base "* ]] && continue ;;
		config/*.ini | run/contexts/*.journal | state/logs/*.log | state/logs/index/*)
			base=${file##*/} base=${base%.ini} base=${base%.journal} base=${base%.log}
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
# addresses that were added for a context that is not there, and what the kernel was told of it
entries() { # of a map of the shared network's programs; as no other daemon is in the network namespace
	local program id
	program=$(bpftool -j cgroup show "$1" 2>/dev/null | jq '[.[] | select(.name | startswith("ward_egress"))][0].id')
	for id in $(bpftool -j prog show id "$program" 2>/dev/null | jq '.map_ids[]'); do
		case $(bpftool -j map show id "$id" | jq -r .name) in
		ward_contexts | ward_traffic) bpftool -j map dump id "$id" | jq length ;;
		esac
	done
}
stray_network() {
	local address family want=0 count
	[ "${STATE[shared]-stopped}" = stopped ] || want=1
	while read -r family address; do
		[ "$want" = 1 ] || tell "address $address"
	done < <(ip -o address show near | awk '$4 !~ /^fe80/ { print $3, $4 }')
	[ "$want" = 1 ] || ! ip -o -6 address show lo | grep -q fd57: || tell "a loopback of IPv6"
	command -v bpftool >/dev/null || return 0
	for count in $(entries "$(our_cgroups | grep "unified.*/$INSTANCE\$")"); do
		[ "$count" = "$want" ] || tell "$count entries of the shared network"
	done
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
	case $context in shared | '') stray_network ;; esac
	[ "${PID[steady]-}" = "$STEADY" ] || tell "another steady context"
}
nothing_stray() { STRAY=$(stray); [ -z "$STRAY" ]; }
