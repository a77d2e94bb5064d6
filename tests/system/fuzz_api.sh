#!/bin/bash
# Noise on the socket of a live daemon, sanitizers and all: FUZZ_SECONDS=300 for
# more of it, FUZZ_SEED=N for the same again.
# timeout: 1000
. "$(dirname "$0")/../lib/harness.sh"
WARDD=$BUILD/san/wardd
/usr/bin/python3 -c 'import yaml' 2>/dev/null || skip_all "needs python3-yaml"
seed=${FUZZ_SEED:-$RANDOM$RANDOM}
start_daemon --init "$BUILD/ward-init"
for name in box after; do printf '[context]\ncommand = sleep 1000\nstop = KILL\n' | ini $name; done
mapfile -t keys < <(ctl get box | sed 's/ *=.*//')
note "FUZZ_SEED=$seed"
said=$(/usr/bin/python3 "$ROOT/tests/lib/fuzz_api.py" "$SOCK" "$ROOT/docs/api.yaml" \
	"${FUZZ_SECONDS:-10}" "$seed" "${keys[@]}" 2>&1)
verdict "nothing that comes is answered with a failure of the daemon's" $? "$said"
note "$(tail -n 1 <<<"$said")"
check "the daemon is the same" kill -0 "$DAEMON"
unlike "no sanitizer says anything" "$(cat "$WARD_DIR/log")" 'Sanitizer|runtime error'
check "a command runs" ctl run -- true
ctl stop --all >/dev/null 2>&1
check "a context starts" ctl start after
ctl stop after >/dev/null
finish
