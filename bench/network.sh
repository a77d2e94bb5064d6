#!/bin/bash
# The shared stack against the bare host, both ends of the traffic on one side: both in a context,
# or both outside; and against veth and a bridge, as containers have it. In a network namespace.
# A context on the host's network stands beside them, for what a context costs anyway: its seccomp
# filter at each system call, the accounting of its cgroups. The programs of the shared stack are
# attached to the cgroup above both, so that one runs them too, and finds no rules.
if [ -z "${NETWORK_INSIDE-}" ]; then NETWORK_INSIDE=1 exec unshare -n "$0" "$@"; fi
. "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-15} MS=${MS:-300}
NET=$BUILD/bench/net
[ "$NET" -nt "$ROOT/bench/src/net.c" ] ||
	"${CC:-cc}" -std=gnu2x -D_GNU_SOURCE -O2 -static -o "$NET" "$ROOT/bench/src/net.c" || exit 1

ip link set lo up
ip link add near type veth peer name far
ip link set near up
ip link set far up
ip address add 10.9.0.100/24 dev near
# a namespace behind a bridge
ip link add bridge0 type bridge
ip address add 10.8.0.1/24 dev bridge0
ip link set bridge0 up
background unshare -n sleep 1000 >/dev/null 2>&1
inner=$BG
retry_until 5 sh -c "[ \"\$(readlink /proc/$inner/ns/net)\" != \"\$(readlink /proc/$$/ns/net)\" ]"
ip link add outer type veth peer name eth0 netns "$inner"
ip link set outer master bridge0 up
nsenter -n -t "$inner" sh -c 'ip link set lo up; ip address add 10.8.0.2/24 dev eth0; ip link set eth0 up'

bench_start
contexts() { # FROM TO: contexts that only have addresses
	for ((i = $1; i <= $2; i++)); do
		ini "c$i" <<-END
			[context]
			command = sleep 100000
			[files]
			bind = $NET:/mnt/net
			[network]
			mode = shared
			address = 10.9.$((1 + i / 200)).$((1 + i % 200))/16@near
		END
	done
	ctl start $(seq -f 'c%.0f' "$1" "$2") >/dev/null || echo "  not all contexts started"
}
chmod 755 "$BUILD" "$BUILD/bench" "$NET"
contexts 1 1
sed -e 's/mode = shared/mode = host/' -e '/address/d' "$WARD_DIR/config/c1.ini" >"$WARD_DIR/config/open.ini"
ctl start open >/dev/null
inside() { ctl exec c1 -- /mnt/net "$1" 10.9.1.2 "$MS" </dev/null; }
unconfined() { ctl exec open -- /mnt/net "$1" 10.9.0.100 "$MS" </dev/null; }
bare() { "$NET" "$1" 10.9.0.100 "$MS"; }
bridged() { "$NET" "$1" 10.8.0.2 "$MS" "/proc/$inner/ns/net"; }

# compare KIND AIM WHAT: the bare host's operations by ours, of rounds that take turns
compare() {
	local kind=$1 aim=$2 what=$3 way round
	for way in bare inside unconfined bridged; do : >"$WARD_DIR/$way"; done
	for ((round = 0; round < ROUNDS; round++)); do
		for way in bare inside unconfined bridged; do "$way" "$kind" >>"$WARD_DIR/$way"; done
	done
	local b i u v
	b=$(median <"$WARD_DIR/bare") i=$(median <"$WARD_DIR/inside")
	u=$(median <"$WARD_DIR/unconfined") v=$(median <"$WARD_DIR/bridged")
	figure "$what" "$(ratio "$b" "$i")" "$aim" \
		"$i /s; mode = host $(ratio "$b" "$u"), veth + bridge $(ratio "$b" "$v")"
}
# the kernel's own count of the time that a program takes: "ward_egress 61"
cost() { # KIND
	python3 "$ROOT/bench/filter_cost.py" "/sys/fs/cgroup/unified/ward/$INSTANCE" \
		"$WARDCTL" --socket "$SOCK" exec c1 -- /mnt/net "$1" 10.9.1.2 "${COST_MS:-100}"
}
echo "network: the shared stack, time of an operation by that on the bare host"
compare tcp-rr 1.03 "TCP request and response"
compare tcp-stream 1.01 "TCP throughput"
compare tcp-connect 1.053 "TCP connect and close"
compare udp-rr 1.053 "UDP, 64 bytes there and back, unconnected"
compare udp-send 1.053 "UDP, 64 bytes, connected"

# --- what a start costs more ---
for network in none host shared; do : >"$WARD_DIR/start-$network"; done
for ((round = 0; round < 20; round++)); do
	for network in host shared; do
		sets=(--set network.mode=$network)
		[ $network = host ] || sets+=(--set network.address=10.9.0.100)
		t=${EPOCHREALTIME/./}
		ctl run "${sets[@]}" -- true </dev/null
		echo $((${EPOCHREALTIME/./} - t)) >>"$WARD_DIR/start-$network"
		sleep 0.25 # the pool of seats is full again
	done
done
h=$(median <"$WARD_DIR/start-host") s=$(median <"$WARD_DIR/start-shared")
figure "a start on the shared stack, more than on the host's (us)" $((s - h)) 100 "$h, $s"

# --- what it is that takes the time ---
PATH=$PATH:/usr/sbin:/sbin
of_program() { awk -v n="$2" '$1 == n { print $2 }' "$WARD_DIR/cost-$1"; }
if command -v bpftool >/dev/null; then
	cost tcp-rr >"$WARD_DIR/cost-one"
	for program in ward_egress ward_ingress; do
		figure "$program, a run, the clock's own time included (ns)" "$(of_program one $program)" ""
	done
fi

# --- many ---
state() { # addresses, entries in maps, programs
	local cgroup=/sys/fs/cgroup/unified/ward/$INSTANCE program id
	ip address show near | grep -c 'inet 10.9.'
	command -v bpftool >/dev/null || return
	bpftool -j cgroup show "$cgroup" | jq -r '[.[].name] | sort | join(" ")'
	program=$(bpftool -j cgroup show "$cgroup" | jq '[.[] | select(.name == "ward_egress")][0].id')
	for id in $(bpftool -j prog show id "$program" | jq '.map_ids[]'); do
		bpftool -j map show id "$id" | jq -r .name
		case $(bpftool -j map show id "$id" | jq -r .name) in
		ward_contexts | ward_traffic) bpftool -j map dump id "$id" | jq length ;;
		esac
	done
}
if [ "${MANY:-200}" -gt 1 ]; then
	state >"$WARD_DIR/state-one"
	CTL_TIMEOUT=300
	contexts 2 "${MANY:-200}"
	figure "contexts that run" "$(ctl list | grep -c running)" ""
	few=$(for ((i = 0; i < 5; i++)); do inside tcp-rr; done | median)
	[ ! -e "$WARD_DIR/cost-one" ] || cost tcp-rr >"$WARD_DIR/cost-many"
	ctl stop $(seq -f 'c%.0f' 2 "${MANY:-200}") --timeout 1s >/dev/null
	one=$(for ((i = 0; i < 5; i++)); do inside tcp-rr; done | median)
	figure "TCP request and response, one context / ${MANY:-200}" "$(ratio "$one" "$few")" 1.03
	for program in ward_egress ward_ingress; do
		[ -e "$WARD_DIR/cost-many" ] || break
		figure "$program, ${MANY:-200} contexts / one" \
			"$(ratio "$(of_program many $program)" "$(of_program one $program)")" 1.1 \
			"$(of_program many $program) ns, $(of_program one $program) ns"
	done
	retry_until 10 sh -c '[ "$(ip address show near | grep -c "inet 10.9.")" -le 2 ]'
	state >"$WARD_DIR/state-after"
	figure "addresses, entries and programs left of those" \
		"$(diff "$WARD_DIR/state-one" "$WARD_DIR/state-after" | grep -c '^[<>]')" 0
fi
