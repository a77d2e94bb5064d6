#!/bin/bash
# What contexts use: each figure moves when a context does what it counts, and agrees with the kernel.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
mkdir "$WARD_DIR/disk"
run() { ctl run --detach --name "$@" >/dev/null; }
# Which of the fields of `stats --json` are there, for the first context named.
field() { ctl stats "$1" --json | jq -r ".[0]$2"; }
above() { [ "$(field "$1" "$2")" -gt "$3" ] 2>/dev/null; }

run burn --set cpu.limit=20% -- sh -c 'while :; do :; done'
run idle --set memory.limit=64M --set process.limit=20 -- sleep 1000
run disk --set "files.bind=$WARD_DIR/disk:/disk:rw" -- \
	sh -c 'dd if=/dev/zero of=/disk/x bs=1M count=8 oflag=direct 2>/dev/null; exec sleep 1000'
run net --set network.mode=private -- sleep 1000
run open --set network.mode=host -- sleep 1000

# --- CPU ---
check "CPU time grows" retry_until 10 above burn .cpu_us 200000
check "the time throttled too" retry_until 10 above burn .throttled_us 100000
check "and the periods" above burn .throttled_periods 0
is "user and system time make up the whole" \
	"$(field burn ' | (.cpu_user_us + .cpu_system_us - .cpu_us) | . < 20000 and . > -20000')" true
is "the promise is told beside it" "$(field burn .promised.cpu.limit_millicpu)" 200
is "what idles uses next to nothing" "$(field idle ' | .cpu_us < 500000')" true

# --- memory, processes ---
is "the memory limit" "$(field idle .memory_limit_bytes)" $((64 << 20))
is "the promise beside it" "$(field idle .promised.pids.limit)" 20
is "no limit is null" "$(field burn .memory_limit_bytes)" null
is "one context has its memory broken down" \
	"$(field idle ' | has("memory_anon_bytes") and has("memory_file_bytes")')" true
before=$(field idle .memory_bytes)
ctl exec idle -- sh -c 'head -c 20000000 /dev/zero >/tmp/fill' </dev/null
check "memory grows with what is written into the view" above idle .memory_bytes $((before + 15000000))
check "its peak is no less" above idle .memory_peak_bytes $((before + 15000000))
is "processes are counted" "$(field idle .pids)" 2
ctl exec idle -- sh -c 'for i in 1 2 3 4 5 6; do sleep 0.3 & done; wait' </dev/null
peak=$(field idle .pids_peak)
if [ "$peak" = 0 ]; then
	skip "the most there were at once" "this kernel does not tell"
else
	verdict "the most there were at once" $((peak < 8)) "$peak"
fi

# --- pressure ---
if [ "$(field burn .pressure)" = null ]; then
	skip "pressure" "this kernel does not account it"
else
	check "who is throttled waits for CPU" retry_until 10 above burn .pressure.cpu.some_us 100000
	is "who sleeps does not" "$(field idle ' | .pressure.cpu.some_us < 2000000')" true
fi

# --- disk ---
written() { [ "$(field disk ' | [.io[].write_bytes] | add // 0')" -ge $((8 << 20)) ]; }
check "bytes written to a disk" retry_until 10 written
check "operations too" test "$(field disk ' | [.io[].write_ops] | add')" -ge 8
is "nothing for who writes nothing" "$(field burn ' | [.io[].write_bytes] | add // 0')" 0

# --- network: two ends of a cable, both inside, and frames sent through it ---
pid=$(pid_of net)
cable() {
	nsenter -t "$pid" -n sh -ec 'ip link add va type veth peer name vb
		ip link set va up; ip link set vb up'
	nsenter -t "$pid" -n python3 -c "
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('va', 0))
for i in range(20): s.send(b'\\xff' * 6 + b'\\x02' + bytes(5) + b'\\x88\\xb5' + bytes(986))"
}
check "frames go through a network of its own" cable
sent() { [ "$(field net ' | .network[] | select(.device == "va") | .sent_bytes')" -ge 20000 ]; }
check "bytes sent, by device" retry_until 5 sent
is "and received at the other end" \
	"$(field net ' | .network[] | select(.device == "vb") | .received_bytes >= 20000 and .received_packets >= 20')" true
is "the host's network is not the context's" "$(field open .network)" null

# --- all at once ---
api http://w/v1/stats >"$WARD_DIR/all"
is "all that run are in the list, in order" "$(jq -r 'map(.name) | join(" ")' "$WARD_DIR/all")" \
	"burn disk idle net open"
is "with the same fields" \
	"$(jq -r '.[] | select(.name == "net") | keys | join(" ")' "$WARD_DIR/all")" \
	"$(ctl stats net --json | jq -r '.[0] | keys - ["memory_anon_bytes", "memory_file_bytes"] | join(" ")')"
for key in memory_limit_bytes pids pids_limit state promised oom_kills; do
	is "and the same $key" "$(jq -c ".[] | select(.name == \"idle\") | .$key" "$WARD_DIR/all")" \
		"$(field idle ".$key | tojson")"
done
is "near the same memory" "$(jq --argjson one "$(field idle .memory_bytes)" \
	'.[] | select(.name == "idle") | (.memory_bytes - $one) | . < 2000000 and . > -2000000' "$WARD_DIR/all")" true
is "the list has the frames too" "$(jq '.[] | select(.name == "net") | .network[]
	| select(.device == "va") | .sent_bytes >= 20000' "$WARD_DIR/all")" true
ctl freeze burn
is "what is frozen is told" "$(api http://w/v1/stats | jq -r '.[0] | "\(.state) \(.frozen)"')" "frozen true"
ctl thaw burn

# --- the table ---
run_ctl stats
is "a row for each" "$(tail -n +2 <<<"$OUT" | awk '{ print $1 }' | xargs)" "burn disk idle net open"
run_ctl stats --sort cpu-time --columns name,cpu-time
is "sorted by a column" "$(sed -n 2p <<<"$OUT" | awk '{ print $1 }')" burn
is "with the columns that were asked for" "$(head -n 1 <<<"$OUT" | xargs)" "NAME CPU"
run_ctl stats --columns name,nonsense
is "a column that does not exist is wrong use" "$RC" 2
like "and those that do are named" "$ERR" 'memory-promised'
run_ctl stats burn --interval 5
is "so is an interval without a unit" "$RC" 2
timeout 5 "$WARDCTL" --socket "$SOCK" stats -f -i 300ms --columns name,cpu,cpu-promised,throttled \
	>"$WARD_DIR/follow"
check "--follow goes on" test "$(grep -c '^NAME' "$WARD_DIR/follow")" -ge 5
part=$(awk '$1 == "burn" { v = $2 } END { sub("%", "", v); print int(v) }' "$WARD_DIR/follow")
verdict "delivered stands beside promised (burn: $part% of 20%)" $((part < 5 || part > 40)) "$(cat "$WARD_DIR/follow")"
like "both in one column" "$(cat "$WARD_DIR/follow")" '[0-9.]+% of 20%'

# --- who does not run, and a new daemon ---
ctl stop idle --timeout 1s
run_ctl stats idle
is "what does not run has no numbers" "$RC" 1
before=$(field burn .cpu_us)
kill_daemon
launch_daemon
check "a new daemon counts on" above burn .cpu_us $((before - 1))
is "of all" "$(api http://w/v1/stats | jq -r 'map(.name) | join(" ")')" "burn disk net open"
finish
