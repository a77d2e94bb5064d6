#!/bin/bash
# timeout: 200
# What a context with a stack of its own sends and receives is counted as on the shared stack, by
# family, to the byte; but of IPv6 its stack says something to its neighbours now and then, and that
# is counted too. Also when the daemon dies. In a network namespace of the test's own.
. "$(dirname "$0")/../lib/net.sh"
start_mode private "accounts of private networks"
has_shared || {
	skip "accounts by family" "$(ctl doctor | grep -E '^network +shared')"
	finish
}
cat >"$WARD_DIR/udp.py" <<'END'
import socket, sys, time
# udp.py send ADDRESS COUNT BYTES | sink ADDRESS
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "send":
    for i in range(int(sys.argv[3])):
        s.sendto(bytes(int(sys.argv[4])), (sys.argv[2], 9))
else:
    s.bind((sys.argv[2], 9))
    print("ready", flush=True)
    time.sleep(1000)
END
chmod 755 "$WARD_DIR" "$WARD_DIR/udp.py"
context() { # NAME LINES OF [network]...
	ini "$1" <<-END
		[context]
		command = sleep 1000
		[files]
		bind = $WARD_DIR/udp.py:/mnt/udp.py
		[network]
		mode = private
		$(printf '%s\n' "${@:2}")
	END
}
for i in 1 2; do context c$i "address = 10.9.0.$i/24@near fd09::$i/64@near" "allow = contexts"; done
context four "address = 10.7.0.4"
context bridged "bridge = ward0" "address = 10.5.0.2/24 fd05::2/64"
context alone
check "contexts start" ctl start c1 c2 four bridged alone
account() { ctl stats "$1" --json | jq -c "(if type == \"array\" then .[0] else . end) | .network[] |
	select(.device == \"$2\" and .family == ${3:-null}) | [.sent_packets, .sent_bytes, .received_packets, .received_bytes]"; }
of() { echo "$(account "$1" eth0 '"ipv4"') $(account "$1" lo)"; }
# six NAME SENT_PACKETS SENT_BYTES RECEIVED_PACKETS RECEIVED_BYTES: these, and little else
six() { account "$1" eth0 '"ipv6"' | jq -e --argjson want "[$2,$3,$4,$5]" \
	'[., $want, [30, 2500, 30, 2500]] | transpose | all(.[0] >= .[1] and .[0] < .[1] + .[2])'; }
is "at first there is nothing" "$(of c1)" "[0,0,0,0] [0,0,0,0]"
check "by IPv6 as well" six c1 0 0 0 0
is "without IPv6 there is no account of it" "$(account four eth0 '"ipv4"')$(account four eth0 '"ipv6"')" "[0,0,0,0]"
is "without an address there is loopback alone" "$(account alone lo)$(account alone eth0)" "[0,0,0,0]"

sinks=0
sink() { # COMMAND...: waits until it is there
	sinks=$((sinks + 1))
	background "$@" >"$WARD_DIR/sink-$sinks"
	retry_until 20 grep -q ready "$WARD_DIR/sink-$sinks" || not_ok "a sink is there: $*"
}
sink python3 "$WARD_DIR/udp.py" sink 0.0.0.0
sink python3 "$WARD_DIR/udp.py" sink $HOST6
sink ctl exec c2 -- python3 /mnt/udp.py sink 10.9.0.2
sink ctl exec c2 -- python3 /mnt/udp.py sink fd09::2
sink ctl exec c2 -- python3 /mnt/udp.py sink 127.0.0.1
sink ctl exec bridged -- python3 /mnt/udp.py sink 0.0.0.0
in_ctx c1 "cd /mnt; python3 udp.py send $HOST 10 100; python3 udp.py send $HOST6 70 500; python3 udp.py send 10.9.0.2 5 1000"
is "datagrams are counted with their headers, by family" "$(of c1)" \
	"[15,$((10 * 128 + 5 * 1028)),0,0] [0,0,0,0]"
check "by IPv6 as well" six c1 70 $((70 * 548)) 0 0
received() { [ "$(of c2)" = "$1" ]; }
check "who received them as well" retry_until 5 received "[0,0,5,$((5 * 1028))] [0,0,0,0]"
python3 "$WARD_DIR/udp.py" send 10.9.0.2 3 20
python3 "$WARD_DIR/udp.py" send fd09::2 40 500
check "what the host sends is received" \
	retry_until 5 received "[0,0,8,$((5 * 1028 + 3 * 48))] [0,0,0,0]"
check "by IPv6 as well" retry_until 5 six c2 0 0 40 $((40 * 548))
in_ctx c2 "python3 /mnt/udp.py send 127.0.0.1 6 30"
is "its own loopback is an account of its own" "$(account c2 lo)" "[6,$((6 * 58)),6,$((6 * 58))]"
in_ctx bridged "python3 /mnt/udp.py send 10.5.0.1 3 100"
python3 "$WARD_DIR/udp.py" send 10.5.0.2 2 100
is "and so on a bridge" "$(account bridged eth0 '"ipv4"')" "[3,384,2,256]"
like "metrics have them" "$(api http://w/metrics)" \
	"^ward_context_network_sent_bytes_total\{context=\"c1\",device=\"eth0\",family=\"ipv4\"\} $((10 * 128 + 5 * 1028))\$"
like "and top" "$(ctl top --batch 1 --columns name,sent-total 2>&1)" "c1 +4[3-6](\.[0-9])?K"

# --- beside one that shares the host's stack, for which more is loaded than counts ---
before=$(of c1)
ini sharing <<-END
	[context]
	command = sleep 1000
	[files]
	bind = $WARD_DIR/udp.py:/mnt/udp.py
	[network]
	mode = shared
	address = 10.9.0.9/24@near
END
check "one that shares the stack starts beside them" ctl start sharing
is "their accounts go on" "$(of c1)" "$before"
in_ctx sharing "python3 /mnt/udp.py send $HOST 2 100"
is "it has one as well" "$(account sharing shared '"ipv4"')" "[2,256,0,0]"
in_ctx c1 "python3 /mnt/udp.py send $HOST 1 100"
is "and they are counted on" "$(account c1 eth0 '"ipv4"')" "[16,$((11 * 128 + 5 * 1028)),0,0]"
in_ctx sharing "python3 -c 'import socket; socket.socket().bind((\"$HOST\", 8000))' 2>&1 | tail -n 1"
like "it is confined" "$OUT" "Cannot assign requested address"
check "it stops" ctl stop sharing --timeout 1s

# --- the daemon dies ---
before=$(of c1)
kill_daemon
python3 "$WARD_DIR/udp.py" send 10.9.0.2 2 20
launch_daemon
is "another daemon counts on" "$(of c1)" "$before"
is "and has what came while there was none" "$(account c2 eth0 '"ipv4"' | jq -c '.[2]')" 10
check "a context starts again" ctl restart c1 --timeout 1s
is "and begins at nothing" "$(of c1)" "[0,0,0,0] [0,0,0,0]"
check "by IPv6 as well" six c1 0 0 0 0
if command -v bpftool >/dev/null; then
	pid=$(pid_of c1)
	kill_daemon
	kill -KILL "$pid"
	launch_daemon
	ctl stop four --timeout 1s
	counted() { # of this daemon's map
		local program id
		program=$(bpftool -j cgroup show "$(our_cgroups | grep "unified.*/$INSTANCE\$")" | jq '[.[] | select(.name | startswith("ward_egress"))][0].id')
		for id in $(bpftool -j prog show id "$program" | jq '.map_ids[]'); do
			[ "$(bpftool -j map show id "$id" | jq -r .name)" != ward_traffic ] || bpftool -j map dump id "$id" | jq length
		done
	}
	is_counted() { [ "$(counted)" = "$1" ]; }
	check "who has ended is counted no longer, also when there was no daemon" retry_until 5 is_counted 2
fi
finish
