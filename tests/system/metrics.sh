#!/bin/bash
# GET /metrics: two parsers of others accept it, its numbers are those of /v1/stats and the kernel, and
# over TCP there is nothing else.
. "$(dirname "$0")/../lib/harness.sh"
PORT=$((20000 + RANDOM % 20000))
start_daemon --metrics-listen "127.0.0.1:$PORT"
PROMTOOL=$(command -v promtool || true)
[ -n "$PROMTOOL" ] || PROMTOOL=$ROOT/build/promtool
page() { api http://w/metrics; }
open_page() { api -H 'Accept: application/openmetrics-text;version=1.0.0' http://w/metrics; }
# value NAME{LABELS}: of the last page
value() { awk -v n="$1" '$1 == n { print $2 }' "$WARD_DIR/page"; }
take() { page >"$WARD_DIR/page"; }
run() { ctl run --detach --name "$@" >/dev/null; }

take
check "without a context there is a page" grep -qx '# EOF' "$WARD_DIR/page"
run web --set memory.limit=64M --set cpu.limit=30% --set process.limit=30 --set network.mode=private -- \
	sh -c 'while :; do :; done'
run idle -- sleep 1000
ini fails <<-END
	[context]
	command = sh -c "exit 3"
END
ini never <<-END
	[context]
	command = /no/such/program
END
ctl start fails
retry_until 10 is_state fails stopped
refuse "a start fails" ctl start never
# a name that a context chose for its device
nsenter -t "$(pid_of web)" -n ip link add 'a"b\c' type veth peer name plain

# --- the text ---
take
type_of() { api -o /dev/null -w '%{content_type}' "$@" http://w/metrics; }
is "who names nothing gets the text format" "$(type_of)" "text/plain; version=0.0.4; charset=utf-8"
is "who names OpenMetrics gets that" "$(type_of -H 'Accept: application/openmetrics-text; version=1.0.0')" \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
if [ -x "$PROMTOOL" ]; then
	check "promtool check metrics has nothing to say" "$PROMTOOL" check metrics <"$WARD_DIR/page"
	check "it accepts the sample of a configuration" "$PROMTOOL" check config "$ROOT/configs/prometheus.yml"
	open_page | sed '/^#/! s/$/ 1700000000/' >"$WARD_DIR/open"
	check "Prometheus's own parser reads the OpenMetrics" \
		"$PROMTOOL" tsdb create-blocks-from openmetrics "$WARD_DIR/open" "$WARD_DIR/tsdb"
else
	skip "promtool" "it could not be fetched"
fi
cat >"$WARD_DIR/parse.py" <<-'END'
	import sys
	from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
	n = 0
	for family in parse(sys.stdin.read()):
	    assert family.documentation, family.name
	    assert family.type in ("counter", "gauge", "info", "histogram"), family.type
	    assert not family.unit or family.name.endswith("_" + family.unit), family.name
	    n += len(family.samples)
	    for sample in family.samples:
	        if sample.labels.get("device", "").startswith("a"):
	            assert sample.labels["device"] == 'a"b\\c', sample
	            n += 1000
	print(n)
END
if /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null; then
	samples=$(open_page | /usr/bin/python3 "$WARD_DIR/parse.py" 2>&1)
	verdict "the strict parser of OpenMetrics reads it, odd names too ($samples)" \
		"$([ "$samples" -gt 4000 ] 2>/dev/null; echo $?)" "$samples"
else
	skip "the strict parser of OpenMetrics" "python3-prometheus-client is missing"
fi
is "every family has its HELP and TYPE" \
	"$(sed -n 's/^# HELP \([^ ]*\) .*/\1/p' "$WARD_DIR/page")" \
	"$(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$WARD_DIR/page")"
is "no sample is there twice" "$(grep -v '^#' "$WARD_DIR/page" | sed 's/ [^ ]*$//' | sort | uniq -d)" ""

# --- the numbers ---
w='{context="web"}'
api http://w/v1/stats >"$WARD_DIR/stats"
stat() { jq ".[] | select(.name == \"web\") | $1" "$WARD_DIR/stats"; }
is "the limit of memory" "$(value "ward_context_memory_limit_bytes$w")" "$(stat .memory_limit_bytes)"
is "memory, about" "$(awk -v a="$(value "ward_context_memory_bytes$w")" -v b="$(stat .memory_bytes)" \
	'BEGIN { print (a > 0 && a - b < 3000000 && b - a < 3000000) }')" 1
is "processes" "$(value "ward_context_processes$w")" "$(stat .pids)"
is "the limit of CPU" "$(value "ward_context_cpu_limit_ratio$w")" 0.3
is "no limit: no sample" "$(value 'ward_context_memory_limit_bytes{context="idle"}')" ""
is "the state" "$(value 'ward_context_state{context="web",state="running"}')" 1
is "contexts by state" "$(value 'ward_contexts{state="running"}')" 2
is "a last exit status" "$(value 'ward_context_last_exit_status{context="fails"}')" 3
is "that of what never ran" "$(value 'ward_context_last_exit_status{context="never"}')" 125
is "starts" "$(value 'ward_context_starts_total{context="fails"}')" 1
is "starts that failed" "$(value ward_start_failures_total)" 1
is "the time they took is counted" "$(value ward_start_duration_seconds_count)" 3
is "what stopped has no memory" "$(value 'ward_context_memory_bytes{context="fails"}')" ""
is "the daemon's memory" "$(awk -v a="$(value ward_daemon_resident_memory_bytes)" \
	-v b="$(awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$DAEMON/status")" \
	'BEGIN { print (a > 0 && a / b > 0.5 && a / b < 2) }')" 1
grows() {
	take
	awk -v a="$(value "ward_context_cpu_seconds_total$w")" -v b="$cpu" 'BEGIN { exit !(a > b + 0.1) }'
}
cpu=$(value "ward_context_cpu_seconds_total$w")
check "CPU time grows between two scrapes" retry_until 10 grows
cp "$WARD_DIR/page" "$WARD_DIR/older"
take
is "no counter of what runs on ever shrinks" "$(awk '
	/^# TYPE/ { counter = $4 == "counter" }
	counter && FNR == NR { old[$1] = $2 }
	counter && FNR != NR && ($1 in old) && $2 < old[$1] { print $1, old[$1], $2 }' "$WARD_DIR/older" "$WARD_DIR/page")" ""

# --- the dashboard ---
dashboard=$ROOT/configs/grafana/ward.json
check "the dashboard is JSON" jq -e '.panels | length > 10' "$dashboard"
families=$(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$WARD_DIR/page" | sort)
used=$(jq -r '.. | .expr? // empty' "$dashboard" | grep -oE 'ward_[a-z_]+' |
	sed -E 's/^(ward_start_duration_seconds)_(bucket|sum|count)$/\1/' | sort -u)
is "it names all families and no other" "$used" "$families"
is "its panels lie beside each other, and each has its number" \
	"$(jq '[.panels[] | .id] | length == (unique | length)' "$dashboard")" true

# --- over TCP ---
tcp() { curl -sS --max-time 10 "$@"; }
is "the page is the same over TCP" "$(tcp "http://127.0.0.1:$PORT/metrics" | grep -c '^# TYPE')" \
	"$(wc -l <<<"$families")"
is "also for who has no rights" "$(setpriv --reuid 65534 --regid 65534 --clear-groups \
	curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/metrics")" 200
chmod 711 "$WARD_DIR" # so that only the daemon refuses
is "who gets none over the socket" "$(setpriv --reuid 65534 --regid 65534 --clear-groups \
	curl -s -o /dev/null -w '%{http_code}' --unix-socket "$SOCK" http://w/metrics)" 403
for route in /v1/contexts /v1/stats /v1/version / /metrics/x; do
	is "there is no $route" "$(tcp -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT$route")" 404
done
is "nothing can be sent" "$(tcp -o /dev/null -w '%{http_code}' -X POST -d '{}' "http://127.0.0.1:$PORT/metrics")" 405
for _ in {1..40}; do
	exec {fd}<>"/dev/tcp/127.0.0.1/$PORT" && printf 'GET /metrics HTTP/1.1\r\nHost: w\r\n\r\n' >&"$fd"
	held="${held:-} $fd"
done 2>/dev/null
is "forty who never read keep nobody from the socket" "$(api -o /dev/null -w '%{http_code}' http://w/metrics)" 200
check "the daemon does not grow by it" test "$(awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status")" -lt 40000
for fd in $held; do exec {fd}>&-; done
refused() {
	run_dir=$(mktemp -d "$WARD_DIR/x.XXXX")
	said=$("$WARDD" --config-dir "$run_dir/c" --state-dir "$run_dir/s" --run-dir "$run_dir/r" "$@" 2>&1)
	RC=$?
}
refused --metrics-listen nonsense
is "an address that is none is wrong use" "$RC" 2
refused --metrics-listen 127.0.0.1:99999
is "so is a port" "$RC" 2
refused --metrics-listen "127.0.0.1:$PORT"
is "a port that is taken ends the daemon" "$RC" 1
like "with the reason" "$said" 'metrics-listen.*[Aa]ddress already in use'
finish
