#!/bin/bash
# What contexts get of a disk: limits, and shares while it is busy, by real direct I/O on a loop
# device of the test's own.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/disk.sh"
command -v losetup >/dev/null || skip_all "losetup is not installed"
start_daemon
make_disk 128 || skip_all "no loop device with direct I/O can be made here"

# reader NAME [LINE...]: a context that reads from the disk as fast as it can, four at a time
reader() {
	local name=$1
	shift
	{
		printf '%s\n' '[context]' \
			"command = sh -c \"for i in 1 2 3 4; do while :; do dd if=$DISK of=/dev/null bs=512k iflag=direct 2>/dev/null; done & done; wait\"" \
			'stop = KILL' '[files]' "device = $DISK" '[io]' "$@"
	} | ini "$name"
	ctl start "$name"
}

# --- limits, and what the kernel has of them ---
check "a limited reader starts" reader one "limit = $DISK read 8MB/s write-ops 50"
sleep 0.5
got=$(over 3 read_of one)
less "it reads no faster than its limit (bytes a second)" "$got" 10500000
less "nor much slower" 6000000 "$got"
in_ctx one "t=\$(date +%s%N); dd if=/dev/zero of=$DISK bs=4k count=50 oflag=direct 2>/dev/null; echo \$(((\$(date +%s%N) - t) / 1000000))"
less "operations of writing are limited apart (ms for 50 at 50 a second)" 700 "$OUT"
check "the limit changes while it runs" ctl set one "io.limit=$DISK read 16MB/s"
got=$(over 3 read_of one)
less "and holds (bytes a second)" "$got" 20000000
less "for more" 11000000 "$got"
drift() { ctl why one --json | jq -c '[.drift[] | {key, live}]'; }
is "why finds the kernel in agreement" "$(drift)" '[]'
throttle=$(find /sys/fs/cgroup -path "*/ward/$INSTANCE/*" -name blkio.throttle.read_bps_device 2>/dev/null | while read -r f; do grep -q "^$DISK_NUMBER " "$f" && echo "$f"; done)
if [ -n "$throttle" ]; then
	echo "$DISK_NUMBER 1048576" >"$throttle"
	like "and notices what somebody else has changed" "$(drift)" "$DISK read 1048576B/s|$DISK read 1.*MB/s"
	ctl set one "io.limit=$DISK read 15MB/s"
	is "until the key is set again" "$(drift)" '[]'
fi
check "the limit can be taken away" ctl set one io.limit=
less "then it is fast (bytes a second)" 20000000 "$(over 1 read_of one)"
ctl stop one

# --- shares ---
# What the kernel has as the weight of a context on this disk.
weight_of() {
	local path
	path=$(sed -n 's/^[0-9]*:blkio://p' "/proc/$(pid_of "$1")/cgroup")
	if [ -n "$path" ]; then
		path=/sys/fs/cgroup/blkio$path/blkio.bfq.weight_device
	else
		path=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of "$1")/cgroup")/io.bfq.weight
	fi
	sed -n "s/^$DISK_NUMBER //p" "$path"
}
# share_out A B LEAST MOST: A gets LEAST to MOST times what B gets. On a machine that is busy with
# other things readers may lack CPU, not disk, for a while: then it is measured again.
share_out() {
	local a b try
	for try in 1 2 3 4 5; do
		sleep 0.5
		read -r a b < <(over 3 read_of "$1" "$2")
		echo "# $1 $((a >> 20)) MB/s, $2 $((b >> 20)) MB/s (measured $try times)" >&3
		awk -v a="$a" -v b="$b" -v l="$3" -v m="$4" 'BEGIN { exit !(a > l * b && a < m * b) }' && return
	done
	return 1
}
exec 3>&1
run_ctl run --set "io.share=$DISK 200" -- true
if can_schedule bfq; then
	schedule none
	run_ctl run --set "io.share=$DISK 200" -- true
	is "a share is refused where nothing gives it" "$RC" 125
	like "with what the disk is scheduled by" "$ERR" "io\.share: .*$DISK_NUMBER is scheduled by no scheduler, which knows no shares; .echo bfq"
	schedule bfq
	check "a reader with a share of 400 starts" reader much "share = $DISK 400"
	check "and one of 100" reader little "share = $DISK 100"
	is "the kernel has them" "$(weight_of much) $(weight_of little)" "400 100"
	check "four times the share is more than twice the disk, and not more than eight times" \
		share_out much little 2 8
	is "why finds the kernel in agreement" "$(ctl why much --json | jq -c '[.drift[].key]')" '[]'
	check "shares change while they read" ctl set much "io.share=$DISK 100"
	check "both ways" ctl set little "io.share=$DISK 400"
	is "the kernel has the new ones" "$(weight_of much) $(weight_of little)" "100 400"
	check "now the other has more than twice" share_out little much 2 8
	check "a share can be taken away" ctl set little io.share=
	is "then it is the kernel's default, at once" "$(weight_of little)" 100
	check "and neither gets twice what the other has" share_out much little 0.5 2
	schedule none
	run_ctl set much "io.share=$DISK 300"
	is "a disk that has lost its scheduler is told" "$RC" 1
	like "with the reason, and nothing is changed" "$ERR" "io\.share: .*scheduled by no scheduler.*"
	is "the file has what was before" "$(ctl get much io.share)" "$DISK 100"
	ctl stop much little
else
	is "without BFQ a share is refused" "$RC" 125
	like "with the reason" "$ERR" 'io\.share: '
	skip "shares hold" "this kernel's loop devices cannot have BFQ"
fi
like "doctor knows of shares" "$(ctl doctor 2>&1)" 'io-share'
run_ctl run --set "io.share=$DISK 1001" -- true
like "a weight out of range is refused with what is allowed" "$ERR" 'io\.share: "1001" is no weight; allowed: DEVICE and a weight of 1\.\.1000'
run_ctl run --set "io.share=/dev/null 100" -- true
like "so is what is no disk" "$ERR" 'io\.share: device "/dev/null": Block device required'
drop_disk
finish
