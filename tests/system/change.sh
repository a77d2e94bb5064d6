#!/bin/bash
# Changes are one step: every key or none, the kernel's word and not ours, the file as a person left
# it; also when the daemon dies on the way. Then reload: what the files say, as far as it goes live.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
FILE=$WARD_DIR/config/box.ini
box() {
	cat >"$FILE" <<-END
		# What this is for: see the wiki.
		[context]
		command = sleep 1000   ; nothing else
		stop=KILL

		; --- limits ---
		[cpu]
		  limit   =  50%	; half
		[memory]
		limit = 256M
		[process]
		limit = 50
	END
}
box
chmod 0640 "$FILE"
check "it starts" ctl start box
live() { stat_of box memory_limit_bytes; }
kernel_cpu() { # what the control file says, in per cent
	local dir
	for dir in /sys/fs/cgroup/cpu/ward/"$INSTANCE"/*/ /sys/fs/cgroup/ward/"$INSTANCE"/*/; do
		grep -qx "$(pid_of box)" "$dir/cgroup.procs" 2>/dev/null || continue
		if [ -e "$dir/cpu.max" ]; then awk '{ print $1 * 100 / $2 }' "$dir/cpu.max"; else
			echo $(($(cat "$dir/cpu.cfs_quota_us") * 100 / $(cat "$dir/cpu.cfs_period_us")))
		fi
	done | head -n 1
}

# --- the file ---
cp "$FILE" "$WARD_DIR/before.ini"
check "three keys, one of them new" ctl set box cpu.limit=75% memory.limit=200M cpu.share=300
is "the file differs in these lines alone" "$(diff "$WARD_DIR/before.ini" "$FILE" | grep '^[<>]')" \
	"$(printf '%s\n' '<   limit   =  50%	; half' '>   limit   =  75%	; half' '>   share = 300' '< limit = 256M' '> limit = 200M')"
is "its mode is the same" "$(stat -c %a "$FILE")" 640
check "a list" ctl set box $'context.environment=A=1\nB=2'
check "and one entry less" ctl set box context.environment=A=1
is "is a line less" "$(grep -c '^environment' "$FILE")" 1
check "none is none" ctl set box context.environment=
refuse "and leaves no line" grep -q '^environment' "$FILE"
echo 'limti = 1' >>"$FILE"
cp "$FILE" "$WARD_DIR/broken.ini"
run_ctl set box process.limit=70
is "a file with errors is not written to" "$RC" 1
like "they are named" "$ERR" 'box\.ini:[0-9]+: process\.limti'
is "nor anything changed" "$(stat_of box pids_limit) $(cmp "$FILE" "$WARD_DIR/broken.ini" && echo same)" "50 same"
check "but what runs can be changed" ctl set box --runtime process.limit=60
sed -i '$d' "$FILE"
check "set back" ctl set box process.limit=50

# --- all or nothing ---
cp "$FILE" "$WARD_DIR/before.ini"
refused() { # RULE PATTERN KEY=VALUE...
	local rule=$1 pattern=$2
	shift 2
	run_ctl set box "$@"
	is "$rule" "$RC" 1
	like "it says which key and why" "$ERR" "$pattern"
	is "what was in force is in force" "$(live) $(kernel_cpu) $(stat_of box pids_limit) $(ctl get box cpu.limit)" \
		"$((200 << 20)) 75 50 75%"
	check "the file is the same" cmp -s "$FILE" "$WARD_DIR/before.ini"
}
refused "a value the kernel refuses takes the others back" \
	'cpu\.cpus: .*"4000".*; the kernel has [0-9]|cpu\.cpus: asked was 4000, the kernel has|cpu\.cpus: .*4000.*nothing is changed' \
	memory.limit=100M cpu.limit=20% cpu.cpus=4000 process.limit=99
refused "so does a value that is none" 'process\.limit' cpu.limit=20% process.limit=none-such
refused "so do keys that do not fit each other" 'memory\.reserve' cpu.limit=20% memory.reserve=1G
if chattr +i "$WARD_DIR/config" 2>/dev/null; then
	refused "so does a file that cannot be written" 'writing .*box\.ini: .*; nothing is changed' cpu.limit=20% memory.limit=100M
	chattr -i "$WARD_DIR/config"
else
	skip "a file that cannot be written takes all back" "no immutable directories here"
fi
is "no temporary file is left" "$(find "$WARD_DIR/config" -name '.*.ini*')" ""

# --- the daemon dies, or a step fails ---
FAULTY=${WARD_FAULTS:-$BUILD/faults/wardd}
if [ -x "$FAULTY" ]; then
	state() { echo "$(ctl get box cpu.limit) $(kernel_cpu)% $(ctl get box memory.limit) $(($(live) >> 20))M $(sed -n 's/^ *limit *= *\([0-9]*[%M]\).*/\1/p' "$FILE" | tr '\n' ' ')"; }
	old="75% 75% 200M 200M 75% 200M " new="30% 30% 100M 100M 30% 100M "
	died() { { retry_until 2 gone "$DAEMON" && wait "$DAEMON"; } 2>/dev/null || term_daemon; }
	is "the state before" "$(state)" "$old"
	term_daemon
	for point in set-intended set-applied set-persisted file-written file-replaced; do
		WARDD=$FAULTY WARD_FAULT=kill:$point launch_daemon
		ctl set box cpu.limit=30% memory.limit=100M >/dev/null 2>&1
		died
		launch_daemon
		case $point in set-persisted | file-replaced) want=$new ;; *) want=$old ;; esac
		[ "$(state)" = "$old" ] || [ "$(state)" = "$new" ]
		verdict "killed at $point: file, kernel and daemon agree" $? "$(state)"
		case $point in set-*) is "killed at $point: it is what the file says" "$(state)" "$want" ;; esac
		ctl set box cpu.limit=75% memory.limit=200M
		unlike "killed at $point: nothing differs from the file" "$(ctl list --json)" 'differs from its file'
		term_daemon
	done
	for point in set-intended set-applied; do
		WARDD=$FAULTY WARD_FAULT=fail:$point launch_daemon
		run_ctl set box cpu.limit=30% memory.limit=100M
		is "failing at $point: it is refused" "$RC" 1
		is "failing at $point: all is as it was" "$(state)" "$old"
		term_daemon
	done
	for point in set-intended set-applied; do
		WARDD=$FAULTY WARD_FAULT=kill:$point launch_daemon
		ctl set box cpu.limit=30% --runtime >/dev/null 2>&1
		died
		launch_daemon
		is "killed at $point: a change of what runs alone is undone" "$(state)" "$old"
		term_daemon
	done
	launch_daemon
else
	skip "a daemon that dies while it changes a context" "needs make FAULTS=1"
fi

# --- reload ---
pid=$(pid_of box)
run_ctl reload
is "nothing changed, nothing said" "$RC:$OUT$ERR" "0:"
sed -i 's/75%/40%/; s/^command = sleep 1000/command = sleep 2000/' "$FILE"
run_ctl reload --dry-run
like "a dry run says what would be done at once" "$OUT" '^box: cpu\.limit: 75% -> 40%, at once$'
like "and what waits" "$OUT" '^box: context\.command: sleep 1000 -> sleep 2000, with the next start$'
is "and does nothing" "$(kernel_cpu)" 75
cp "$FILE" "$WARD_DIR/before.ini"
ini fresh <<-END
	[context]
	command = sleep 1000
END
ini bad <<-END
	[context]
	command = sleep 1000
	[cpu]
	limti = 1
END
run_ctl reload
like "what may change live is applied" "$OUT" '^box: cpu\.limit: 75% -> 40%$'
is "it is in force" "$(kernel_cpu)" 40
is "in the same process" "$(pid_of box)" "$pid"
like "what may not is told" "$OUT" '^box: context\.command: .*, with the next start$'
like "a new file is told" "$OUT" '^fresh: new$'
like "one with errors too" "$OUT" '^bad: its file has errors$'
like "with its errors" "$ERR" 'bad\.ini:4: cpu\.limti'
is "then the exit status is 1" "$RC" 1
check "files are not written" cmp -s "$FILE" "$WARD_DIR/before.ini"
rm "$WARD_DIR/config/bad.ini"
is "a second time there is only what waits" "$(ctl reload)" "box: context.command: sleep 1000 -> sleep 2000, with the next start"
ctl set box --runtime cpu.limit=90%
like "what was set at run time is as in the file again" "$(ctl reload box)" '^box: cpu\.limit: 90% -> 40%$'
sed -i 's/^command = .*/command = sleep 1000/' "$FILE"
is "a context that has what its file says has one spec" "$(ctl reload; ctl list --json | jq -c '.[] | select(.name == "box") | .warnings')" "[]"
sed -i 's/limit = 200M/limit = 1M/' "$FILE"
in_ctx box 'head -c 40M /dev/zero | tail -c 40M >/dev/null; cat /usr/bin/* >/dev/null'
echo 'swap = 0' >>"$FILE" # in [process]: an error
run_ctl reload box
like "a broken file of a running context is told" "$OUT" '^box: its file has errors; it runs on as it is$'
is "and nothing of it is applied" "$(live)" $((200 << 20))
sed -i '$d' "$FILE"
sed -i 's/limit = 1M/limit = 150M/' "$FILE"
kill -HUP "$DAEMON"
applied() { [ "$(live)" = $((150 << 20)) ]; }
check "SIGHUP does the same" retry_until 5 applied
like "and the log says what" "$(cat "$WARD_DIR/log")" 'box: memory\.limit: 200M -> 150M'
like "an event tells it" "$(ctl events --json | tail -n 1)" '"changed".*memory\.limit'
rm "$FILE"
like "a file that is gone is told" "$(ctl reload)" '^box: its file is gone; it runs until it is stopped$'
is "the context runs" "$(pid_of box)" "$pid"
run_ctl reload nosuch
is "a name that is none is refused" "$RC" 1
like "the API tells the same" "$(api -X POST 'http://w/v1/reload?dry' | jq -c '.[] | [.name, .what]' | tr '\n' ' ')" '\["box","removed"\] \["fresh","unchanged"\]'
check "it stops" ctl stop box
finish
