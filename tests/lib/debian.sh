# shellcheck shell=bash
# A Debian tree made once by debootstrap, from the mirror that apt uses on this host, and cached.
# Source after harness.sh.

DEBIAN_TREE=$BUILD/cache/debootstrap/bookworm
DEBIAN_WHY=''
DEBIAN_PACKAGES=sysvinit-core,cron,nginx-light,curl,python3,libpython3.11-testsuite,sqlite3,gcc,libc6-dev,make,postgresql

# The first mirror of main that apt knows (deb822 or one-line style).
apt_mirror() {
	{
		sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources
		sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) bookworm main.*/\2/p' \
			/etc/apt/sources.list /etc/apt/sources.list.d/*.list
	} 2>/dev/null | grep -E '/debian/?$' | head -n 1
}

# debian_tree: makes it if need be. @return 0, or 1 with DEBIAN_WHY
debian_tree() {
	local mirror log=$BUILD/cache/debootstrap/log
	[ -e "$DEBIAN_TREE/etc/debian_version" ] && return 0
	command -v debootstrap >/dev/null || { DEBIAN_WHY="debootstrap is not installed"; return 1; }
	mirror=$(apt_mirror)
	[ -n "$mirror" ] || { DEBIAN_WHY="apt knows no Debian mirror"; return 1; }
	mkdir -p "$BUILD/cache/debootstrap"
	exec 9>"$BUILD/cache/debootstrap/lock"
	flock 9
	if [ ! -e "$DEBIAN_TREE/etc/debian_version" ]; then
		rm -rf --one-file-system "$DEBIAN_TREE.new"
		# in a mount namespace: debootstrap mounts /proc and /sys and may be interrupted
		if unshare -m debootstrap --variant=minbase --include="$DEBIAN_PACKAGES" bookworm \
			"$DEBIAN_TREE.new" "$mirror" >"$log" 2>&1 </dev/null; then
			debian_settle
			mv "$DEBIAN_TREE.new" "$DEBIAN_TREE"
		else
			DEBIAN_WHY="debootstrap failed: $(tail -n 1 "$log")"
		fi
	fi
	exec 9>&-
	[ -z "$DEBIAN_WHY" ]
}
# What a booted context should do: run its services, and leave a mark at the end of the boot.
debian_settle() {
	rm -f "$DEBIAN_TREE.new"/var/cache/apt/archives/*.deb
	cat >"$DEBIAN_TREE.new/etc/inittab" <<-'END'
		id:2:initdefault:
		si::sysinit:/bin/sh -c 'mkdir -p /run/lock; : >/run/utmp; chmod 664 /run/utmp'
		l0:0:wait:/etc/init.d/rc 0
		l2:2:wait:/etc/init.d/rc 2
		ok:2:once:/bin/sh -c ': >/run/ward-test-booted'
		pf::powerfail:/sbin/halt -p
		pn::powerfailnow:/sbin/halt -p
		ca::ctrlaltdel:/sbin/halt -p
	END
	rm -f "$DEBIAN_TREE.new"/etc/rc?.d/*postgresql* "$DEBIAN_TREE.new"/etc/nginx/sites-enabled/default
}
