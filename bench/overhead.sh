#!/bin/bash
# What work costs inside a context against bare Linux, and what each layer has to do with it.
# The work times itself; bare and inside take turns.
. "$(dirname "$0")/lib.sh"
rounds=${BENCH_OVERHEAD_ROUNDS:-15}
bench_start
export WARD_SOCKET=$SOCK
mkdir "$WARD_DIR/bin" "$WARD_DIR/bare"
chmod 755 "$WARD_DIR"
cp "$WORK" "$WARD_DIR/bin/work"
bare_dir=$(mktemp -d /dev/shm/ward-bench.XXXXXX) disk_dir=$WARD_DIR/bare

layer() { # NAME [SECTION KEY=VALUE]...: a context that differs from the full one
	local name=$1
	shift
	{
		printf '[context]\ncommand = sleep 100000\nstop = KILL\n'
		printf '[files]\nupper = tmpfs:256M\nbind = %s:/srv:ro\nbind = %s:/mnt:rw\n' "$WARD_DIR/bin" "$bare_dir"
		printf 'bind = /usr/include:/media:ro\n'
		if [ "$name" != no-limits ]; then
			printf '[memory]\nlimit = 512M\n[cpu]\nlimit = 400%%\n'
			printf '[process]\nlimit = 300\n'
		else
			printf '[process]\n'
		fi
		printf '%s\n' "$@"
	} >"$WARD_DIR/config/$name.ini"
	ctl start "$name" || exit 1
}
layer full
layer no-seccomp 'seccomp = none'
layer no-limits
layer no-ids 'ids = none'
bare() { "$WORK" "$@"; }
inside() { local name=$1; shift; "$WARDCTL" exec "$name" -- /srv/work "$@" </dev/null; }

# the same, bound from the host: no copy-on-write layer in between
bound() { if [ "$1" = read ]; then echo /media; else echo /mnt; fi; }
compare() { # KIND AIM BARE_ARG INSIDE_ARG [LAYERS...]
	local kind=$1 aim=$2 arg=$3 in_arg=$4 name i
	shift 4
	rm -f "$WARD_DIR"/t.*
	for ((i = 0; i < rounds; i++)); do
		bare "$kind" ${arg:+"$arg"} >>"$WARD_DIR/t.bare"
		for name in full "$@"; do
			case $name in
			seccomp-floor) bare floor >>"$WARD_DIR/t.$name" ;;
			directory) inside full "$kind" "$(bound "$kind")" >>"$WARD_DIR/t.directory" ;;
			*) inside "$name" "$kind" ${in_arg:+"$in_arg"} >>"$WARD_DIR/t.$name" ;;
			esac
		done
	done
	local base
	base=$(median <"$WARD_DIR/t.bare")
	figure "$kind: inside / bare" "$(ratio "$(median <"$WARD_DIR/t.full")" "$base")" "$aim" "(bare: $base us)"
	for name in "$@"; do
		figure "  $kind: $name / bare" "$(ratio "$(median <"$WARD_DIR/t.$name")" "$base")" ''
	done
}
echo "overhead: work inside a context against bare Linux ($rounds rounds in turn, medians)"
compare cpu 1.01 '' '' no-seccomp no-limits
echo "  seccomp-floor: bare, under a filter of one instruction: what the kernel takes for any filter"
compare syscall 1.03 '' '' seccomp-floor no-seccomp no-limits no-ids
echo "  file: small files in /tmp; here and there, as they are (the host's disk, the copy-on-write layer)"
compare file 1.03 "$disk_dir" /tmp
echo "  file: like for like, tmpfs below both"
compare file '' "$bare_dir" /tmp no-seccomp directory no-limits no-ids
echo "  read: /usr/include, from the page cache; through the copy-on-write layer, and bound without it"
compare read 1.03 /usr/include /usr/include no-seccomp no-ids directory
compare fork 1.03 '' '' no-seccomp no-limits no-ids
compare exec 1.03 '' '' no-seccomp no-limits no-ids
if command -v gcc >/dev/null; then
	echo "  shell: gcc compiles a file three times"
	cp "$ROOT/bench/src/work.c" "$bare_dir/"
	compare shell '' "gcc -O1 -D_GNU_SOURCE -c -o $disk_dir/out.o $bare_dir/work.c" \
		"gcc -O1 -D_GNU_SOURCE -c -o /tmp/out.o /mnt/work.c" no-seccomp
fi
rm -rf "$bare_dir"
