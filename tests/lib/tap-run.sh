#!/bin/bash
# Runs test programs that speak TAP, one after the other, and closes with the sums:
# "N passed, N failed, N skipped". A program that dies or breaks its plan counts as a failure.
set -u
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program in "$@"; do
	name=${program#"$PWD/"} began=$SECONDS
	timeout -k 10 "${TEST_TIMEOUT:-180}" "$program" >"$log" 2>&1 </dev/null
	status=$?
	p=$(grep -c '^ok ' "$log") f=$(grep -c '^not ok ' "$log")
	s=$(grep -Ec '^ok .*# SKIP|^1\.\.0 # SKIP' "$log")
	all_skipped=$(grep -c '^1\.\.0 # SKIP' "$log")
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | tail -n 1)
	if [ "$f" -eq 0 ] && { [ $status -ne 0 ] || [ "${plan:-x}" != "$p" ]; }; then
		f=1
		echo "# $name: status $status, plan ${plan:-missing}, $p results" >>"$log"
	fi
	passed=$((passed + p - s + all_skipped)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '%-40s %3d passed, %d failed, %d skipped (%d s)\n' \
		"$name" $((p - s + all_skipped)) "$f" "$s" $((SECONDS - began))
	if [ "$f" -gt 0 ] || [ -n "${V:-}" ]; then cat "$log"; else grep '# SKIP' "$log"; fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
