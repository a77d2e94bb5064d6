#!/bin/bash
# Streams at the speed of a pipe: what is measured is CPU time, however busy the host is.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon

# The CPU time a cat takes to pass 1 GB on, in ms: what a pipe costs, however busy the host is.
cat_cost() { # COMMAND... that runs this with its times on standard error
	"$@" 2>"$WARD_DIR/times"
	awk '{ for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); ms = t[1] * 60000 + t[2] * 1000; sum += ms } }
		END { printf "%.0f", sum }' "$WARD_DIR/times"
}
AMOUNT=${WARD_PIPE_MB:-1024}M
# All on one CPU: whether two caches or one are used is chance, and half of the cost.
CPU=$(awk -F '[-,\t]' '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
on_one() { taskset -c "$CPU" "$@"; }
across() {
	on_one head -c "$AMOUNT" /dev/zero | "$@" taskset -c "$CPU" sh -c 'cat; times >&2' |
		on_one tail -c 1 >/dev/null
}
within() {
	"$@" taskset -c "$CPU" sh -c 'head -c "$0" /dev/zero | sh -c "cat; times >&2" | tail -c 1 >/dev/null' \
		"$AMOUNT"
}
# Beside the context a plain cgroup of all controllers: whoever is in another CPU group than the writer
# and the reader of its pipes is woken at a price of the kernel's (350 ms become 480, and 500 by run).
plain_groups() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo "/sys/fs/cgroup/ward-test-plain.$$"
	else
		echo /sys/fs/cgroup/{cpu,cpuset,memory,pids,blkio}/ward-test-plain.$$
	fi
}
in_plain_groups() {
	sh -c 'for dir in $0; do echo 0 >"$dir/cgroup.procs" || exit; done; exec "$@"' "$(plain_groups)" "$@"
}
# shellcheck disable=SC2046
own_cgroups $(plain_groups)
# compare KIND PLAIN...: in turn, the best of each so far in $plain and $inside; other work on the host
# disturbs either, so more rounds may follow.
compare() {
	local kind=$1 round v
	shift
	plain=999999 inside=999999
	for round in {1..25}; do
		v=$(cat_cost "$kind" "$@") && [ "$v" -ge "$plain" ] || plain=$v
		v=$(cat_cost "$kind" ctl run --) && [ "$v" -ge "$inside" ] || inside=$v
		[ "$round" -lt 5 ] || [ "$inside" -ge $((plain * 5 / 4 + 1)) ] || break
	done
	note "1 GB $kind $*: $plain ms of CPU time, $kind run: $inside ms"
}
note "1 GB across nothing: $(cat_cost across env) ms of CPU time"
compare across in_plain_groups
less "a pipe into and out of run costs at most a quarter more than one across cgroups" \
	"$inside" $((plain * 5 / 4 + 1))
compare within env
less "a pipe within a context costs at most a quarter more than a bare one" "$inside" $((plain * 5 / 4 + 1))

# And the bytes go through no process of Ward's.
cpu_ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$DAEMON/stat"; }
before=$(cpu_ticks)
TIMEFORMAT='%U %S'
head -c 100M /dev/zero >"$WARD_DIR/bytes"
client=$({ time ctl run -- tail -c 1 <"$WARD_DIR/bytes" >/dev/null; } 2>&1 | awk '{ print int(($1 + $2) * 1000) }')
is "a client that waits uses no CPU for 100 MB (ms)" $((client < 30)) 1
less "nor does the daemon (ticks)" $(($(cpu_ticks) - before)) 10
finish
