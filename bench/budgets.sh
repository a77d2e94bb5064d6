#!/bin/bash
# Promises of CPU time: delivered against ideal, by Ward and by what a user would write by hand
# instead; how soon a reserved context runs; what the governor costs. Some minutes of full load.
. "$(dirname "$0")/lib.sh"
seconds=${BENCH_SECONDS:-10}
many=${BENCH_CONTEXTS:-1000}
mix=${BENCH_MIX_SECONDS:-600}
CPUS=$(nproc)
USE=$ROOT/tests/lib/cpu_use.py
CPU=/sys/fs/cgroup/cpu UNIFIED=/sys/fs/cgroup/unified
[ -d "$UNIFIED" ] || UNIFIED=/sys/fs/cgroup CPU=/sys/fs/cgroup
bench_start
export WARD_SOCKET=$SOCK
BUSY='while :; do :; done & while :; do :; done & while :; do :; done & while :; do :; done'

slot_of() { head -n 1 "$WARD_DIR/run/contexts/$1.journal" | jq .slot; }
cgroup_of() { echo "$UNIFIED/ward/$INSTANCE/$(slot_of "$1")"; }
# begin NAME RESERVE SHARE COMMAND...: reserve in percent of the machine
begin() {
	ctl run --detach --name "$1" --set context.stop=KILL --set cpu.reserve=$(($2 * CPUS))% \
		--set cpu.share="$3" -- "${@:4}" >/dev/null || exit 1
}
hog() { begin "$1" "$2" "$3" timeout 300 sh -c "$BUSY"; }
# group DIRECTORY RESERVE SHARE: as cpu_use.py takes it
group() { echo "$1=$(awk -v r="$2" -v n="$CPUS" 'BEGIN { print r * n / 100 }'):$3"; }

# The promises of every mix, whoever is to keep them: NAME RESERVE SHARE
MIX=("a 25 10" "b 50 10" "c 0 10" "d 0 30")
points() { # WHAT ARGS...: a figure for all of it and one for the worst second; the least of a reserve
	local said error worst
	said=$(python3 "$USE" "${@:2}")
	read -r error worst < <(sed -n 's/^error //p' <<<"$said")
	figure "$1, points off" "$error" "$AIM"
	figure "  in the worst second" "$worst" "$AIM_WINDOW"
	figure "  the least of a reserve, % (negative: more is better)" \
		"-$(sed -n 's/^least //p' <<<"$said")" "${AIM:+-99.5}"
}
mixes() { # A B C D as cpu_use.py takes them
	points "all busy" "$seconds" 1000 "$@"
	points "a quarter asleep" --asleep 0.1 "$seconds" 1000 "$@"
	points "a half asleep" --asleep 0.1 "$seconds" 1000 "$2" "$1" "$3" "$4"
}

# --- by hand: each has the weight of its reserve, and of its share of what nobody reserved ---

by_hand() { # RESERVE SHARE: of 10000, as when all are busy
	awk -v r="$1" -v s="$2" 'BEGIN { printf "%d", 100 * (r + s * 25 / 60) }'
}
weigh() { # DIRECTORY WEIGHT
	if [ -e "$1/cpu.shares" ]; then echo "$2" >"$1/cpu.shares"; else echo "$2" >"$1/cpu.weight"; fi
}
hand_begin() {
	HAND=ward-bench.$$ GROUPS_BY_HAND=() NAMES_BY_HAND=() HOGS=''
	own_cgroups "$UNIFIED/$HAND"
	[ "$CPU" = "$UNIFIED" ] || own_cgroups "$CPU/$HAND"
	[ "$CPU" != "$UNIFIED" ] || echo +cpu >"$UNIFIED/$HAND/cgroup.subtree_control"
	weigh "$CPU/$HAND" "$(cat "$CPU/ward/cpu.shares" 2>/dev/null || cat "$CPU/ward/cpu.weight")"
}
# hand_group NAME RESERVE SHARE: directories that are measured and frozen by cgroup2
hand_group() {
	mkdir "$UNIFIED/$HAND/$1"
	[ "$CPU" = "$UNIFIED" ] || mkdir "$CPU/$HAND/$1"
	NAMES_BY_HAND+=("$1")
	GROUPS_BY_HAND+=("$(group "$UNIFIED/$HAND/$1" "$2" "$3")")
}
hand_end() {
	local name dir
	echo 1 >"$UNIFIED/$HAND/cgroup.kill"
	wait $HOGS 2>/dev/null
	for name in "${NAMES_BY_HAND[@]}"; do
		for dir in "$UNIFIED/$HAND/$name" /sys/fs/cgroup/*/"$HAND/$name"; do
			[ ! -d "$dir" ] || retry_until 5 rmdir "$dir"
		done
	done
	for dir in /sys/fs/cgroup/*/"$HAND" "$UNIFIED/$HAND"; do
		[ ! -d "$dir" ] || retry_until 5 rmdir "$dir"
	done
}
# in_plain NAME WEIGHT COMMAND...: this process becomes it, in a cgroup that hand_group() made
in_plain() {
	weigh "$CPU/$HAND/$1" "$2"
	echo $BASHPID >"$CPU/$HAND/$1/cgroup.procs"
	echo $BASHPID >"$UNIFIED/$HAND/$1/cgroup.procs"
	exec "${@:3}"
}
plain_hog() { # NAME RESERVE SHARE [WEIGHT]
	hand_group "$1" "$2" "$3"
	in_plain "$1" "${4:-$(by_hand "$2" "$3")}" timeout 300 sh -c "$BUSY" &
	HOGS="$HOGS $!"
}
runc_hog() { # NAME RESERVE SHARE
	local bundle=$WARD_DIR/bundle-$1
	hand_group "$@"
	mkdir -p "$bundle/rootfs/bin"
	cp "$(command -v busybox)" "$bundle/rootfs/bin/sh"
	(cd "$bundle" && runc spec && jq --arg busy "$BUSY" --arg path "/$HAND/$1" \
		--argjson shares "$(by_hand "$2" "$3")" '.process.terminal = false |
		.process.args = ["/bin/sh", "-c", ($busy + " & wait")] | .linux.cgroupsPath = $path |
		.linux.resources.cpu.shares = $shares' config.json >new && mv new config.json)
	(
		echo $BASHPID >"$UNIFIED/$HAND/$1/cgroup.procs"
		exec runc --root "$WARD_DIR/runc" run --bundle "$bundle" "ward-bench-$1" </dev/null
	) &
	HOGS="$HOGS $!"
}
is_busy() { [ "$(wc -l <"$UNIFIED/$HAND/$1/cgroup.procs")" -ge 5 ]; }
by_hand_mixes() { # HOG: the function that starts one
	local row name reserve share
	hand_begin
	for row in "${MIX[@]}"; do
		read -r name reserve share <<<"$row"
		"$1" "$name" "$reserve" "$share"
	done
	for row in "${MIX[@]}"; do retry_until 60 is_busy "${row%% *}"; done
	sleep 1
	mixes "${GROUPS_BY_HAND[@]}"
	hand_end
}

# --- how late a thread of a context is when a timer wakes it, in us: p50 and p99 ---

LATE='
import time
late = []
for _ in range(1500):
    begin = time.monotonic()
    time.sleep(0.001)
    late.append((time.monotonic() - begin) * 1e6 - 1000)
late.sort()
print(round(late[len(late) // 2]), round(late[len(late) * 99 // 100]))'
late() { ctl exec "$1" -- python3 -c "$LATE" </dev/null; }
weight_of() { cat "$CPU/ward/$INSTANCE/$(slot_of "$1")/cpu."{shares,weight} 2>/dev/null; }
# What the kernel makes of such weights, with nothing else of ours.
plain_wake_ups() { # WEIGHT_OF_THE_SLEEPER WEIGHT_OF_OTHERS
	local p50 p99 i
	hand_begin
	for ((i = 0; i < 20; i++)); do plain_hog "noise$i" 0 10 "$2"; done
	hand_group still 25 10
	sleep 1
	read -r p50 p99 < <(in_plain still "$1" python3 -c "$LATE")
	figure "  in plain cgroups of the same weights (p50)" "$p50" ''
	figure "  p99" "$p99" ''
	hand_end
}
wake_ups() {
	local p50 p99 busy i weights
	begin still 25 10 sleep 1000
	read -r p50 p99 < <(late still)
	figure "a reserved one wakes up on an idle host, us (p50)" "$p50" ''
	figure "  p99" "$p99" ''
	for ((i = 0; i < 20; i++)); do hog "noise$i" 0 10; done
	sleep 1
	read -r p50 busy < <(late still)
	figure "the same beside 20 others that are busy, us (p50)" "$p50" ''
	figure "  p99" "$busy" "$((2 * p99))"
	weights="$(weight_of still) $(weight_of noise0)"
	for ((i = 0; i < 20; i++)); do ctl kill "noise$i" >/dev/null; done
	ctl kill still >/dev/null
	plain_wake_ups $weights
}

# --- ten minutes of what machines do: whether anybody had less than min(demand, reserve) ---

STORM='storm() { while :; do /bin/true; done; }; storm & storm & storm & storm'
COMPILE='cd /tmp && printf "#include <%s>\n" stdio.h stdlib.h string.h math.h >x.c
	compile() { while :; do cc -O2 -c -o /dev/null x.c; done; }; compile & compile & compile & compile'
# shortage NAME FILE WHO: the file has a line "NAME LEAST SECONDS"
shortage() {
	local least short
	read -r least short < <(sed -n "s/^$1 //p" "$2")
	figure "  $3: the least of min(demand, reserve), % (negative: more is better)" "-$least" -99.5
	figure "  seconds in which it had less than that" "$short" 0
}
mixed() {
	local of length=$((mix + 100))
	begin hog 25 10 timeout "$length" sh -c "$BUSY"
	begin compile 25 10 timeout "$length" sh -c "$COMPILE"
	begin storm 0 10 timeout "$length" sh -c "$STORM"
	begin web 20 10 sleep 1000
	sleep 1
	CTL_TIMEOUT=$length ctl exec web -- python3 - web "$mix" 100 1 <"$ROOT/tests/lib/cpu_mix.py" >"$WARD_DIR/web" &
	of=$!
	python3 "$ROOT/tests/lib/cpu_mix.py" watch "$mix" \
		"$(cgroup_of hog)=$(awk -v n="$CPUS" 'BEGIN { print n / 4 }')" \
		"$(cgroup_of compile)=$(awk -v n="$CPUS" 'BEGIN { print n / 4 }')" >"$WARD_DIR/mix"
	wait "$of"
	shortage "$(slot_of hog)" "$WARD_DIR/mix" "a hog, 25 % reserved"
	shortage "$(slot_of compile)" "$WARD_DIR/mix" "a compile, 25 %"
	shortage web "$WARD_DIR/web" "one that mostly sleeps and works 1 ms in 10, 20 %"
	ctl kill hog compile storm web >/dev/null
}

# --- what it costs ---

cpu_ns() { cut -d' ' -f1 "/proc/$DAEMON/schedstat"; }
cost() { # SECONDS: percent of one CPU
	local before
	before=$(cpu_ns)
	sleep "$1"
	awk -v t=$(($(cpu_ns) - before)) -v s="$1" 'BEGIN { printf "%.2f", t / s / 1e7 }'
}
cost_of() { # CONTEXTS AIM
	local i
	"$PAIR" -t -n "$1" -- "$WARDCTL" run --detach --name "s$1-%d" --set context.stop=KILL -- sleep 1000 \
		>/dev/null || exit 1
	begin "r$1" 25 10 timeout 300 sh -c "$BUSY"
	for ((i = 0; i < 50; i++)); do
		ctl run --detach --name "b$1-$i" --set context.stop=KILL --set cpu.share=1 -- \
			timeout 300 sh -c 'while :; do :; done' >/dev/null
	done
	sleep 1
	figure "the daemon with $1 contexts and 50 that contend, % of one CPU" "$(cost 5)" "$2"
	ctl stop --all --timeout 1s >/dev/null
}

echo "budgets: $CPUS CPUs, four busy threads a context; 25 % and 50 % reserved, shares 1:1:1:3"
renice -n -15 -p $$ >/dev/null 2>&1
wake_ups
echo "a mix of a hog, a compile, a fork storm and one that mostly sleeps, for $mix s"
mixed
for row in "${MIX[@]}"; do
	read -r name reserve share <<<"$row"
	hog "$name" "$reserve" "$share"
	OURS+=("$(group "$(cgroup_of "$name")" "$reserve" "$share")")
done
echo "Ward"
AIM=1 AIM_WINDOW=3
mixes "${OURS[@]}"
figure "awake in the first 100 ms, % of its reserve (negative: more)" \
	"-$(python3 "$USE" --wake 0.5 0.1 100 "${OURS[@]}" | sed -n 's/^woken //p')" -95
figure "the daemon with 4 contexts that contend, % of one CPU" "$(cost 5)" 0.2
ctl kill a b c d >/dev/null
AIM='' AIM_WINDOW=''
echo "by hand: plain cgroups (as CPUWeight= does), weights as they are right when all are busy"
by_hand_mixes plain_hog
if command -v runc >/dev/null && command -v busybox >/dev/null; then
	echo "runc with the same cpu-shares"
	by_hand_mixes runc_hog
fi
echo "what it costs"
cost_of 100 0.2
cost_of "$many" 1
