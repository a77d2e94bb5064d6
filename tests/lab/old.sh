#!/bin/bash
# Debian 12's own kernel (6.1) cannot id-map tmpfs (6.3): contexts have ids of their own all the same,
# by chown and by an image for the layer that masks. What cannot be had is refused by its name.
. "$(dirname "$0")/../lib/harness.sh"
IFS=. read -r major minor _ < <(uname -r)
[ "$major" -lt 6 ] || { [ "$major" = 6 ] && [ "$minor" -lt 3 ]; } ||
	skip_all "the kernel is not older than 6.3"
start_daemon

# --- what is said of it ---
feature() { ctl doctor --json | jq -r --arg n "$1" '.. | objects | select(.name? == $n) | .present'; }
is "doctor says that tmpfs cannot be id-mapped" "$(feature idmap-tmpfs)" false
is "that overlay can be had above id-mapped layers" "$(feature idmap-overlay)" true
is "and that the layer which masks can be id-mapped" "$(feature idmap-mask)" true

# --- a throwaway by the defaults ---
run_sh -- 'cut -c 1-22 /proc/self/uid_map; stat -c "%u:%g %n" / /etc /etc/hostname /etc/passwd /usr /tmp /dev \
	/dev/null /dev/shm /root | grep -v "^0:0 "; echo 1 >/etc/mine && cat /etc/mine'
is "a throwaway runs" "$RC" 0
unlike "with ids of its own" "$(head -n 1 <<<"$OUT")" '^ *0 +0$'
is "everything is its root's, and it writes to its copy" "$(tail -n +2 <<<"$OUT")" 1
refuse "which leaves nothing on the host" test -e /etc/mine
run_sh -- 'head -n 1 /etc/shadow; find /root /home /var/log -type f; echo end'
like "secrets are masked" "$OUT" '^root:\*:'
is "all of them" "$(tail -n +2 <<<"$OUT")" end
run_sh -- 'mkdir /dev/x; chmod 600 /dev/null; setpriv --reuid=65534 sh -c "echo x >/tmp/n; stat -c %u /tmp/n"'
like "its /dev cannot be changed" "$OUT" 'Read-only'
like "other users of it write too" "$OUT" '^65534$'

# --- what a copy takes along ---
capped=/usr/local/bin/ward-test-$$
cp /bin/true "$capped"
xattrs='import os, struct, sys
path, cap, acl = sys.argv[2], "security.capability", "system.posix_acl_access"
entry = lambda tag, mode, id=0xffffffff: struct.pack("<HHI", tag, mode, id)
if sys.argv[1] == "set":
    os.setxattr(path, cap, struct.pack("<5I", 0x2000001, 1 << 10, 0, 0, 0))
    os.setxattr(path, acl, struct.pack("<I", 2) + entry(1, 7) + entry(2, 4, 1000) + entry(4, 5) +
        entry(16, 5) + entry(32, 5))
else:
    print(os.getxattr(path, cap)[4:8].hex(), struct.unpack("<I", os.getxattr(path, acl)[16:20])[0])'
python3 -c "$xattrs" set "$capped"
host=$(python3 -c "$xattrs" get "$capped")
OUT=$(ctl run -- /bin/sh -c 'mv "$2" "$2.moved" && python3 -c "$1" get "$2.moved"' \
	_ "$xattrs" "$capped" 2>&1 </dev/null)
is "file capabilities and ACLs are copied up" "$OUT" "$host"
rm "$capped"

# --- one that stays ---
ini box <<-END
	[context]
	command = sleep 1000
	[memory]
	limit = 32M
	swap = 0
	[files]
	upper = kept:16M
	tmpfs = /mnt:1M
	hide = /usr/share/doc
	bind = /srv
	END
like "a kept upper is planned as id-mapped" "$(ctl plan box)" \
	'idmapped upper=uppers/box.img:16777216 nodev'
check "a context with a kept upper, a hide and a bind starts" ctl start box
in_ctx box 'touch /etc/kept /mnt/x && stat -c %u /etc/kept /mnt/x /mnt; ls /usr/share/doc 2>/dev/null; cat /proc/self/cgroup'
is "its view is as declared" "$(paste -sd' ' <<<"$OUT")" "0 0 0 0::/"
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
check "it stops for good" ctl stop box --timeout 1s
only_ours() { [ "$(our_loops | wc -l)" = 1 ]; }
check "of the loop devices only that of the layer is left" retry_until 5 only_ours

# --- another image when the host changes ---
echo new >/etc/ward-test-new
run_sh -- 'cat /etc/ward-test-new'
is "what is new on the host shows" "$OUT" new
rm /etc/ward-test-new
run_sh -- 'cat /etc/ward-test-new 2>/dev/null; echo end'
is "what is gone does not" "$OUT" end
check "and each image goes when it is replaced" retry_until 5 only_ours

# --- what cannot be had ---
mkdir /dev/shm/bound
run_sh --set files.bind=/dev/shm/bound:/mnt -- true
is "a bind of a tmpfs is refused" "$RC" 125
like "by what the kernel lacks" "$OUT" 'id-mapped tmpfs'
like "and the way out" "$OUT" 'process\.ids = none'
run_sh --set files.bind=/dev/shm/bound:/mnt --set process.ids=none -- 'echo works'
is "which is one" "$OUT" works
rmdir /dev/shm/bound
term_daemon
REAL=$WARDD
lame() { exec unshare -m bash -c 'mount --bind /bin/false /usr/sbin/mke2fs && exec "$@"' _ "$REAL" "$@"; }
WARDD=lame launch_daemon
verdict "a daemon starts without a working mke2fs" $?
is "doctor says what is lost" "$(feature idmap-mask)" false
run_sh -- true
like "ids of its own over the host are refused by name" "$OUT" 'mke2fs.*process\.ids = none'
run_sh --set process.ids=none -- 'echo works'
is "without them a throwaway runs" "$OUT" works
term_daemon
launch_daemon
verdict "and with it all is as before" $?

# --- the demo ---
mkdir -p "$WARD_DIR/demo/build"
cp -r "$ROOT/scripts" "$ROOT/configs" "$WARD_DIR/demo/"
cp "$BUILD"/ward* "$WARD_DIR/demo/build/"
check "the demo runs to its end" "$WARD_DIR/demo/scripts/demo.sh"
finish
