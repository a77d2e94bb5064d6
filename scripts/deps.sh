#!/bin/bash
# Installs by apt what the named groups need and this machine lacks; nothing else.
# usage: deps.sh build|demo|check|lab|bench ...   (fast when all is there: build/deps.GROUP remembers)
set -u
cd "$(dirname "$0")/.." || exit 1

# group  package            how to see that it is there (pc: pkg-config, cmd: in PATH, file: glob)
needs='
build    gcc                cmd:gcc
build    libc6-dev          file:/usr/include/stdio.h
build    pkg-config         cmd:pkg-config
build    libcap-dev         pc:libcap
build    libseccomp-dev     pc:libseccomp
build    libinih-dev        pc:inih
build    libsystemd-dev     pc:libsystemd
build    libmicrohttpd-dev  pc:libmicrohttpd
build    libjansson-dev     pc:jansson
build    libncurses-dev     pc:ncursesw
build    libbpf-dev         pc:libbpf
build    libnl-3-dev        pc:libnl-3.0
build    libnl-route-3-dev  pc:libnl-route-3.0
build    libnftables-dev    pc:libnftables
build    clang              cmd:clang
build    bpftool            cmd:bpftool
demo     curl               cmd:curl
demo     python3            cmd:python3
demo     procps             cmd:ps
demo     e2fsprogs          cmd:mke2fs
check    libcmocka-dev      pc:cmocka
check    libclang-rt-14-dev file:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a
check    clang-tidy         cmd:clang-tidy
check    clang-format       cmd:clang-format
check    cppcheck           cmd:cppcheck
check    universal-ctags    cmd:ctags-universal
check    jq                 cmd:jq
check    curl               cmd:curl
check    python3            cmd:python3
check    python3-prometheus-client file:/usr/lib/python3/dist-packages/prometheus_client/openmetrics/parser.py
check    procps             cmd:ps
check    python3-yaml       file:/usr/lib/python3/dist-packages/yaml/__init__.py
check    python3-jsonschema file:/usr/lib/python3/dist-packages/jsonschema/__init__.py
check    expect             cmd:expect
check    tmux               cmd:tmux
check    libpython3.11-testsuite file:/usr/lib/python3*/test/test_json/__init__.py
check    busybox-static     cmd:busybox
check    debootstrap        cmd:debootstrap
check    nginx-light        cmd:nginx
check    postgresql         file:/usr/lib/postgresql/*/bin/initdb
check    openssh-server     file:/usr/sbin/sshd
check    openssh-client     cmd:ssh
check    redis-server       cmd:redis-server
check    redis-tools        cmd:redis-cli
check    dnsmasq-base       cmd:dnsmasq
lab      qemu-system-x86    cmd:qemu-system-x86_64
lab      debootstrap        cmd:debootstrap
lab      e2fsprogs          cmd:mke2fs
lab      kmod               cmd:depmod
lab      cpio               cmd:cpio
lab      xz-utils           cmd:xz
lab      busybox-static     cmd:busybox
bench    bubblewrap         cmd:bwrap
bench    runc               cmd:runc
bench    busybox-static     cmd:busybox
bench    hyperfine          cmd:hyperfine
bench    jq                 cmd:jq
'

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

present() { # PROBE
	case $1 in
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	file:*) compgen -G "${1#file:}" >/dev/null ;;
	esac
}

missing_of() { # GROUP
	local group package probe
	while read -r group package probe; do
		[ "$group" = "$1" ] && ! present "$probe" && echo "$package"
	done <<<"$needs"
	return 0
}

# Packages may bring services; on this host they must not start.
policy=/usr/sbin/policy-rc.d
guard='[ -e '$policy' ] || { printf "#!/bin/sh\nexit 101\n" >'$policy'; chmod 755 '$policy'; made=1; }'
install_script="
	made=
	trap '[ -z \"\$made\" ] || rm -f $policy' EXIT
	$guard
	export DEBIAN_FRONTEND=noninteractive
	get() { apt-get install -y --no-install-recommends \"\$@\"; }
	get \"\$@\" || { apt-get update; get \"\$@\"; } || for one; do get \"\$one\"; done
"

missing=()
wanted=()
for group in "$@"; do
	stamp=build/deps.$group
	[ "$stamp" -nt scripts/deps.sh ] && continue
	wanted+=("$stamp")
	mapfile -t -O "${#missing[@]}" missing < <(missing_of "$group")
done

if [ ${#missing[@]} -gt 0 ]; then
	echo "  DEPS  ${missing[*]}"
	as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || { echo "deps: become root to install: ${missing[*]}" >&2; exit 1; }
		as_root=(sudo)
	fi
	command -v apt-get >/dev/null || { echo "deps: no apt-get here; install: ${missing[*]}" >&2; exit 1; }
	mkdir -p build
	"${as_root[@]}" bash -c "$install_script" deps "${missing[@]}" >build/deps.log 2>&1
fi

# Prometheus's own checker, out of its package and without its server: a test skips where it lacks.
for group in "$@"; do
	[ "$group" != check ] || present cmd:promtool || [ -x build/promtool ] || scripts/promtool.sh
done

# What is still missing stops a build; a test or a measurement that lacks its tool says so itself.
for stamp in "${wanted[@]}"; do
	still=$(missing_of "${stamp#build/deps.}" | tr '\n' ' ')
	if [ -z "$still" ]; then
		mkdir -p build && touch "$stamp"
		continue
	fi
	echo "deps: apt did not bring: $still(build/deps.log says why)" >&2
	[ "$stamp" != build/deps.build ] || exit 1
done
