#!/bin/bash
# The measures of the style: functions of at most 80 lines (by ctags), files of at most 600, lines
# of at most 100 columns. Prints TAP, one test a measure, and the medians.
cd "$(dirname "$0")/../.." || exit 1

mapfile -t sources < <(find . -path ./build -prune -o -path ./.git -prune -o -name '*.[ch]' -print |
	cut -c3- | sort)

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

functions=$(ctags-universal -f - --languages=C --kinds-C=f --fields=+ne --langmap=C:+.h "${sources[@]}" |
	sed -n 's/^\([^\t]*\)\t\([^\t]*\)\t.*\tline:\([0-9]*\).*\tend:\([0-9]*\).*/\2 \1 \3 \4/p' |
	awk '{ print $4 - $3 + 1, $1 ":" $3 ": " $2 "()" }' | sort -n)

verdict "no function is longer than 80 lines" \
	"$(awk '$1 > 80 { print $2, $3, "has", $1, "lines" }' <<<"$functions")"
verdict "no file is longer than 600 lines" \
	"$(wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }')"
verdict "no line is longer than 100 columns" \
	"$(for f in "${sources[@]}"; do
		expand "$f" | awk -v f="$f" 'length($0) > 100 { print f ":" NR ": " length($0) " columns" }'
	done)"
median=$(awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }' <<<"$functions")
verdict "the median function has at most 15 lines (it has $median)" \
	"$([ "${median:-0}" -le 15 ] || echo "median $median")"
echo "# $(wc -l <<<"$functions") functions in ${#sources[@]} files"
echo "1..$count"
