#!/bin/bash
# The daemon may die at any moment: contexts run on, are adopted again, and nothing is lost.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
mkdir "$WARD_DIR/gate"
ini steady <<-END
	[context]
	command = sleep 1000
END
ini leaver <<-END
	[context]
	command = sh -c "while [ ! -e /gate/go ]; do sleep 0.02; done; exit 7"
	[files]
	bind = $WARD_DIR/gate:/gate:ro
END
ini killed <<-END
	[context]
	command = sleep 1000
END
ini cold <<-END
	[context]
	command = sleep 1000
	[files]
	upper = kept:16M
	[memory]
	limit = 100M
END
check "four contexts start" ctl start steady leaver killed cold
check "a throwaway runs as well" ctl run --detach --name job -- sleep 1000
ctl freeze cold
ctl set steady cpu.limit=40% --runtime
pids() { for c in steady leaver killed cold job; do echo "$c $(pid_of $c)"; done; }
before=$(pids)
leaver=$(pid_of leaver) killed=$(pid_of killed)
background "$WARDCTL" --socket "$SOCK" run --name watched -- sleep 1000 >/dev/null 2>&1
client=$BG
check "a client waits for its command" retry_until 5 is_state watched running
watched=$(pid_of watched)
events=$(ctl events --json | jq -s '.[-1].seq')

kill_daemon
check "the contexts run on without a daemon" kill -0 "$leaver" "$killed"
run_ctl list
is "wardctl says that there is no daemon" "$RC" 1
wait "$client"
is "its client is told that Ward failed" "$?" 125
# what ends while no daemon is there
touch "$WARD_DIR/gate/go"
kill -KILL "$killed"
check "one ends by itself" retry_until 5 gone "$leaver"

launch_daemon
check "a new daemon answers" ctl list
is "what lives has the same processes" "$(pids | grep -E 'steady|cold|job')" \
	"$(grep -E 'steady|cold|job' <<<"$before")"
is "and its state" "$(state_of steady) $(state_of cold) $(state_of job)" "running frozen running"
is "the status of what ended meanwhile is kept" \
	"$(ctl show leaver --json | jq -c '.exit.status')" 7
is "the signal of what was killed meanwhile too" \
	"$(ctl show killed --json | jq -c '.exit.signal')" 9
check "thaw works on an adopted context" ctl thaw cold
in_ctx steady 'echo inside; cat /proc/1/comm'
like "exec works on an adopted context" "$OUT" inside
is "its live change is still known" "$(ctl get steady cpu.limit)" 40%
check "limits of an adopted context can be changed" ctl set steady cpu.limit=60% --runtime
is "stats of an adopted context" "$(($(stat_of cold memory_limit_bytes) >> 20))" 100
check "what nobody waits for any more was ended" retry_until 10 gone "$watched"
run_ctl run -- sh -c 'exit 4'
is "new throwaways run" "$RC" 4
rm "$WARD_DIR/gate/go"
check "ids do not overlap" ctl start leaver
ranges() { for c in steady leaver cold job; do cat "/proc/$(pid_of $c)/uid_map"; done | awk '{ print $2 }' | sort; }
is "every context has a range of its own" "$(ranges | uniq -d)" ""
check "an adopted context can be stopped" ctl stop cold --timeout 1s
check "one that ends later is noticed" ctl kill job -s KILL
check "and forgotten, being a throwaway" retry_until 5 is_state job ""

# --- a daemon that died between freezing and noting so ---
freezer_of() { # NAME: the file that freezes it
	local path
	path=$(ctl show "$1" --json | jq -r .cgroup)
	if [ -e "/sys/fs/cgroup/unified$path/cgroup.freeze" ]; then echo "/sys/fs/cgroup/unified$path/cgroup.freeze"
	else echo "/sys/fs/cgroup$path/cgroup.freeze"; fi
}
freezer=$(freezer_of steady)
kill_daemon
echo 1 >"$freezer"
launch_daemon
is "what is frozen is known to be, whoever froze it" "$(state_of steady)" frozen
run_ctl exec steady -- true
is "exec in it is refused rather than hanging" "$RC" 125
check "it thaws" ctl thaw steady
is "and runs" "$(state_of steady)" running

# --- a journal that is written to for years ---
for _ in {1..1500}; do echo http://w/v1/contexts/steady/{freeze,thaw}; done |
	xargs curl -sS --max-time 60 --unix-socket "$SOCK" -X POST >/dev/null
like "it was frozen and thawed many times" "$(ctl events --json | jq -r .kind | grep -cx thawed)" '^1[5-9][0-9][0-9]$'
less "its journal is no longer for it" "$(stat -c %s "$WARD_DIR/run/contexts/steady.journal")" 24000
ctl freeze steady
kill_daemon
launch_daemon
is "and says what is true" "$(state_of steady)" frozen
ctl thaw steady

# --- many deaths ---
for i in 1 2 3 4 5; do
	ctl start killed >/dev/null 2>&1 &
	starter=$!
	sleep "0.0$i"
	kill_daemon
	wait "$starter"
	launch_daemon || not_ok "the daemon comes back, time $i"
done
is "after five deaths during a start the first context still runs" \
	"$(pid_of steady)" "$(sed -n 's/^steady //p' <<<"$before")"
run_ctl start killed
check "and the last can be started or runs" is_state killed running

# --- a graceful end ---
term_daemon
verdict "asked to end, the daemon ends with 0" $?
check "contexts run on" kill -0 "$(sed -n 's/^steady //p' <<<"$before")"
seats() { for p in $(our_processes); do tr '\0' ' ' <"/proc/$p/cmdline"; echo; done | grep -c wardd; }
is "no parked seat stays behind" "$(seats)" 0
launch_daemon
is "the next daemon finds them" "$(state_of steady)" running
second=$("$WARDD" --config-dir "$WARD_DIR/config" --state-dir "$WARD_DIR/state" \
	--run-dir "$WARD_DIR/run" 2>&1 </dev/null & p=$!; sleep 1; kill "$p" 2>/dev/null; wait "$p"; echo "status $?")
unlike "a second daemon over the same directories refuses" "$second" 'status (0|143)$'
check "and the first goes on" ctl list
finish
