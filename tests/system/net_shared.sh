#!/bin/bash
# timeout: 300
# Contexts on the shared stack: each has its addresses and nothing else. All of it in a network
# namespace of the test's own, which has the part of the host.
. "$(dirname "$0")/../lib/net.sh"
LIB=$ROOT/tests/lib
PEER=10.9.0.200 PEER6=fd09::200

network_state() { # what must be the same before and after
	ip -br address
	ip route show table all
	ip -6 route show table all
	ip rule
	tc qdisc show
}
for family in "$PEER" "$PEER6"; do # somebody on the link, to whom packets go
	ip neighbour add "$family" lladdr 02:00:00:00:00:02 dev near nud permanent
done
# link-local addresses come by themselves, a moment later
retry_until 5 sh -c '[ "$(ip -br address | grep -c fe80)" -eq 2 ] && ! ip address | grep -q tentative'
start_daemon
if ! has_shared; then
	note "$(ctl doctor | grep -E '^network +shared')"
	run_ctl run --set network.mode=shared --set network.address=$HOST -- true
	isnt "without the hooks mode = shared is refused" "$RC" 0
	like "with the reason" "$ERR" 'shared needs.*private is possible'
	finish
fi
network_state >"$WARD_DIR/net-before"

web() { # NAME ADDRESSES
	ini "$1" <<-END
		[context]
		command = /usr/bin/python3 -m http.server --bind $3 --directory /srv/web 80
		ready = tcp:80
		ready-timeout = 10s
		[files]
		bind = $WARD_DIR/www-$1:/srv/web
		bind = $LIB/net_attack.py:/mnt/net_attack.py
		bind = $LIB/net_peer.py:/mnt/net_peer.py
		[network]
		mode = shared
		address = $2
		listen = tcp:80
	END
	mkdir "$WARD_DIR/www-$1"
	chmod 755 "$WARD_DIR" "$WARD_DIR/www-$1"
	echo "this is $1" >"$WARD_DIR/www-$1/name"
}
fetch() { curl -sS --max-time 5 "http://$1/name" 2>&1; }
web one "10.9.0.1/24@near fd09::1/64@near" 0.0.0.0
web two "10.9.0.2/24@near fd09::2/64@near" 0.0.0.0

# --- two contexts, one port ---
check "a context on the shared stack starts, and is ready by its port" ctl start one
check "so does a second on the same port" ctl start two
is "each answers on its own address" "$(fetch 10.9.0.1) $(fetch 10.9.0.2)" "this is one this is two"
like "the host's other address is nobody's" "$(fetch $HOST)" "(onnect|refused)"
in_ctx one "curl -sS --max-time 5 http://127.0.0.1/name http://10.9.0.1/name http://10.9.0.2/name"
is "inside, 127.0.0.1 is oneself" "$OUT" $'this is one\nthis is one\nthis is two'
in_ctx two "curl -sS --max-time 5 http://localhost/name"
is "and localhost of another is another" "$OUT" "this is two"
like "a client is seen by its own address" "$(ctl logs two)" '^10\.9\.0\.1 .*GET /name'
like "and from its own loopback as 127.0.0.1" "$(ctl logs one)" '^127\.0\.0\.1 .*GET /name'
like "plan says it all" "$(ctl plan one)" 'address 10.9.0.1/24, added to near'

web six "fd09::3/64@near" ::
check "a context with IPv6 alone starts" ctl start six
is "and answers" "$(fetch '[fd09::3]')" "this is six"
in_ctx six "curl -gsS --max-time 5 http://[::1]/name"
is "inside, ::1 is oneself" "$OUT" "this is six"
in_ctx one "curl -gsS --max-time 5 http://[fd09::3]/name"
is "others reach it by IPv6" "$OUT" "this is six"
like "and are seen by their own address" "$(ctl logs six)" '^fd09::1 .*GET /name'
web both "10.9.0.4/24@near" ::
check "a wildcard of IPv6 in a context of IPv4 alone starts" ctl start both
is "and is at the IPv4 address" "$(fetch 10.9.0.4)" "this is both"

# --- nginx, twice with one configuration ---
if [ -x /usr/sbin/nginx ]; then
	mkdir "$WARD_DIR/nginx"
	chmod 755 "$WARD_DIR/nginx"
	cat >"$WARD_DIR/nginx/nginx.conf" <<-'END'
		daemon off; error_log stderr; pid /tmp/nginx.pid; user www-data;
		worker_processes 2;
		events { }
		http {
			access_log off;
			client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fcgi;
			uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
			server {
				listen 80; listen [::]:80; listen 443 reuseport;
				location / { return 200 "$server_addr $remote_addr $hostname\n"; }
			}
		}
	END
	for i in 7 8; do
		ini "nginx$i" <<-END
			[context]
			command = /usr/sbin/nginx -c /mnt/nginx.conf
			ready = tcp:80
			ready-timeout = 20s
			[files]
			bind = $WARD_DIR/nginx/nginx.conf:/mnt/nginx.conf
			[network]
			mode = shared
			address = 10.9.0.$i/24@near fd09::$i/64@near
			listen = tcp:80 tcp:443
		END
	done
	check "nginx starts twice with one file" ctl start nginx7 nginx8
	for i in 7 8; do
		is "nginx $i answers on its addresses and ports" \
			"$(for to in "10.9.0.$i" "10.9.0.$i:443" "[fd09::$i]"; do curl -gsS --max-time 5 "http://$to/" 2>&1; done)" \
			"10.9.0.$i $HOST nginx$i"$'\n'"10.9.0.$i $HOST nginx$i"$'\n'"fd09::$i fd09::$i nginx$i"
	done
	in_ctx nginx7 "curl -sS --max-time 5 http://127.0.0.1/ http://10.9.0.8/"
	is "inside it is reached by loopback, and reaches the other" "$OUT" \
		"10.9.0.7 127.0.0.1 nginx7"$'\n'"10.9.0.8 10.9.0.7 nginx8"
	check "both stop" ctl stop nginx7 nginx8
else
	skip "nginx twice on one port" "nginx is not installed"
fi

# --- what programs are told ---
names() { # the names of a socket's two ends, of connections by several ways
	cat >"$WARD_DIR/www-one/names.py" <<-'END'
		import socket
		def both(family, address, to):
		    with socket.create_server((address, 0), family=family) as s, socket.socket(family) as c:
		        c.connect((to, s.getsockname()[1]))
		        a, peer = s.accept()
		        print(s.getsockname()[0], c.getsockname()[0], c.getpeername()[0], peer[0], a.getpeername()[0])
		both(socket.AF_INET, "127.0.0.1", "127.0.0.1")
		both(socket.AF_INET6, "::1", "::1")
		both(socket.AF_INET, "0.0.0.0", "10.9.0.1")
		both(socket.AF_INET, "0.0.0.0", "127.0.0.1")
		both(socket.AF_INET6, "::", "::1")
		with socket.socket(type=socket.SOCK_DGRAM) as s, socket.socket(type=socket.SOCK_DGRAM) as c:
		    s.bind(("127.0.0.1", 0))
		    c.sendto(b"x", s.getsockname())
		    data, peer = s.recvfrom(10)
		    s.sendto(b"y", peer)
		    print(peer[0], *c.recvfrom(10)[1][:1])
	END
	in_ctx one "python3 /srv/web/names.py"
}
names
is "getsockname, getpeername, accept and recvfrom tell what is expected" "$OUT" \
	"127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1
::1 ::1 ::1 ::1 ::1
10.9.0.1 10.9.0.1 10.9.0.1 10.9.0.1 10.9.0.1
10.9.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1
fd09::1 ::1 ::1 ::1 ::1
127.0.0.1 127.0.0.1"

# --- datagrams both ways ---
cat >"$WARD_DIR/www-one/echo.py" <<-'END'
	import socket, sys
	family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
	s = socket.socket(family, socket.SOCK_DGRAM)
	s.bind((sys.argv[1], 7000))
	while True:
	    data, peer = s.recvfrom(2048)
	    s.sendto(data + b" from " + peer[0].encode(), peer)
END
cp "$WARD_DIR/www-one/echo.py" "$WARD_DIR/echo.py"
cat >"$WARD_DIR/www-one/ask.py" <<-'END'
	import socket, sys
	for how in "connected", "unconnected":
	    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
	    s = socket.socket(family, socket.SOCK_DGRAM)
	    s.settimeout(5)
	    if how == "connected":
	        s.connect((sys.argv[1], 7000))
	        s.send(b"hello")
	        print(s.recv(100).decode())
	    else:
	        s.sendto(b"hello", (sys.argv[1], 7000))
	        data, peer = s.recvfrom(100)
	        print(data.decode(), "by", peer[0])
END
cp "$WARD_DIR/www-one/ask.py" "$WARD_DIR/ask.py"
udp_is_there() { ss -Hlun "sport = 7000" | grep -qF -- "$1:7000"; }
background ctl exec one -- python3 /srv/web/echo.py 0.0.0.0
background ctl exec one -- python3 /srv/web/echo.py ::
retry_until 30 udp_is_there 10.9.0.1
retry_until 30 udp_is_there "[fd09::1]"
is "UDP from the host to a context's wildcard" "$(python3 "$WARD_DIR/ask.py" 10.9.0.1)" \
	"hello from $HOST"$'\n'"hello from $HOST by 10.9.0.1"
is "the same by IPv6" "$(python3 "$WARD_DIR/ask.py" fd09::1)" \
	"hello from fd09::1"$'\n'"hello from fd09::1 by fd09::1" # the kernel's choice for what is local
in_ctx one "python3 /srv/web/ask.py 127.0.0.1"
is "UDP by loopback to the wildcard" "$(head -n 1 <<<"$OUT")" "hello from 127.0.0.1"
background python3 "$WARD_DIR/echo.py" $HOST
retry_until 30 udp_is_there $HOST
in_ctx one "python3 /srv/web/ask.py $HOST"
is "UDP from a context, connected or not, has its source" "$OUT" \
	"hello from 10.9.0.1"$'\n'"hello from 10.9.0.1 by $HOST"
background python3 "$WARD_DIR/echo.py" $HOST6
retry_until 30 udp_is_there "[$HOST6]"
in_ctx one "python3 /srv/web/ask.py $HOST6"
is "the same by IPv6" "$OUT" "hello from fd09::1"$'\n'"hello from fd09::1 by $HOST6"

# --- attacks ---
in_ctx two 'echo "import socket,sys,time
for f, a in (2, \"127.0.0.1\"), (10, \"::1\"):
    globals()[\"s%d\" % f] = socket.create_server((a, 7001), family=f)
    globals()[\"u%d\" % f] = u = socket.socket(f, 2); u.bind((a, 7001))
time.sleep(1000)" >/tmp/quiet.py'
background ctl exec two -- python3 /tmp/quiet.py
loopback_of() { ss -Hltn "sport = 7001" | awk '{ print $4 }' | sed -n "s/^\[*\($1[^]]*\)\]*:7001$/\1/p"; }
retry_until 30 sh -c 'test "$(ss -Hltun "sport = 7001" | wc -l)" -eq 4'
isnt "a service on a context's loopback is at an address of its own" "$(loopback_of 127)" ""
background python3 "$LIB/net_peer.py" serve $HOST 7010 7011 7012 ward-test-$$ >"$WARD_DIR/serving"
retry_until 30 grep -q ready "$WARD_DIR/serving"
background python3 "$LIB/net_peer.py" sniff far "$WARD_DIR/seen"
retry_until 30 grep -q ready "$WARD_DIR/seen"
attack() { # NAME OWN OTHER
	ctl exec "$1" -- /usr/bin/python3 /mnt/net_attack.py "OWN=$2" "OTHER=$3" HOST=$HOST HOST6=$HOST6 \
		OTHER6=fd09::2 "OTHER_LOOPBACK=$(loopback_of 127)" "OTHER_LOOPBACK6=$(loopback_of fd57)" \
		LOCAL_PORT=7011 WILD_PORT=7012 ECHO_PORT=7010 PEER=$PEER PEER6=$PEER6 \
		ABSTRACT=ward-test-$$ "INTERFACE=$(cat /sys/class/net/near/ifindex 2>/dev/null || ip -o link show near | cut -d: -f1)" \
		>"$WARD_DIR/said" 2>&1 </dev/null
	local status=$? line
	while IFS= read -r line; do
		case $line in
		"ok "*) ok "$1: ${line#ok }" ;;
		"not ok "*) not_ok "$1: ${line#not ok }" ;;
		*) note "${line#\# }" ;;
		esac
	done <"$WARD_DIR/said"
	is "$1: all attacks were tried" "$status" 0
}
attack one 10.9.0.1 10.9.0.2
ini bare <<-END
	[context]
	command = sleep 1000
	[process]
	ids = none
	[files]
	bind = $LIB/net_attack.py:/mnt/net_attack.py
	[network]
	mode = shared
	address = 10.9.0.5/24@near fd09::5/64@near
	listen = tcp:80
END
check "a context whose root is the host's starts" ctl start bare
attack bare 10.9.0.5 10.9.0.2
sleep 0.2
like "the attacks' datagrams did leave" "$(cat "$WARD_DIR/seen")" "^10\.9\.0\.1 $PEER 9$"
is "and none with a source that was not the attacker's" \
	"$(grep " 9$" "$WARD_DIR/seen" | grep -vE '^(10\.9\.0\.[15]|fd09::[15]) ')" ""
in_ctx one "python3 -c 'import socket; socket.socket(2, 1).bind((\"0.0.0.0\", 443))'"
like "a low port needs to be granted even to root" "$OUT" "Permission denied"

# --- peers, grants, names ---
run_in() { # KEY=VALUE ... -- SCRIPT
	local sets=(--set network.mode=shared --set "network.address=10.9.0.9/24@near")
	while [ "$1" != -- ]; do sets+=(--set "network.$1"); shift; done
	run_sh "${sets[@]}" -- "$2"
}
run_in connect=none -- "curl -sS --max-time 3 http://10.9.0.1/name"
isnt "connect = none: nowhere" "$RC" 0
run_in connect=10.9.0.1:80 -- "curl -sS --max-time 3 http://10.9.0.1/name; curl -sS --max-time 3 http://10.9.0.2/name"
like "connect = a peer: there" "$OUT" "this is one"
unlike "and nowhere else" "$OUT" "this is two"
run_in connect=10.9.0.0/31:81 -- "curl -sS --max-time 3 http://10.9.0.1/name"
isnt "the port counts" "$RC" 0
run_in connect=10.9.0.0/24 -- "python3 -c 'import socket; socket.socket(2, 2).sendto(b\"x\", (\"10.8.0.1\", 9))'"
like "datagrams as well" "$OUT" "Operation not permitted"
run_in allow=multicast -- "python3 -c '
import socket
s = socket.socket(2, 2)
s.setsockopt(0, 35, socket.inet_aton(\"224.0.0.251\") + socket.inet_aton(\"10.9.0.9\"))
print(\"joined\")'"
is "allow = multicast lets groups be joined" "$OUT" joined
echo "0 4294967294" >/proc/sys/net/ipv4/ping_group_range # of this namespace
run_in allow=ping -- "python3 -c '
import socket
s = socket.socket(2, 2, 1)
def send(how):
    try: print(how, s.sendto(bytes([8]) + bytes(15), (\"$PEER\", 0)))
    except OSError as e: print(how, e.strerror)
send(\"unbound\")
for address in \"$HOST\", \"10.9.0.1\", \"10.9.0.9\":
    s = socket.socket(2, 2, 1)
    s.bind((address, 0))
    send(address)'"
is "allow = ping: echoes leave from the own address, and from no other" "$OUT" \
	"unbound Operation not permitted
$HOST Operation not permitted
10.9.0.1 Operation not permitted
10.9.0.9 16"
check "the first is seen" retry_until 5 grep -qx "10.9.0.9 $PEER 0" "$WARD_DIR/seen"
is "the other never left" "$(grep "^$HOST $PEER 0$" "$WARD_DIR/seen")" ""
run_in dns=192.0.2.53 -- "cat /etc/resolv.conf"
is "dns is what resolv.conf says" "$OUT" "nameserver 192.0.2.53"

# --- addresses ---
run_ctl run --set network.mode=shared --set network.address=10.9.0.1 -- true
is "an address that another context has is refused" "$RC" 125
like "with its name" "$ERR" "10\.9\.0\.1 is held by one"
run_ctl run --set network.mode=shared --set network.address=10.77.0.1 -- true
like "an address that the host lacks is refused with what is allowed" "$ERR" \
	"10\.77\.0\.1 is not an address of this host; allowed: .*@INTERFACE"
run_ctl run --set network.mode=shared --set network.address=10.77.0.1/24@nosuch -- true
like "an interface that is not there as well" "$ERR" "adding 10.77.0.1/24 to nosuch: No such device"
run_ctl run --set network.mode=shared --set network.address=$HOST -- true
is "one that the host has can be used" "$RC" 0
like "and stays when the context ends" "$(ip address show near)" "$HOST/24"
unlike "one that was added for a run is gone" "$(ip address show near)" "10\.9\.0\.9/"
run_ctl run --set network.mode=shared -- true
like "without any address it is refused" "$ERR" "network.address.* is missing"
run_ctl run --set network.mode=shared --set network.address=10.9.0.9/24@near --set process.seccomp=none -- true
like "without a filter of system calls it is refused" "$ERR" "seccomp"
run_ctl run --set network.mode=shared --set network.address=10.9.0.9/24@near --set process.ids=none \
	--set "process.capability=+net-raw" -- true
like "with real power over the network it is refused" "$ERR" "net-raw"
# The kernel takes the later addresses of a network along with its first.
run_ctl run --set network.mode=shared --set network.address=10.66.0.1/24@near --detach --name first -- sleep 1000
run_ctl run --set network.mode=shared --set network.address=10.66.0.2/24@near --detach --name second -- sleep 1000
check "the context with the first address of a network stops" ctl stop first --timeout 1s
like "the other keeps its address" "$(ip address show near)" "10\.66\.0\.2/24"
unlike "the first's is gone" "$(ip address show near)" "10\.66\.0\.1/24"
check "the other stops" ctl stop second --timeout 1s

# --- a daemon that dies ---
kill_daemon
is "without a daemon the contexts go on" "$(fetch 10.9.0.1) $(fetch 10.9.0.2)" "this is one this is two"
like "their loopbacks stay their own" "$(fetch 127.0.0.1)" "(onnect|refused)"
like "the addresses that were added are there" "$(ip address show near)" "fd09::3/64"
launch_daemon
is "a new daemon takes them over" "$(state_of one) $(state_of two)" "running running"
run_ctl run --set network.mode=shared --set network.address=10.9.0.2 -- true
like "and knows who has which address" "$ERR" "10\.9\.0\.2 is held by two"
in_ctx one "curl -sS --max-time 5 http://127.0.0.1/name; python3 -c 'import socket; socket.socket().bind((\"10.9.0.2\", 8000))'"
like "they are confined as before" "$OUT" "this is one"
like "and so is what is started in them now" "$OUT" "Cannot assign requested address"
pid=$(pid_of both)
kill_daemon
kill -KILL "$pid"
retry_until 5 gone "$pid"
like "what ended while there was no daemon has left its address" "$(ip address show near)" "10\.9\.0\.4/24"
launch_daemon
unlike "the next daemon takes it away" "$(ip address show near)" "10\.9\.0\.4/24"
is "the others answer" "$(fetch 10.9.0.1) $(fetch 10.9.0.2)" "this is one this is two"

# --- the end ---
for pid in $EXTRA_PIDS; do end_background "$pid"; done
check "a context stops" ctl stop one --timeout 2s
unlike "its addresses are gone" "$(ip address show near)" "10\.9\.0\.1/|fd09::1/"
check "the others stop" ctl stop --all --timeout 2s
network_state >"$WARD_DIR/net-after"
is "addresses, routes, rules and queues are as before" \
	"$(diff "$WARD_DIR/net-before" "$WARD_DIR/net-after")" ""
finish
