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
bare_dir=$(mktemp -d /dev/shm/ward-bench.XXXXXX)

layer() { # NAME [SECTION KEY=VALUE]...: a context that differs from the full one
	local name=$1
	shift
	{
		printf '[context]\ncommand = sleep 100000\nstop = KILL\n'
		printf '[files]\nupper = tmpfs:256M\nbind = %s:/srv:ro\nbind = %s:/mnt:rw\n' "$WARD_DIR/bin" "$bare_dir"
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

compare() { # KIND AIM BARE_ARG INSIDE_ARG [LAYERS...]
	local kind=$1 aim=$2 arg=$3 in_arg=$4 name i
	shift 4
	rm -f "$WARD_DIR"/t.*
	for ((i = 0; i < rounds; i++)); do
		bare "$kind" $arg >>"$WARD_DIR/t.bare"
		for name in full "$@"; do
			case $name in
			directory) inside full "$kind" /mnt >>"$WARD_DIR/t.directory" ;;
			*) inside "$name" "$kind" $in_arg >>"$WARD_DIR/t.$name" ;;
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
compare syscall 1.03 '' '' no-seccomp no-limits no-ids
compare file 1.03 "$bare_dir" /tmp no-seccomp directory no-limits no-ids
compare read 1.03 /usr/include /usr/include no-seccomp no-ids
compare fork 1.03 '' '' no-seccomp no-limits no-ids
compare exec 1.03 '' '' no-seccomp no-limits no-ids
rm -rf "$bare_dir"
