#!/bin/bash
# The command line as a person and a script meet it: help, plan, show, get, doctor, completion.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
ini box <<-END
	[context]
	description = a box
	command = sleep 1000
	[cpu]
	limit = 150%
	[memory]
	limit = 64M
END
check "it starts" ctl start box

verbs=$(ctl help | sed -n 's/^  \([a-z]\{2,\}\) .*/\1/p' | sort -u)
for verb in run start stop restart kill freeze thaw status wait exec enter ps logs list show stats \
	events plan set get check doctor version; do
	grep -qx "$verb" <<<"$verbs" || missing="${missing:-} $verb"
	ctl "$verb" --help >"$WARD_DIR/help" 2>&1 || broken="${broken:-} $verb"
	[ -s "$WARD_DIR/help" ] || broken="${broken:-} $verb"
done
is "help names every verb" "${missing:-}" ""
is "every verb explains itself" "${broken:-}" ""
for verb in list stats events doctor version; do
	run_ctl $verb --json
	jq -es . <<<"$OUT" >/dev/null 2>&1 || nojson="${nojson:-} $verb"
done
for verb in show status ps stats get; do
	run_ctl $verb box --json
	jq -e . <<<"$OUT" >/dev/null 2>&1 || nojson="${nojson:-} $verb"
done
is "--json prints JSON" "${nojson:-}" ""
run_ctl list
like "list shows the context" "$OUT" '^box .*running'
unlike "nothing is coloured without a terminal" "$OUT" $'\e'
like "list --quiet prints names" "$(ctl list --quiet)" '^box$'
run_ctl show box
like "show prints an INI file" "$OUT" '^\[cpu\]'
printf '%s\n' "$OUT" >"$WARD_DIR/shown.ini"
check "which is a good one" ctl check "$WARD_DIR/shown.ini"
is "of the same spec" \
	"$(ctl plan --file "$WARD_DIR/shown.ini" 2>&1 | sed 's/shown/box/g' | sha256sum)" \
	"$(ctl plan box | sha256sum)"
run_ctl show box --full
like "show --full has every key" "$OUT" '^share *= *100'
is "get of one key" "$(ctl get box cpu.limit)" 150%
run_ctl get box cpu.limti
is "get of an unknown key is 1" "$RC" 1
like "and suggests" "$ERR" 'mean.*limit'
run_ctl plan box
for word in memory.max cpu.max overlay secrets-mask /proc namespaces seccomp; do
	grep -qi -- "$word" <<<"$OUT" || unplanned="${unplanned:-} $word"
done
is "plan names what will be done" "${unplanned:-}" ""
is "plan does nothing" "$(ctl list --json | jq length)" 1
run_ctl ps box
like "ps shows both process numbers" "$OUT" 'PID.*INNER'
run_ctl stats
like "stats shows the memory" "$OUT" '^box '
background "$WARDCTL" --socket "$SOCK" events --follow >"$WARD_DIR/followed"
ctl freeze box && ctl thaw box
check "events --follow goes on" retry_until 5 grep -q thawed "$WARD_DIR/followed"
end_background "$BG"
background "$WARDCTL" --socket "$SOCK" logs -f box >"$WARD_DIR/logs"
check "logs -f ends when the context does" ctl stop box --timeout 1s
check "at once" retry_until 5 gone "$BG"

# --- create, delete ---
cp "$WARD_DIR/shown.ini" "$WARD_DIR/other.ini"
check "create declares" ctl create "$WARD_DIR/other.ini"
check "its file is there" test -s "$WARD_DIR/config/other.ini"
run_ctl create "$WARD_DIR/other.ini"
is "again is refused" "$RC" 1
check "unless it replaces" ctl create --replace "$WARD_DIR/other.ini"
check "delete" ctl delete other
is "is known no more" "$(state_of other)" ""

# --- the samples, the manual, completion ---
for file in "$ROOT"/configs/*.ini; do
	check "the sample $(basename "$file") is a good one" ctl check "$file"
done
for shell in bash zsh fish; do
	run_ctl completion $shell
	like "completion for $shell" "$OUT" 'wardctl'
done
check "the script for bash is bash" bash -n <(ctl completion bash)
run_ctl version
like "version" "$OUT" '[0-9]+\.[0-9]+'

# --- doctor tells the truth ---
ctl doctor --json | jq 'if type == "array" then { features: . } else . end' >"$WARD_DIR/doctor"
less "doctor looks at many features" 15 "$(jq '.features | length' "$WARD_DIR/doctor")"
check "it says what is lost without each" \
	jq -e '.features | all((.without // "") != "" and (.name // "") != "")' "$WARD_DIR/doctor"
claims() { jq -r --arg n "$1" '[.features[] | select(.name | test($n; "i")) | .present] | .[0] // "unnamed"' "$WARD_DIR/doctor"; }
truth() { # WHAT PATTERN COMMAND...: doctor's claim equals whether the command succeeds
	local what=$1 pattern=$2 real=false claim
	shift 2
	"$@" >/dev/null 2>&1 && real=true
	claim=$(claims "$pattern")
	if [ "$claim" = unnamed ]; then skip "doctor tells the truth about $what" "it names no such feature"; return; fi
	is "doctor tells the truth about $what" "$claim" "$real"
}
truth "user namespaces" '^user.?n' unshare -U true
truth "time namespaces" '^time.?n' unshare -T true
truth "overlay" '^overlay' grep -qw overlay /proc/filesystems
truth "the memory controller" '(^|cgroup[ .:-]*)memory$' bash -c 'test -d /sys/fs/cgroup/memory/ward || grep -qw memory /sys/fs/cgroup/cgroup.controllers'
truth "the CPU controller" '(^|cgroup[ .:-]*)cpu$' bash -c 'test -d /sys/fs/cgroup/cpu/ward || grep -qw cpu /sys/fs/cgroup/cgroup.controllers'
truth "KVM" 'kvm' bash -c 'exec 3<>/dev/kvm'
note "$(jq -r '.features[] | "\(.present) \(.name): \(.detail // "")"' "$WARD_DIR/doctor")"
finish
