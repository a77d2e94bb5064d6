#!/bin/bash
# timeout: 600
# What is reserved of a disk is there whenever it is wanted, and only promised where it fits: by real
# direct I/O on a loop device of the test's own, under BFQ.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/disk.sh"
command -v losetup >/dev/null || skip_all "losetup is not installed"
start_daemon
make_disk 128 || skip_all "no loop device with direct I/O can be made here"
if ! can_schedule bfq; then
	run_ctl run --set "io.reserve=$DISK 30%" -- true
	is "without BFQ a reserve is refused" "$RC" 125
	like "with the reason" "$ERR" 'io\.reserve: '
	drop_disk
	stop_daemon
	finish
fi

# declare NAME [LINE OF [io]...]: a context that reads with four at a time; frozen it reads nothing
declare_reader() {
	{
		printf '%s\n' '[context]' "command = /usr/bin/python3 /read_disk.py $DISK 4" 'stop = KILL' '[files]' \
			"device = $DISK" "bind = $ROOT/tests/lib/read_disk.py:/read_disk.py:ro" '[io]' "${@:2}"
	} | ini "$1"
}
reader() { declare_reader "$@" && ctl start "$1" && SLOTS[$1]=$(slot_of "$1"); }
budget() { ctl budget --json | jq -rc "$1"; }
# weight_in DIRECTORY: what the kernel has there for this disk
weight_in() { sed -n "s/^$DISK_NUMBER //p" "$1/blkio.bfq.weight_device" "$1/io.bfq.weight" 2>/dev/null; }
top_of() { # DIRECTORY BELOW THE ROOT
	local dir
	for dir in "/sys/fs/cgroup/blkio$1" "/sys/fs/cgroup$1" "/sys/fs/cgroup/unified$1"; do
		[ ! -e "$dir/blkio.bfq.weight_device" ] && [ ! -e "$dir/io.bfq.weight" ] || { echo "$dir"; return; }
	done
}
slot_of() {
	local path
	path=$(sed -n 's/^[0-9]*:blkio://p' "/proc/$(pid_of "$1")/cgroup")
	[ -n "$path" ] || path=$(sed -n 's/^0:://p' "/proc/$(pid_of "$1")/cgroup")
	top_of "$path"
}
weight_of() { weight_in "$(slot_of "$1")" | grep . || echo 100; }
# Where contexts are: also to be measured without a daemon to ask.
declare -A SLOTS
read_in() {
	cat "$1/blkio.throttle.io_service_bytes" "$1/io.stat" 2>/dev/null |
		awk -v d="$DISK_NUMBER" '$1 == d && $2 == "Read" { n = $3 } $1 == d && /rbytes=/ { sub(/.*rbytes=/, ""); n = $1 } END { printf "%.0f\n", n }'
}
tops() { echo "$(weight_in "$(top_of /ward)") $(weight_in "$(top_of "/ward/$INSTANCE")")"; }
are() { [ "$("${@:2}")" = "$1" ]; } # TEXT COMMAND...
# due A B LEAST MOST: A weighs so many hundredths of B
due() {
	local a b
	a=$(weight_in "${SLOTS[$1]}") b=$(weight_in "${SLOTS[$2]}")
	a=${a:-100} b=${b:-100}
	echo "$1 $a, $2 $b"
	[ "$((100 * a))" -ge "$(($3 * b))" ] && [ "$((100 * a))" -le "$(($4 * b))" ]
}
# parts CONTEXT...: what each gets of what they all get, in percent
parts() {
	local name dirs=()
	for name; do dirs+=("${SLOTS[$name]}"); done
	over "${SECONDS_EACH:-2}" read_in "${dirs[@]}" |
		awk '{ for (i = 1; i <= NF; i++) n += $i; for (i = 1; i <= NF; i++) printf "%d ", 100 * $i / (n ? n : 1); print "" }'
}
# first_has LEAST MOST CONTEXT...: the first of them has so many percent. On a machine that is busy
# with other things readers may lack CPU, not disk, for a while: then it is measured again.
first_has() {
	local all part try
	for try in 1 2 3 4 5 6 7 8; do
		all=$(parts "${@:3}")
		part=${all%% *}
		echo "# ${*:3}: $all(measured $try times)" >&3
		[ "$part" -ge "$1" ] && [ "$part" -le "$2" ] && return
		sleep 0.5
	done
	return 1
}
exec 3>&1
# check_here RULE COMMAND...: as check, but not in a shell of its own
check_here() { "${@:2}" >/dev/null 2>"$WARD_DIR/stderr"; verdict "$1" $? "$(cat "$WARD_DIR/stderr")"; }

# --- refused where it cannot be kept ---
schedule none
run_ctl run --set "io.reserve=$DISK 30%" -- true
is "a reserve is refused where nothing schedules by weights" "$RC" 125
like "with what the disk is scheduled by" "$ERR" "io\.reserve: disk $DISK_NUMBER is scheduled by no scheduler, .*echo bfq"
like "doctor knows of it" "$(ctl doctor 2>&1)" 'io-share'
schedule bfq
run_ctl run --set "io.reserve=/dev/null 30%" -- true
like "so is what is no disk" "$ERR" 'io\.reserve: device "/dev/null": Block device required'
run_ctl run --set "io.reserve=$DISK 101%" -- true
like "and what no disk has" "$ERR" 'io\.reserve: "101%" is no part of a disk; allowed: DEVICE and 0\.1%\.\.100%'
ln -s "$DISK" "$WARD_DIR/alias" && ln -s "$WARD_DIR/alias" /dev/ward-test.$$ && {
	run_ctl run --set "io.reserve=$DISK 10%
/dev/ward-test.$$ 20%" -- true
	rm -f /dev/ward-test.$$
	like "one disk by two names" "$ERR" 'io\.reserve: .* is reserved twice'
}

# --- the floor ---
OLD_TOP=$(weight_in "$(top_of /ward)") # of a disk with this number that was there before
for i in 1 2 3 4; do check_here "reader $i starts" reader "plain$i"; done
is "with nothing reserved nothing is written" "$(tops)$(weight_in "${SLOTS[plain1]}")" "$OLD_TOP "
check_here "one with half of the disk" reader half "reserve = $DISK 50%"
is "its weight is its due against theirs" "$(weight_of half)" 656
is "theirs is what it was" "$(weight_in "${SLOTS[plain1]}")" ""
is "all contexts weigh as one process of the host leaves them" "$(tops)" "760 760"
check "it has its floor" first_has 50 75 half plain1 plain2 plain3 plain4
is "why finds the kernel in agreement" "$(ctl why half --json | jq -c .drift)" '[]'
check_here "one with a share comes" reader some "share = $DISK 300"
check "by shares it has three times what another has" first_has 60 88 some plain1
is "for which all others have weights that say so" "$(weight_of half) $(weight_of plain1) $(weight_of some)" "989 100 300"
is "why is not confused by dues" "$(for x in some plain1; do ctl why $x --json | jq -c .drift; done | xargs)" '[] []'
like "the budget shows the disk" "$(budget '.disks[0] | [.device, .host_permille, .reserved_permille, .free_permille, .shares, .holders]')" "^\[\"$DISK\",50,500,450,800,1\]"
OUT=$(ctl budget)
like "as a row" "$OUT" "^$DISK +100% +5% +50% +45% +800 +1$"
like "with who holds it" "$OUT" "^half +$DISK +50% +100$"

# --- moved while they read ---
check "more is set for another" ctl set plain1 "io.reserve=$DISK 20%"
check "which then has it" first_has 20 45 plain1 plain2 plain3 plain4 half some
run_ctl set plain2 "io.reserve=$DISK 26%"
is "what would break a promise is refused" "$RC" 1
like "with who holds it" "$ERR" "io\.reserve: 26% asked, 25% free of $DISK: half 50%, plain1 20%, the host 5%"
is "nothing is changed" "$(ctl get plain2 io.reserve)$(ctl get half io.reserve)" "$DISK 50%"
run_ctl run --set "io.reserve=$DISK 30%" -- true
like "so is a start" "$RC $ERR" "^125 .*io\.reserve: 30% asked, 25% free of $DISK"
run_ctl plan --what-if plain2 --set "io.reserve=$DISK 30%"
like "what-if says so" "$RC $OUT" '^1 plain2: no: io\.reserve: 30% asked, 25% free'
run_ctl plan --what-if plain2 --set "io.reserve=$DISK 25%"
is "or that it would fit" "$RC $(head -n 1 <<<"$OUT")" "0 plain2: yes"
check "less is set" ctl set plain1 io.reserve=
check "and half has its floor as before" first_has 50 75 half plain1 plain2 plain3 plain4 some
printf '[host]\nio-reserve = 40%%\n' >"$WARD_DIR/config/wardd.ini"
like "the host takes more" "$(ctl reload wardd)" 'host\.io-reserve: 5% -> 40%'
check "contexts weigh less against it" retry_until 2 are "60 60" tops
run_ctl set plain1 "io.reserve=$DISK 20%"
like "and less is free" "$ERR" "20% asked, 10% free of $DISK: half 50%, the host 40%"
rm "$WARD_DIR/config/wardd.ini"
check "and back" ctl reload wardd
check "at once" retry_until 2 are "760 760" tops

# --- a disk that has forgotten ---
schedule none
schedule bfq
check "weights are lost with the scheduler, and there again after a reload" ctl reload
check "of all contexts" retry_until 2 are "760 760" tops
check "and of each" retry_until 2 due half plain1 970 1000

# --- the host's own processes ---
disk_total() { awk '{ printf "%.0f\n", $3 * 512 }' "/sys/block/${DISK#/dev/}/stat"; }
read_or_total() { if [ "$1" = all ]; then disk_total; else read_in "$1"; fi; }
keeps_half() { # of all that the disk does
	local part all try
	for try in 1 2 3 4 5 6; do
		read -r part all < <(over 2 read_or_total "${SLOTS[half]}" all)
		echo "# half has $((part * 100 / all)) % of all that is read, the host included (measured $try times)" >&3
		[ $((part * 100)) -ge $((all * 48)) ] && return
	done
	return 1
}
background /usr/bin/python3 "$ROOT/tests/lib/read_disk.py" "$DISK" 1
check "beside a busy process of the host the floor holds" keeps_half
end_background "$BG"

# --- asleep and awake ---
check "half is frozen" ctl freeze half
sleep 1
wakes() { # has its floor over the first second that it is awake
	local SECONDS_EACH=1 try
	for try in 1 2 3 4 5 6; do
		ctl thaw half
		set -- $(parts half plain1 plain2 plain3 plain4 some)
		echo "# over the first second awake: $* (measured $try times)" >&3
		[ "$1" -ge 50 ] && return
		ctl freeze half
		sleep 1
	done
	return 1
}
check "it has its floor from the first second after it woke" wakes

# --- without the daemon ---
kill_daemon
is "its weights stay" "$(tops)" "760 760"
check "of the reserve too" due half plain1 970 1000
check "and half has its floor" first_has 50 75 half plain1 plain2 plain3 plain4 some
launch_daemon
verdict "a new daemon comes" $?
INSTANCE=$(our_instance)
is "it counts what it finds" "$(budget '.disks[0].reserved_permille')" 500
is "and leaves the weights" "$(tops)" "760 760"
check "all of them" due half plain1 970 1000
refuse "a second half is refused" ctl set some "io.reserve=$DISK 50%"

# --- more than the kernel's range, and a restart ---
check "with 90% reserved the others share out 5%" ctl set half "io.reserve=$DISK 90%"
check "which the range still tells" due half plain1 10000 17000
is "nobody weighs more than there is" "$(($(weight_of half) <= 1000))" 1
check "back to half" ctl set half "io.reserve=$DISK 50%"
check "back to where they were" due half plain1 970 1000
check "shares as well" due some plain1 290 310
sed -i 's/^stop = KILL/&\nrestart = always\nrestart-delay = 2s/' "$WARD_DIR/config/half.ini"
ctl restart half
check "the holder dies" ctl kill half -s KILL
waits() { [ "$(ctl list --json | jq -r '.[] | select(.name == "half") | .restart_in_us != null')" = true ]; }
check "and waits for its restart" retry_until 2 waits
run_ctl set plain2 "io.reserve=$DISK 50%"
like "nobody else gets what it had" "$ERR" "50% asked, 45% free of $DISK: half 50%"
check "it comes back" retry_until 10 is_state half running
SLOTS[half]=$(slot_of half)
check "with its weight" due half plain1 970 1000
ctl stop half
check "with the last reserve everything is as it was" retry_until 3 are "100 100" tops
is "and shares are shares" "$(weight_of plain1) $(weight_of some)" "100 300"
check "which hold" first_has 55 90 some plain1
is "nothing is reserved" "$(budget '.disks[0] | .reserved_permille, .free_permille' | xargs)" "0 950"

# --- ended while there was no daemon ---
sed -i '/^restart/d' "$WARD_DIR/config/half.ini"
check "one last time" ctl start half
holder=$(pid_of half)
kill_daemon
kill -KILL "$holder"
ended() { gone "$1" || grep -q '^State:.*Z' "/proc/$1/status"; }
check "it ends without a daemon" retry_until 5 ended "$holder"
launch_daemon
verdict "the next daemon" $?
INSTANCE=$(our_instance)
check "puts the weights back" retry_until 3 are "100 100" tops
is "of all" "$(weight_of plain1) $(weight_of some)" "100 300"
before=$(weight_in "$(top_of /ward)")
ctl stop --all
drop_disk
is "what is left at the end is the default" "$before" 100
stop_daemon
finish
