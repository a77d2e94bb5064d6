#!/bin/bash
# Eight clients do five hundred things while the daemon is killed again and again at random moments.
# Afterwards: no context, exit status or event is lost or there twice, and the list agrees with the
# kernel. WARD_SEED repeats a run's choices (not its timing).
# timeout: 300
. "$(dirname "$0")/../lib/harness.sh"
CLIENTS=8 OPERATIONS=${WARD_OPERATIONS:-63} SEED=${WARD_SEED:-$((RANDOM * 32768 + RANDOM))}
note "WARD_SEED=$SEED"
start_daemon
for n in $(seq $CLIENTS); do
	ini "a$n" <<-END
		[context]
		command = sleep 1000
		stop = KILL
	END
	ini "b$n" <<-END
		[context]
		command = sleep 1000
		stop = KILL
	END
	ini "job$n" <<-END
		[context]
		command = sh -c "exit $((n + 10))"
	END
	check "a context that is never stopped starts ($n)" ctl start "b$n"
done
steady() { for n in $(seq $CLIENTS); do echo "b$n $(pid_of "b$n")"; done; }
before=$(steady)

# Each line of a client's diary: what, what it wanted, what came of it.
client() { # N
	local n=$1 left=$OPERATIONS want rc
	RANDOM=$(((SEED + n) % 32768))
	quiet() {
		until [ -S "$SOCK" ] && api -f -o /dev/null http://w/v1/version; do sleep 0.02; done
		timeout -k 5 20 "$WARDCTL" --socket "$SOCK" "$@" </dev/null >/dev/null
	}
	while [ "$left" -gt 0 ]; do
		left=$((left - 1)) want=$((RANDOM % 100 + 1))
		case $((RANDOM % 9)) in
		0 | 1)
			quiet run -- sh -c "exit $want"; rc=$?
			echo "run $want $rc"
			;;
		2)
			quiet exec "b$n" -- sh -c "exit $want"; rc=$?
			echo "exec $want $rc"
			;;
		3) quiet start "a$n"; echo "start - $?" ;;
		4) quiet stop "a$n"; echo "stop - $?" ;;
		5) quiet set "b$n" cpu.share=$want; echo "set $want $?" ;;
		6) quiet freeze "b$n"; quiet thaw "b$n"; echo "thaw - $?" ;;
		*) quiet start "job$n"; echo "job - $?" ;;
		esac
	done
}
workers=''
for n in $(seq $CLIENTS); do
	client "$n" >"$WARD_DIR/diary.$n" 2>/dev/null &
	workers="$workers $!"
	EXTRA_PIDS="$EXTRA_PIDS $!"
done
RANDOM=$((SEED % 32768))
deaths=0
working() { for pid in $workers; do kill -0 "$pid" 2>/dev/null && return; done; return 1; }
while working; do
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
	kill_daemon
	deaths=$((deaths + 1))
	[ "$deaths" -le 400 ] || { not_ok "the clients come to an end" "$(tail -qn 1 "$WARD_DIR"/diary.*)"; break; }
	launch_daemon || not_ok "the daemon comes back after death $deaths"
done
# shellcheck disable=SC2086
wait $workers
note "$(cat "$WARD_DIR"/diary.* | wc -l) operations, $deaths deaths; $(cut -d' ' -f1 "$WARD_DIR"/diary.* | sort | uniq -c | tr -s ' \n' ' ')"
is "every operation came to an end" "$(cat "$WARD_DIR"/diary.* | wc -l)" $((CLIENTS * OPERATIONS))
less "the daemon died a few times" 3 "$deaths"
diaries() { sed -n "s/^$1 //p" "$WARD_DIR"/diary.*; }
is "run and exec say the command's status, or that Ward failed" \
	"$(diaries '\(run\|exec\)' | awk '$1 != $2 && $2 != 125' | sort | uniq -c)" ""

# --- contexts ---
not_frozen() { [ -z "$(ctl list --json | jq -r '.[] | select(.state == "frozen") | .name')" ]; }
for n in $(seq $CLIENTS); do is_state "b$n" frozen && ctl thaw "b$n"; done
is "what was never stopped has the same processes" "$(steady)" "$before"
throwaways() { ctl list --json | jq -r '.[] | select(.throwaway) | .name'; }
check "no throwaway is left" retry_until 10 test -z "$(throwaways)"
settled() { [ -z "$(ctl list --json | jq -r '.[] | select(.state == "starting" or .state == "stopping") | .name')" ]; }
check "nothing hangs between two states" retry_until 10 settled
slot_of() { sed -n "s,^[0-9]*:pids:.*/ward/$INSTANCE/\([^/]*\).*,\1,p;s,^0::.*/ward/$INSTANCE/\([^/]*\).*,\1,p" "/proc/$1/cgroup" 2>/dev/null | head -n 1; }
disagreements() {
	local name state pid known=' ' child
	while read -r name state pid; do
		case $state in
		running) kill -0 "$pid" 2>/dev/null && known="$known$(slot_of "$pid") " || echo "$name: process $pid is gone" ;;
		stopped) ;;
		*) echo "$name: $state" ;;
		esac
	done < <(ctl list --json | jq -r '.[] | "\(.name) \(.state) \(.pid // "-")"')
	for child in $(cat "/proc/$DAEMON/task/$DAEMON/children"); do known="$known$(slot_of "$child") "; done
	for pid in $(our_processes); do
		case $known in *" $(slot_of "$pid") "*) ;; *) [ ! -d "/proc/$pid" ] || echo "process $pid belongs to nobody" ;; esac
	done
}
agreed() { [ -z "$(disagreements)" ]; }
retry_until 10 agreed
is "wardctl list agrees with the kernel" "$(disagreements)" ""
for n in $(seq $CLIENTS); do
	possible=$(awk '$1 == "set" { if ($3 == 0) kept = ""; kept = kept " " $2 } END { print kept ? kept : " 100" }' "$WARD_DIR/diary.$n")
	value=$(ctl get "b$n" cpu.share)
	case "$possible " in *" $value "*) ok "the last change that was confirmed holds ($n)" ;;
	*) not_ok "the last change that was confirmed holds ($n)" "$value, possible:$possible" ;; esac
done

# --- events ---
ctl events --after 0 --json >"$WARD_DIR/events"
check "events: the numbers have no gap and no double" \
	jq -se '[.[].seq] | . == [range(1; length + 1)]' "$WARD_DIR/events"
# started and exited take turns; what ended before its start was known is "failed"
alone=$(jq -r 'select(.kind == "started" or .kind == "exited") | "\(.context) \(.kind) \(.seq)"' \
	"$WARD_DIR/events" | awk '{ if (last[$1] == $2 || (last[$1] == "" && $2 == "exited")) print; last[$1] = $2 }')
is "each start has one end, and each end a start" "$alone" ""
[ -z "$alone" ] || note "$(jq -c --arg n "${alone%% *}" 'select(.context == $n)' "$WARD_DIR/events")"
is "no end of a job has another status" "$(jq -r 'select(.kind == "exited" and (.context | startswith("job"))) |
	"\(.context[3:] | tonumber + 10) \(.exit.status)"' "$WARD_DIR/events" | awk '$1 != $2')" ""
for n in $(seq $CLIENTS); do
	confirmed=$(grep -c '^job - 0' "$WARD_DIR/diary.$n")
	asked=$(grep -c '^job ' "$WARD_DIR/diary.$n")
	ends=$(jq -r --arg n "job$n" 'select(.kind == "exited" and .context == $n) | .seq' "$WARD_DIR/events" | wc -l)
	verdict "every start of job$n that was confirmed has its exit in the history ($confirmed of $asked, $ends exits)" \
		$((ends < confirmed || ends > asked))
	# unless the last start was cut off
	[ "$confirmed" -eq 0 ] || like "and its last status is known" \
		"$(ctl show "job$n" --json | jq -r '"\(.exit.reason) \(.exit.status)"')" "^(exit $((n + 10))|start .*)$"
done
finish
