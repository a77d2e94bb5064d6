#!/bin/bash
# timeout: 240
# Contexts get of a link what they reserve, share and are limited to, both ways, whatever happens to
# the daemon and to the link. In network namespaces of the test's own: 100 Mbit/s to `far`.
. "$(dirname "$0")/../lib/net.sh"
FAR_HOST=10.9.0.200
unshare -n sleep 1000 >/dev/null 2>&1 </dev/null &
FAR=$!
far() { nsenter -t "$FAR" -n "$@"; }
retry_until 5 sh -c "[ \$(readlink /proc/$FAR/ns/net) != \$(readlink /proc/$$/ns/net) ]"
# join NEAR FAR ADDRESS: the far end of a link goes away from here
join() {
	ip link set "$2" netns "$FAR"
	far ip link set lo up
	far ip address add "$3/24" dev "$2"
	far ip link set "$2" up
}
join near far "$FAR_HOST"
start_shared "shaping"
EXTRA_PIDS="$FAR"
FLOW=$WARD_DIR/flow/net_flow.py
mkdir "$WARD_DIR/flow"
cp "$ROOT/tests/lib/net_flow.py" "$FLOW"
chmod 755 "$WARD_DIR" "$WARD_DIR/flow" "$FLOW"
printf '[host]\nlink = near 100Mbit\n' >"$WARD_DIR/config/wardd.ini"
like "the host says what its link carries" "$(ctl reload)" 'host\.link: \(empty\) -> near 100Mbit'
# declare NAME ADDRESS LINE...: lines of [network]
declare_context() {
	local name=$1 address=$2
	shift 2
	ini "$name" <<-END
		[context]
		command = sleep 1000
		[files]
		bind = $WARD_DIR/flow:/mnt
		[network]
		mode = shared
		address = $address
		$(printf '%s\n' "$@")
	END
}
declare_context c1 10.9.0.1/24@near "reserve = out 50Mbit in 30Mbit"
declare_context c2 10.9.0.2/24@near "reserve = out 10Mbit" "share = 200"
declare_context c3 10.9.0.3/24@near "share = 400"
declare_context small 10.9.0.4/24@near "reserve = out 1Mbit in 1Mbit"

# --- what cannot be promised ---
for bad in "limit 0Mbit" "limit fast" "reserve 9Tbit" "share 0" "burst 1M"; do
	refuse "${bad/ / = } is refused" ctl set c3 "network.${bad/ /=}"
done
run_ctl set c1 network.limit=10Mbit
like "so is a reserve above the limit" "$ERR" "out 50Mbit is more than network.limit; allowed: at most 10Mbit"
check "contexts start" ctl start c1 c2 c3 small
declare_context much 10.9.0.5/24@near "reserve = out 35Mbit"
run_ctl start much
like "no more is promised than the link has" "$ERR" \
	"network.reserve: out 35Mbit asked, 34Mbit free of near, which has 100Mbit, 5Mbit of it for the host"
is "and nothing of it is left" "$(ip -o addr | grep -c 10.9.0.5)" 0
run_ctl set c2 network.reserve="out 45Mbit"
like "nor to one that runs" "$ERR" "out 45Mbit asked, 44Mbit free"
like "the plan tells" "$(ctl plan c1)" "^shape out: share 100, reserve 50Mbit"

# --- what is measured ---
# sends NAME PORT MBIT [BYTES]: a flow from a context, as long as a measurement may take
sends() { background ctl exec "$1" -- python3 /mnt/net_flow.py send udp - $FAR_HOST "$2" "${4:-1458}" "$3" 40; }
far_sends() { background far python3 "$FLOW" send udp - "$1" "$2" "${4:-1458}" "$3" 40; }
quiet() {
	touch "$WARD_DIR/flow/stop"
	wait $FLOWS 2>/dev/null
	rm "$WARD_DIR/flow/stop"
	FLOWS=''
}
# value PORT FIELD: of what was measured; 2 the mean, 3 the most in a second, 5 the delay (99 %)
value() { awk -v p="$1" -v f="$2" '$1 == p { print $f }' <<<"$OUT"; }
# near PERCENT VALUE IDEAL
is_near() { awk -v t="$1" -v v="$2" -v i="$3" 'BEGIN { d = v - i; if (d < 0) d = -d; exit !(v != "" && d <= i * t / 100) }'; }
# measure RULE TRIES TEST COMMAND...: until TEST says yes to what COMMAND found
measure() {
	local rule=$1 tries=$2 judge=$3
	shift 3
	while :; do
		OUT=$("$@" 2>&1)
		tries=$((tries - 1))
		if $judge; then ok "$rule: $(tr '\n' ';' <<<"$OUT")"; return; fi
		[ "$tries" -gt 0 ] || { not_ok "$rule" "$OUT"; return; }
		note "again: $(tr '\n' ';' <<<"$OUT")"
	done
}
at_far() { far python3 "$FLOW" receive $FAR_HOST "$@"; }
FLOWS=''
start_flows() { # COMMAND ARGS ... separated by commas
	local one
	for one; do
		$one
		FLOWS="$FLOWS $BG"
	done
}

# out: 50 + 10 reserved, 39.77 left for 1 : 2 : 4, when the small flow has its 0.23
start_flows "sends c1 5001 0" "sends c2 5002 0" "sends c3 5003 0" "sends small 5004 0.2 100"
reserves_kept() {
	is_near 2 "$(value 5001 2)" 55.68 && is_near 2 "$(value 5002 2)" 21.36 &&
		is_near 2 "$(value 5003 2)" 22.73
}
measure "with all busy each has its reserve and its share of the rest, within 2 %" 4 \
	reserves_kept at_far 10 5001 5002 5003 5004
quick() { awk -v v="$(value 5004 5)" 'BEGIN { exit !(v != "" && v < 5) }'; }
if quick; then
	ok "a small flow in its reserve is not delayed ($(value 5004 5) ms)"
else
	measure "a small flow in its reserve is not delayed" 3 quick at_far 5 5001 5002 5003 5004
fi
quiet
start_flows "sends c2 5002 0" "sends c3 5003 0"
unused_shared() { is_near 5 "$(value 5002 2)" 40 && is_near 5 "$(value 5003 2)" 60; }
measure "what is not used goes by shares, within 5 %" 4 unused_shared at_far 4 5002 5003
quiet
tcp() { background ctl exec "$1" -- python3 /mnt/net_flow.py send tcp - $FAR_HOST "$2" 1458 0 60; }
start_flows "tcp c2 5002" "tcp c3 5003"
# payload is 1448 of 1514
tcp_shared() { is_near 5 "$(value 5002 2)" 38.26 && is_near 5 "$(value 5003 2)" 57.38; }
measure "likewise with TCP" 4 tcp_shared at_far 4 5002 5003
quiet
start_flows "sends c2 5002 0" "sends c3 5003 0"

# --- live: a limit, and what is beside it ---
check "a limit is set while it runs" ctl set c2 network.reserve=0Kbit network.limit="out 20Mbit"
limited() { is_near 3 "$(value 5002 2)" 19.9 && awk -v m="$(value 5002 3)" 'BEGIN { exit !(m <= 20.2) }'; }
reached() { is_near 4 "$(value 5002 2)" 20; }
measure "it is reached beside others" 3 reached at_far 3 5002 5003
quiet
start_flows "sends c2 5002 0"
measure "no second has 1 % more than the limit" 3 limited at_far 4 5002
quiet
is "it is in the file" "$(ctl get c2 network.limit)" "out 20Mbit in max"
start_flows "tcp c2 5002"
tcp_limited() { awk -v v="$(value 5002 2)" -v m="$(value 5002 3)" 'BEGIN { exit !(v > 18 && m <= 20.2) }'; }
measure "nor with TCP" 3 tcp_limited at_far 3 5002

# --- the daemon dies, and another comes ---
classes() { tc class show dev near; tc class show dev "$(ifb)"; }
ifb() { ip -o link show type ifb | sed -n '1s/^[0-9]*: \([^:]*\):.*/\1/p'; }
before=$(classes)
kill_daemon
is "when the daemon is dead all classes are there" "$(classes)" "$before"
measure "and the limit holds" 3 tcp_limited at_far 2 5002
sent() { tc -s class show dev near | awk '/^class.* root/ { on = 1 } on && /Sent/ { print $2; exit }'; }
was=$(sent)
launch_daemon
is "another daemon takes them over" "$(classes)" "$before"
[ "$(sent)" -ge "$was" ]
verdict "without beginning anew" $?
measure "and the limit holds on" 3 tcp_limited at_far 2 5002
quiet
pid=$(pid_of small)
kill_daemon
[ -n "$pid" ] && kill -KILL "$pid"
launch_daemon
gone_class() { [ "$(tc class show dev near | wc -l)" -eq 5 ]; }
retry_until 10 gone_class
verdict "a context that died meanwhile has no class any more" $? "$(tc class show dev near)"

# --- in ---
in_of() { # SECONDS CONTEXT...: what contexts receive at once
	local i seconds=$1 pids=''
	shift
	rm -f "$WARD_DIR"/in[123]
	for i; do
		ctl exec "c$i" -- python3 /mnt/net_flow.py receive 0.0.0.0 "$seconds" "600$i" >"$WARD_DIR/in$i" 2>&1 </dev/null &
		pids="$pids $!"
	done
	wait $pids
	cat "$WARD_DIR"/in[123]
}
start_flows "far_sends 10.9.0.1 6001 70" "far_sends 10.9.0.2 6002 70" "far_sends 10.9.0.3 6003 60"
in_kept() {
	is_near 5 "$(value 6001 2)" 40 && is_near 5 "$(value 6002 2)" 20 && is_near 5 "$(value 6003 2)" 40
}
measure "what comes has reserves and shares of its own" 6 in_kept in_of 4 1 2 3
check "and limits" ctl set c3 network.limit="in 10Mbit"
in_limited() { is_near 2 "$(value 6003 2)" 9.95 && awk -v m="$(value 6003 3)" 'BEGIN { exit !(m <= 10.1) }'; }
in_reached() { is_near 3 "$(value 6003 2)" 10; }
measure "which are reached beside others" 3 in_reached in_of 3 1 2 3
quiet
start_flows "far_sends 10.9.0.3 6003 60"
measure "and hold to 1 % in each second" 3 in_limited in_of 3 3
quiet

# --- the link goes away and comes back ---
ip link delete near
no_ifb() { [ -z "$(ifb)" ]; }
retry_until 5 no_ifb
verdict "with a link its ifb goes" $? "$(ip -br link)"
ip link add near type veth peer name far
ip link set near up
join near far "$FAR_HOST"
for i in 1 2 3 100; do ip address add 10.9.0.$i/24 dev near; done
has_classes() { [ "$(tc class show dev near | grep -c 'ceil 20Mbit')" -eq 1 ] && [ -n "$(ifb)" ]; }
retry_until 5 has_classes
verdict "a link that is back is shaped again" $? "$(tc class show dev near)"

# --- with an interface of its own ---
if ctl doctor | grep -Eq '^network +private +yes'; then
	ini own <<-END
		[context]
		command = sleep 1000
		[files]
		bind = $WARD_DIR/flow:/mnt
		[network]
		mode = private
		address = 10.7.0.5
		limit = out 10Mbit in 20Mbit
	END
	check "a private context starts with limits" ctl start own
	own_sends() { background ctl exec own -- python3 /mnt/net_flow.py send udp - $HOST 7001 1458 0 40; }
	start_flows own_sends
	own_out() { is_near 2 "$(value 7001 2)" 9.95 && awk -v m="$(value 7001 3)" 'BEGIN { exit !(m <= 10.1) }'; }
	measure "what it sends is limited" 3 own_out python3 "$FLOW" receive $HOST 2 7001
	quiet
	check "and can be changed" ctl set own network.limit="out 5Mbit in 20Mbit"
	start_flows "background python3 $FLOW send udp - 10.7.0.5 7002 1458 60 40"
	own_in() { is_near 2 "$(value 7002 2)" 19.9 && awk -v m="$(value 7002 3)" 'BEGIN { exit !(m <= 20.2) }'; }
	measure "what it receives too" 3 own_in ctl exec own -- python3 /mnt/net_flow.py receive 0.0.0.0 2 7002
	quiet
	device=$(ip -br link | awk '$1 ~ /^w[0-9a-f]+-/ { sub("@.*", "", $1); print $1 }')
	like "both ways have their tree" "$(tc class show dev "$device")" "ceil 20Mbit"
	ctl stop own --timeout 1s
	lone() { [ "$(ip -o link show type ifb | wc -l)" -eq 1 ]; }
	retry_until 5 lone
	verdict "with it all of it goes" $? "$(ip -br link)"
else
	skip "private contexts" "$(ctl doctor | grep -E '^network +private')"
fi

# --- what others have made ---
ip link add other type veth peer name other-far
ip link set other up
join other other-far 10.8.0.200
tc qdisc add dev other root handle 1: tbf rate 50mbit burst 32k limit 64k
declare_context c5 10.8.0.5/24@other "limit = out 10Mbit"
run_ctl start c5
like "a queueing discipline of others is not touched" "$ERR" \
	"other has a queueing discipline that is not Ward's, tbf 1:; allowed: to remove it, or \"link = other ... replace\""
like "it is there" "$(tc qdisc show dev other)" "tbf 1:"
ctl set c5 network.limit=max
check "without a wish nobody asks" ctl start c5
run_ctl set c5 network.limit="out 10Mbit"
like "a wish to come is refused as well" "$ERR" "is not Ward's, tbf 1:"
ctl stop c5 --timeout 1s
printf '[host]\nlink = near 100Mbit\nlink = other replace\n' >"$WARD_DIR/config/wardd.ini"
ctl reload >/dev/null
ctl set c5 network.limit="out 10Mbit"
check "it is replaced where the host's file says so" ctl start c5
like "by Ward's" "$(tc qdisc show dev other)" "htb"
ctl stop c5 --timeout 1s
tc qdisc add dev other clsact
tc filter add dev other ingress protocol ip u32 match ip dst 10.8.0.77 action ok 2>/dev/null ||
	tc filter add dev other ingress protocol ip u32 match ip dst 10.8.0.77 flowid 1:1
printf '[host]\nlink = near 100Mbit\n' >"$WARD_DIR/config/wardd.ini"
ctl reload >/dev/null
ctl set c5 network.limit="in 10Mbit"
run_ctl start c5
like "nor is what looks at what comes" "$ERR" "somebody else looks at what comes to other \(qdisc clsact\)"

# --- the end ---
ctl stop --all --timeout 2s
plain() { [ "$(tc qdisc show dev near)" = "qdisc noqueue 0: root refcnt 2 " ] && [ -z "$(ifb)" ]; }
retry_until 5 plain
verdict "with the last context everything goes" $? "$(tc qdisc show; ip -br link)"
finish
