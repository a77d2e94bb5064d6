#!/bin/bash
# What is declared exists: every function in a room's headers is defined in its archive, every file
# of a room opens with its reason to be, every fuzz target has a corpus. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1

count=0
verdict() { # TEXT PROBLEMS
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

for room in $(sed -n 's/^ROOMS *:= *//p' Makefile); do
	[ -d "$room" ] || continue
	defined=$(nm --defined-only "build/lib${room//\//-}.a" 2>/dev/null | awk '$2 ~ /[TDRB]/ { print $3 }' | sort -u)
	declared=$(ctags-universal -f - --languages=C --langmap=C:+.h --kinds-C=p --fields=k "$room"/*.h |
		grep -v '\.bpf\.h	' | cut -f1,2 | grep -vE '^(fault_[a-z]+|[A-Z_]+)\b' | sort -u)
	[ -n "$defined" ] || declared= # nothing built: `make` says why
	verdict "every function that $room/ declares is defined there" "$(
		[ -n "$defined" ] || echo "build/lib${room//\//-}.a was not built"
		while read -r name header; do
			[ -z "$name" ] || grep -qxF "$name" <<<"$defined" || echo "$header: $name()"
		done <<<"$declared"
	)"
	verdict "every file of $room/ opens with its reason to be" \
		"$(for f in "$room"/*.[ch]; do head -1 "$f" | grep -q '^/\*' || echo "$f"; done)"
done

verdict "every fuzz target has a corpus" "$(
	for target in tests/fuzz/fuzz_*.c; do
		[ -e "$target" ] || continue
		name=$(basename "$target" .c)
		compgen -G "tests/fuzz/corpus/${name#fuzz_}/*" >/dev/null || echo "${name#fuzz_} has none"
	done
)"
echo "1..$count"
