# A network for a test alone: sourced by it before anything else, with its arguments.
#   . "$(dirname "$0")/../lib/net.sh"
# The test runs once more in a network namespace of its own, which has the part of the host: a link
# with this host's end `near` up, its other end `far` as well. Then comes the harness.
if [ -z "${NET_INSIDE-}" ]; then
	[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
	NET_INSIDE=1 exec unshare -n "$0" "$@"
fi
. "$(dirname "$0")/../lib/harness.sh"
PATH=$PATH:/usr/sbin:/sbin
HOST=10.9.0.100 HOST6=fd09::100
ip link set lo up
ip link add near type veth peer name far
for end in near far; do
	echo 0 >/proc/sys/net/ipv6/conf/$end/accept_dad
	ip link set $end up
done
ip address add $HOST/24 dev near
ip address add $HOST6/64 dev near nodad

# start_mode MODE WHAT: the daemon, where contexts can have addresses by that mode; else WHAT is skipped
start_mode() {
	if [ "$1" = private ]; then # what a host that routes has
		echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding \
			/proc/sys/net/ipv6/conf/near/proxy_ndp >/dev/null
	fi
	start_daemon
	has_mode "$1" || {
		skip "$2" "$(ctl doctor | grep -E "^network +$1")"
		finish
	}
}
start_shared() { start_mode shared "$1"; }
has_mode() { ctl doctor | grep -Eq "^network +$1 +yes"; }
has_shared() { has_mode shared; }
