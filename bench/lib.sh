# shellcheck shell=bash
# What the benchmarks share: helpers compiled, a private daemon, one line a figure. Source it first.
. "$(dirname "${BASH_SOURCE[0]}")/../tests/lib/harness.sh"
PAIR=$BUILD/bench/pair WORK=$BUILD/bench/work

mkdir -p "$BUILD/bench"
for tool in pair work; do
	[ "$BUILD/bench/$tool" -nt "$ROOT/bench/src/$tool.c" ] ||
		"${CC:-cc}" -std=gnu2x -D_GNU_SOURCE -O2 -static -o "$BUILD/bench/$tool" "$ROOT/bench/src/$tool.c" ||
		exit 1
done

# figure WHAT VALUE AIM [REMARK]: AIM is a bound ("0.8"), or "" where there is none
figure() {
	local verdict=''
	if [ -n "$3" ]; then
		verdict=$(awk -v v="$2" -v a="$3" 'BEGIN { print v ~ /[0-9]/ && v + 0 <= a + 0 ? "reached" : "MISSED" }')
		verdict="aim $3: $verdict"
	fi
	printf '  %-58s %9s  %-20s %s\n' "$1" "$2" "$verdict" "${4:-}" | sed 's/ *$//'
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b + 0 > 0) printf "%.3f", a / b; else print "-" }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# private_kb PID: memory that is this process's alone
private_kb() { awk '/^Private/ { s += $2 } END { print s + 0 }' "/proc/$1/smaps_rollup" 2>/dev/null; }

# Ends the daemon; only what is wrong is printed.
bench_end() {
	trap - EXIT
	tidy >"$BUILD/bench/end.log" 2>&1
	grep -E '^not ok|^#' "$BUILD/bench/end.log" | sed 's/^/  /'
	exit $((T_FAILED > 0))
}
bench_start() {
	start_daemon "$@" || exit 1
	trap 'bench_end' EXIT
}
