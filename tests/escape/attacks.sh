#!/bin/bash
# Every attack of tests/escape/src fails from inside: as root and as nobody, with the default and
# with all capabilities, by `run` and by `exec`; and works on the bare host where it is harmless.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/attack.sh"
start_daemon
prepare_host || { not_ok "the attack program compiles"; finish; }
# (ids = none shares the host's user namespace on purpose)
attack='. /srv/told; ! grep -q 4294967295 /proc/self/uid_map || export HOST_NS_user=0
	cd /tmp && /srv/attack all'

# The positive control: a host may lack a feature, but most must get through.
by_hand controls >"$WARD_DIR/control" 2>&1
while IFS=: read -r name result why; do
	case $result in
	*ESCAPED*) ok "control: $name works on the bare host" ;;
	*) skip "control: $name works on the bare host" "$why" ;;
	esac
done <"$WARD_DIR/control"
less "control: few attacks have no control" "$(grep -c refused "$WARD_DIR/control")" 5

variant() { # NAME USER CAPABILITIES IDS
	ini "$1" <<-END
		[context]
		command = sleep 1000
		user = $2
		[files]
		bind = $WARD_DIR/srv:/srv:ro
		hide = $HIDDEN
		[process]
		${3:+capability = $3}
		ids = $4
		[memory]
		limit = 256M
		[network]
		mode = none
	END
	ctl run --file "$WARD_DIR/config/$1.ini" --name "$1-run" -- /bin/sh -c "$attack" \
		>"$WARD_DIR/result.$1-run" 2>&1 </dev/null
	ctl start "$1" >"$WARD_DIR/result.$1-exec" 2>&1
	ctl exec "$1" -- /bin/sh -c "$attack" >>"$WARD_DIR/result.$1-exec" 2>&1 </dev/null
	# while others come in: what enters is the daemon's own image for a moment
	ctl exec "$1" -- /bin/sh -c '. /srv/told; WATCH_MS='$((2000 * ${WARD_SLOW:-1}))' /srv/attack watch-entries' \
		>"$WARD_DIR/watch.$1" 2>&1 </dev/null &
	watcher=$!
	for _ in $(seq 60); do ctl exec "$1" -- /bin/true </dev/null; done
	wait "$watcher"
	OUT=$(cat "$WARD_DIR/watch.$1")
	like "$1: what enters shows nothing of the host" "$OUT" 'refused: [0-9]{2,} processes seen'
	ctl stop "$1" --timeout 2s >/dev/null 2>&1
}
variant root root '' auto
variant nobody nobody '' auto
variant root-all root all auto
variant nobody-all nobody all auto
variant root-noids root '' none

for name in $("$ATTACK" list); do
	said='' failed=0
	for file in "$WARD_DIR"/result.*; do
		line=$(grep "^$name: " "$file") || line="no answer: $(tail -n 1 "$file")"
		case $line in
		"$name: refused: "*) ;;
		*) failed=1 said="$said${file##*result.}: $line"$'\n' ;;
		esac
	done
	verdict "$name fails in every variant" "$failed" "$said"
done

check "the host's process is neither traced nor dead" \
	grep -q 'TracerPid:.0' "/proc/$VICTIM/status"
check "no signal to everything left the context" test ! -e "$WARD_DIR/felt"
is "the read-only file is as it was" "$(cat "$WARD_DIR/srv/readonly")" original
if [ -n "${V:-}" ]; then head -n 60 "$WARD_DIR"/result.*; fi
release_host
finish
