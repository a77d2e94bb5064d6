#!/bin/bash
# A tour in half a minute: a private daemon under build/demo, the sample contexts of configs/, what
# they can and cannot see, and everything removed again.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
demo=$PWD/build/demo
wardd=$PWD/build/wardd
export PATH=$PWD/build:$PATH
[ "$(id -u)" -eq 0 ] || { echo "demo: root is needed: contexts are made of what only root may make" >&2; exit 1; }
[ -x "$wardd" ] || { echo "demo: build it first: make" >&2; exit 1; }

rm -rf "$demo"
mkdir -p "$demo/config" "$demo/state"
run=$demo/run
# the name of a Unix socket has at most 107 bytes
[ ${#run} -le 90 ] || run=$(mktemp -d /tmp/ward-demo.XXXXXX)
mkdir -p "$run"
export WARD_SOCKET=$run/control.sock
cp configs/web.ini configs/batch.ini "$demo/config/"

daemon=''
finish() {
	trap - EXIT INT TERM
	if [ -n "$daemon" ]; then
		wardctl stop --all --timeout 3s >/dev/null 2>&1
		kill "$daemon" 2>/dev/null
		wait "$daemon" 2>/dev/null
	fi
	rm -rf "$run" "$demo/state"
}
trap 'finish; exit 1' EXIT INT TERM

# until_ok COMMAND...: at most ten seconds
until_ok() {
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "demo: this did not come true: $*" >&2
	tail -n 20 "$demo/log" >&2
	exit 1
}
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s\n' "$bold# $*$plain"; }
failed=''
show() { # the words of a command as one would type them
	local word
	printf '%s$' "$bold"
	for word in "$@"; do
		case $word in
		*[!a-zA-Z0-9_./:=@%+-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '%s\n' "$plain"
	"$@" </dev/null 2>&1 | sed 's/^/  /'
	[ "${PIPESTATUS[0]}" -eq 0 ] || failed="$failed $*;"
}
inside() { # NAME SCRIPT
	printf '%s$ wardctl exec %s -- sh -c '"'%s'"'%s\n' "$bold" "$1" "$2" "$plain"
	wardctl exec "$1" -- sh -c "$2" </dev/null 2>&1 | sed 's/^/  /'
}

# mounts, and what has processes of ours: other daemons come and go beside this one
host() { sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo | sort; [ -z "$cgroups" ] || ls -d $cgroups 2>/dev/null; }
cgroups=''
before=$(host)

say "A private daemon: its own directories, its own cgroups, its own range of user ids"
"$wardd" --config-dir "$demo/config" --state-dir "$demo/state" --run-dir "$run" </dev/null >"$demo/log" 2>&1 &
daemon=$!
until_ok wardctl list
cgroups="/sys/fs/cgroup/*/ward/$(sed -n 's/.*ready: \([^,]*\),.*/\1/p' "$demo/log")"
show wardctl version

say "Two contexts from their files (configs/web.ini, configs/batch.ini): web is up when it answers"
show wardctl start web batch
show wardctl list

say "The web server answers inside; its network is its own, so the host cannot reach it"
show wardctl exec web -- python3 -c 'import urllib.request as u; r = u.urlopen("http://127.0.0.1:8080/bash/"); print(r.status, len(r.read()), "bytes")'
inside web 'ls /sys/class/net; id; hostname'

say "What a context sees: this machine's software, but none of its secrets and no other process"
show wardctl run --file configs/throwaway.ini -- sh -c 'cat /etc/debian_version; gcc --version | head -n 1'
show wardctl run --file configs/throwaway.ini -- sh -c 'grep ^root /etc/shadow; find /root /home -type f | wc -l; ps ax'

say "It may do what it likes to its copy of this machine; the machine does not notice"
show wardctl run --file configs/throwaway.ini -- sh -c 'rm -rf /usr/share /etc/passwd; ls -d /usr/share /etc/passwd || echo gone'
show ls -d /usr/share /etc/passwd

say "Bombs stay inside: this one wants all memory, and has 256 MB"
printf '%s$ wardctl run --file configs/throwaway.ini -- tail /dev/zero%s\n' "$bold" "$plain"
wardctl run --file configs/throwaway.ini -- tail /dev/zero </dev/null 2>&1 | sed 's/^/  /'

say "What they use, live; a limit changed while it runs"
show wardctl set batch cpu.limit=20% --runtime
sleep 1
show wardctl stats
show wardctl logs batch -n 2

say "A service that dies is started again (restart = on-failure), and Ward says why"
wardctl exec web -- sh -c 'kill -KILL 2' </dev/null
until_ok sh -c 'wardctl status web | grep -q "running.*restarted 1 time"'
show wardctl why web
show wardctl events web -n 4

say "The daemon may die; the contexts do not"
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
"$wardd" --config-dir "$demo/config" --state-dir "$demo/state" --run-dir "$run" </dev/null >>"$demo/log" 2>&1 &
daemon=$!
until_ok wardctl list
show wardctl list

say "Stop everything; the host is as it was"
show wardctl stop --all
show wardctl list
finish
after=$(host)
if [ "$before" = "$after" ]; then
	echo "  no mount, no cgroup, no process is left"
else
	diff <(echo "$before") <(echo "$after")
	failed="$failed the host is not as it was;"
fi
rm -rf "$demo"
if [ -n "$failed" ]; then
	echo "demo: this failed:$failed" >&2
	exit 1
fi
cat <<END

${bold}Next, type:$plain
  make install && systemctl enable --now wardd.socket  # or: build/wardd &
  wardctl run -- sh                                    # a shell in a disposable copy of this machine
  cp configs/web.ini /etc/ward/ && wardctl start web   # a context of your own
  wardctl doctor                                       # what this host offers, what is lost without it
  man ward.ini                                         # every key of a context's file
END
