#!/bin/bash
# The terminal of the caller: nothing inside may type into it or take it, whether it is handed
# over as standard input or replaced by a terminal of the context's own.
. "$(dirname "$0")/../lib/harness.sh"
. "$(dirname "$0")/../lib/attack.sh"
command -v expect >/dev/null || skip_all "expect is not installed"
start_daemon
build_attack
attacks='tiocsti tiocsti-high-bits tioclinux steal-terminal'

cat >"$WARD_DIR/on.exp" <<'END'
set timeout 30
spawn -noecho {*}$argv
expect eof
END
# on_terminal COMMAND...: runs with a fresh pty as controlling terminal; the output in OUT
on_terminal() {
	OUT=$(expect -f "$WARD_DIR/on.exp" -- "$@" 2>&1 | tr -d '\r\0')
}

on_terminal "$WARD_DIR/srv/attack" tiocsti
case $OUT in
*ESCAPED*) ok "control: TIOCSTI works on the bare host" ;;
*) skip "control: TIOCSTI works on the bare host" "$OUT" ;;
esac
for capability in '' all; do
	for user in root nobody; do
		options=(--set "files.bind=$WARD_DIR/srv:/srv:ro" --set "context.user=$user")
		[ -z "$capability" ] || options+=(--set "process.capability=$capability")
		# shellcheck disable=SC2086
		on_terminal "$WARDCTL" --socket "$SOCK" run --no-tty "${options[@]}" -- /srv/attack $attacks
		like "as $user ${capability:+with all capabilities }the attacks run" "$OUT" 'tiocsti: refused'
		unlike "as $user ${capability:+with all capabilities }nothing types into the caller's terminal" \
			"$OUT" ESCAPED
		on_terminal "$WARDCTL" --socket "$SOCK" run --tty "${options[@]}" -- /bin/sh -c \
			'/srv/attack tiocsti tiocsti-high-bits; readlink /proc/self/fd/0'
		like "as $user ${capability:+with all capabilities }the terminal is the context's own" \
			"$OUT" '^/dev/(pts/0|console)'
	done
done
for fd in 0 1 2; do
	on_terminal "$WARDCTL" --socket "$SOCK" run --no-tty -- /bin/sh -c "exec <>/dev/tty && echo opened $fd"
done
unlike "the caller's terminal is not the controlling terminal inside" "$OUT" '^opened'

# A command cannot hand its caller's terminal to the background and stop it.
on_terminal /bin/sh -c "timeout --foreground -k 1 2 \"$WARDCTL\" --socket \"$SOCK\" run --no-tty -- /bin/sh -c 'kill -STOP 0; kill -TTOU -1' &
	sleep 1; echo caller lives; wait"
like "signals inside do not reach the caller's process group" "$OUT" 'caller lives'
ctl stop --all --timeout 1s >/dev/null 2>&1
finish
