#!/bin/bash
# timeout: 400
# Death at every step: a daemon of a test build kills itself (or the child) at each fault point of
# start, run, set and stop; the next daemon leaves no orphan and loses neither context nor status.
# Then the same points fail instead: everything made is undone, and the error names the step.
. "$(dirname "$0")/../lib/harness.sh"
FAULTY=${WARD_FAULTS:-$BUILD/faults/wardd}
[ -x "$FAULTY" ] || skip_all "$FAULTY is not built (make FAULTS=1)"
WARDD=$FAULTY
start_daemon
ini steady <<-END
	[context]
	command = sleep 1000
END
ini victim <<-END
	[context]
	command = sh -c "trap 'exit 7' TERM; while :; do sleep 0.02; done"
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
ini mule <<-END
	[context]
	command = sleep 1000
	stop = KILL
END
points() {
	(
		cd "$ROOT" || exit
		grep -rhoE '(add_step|step_for|step_rules|step_[a-z]+|fault_point|\.name =)[( ][^"]*"[a-z]+(-[a-z]+)*"' \
			--include=*.c fs context daemon sched netctl
		grep -hoE '\{ "[a-z]+(-[a-z]+)*", (command|set)_' context/command.c
	) | sed 's/[^"]*"\([^"]*\)".*/\1/' | sort -u
}
check "a context that must never notice starts" ctl start steady
steady=$(pid_of steady)
slot_of() { sed -n "s,^[0-9]*:pids:.*/ward/$INSTANCE/\([^/]*\).*,\1,p;s,^0::.*/ward/$INSTANCE/\([^/]*\).*,\1,p" "/proc/$1/cgroup" | head -n 1; }

# Processes that belong neither to the steady context nor to a seat of this daemon.
orphans() {
	local pid slot keep child
	keep=" $(slot_of "$steady") "
	for child in $(cat "/proc/$DAEMON/task/$DAEMON/children"); do keep="$keep$(slot_of "$child") "; done
	for pid in $(our_processes); do
		slot=$(slot_of "$pid")
		case $keep in *" ${slot:-none} "*) ;; *) [ ! -d "/proc/$pid" ] || echo "$pid:$slot" ;; esac
	done
}
# Slots on disk that nobody is in.
empty_slots() {
	local dir
	for dir in /sys/fs/cgroup/pids/ward/"$INSTANCE"/*/; do
		[ -n "$(cat "$dir/cgroup.procs" 2>/dev/null)" ] || { [ -d "$dir" ] && echo "$dir"; }
	done
}
nothing_stray() { [ -z "$(orphans)" ] && [ -z "$(empty_slots)" ]; }
# a dying daemon may take a moment to be gone: either it answers or it is
up() { retry_until 10 daemon_settled; gone "$DAEMON" || return 0; { wait "$DAEMON"; } 2>/dev/null; deaths=$((deaths + 1)); launch_daemon; }

# One round: everything a context goes through, the daemon dying somewhere on the way.
round() { # POINT
	local why='' exit
	deaths=0
	WARD_FAULT=kill:$1 launch_daemon || up || why="no daemon; "
	for act in "start victim" "set victim cpu.limit=$((40 + all))%" "exec victim -- true" "run -- true" \
		"freeze victim" "thaw victim" "start mule" "stop mule"; do
		# shellcheck disable=SC2086
		timeout 10 "$WARDCTL" --socket "$SOCK" $act >/dev/null 2>&1 </dev/null
		up || why="$why no daemon after $act; "
	done
	[ "$(state_of victim)" = running ] || ctl start victim >/dev/null 2>&1
	up
	# a child that died at the point leaves the daemon alive, still armed: begin again unarmed
	if [ "$(state_of victim)" != running ]; then
		term_daemon
		deaths=$((deaths + 1))
		launch_daemon
		ctl start victim >/dev/null 2>"$WARD_DIR/stderr" || why="$why$(cat "$WARD_DIR/stderr"); "
	fi
	ctl stop victim mule >/dev/null 2>&1
	up || why="$why no daemon after stop; "
	ctl stop mule >/dev/null 2>&1
	[ "$(state_of victim)" = stopped ] || ctl stop victim >/dev/null 2>"$WARD_DIR/stderr" ||
		why="$why$(cat "$WARD_DIR/stderr"); "
	exit=$(ctl show victim --json | jq -c '.exit.status')
	[ "$exit" = 7 ] || why="${why}exit status $exit, not 7: $(ctl show victim --json | jq -c .exit); "
	[ "$(pid_of steady)" = "$steady" ] || why="${why}the steady context is $(state_of steady); "
	[ -z "$(ctl list --json | jq -r '.[].name' | grep run-)" ] || why="${why}a throwaway is left; "
	retry_until 3 nothing_stray || why="${why}orphans: $(orphans | tr '\n' ' ')slots: $(empty_slots | tr '\n' ' '); "
	[ -z "$(our_uppers)" ] || why="${why}loop: $(our_uppers); "
	[ $deaths -gt 0 ] && hit=$((hit + 1))
	ROUND_WHY=$why
}

hit=0 all=0
term_daemon
for point in $(points); do
	round "$point"
	all=$((all + 1))
	[ "$deaths" -eq 0 ] || verdict "killed at $point: nothing is orphaned, nothing lost" \
		"$([ -z "$ROUND_WHY" ]; echo $?)" "$ROUND_WHY"
	[ -z "$DAEMON" ] || term_daemon
done
note "$hit of $all names were on the way"
less "most fault points were reached" 30 "$hit"

# --- the same points failing ---
steps() { WARD_FAULT='' "$WARDCTL" --socket "$SOCK" plan victim 2>/dev/null; }
for point in $(points); do
	WARD_FAULT=fail:$point launch_daemon || { up; continue; }
	run_ctl start victim
	if [ "$RC" -ne 0 ]; then
		why=''
		grep -qF -- "$point" <<<"$ERR" || why="the error does not name the step: $ERR; "
		[ "$(state_of victim)" = stopped ] || why="${why}state $(state_of victim); "
		retry_until 3 nothing_stray || why="${why}left: $(orphans)$(empty_slots); "
		[ -z "$(our_uppers)" ] || why="${why}loop: $(our_uppers); "
		verdict "failing at $point: all is undone, and the error names it" "$([ -z "$why" ]; echo $?)" "$why"
		run_ctl run -- true
		case $RC in 0 | 125) ;; *) not_ok "failing at $point: run gives 125" "$RC $ERR" ;; esac
	else
		ctl stop victim >/dev/null 2>&1
	fi
	term_daemon
done
launch_daemon
is "the steady context never noticed" "$(pid_of steady):$(state_of steady)" "$steady:running"
finish
