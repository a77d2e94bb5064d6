#!/bin/bash
# timeout: 400
# Upgrade in place: contexts of a real wardd 0.1 run on under this one, whatever ended the old one;
# clients of either version work with daemons of the other as far as those can; a daemon that does
# not know what is on disk changes nothing; a migration that is cut off is taken up.
. "$(dirname "$0")/../lib/harness.sh"
NEW_WARDD=$WARDD NEW_WARDCTL=$WARDCTL
OLD_COMMIT=36312cd # the last one that was version 0.1
OLD=$ROOT/build/old-$OLD_COMMIT

# --- wardd 0.1 itself, built once ---
build_old() {
	local tree=$OLD.tree began
	[ -x "$OLD/wardd" ] && [ -x "$OLD/wardctl" ] && [ -x "$OLD/ward-init" ] && return
	git -C "$ROOT" cat-file -e "$OLD_COMMIT^{commit}" 2>/dev/null || return
	began=$(now_ms)
	rm -rf "$tree" "$OLD.new"
	mkdir -p "$tree" "$OLD.new"
	git -C "$ROOT" archive "$OLD_COMMIT" | tar -x -C "$tree" || return
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL timeout 300 make -s -j2 -C "$tree" CC=gcc OPTIMISE=-O1 WERROR= \
		build/wardd build/wardctl build/ward-init >"$OLD.log" 2>&1 || return
	cp "$tree"/build/{wardd,wardctl,ward-init} "$OLD.new" && cp -r "$tree/configs/seccomp" "$OLD.new" || return
	rm -rf "$OLD" && mv "$OLD.new" "$OLD" && rm -rf "$tree"
	note "wardd 0.1 was built in $(($(now_ms) - began)) ms"
}
build_old
if [ ! -x "$OLD/wardd" ]; then
	if git -C "$ROOT" cat-file -e "$OLD_COMMIT^{commit}" 2>/dev/null; then
		not_ok "wardd 0.1 is built" "$(tail -n 20 "$OLD.log")"
		echo "1..$T_COUNT"
		exit 1
	fi
	skip_all "commit $OLD_COMMIT, which was version 0.1, is not in this repository"
fi
old() { WARDCTL=$OLD/wardctl ctl "$@"; }
launch_old() { WARDD=$OLD/wardd launch_daemon --init "$OLD/ward-init" --profiles "$OLD/seccomp"; }
refused() { # COMMAND...: sets OUT and RC
	OUT=$(timeout 10 "$@" --config-dir "$WARD_DIR/config" --state-dir "$WARD_DIR/state" \
		--run-dir "$WARD_DIR/run" 2>&1 </dev/null)
	RC=$?
}
alive() { local pid; for pid in $1; do kill -0 "$pid" 2>/dev/null || return 1; done; }
pids() { for c in "$@"; do echo "$c $(pid_of "$c")"; done; }
# Everything in state and run, down to times: what a refusal must leave alone.
tree() { (cd "$WARD_DIR" && find state run -printf '%p %y %m %s %T@ %i\n' | grep -v 'logs/\|control.sock' | sort); }

WARDD=$OLD/wardd start_daemon --init "$OLD/ward-init" --profiles "$OLD/seccomp"
is "a real wardd 0.1 runs" "$(old version | sed -n 2p)" "wardd 0.1"
talker='while [ ! -e /gate/go ]; do echo hello; sleep 0.1; done; exit 7'
ini plain <<-END
	[context]
	command = sh -c "$talker"
	[files]
	bind = $WARD_DIR/gate:/gate:ro
END
ini leaver <<-END
	[context]
	command = sh -c "$talker"
	[files]
	bind = $WARD_DIR/leave:/gate:ro
END
ini limited <<-END
	[context]
	command = sleep 1000
	stop = TERM 1s KILL
	[memory]
	limit = 64M
	[cpu]
	limit = 50%
END
ini kept <<-END
	[context]
	command = sleep 1000
	[files]
	upper = kept:16M
END
ini cold <<-END
	[context]
	command = sleep 1000
END
ini over <<-END
	[context]
	command = sh -c "exit 5"
END
mkdir "$WARD_DIR/gate" "$WARD_DIR/leave"
all='plain leaver limited kept cold over'
living='plain limited kept cold job'

# --- a new wardctl speaks to the old daemon ---
check "a new wardctl starts several at a wardd 0.1, one by one" ctl start $all
check "and a detached throwaway" ctl run --detach --name job -- sleep 1000
check "freeze" ctl freeze cold
check "set" ctl set limited memory.limit=48M --runtime
is "exec" "$(ctl exec kept -- sh -c 'echo mine >/root/kept; echo done' </dev/null)" "done"
like "logs, of which 0.1 has no frames" "$(ctl logs plain -n 1)" '^hello$'
like "logs of several" "$(ctl logs plain leaver -n 1)" '^leaver *\| hello$'
is "run" "$(ctl run -- echo hi </dev/null)" hi
says() { # RULE VERB...: fails, and says which daemon has no WHAT
	local rule=$1 what=$2
	shift 2
	run_ctl "$@"
	is "$rule: the exit status" "$RC" 1
	like "$rule: what is missing, and both versions" "$ERR" "wardd 0\.1 has no $what; this is wardctl 0\.2"
}
says "why" /v1/contexts/plain/why why plain
says "reload" /v1/reload reload
says "logs --since" "parameter \\?since" logs plain --since 1h
says "wait --ready" "parameter \\?event" wait plain --ready
says "start --autostart" /v1/start start --autostart
run_ctl set plain context.restart=always
like "a key that 0.1 has not" "$ERR" 'context\.restart: no such key'
like "is told with both versions" "$ERR" 'wardd 0\.1, this is wardctl 0\.2'
run_ctl version
is "one version apart is no reason to warn" "$RC:$ERR" "0:"
like "wardctl tells both versions" "$OUT" 'wardctl 0\.2'

# --- daemons to come ---
tomorrow() { # VERSION: a daemon of that version, as far as it goes
	python3 - "$WARD_DIR/tomorrow.sock" "$1" <<-'END' &
		import http.server, json, os, socketserver, sys
		class Handler(http.server.BaseHTTPRequestHandler):
		    def log_message(self, *args): pass
		    def do_GET(self):
		        if self.path == '/v1/version': status, o = 200, {'version': sys.argv[2], 'api': 99, 'more': {}}
		        elif self.path.startswith('/v1/contexts/web'): status, o = 200, {'name': 'web', 'state': 'running',
		            'spec': {'context': {'command': ['x'], 'orbit': 'low'}, 'tides': {'moon': 1}}}
		        else: status, o = 404, {'error': {'code': 'ENOENT', 'text': self.path + ': no such route'}}
		        body = json.dumps(o).encode()
		        self.send_response(status)
		        self.send_header('Content-Length', str(len(body)))
		        self.end_headers()
		        self.wfile.write(body)
		    def address_string(self): return 'unix'
		if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
		socketserver.ThreadingUnixStreamServer(sys.argv[1], Handler).serve_forever()
	END
	BG=$!
	EXTRA_PIDS="$EXTRA_PIDS $BG"
	retry_until 5 curl -s --unix-socket "$WARD_DIR/tomorrow.sock" http://w/v1/version
}
at_tomorrow() { SOCK=$WARD_DIR/tomorrow.sock run_ctl "$@"; }
tomorrow 0.3
at_tomorrow version
is "a daemon one version on is no reason to warn" "$RC:$ERR" "0:"
at_tomorrow show web
like "a context with keys of tomorrow is shown" "$OUT" '^command = x'
like "and what is left out is told" "$ERR" 'warning: shown without what this wardctl, 0\.2, cannot read: .*orbit'
at_tomorrow get web
like "get as well" "$RC:$OUT" '^0:'
at_tomorrow doctor
like "a route that is gone is told with both versions" "$ERR" 'wardd 0\.3 has no /v1/host; this is wardctl 0\.2'
end_background "$BG"
tomorrow 0.4
at_tomorrow version
like "two versions apart are warned of" "$ERR" 'warning: .*more than one version apart'
is "and told all the same" "$RC:$(tail -n 1 <<<"$OUT")" "0:wardd 0.4"
end_background "$BG"

# --- the old daemon ends, contexts do not ---
retry_until 5 is_state over stopped
before=$(pids $living)
leaver=$(pid_of leaver)
term_daemon
touch "$WARD_DIR/leave/go"
check "one context ends while no daemon is there" retry_until 5 gone "$leaver"
launch_daemon
verdict "this wardd takes over what 0.1 left" $?
is "every context runs, with the same processes" "$(pids $living)" "$before"
is "and has its state" "$(for c in $living; do state_of $c; done | xargs)" "running running running frozen running"
is "the exit status of one that ended meanwhile" "$(ctl show leaver --json | jq -c .exit.status)" 7
is "that of one that had ended before" "$(ctl show over --json | jq -c .exit.status)" 5
is "a live change is still in force and known" \
	"$(ctl get limited memory.limit) $(($(stat_of limited memory_limit_bytes) >> 20))" "48M 48"
is "stats of all" "$(ctl stats --json | jq length)" 5
is "exec, and the kept upper" "$(ctl exec kept -- cat /root/kept </dev/null)" mine
lines() { ctl logs plain | wc -l; }
n=$(lines)
check "its log goes on in the same file" retry_until 5 eval '[ "$(lines)" -gt "'"$n"'" ]'
like "top" "$(ctl top -b 1)" limited
like "why" "$(ctl why cold)" frozen
check "thaw" ctl thaw cold
check "freeze again" ctl freeze cold
check "limits change" ctl set limited memory.limit=40M --runtime
is "what nobody asked to be restarted waits for no restart" "$(ctl list --json | jq '[.[] | select(.restart_in_us)] | length')" 0
like "both directories say their version" "$(cat "$WARD_DIR/state/version" "$WARD_DIR/run/version" | uniq)" \
	'^\{"version": 2, "ward": "0\.2"\}$'
like "that they changed is in the log" "$(cat "$WARD_DIR/log")" "state: version 1 of Ward 0\.1 is now version 2"

# --- an old wardctl speaks to this daemon ---
for act in "list" "list --json" "show plain" "show plain --json --full" "status plain" "stats" "stats plain --json" \
	"ps plain" "logs plain -n 1" "get limited memory.limit" "set limited memory.limit=44M" "thaw cold" \
	"freeze cold" "thaw cold" "kill plain -s CONT" "events" "events --after 1" "doctor" "version" "check $WARD_DIR/config/plain.ini" \
	"exec plain -- true" "run -- true" "run --set memory.limit=32M -- true" "run --detach --name brief -- sleep 1000" \
	"kill brief -s KILL" "restart limited" "start leaver over" "stop leaver over" "wait leaver" "plan --file $WARD_DIR/config/plain.ini" \
	"create $WARD_DIR/config/plain.ini --name copy" "delete copy"; do
	# shellcheck disable=SC2086
	check "wardctl 0.1: $act" old $act </dev/null
done
is "wardctl 0.1: the exit status of a command" "$(old exec plain -- sh -c 'exit 9' </dev/null; echo $?)" 9
rm -f "$WARD_DIR/leave/go"

# --- no way back to 0.1 while this one's contexts run, and none is harmed ---
before=$(pids plain limited kept cold job)
running=$(awk '{ print $2 }' <<<"$before" | xargs)
term_daemon
refused "$OLD/wardd" --init "$OLD/ward-init" --profiles "$OLD/seccomp"
is "wardd 0.1 refuses to take this one's directory" "$RC" 1
like "it names what it cannot lock" "$OUT" "locking $WARD_DIR/run: Is a directory"
like "where an explanation lies" "$(cat "$WARD_DIR/run/lock/README")" UPGRADES
check "contexts run on" alive "$running"
launch_daemon
verdict "this wardd starts again" $?
is "with all of them" "$(pids plain limited kept cold job)" "$before"
refused "$OLD/wardd"
is "0.1 is refused beside a running daemon as well" "$RC" 1
check "which serves on" ctl list

# --- what a newer Ward left ---
kill_daemon
newer() { # FILE TEXT SAYS...
	local file=$WARD_DIR/$1 text=$2 was before
	shift 2
	was=$WARD_DIR/was
	rm -f "$was"
	[ ! -e "$file" ] || mv "$file" "$was"
	printf '%s\n' "$text" >"$file"
	before=$(tree)
	refused "$WARDD"
	is "${file##*/}, newer: the exit status" "$RC" 3
	for say in "$file" "$@" "nothing was changed"; do like "${file##*/}, newer: it says $say" "$OUT" "$say"; done
	is "${file##*/}, newer: nothing was changed" "$(diff <(echo "$before") <(tree))" ""
	check "${file##*/}, newer: contexts run on" alive "$running"
	rm "$file"
	[ ! -e "$was" ] || mv "$was" "$file"
}
newer state/version '{"version": 3, "ward": "0.3"}' "version 3, of Ward 0\.3" "this wardd, 0\.2" "up to 2"
newer run/version '{"version": 7, "ward": "1.0"}' "version 7, of Ward 1\.0" "up to 2"
newer run/contexts/tomorrow.journal '{"version":2,"name":"tomorrow","pid":1}' "version 2" "up to 1"
newer state/events/state '{"version": 2, "state": "clean", "newest": 1, "last": 9, "boot": ""}' "version 2"
# of the same version: words and keys that are not known yet harm nothing
sed -i '1s/"limit":/"tides":"high","limit":/;$a becalmed 12' "$WARD_DIR/run/contexts/limited.journal"
launch_daemon
verdict "a journal with a key and a word of a later 0.2 is read" $?
is "its context runs on" "$(pids plain limited kept cold job)" "$before"
is "with what is known of it" "$(ctl show limited --json | jq -r .state) $(ctl exec limited -- echo in </dev/null)" "running in"
like "what is passed over is told" "$(cat "$WARD_DIR/log")" 'limited: its journal: .*[a-z]\.tides: no such key'

# --- the same version, again and again, under load ---
(while [ ! -e "$WARD_DIR/enough" ]; do
	timeout 20 "$WARDCTL" --socket "$SOCK" run -- true
	timeout 20 "$WARDCTL" --socket "$SOCK" set limited "cpu.limit=$((40 + RANDOM % 9))%" --runtime
	timeout 20 "$WARDCTL" --socket "$SOCK" freeze cold
	timeout 20 "$WARDCTL" --socket "$SOCK" thaw cold
done) >/dev/null 2>&1 </dev/null &
load=$!
for i in 1 2 3 4; do
	sleep 0.3
	term_daemon || not_ok "restart $i: the daemon ends with 0"
	launch_daemon || not_ok "restart $i: the daemon comes back"
done
touch "$WARD_DIR/enough"
wait "$load"
ctl thaw cold 2>/dev/null
is "after four restarts under load all run with their processes" "$(pids plain limited kept cold job)" "$before"
is "and their states" "$(for c in $living; do state_of $c; done | sort -u)" running
no_runs() { [ -z "$(ctl list --json | jq -r '.[].name' | grep '^run-')" ]; }
check "nothing of the load is left" retry_until 10 no_runs

# --- who follows when the daemon goes ---
follow() { # NAME VERB...: its output and status
	local to=$WARD_DIR/follow.$1
	shift
	timeout 30 "$WARDCTL" --socket "$SOCK" "$@" </dev/null >"$to" 2>&1
	echo "status $?" >>"$to"
}
follow logs logs plain -f & p1=$!
follow events events -f -n 1 & p2=$!
follow wait wait plain & p3=$!
follow run run -- sleep 1000 & p4=$!
heard() { grep -q hello "$WARD_DIR/follow.logs" && grep -q started "$WARD_DIR/follow.events" && [ -n "$(ctl list --json | jq -r '.[].name' | grep '^run-')" ]; }
check "four clients follow" retry_until 10 heard
term_daemon
wait $p1 $p2 $p3 $p4
for v in logs events wait; do
	is "$v: the last line says why it ended" "$(tail -n 2 "$WARD_DIR/follow.$v" | sed 's/^wardctl: [^:]*: //')" \
		"the daemon ended or was restarted before its reply was complete; contexts run on"$'\n'"status 1"
done
is "run: Ward failed, not the command" "$(tail -n 1 "$WARD_DIR/follow.run")" "status 125"
launch_daemon
check "its command is ended by the next daemon" retry_until 10 no_runs
last=$(grep -oE '^[0-9]+' "$WARD_DIR/follow.events" | tail -n 1)
ctl thaw cold 2>/dev/null
ctl freeze cold && ctl thaw cold
is "events go on behind the last number seen, without a gap" \
	"$(ctl events --after "$last" --json | jq -s '[.[].seq] | (.[0] == '"$last"' + 1) and (last - first + 1 == length)')" true

# --- ends are what they would have been ---
touch "$WARD_DIR/gate/go"
check "a context of 0.1 ends by itself" retry_until 5 is_state plain stopped
is "with its status" "$(ctl show plain --json | jq -c .exit.status)" 7
check "the others are stopped" ctl stop limited kept cold --timeout 3s
check "the throwaway as well" ctl stop job
check "and forgotten" is_state job ""
check "the kept upper is there for the next start" ctl start kept
is "as it was" "$(ctl exec kept -- cat /root/kept </dev/null)" mine
ctl stop kept --timeout 1s

# --- back to 0.1 with nothing running, as wardd(8) says, and forth again ---
term_daemon
rm -rf "$WARD_DIR/run"
mkdir "$WARD_DIR/run"
ini later <<-END
	[context]
	command = sleep 1000
	restart = always
END
launch_old
verdict "0.1 starts over this one's state directory when the run directory is gone" $?
old start kept plain
is "it has the kept upper" "$(old exec kept -- cat /root/kept </dev/null)" mine
refuse "and refuses a file with a key of 0.2" old start later
rm "$WARD_DIR/gate/go"
old stop kept
old start plain
before=$(WARDCTL=$OLD/wardctl pids plain)
kill_daemon
launch_daemon
verdict "this wardd takes over what a killed 0.1 left" $?
is "with the same process" "$(pids plain)" "$before"
like "and a log that both have written" "$(ctl logs plain | sort | uniq -c)" '^ *[0-9]+ hello$'
is "in which nothing else stands" "$(ctl logs plain | sort -u)" hello
check "and the file that 0.1 refused" ctl start later
touch "$WARD_DIR/gate/go"
check "its end is seen" retry_until 5 is_state plain stopped
ctl delete later --json >/dev/null 2>&1 || { ctl stop later --timeout 1s && ctl delete later; }

# --- 0.1 killed, and a migration that is cut off at every point ---
if [ -x "$BUILD/faults/wardd" ]; then
	for point in layout-stamp layout-bar layout-barred; do
		ctl stop --all --timeout 5s
		term_daemon
		rm -rf "$WARD_DIR/run" "$WARD_DIR/state/version" # as after a reboot
		mkdir "$WARD_DIR/run"
		rm "$WARD_DIR/gate/go"
		launch_old || not_ok "$point: 0.1 starts"
		old start plain limited kept
		before=$(WARDCTL=$OLD/wardctl pids plain limited kept)
		kill_daemon
		deaths=0
		for i in 1 2 3; do # one in each directory
			WARD_FAULT=kill:$point WARDD=$BUILD/faults/wardd launch_daemon && break
			{ wait "$DAEMON"; } 2>/dev/null
			[ $? -eq 137 ] && deaths=$((deaths + 1))
			[ -e "$WARD_DIR/state/version" ] || break # no way on from there with this fault
		done
		less "$point: the daemon was killed there" 0 "$deaths"
		[ -z "$DAEMON" ] || gone "$DAEMON" || term_daemon
		check "$point: contexts run on" alive "$(awk '{ print $2 }' <<<"$before" | xargs)"
		launch_daemon
		verdict "$point: the next daemon starts" $?
		is "$point: with all that ran under 0.1" "$(pids plain limited kept)" "$before"
		is "$point: nothing half-made is left" "$(ls -A "$WARD_DIR/run" "$WARD_DIR/state" | grep '^\.')" ""
		is "$point: the versions are written" "$(cat "$WARD_DIR"/{run,state}/version | sort -u)" \
			'{"version": 2, "ward": "0.2"}'
		touch "$WARD_DIR/gate/go"
		check "$point: the exit status comes" retry_until 5 is_state plain stopped
	done
else
	skip "a migration that is cut off is taken up" "$BUILD/faults/wardd is not built (make FAULTS=1)"
fi
WARDD=$NEW_WARDD WARDCTL=$NEW_WARDCTL
[ -n "$DAEMON" ] || launch_daemon
finish
