#!/bin/bash
# Puts what `make` built below DESTDIR/PREFIX, or removes exactly that again.
# usage: install.sh install|uninstall   with DESTDIR, PREFIX, UNITDIR, SYSCONFDIR in the environment
set -eu
cd "$(dirname "$0")/.."

at=$DESTDIR$PREFIX
units=$DESTDIR$UNITDIR

# What goes where: mode, source, target. Both verbs walk this list.
files() {
	echo "755 build/wardctl $at/bin/wardctl"
	echo "755 build/wardd $at/sbin/wardd"
	echo "755 build/ward-init $at/libexec/ward/ward-init"
	local f page
	for f in configs/seccomp/*; do
		[ -f "$f" ] && echo "644 $f $at/share/ward/seccomp/${f##*/}"
	done
	echo "644 configs/prometheus.yml $at/share/ward/prometheus.yml"
	echo "644 configs/grafana/ward.json $at/share/ward/grafana/ward.json"
	for f in configs/*.ini; do
		[ -f "$f" ] && echo "644 $f $at/share/ward/examples/${f##*/}"
	done
	for page in build/man/*.[158]; do
		[ -f "$page" ] && echo "644 $page $at/share/man/man${page##*.}/${page##*/}"
	done
	echo "644 build/completion/bash $at/share/bash-completion/completions/wardctl"
	echo "644 build/completion/zsh $at/share/zsh/site-functions/_wardctl"
	echo "644 build/completion/fish $at/share/fish/vendor_completions.d/wardctl.fish"
	for f in configs/systemd/*.in; do
		f=${f##*/}
		echo "644 build/systemd/${f%.in} $units/${f%.in}"
	done
}

make_units() {
	local f name
	mkdir -p build/systemd
	for f in configs/systemd/*.in; do
		name=${f##*/}
		sed -e "s|@PREFIX@|$PREFIX|g" -e "s|@SYSCONFDIR@|$SYSCONFDIR|g" "$f" \
			>"build/systemd/${name%.in}"
	done
}

case ${1:-} in
install)
	make_units
	files | while read -r mode source target; do
		strip=
		[ "$mode" = 755 ] && strip=--strip
		install -D $strip -m "$mode" "$source" "$target"
		echo "  INST  $target"
	done
	install -d -m 755 "$DESTDIR$SYSCONFDIR/ward"
	;;
uninstall)
	files | while read -r _ _ target; do
		rm -f "$target"
		echo "  RM    $target"
	done
	# Ours alone; contexts in SYSCONFDIR/ward are the admin's and stay.
	for dir in "$at/libexec/ward" "$at/share/ward/seccomp" "$at/share/ward/examples" "$at/share/ward"; do
		rmdir "$dir" 2>/dev/null || true
	done
	rmdir "$DESTDIR$SYSCONFDIR/ward" 2>/dev/null || true
	;;
*)
	echo "usage: install.sh install|uninstall" >&2
	exit 2
	;;
esac
