#!/bin/bash
# Bad input is refused before anything is made, with file, line, key, what is wrong, what is allowed.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
bad=$WARD_DIR/bad.ini
# refused PATTERN RULE <<FILE: check refuses and its message matches
refused() {
	cat >"$bad"
	run_ctl check "$bad"
	is "$2: refused" "$RC" 1
	like "$2: the message tells" "$OUT$ERR" "$1"
}
refused 'bad\.ini:2: .*cpu\.limit.*' "a value of the wrong kind" <<-'END'
	[cpu]
	limit = fast
END
refused 'bad\.ini:3: .*memory\.limti.*limit' "a misspelt key" <<-'END'
	[memory]
	swap = 0
	limti = 64M
END
refused 'bad\.ini:1: .*\[?proces\]?.*process' "a misspelt section" <<-'END'
	[proces]
	limit = 3
END
refused 'bad\.ini:2: .*upper.*(tmpfs|kept)' "a value that is not of the list" <<-'END'
	[files]
	upper = disk:5M
END
refused 'bad\.ini:3: .*' "a key twice" <<-'END'
	[cpu]
	share = 100
	share = 200
END
refused 'bad\.ini:2: .*' "a number out of range" <<-'END'
	[cpu]
	share = 99999999999999999999
END
refused 'bad\.ini:2: .*' "a relative path" <<-'END'
	[files]
	bind = srv:srv
END
refused 'bad\.ini:2: .*' "a path with .." <<-'END'
	[files]
	bind = /srv/../etc:/mnt
END
refused 'bad\.ini:2: .*' "an unknown capability" <<-'END'
	[process]
	capability = sys-everything
END
refused 'bad\.ini:2: .*' "an unknown rlimit" <<-'END'
	[process]
	rlimit = nosuch 5
END
refused 'bad\.ini:1' "a line outside of a section or without =" <<-'END'
	nonsense
END
refused 'kept|cow|upper' "a kept upper without cow" <<-'END'
	[context]
	command = true
	[files]
	root = /srv
	mode = read-only
	upper = kept:10M
END
cat >"$bad" <<-'END'
	[context]
	initt = fake
	[cpu]
	limit = -5
	[memory]
	limit = lots
	[network]
	mode = bridged
END
run_ctl check "$bad"
is "all errors of a file are shown at once" "$(grep -c 'bad\.ini:[0-9]*:' <<<"$OUT$ERR")" 4
is "in the order of their lines" "$(grep -o 'bad\.ini:[0-9]*' <<<"$OUT$ERR" | sort -V -c 2>&1)" ""
run_ctl check "$bad" --json
check "check --json is JSON" jq . <<<"$OUT"
printf '[context]\ncommand = a\0b\n' >"$bad"
run_ctl check "$bad"
is "a NUL byte is refused" "$RC" 1
head -c 300000 /dev/zero | tr '\0' '#' >"$bad"
run_ctl check "$bad"
is "a huge file is refused" "$RC" 1
head -c 4096 /dev/urandom >"$bad"
run_ctl check "$bad"
is "noise is refused" "$RC" 1
run_ctl check "$WARD_DIR/no-such.ini"
is "a missing file is refused" "$RC" 1
like "and named" "$ERR" 'no-such\.ini'

# --- through the daemon ---
ini broken <<-'END'
	[context]
	command = true
	[cpu]
	limit = fast
END
run_ctl start broken
is "a context with a bad file does not start" "$RC" 1
like "the daemon says file, line and key" "$ERR" 'broken\.ini:4: .*cpu\.limit'
ini good <<-'END'
	[context]
	command = true
END
check "its neighbours do" ctl start good
for name in '' . .. ../etc -x A 'a b' 'a/b' "$(printf 'a%.0s' $(seq 64))" $'a\nb' 'a%2f..'; do
	run_ctl run --name "$name" -- true
	case $RC in 2 | 125) ;; *) strange="${strange:-}<$name>=$RC " ;; esac
done
is "bad names are refused" "${strange:-}" ""
for name in a 0 a-b.c_d "$(printf 'a%.0s' $(seq 63))"; do
	run_ctl run --name "$name" -- true
	[ "$RC" -eq 0 ] || odd="${odd:-}<$name>=$RC: $ERR "
done
is "good names are taken" "${odd:-}" ""
run_ctl run --set cpu.limit=0 -- true
is "a limit of nothing is refused" "$RC" 125
run_ctl run --set cpu.cpus=999 -- true
is "a CPU that is not there is refused" "$RC" 125
like "and named" "$ERR" '999|cpus'
run_ctl run --set io.limit="/dev/no-such-disk read 1MB/s" -- true
is "a disk that is not there is refused" "$RC" 125
like "and named" "$ERR" 'no-such-disk'
run_ctl run --set process.seccomp=/no/such/profile -- true
is "a profile that is not there is refused" "$RC" 125
like "and named" "$ERR" '/no/such/profile'
run_ctl run --set files.upper=tmpfs:1 -- true
note "an upper of one byte: status $RC $ERR"
printf '[cpu]\nshare = 0\n' | ini wrong
printf '[context]\ncommand = true\n' >"$WARD_DIR/config/Not A Name.ini"
for _ in 1 2 3; do ctl list >/dev/null; refuse "a wrong file is not started" ctl start wrong; done
is "and told in the log once" "$(grep -c 'wrong.ini.*cpu.share' "$WARD_DIR/log")" 1
is "as is a name that is none" "$(grep -c 'Not A Name' "$WARD_DIR/log")" 1
printf '[cpu]\nshare = -1\n' | ini wrong
refuse "a wrong file is not started, however changed" ctl start wrong
is "and again when it changes" "$(grep -c 'wrong.ini.*cpu.share' "$WARD_DIR/log")" 2
rm "$WARD_DIR/config/wrong.ini" "$WARD_DIR/config/Not A Name.ini"
is "after all refusals nothing runs" \
	"$(ctl list --json | jq -r '[.[] | select(.state != "stopped")] | length')" 0
before=$(our_cgroups | wc -l)
for _ in $(seq 10); do ctl run --set files.bind=/no/such:/mnt -- true </dev/null >/dev/null 2>&1; done
retry_until 3 test "$(our_cgroups | wc -l)" -le $((before + 12))
less "a failed start leaves no cgroup behind" "$(our_cgroups | wc -l)" $((before + 13))
finish
