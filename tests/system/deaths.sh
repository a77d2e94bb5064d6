#!/bin/bash
# The daemon is killed at random moments while clients start, stop, freeze and run, and one follows
# the events with --after: it sees every number once, every start is told once, every end is told
# once, and what the daemon says at the last is what the kernel has.
. "$(dirname "$0")/../lib/harness.sh"
DEATHS=${DEATHS:-15}
start_daemon
for i in 1 2 3 4; do
	ini "c$i" <<-END
		[context]
		command = sleep 1000
		stop = KILL
	END
done
touch "$WARD_DIR/go"
# churn N: a client that acts until the file "go" is gone; what fails, fails
churn() {
	trap - EXIT
	while [ -e "$WARD_DIR/go" ]; do
		for what in "start c$1" "freeze c$1" "thaw c$1" "run -- true" "stop c$1" "run -- sh -c exit\ 3"; do
			eval "timeout 5 \"$WARDCTL\" --socket \"$SOCK\" $what" >/dev/null 2>&1 </dev/null
		done
	done
}
# follow: one that reads the events, and goes on behind the last it has when the daemon is gone
follow() {
	trap - EXIT
	local last=0
	: >"$WARD_DIR/seen"
	while [ -e "$WARD_DIR/go" ] || [ -e "$WARD_DIR/more" ]; do
		timeout 3 "$WARDCTL" --socket "$SOCK" events --json -f --after "$last" >>"$WARD_DIR/seen" 2>/dev/null
		# a line may be cut off where the daemon died
		sed -i '$ { /}$/! d }' "$WARD_DIR/seen"
		last=$(tail -n 1 "$WARD_DIR/seen" | jq .seq)
		sleep 0.02
	done
}
touch "$WARD_DIR/more"
background follow
follower=$BG
churners=''
for i in 1 2 3 4; do background churn $i; churners="$churners $BG"; done
for ((n = 0; n < DEATHS; n++)); do
	sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
	kill_daemon
	launch_daemon || not_ok "the daemon comes back, time $n"
done
ok "the daemon was killed $DEATHS times"
rm "$WARD_DIR/go"
for pid in $churners; do wait "$pid"; done
ctl stop --all --timeout 2s >/dev/null 2>&1
none_runs() { ctl list --json | jq -e 'all(.state == "stopped")'; }
check "all that ran can be stopped" retry_until 10 none_runs
last=$(ctl events --json -n 1 | jq .seq)
seen_last() { grep -q "^{\"seq\": $last," "$WARD_DIR/seen"; }
check "the follower comes to the last event" retry_until 10 seen_last
rm "$WARD_DIR/more"
wait "$follower"
note "$last events, $(jq -r .kind "$WARD_DIR/seen" | sort | uniq -c | awk '{ print $2, $1 }' | paste -sd,)"

is "it saw every number once, in order" \
	"$(jq .seq "$WARD_DIR/seen" | awk '$1 != ++n { print "at " n ": " $1; exit }')" ""
is "what it saw is what is kept" "$(md5sum <"$WARD_DIR/seen")" "$(ctl events --json --after 0 | head -n "$last" | md5sum)"
ends='select(.kind == "exited" or .kind == "failed")'
per_start() { jq -r "$1 | \"\\(.context) \\(.start)\"" "$WARD_DIR/seen" | sort; }
is "no start is told twice" "$(per_start 'select(.kind == "started")' | uniq -d)" ""
is "no end is told twice" "$(per_start "$ends" | uniq -d)" ""
is "what was started has ended" \
	"$(comm -23 <(per_start 'select(.kind == "started")') <(per_start "$ends"))" ""
is "of each context, a life is told in order" "$(jq -rs 'group_by(.context)[] | map(.kind | select(. != "action")) as $k | .[0].context as $c
	| range(1; $k | length) | select($k[.] == $k[. - 1] and $k[.] != "failed")
	| "\($c): \($k[.]) twice"' "$WARD_DIR/seen" | sort | uniq -c | head -n 5)" ""
finish
