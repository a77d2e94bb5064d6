#!/bin/bash
# Promises: what is reserved fits, always. Starts and changes that would break a promise are refused
# with who holds what, before anything is done; `plan --what-if` says so beforehand, `budget` shows it.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon

budget() { ctl budget --json | jq -r "$1"; }
N=$(($(budget '.cpu[0].capacity_millicpu') / 1000))
CPUS=$(budget '.cpu[0].cpus')
FIRST=${CPUS%%[-,]*}
LIST=$CPUS
[ "$N" -gt 1 ] && LIST="s $CPUS" || LIST=" $CPUS"
pct() { echo "$(($1 / 10))%"; } # of thousandths
# service NAME RESERVE [MORE]: a context that reserves so many thousandths of a CPU
service() {
	printf '%s\n' '[context]' 'command = sleep 1000' 'stop = KILL' '[cpu]' "reserve = $(pct "$2")" "${@:3}" |
		ini "$1"
}
refused() { # RULE PATTERN VERB...
	local rule=$1 pattern=$2
	shift 2
	run_ctl "$@"
	is "$rule" "$RC" "$([ "$1" = run ] && echo 125 || echo 1)" # run: it was Ward that failed
	like "$rule: who and how much" "$ERR" "$pattern"
}

# --- the host's own, by default and by wardd.ini ---
is "there are as many CPUs as the daemon may use" "$N" "$(nproc)"
is "the host keeps 5% of each" "$(budget '.cpu[0] | .host_millicpu, .free_millicpu' | xargs)" "$((N * 50)) $((N * 950))"
printf '[host]\ncpu-reserve = 10%%\nmemory-reserve = 100M\n' >"$WARD_DIR/config/wardd.ini"
like "reload tells what the daemon's own file changed" "$(ctl reload)" '^wardd: host\.cpu-reserve: 5% -> 10%$'
is "and it holds" "$(budget '.cpu[0].host_millicpu, .memory.host_bytes' | xargs)" "$((N * 100)) 104857600"
is "a second time there is nothing to tell" "$(ctl reload)" ""
is "it is no context" "$(ctl list -q)" ""
check "it can be checked" ctl check "$WARD_DIR/config/wardd.ini"
printf '[host]\ncpu-reserve = 200%%\ncpus = 1\n' >"$WARD_DIR/config/wardd.ini"
run_ctl reload
is "a wrong one is told" "$RC" 1
like "with line, key and what is allowed" "$ERR" 'wardd\.ini:2: host\.cpu-reserve: "200%" is no value for it; allowed: 0%\.\.90% of each CPU'
like "all of it" "$ERR" 'wardd\.ini:3: host\.cpus: no such key; allowed: cpu-reserve, memory-reserve, io-reserve, network-reserve, link'
is "what held holds on" "$(budget '.cpu[0].host_millicpu')" "$((N * 100))"
run_ctl check "$WARD_DIR/config/wardd.ini"
like "check says the same" "$RC $ERR" '^1 .*wardd\.ini:2: host\.cpu-reserve'
printf '[host]\ncpu-reserve = 10%%\n' >"$WARD_DIR/config/wardd.ini"
check "and back" ctl reload wardd
printf '[context]\ncommand = true\n' >"$WARD_DIR/x.ini"
refused "no context can have its name" "the daemon's own file" create --name wardd "$WARD_DIR/x.ini"
refused "nor can what is run" "the daemon's own file" run --name wardd -- true
FREE=$((N * 900))

# --- start ---
service web $((FREE - 300))
check "what fits starts" ctl start web
is "and is reserved" "$(budget '.cpu[0] | .reserved_millicpu, .free_millicpu' | xargs)" "$((FREE - 300)) 300"
service db 500
refused "what does not is refused" "cpu\.reserve: 50% asked, 30% free on CPU$LIST: web $(pct $((FREE - 300))), the host $(pct $((N * 100)))" start db
is "nothing was made of it" "$(state_of db) $(budget '.contexts | length')" "stopped 1"
refused "so is a run" "50% asked, 30% free" run --set cpu.reserve=50% -- true
refused "a detached one too" "50% asked, 30% free" run --detach --set cpu.reserve=50% -- sleep 5
service db 300
check "to the last bit" ctl start db
refused "then nothing is left" "1% asked, 0% free" run --set cpu.reserve=1% -- true
check "who reserves nothing starts anyway" ctl run -- true
is "a context without any budget has share 100 and no limit" "$(ctl run --detach --name plain -- sleep 1000 >&2; budget '.contexts[] | select(.name == "plain") | [.cpu_reserve_millicpu, .cpu_share, .cpu_limit_millicpu] | @csv')" "0,100,"
check "it ends" ctl stop plain

# --- contradictions and absurd values, before that ---
value() { # RULE PATTERN VALUE [SET...]
	refused "$1" "$2" run --set "cpu.reserve=$3" "${@:4}" -- true
}
value "a negative reserve" 'cpu\.reserve: "-5%" is not an amount of CPU' -5%
value "an absurd one" 'cpu\.reserve: "1000001%" is out of range' 1000001%
value "a bare number" 'cpu\.reserve: "5" is not an amount' 5
value "more than the limit" 'cpu\.reserve: 50% is more than cpu\.limit; allowed: at most 40%' 50% --set cpu.limit=40%
value "more than its CPUs have" "cpu\\.reserve: 150% is more than the CPUs of cpu\\.cpus \\($FIRST\\) have" 150% --set "cpu.cpus=$FIRST"
value "CPUs that are not here" "of the CPUs of cpu\\.cpus \\(8000\\) none is here; there are: $CPUS" 50% --set cpu.cpus=8000
value "more than the machine" "900000% asked" 900000%

# --- set and reload ---
refused "a set that would break a promise" "cpu\.reserve: $(pct $((FREE - 200))) asked, $(pct $((FREE - 300))) free on CPU.*: db 30%, the host" set web "cpu.reserve=$(pct $((FREE - 200)))"
is "the old value stays" "$(ctl get web cpu.reserve) $(budget '.cpu[0].reserved_millicpu')" "$(pct $((FREE - 300))) $FREE"
is "in the file too" "$(grep -c "reserve = $(pct $((FREE - 300)))" "$WARD_DIR/config/web.ini")" 1
refused "nothing else of that set is done" "asked" set web "cpu.reserve=$(pct $((FREE - 200)))" cpu.share=300
is "as the kernel has it" "$(ctl get web cpu.share)" 100
check "less can be set" ctl set db cpu.reserve=10%
check "and more where it is free" ctl set web "cpu.reserve=$(pct $((FREE - 100)))"
service db 200
run_ctl reload
is "reload refuses as set does" "$RC" 1
like "and says so" "$ERR" 'db: cpu\.reserve: 20% asked, 10% free'
is "what runs has what it had" "$(ctl get db cpu.reserve)" "10%"
service db 100

# --- sets of CPUs ---
check "all stop" ctl stop --all
is "then all is free" "$(budget '.cpu[0] | .reserved_millicpu, .free_millicpu' | xargs)" "0 $FREE"
service pin 600 "cpus = $FIRST"
service pin2 400 "cpus = $FIRST"
check "one on one CPU" ctl start pin
refused "another there" "cpu\.reserve: 40% asked, 30% free on CPU $FIRST: pin 60%, the host 10%" start pin2
is "that CPU is a row of its own" "$(budget '.cpu[1] | .cpus, .reserved_millicpu, .free_millicpu' | xargs)" "$FIRST 600 300"
service wide $((FREE - 600))
check "the rest for all" ctl start wide
refused "and no more" "40% asked, 0% free on CPU$LIST: .*pin 60%" start pin2
check "all stop again" ctl stop --all

# --- what if ---
service big $((FREE - 100))
check "one holds nearly all" ctl start big
service little 100
service more 100
cp "$WARD_DIR/config/little.ini" "$WARD_DIR/elsewhere.ini"
run_ctl plan --what-if "$WARD_DIR/elsewhere.ini"
is "it would fit" "$RC $(head -n 1 <<<"$OUT")" "0 $WARD_DIR/elsewhere.ini: yes"
run_ctl plan --what-if little more
is "both would not" "$RC" 1
like "the first would" "$OUT" '^little: yes$'
like "the second would not, and why" "$OUT" "^more: no: cpu\.reserve: 10% asked, 0% free on CPU.*: big .*, little 10%, the host"
is "a change of one that runs" "$(ctl plan --what-if big --set "cpu.reserve=$(pct "$FREE")" | head -n 1)" "big: yes"
run_ctl plan --what-if big --set "cpu.reserve=$(pct $((FREE + 100)))"
is "or not" "$RC" 1
is "as JSON, with the budget as it would be" "$(ctl plan --json --what-if little | jq -c '[.fits, .contexts[0].name, .budget.cpu[0].free_millicpu]')" '[true,"little",0]'
is "nothing was done" "$(state_of little) $(budget '.cpu[0].free_millicpu') $(ctl get big cpu.reserve)" "stopped 100 $(pct $((FREE - 100)))"
run_ctl plan --what-if
is "words are needed" "$RC" 2
run_ctl plan --what-if "$WARD_DIR/none.ini"
is "a file that is not there" "$RC" 1
check "it stops" ctl stop big

# --- many at once ---
for i in 1 2 3 4 5 6; do
	service "many$i" $((N * 300)) 'share = 50'
	sed -i 's/^command.*/&\nmark = many/' "$WARD_DIR/config/many$i.ini"
done
run_ctl start --mark many
is "of six, of which three fit" "$RC $(ctl list --json | jq '[.[] | select(.state == "running")] | length')" "1 3"
is "each that does not is told why" "$(grep -c 'cpu\.reserve: .* asked, 0% free on' <<<"$ERR")" 3
check "they stop" ctl stop --mark many

# --- a restart keeps its promise, and a new daemon counts it ---
printf '%s\n' '[context]' 'command = sleep 1000' 'stop = KILL' 'restart = always' 'restart-delay = 20s' \
	'[cpu]' "reserve = $(pct $((FREE - 100)))" | ini again
check "a service" ctl start again
check "dies" ctl kill again -s KILL
waits() { [ "$(ctl list --json | jq -r '.[] | select(.name == "again") | .restart_in_us != null')" = true ]; }
check "it waits for its restart" retry_until 5 waits
is "and is in the budget" "$(budget '.contexts[] | .name + " " + .state')" "again restarting"
refused "nobody else gets what it had" "cpu\.reserve: 30% asked, 10% free .*again" run --set cpu.reserve=30% -- true
kill_daemon
launch_daemon
verdict "a new daemon comes" $?
INSTANCE=$(our_instance)
is "it knows wardd.ini" "$(budget '.cpu[0].host_millicpu')" "$((N * 100))"
refused "and of the promise" "cpu\.reserve: 30% asked, 10% free .*again" run --set cpu.reserve=30% -- true
check "called off it is free" ctl stop again
check "at once" ctl run --set "cpu.reserve=$(pct "$FREE")" -- true
sed -i 's/restart-delay.*/restart-delay = 100ms/' "$WARD_DIR/config/again.ini"
check "it starts once more" ctl start again
SEQ=$(ctl start little --json | jq '.[0].seq')
check "both fill the host; one dies" ctl kill again -s KILL
check "and comes back" ctl wait again --event started --after "$SEQ" --timeout 20s
kill_daemon
launch_daemon
verdict "a daemon after kill -9" $?
INSTANCE=$(our_instance)
is "counts what it adopts" "$(budget '.cpu[0].reserved_millicpu')" "$FREE"
refused "and promises no more" "cpu\.reserve: 10% asked, 0% free on CPU.*: again .*, little 10%, the host" start more

# --- when promises do not fit any more ---
printf '[host]\ncpu-reserve = 50%%\n' >"$WARD_DIR/config/wardd.ini"
check "the host takes more for itself" ctl reload
kill_daemon
launch_daemon
verdict "a daemon that finds too much" $?
INSTANCE=$(our_instance)
is "keeps all of it" "$(budget '.cpu[0] | .reserved_millicpu, .free_millicpu' | xargs)" "$FREE 0"
SEQ=$(ctl set little cpu.reserve=5% --json | jq .seq)
isnt "less can be set" "$SEQ" ""
refused "more cannot" "6% asked, 0% free" set little cpu.reserve=6%
check "one of them dies" ctl kill again -s KILL
check "and is started again: it had its promise" ctl wait again --event started --after "$SEQ" --timeout 20s
refused "a new one is refused" "asked, 0% free" start more
check "all stop at last" ctl stop --all
printf '[host]\ncpu-reserve = 10%%\n' >"$WARD_DIR/config/wardd.ini"
check "the host takes less" ctl reload

# --- memory ---
total=$(budget .memory.total_bytes)
if [ "$(budget .memory.guaranteed)" = true ]; then
	check "guaranteed memory" ctl run --detach --name keeps --set memory.reserve=64M -- sleep 1000
	is "is counted" "$(budget '.memory | .reserved_bytes')" $((64 << 20))
	refused "no more than there is" "memory\.reserve: .* asked, .* free of .*: keeps 64M, the host" \
		run --set "memory.reserve=$((total - (64 << 20)))" -- true
	refused "nor by set" "memory\.reserve: .* asked" set keeps "memory.reserve=$total"
	run_ctl plan --what-if keeps --set "memory.reserve=$total"
	is "what-if says so" "$RC" 1
	check "it stops" ctl stop keeps
else
	refused "memory is guaranteed by no kernel of this kind" "memory\.reserve" run --set memory.reserve=64M -- true
	like "budget says so" "$(ctl budget)" "cannot guarantee memory"
fi
is "the memory of the machine" "$total" "$(($(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo) * 1024))"

# --- what is printed, and who may see ---
service web 250 'limit = 100%' '[memory]' 'limit = 128M'
printf '%s\n' '[context]' 'command = sleep 1000' 'stop = KILL' 'owner = 54321' '[cpu]' "reserve = 10%" | ini mine
check "two run" ctl start web mine
OUT=$(ctl budget)
like "a row for the CPUs" "$OUT" "^$CPUS +${N}00% +$(pct $((N * 100))) +35% +$(pct $((FREE - 350))) +200 +2\$"
like "a row for a context" "$OUT" "^web +running +$CPUS +25% +100 +100% +0 +128M\$"
as_owner() { setpriv --reuid 54321 --regid 54321 --clear-groups "$@"; }
own() { as_owner curl -sS --max-time 20 --unix-socket "$SOCK" "$@"; }
chmod 755 "$WARD_DIR" "$WARD_DIR/run"
is "an owner sees their own, and all in the sums" "$(own http://w/v1/budget | jq -c '[[.contexts[].name], .cpu[0].reserved_millicpu]')" '[["mine"],350]'
OUT=$(own -X PATCH -d "{\"cpu.reserve\": \"$N$N$N%\"}" http://w/v1/contexts/mine)
like "and may not take what is not granted" "$OUT" '403|not granted|grant'
sed -i 's/^owner.*/&\ngrant = cpu.reserve/' "$WARD_DIR/config/mine.ini"
check "granted" ctl reload
OUT=$(own -X PATCH -d "{\"cpu.reserve\": \"$(pct $((N * 1000)))\"}" http://w/v1/contexts/mine)
like "they are refused without names" "$OUT" "asked, .* free on CPU.*: others 25%, the host"
unlike "of what is not theirs" "$OUT" "web"
is "what-if is root's" "$(own -o /dev/null -w '%{http_code}' -X POST -d '{"specs": [{}]}' http://w/v1/what-if)" 403
stop_daemon
finish
