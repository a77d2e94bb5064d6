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

# start_shared WHAT: the daemon, where it can share its stack with contexts; else WHAT is skipped
start_shared() {
	start_daemon
	has_shared || {
		skip "$1" "$(ctl doctor | grep -E '^network +shared')"
		finish
	}
}
has_shared() { ctl doctor | grep -Eq '^network +shared +yes'; }
