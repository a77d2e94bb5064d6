#!/bin/bash
# timeout: 600
# init = /sbin/init: a debootstrapped Debian boots to its services and stops cleanly.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/debian.sh"
start_daemon
debian_tree || { skip "a Debian tree boots" "$DEBIAN_WHY"; finish; }
ini debian <<-END
	[context]
	init = /sbin/init
	[files]
	root = $DEBIAN_TREE
	mode = cow
	upper = tmpfs:128M
	[process]
	limit = 300
END
check "it starts" ctl start debian
booted() { ctl exec debian -- /bin/sh -c 'test -e /run/ward-test-booted || runlevel | grep -q "[2-5]$" ||
	systemctl is-system-running | grep -Eq "running|degraded"'; }
check "it boots to its services" retry_until 45 booted
in_ctx debian 'cat /proc/1/comm; ls -l /sbin/init; ps ax 2>/dev/null || ls /proc | grep -c "^[0-9]"'
like "its own init is process 1" "$OUT" '^(init|systemd)'
note "$OUT"

# --- reboot and poweroff, as the tree's own programs do them ---

field() { ctl show debian --json | jq -r ".$1"; }
exits() { ctl events --json | jq -r 'select(.kind == "exited") | .exit.reason' | paste -sd' '; }
exits_are() { [ "$(exits)" = "$1" ]; }
is_new() { is_state debian running && [ "$(pid_of debian)" != "$first" ]; }
first=$(pid_of debian)
in_ctx debian 'echo "l6:6:wait:/etc/init.d/rc 6" >>/etc/inittab && telinit q && reboot'
check "reboot inside ends it" retry_until 60 exits_are reboot
check "and starts it again, without a restart policy" retry_until 20 is_new
is "once" "$(field restarts)" 1
check "it boots again" retry_until 45 booted
in_ctx debian poweroff
check "poweroff inside ends it" retry_until 60 exits_are "reboot poweroff"
sleep 0.5
is "and it stays stopped" "$(state_of debian) $(field restart_in_us)" "stopped null"
check "it can be started again" ctl start debian
check "and boots" retry_until 45 booted

t=$(now_ms)
check "it stops" ctl stop debian
less "cleanly, without waiting for a KILL (ms)" $(($(now_ms) - t)) 30000
OUT=$(ctl show debian --json | jq -c .exit)
unlike "it was not killed" "$OUT" '"signal": ?9'
note "exit: $OUT" "log: $(ctl logs debian -n 5 2>&1)"
finish
