#!/bin/bash
# A kernel before 6.3 (Debian 12's own) has no idmapped tmpfs: contexts with ids of their own are
# refused by the feature's name, those without run. WARD_LAB_KERNEL=linux-image-6.1... picks one.
. "$(dirname "$0")/../lib/harness.sh"
IFS=. read -r major minor _ < <(uname -r)
[ "$major" -lt 6 ] || [ "$major.$minor" = 6.1 ] || skip_all "the kernel is not older than 6.3"
start_daemon
run_sh -- true
is "ids of its own are refused" "$RC" 125
like "by what the kernel lacks" "$OUT" 'id-mapped tmpfs'
like "and the way out" "$OUT" 'process\.ids = none'
run_sh --set process.ids=none -- 'echo works; cat /etc/debian_version; echo 1 >/etc/mine; cat /etc/mine; ls /root /home'
is "a throwaway without runs" "$RC" 0
like "and writes to its copy" "$OUT" '^1$'
refuse "which leaves nothing on the host" test -e /etc/mine
ini box <<-END
	[context]
	command = sleep 1000
	[process]
	ids = none
	[memory]
	limit = 32M
	swap = 0
	[files]
	upper = kept:16M
	tmpfs = /mnt:1M
	hide = /usr/share/doc
	bind = /srv
END
check "a context with a kept upper, a hide and a bind starts" ctl start box
in_ctx box 'touch /etc/kept /mnt/x && ls /usr/share/doc; cat /proc/self/cgroup'
is "its view is as declared" "$OUT" "0::/"
check "freeze" ctl freeze box
check "thaw" ctl thaw box
check "a limit changes live" ctl set box memory.limit=24M
is "in force" "$(stat_of box memory_limit_bytes)" $((24 << 20))
kill_daemon
launch_daemon
verdict "another daemon takes over" $?
check "it stops" ctl stop box --timeout 1s
check "and starts again" ctl start box
in_ctx box 'ls /etc/kept'
is "with what it kept" "$OUT" /etc/kept
finish
