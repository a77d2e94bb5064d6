#!/bin/bash
# Paths that try to leave the view: `..` and symbolic links in binds, hides and directories, the
# working directory and descriptors of the runtime (CVE-2024-21626), its program (CVE-2019-5736),
# and what a kept upper carries out.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/attack.sh"
start_daemon
chmod 755 "$WARD_DIR"
build_attack
out=$WARD_DIR/outside tree=$WARD_DIR/tree
mkdir -p "$out/dir" "$tree"/{bin,etc,tmp,proc,sys,dev,mnt,root}
echo original >"$out/file"
cp /bin/busybox "$tree/bin/busybox" && ln -s busybox "$tree/bin/sh"
ln -s "$out" "$tree/absolute"
ln -s "../../../../../../../..$out" "$tree/relative"
ln -s "$out/file" "$tree/etc/hostname"
ln -s "$out/file" "$tree/etc/resolv.conf"
host_state() { find "$out" "$tree" -printf '%P %y %m %U %s %l\n' | sort; cat "$out/file"; }
before=$(host_state)

# --- targets inside the view that point outside ---
in_tree() { # OPTIONS... -- SCRIPT
	local options=(--set files.root="$tree")
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	OUT=$(ctl run "${options[@]}" -- /bin/busybox sh -c "$2" 2>&1 </dev/null)
	RC=$?
}
for mode in cow read-write read-only; do
	for link in absolute relative; do
		in_tree --set files.mode=$mode --set files.bind="$WARD_DIR/srv:/$link/dir:ro" -- 'echo ran'
		is "bind through a link ($link, $mode) leaves the host alone" "$(host_state)" "$before"
		in_tree --set files.mode=$mode --set files.tmpfs="/$link/dir:1M" -- 'echo ran'
		is "tmpfs through a link ($link, $mode) leaves the host alone" "$(host_state)" "$before"
		in_tree --set files.mode=$mode --set files.hide="/$link/file" -- 'echo ran'
		is "hide through a link ($link, $mode) leaves the host alone" "$(host_state)" "$before"
		in_tree --set files.mode=$mode -- "echo lost >/$link/file; echo lost >/$link/new"
		is "writing through a link ($link, $mode) leaves the host alone" "$(host_state)" "$before"
	done
	in_tree --set files.mode=$mode -- 'cat /etc/hostname /etc/resolv.conf'
	unlike "made files do not follow links to the host ($mode)" "$OUT" original
	is "made files leave the host alone ($mode)" "$(host_state)" "$before"
done
for device in /dev/null /absolute/file; do
	in_tree --set files.device="$device" -- 'echo ran'
	is "device $device leaves the host alone" "$(host_state)" "$before"
done

# --- values with .. ---
for key in files.bind="$WARD_DIR/srv:/../../../..$out/dir:rw" files.hide="/../..$out/file" \
	files.tmpfs="/mnt/../../..$out/dir:1M" files.bind="/srv/../../..$out/dir:/mnt:rw"; do
	in_tree --set files.mode=read-write --set "$key" -- 'echo lost >/mnt/lost; echo ran'
	is "a path with .. leaves the host alone: ${key%%=*}" "$(host_state)" "$before"
done
run_ctl run --set files.hide=relative/path -- true
is "a path that is not absolute is refused" "$RC" 125

# --- a link that changes while contexts start (a race for the runtime) ---
mkdir "$tree/swing"
out_state() { find "$out" -printf '%P %s\n' | sort; cat "$out/file"; }
out_before=$(out_state)
background bash -c 'while :; do ln -sfn "$1" "$2/swing.new"; mv -T "$2/swing" "$2/swing.old" 2>/dev/null
	mv -T "$2/swing.new" "$2/swing"; rm -f "$2/swing"; mkdir -p "$2/swing"; rm -rf "$2/swing.old"; done' \
	_ "$out" "$tree" 2>/dev/null
for _ in $(seq 20); do
	in_tree --set files.mode=read-write --set files.bind="$WARD_DIR/srv:/swing/dir:ro" \
		--set files.tmpfs=/swing/dir:1M -- 'echo lost >/swing/dir/lost'
done
end_background "$BG"
is "a link that swings during the start leaves the host alone" "$(out_state)" "$out_before"
rm -rf "$tree"/swing*

# --- CVE-2024-21626: descriptors and working directory of the runtime ---
ini sleeper <<-END
	[context]
	command = sleep 1000
	[files]
	bind = $WARD_DIR/srv:/srv:ro
END
check "a context to enter starts" ctl start sleeper
for fd in 3 4 5 6 7 8 9 10 11 12 15 20; do
	for how in "run --set context.directory=/proc/self/fd/$fd" "exec -C /proc/self/fd/$fd sleeper"; do
		# shellcheck disable=SC2086
		run_ctl $how -- /bin/sh -c 'case $(pwd -P) in /*) ;; *) exit 9 ;; esac
			[ "$(stat -c %d:%i .. ../../../../../../..)" = "$(stat -c %d:%i .. /)" ] || exit 9'
		[ "$RC" -ne 9 ] || leak="${leak:-}$how "
	done
done
is "no working directory below /proc/self/fd lies outside of the view" "${leak:-}" ""
for how in run "exec sleeper"; do
	# shellcheck disable=SC2086
	OUT=$(cd "$out" && exec 7<. 8<"$out/file" && ctl $how -- /bin/sh -c \
		'ls /proc/self/fd | tr "\n" " "; readlink /proc/self/cwd' 2>&1 </dev/null)
	is "$how: descriptors of the caller stay with the caller" "$OUT" "0 1 2 3 /"
done

# --- CVE-2019-5736: the program that enters ---
sums() { sha256sum "$WARDD" "$WARDCTL" "${WARD_INIT:-$BUILD/ward-init}" | sha256sum; }
programs=$(sums)
in_ctx sleeper 'printf "#!/proc/self/exe\n" >/tmp/trap; chmod 755 /tmp/trap'
run_ctl exec sleeper -- /tmp/trap
isnt "a script whose interpreter is /proc/self/exe does not run Ward's program" "$RC" 0
in_ctx sleeper 'for i in $(seq 300); do for p in /proc/[0-9]*; do
	case $(readlink $p/exe) in *ward*|*memfd*) { echo lost >$p/exe; } 2>/dev/null && echo WROTE $p;; esac
	done; done & for j in 1 2 3 4 5; do :; done; wait'
WRITER=$OUT
for _ in $(seq 10); do run_ctl exec sleeper -- /proc/self/exe; done
unlike "no program of the runtime can be written from inside" "$WRITER" WROTE
is "the programs of the runtime are unchanged" "$(sums)" "$programs"

# --- what a kept upper carries out ---
ini keeper <<-END
	[context]
	command = sleep 1000
	[files]
	upper = kept:32M
END
check "a context with a kept upper starts" ctl start keeper
in_ctx keeper 'cp /bin/sh /tmp/rootsh && chmod 4755 /tmp/rootsh && mknod /tmp/node c 1 1 2>&1; ls -l /tmp/rootsh'
like "a set-uid program can be made inside" "$OUT" '^-rws'
# It belongs to root on the image (nothing is ever chowned), so nobody else may come near it.
as_stranger() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
pid=$(pid_of keeper)
image=$(find "$WARD_DIR/state" -name 'keeper*.img' -type f)
check "control: root sees it through the context's process" test -u "/proc/$pid/root/tmp/rootsh"
refuse "a stranger does not" as_stranger ls "/proc/$pid/root/tmp/rootsh"
refuse "nor can a stranger read the image" as_stranger cat "$image"
loop=$(our_uppers | awk '{ print $1; exit }')
[ -z "$loop" ] || refuse "nor its loop device" as_stranger head -c 1 "$loop"
is "and it is mounted nowhere on the host" "$(grep -c "${loop:-keeper.img}" /proc/self/mountinfo)" 0
check "the context stops" ctl stop keeper --timeout 2s
mkdir "$WARD_DIR/look"
look=$(unshare -m bash -c 'mount -o loop,ro "$1" "$2" && find "$2" -type c -name node' _ \
	"$image" "$WARD_DIR/look" 2>&1)
is "no device lies in the kept upper" "$look" ""
# what an exec on its way in runs from (CVE-2019-5736), also with ids = none
sealed=$(python3 -c 'import os, sys; print(bool(os.statvfs(sys.argv[1]).f_flag & os.ST_RDONLY))' "/proc/$DAEMON/exe")
is "the daemon runs from a read-only mount of its binary" "$sealed" True
finish
