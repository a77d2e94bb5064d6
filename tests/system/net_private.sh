#!/bin/bash
# timeout: 300
# Contexts with a stack and an interface of their own: on bridges and routed, who reaches whom, what
# does not get through, and that all of it goes again. In a network namespace of the test's own,
# which has the part of the host.
if [ -z "${NET_PRIVATE_INSIDE-}" ]; then
	[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
	NET_PRIVATE_INSIDE=1 exec unshare -n "$0" "$@"
fi
. "$(dirname "$0")/../lib/harness.sh"
LIB=$ROOT/tests/lib
HOST=10.9.0.100 OUTSIDE=10.9.0.200 OUTSIDE6=fd09::200

network_state() { # what must be the same before and after
	ip -br link
	ip -br address
	ip route show table all
	ip -6 route show table all
	ip rule
	nft list ruleset
	tc qdisc show
}
as_before() { [ "$(network_state)" = "$(cat "$WARD_DIR/net-before")" ]; }
ip link set lo up
background unshare -n sleep 1000 # somebody outside
OUT_PID=$BG
outside() { nsenter -t "$OUT_PID" -n "$@"; }
retry_until 5 sh -c "[ \$(readlink /proc/$OUT_PID/ns/net) != $(readlink /proc/self/ns/net) ]"
ip link add near type veth peer name far netns "$OUT_PID"
echo 0 >/proc/sys/net/ipv6/conf/near/accept_dad
ip link set near up
ip address add $HOST/24 dev near
ip address add fd09::100/64 dev near nodad
outside ip link set lo up
outside ip link set far up
outside ip address add $OUTSIDE/24 dev far
outside ip address add $OUTSIDE6/64 dev far nodad
outside ip route add 10.7.0.0/16 via $HOST
retry_until 5 sh -c '[ "$(ip -br address | grep -c fe80)" -eq 1 ] && ! ip address | grep -q tentative'
start_daemon
if ! ctl doctor | grep -Eq '^network +private +yes'; then
	note "$(ctl doctor | grep -E '^network +private')"
	run_ctl run --set network.mode=private --set network.address=10.5.0.9 -- true
	isnt "without nftables addresses of one's own are refused" "$RC" 0
	finish
fi
network_state >"$WARD_DIR/net-before"

web() { # NAME ADDRESSES [LINES OF network]
	ini "$1" <<-END
		[context]
		command = /usr/bin/python3 -m http.server --bind :: --directory /srv/web 80
		ready = tcp:80
		ready-timeout = 10s
		[files]
		bind = $WARD_DIR/www-$1:/srv/web
		bind = $LIB/net_frames.py:/mnt/net_frames.py
		bind = $WARD_DIR/udp.py:/mnt/udp.py
		[network]
		mode = private
		address = $2
		${3-bridge = ward0}
		${4-}
		${5-}
	END
	mkdir -p "$WARD_DIR/www-$1"
	chmod 755 "$WARD_DIR" "$WARD_DIR/www-$1"
	echo "this is $1" >"$WARD_DIR/www-$1/name"
}
cat >"$WARD_DIR/udp.py" <<-'END' # serve, or ask ADDRESS [FROM]
	import socket, sys
	if sys.argv[1] == "serve":
	    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	    s.setsockopt(41, 26, 0)
	    s.bind(("::", int(sys.argv[2])))
	    print("ready", flush=True)
	    while True:
	        data, peer = s.recvfrom(100)
	        s.sendto(data + b" from " + peer[0].replace("::ffff:", "").encode(), peer)
	s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, socket.SOCK_DGRAM)
	s.settimeout(2)
	s.sendto(b"hello", (sys.argv[2], int(sys.argv[3])))
	print(s.recv(100).decode())
END
fetch() { curl -gsS --max-time 3 "http://$1/name" 2>&1; }
ask() { python3 "$WARD_DIR/udp.py" ask "$1" "${2-7000}" 2>&1 | tail -n 1; }
fetch_in() { in_ctx "$1" "curl -gsS --max-time ${3-3} http://$2/name"; } # CONTEXT HOST
ask_in() { in_ctx "$1" "python3 /mnt/udp.py ask $2 ${3-7000} 2>&1 | tail -n 1"; }
mac_of() { ctl plan "$1" | sed -n 's/^mac //p'; }
web one "10.5.0.2/24 fd05::2/64"
web two "10.5.0.3/24 fd05::3/64"
web friend "10.5.0.4/24 fd05::4/64" "bridge = ward0" "allow = contexts"
web pal "10.5.0.5/24 fd05::5/64" "bridge = ward0" "allow = contexts ping"

# --- a bridge of Ward's ---
check "a context with an address of its own starts" ctl start one
check "so do others, on the same port" ctl start two friend pal
like "the bridge is made, and says by whom" "$(ip -d link show ward0)" "bridge .*|alias made by ward $INSTANCE"
like "it has the first address of their network" "$(ip -br address show ward0)" "10\.5\.0\.1/24.*fd05::1/64"
is "each answers the host on its own address, IPv4 and IPv6" \
	"$(for h in 10.5.0.2 10.5.0.3 '[fd05::2]' '[fd05::3]'; do fetch "$h"; done)" \
	$'this is one\nthis is two\nthis is one\nthis is two'
background python3 -m http.server --bind :: --directory "$WARD_DIR/www-one" 8000 >/dev/null 2>&1
background python3 "$WARD_DIR/udp.py" serve 7000 >"$WARD_DIR/serving"
retry_until 10 grep -q ready "$WARD_DIR/serving"
retry_until 10 fetch 10.5.0.1:8000
for name in one two friend; do background ctl exec $name -- python3 /mnt/udp.py serve 7000 >"$WARD_DIR/serving-$name"; done
for name in one two friend; do retry_until 10 grep -q ready "$WARD_DIR/serving-$name"; done
fetch_in one 10.5.0.1:8000
is "a context reaches the host, TCP" "$OUT" "this is one"
fetch_in one "[fd05::1]:8000"
is "by IPv6 as well" "$OUT" "this is one"
ask_in one 10.5.0.1
is "UDP, with its own address" "$OUT" "hello from 10.5.0.2"
ask_in one fd05::1
is "by IPv6 as well" "$OUT" "hello from fd05::2"
is "the host reaches a context by UDP" "$(ask 10.5.0.2) $(ask fd05::2)" "hello from 10.5.0.1 hello from fd05::1"
fetch_in one 127.0.0.1
is "loopback is its own" "$OUT" "this is one"
fetch_in one $HOST:8000
is "its default route is the bridge" "$OUT" "this is one"
like "a client is seen by its own address" "$(ctl logs one)" '^(::ffff:)?10\.5\.0\.1 .*GET /name'
like "plan says it all" "$(ctl plan one)" 'eth0 on bridge ward0'
is "the hardware address follows from the name" "$(mac_of one)" \
	"$(in_ctx one "cat /sys/class/net/eth0/address"; echo "$OUT")"
in_ctx one "cat /proc/net/dev; ls /sys/class/net"
unlike "nothing of the host's interfaces is seen" "$OUT" "near|ward0|ifb"

# --- who reaches whom ---
for to in 10.5.0.3 "[fd05::3]"; do
	fetch_in one $to 1
	isnt "a context does not reach another ($to)" "$RC" 0
done
ask_in one 10.5.0.3
like "nor by UDP" "$OUT" "timed out"
fetch_in friend 10.5.0.3 1
isnt "one that is allowed does not reach one that is not" "$RC" 0
fetch_in one 10.5.0.4 1
isnt "nor the other way round" "$RC" 0
fetch_in pal 10.5.0.4
is "two that are allowed reach each other" "$OUT" "this is friend"
fetch_in friend "[fd05::5]"
is "by IPv6 as well" "$OUT" "this is pal"
ask_in pal 10.5.0.4
is "and by UDP" "$OUT" "hello from 10.5.0.5"
echo 1 >/proc/sys/net/ipv4/ip_forward # of this namespace
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
run_in() { # KEY=VALUE ... -- SCRIPT
	local sets=(--set network.mode=private)
	while [ "$1" != -- ]; do sets+=(--set "network.$1"); shift; done
	run_sh "${sets[@]}" -- "$2"
}
run_in bridge=ward1 address=10.6.0.2/24 -- "curl -sS --max-time 1 http://10.5.0.2/name; curl -sS --max-time 1 http://10.5.0.4/name"
unlike "what the host would route from bridge to bridge is refused as well" "$OUT" "this is"
run_in bridge=ward1 address=10.6.0.2/24 allow=contexts -- "curl -sS --max-time 3 http://10.5.0.4/name"
is "unless both are allowed" "$OUT" "this is friend"
PING="python3 -c '
import socket
s = socket.socket(2, 2, 1); s.settimeout(3)
s.sendto(bytes([8]) + bytes(15), (\"10.6.0.1\", 0)); print(s.recv(100)[0])'"
run_in bridge=ward1 address=10.6.0.2/24 allow=ping -- "$PING"
is "allow = ping: echoes are asked for" "$OUT" 0
run_in bridge=ward1 address=10.6.0.2/24 -- "$PING"
like "without it they are lost" "$OUT" "timed out"
check "the other bridge is gone with its last context" retry_until 5 sh -c '! ip link show ward1'

# --- attacks ---
ip link add sink type veth peer name sinkfar # a port of the bridge that is nobody's: it gets all
echo 1 | tee /proc/sys/net/ipv6/conf/{sink,sinkfar}/disable_ipv6 >/dev/null
ip link set sinkfar up
ip link set sink master ward0 up
retry_until 5 sh -c 'bridge link show dev sink | grep -q forwarding'
background python3 "$LIB/net_frames.py" sniff sinkfar "$WARD_DIR/frames"
background python3 "$LIB/net_frames.py" sniff ward0 "$WARD_DIR/frames-host"
retry_until 10 grep -q ready "$WARD_DIR/frames"
retry_until 10 grep -q ready "$WARD_DIR/frames-host"
web bad "10.5.0.6/24 fd05::6/64"
printf '[process]\ncapability = +net-raw +net-admin\n' >>"$WARD_DIR/config/bad.ini"
check "a context that may send what it likes starts" ctl start bad
MAC=$(mac_of bad) OTHER=$(mac_of two)
in_ctx bad "python3 /mnt/net_frames.py attack $MAC 10.5.0.6 fd05::6 $OTHER 10.5.0.3 fd05::3 10.5.0.1"
is "all frames were sent" "$OUT" $'true\nsent'
in_ctx bad "python3 -c 'import socket; socket.socket(2, 2).sendto(b\"x\", (\"10.5.0.1\", 7999))'"
check "true ones get through" retry_until 5 grep -qx "ip $MAC 10.5.0.6 10.5.0.1 7001" "$WARD_DIR/frames"
check "and to the host" retry_until 5 grep -qx "ip $MAC 10.5.0.6 10.5.0.1 7999" "$WARD_DIR/frames-host"
like "by IPv6" "$(cat "$WARD_DIR/frames")" "^ip6 $MAC fd05::6 7002$"
like "an ARP request" "$(cat "$WARD_DIR/frames")" "^arp $MAC $MAC 10.5.0.6 1 1$"
like "an own neighbour advertisement" "$(cat "$WARD_DIR/frames")" "^icmp6 $MAC fd05::6 136 fd05::6$"
is "and nothing that is not its own, by address or hardware, does" \
	"$(cat "$WARD_DIR/frames" "$WARD_DIR/frames-host" | grep -E " $MAC | $OTHER " | sort -u | grep -vE \
	"^(ip $MAC 10\.5\.0\.6 10\.5\.0\.1 (7001|7999)|ip6 $MAC fd05::6 7002|arp $MAC $MAC 10\.5\.0\.6 [12] 1|icmp6 $MAC (fd05::6|fe80::[0-9a-f:]*) (135|136|143) ?(fd05::6|fd05::1|fe80::[0-9a-f:]*)?)$")" ""
is "nor do frames that are no IP" "$(grep -E '^0x' "$WARD_DIR/frames" "$WARD_DIR/frames-host")" ""
in_ctx bad "ip address add 10.5.0.77/24 dev eth0 2>&1 && curl -sS --max-time 1 --interface 10.5.0.77 http://10.5.0.1:8000/name"
unlike "an address that it gives itself is of no use" "$OUT" "this is"
in_ctx bad "ip link set eth0 address 02:00:00:00:00:77 2>&1 && curl -sS --max-time 1 http://10.5.0.1:8000/name"
unlike "nor is hardware" "$OUT" "this is"
check "it stops" ctl stop bad --timeout 1s
ip link delete sink

# --- limits ---
run_in bridge=ward0 address=10.5.0.9/24 connect=none -- "curl -sS --max-time 1 http://10.5.0.1:8000/name"
isnt "connect = none: nowhere" "$RC" 0
run_in bridge=ward0 address=10.5.0.9/24 "connect=10.5.0.1:8000" -- \
	"curl -sS --max-time 3 http://10.5.0.1:8000/name; curl -sS --max-time 1 http://$HOST:8000/name"
is "connect = a peer: there and nowhere else" "$(head -n 1 <<<"$OUT") $RC" "this is one 28"
run_in bridge=ward0 address=fd05::9/64 "connect=fd05::/64 fd05::1" -- "curl -gsS --max-time 3 http://[fd05::1]:8000/name"
is "connect = networks one in another" "$OUT" "this is one"
web limited "10.5.0.10/24" "bridge = ward0" "connect = none" "listen = tcp:81"
check "a context that is limited both ways starts" ctl start limited
in_ctx limited "cd /srv/web; for p in 81 8080; do python3 -m http.server \$p >/dev/null 2>&1 & done; sleep 0.5"
is "it is reached at ports above 1024 and those that it has leave for" \
	"$(for p in 81 8080; do retry_until 5 fetch 10.5.0.10:$p; fetch 10.5.0.10:$p; done)" \
	$'this is limited\nthis is limited'
like "and at no other" "$(curl -sS --max-time 1 http://10.5.0.10/name 2>&1)" "timed out"
check "it stops" ctl stop limited --timeout 1s

# --- ports of the host, and its address ---
web served "10.5.0.11/24 fd05::11/64" "bridge = ward0" "forward = tcp:8080:80 udp:7070:7000"
check "a context with ports of the host starts" ctl start served
background ctl exec served -- python3 /mnt/udp.py serve 7000 >"$WARD_DIR/serving-served"
retry_until 10 grep -q ready "$WARD_DIR/serving-served"
is "from outside the port is the context's" \
	"$(outside curl -sS --max-time 3 http://$HOST:8080/name 2>&1) $(outside curl -gsS --max-time 3 "http://[fd09::100]:8080/name" 2>&1)" \
	"this is served this is served"
is "UDP as well" "$(outside python3 "$WARD_DIR/udp.py" ask $HOST 7070 2>&1 | tail -n 1)" "hello from $OUTSIDE"
is "and from the host itself" "$(fetch $HOST:8080)" "this is served"
run_in bridge=ward0 address=10.5.0.12/24 forward=tcp:8080:1 -- true
like "a port that another context has is refused" "$OUT" "port 8080 of the host is held by served"
run_in bridge=ward0 address=10.5.0.12/24 forward=tcp:8000:1 -- true
like "one that a service of the host has as well" "$OUT" "port 8000 is held by a service of this host"
check "it stops" ctl stop served --timeout 1s
isnt "then the port is nobody's" "$(fetch $HOST:8080)" "this is served"
unlike "and nothing is translated" "$(nft list tables)" "_nat"
background outside python3 "$WARD_DIR/udp.py" serve 7001 >"$WARD_DIR/serving-outside"
retry_until 10 grep -q ready "$WARD_DIR/serving-outside"
run_in bridge=ward0 address=10.5.0.13/24 masquerade=yes -- "python3 -c '
import socket
s = socket.socket(2, 2); s.settimeout(3); s.sendto(b\"hello\", (\"$OUTSIDE\", 7001)); print(s.recv(99).decode())'"
is "masquerade = yes: outside it has the host's address" "$OUT" "hello from $HOST"
run_in bridge=ward0 address=10.5.0.13/24 -- "python3 -c '
import socket
s = socket.socket(2, 2); s.settimeout(1); s.sendto(b\"hello\", (\"$OUTSIDE\", 7001)); print(s.recv(99).decode())'"
isnt "without it has its own, which is not known there" "$RC" 0
echo 0 >/proc/sys/net/ipv4/ip_forward
run_in bridge=ward0 address=10.5.0.13/24 masquerade=yes -- true
like "where the host does not forward it is refused" "$OUT" "does not forward packets.*net.ipv4.ip_forward"
echo 1 >/proc/sys/net/ipv4/ip_forward

# --- without a bridge ---
web routed "10.7.0.2 fd07::2" "" "forward = tcp:8081:80"
web routed2 "10.7.0.3" ""
check "contexts without a bridge start" ctl start routed routed2
is "the host reaches them" "$(fetch 10.7.0.2) $(fetch '[fd07::2]') $(fetch 10.7.0.3)" "this is routed this is routed this is routed2"
is "and so does who has a route" "$(outside curl -sS --max-time 3 http://10.7.0.2/name 2>&1)" "this is routed"
is "or asks the host's port" "$(outside curl -sS --max-time 3 http://$HOST:8081/name 2>&1)" "this is routed"
fetch_in routed $HOST:8000
is "they reach the host" "$OUT" "this is one"
fetch_in routed "[fd09::100]:8000"
is "by IPv6 as well" "$OUT" "this is one"
fetch_in routed 10.7.0.3 1
isnt "and not each other" "$RC" 0
fetch_in routed 10.5.0.2 1
isnt "nor those on bridges" "$RC" 0
printf '[process]\ncapability = +net-raw +net-admin\n' >>"$WARD_DIR/config/routed2.ini"
ctl stop routed2 --timeout 1s && ctl start routed2
in_ctx routed2 "ip address add 10.7.0.99/32 dev eth0; python3 -c '
import socket
for source in \"10.7.0.3\", \"10.7.0.99\":
    s = socket.socket(2, 2); s.bind((source, 0)); s.settimeout(1)
    s.sendto(b\"hello\", (\"$HOST\", 7000))
    try: print(s.recv(99).decode())
    except OSError: print(\"nothing\")'"
is "another's address gets nowhere" "$OUT" $'hello from 10.7.0.3\nnothing'
ctl stop routed2 --timeout 1s
# an address of the network that the host's interface is in: the host answers for it there
answered() { outside python3 -c "import socket; socket.create_connection(('10.9.0.50', 80), 3)"; }
run_in address=10.9.0.50/24@nowhere -- true
like "no such interface" "$OUT" "this host has no such interface"
run_in address=fd09::50/64@near -- true
like "IPv6 needs a setting of the host's" "$OUT" "net\.ipv6\.conf\.near\.proxy_ndp set to 1"
echo 1 >/proc/sys/net/ipv6/conf/near/proxy_ndp
echo 0 >/proc/sys/net/ipv4/ip_forward
run_in address=10.9.0.50/24@near -- true
like "where the host does not forward that is refused" "$OUT" "net\.ipv4\.ip_forward set to 1"
echo 1 >/proc/sys/net/ipv4/ip_forward
web near "10.9.0.50/24@near fd09::50/64@near" ""
check "a context in the network of an interface starts" ctl start near
is "who is there reaches it, without any route" \
	"$(outside curl -sS --max-time 5 http://10.9.0.50/name 2>&1) $(outside curl -gsS --max-time 5 'http://[fd09::50]/name' 2>&1)" \
	"this is near this is near"
is "and so does the host" "$(fetch 10.9.0.50) $(fetch '[fd09::50]')" "this is near this is near"
fetch_in near $HOST:8000
is "which it reaches" "$OUT" "this is one"
fetch_in near 10.7.0.2 1
isnt "and no other context" "$RC" 0
check "it stops" ctl stop near --timeout 1s
is "then nobody answers" "$(ip neighbour show proxy)" ""
ctl start near && near=$(pid_of near) && kill_daemon && kill -KILL "$near"
launch_daemon
check "also when it ended while there was no daemon" retry_until 5 sh -c '! ip neighbour show proxy | grep -q .'
echo 0 >/proc/sys/net/ipv6/conf/near/proxy_ndp
ctl start routed2
restarts() { for _ in 1 2 3 4 5 6; do ctl stop routed2 --timeout 1s && ctl start routed2 && fetch 10.7.0.3 >/dev/null || return; done; }
check "one that starts again at once has its route" restarts
check "they stop" ctl stop routed routed2 --timeout 1s
ip route add 10.7.0.9/32 dev near
run_in address=10.7.0.9 -- true
like "a route of the host's own is left alone" "$OUT $(ip route show 10.7.0.9)" "a route to 10.7.0.9: File exists.*dev near"
ip route delete 10.7.0.9/32 dev near

# --- what is refused ---
run_in bridge=ward0 address=10.5.0.2/24 -- true
like "an address that another context has is refused with its name" "$OUT" "10\.5\.0\.2 is held by one"
run_in bridge=ward0 address=$HOST/24 -- true
like "one that the host has" "$OUT" "$HOST is held by this host"
run_in bridge=ward0 address=10.5.0.1/24 -- true
like "and that of the bridge" "$OUT" "10\.5\.0\.1 would be that of the bridge"
run_in bridge=ward2 address=10.9.0.5/24 -- true
like "a network that the host is in by another interface" "$OUT" "is that of this host's near"
check "nothing is left of that" retry_until 5 sh -c '! ip link show ward2'
run_in bridge=near address=10.8.0.5/24 -- true
like "an interface that is no bridge" "$OUT" "near is an interface of this host that is no bridge"
run_in bridge=ward0 address=10.5.0.9/24 mac=$(mac_of one) -- true
like "another's hardware address" "$OUT" "network.mac: it is held by one"
run_in bridge=ward0 address=10.5.0.9/24 mac=02:00:00:00:00:09 -- "cat /sys/class/net/eth0/address"
is "an own one is given" "$OUT" "02:00:00:00:00:09"
run_in bridge=ward0 address=10.5.0.9 -- true
like "an address without a network on a bridge" "$OUT" "is in no network that a bridge could be in"
run_in address=10.5.0.9/24 -- true
like "a network without a bridge" "$OUT" "needs network.bridge"
run_in bridge=ward0 address=10.5.0.9/24@near -- true
like "an interface that is not the bridge" "$OUT" "names an interface that is not network.bridge"
run_sh --set network.mode=shared --set network.address=10.5.0.9 --set network.mac=02:00:00:00:00:09 -- true
like "what only mode = private knows" "$OUT" "network.mac.* has no meaning without mode = private"
run_in bridge=ward0 -- true
like "what needs an address" "$OUT" "has no meaning without network.address"
run_ctl set one network.address=10.5.0.20/24
like "an address is not changed while the context runs, and that is said" "$ERR" "only after a restart"
is "it has the one that it had" "$(fetch 10.5.0.2) $(fetch 10.5.0.20 | grep -c this)" "this is one 0"
run_ctl set one "network.address=10.5.0.2/24 fd05::2/64"
run_in bridge=ward0 address=10.5.0.9/24 dns=192.0.2.53 -- "cat /etc/resolv.conf"
is "dns is what resolv.conf says" "$OUT" "nameserver 192.0.2.53"

# --- a bridge of others ---
ip link add admin0 address 02:00:00:00:00:0a type bridge
ip address add 10.4.0.1/24 dev admin0
ip link set admin0 up
ip -d link show admin0 | grep -v state >"$WARD_DIR/admin-before"
run_in bridge=admin0 address=10.4.0.2/24 -- "curl -sS --max-time 3 http://10.4.0.1:8000/name"
is "a bridge that is there is used" "$OUT" "this is one"
run_in bridge=admin0 address=10.3.0.2/24 -- true
like "as it is: in another network it has no address" "$OUT" "admin0 has no address in the network of 10\.3\.0\.2/24"
run_in bridge=admin0 address=10.3.0.2/24 gateway=none -- true
is "none is needed with gateway = none" "$RC" 0
retry_until 5 sh -c '! ip link show master admin0 | grep -q .'
is "it stays, with what it had" "$(ip -br address show admin0 | awk '{ print $3 }') $(ip -d link show admin0 | grep -v state | diff - "$WARD_DIR/admin-before")" "10.4.0.1/24 "
ip link delete admin0

run_in bridge=ward3 address=10.2.0.2/24 -- "sleep 1000" &
retry_until 10 ip link show ward3
ip link add guest type veth peer name guestfar
ip link set guest master ward3
ctl stop "$(ctl list --json | jq -r '.[] | select(.name | startswith("run-")) | .name')" --timeout 1s
wait $!
retry_until 5 sh -c '[ "$(ip -br link show master ward3 | wc -l)" -eq 1 ]' # the port goes with its namespace
is "one of Ward's stays as long as it has a port of somebody else" \
	"$(ip -br link show ward3 | wc -l) $(ip -br link show master ward3 | cut -d@ -f1)" "1 guest"
ip link delete guest
run_in bridge=ward3 address=10.2.0.2/24 -- true
check "and goes with its next last context" retry_until 5 sh -c '! ip link show ward3'

# --- rules that somebody flushed ---
nft flush ruleset
check "after somebody has flushed all rules a context starts" ctl start bad
like "and the rules of all are there again" "$(nft list set bridge "$(nft list tables bridge | awk '{ print $3; exit }')" source4)" '10\.5\.0\.2'
check "it stops" ctl stop bad --timeout 1s

# --- a daemon that dies ---
kill_daemon
is "without a daemon the contexts go on" "$(fetch 10.5.0.2) $(fetch '[fd05::3]')" "this is one this is two"
launch_daemon
is "a new daemon takes them over" "$(state_of one) $(state_of two)" "running running"
run_in bridge=ward0 address=10.5.0.3/24 -- true
like "and knows who has which address" "$OUT" "10\.5\.0\.3 is held by two"
is "they answer as before" "$(fetch 10.5.0.2) $(fetch 10.5.0.3)" "this is one this is two"
fetch_in one 10.5.0.3 1
isnt "and are apart as before" "$RC" 0
web mapped "10.5.0.14/24" "bridge = ward0" "forward = tcp:8082:80"
ctl start mapped
like "ports of the host are there" "$(nft list ruleset)" "tcp . 8082 : 10\.5\.0\.14 . 80"
kill_daemon
launch_daemon
is "and there with the next daemon" "$(fetch $HOST:8082)" "this is mapped"
pid=$(pid_of two) mapped=$(pid_of mapped)
kill_daemon
kill -KILL "$pid" "$mapped"
retry_until 5 gone "$pid"
retry_until 5 gone "$mapped"
launch_daemon
unlike "of those that ended meanwhile none is" "$(nft list ruleset)" "8082|_nat"
retry_until 5 sh -c '! nft list ruleset | grep -q "10\.5\.0\.3"'
unlike "what ended while there was no daemon has left nothing" "$(nft list ruleset)" "10\.5\.0\.3"
is "the others answer" "$(fetch 10.5.0.2) $(fetch 10.5.0.4)" "this is one this is friend"
for pid in $EXTRA_PIDS; do [ "$pid" = "$OUT_PID" ] || end_background "$pid"; done
check "the others stop" ctl stop --all --timeout 1s
echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
retry_until 10 as_before
network_state >"$WARD_DIR/net-after"
is "links, addresses, routes, rules, tables and queues are as before" \
	"$(diff "$WARD_DIR/net-before" "$WARD_DIR/net-after")" ""
kill_daemon
ip link add wleft type bridge
ip link set wleft alias "made by ward $INSTANCE"
launch_daemon
check "a bridge that an earlier daemon had left is removed" retry_until 5 as_before

# --- many ---
for i in $(seq 100); do
	ini "m$i" <<-END
		[context]
		command = sleep 1000
		mark = many
		[network]
		mode = private
		bridge = ward0
		address = 10.5.1.$i/16
	END
done
check "100 contexts start" ctl start --mark many
is "each has its port" "$(ip -br link show master ward0 | grep -c UP)" 100
rules=$(nft -s list chains | grep -c chain)
is "the host reaches each" "$(for i in $(seq 100); do ip neighbour show dev ward0 2>/dev/null | head -n 0; ping -c 1 -W 2 -q 10.5.1.$i >/dev/null 2>&1 || echo "$i"; done | wc -l)" \
	"$(command -v ping >/dev/null && echo 0 || echo 100)"
check "they stop" ctl stop --mark many --timeout 1s
retry_until 10 as_before
network_state >"$WARD_DIR/net-after"
is "and nothing of them is left ($rules chains)" "$(diff "$WARD_DIR/net-before" "$WARD_DIR/net-after")" ""

# --- what the last one leaves to the next ---
bridge_number() { ip -o link show ward0 2>/dev/null | cut -d: -f1; }
ctl start one two
number=$(bridge_number) ours=$(nft list tables)
ctl stop one two --timeout 1s
is "the last one's tables and bridge stay for a while" "$(nft list tables) $(bridge_number)" "$ours $number"
unlike "without elements" "$(nft list ruleset)" '"w[0-9a-f]+-[0-9a-f]|10\.5\.'
is "and without addresses, which others may want" "$(ip -br address show ward0 | grep -c '10\.5\.')" 0
run_in bridge=ward4 address=10.5.0.2/24 -- true
is "as another bridge does" "$RC $OUT" "0 "
check "the next one finds them" ctl start one
is "as they were" "$(nft list tables) $(bridge_number) $(fetch 10.5.0.2)" "$ours $number this is one"
ctl stop one --timeout 1s
check "who comes while they are removed" retry_until 10 sh -c '! nft list tables | grep -q ward_'
check "has others" ctl start one
is "and answers" "$(fetch 10.5.0.2)" "this is one"
ctl stop one --timeout 1s
term_daemon
is "the daemon ends" $? 0
is "and leaves nothing of that" "$(network_state | diff "$WARD_DIR/net-before" -)" ""

# --- starts that break off ---
WARDD=${WARD_FAULTS:-$BUILD/faults/wardd}
if [ -x "$WARDD" ]; then
	truncate -s 8192 "$WARD_DIR/fault"
	order() { head -c 8192 /dev/zero >"$WARD_DIR/fault"; printf '%s' "$1" | dd of="$WARD_DIR/fault" conv=notrunc status=none; }
	order ''
	export WARD_FAULT=$WARD_DIR/fault
	launch_daemon
	for point in network-join network-bridge network-rules network-port network-inside; do
		order "fail:$point"
		run_ctl start one
		like "failing at $point: the start says so" "$RC $ERR" "^[1-9].*$point"
		retry_until 10 as_before
		is "failing at $point: nothing is left" "$(network_state | diff "$WARD_DIR/net-before" -)" ""
	done
	for point in network-join network-bridge network-rules network-port; do
		order "kill:$point"
		run_ctl start one
		retry_until 5 gone "$DAEMON"
		wait "$DAEMON" 2>/dev/null
		order ''
		launch_daemon
		retry_until 10 as_before
		is "killed at $point: the next daemon leaves nothing" "$(network_state | diff "$WARD_DIR/net-before" -)" ""
	done
	order kill:network-inside
	run_ctl start one
	isnt "a child that dies at network-inside: the start fails" "$RC" 0
	retry_until 10 as_before
	is "and nothing is left" "$(network_state | diff "$WARD_DIR/net-before" -)" ""
	check "after all that it starts" ctl start one
	is "and answers" "$(fetch 10.5.0.2)" "this is one"
	check "and stops" ctl stop one --timeout 1s
else
	skip "starts that break off" "$WARDD is not built (make FAULTS=1)"
fi
finish
