#!/bin/bash
# timeout: 200
# What a context on the shared stack sends and receives is counted to the byte, by family, and so is
# what was refused to it; also when the daemon dies. In a network namespace of the test's own.
. "$(dirname "$0")/../lib/net.sh"
start_shared "accounts of the shared stack"
cat >"$WARD_DIR/send.py" <<'END'
import socket, sys
# send.py ADDRESS COUNT BYTES
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])):
    s.sendto(bytes(int(sys.argv[3])), (sys.argv[1], 9))
END
cat >"$WARD_DIR/sink.py" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 9))
time.sleep(1000)
END
chmod 755 "$WARD_DIR" "$WARD_DIR"/*.py
for i in 1 2; do
	ini "c$i" <<-END
		[context]
		command = sleep 1000
		[files]
		bind = $WARD_DIR/send.py:/mnt/send.py
		bind = $WARD_DIR/sink.py:/mnt/sink.py
		[network]
		mode = shared
		address = 10.9.0.$i/24@near fd09::$i/64@near
		listen = udp:9
		connect = 10.9.0.0/24 fd09::/64
	END
done
ini open <<-END
	[context]
	command = sleep 1000
	[network]
	mode = host
END
ini four <<-END
	[context]
	command = sleep 1000
	[network]
	mode = shared
	address = 10.9.0.4/24@near
END
check "contexts start" ctl start c1 c2 open four
account() { ctl stats "$1" --json | jq -c "(if type == \"array\" then .[0] else . end) | .network[] |
	select(.device == \"$2\" and .family == ${3:-null}) | [.sent_packets, .sent_bytes, .received_packets, .received_bytes]"; }
of() { echo "$(account c$1 shared '"ipv4"') $(account c$1 shared '"ipv6"') $(account c$1 lo)"; }
refused() { ctl stats "$1" --json | jq -c "(if type == \"array\" then .[0] else . end).network_refused${2-}"; }
is "at first there is nothing" "$(of 1)" "[0,0,0,0] [0,0,0,0] [0,0,0,0]"
is "without IPv6 there is no account of it" "$(account four shared '"ipv4"')$(account four shared '"ipv6"')" "[0,0,0,0]"
is "nor any on the host's network" "$(stat_of open network) $(stat_of open network_refused)" "null null"

background python3 "$WARD_DIR/sink.py" $HOST
background python3 "$WARD_DIR/sink.py" $HOST6
background ctl exec c2 -- python3 /mnt/sink.py 0.0.0.0
background ctl exec c2 -- python3 /mnt/sink.py ::
for at in "$HOST" "[$HOST6]" 10.9.0.2 "[fd09::2]"; do
	retry_until 20 sh -c "ss -Hlun | grep -qF '$at:9 '" || not_ok "a sink is at $at"
done
in_ctx c1 "python3 /mnt/send.py $HOST 10 100; python3 /mnt/send.py $HOST6 7 50; python3 /mnt/send.py 10.9.0.2 5 1000"
is "datagrams are counted with their headers, by family" "$(of 1)" "[15,$((10 * 128 + 5 * 1028)),0,0] [7,$((7 * 98)),0,0] [0,0,0,0]"
is "who received them as well" "$(of 2)" "[0,0,5,$((5 * 1028))] [0,0,0,0] [0,0,0,0]"
python3 "$WARD_DIR/send.py" 10.9.0.2 3 20
python3 "$WARD_DIR/send.py" fd09::2 4 20
is "what the host sends is received" "$(of 2)" "[0,0,8,$((5 * 1028 + 3 * 48))] [0,0,4,$((4 * 68))] [0,0,0,0]"
background ctl exec c2 -- python3 /mnt/sink.py 127.0.0.1
retry_until 20 sh -c "ss -Hlun | grep -q '127[.0-9]*:9 '" || not_ok "a sink is on the loopback"
in_ctx c2 "python3 /mnt/send.py 127.0.0.1 6 30"
is "its own loopback is an account of its own" "$(account c2 lo)" "[6,$((6 * 58)),6,$((6 * 58))]"

# --- what is refused ---
echo "0 4294967294" >/proc/sys/net/ipv4/ping_group_range # of this namespace
in_ctx c1 'python3 - <<-"END"
	import socket
	def tries(n, what):
	    for i in range(n):
	        try: what()
	        except OSError: continue
	        print("not refused")
	def tcp(): return socket.socket()
	def udp(): return socket.socket(type=socket.SOCK_DGRAM)
	tries(1, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1))
	tries(2, lambda: tcp().setsockopt(socket.SOL_IP, 15, 1))
	tries(3, lambda: tcp().bind(("10.9.0.2", 80)))
	tries(1, lambda: tcp().bind(("10.9.0.1", 81)))
	tries(5, lambda: tcp().connect(("192.0.2.1", 80)))
	tries(6, lambda: udp().sendto(b"x", ("192.0.2.1", 80)))
	END'
is "what must be is refused" "$OUT" ""
is "refusals are counted by what they were" "$(refused c1)" \
	'{"socket":1,"option":2,"bind":4,"connect":5,"send":6,"source":0,"destination":0}'
# a socket that never was bound has the wildcard, by which the host's datagrams would come
cat >"$WARD_DIR/lone.py" <<'END'
import socket, time
s = socket.socket(type=socket.SOCK_DGRAM)
s.sendto(b"x", ("10.9.0.2", 10))
print(s.getsockname()[1], flush=True)
time.sleep(1000)
END
background ctl exec c2 -- python3 -c "$(cat "$WARD_DIR/lone.py")" >"$WARD_DIR/port"
retry_until 20 grep -q . "$WARD_DIR/port"
port=$(cat "$WARD_DIR/port")
python3 -c "
import socket
for i in range(3): socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('$HOST', ${port:-1}))"
is "so are packets that came for another's address" "$(refused c2 .destination)" 3
end_background "$BG"

# --- all of them, and for those who scrape ---
like "metrics have them" "$(api http://w/metrics)" \
	"^ward_context_network_sent_bytes_total\{context=\"c1\",device=\"shared\",family=\"ipv6\"\} $((7 * 98))\$"
like "and what was refused" "$(api http://w/metrics)" "^ward_context_network_refused_total\{context=\"c1\",what=\"connect\"\} 5\$"
is "so has the list of all" "$(api http://w/v1/stats | jq -c '.[] | select(.name == "c1") | .network_refused.send')" 6
like "and top" "$(ctl top --batch 1 --columns name,sent-total 2>&1)" "c1 +6.9K"

# --- the daemon dies ---
before="$(of 1) $(refused c1)"
kill_daemon
python3 "$WARD_DIR/send.py" 10.9.0.2 2 20
launch_daemon
is "another daemon counts on" "$(of 1) $(refused c1)" "$before"
in_ctx c2 true
is "and has what came while there was none" "$(account c2 shared '"ipv4"' | jq -c '.[2]')" 10
check "a context starts again" ctl restart c1 --timeout 1s
is "and begins at nothing" "$(of 1)" "[0,0,0,0] [0,0,0,0] [0,0,0,0]"
finish
