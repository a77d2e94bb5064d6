#!/bin/bash
# Every #include against tests/layers.txt, one test a room; and no header includes itself by a way
# round. Prints TAP.
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

# Prints what is wrong with the includes of the files given.
problems_of() { # ROOM FILE...
	local room=$1
	shift
	awk -v room="$room" '
	function base(path) { sub(/.*\//, "", path); return path }
	FILENAME == "tests/layers.txt" {
		if ($0 ~ /^#/ || NF == 0) next
		if ($1 == "door") { door[$2] = 1; next }
		if ($1 == "private") { for (i = 2; i <= NF; i++) insider[$i] = 1; next }
		n = ($1 == "lib") ? 2 : 1
		key = $n; sub(/:$/, "", key)
		if ($1 == "lib") restricted[key] = 1
		for (i = n + 1; i <= NF; i++)
			if ($1 == "lib") lib[key, $i] = 1; else may[key, $i] = 1
		next
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, part, "\""); path = part[2]
		to = path; sub(/\/[^\/]*$/, "", to)
		at = FILENAME ":" FNR ": includes \"" path "\""
		if (path !~ /\// || path ~ /\.\./) { print at ": write the path from the root"; next }
		if (to == room) next
		if (!((room, to) in may)) { print at ": " room " may not know " to; next }
		if (to != "base" && path != to "/" base(to) ".h" && !(path in door) && !(room in insider))
			print at ": it is private to " to
	}
	/^[ \t]*#[ \t]*include[ \t]*</ {
		split($0, part, /[<>]/)
		for (name in restricted)
			if (index(part[2], name) == 1 && !((name, room) in lib))
				print FILENAME ":" FNR ": <" part[2] "> is not for " room
	}' tests/layers.txt "$@"
}

while read -r room; do
	mapfile -t files < <(find "$room" -maxdepth 1 -name '*.[ch]' 2>/dev/null | sort)
	[ ${#files[@]} -eq 0 ] ||
		verdict "$room includes only what its row names" "$(problems_of "$room" "${files[@]}")"
done < <(sed -n 's/^\([a-z][a-z/]*\):.*/\1/p' tests/layers.txt)

unknown=$(find . -path ./build -prune -o -path ./.git -prune -o -name '*.[ch]' -print | sed 's|^./||;s|/[^/]*$||' |
	sort -u | grep -vE '^(tests/escape|bench)/src$' | while read -r folder; do
	grep -q "^$folder:" tests/layers.txt || echo "$folder has no row"
done)
verdict "every folder with sources has a row" "$unknown"

cycle=$(
	for header in $(find . -path ./build -prune -o -name '*.h' -print | cut -c3-); do
		sed -n 's|^#include "\(.*\)"|'"$header"' \1|p' "$header"
	done | tsort 2>&1 >/dev/null)
verdict "headers include each other without a cycle" "$cycle"

echo "1..$count"
