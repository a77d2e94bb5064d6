#!/bin/bash
# Delivered against promised: what stats, top, metrics, why and events say of it, against what was
# done to contexts.
. "$(dirname "$0")/../lib/harness.sh"
chrt -f 1 true 2>/dev/null || skip_all "no real-time priority can be had here"
start_daemon

# hog NAME [LINES]: a context with two threads that never wait
hog() {
	printf '[context]\ncommand = sh -c "while :; do :; done & while :; do :; done"\nstop = KILL\n%b' "${2:-}" | ini "$1"
	ctl start "$1"
}
# part NAME WINDOW FIGURE: in thousandths of a CPU; -1: there is no account
part() {
	ctl stats "$1" --json | jq --arg w "$2" --arg f "$3" '(if type == "array" then .[0] else . end) |
		.delivered.cpu[$w] // {} | if (.over_us // 0) > 0 then (.[$f] * 1000 / .over_us | floor) else -1 end'
}

CPU=$(awk -F '[-,\t]' '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
check "a hog that shares starts" hog shares "[cpu]\ncpus = $CPU\n"
is "while nothing is promised there is no account" "$(ctl stats shares --json | jq -c '(if type == "array" then .[0] else . end) | .delivered')" null
is "nor does why have one" "$(ctl why shares --json | jq -c .delivered)" null

check "one with a reserve on the same CPU starts" hog holds "[cpu]\nreserve = 80%\ncpus = $CPU\n"
sleep 2.5
kept() {
	local promised used entitled
	promised=$(part holds second promised_us) used=$(part holds second used_us)
	entitled=$(part holds second entitled_us)
	echo "# holds: promised $promised, used $used, entitled $entitled, broken $(part holds second broken_us)" >&3
	[ "$promised" -ge 780 ] && [ "$used" -ge 760 ] && [ "$entitled" -ge 780 ]
}
exec 3>&1
check "its account says that it was promised 80 % and has it" retry_until 10 kept
shares_out() { # the rest is for both and the host, by shares
	local a b
	a=$(part shares second entitled_us) b=$(part holds second entitled_us)
	echo "# entitled: shares $a, holds $b" >&3
	[ "$a" -gt 30 ] && [ $((b - a)) -gt 700 ] && [ $((b - a)) -lt 900 ]
}
check "the one that shares is entitled to what is left, by its share" retry_until 10 shares_out
is "less is known of an hour than an hour" \
	"$(ctl stats holds --json | jq '(if type == "array" then .[0] else . end) | .delivered.cpu.hour.over_us < 120000000')" true
no_breach() { ! ctl events --kind breach --json | grep -q .; }
check "nothing was broken" no_breach

# Somebody on the host takes its CPU whom no weight holds back: a program of real-time priority. The
# kernel itself leaves a twentieth to the others.
background taskset -c "$CPU" chrt -f 1 sh -c 'while :; do :; done'
breaches() { ctl events holds --kind breach --json; }
told() { [ "$(breaches | wc -l)" -ge 1 ]; }
check "a promise that is broken is an event" retry_until 10 told
first=$(breaches | head -n 1)
is "of the resource" "$(jq -r .resource <<<"$first")" cpu
less "with what was promised (thousandths of a CPU)" 700 "$(jq .promised_millicpu <<<"$first")"
less "and what was delivered" "$(jq .delivered_millicpu <<<"$first")" 760
sleep 2
is "another is not told at once" "$(breaches | wc -l)" 1
missing() { [ "$(part holds second broken_us)" -gt 450 ]; }
check "stats say what is missing" retry_until 5 missing
is "the other has lost nothing" "$(part shares second broken_us)" 0
OUT=$(ctl why holds)
like "why says so" "$OUT" 'delivered +entitled to .* of a CPU, it got .* of cpu.reserve .* were not given'
OUT=$(ctl top -b 1 --columns name,cpu-reserve,cpu-entitled,cpu-missed)
like "top has columns for it" "$OUT" 'holds +80.0% +[0-9.]+% +[0-9.]+%'
OUT=$(api http://w/metrics)
for family in reserve entitled missed broken; do
	like "metrics have ward_context_cpu_${family}_ratio" "$OUT" "^ward_context_cpu_${family}_ratio\{[^}]*\"holds\"\} [0-9.]+$"
done
end_background "$BG"
check "when it is over the account is right again" retry_until 10 kept

# Who sleeps is entitled to its reserve and misses nothing.
ctl freeze holds
sleep 1.5
asleep() { [ "$(part holds second used_us)" -lt 50 ] && [ "$(part holds second broken_us)" -lt 50 ]; }
check "a context that does not run misses nothing" retry_until 5 asleep
ctl thaw holds
ctl stop holds
is "without promises there is no account again" "$(ctl stats shares --json | jq -c '(if type == "array" then .[0] else . end) | .delivered')" null
finish
