#!/bin/bash
# `run` and `exec`: exit statuses, streams that are the caller's own, terminals.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
ini base <<-END
	[context]
	command = sleep 1000
END
check "a context to exec into starts" ctl start base

# --- exit statuses ---
for how in run "exec base"; do
	status() { # WANT WHAT COMMAND...
		local want=$1 what=$2
		shift 2
		# shellcheck disable=SC2086
		run_ctl $how -- "$@"
		is "$how: $what gives $want" "$RC" "$want"
	}
	status 0 "success" true
	status 3 "the command's own status" sh -c 'exit 3'
	status 125 "even 125 by the command" sh -c 'exit 125'
	status 255 "255" sh -c 'exit 255'
	status 143 "death by TERM" sh -c 'kill -TERM $$; sleep 5'
	status 137 "death by KILL" sh -c 'kill -KILL $$; sleep 5'
	status 139 "death by SEGV" sh -c 'kill -SEGV $$; sleep 5'
	status 127 "a command that is not there" no-such-command
	like "$how: and says so" "$ERR" 'no-such-command'
	status 127 "a path that is not there" /no/such/command
	status 126 "a file that is not executable" /etc/passwd
	status 126 "a directory" /etc
done
run_ctl run --set no.such=key -- true
is "run: a wrong spec gives 125" "$RC" 125
run_ctl exec nobody-here -- true
is "exec: an unknown context gives 125" "$RC" 125
OUT=$("$WARDCTL" --socket "$WARD_DIR/no.sock" run -- true 2>&1 </dev/null)
is "run: no daemon gives 125" "$?" 125
like "and names the socket" "$OUT" 'no\.sock'

# --- streams ---
is "arguments arrive unchanged" \
	"$(ctl run -- printf '<%s>' 'a b' '' '*' "\"'" $'x\ny' </dev/null)" "<a b><><*><\"'><x"$'\n'"y>"
is "standard input arrives" "$(echo hello | ctl run -- cat)" hello
run_ctl run -- sh -c 'echo out; echo err >&2'
is "standard output is its own stream" "$OUT" out
is "standard error is its own stream" "$ERR" err
is "the environment is given" "$(ctl run -e GREETING=hi -- sh -c 'echo $GREETING' </dev/null)" hi
is "the environment is not inherited" "$(SECRET=x ctl run -- sh -c 'echo ${SECRET-none}' </dev/null)" none
is "PATH and HOME are set" "$(ctl run -- sh -c 'test -n "$PATH" && echo $HOME' </dev/null)" /root
is "a directory can be chosen" "$(ctl run -C /usr/bin -- pwd </dev/null)" /usr/bin
is "a user can be chosen" "$(ctl run -u nobody -- id -un </dev/null)" nobody
is "exec: a user can be chosen" "$(ctl exec -u nobody base -- id -un </dev/null)" nobody
is "exec: by number and group" "$(ctl exec -u 12:34 base -- sh -c 'id -u; id -g' </dev/null)" 12$'\n'34
run_ctl run -u no-such-user -- true
is "an unknown user gives 125" "$RC" 125

head -c 100M /dev/urandom >"$WARD_DIR/bytes"
want=$(sha256sum <"$WARD_DIR/bytes")
for how in run "exec base"; do
	t=$(now_ms)
	# shellcheck disable=SC2086
	got=$(ctl $how -- cat <"$WARD_DIR/bytes" | sha256sum)
	is "$how: 100 MB pass unchanged" "$got" "$want"
done
cp -r /usr/share/doc/bash "$WARD_DIR/doc" 2>/dev/null || mkdir "$WARD_DIR/doc"
tar cf - -C "$WARD_DIR" doc bytes | ctl run -- sh -c 'mkdir /tmp/x && tar xf - -C /tmp/x && cd /tmp/x && tar cf - doc bytes' |
	tar xf - -C "$(mkdir -p "$WARD_DIR/back" && echo "$WARD_DIR/back")"
check "tar c | run tar x | tar c | tar x gives the same tree" \
	diff -r "$WARD_DIR/doc" "$WARD_DIR/back/doc"
check "and the same bytes" cmp "$WARD_DIR/bytes" "$WARD_DIR/back/bytes"
rm -rf "$WARD_DIR/back"

# --- ends ---
t=$(now_ms)
ctl run -- cat /dev/zero 2>/dev/null | head -c 1000 >/dev/null
less "run ends when its reader closes (ms)" $(($(now_ms) - t)) 5000
t=$(now_ms)
OUT=$(ctl run -- cat </dev/null)
less "run ends at the end of its input (ms)" $(($(now_ms) - t)) 5000
t=$(now_ms)
OUT=$(ctl run -- sh -c 'sleep 300 & echo done' </dev/null)
is "a child left behind does not hold run: the context ends with its command" "$OUT" "done"
less "at once (ms)" $(($(now_ms) - t)) 5000

# --- signals to wardctl ---
background "$WARDCTL" --socket "$SOCK" run --name signalled -- sh -c \
	'trap "echo got-term; exit 9" TERM; echo ready; while :; do sleep 0.05; done' >"$WARD_DIR/said" 2>&1
retry_until 5 grep -q ready "$WARD_DIR/said"
kill -TERM "$BG"
wait "$BG"
is "a signal to wardctl is passed on, and its status comes back" "$?" 9
check "the command saw it" grep -q got-term "$WARD_DIR/said"
background "$WARDCTL" --socket "$SOCK" run --name cut -- sleep 1000 >/dev/null 2>&1
retry_until 5 is_state cut running
pid=$(pid_of cut)
kill -KILL "$BG"
check "a killed wardctl takes its throwaway along" retry_until 10 gone "$pid"
check "and nothing of it is listed" retry_until 5 test -z "$(state_of cut)"
background "$WARDCTL" --socket "$SOCK" exec base -- sh -c 'echo $$ >/tmp/mark; exec sleep 1001' >/dev/null 2>&1
retry_until 5 ctl exec base -- test -s /tmp/mark
kill -KILL "$BG"
no_sleep() { ! ctl ps base --json | jq -e '.[] | select(.command | test("1001"))'; }
check "a killed wardctl takes its exec along" retry_until 10 no_sleep
is "the context goes on" "$(state_of base)" running

# --- throwaway and detach ---
run_ctl run --name once -- true
is "a throwaway is forgotten" "$(state_of once)" ""
run_ctl run --detach --name job -- sh -c 'echo working; sleep 1000'
is "run --detach comes back at once" "$RC" 0
is "and the context runs" "$(state_of job)" running
check "its output is in the log" retry_until 5 grep -q working <(ctl logs job)
run_ctl run --name job -- true
is "a name that is taken gives 125" "$RC" 125
check "it stops" ctl stop job --timeout 1s
sum=0 jobs=''
for i in $(seq 20); do
	ctl run -- sh -c "exit $i" </dev/null >/dev/null 2>&1 &
	jobs="$jobs $!"
done
for job in $jobs; do
	wait "$job"
	sum=$((sum + $?))
done
is "twenty at once give twenty statuses" "$sum" 210

# --- terminals ---
if command -v expect >/dev/null; then
	cat >"$WARD_DIR/tty.exp" <<'END'
set timeout 20
set ctl [lindex $argv 0]
set sock [lindex $argv 1]
log_user 0
set env(TERM) xterm
set send_slow {1 0.01}
# the exit status of what was spawned, or -1 when it does not end
proc status {} {
	global spawn_id
	expect eof {} timeout { catch { exec kill -KILL [exp_pid] }; catch { wait }; return -1 }
	return [lindex [wait] 3]
}
proc t {what good} { puts [expr {$good ? "ok $what" : "not ok $what"}] }
spawn -noecho $ctl --socket $sock run -- /bin/sh
stty rows 33 columns 101 < $spawn_out(slave,name)
expect -re {[#$] $}
send "tty; stty size\r"
set dev 0; expect -re {/dev/(pts/[0-9]+|console)} { set dev 1 }
t "run on a terminal gives a terminal of its own" $dev
set size 0; expect "33 101" { set size 1 }
t "the window size arrives" $size
expect -re {[#$] $}
stty rows 44 columns 55 < $spawn_out(slave,name)
send "sleep 0.3; stty size\r"
set size 0; expect "44 55" { set size 1 }
t "a new window size arrives" $size
expect -re {[#$] $}
send "sleep 100\r"; after 500; send "\003"
set back 0; expect -re {[#$] $} { set back 1 }
t "Ctrl-C ends the command, not the shell" $back
send "sleep 100\r"; after 500; send "\032"
set stopped 0; expect -re "Stopped|suspended" { set stopped 1 }
t "Ctrl-Z stops the command (job control)" $stopped
send "kill -KILL %1; wait; echo still-here\r"
set on 0; expect -re "\nstill-here" { set on 1 }
t "the shell goes on" $on
send "exit 42\r"; after 300; catch { send "exit 42\r" } ;# the first may warn of jobs
t "the shell's status comes back" [expr {[status] == 42}]
spawn -noecho $ctl --socket $sock run --name hung -- sh -c "trap 'exit' HUP; echo up; sleep 1000"
expect "up"
set client [exp_pid]
close
set ended 0
for {set i 0} {$i < 200 && !$ended} {incr i} { after 50; catch { wait -nowait }; set ended [expr {![file exists /proc/$client]}] }
t "a hang-up ends wardctl" $ended
spawn -noecho $ctl --socket $sock exec base -- sh -c "test -t 0 && test -t 1 && echo is-tty; tty"
set tty 0; expect "is-tty" { set tty 1 }
t "exec on a terminal gives a terminal" $tty
status
spawn -noecho $ctl --socket $sock enter base
expect -re {[#$] $}
send "hostname; exit 5\r"
set in 0; expect -re "base" { set in 1 }
t "enter opens a shell inside" $in
t "and gives its status" [expr {[status] == 5}]
END
	expect "$WARD_DIR/tty.exp" "$WARDCTL" "$SOCK" >"$WARD_DIR/tty.out" 2>&1
	while read -r line; do
		case $line in
		"ok "*) ok "terminal: ${line#ok }" ;;
		"not ok "*) not_ok "terminal: ${line#not ok }" ;;
		*) note "$line" ;;
		esac
	done <"$WARD_DIR/tty.out"
	is "terminal: all of it ran" "$(grep -c '^\(not \)\?ok ' "$WARD_DIR/tty.out")" 11
	check "terminal: a hang-up ends the throwaway" retry_until 10 test -z "$(state_of hung)"
else
	skip "terminals" "expect is not installed"
fi
ctl stop base --timeout 1s
finish
