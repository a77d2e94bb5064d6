#!/bin/bash
# Every header compiles alone, with gcc and clang, says #pragma once, and opens with its reason to
# be. Prints TAP. (What BPF programs share, *.bpf.h, is compiled with them.)
cd "$(dirname "$0")/../.." || exit 1

count=0
for header in $(find . -path ./build -prune -o -path ./.git -prune -o -name '*.h' ! -name '*.bpf.h' -print | cut -c3- | sort); do
	count=$((count + 1))
	problems=$(
		grep -q '^#pragma once' "$header" || echo "no #pragma once"
		head -1 "$header" | grep -q '^/\*' || echo "does not open with a comment"
		for cc in gcc clang; do
			echo "#include \"$header\"" |
				$cc -std=gnu2x -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -x c - 2>&1
		done
	)
	if [ -z "$problems" ]; then
		echo "ok $count - $header compiles alone"
	else
		echo "not ok $count - $header compiles alone"
		printf '%s\n' "$problems" | sed 's/^/# /'
	fi
done
echo "1..$count"
