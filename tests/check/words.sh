#!/bin/bash
# Words that have no place here: functions that cannot be used safely, and notes of unfinished
# work. Prints TAP, one test a word.
cd "$(dirname "$0")/../.." || exit 1

mapfile -t sources < <(find . -path ./build -prune -o -path ./.git -prune -o -name '*.[ch]' -print |
	cut -c3- | sort)
mapfile -t texts < <(find . -path ./build -prune -o -path ./.git -prune -o -type f \
	\( -name '*.[ch158]' -o -name '*.md' -o -name '*.sh' -o -name '*.ini' -o -name '*.in' \
	-o -name Makefile -o -path './scripts/*' -o -path './tests/run' \) -print | cut -c3- | sort)

count=0
verdict() { # TEXT PROBLEMS
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		printf '%s\n' "$2" | head -20 | sed 's/^/# /'
	fi
}

# The code (but that of attacks and measurements) without its strings and comments, each line led by FILE:LINE:.
code=$(awk '
	FNR == 1 { comment = 0 }
	{
		line = $0
		if (comment) {
			if (!sub(/^.*\*\//, "", line)) next
			comment = 0
		}
		gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
		gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
		if (sub(/\/\*.*/, "", line)) comment = 1
		sub(/\/\/.*/, "", line)
		print FILENAME ":" FNR ":" line
	}' "${sources[@]}" | grep -vE '^(tests/escape|bench)/')

calls() { # NAME
	grep -E "^[^:]*:[0-9]+:(.*[^A-Za-z0-9_>.])?($1) ?\(" <<<"$code"
}

for name in strcpy strncpy strcat strncat sprintf vsprintf strtok atoi atol atoll gets system popen \
	basename dirname signal alloca mktemp tmpnam vfork usleep; do
	verdict "nobody calls $name()" "$(calls "$name")"
done
verdict "strtol() and its like are never called without looking at what follows the number" \
	"$(calls '(strto[a-z]+)' | grep -E 'strto[a-z]+ ?\([^,]*, *NULL')"
verdict "nothing is unfinished" \
	"$(grep -nwE 'TO''DO|FIX''ME|XX''X|HA''CK|stu''b|place''holder' "${texts[@]}")"
verdict "no path of a developer's machine is mentioned" \
	"$(grep -nE '/wo''rk/|/home/[a-z]+/src' "${texts[@]}")"
verdict "no line ends in white space" "$(grep -nE '[[:space:]]+$' "${sources[@]}")"
echo "1..$count"
