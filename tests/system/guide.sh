#!/bin/bash
# docs/guide.md as it is written: every file is made, every command is run, in order. Lines below a
# command that are not commands are its output and must come. What differs from the page: paths lie
# in the test's directory, ports are others, and `systemctl restart wardd` is done by hand.
. "$(dirname "$0")/../lib/harness.sh"
for program in nginx psql curl jq; do
	command -v $program >/dev/null || skip_all "needs $program"
done
start_daemon
mkdir "$WARD_DIR/shop" "$WARD_DIR/bin"
ln -s "$WARDCTL" "$WARD_DIR/bin/wardctl"
chmod 755 "$WARD_DIR" "$WARD_DIR/run" "$WARD_DIR/shop"
PORT=$((20000 + $$ % 10000))
PG=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
cat >"$WARD_DIR/bin/systemctl" <<-END
	#!/bin/sh
	touch "$WARD_DIR/restart"
END
chmod 755 "$WARD_DIR/bin/systemctl"
adapted() {
	sed -e "s,/etc/ward/,$WARD_DIR/config/,g; s,/srv/shop,$WARD_DIR/shop,g; s,/run/shop,$WARD_DIR/sock,g" \
		-e "s,/run/ward/control.sock,$SOCK,g; s,/tmp/before,$WARD_DIR/before.txt,g" \
		-e "s,8080,$PORT,g; s,8081,$((PORT + 1)),g; s,/usr/lib/postgresql/15/bin,$PG,g"
}
export WARD_SOCKET=$SOCK
export PATH=$WARD_DIR/bin:$PATH

run_line() { # COMMAND; sets OUT and RC
	OUT=$(cd / && timeout 90 bash -c "set -o pipefail; $(adapted <<<"$1")" 2>&1 </dev/null)
	RC=$?
	if [ -e "$WARD_DIR/restart" ]; then
		rm "$WARD_DIR/restart"
		term_daemon && launch_daemon || RC=1
	fi
}
kind='' fails='' file='' said='' command=''
compare() { # the output that the page shows for the last command
	[ -z "$said" ] || like "it prints: ${said//$'\n'/ }" "$OUT" "^$said$"
	said=''
}
while IFS= read -r line; do
	case $kind:$line in
	:'```console'*) kind=console fails=${line#'```console'} ;;
	:'```'?*' '*) kind=file file=$(adapted <<<"${line##* }") && : >"$file" ;;
	console:'```') compare; kind='' ;;
	*:'```') kind='' ;;
	console:'# '*)
		compare
		command=${line#'# '}
		run_line "$command"
		if [ -n "$fails" ]; then
			verdict "refused: $command" $((RC == 0)) "$OUT"
		else
			verdict "$command" "$RC" "$OUT"
		fi
		;;
	console:*) said=$line ;;
	file:*) adapted <<<"$line" >>"$file" ;;
	esac
done <"$ROOT/docs/guide.md"
less "the page has commands" 25 "$T_COUNT"
finish
