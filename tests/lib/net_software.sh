# shellcheck shell=bash
# Unmodified servers, two of each side by side on one port: each answers at its own addresses and on
# a loopback of its own. Sourced with MODE, the only line in which the contexts' files differ: shared
# or private. All of it in a network namespace of the test's own.
. "$ROOT_OF_TESTS/lib/net.sh"
start_mode "$MODE" "servers with mode = $MODE"
# Where a server on the wildcard says it was reached by 127.0.0.1: a shared stack's wildcard is the
# context's first address.
at_loopback() { [ "$MODE" = shared ] && echo "10.9.0.@" || echo 127.0.0.1; }
# As whom a context sees the host by IPv6: where they share a stack, as itself, for to reach an
# address of its own the kernel uses the same.
seen6() { [ "$MODE" = shared ] && echo "fd09::$1" || echo "$HOST6"; }
CTL_TIMEOUT=180 # initdb takes its time on a busy machine
SHARE=$WARD_DIR/share
mkdir "$SHARE"
chmod 755 "$WARD_DIR" "$SHARE"

# pair SOFTWARE PORT COMMAND [KEY=VALUE ...]: contexts SOFTWARE1 and SOFTWARE2 of one description,
# and starts both. Their directory of the host is at /mnt.
pair() {
	local software=$1 port=$2 command=$3 i
	shift 3
	for i in 1 2; do
		ini "$software$i" <<-END
			[context]
			command = $command
			ready = tcp:$port
			ready-timeout = 150s
			$(printf '%s\n' "$@")
			[files]
			bind = $SHARE:/mnt
			upper = tmpfs:256M
			[network]
			mode = $MODE
			address = 10.9.0.$i/24@near fd09::$i/64@near
			listen = tcp:$port udp:$port
			allow = contexts
		END
	done
	check "$software: two start on port $port" ctl start "${software}1" "${software}2"
}
both_stop() {
	check "$1: both stop" ctl stop "${1}1" "${1}2" --timeout 10s
	unlike "$1: without being killed" "$(ctl show "${1}1" --json | jq -c .exit)" '"signal": ?9'
}
# each WHAT WANT COMMAND...: for both contexts and both families; 1 and 2 stand for @ in WANT, the
# address for ADDRESS and its URL form for URL in the command
each() {
	local what=$1 want=$2 i address words
	shift 2
	for i in 1 2; do
		for address in "10.9.0.$i" "fd09::$i"; do
			words=("${@//ADDRESS/$address}")
			case $address in *:*) words=("${words[@]//URL/[$address]}") ;; *) words=("${words[@]//URL/$address}") ;; esac
			is "$what at $address" "$("${words[@]}" 2>&1 </dev/null)" "${want//@/$i}"
		done
	done
}
# inside SOFTWARE WHAT WANT SCRIPT: in both; @ as above
inside() {
	local i
	for i in 1 2; do
		in_ctx "$1$i" "${4//@/$i}"
		is "$1: $2, in context $i" "$OUT" "${3//@/$i}"
	done
}
# lacks WHAT COMMAND...: says so where one of them is not installed
lacks() {
	local what=$1 command
	shift
	for command; do
		command -v "$command" >/dev/null && continue
		skip "$what" "$command is not installed"
		return 0
	done
	return 1
}
CURL="curl -gsS --max-time 10"

# --- nginx ---
if ! lacks nginx nginx; then
	cat >"$SHARE/nginx.conf" <<-'END'
		daemon off; error_log stderr; pid /tmp/nginx.pid; user www-data; worker_processes 2;
		events { }
		http {
			access_log off;
			server { listen 80; listen [::]:80; return 200 "$hostname $remote_addr $server_addr\n"; }
			server { listen 127.0.0.1:8080; listen [::1]:8080; return 200 "private $hostname\n"; }
			server { listen 8081; location / { proxy_pass http://127.0.0.1:8080; } }
		}
	END
	pair nginx 80 "/usr/sbin/nginx -c /mnt/nginx.conf"
	for i in 1 2; do
		is "nginx by IPv4 at 10.9.0.$i" "$($CURL "http://10.9.0.$i/")" "nginx$i $HOST 10.9.0.$i"
		is "nginx by IPv6 at fd09::$i" "$($CURL "http://[fd09::$i]/")" "nginx$i $(seen6 $i) fd09::$i"
		is "nginx as a proxy for what is on loopback at 10.9.0.$i" "$($CURL "http://10.9.0.$i:8081/")" "private nginx$i"
	done
	inside nginx "its loopback is its own" "nginx@ 127.0.0.1 $(at_loopback)"$'\n'"private nginx@"$'\n'"private nginx@" \
		"$CURL http://127.0.0.1/ http://127.0.0.1:8080/ http://[::1]:8080/"
	in_ctx nginx1 "$CURL http://10.9.0.2/ http://[fd09::2]/"
	is "curl in a context reaches the other by both families" "$OUT" \
		"nginx2 10.9.0.1 10.9.0.2"$'\n'"nginx2 fd09::1 fd09::2"
	in_ctx nginx1 "$CURL http://10.9.0.2:8080/"
	like "but not what is on the other's loopback" "$OUT" "(refused|onnect)"
	both_stop nginx
fi

# --- http.server ---
printf '%s\n' '#!/bin/sh' 'mkdir /tmp/www; cd /tmp/www; hostname >name' \
	'exec python3 -m http.server --bind :: 8000' >"$SHARE/http.sh"
chmod 755 "$SHARE"/*.sh
pair http 8000 /mnt/http.sh
each "http.server" "http@" $CURL "http://URL:8000/name"
inside http "its loopback is its own" "http@"$'\n'"http@" "$CURL http://127.0.0.1:8000/name http://[::1]:8000/name"
like "a client is logged by its address, as one of IPv4 on a socket of IPv6" "$(ctl logs http1)" "^::ffff:$HOST .*GET /name"
check "http: both stop" ctl stop http1 http2 --timeout 10s

# --- PostgreSQL ---
if [ -x "$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | tail -n 1)" ] && ! lacks PostgreSQL psql; then
	cat >"$SHARE/postgres.sh" <<-'END'
		#!/bin/sh
		set -e
		bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
		export PGDATA=/tmp/pg LC_ALL=C.UTF-8
		"$bin/initdb" -A trust -N >/dev/null
		echo "host all all samenet trust" >>/tmp/pg/pg_hba.conf
		echo "create table name as select '$(hostname)'::text as name" | "$bin/postgres" --single postgres >/dev/null
		exec "$bin/postgres" -k /tmp -c listen_addresses='*' -c shared_buffers=32MB -c max_connections=20
	END
	chmod 755 "$SHARE/postgres.sh"
	pair postgres 5432 /mnt/postgres.sh "user = postgres"
	SQL="select name, host(inet_server_addr()), host(inet_client_addr()) from name"
	for i in 1 2; do
		is "PostgreSQL by IPv4 at 10.9.0.$i" "$(psql -U postgres -h "10.9.0.$i" -Atc "$SQL" 2>&1)" \
			"postgres$i|10.9.0.$i|$HOST"
		is "PostgreSQL by IPv6 at fd09::$i" "$(psql -U postgres -h "fd09::$i" -Atc "$SQL" 2>&1)" \
			"postgres$i|fd09::$i|$(seen6 $i)"
	done
	inside postgres "psql by 127.0.0.1 and ::1" "postgres@|127.0.0.1"$'\n'"postgres@|::1" \
		'for to in 127.0.0.1 ::1; do psql -h $to -Atc "select name, host(inet_client_addr()) from name" postgres; done'
	in_ctx postgres1 "psql -h 10.9.0.2 -Atc 'select name from name' postgres"
	is "one reaches the other's" "$OUT" postgres2
	if command -v pgbench >/dev/null; then
		pgbench -U postgres -h 10.9.0.1 -q -i -s 1 postgres >/dev/null 2>&1
		like "pgbench by the network" \
			"$(pgbench -U postgres -h 10.9.0.1 -c 4 -t 50 postgres 2>&1)" "actually processed: 200/200"
	fi
	both_stop postgres
else
	skip PostgreSQL "postgresql is not installed"
fi

# --- sshd ---
if ! lacks sshd sshd ssh ssh-keygen; then
	mkdir "$SHARE/ssh"
	for i in 1 2; do ssh-keygen -q -t ed25519 -N '' -f "$SHARE/ssh/host$i"; done
	ssh-keygen -q -t ed25519 -N '' -f "$WARD_DIR/key"
	cp "$WARD_DIR/key.pub" "$SHARE/ssh/authorized"
	chmod 644 "$SHARE"/ssh/*
	for i in 1 2; do
		for to in "10.9.0.$i" "fd09::$i"; do
			echo "[$to]:2222 $(cut -d' ' -f 1,2 "$SHARE/ssh/host$i.pub")"
		done
	done >"$WARD_DIR/known"
	cat >"$SHARE/sshd.sh" <<-'END'
		#!/bin/sh
		name=$(hostname)
		mkdir -p /run/sshd /tmp/ssh
		cp /mnt/ssh/authorized /tmp/ssh/
		cp "/mnt/ssh/host${name#sshd}" /tmp/ssh/host
		chmod 600 /tmp/ssh/*
		exec /usr/sbin/sshd -D -e -p 2222 -h /tmp/ssh/host -o AuthorizedKeysFile=/tmp/ssh/authorized \
			-o StrictModes=no -o UsePAM=no -o PermitRootLogin=yes -o PidFile=none -f /dev/null
	END
	chmod 755 "$SHARE/sshd.sh"
	pair sshd 2222 /mnt/sshd.sh
	SSH="ssh -F none -p 2222 -i $WARD_DIR/key -o UserKnownHostsFile=$WARD_DIR/known -o GlobalKnownHostsFile=/dev/null
		-o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=10 -l root"
	for i in 1 2; do
		is "ssh by IPv4 to 10.9.0.$i" "$($SSH "10.9.0.$i" 'hostname; echo $SSH_CLIENT' 2>&1 | cut -d' ' -f 1 | xargs)" \
			"sshd$i $HOST"
		is "ssh by IPv6 to fd09::$i" "$($SSH "fd09::$i" 'hostname; echo ${SSH_CONNECTION#* * }' 2>&1 | xargs)" \
			"sshd$i fd09::$i 2222"
		like "with a terminal" "$($SSH -tt "10.9.0.$i" tty 2>&1)" "^/dev/pts/[0-9]"
	done
	in_ctx sshd1 "exec ssh-keyscan -T 5 -t ed25519 -p 2222 127.0.0.1 ::1 2>/dev/null"
	is "inside it is at 127.0.0.1 and ::1" "$(cut -d' ' -f 3 <<<"$OUT" | sort -u)" \
		"$(cut -d' ' -f 2 "$SHARE/ssh/host1.pub")"
	# the way back: a port of the context's loopback that leads to a server of the client's
	background python3 -m http.server --bind $HOST --directory "$SHARE" 8000 >/dev/null 2>&1
	retry_until 10 $CURL -o /dev/null http://$HOST:8000/
	for i in 1 2; do
		is "ssh -R makes a port on the loopback of context $i alone" \
			"$($SSH -R 7000:$HOST:8000 "10.9.0.$i" "$CURL http://127.0.0.1:7000/ http://localhost:7000/" 2>&1 | grep -c sshd.sh)" 2
	done
	end_background "$BG"
	both_stop sshd
fi

# --- redis ---
if ! lacks redis redis-server redis-cli; then
	pair redis 6379 "/usr/bin/redis-server --bind * -::* --protected-mode no --save '' --dir /tmp"
	for i in 1 2; do redis-cli -h "10.9.0.$i" set name "redis$i" >/dev/null; done
	each "redis" "redis@" redis-cli -h ADDRESS get name
	inside redis "redis-cli by 127.0.0.1 and ::1" "redis@"$'\n'"redis@" \
		'redis-cli -h 127.0.0.1 get name; redis-cli -h ::1 get name'
	redis-cli -h 10.9.0.2 replicaof 10.9.0.1 6379 >/dev/null
	redis_follows() { [ "$(redis-cli -h 10.9.0.2 get name)" = redis1 ]; }
	check "one replicates the other" retry_until 20 redis_follows
	like "which knows it by its address" "$(redis-cli -h fd09::1 info replication)" "slave0:ip=10\.9\.0\.2"
	both_stop redis
fi

# --- dnsmasq ---
cat >"$SHARE/resolve.py" <<'END'
import socket, struct, sys
# resolve.py udp|bare|tcp SERVER NAME: the A record; "bare" is UDP of a socket that is not connected
how, server, name = sys.argv[1:]
family = socket.AF_INET6 if ":" in server else socket.AF_INET
question = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0)
for part in name.split("."):
    question += bytes([len(part)]) + part.encode()
question += struct.pack("!BHH", 0, 1, 1)
s = socket.socket(family, socket.SOCK_STREAM if how == "tcp" else socket.SOCK_DGRAM)
s.settimeout(5)
if how == "bare":
    s.sendto(question, (server, 53))
    answer, peer = s.recvfrom(512)
    if peer[0] != server:
        sys.exit(f"answered by {peer[0]}")
else:
    s.connect((server, 53))
    s.sendall(struct.pack("!H", len(question)) + question if how == "tcp" else question)
    answer = s.recv(512)[2 if how == "tcp" else 0:]
assert answer[:2] == question[:2]
print(socket.inet_ntoa(answer[-4:]))
END
if ! lacks dnsmasq dnsmasq; then
	printf '%s\n' '#!/bin/sh' 'name=$(hostname); n=${name#dnsmasq}' \
		'exec dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file= --log-facility=- "$@" \' \
		'	--address="/name.test/192.0.2.$n"' >"$SHARE/dnsmasq.sh"
	chmod 755 "$SHARE/dnsmasq.sh"
	for way in wildcard dynamic; do # the latter has a socket for each address that it may have
		options=
		[ $way = wildcard ] || options=" --bind-dynamic"
		pair dnsmasq 53 "/mnt/dnsmasq.sh$options"
		for how in udp bare tcp; do
			each "dnsmasq ($way) by $how" "192.0.2.@" python3 "$SHARE/resolve.py" $how ADDRESS name.test
			inside dnsmasq "($way) on its loopback by $how" "192.0.2.@"$'\n'"192.0.2.@" \
				"python3 /mnt/resolve.py $how 127.0.0.1 name.test; python3 /mnt/resolve.py $how ::1 name.test"
		done
		both_stop dnsmasq
	done
fi
unlike "no address is left" "$(ip address show near; ip neighbour show proxy)" "10\.9\.0\.[12]/|fd09::[12]/|proxy"
finish
