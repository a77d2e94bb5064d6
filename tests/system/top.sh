#!/bin/bash
# wardctl top on real terminals (tmux): sizes, keys, another daemon, and without a terminal.
. "$(dirname "$0")/../lib/harness.sh"
command -v tmux >/dev/null || skip_all "tmux is missing"
start_daemon
server=0
mux() { tmux -S "$WARD_DIR/tmux.$server" -f /dev/null "$@"; }
screen() { mux capture-pane -p; }
shows() { screen | grep -Eq -- "$1"; }
hides() { ! screen | grep -Eq -- "$1"; }
# sees RULE PATTERN: the screen does so soon
sees() {
	retry_until 15 shows "$2"
	verdict "$1" $? "$(screen)"
}
unsees() {
	retry_until 15 hides "$2"
	verdict "$1" $? "$(screen)"
}
keys() { mux send-keys "$@"; }
row_of() { screen | grep -nE "^$1 " | cut -d: -f1; }
# begin WIDTH HEIGHT [ENVIRONMENT...]
begin() {
	local w=$1 h=$2
	shift 2
	mux kill-server 2>/dev/null
	server=$((server + 1)) # the old one may take a moment to go
	mux new-session -d -x "$w" -y "$h" \
		"env $* WARD_SOCKET=$SOCK $WARDCTL top -i 300ms; echo ended with \$?; exec sleep 1000"
}
trap 'mux kill-server 2>/dev/null; finish 1' EXIT

# --- without a terminal ---
run_ctl top
is "without a terminal it is refused" "$RC" 2
like "and says what there is" "$ERR" '--batch'
ctl run --detach --name busy --set cpu.limit=30% --set memory.limit=32M -- sh -c 'while :; do :; done' >/dev/null
ctl run --detach --name idle --set memory.limit=64M --set network.mode=private -- sleep 1000 >/dev/null
ctl run --detach --name other -- sh -c 'echo said-this; exec sleep 1000' >/dev/null
run_ctl top --batch 2 -i 300ms --columns name,cpu,cpu-limit
is "--batch prints tables" "$(grep -c '^NAME' <<<"$OUT")" 2
is "of all that run" "$(grep -cE '^(busy|idle|other) ' <<<"$OUT")" 6
is "and ends well" "$RC" 0
run_ctl top --batch nonsense
is "so many tables that it is no number" "$RC" 2

# --- 80 columns, 24 lines ---
begin 80 24 TERM=screen-256color LANG=C.UTF-8
sees "it shows the contexts" '^busy +r '
like "with a head" "$(screen)" '^NAME +S +CPU +C/LIM +THR +MEM +M/LIM PROC +READ +WRITE +RX +TX'
like "and the host" "$(screen)" '^cpu .* of [0-9]+%, contexts'
like "and the keys" "$(screen)" 'h help .*q quit'
is "no line is longer than the terminal" "$(screen | awk 'length > 80')" ""
sees "what it delivers of what it promises" '^busy +r +(2|3|4)[0-9]\.[0-9]% +[0-9.]+% '
is "the one with most CPU stands first" "$(row_of busy)" 5
keys N
sees "sorted by name" 'sorted by name'
keys N
sees "and the other way round" 'sorted by name, reversed'
retry_until 5 test "$(row_of other)" = 5
is "the last name stands first" "$(row_of other)" 5
for key in C L H M U P I O R T W E D A S; do
	keys "$key"
	retry_until 5 shows 'sorted by' || not_ok "$key sorts" "$(screen)"
done
keys W
sees "what is sorted by is shown, also where there was no room" '^NAME .*W-CPU *$'
keys N
keys '>'
keys M
sees "sorted by memory" 'sorted by memory'

keys / i d l e
sees "a filter is typed" 'names that hold: idle_'
keys Enter
unsees "and the others are gone" '^busy '
sees "but not this one" '^idle +r'
keys f
sees "f freezes" '^idle +f'
check "the daemon agrees" is_state idle frozen
keys f
sees "and thaws" '^idle +r'
keys k
sees "k asks for a signal" 'signal to idle \(TERM\): _'
keys n o n e Enter
sees "what is none is refused" '"none" is no signal'
keys k 0 Escape
sees "escape goes back" 'h help'
check "nothing was sent" is_state idle running
keys s
sees "s asks first" 'stop idle\? y or n'
keys n
check "n leaves it alone" is_state idle running
keys e
sees "e opens a shell inside" 'root@idle'
keys 'echo in-$((40 + 2))' Enter
sees "in the context" 'in-42'
keys exit Enter
sees "and comes back" '^idle +r'
keys / BSpace BSpace BSpace BSpace o t h Enter
sees "another filter" '^other +r'
keys l
sees "l shows the log" 'said-this'
keys C-c
sees "until ^C" 'any key'
keys x
sees "and comes back" '^other +r'
keys s y
sees "stopped from here" 'no name holds that text|other: stopped'
is_gone() { [ -z "$(state_of "$1")" ]; }
check "it is, and so it is gone" retry_until 15 is_gone other
keys / BSpace BSpace BSpace Enter
sees "all again" '^busy '
keys h
sees "h helps" 'freeze, or thaw what is frozen'
keys NPage
sees "and scrolls" 'cpu-limit .*C/LIM'
keys x
sees "and goes away" '^busy '

# --- the daemon goes and comes ---
kill_daemon
sees "a daemon that is gone is told" 'daemon away'
sees "the numbers stay" '^busy '
launch_daemon
unsees "the next one is found" 'daemon away'
sees "and asked" '^busy +r '

# --- other sizes ---
mux resize-window -x 40 -y 10
sees "40 by 10: what fits" '^NAME +S +CPU +C/LIM +THR +MEM$'
is "and no more" "$(screen | awk 'length > 40')" ""
sees "the contexts are there" '^busy +r '
for size in '20 5' '12 3' '5 2' '1 1' '300 100' '80 24'; do
	mux resize-window -x "${size% *}" -y "${size#* }"
	keys Down Up
	sleep 0.2
done
sees "it lives through every size" '^NAME +S +CPU +C/LIM .* TX'
keys q
sees "q ends it" 'ended with 0'
begin 132 30 TERM=vt100 LANG=C
sees "plain terminals, and room for pressure" '^NAME .*TX +W-CPU +W-MEM +W-IO'
unlike "have plain bars" "$(screen)" '▮'
keys r
sees "r asks as well" 'restart [a-z]+\? y or n'
keys n q
sees "it ends" 'ended with 0'
begin 80 24 TERM=no-such-terminal LANG=C
sees "an unknown terminal is told" 'terminal type "no-such-terminal" is not known'
mux kill-server
finish
