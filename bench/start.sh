#!/bin/bash
# How long a throwaway takes, from the shell's point of view, against the peers.
. "$(dirname "$0")/lib.sh"
bench_start
rounds=${BENCH_ROUNDS:-150}
bundle=$WARD_DIR/bundle
ward=("$WARDCTL" run -- /bin/true) # the defaults: cow root on a bounded tmpfs, pids limited
bwrap=(bwrap --ro-bind / / --proc /proc --dev /dev --unshare-all /bin/true)
export WARD_SOCKET=$SOCK
commands=(-- "${ward[@]}" --- "${bwrap[@]}")
if command -v runc >/dev/null && command -v busybox >/dev/null; then
	mkdir -p "$bundle/rootfs/bin"
	cp "$(command -v busybox)" "$bundle/rootfs/bin/" && ln -s busybox "$bundle/rootfs/bin/true"
	(cd "$bundle" && runc spec && jq '.process.terminal = false | .process.args = ["/bin/true"]' \
		config.json >new && mv new config.json)
	runc=(runc --root "$WARD_DIR/runc" run --bundle "$bundle" ward-bench-%d)
	"$PAIR" -n 1 -- "${runc[@]}" >/dev/null 2>&1 && commands+=(--- "${runc[@]}")
fi
commands+=(--- /bin/true)

# One row a command: median, p10, p90
measure() { # TITLE PAUSE_MS
	local ward_us bwrap_us names=(ward bwrap)
	"$PAIR" -n "$rounds" -p "$2" "${commands[@]}" >"$WARD_DIR/times" || return 1
	echo "$1 ($rounds rounds, medians of one interleaved run)"
	mapfile -t rows <"$WARD_DIR/times"
	[ ${#rows[@]} -lt 4 ] || names+=(runc)
	names+=("bare /bin/true")
	for i in "${!rows[@]}"; do
		read -r m low high _ <<<"${rows[$i]}"
		printf '  %-58s %6s us  (p10 %s, p90 %s)\n' "${names[$i]}" "$m" "$low" "$high"
	done
	ward_us=${rows[0]%% *} bwrap_us=${rows[1]%% *}
	figure "ward / bwrap" "$(ratio "$ward_us" "$bwrap_us")" 0.8 "hoped for: 0.5"
	[ ${#rows[@]} -lt 4 ] || figure "ward / runc" "$(ratio "$ward_us" "${rows[2]%% *}")" 0.15
}
echo "start: wardctl run (cow root, cgroup limits, seccomp, capabilities) against bwrap (none of these) and runc"
"$PAIR" -n 10 -- "${ward[@]}" >/dev/null # warm
measure "one now and then (20 ms apart)" 20
measure "one after the other" 0

echo "exec into a running context"
ini base <<-END
	[context]
	command = sleep 1000
END
ctl start base
"$PAIR" -n "$rounds" -p 5 -- "$WARDCTL" exec base -- /bin/true --- "${bwrap[@]}" >"$WARD_DIR/times" &&
	figure "ward exec / bwrap" "$(ratio "$(sed -n 1p "$WARD_DIR/times" | cut -d' ' -f1)" \
		"$(sed -n 2p "$WARD_DIR/times" | cut -d' ' -f1)")" 0.8

limited=("$WARDCTL" run --file "$ROOT/configs/throwaway.ini") # and limits of memory and CPU
echo "where a start goes (one now and then; against one with a file and limits of memory and CPU)"
layers() { # NAME OPTIONS...
	local name=$1
	shift
	"$PAIR" -n $((rounds / 3)) -p 10 -- "${limited[@]}" -- /bin/true --- "${limited[@]}" \
		"$@" -- /bin/true >"$WARD_DIR/times" &&
		figure "$name" "$(sed -n 2p "$WARD_DIR/times" | cut -d' ' -f4)" ''
}
layers "without seccomp" --set process.seccomp=none
layers "without ids of its own" --set process.ids=none
layers "with the host's network" --set network.mode=host
layers "read-only instead of copy-on-write" --set files.mode=read-only
