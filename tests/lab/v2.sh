#!/bin/bash
# What only a host of nothing but cgroup v2 can show: each limit lies in the kernel's own file, the
# tree is made where it must be, and a daemon in a delegated unit can die and be started again.
. "$(dirname "$0")/../lib/harness.sh"
CG=/sys/fs/cgroup
[ -e $CG/cgroup.controllers ] || skip_all "not a host with cgroup v2 alone"
start_daemon

slot_of() { echo "$CG$(sed -n 's/^0:://p' "/proc/$(pid_of "$1")/cgroup")"; }
# file FILE: of the context "box"
file() { cat "$SLOT/$1"; }

# --- limits in the kernel's files ---
ini box <<-END
	[context]
	command = sleep 1000
	[cpu]
	share = 250
	limit = 50%
	burst = 20ms
	cpus = 0
	[memory]
	limit = 128M
	reserve = 16M
	swap = 0
	[process]
	limit = 77
	[files]
	device = /dev/loop-control
END
check "a context with every limit starts" ctl start box
SLOT=$(slot_of box)
like "it was born in its slot" "$SLOT" "^$CG/ward/$INSTANCE/[0-9]+$"
is "the daemon itself stays where it was" "$(cat "/proc/$DAEMON/cgroup")" "$(cat /proc/self/cgroup)"
is "cpu.weight" "$(file cpu.weight)" 250
is "cpu.max" "$(file cpu.max)" "50000 100000"
is "cpu.max.burst" "$(file cpu.max.burst)" 20000
is "cpuset.cpus.effective" "$(file cpuset.cpus.effective)" 0
is "memory.max" "$(file memory.max)" $((128 << 20))
is "memory.swap.max" "$(file memory.swap.max)" 0
is "memory.min" "$(file memory.min)" $((16 << 20))
is "memory.min of the daemon's directory is the sum" "$(cat "$SLOT/../memory.min")" $((16 << 20))
is "memory.oom.group" "$(file memory.oom.group)" 1
is "pids.max" "$(file pids.max)" 77
in_ctx box 'cat /proc/self/cgroup'
is "inside it is the top of its own tree" "$OUT" "0::/"
in_ctx box 'cat /sys/fs/cgroup/ward 2>&1; ls -d /sys/fs/cgroup/*/ 2>/dev/null; true'
unlike "and sees none of the host's" "$OUT" "$INSTANCE"

# --- changed while it runs ---
check "all at once" ctl set box cpu.share=100 cpu.limit=20% cpu.burst=0s cpu.cpus=0-1 \
	memory.limit=64M memory.reserve=8M process.limit=50
is "is in the files" "$(for f in cpu.weight cpu.max cpu.max.burst cpuset.cpus.effective memory.max \
	memory.min memory.high pids.max; do file $f; done | paste -sd,)" \
	"100,20000 100000,0,0-1,$((64 << 20)),$((8 << 20)),max,50"
is "the sum follows" "$(cat "$SLOT/../memory.min")" $((8 << 20))

# --- numbers ---
in_ctx box 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done'
less "CPU time is counted (us)" 1000 "$(stat_of box cpu_us)"
less "memory is counted" 10000 "$(stat_of box memory_bytes)"
less "processes are counted" 1 "$(stat_of box pids)"

# --- frozen, killed ---
check "freeze" ctl freeze box
check "cgroup.events says so" retry_until 5 grep -qx 'frozen 1' "$SLOT/cgroup.events"
check "a frozen one can be killed" ctl kill box -s KILL
check "it ends" retry_until 10 is_state box stopped
check "its slot goes away" retry_until 5 test ! -e "$SLOT"
is "and gives back what it had reserved" "$(cat "$CG/ward/$INSTANCE/memory.min")" 0

# --- devices ---
node='import os, sys
for path in sys.argv[1:]:
    try: os.close(os.open(path, os.O_RDWR)); print(path, "opens")
    except OSError as e: print(path, e.strerror)'
run_ctl run --set files.device=/dev/loop-control -- /usr/bin/python3 -c "$node" /dev/loop-control /dev/null
like "a device that is named can be opened" "$OUT" 'loop-control opens'
like "and the usual ones" "$OUT" 'null opens'

# --- a delegated unit ---
term_daemon
unit=$CG/unit-$$.service
mkdir -p "$unit/supervisor"
echo '+cpu +memory +pids' >$CG/cgroup.subtree_control
/usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "trusted.delegate", b"1")' "$unit"
in_unit() { echo $BASHPID >"$unit/supervisor/cgroup.procs" && exec "$REAL" "$@"; }
REAL=$WARDD WARDD=in_unit
launch_daemon
verdict "a daemon starts in a delegated unit's leaf" $?
INSTANCE=$(our_instance)
check "a context starts there" ctl start box
SLOT=$(slot_of box)
like "beside the daemon's leaf" "$SLOT" "^$unit/ward/$INSTANCE/[0-9]+$"
is "with its limits" "$(file memory.max),$(file pids.max)" "$((64 << 20)),50"
pid=$(pid_of box)
kill_daemon
launch_daemon
verdict "another daemon starts in the same unit" $?
is "and the context runs on" "$(pid_of box)" "$pid"
check "it stops" ctl stop box --timeout 1s
term_daemon
check "the unit is empty again" retry_until 5 rmdir "$unit/supervisor"
rmdir "$unit/ward" 2>/dev/null
check "and can be removed" rmdir "$unit"
WARDD=$REAL
launch_daemon
verdict "a daemon outside starts again" $?
INSTANCE=$(our_instance)
finish
