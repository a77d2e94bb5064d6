#!/bin/bash
# timeout: 200
# A context with several addresses that listens on the wildcard is reached at all of them, and so is
# its neighbour on the same port; one socket of IPv6 serves both families, as it does on Linux. In a
# network namespace of the test's own.
. "$(dirname "$0")/../lib/net.sh"
start_shared "wildcards on the shared stack"
# what is attached to this network namespace
links() {
	bpftool --json link 2>/dev/null | jq "[.[] | select(.type == \"netns\" and .attach_type == \"sk_lookup\" and
		.netns_ino == $(stat -Lc %i /proc/self/ns/net))] | length"
}
links_are() { [ "$(links)" = "$1" ]; }

# serve.py ADDRESS PORT [only6|reuse]...: says its name, who asks, and where it was asked
cat >"$WARD_DIR/serve.py" <<'END'
import os, socket, sys, time
def serve(address, port, *how):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in address:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, "only6" in how)
    if "reuse" in how:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address, int(port)))
    s.listen()
    return s
s = serve(*sys.argv[1:])
if "twice" in sys.argv:
    first, s = s, serve(*sys.argv[1:])
    first.close()
while True:
    c, peer = s.accept()
    name = c.getsockname()[0].replace("::ffff:", "")
    c.sendall(f"{socket.gethostname()} {name} {peer[0].replace('::ffff:', '')}".encode())
    c.close()
END
cat >"$WARD_DIR/ask.py" <<'END'
import socket, sys
for address in sys.argv[2:]:
    try:
        with socket.create_connection((address, int(sys.argv[1])), 3) as c:
            print(c.recv(100).decode())
    except OSError as e:
        print(address, e.strerror)
END
chmod 755 "$WARD_DIR" "$WARD_DIR"/*.py
server() { # NAME ADDRESSES WHERE...
	ini "$1" <<-END
		[context]
		command = /usr/bin/python3 /mnt/serve.py ${*:3}
		ready = tcp:80
		ready-timeout = 20s
		[files]
		bind = $WARD_DIR/serve.py:/mnt/serve.py
		bind = $WARD_DIR/ask.py:/mnt/ask.py
		[network]
		mode = shared
		address = $2
		listen = tcp:80
	END
}
ask() { python3 "$WARD_DIR/ask.py" 80 "$@"; }
server one "10.9.0.1/24@near" 0.0.0.0 80
check "a context with one address starts" ctl start one
! command -v bpftool >/dev/null || is "and nothing is attached to the network namespace" "$(links)" 0
server four "10.9.0.11/24@near 10.9.0.12/24@near" 0.0.0.0 80
server more "10.9.0.21/24@near 10.9.0.22/24@near 10.9.0.23/24@near" 0.0.0.0 80
server dual "10.9.0.31/24@near fd09::31/64@near fd09::32/64@near" :: 80
server six "10.9.0.41/24@near fd09::41/64@near" :: 80 only6
server share "10.9.0.51/24@near 10.9.0.52/24@near" 0.0.0.0 80 reuse twice
server named "10.9.0.61/24@near 10.9.0.62/24@near" 10.9.0.61 80
check "contexts with several addresses start on one port" ctl start four more dual six share named
all() {
	is "two of IPv4, both $1" "$(ask 10.9.0.11 10.9.0.12)" \
		"four 10.9.0.11 $HOST"$'\n'"four 10.9.0.12 $HOST"
	is "the neighbour's as well $1" "$(ask 10.9.0.21 10.9.0.22 10.9.0.23)" \
		"more 10.9.0.21 $HOST"$'\n'"more 10.9.0.22 $HOST"$'\n'"more 10.9.0.23 $HOST"
	is "a socket of IPv6 is at all addresses of both families $1" "$(ask 10.9.0.31 fd09::31 fd09::32)" \
		"dual 10.9.0.31 $HOST"$'\n'"dual fd09::31 fd09::31"$'\n'"dual fd09::32 fd09::32"
	is "one that wants IPv6 alone is not at the address of IPv4 $1" "$(ask 10.9.0.41 fd09::41)" \
		"10.9.0.41 Connection refused"$'\n'"six fd09::41 fd09::41"
	is "a listener that shares its port takes over from another $1" "$(ask 10.9.0.51 10.9.0.52)" \
		"share 10.9.0.51 $HOST"$'\n'"share 10.9.0.52 $HOST"
	is "who names one address is at that one $1" "$(ask 10.9.0.61 10.9.0.62)" \
		"named 10.9.0.61 $HOST"$'\n'"10.9.0.62 Connection refused"
	is "the host's address is nobody's, one address is as before $1" "$(ask $HOST 10.9.0.1)" \
		"$HOST Connection refused"$'\n'"one 10.9.0.1 $HOST"
}
all ""
in_ctx four "python3 /mnt/ask.py 80 127.0.0.1 10.9.0.12 10.9.0.22"
is "inside: loopback, oneself, the neighbour" "$OUT" \
	"four 10.9.0.11 127.0.0.1"$'\n'"four 10.9.0.12 10.9.0.11"$'\n'"more 10.9.0.22 10.9.0.11"
in_ctx dual "python3 /mnt/ask.py 80 127.0.0.1 ::1"
is "inside: both loopbacks lead to a socket of IPv6" "$OUT" \
	"dual 10.9.0.31 127.0.0.1"$'\n'"dual fd09::31 ::1"

# --- a context's own names: what is bound to one address after the wildcard was asked for is at one
in_ctx four 'cat >/tmp/again.py <<-"END"
	import socket, time
	s = socket.socket()
	b = socket.socket(); b.bind(("10.9.0.11", 8001)); b.listen()
	try: s.bind(("0.0.0.0", 8001))
	except OSError as e: print(e.strerror, flush=True)
	s.bind(("10.9.0.11", 8002)); s.listen()
	w = socket.socket(); w.bind(("0.0.0.0", 8003)); w.listen(); w.close()
	open("/tmp/done", "w")
	time.sleep(1000)
	END'
background ctl exec four -- python3 /tmp/again.py >"$WARD_DIR/again"
retry_until 20 ctl exec four -- test -e /tmp/done
is "a bind that was in vain is forgotten, a closed listener as well" \
	"$(for p in 8001 8002 8003; do python3 "$WARD_DIR/ask.py" $p 10.9.0.12; done; cat "$WARD_DIR/again")" \
	"10.9.0.12 Connection refused
10.9.0.12 Connection refused
10.9.0.12 Connection refused
Address already in use"
end_background "$BG"

# --- the daemon dies ---
! command -v bpftool >/dev/null || is "one program is attached to the network namespace" "$(links)" 1
kill_daemon
all "without a daemon"
launch_daemon
is "another daemon finds all" "$(ctl list --json | jq '[.[] | select(.state == "running")] | length')" 7
all "with another daemon"
! command -v bpftool >/dev/null || is "still there is one program" "$(links)" 1
check "one of them starts again" ctl restart four --timeout 1s
all "after that"
kill_daemon
all "without that daemon"
launch_daemon
check "those with several addresses stop" ctl stop four more dual six share named --timeout 1s
is "their addresses are nobody's" "$(ip -br address show near | grep -oE '(10\.9\.0|fd09:)[.:0-9]*' | xargs)" "$HOST 10.9.0.1 $HOST6"
! command -v bpftool >/dev/null || check "nothing is attached any more" retry_until 5 links_are 0
check "one of them starts once more" ctl start more
is "and is where it was" "$(ask 10.9.0.22 10.9.0.1)" "more 10.9.0.22 $HOST"$'\n'"one 10.9.0.1 $HOST"
finish
