#!/bin/bash
# Sockets of the host without a path (abstract) and on loopback: not reachable without its network.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/attack.sh"
start_daemon
prepare_host
for mode in none private; do
	run_sh --set "network.mode=$mode" --set "files.bind=$WARD_DIR/srv:/srv:ro" -- \
		'. /srv/told; /srv/attack abstract-socket host-loopback daemon-socket'
	like "network $mode: the attacks run" "$OUT" 'abstract-socket: refused'
	unlike "network $mode: no socket of the host is reached" "$OUT" ESCAPED
	run_sh --set "network.mode=$mode" -- 'cat /proc/net/dev; cat /proc/net/unix'
	unlike "network $mode: the host's interfaces and sockets are not to be seen" "$OUT" 'eth0|ward-test'
	like "network $mode: a loopback of its own is there" "$OUT" 'lo:'
	run_sh --set "network.mode=$mode" -- 'grep -c . /proc/net/route; cat /sys/class/net/lo/operstate; ls /sys/class/net'
	unlike "network $mode: /sys shows only the own interfaces" "$OUT" eth0
done
run_sh --set network.mode=host --set "files.bind=$WARD_DIR/srv:/srv:ro" -- \
	'. /srv/told; /srv/attack host-loopback daemon-socket'
like "network host is the host's network" "$OUT" 'host-loopback: ESCAPED'
like "network host: the daemon's socket is still not reached" "$OUT" 'daemon-socket: refused'
release_host
finish
