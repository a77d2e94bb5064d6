#!/bin/bash
# timeout: 100
# A host whose kernel takes no BPF programs of cgroups: nothing can be confined on its own stack, which
# is said with what is missing, and a private network is offered and works, accounts included.
. "$(dirname "$0")/../lib/net.sh"
[ "$(uname -m)" = x86_64 ] || [ "$(uname -m)" = aarch64 ] || skip_all "the call's number is not known here"
export NO_BPF_RUNS=$WARDD
WARDD=$ROOT/tests/lib/no_bpf.py
start_mode private "networks without BPF"
shared=$(ctl doctor | grep -E '^network +shared')
like "doctor says that there is no shared network, and names the hooks" "$shared" \
	"^network +shared +no.*missing: bind4 bind6 connect4 .*sock_create .*egress ingress"
is "for programs as well" "$(ctl doctor --json | jq -c '[.features[] | select(.name == "shared" or .name == "private") | .present]')" \
	"[false,true]"
for mode in shared private; do
	ini $mode <<-END
		[context]
		command = /usr/bin/python3 -m http.server --directory /srv 80
		ready = tcp:80
		ready-timeout = 20s
		[network]
		mode = $mode
		address = 10.9.0.1/24@near
		listen = tcp:80
	END
done
run_ctl start shared
isnt "a context that wants to share the stack does not start" "$RC" 0
like "as programs for its sockets are missing, and who knows which" "$ERR" "needs cgroup2 and BPF programs.*doctor names the hooks"
like "and what is possible is said" "$ERR" "private is possible"
like "the plan says so as well" "$(ctl plan shared 2>&1)" "private is possible"
check "the same file with mode = private starts" ctl start private
like "and is reached at its address" "$(curl -sS --max-time 5 -o /dev/null -w '%{http_code}' http://10.9.0.1/ 2>&1)" "^200$"
like "what it sent is told by its interface" \
	"$(ctl stats private --json | jq -c '(if type == "array" then .[0] else . end).network[] | select(.device == "eth0")')" \
	'"device":"eth0","received_bytes":[1-9][0-9]*,"received_packets":[1-9].*"sent_bytes":[1-9]'
check "it stops" ctl stop private --timeout 1s
finish
