# shellcheck shell=bash
# A block device of the test's own: a loop device with direct I/O over a file in $WARD_DIR. Its
# scheduler is given back as it was. Source it after the daemon has been started.
DISK='' DISK_BACK=''

# make_disk MEGABYTES: sets DISK ("/dev/loop3"), DISK_NUMBER ("7:3") and DISK_QUEUE
make_disk() {
	head -c "$1M" /dev/urandom >"$WARD_DIR/disk.img" || return
	DISK=$(losetup --direct-io=on -f --show "$WARD_DIR/disk.img") || return
	DISK_NUMBER=$(lsblk -dno MAJ:MIN "$DISK" 2>/dev/null | tr -d ' ')
	[ -n "$DISK_NUMBER" ] || DISK_NUMBER=7:${DISK#/dev/loop}
	DISK_QUEUE=/sys/block/${DISK#/dev/}/queue
	DISK_BACK=$(sed 's/.*\[\(.*\)\].*/\1/' "$DISK_QUEUE/scheduler")
	trap 'drop_disk; finish 1' EXIT
}
drop_disk() {
	[ -n "$DISK" ] || return 0
	[ -z "$DISK_BACK" ] || echo "$DISK_BACK" >"$DISK_QUEUE/scheduler"
	losetup -d "$DISK"
	DISK=''
}
# schedule SCHEDULER: BFQ without its favours, for a disk that is as fast as memory would seldom be
# short, and for programs that have just begun, as our readers always have
schedule() {
	echo "$1" >"$DISK_QUEUE/scheduler" || return
	[ "$1" = bfq ] || return 0
	echo 0 >"$DISK_QUEUE/iosched/low_latency"
	echo 1 >"$DISK_QUEUE/iosched/strict_guarantees"
}
can_schedule() { grep -qw "$1" "$DISK_QUEUE/scheduler"; }
# disk_of CONTEXT Read|Write: bytes of this disk by the kernel's own count. (Ward's stats may be a
# moment old: too old for what is measured here.)
disk_of() {
	local cgroup path
	cgroup=$(cat "/proc/$(pid_of "$1")/cgroup") || return
	path=$(sed -n 's/^[0-9]*:blkio://p' <<<"$cgroup")
	if [ -n "$path" ]; then
		awk -v d="$DISK_NUMBER" -v w="$2" '$1 == d && $2 == w { n = $3 } END { printf "%.0f\n", n }' \
			"/sys/fs/cgroup/blkio$path/blkio.throttle.io_service_bytes"
	else
		path=$(sed -n 's/^0:://p' <<<"$cgroup")
		sed -n "s/^$DISK_NUMBER .*$(tr RW rw <<<"${2:0:1}")bytes=\([0-9]*\).*/\1/p" \
			"/sys/fs/cgroup$path/io.stat" | grep . || echo 0
	fi
}
read_of() { disk_of "$1" Read; }
written_by() { disk_of "$1" Write; }
# over SECONDS FUNCTION CONTEXT...: what each got a second in that time (bytes), a word each
over() {
	local seconds=$1 what=$2 name before=() since=() i=0
	shift 2
	for name in "$@"; do before+=("$("$what" "$name")") since+=("$(now_ms)"); done
	sleep "$seconds"
	for name in "$@"; do
		echo $((($("$what" "$name") - before[i]) * 1000 / ($(now_ms) - since[i])))
		i=$((i + 1))
	done | paste -sd' '
}
