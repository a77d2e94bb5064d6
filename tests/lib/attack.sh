# shellcheck shell=bash
# The attack program, and a host prepared to be attacked. Source after harness.sh.

build_attack() {
	mkdir -p "$WARD_DIR/srv"
	if [ -x "$BUILD/escape/attack" ]; then
		cp "$BUILD/escape/attack" "$WARD_DIR/srv/attack"
	else
		(cd "$ROOT" && "${CC:-cc}" -std=gnu2x -D_GNU_SOURCE -I. -O1 -static \
			tests/escape/src/*.c -o "$WARD_DIR/srv/attack")
	fi
}

# Makes what the attacks look for, and tells them in /srv/told (bound read-only).
prepare_host() {
	local kind
	HIDDEN=/usr/share/common-licenses # every Debian has it; the contexts of the test hide it
	chmod 755 "$WARD_DIR"
	build_attack || return 1
	ATTACK=$WARD_DIR/srv/attack
	echo secret >"$WARD_DIR/state/marker"
	echo original >"$WARD_DIR/srv/readonly"
	chmod 666 "$WARD_DIR/srv/readonly"
	truncate -s 1M "$WARD_DIR/disk"
	LOOP=$(losetup -f --show "$WARD_DIR/disk") || LOOP=''
	background "$ATTACK" host-listen "ward-test-$$" >"$WARD_DIR/port"
	LISTENER=$BG
	background bash -c 'trap "echo felt >\"$1\"" URG; while :; do sleep 1 & wait; done' _ \
		"$WARD_DIR/felt"
	VICTIM=$BG
	KEY=$("$ATTACK" host-key)
	retry_until 5 test -s "$WARD_DIR/port"
	{
		echo "HOST_ROOT=$(stat -c %d:%i /)"
		echo "HOST_MARKER=$WARD_DIR/state/marker"
		echo "HOST_HIDDEN=$HIDDEN/GPL-3"
		echo "HOST_READONLY=/srv/readonly"
		[ -z "$LOOP" ] || echo "HOST_DISK=$(lsblk -dno MAJ:MIN "$LOOP" | tr -d ' ')"
		echo "HOST_PID=$VICTIM"
		echo "HOST_KEY=$KEY"
		echo "HOST_ABSTRACT=ward-test-$$"
		echo "HOST_PORT=$(cat "$WARD_DIR/port")"
		echo "HOST_SOCKET=$SOCK"
		for kind in mnt pid net user ipc uts cgroup; do
			echo "HOST_NS_$kind=$(stat -Lc %i /proc/self/ns/$kind)"
		done
	} | sed 's/^/export /' >"$WARD_DIR/srv/told"
}
release_host() {
	[ -z "${KEY:-}" ] || "$ATTACK" host-unkey "$KEY"
	[ -z "${LOOP:-}" ] || losetup -d "$LOOP"
	end_background "$LISTENER"
	end_background "$VICTIM"
}
# by_hand ARGS...: the attack program on the bare host
by_hand() { (. "$WARD_DIR/srv/told" && "$ATTACK" "$@"); }
