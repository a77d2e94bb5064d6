"""What a context on the shared stack must not be able to do. Runs inside it; each attack is one
line, "ok" when it failed to get through. What there is to attack comes as NAME=VALUE arguments."""
import ctypes
import errno
import os
import socket
import struct
import sys

told = dict(a.split("=", 1) for a in sys.argv[1:])
HOST, OTHER, OWN = told["HOST"], told["OTHER"], told["OWN"]
V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM


def refused(what, attack, *wanted):
    """The attack fails, with one of these errors where any are named."""
    try:
        result = attack()
    except OSError as e:
        good = not wanted or e.errno in wanted
        print("ok" if good else "not ok", f"{what} ({errno.errorcode.get(e.errno, e.errno)})", flush=True)
        return
    print("not ok", what, "got through:", result, flush=True)


def verdict(what, good, said=""):
    print("ok" if good else "not ok", what, "" if good else said, flush=True)


def bound(family, kind, address, port=0):
    def attack():
        with socket.socket(family, kind) as s:
            s.bind((address, port))
            return s.getsockname()
    return attack


def connected(family, kind, address, port):
    def attack():
        with socket.socket(family, kind) as s:
            s.settimeout(2)
            s.connect((address, port))
            return s.getpeername()
    return attack


def sent(family, address, port, data=b"attack", ancillary=(), before=None):
    def attack():
        with socket.socket(family, UDP) as s:
            if before:
                before(s)
            return s.sendmsg([data], list(ancillary), 0, (address, port))
    return attack


def made(family, kind, protocol=0):
    return lambda: socket.socket(family, kind, protocol)


def set_option(family, level, option, value, kind=UDP):
    def attack():
        with socket.socket(family, kind) as s:
            s.setsockopt(level, option, value)
    return attack


def pktinfo4(source):
    return (socket.IPPROTO_IP, 8, struct.pack("=I4s4s", 0, socket.inet_aton(source), bytes(4)))


def pktinfo6(source):
    return (socket.IPPROTO_IPV6, 50, socket.inet_pton(V6, source) + struct.pack("=I", 0))


def addresses():
    for kind, name in (TCP, "TCP"), (UDP, "UDP"):
        for address in HOST, OTHER, "10.99.99.99", told["OTHER_LOOPBACK"], "127.0.0.2", "224.0.0.1":
            refused(f"{name}: bind to {address}", bound(V4, kind, address), errno.EADDRNOTAVAIL)
            refused(f"{name}: bind to {address}, mapped", bound(V6, kind, "::ffff:" + address),
                    errno.EADDRNOTAVAIL)
        for address in told["HOST6"], told["OTHER6"], told["OTHER_LOOPBACK6"]:
            refused(f"{name}: bind to {address}", bound(V6, kind, address), errno.EADDRNOTAVAIL)
    refused("bind to a port below 1024 that is not granted", bound(V4, TCP, "0.0.0.0", 81), errno.EACCES)
    refused("the same by UDP, where TCP is granted", bound(V4, UDP, OWN, 80), errno.EACCES)


def loopbacks():
    only, every = int(told["LOCAL_PORT"]), int(told["WILD_PORT"])
    for kind, name in (TCP, "TCP"), (UDP, "UDP"):
        refused(f"{name}: connect to another's loopback",
                connected(V4, kind, told["OTHER_LOOPBACK"], 7001), errno.ECONNREFUSED)
        refused(f"{name}: connect to another's loopback, mapped",
                connected(V6, kind, "::ffff:" + told["OTHER_LOOPBACK"], 7001), errno.ECONNREFUSED)
        refused(f"{name}: connect to another's IPv6 loopback",
                connected(V6, kind, told["OTHER_LOOPBACK6"], 7001), errno.ECONNREFUSED)
    for address in "127.0.0.1", "127.0.0.2", "127.1.1.1", "0.0.0.0":
        refused(f"connect to the host's loopback service by {address}", connected(V4, TCP, address, only),
                errno.ECONNREFUSED)
        refused(f"connect to the host's wildcard service by {address}", connected(V4, TCP, address, every),
                errno.ECONNREFUSED)
    for address in "::1", "::", "::ffff:127.0.0.1":
        refused(f"connect to the host's wildcard service by {address}", connected(V6, TCP, address, every),
                errno.ECONNREFUSED)

    def fast_open():
        with socket.socket(V4, TCP) as s:
            return s.sendto(b"x", 0x20000000, (told["OTHER_LOOPBACK"], 7001))
    refused("TCP fast open to another's loopback", fast_open, errno.ECONNREFUSED)
    refused("a datagram to the host's wildcard service by loopback", sent(V4, "127.0.0.1", every),
            errno.ECONNREFUSED)
    refused("a datagram to another's loopback", sent(V4, told["OTHER_LOOPBACK"], 7001), errno.ECONNREFUSED)
    refused("the same by IPv6", sent(V6, told["OTHER_LOOPBACK6"], 7001), errno.ECONNREFUSED)
    refused("the same, mapped", sent(V6, "::ffff:" + told["OTHER_LOOPBACK"], 7001), errno.ECONNREFUSED)


def sources():
    far = told["PEER"]
    for source in HOST, OTHER, told["OTHER_LOOPBACK"]:
        refused(f"a datagram from {source} by IP_PKTINFO", sent(V4, far, 9, ancillary=[pktinfo4(source)]))

        def pinned(source=source):
            with socket.socket(V4, UDP) as s:
                s.connect((far, 9))
                return s.sendmsg([b"attack"], [pktinfo4(source)])
        refused(f"the same on a connected socket, from {source}", pinned)
    refused("a datagram from the host's IPv6 address by IPV6_PKTINFO",
            sent(V6, told["PEER6"], 9, ancillary=[pktinfo6(told["HOST6"])]))

    def autobound_then_connected():
        with socket.socket(V4, UDP) as s:
            s.sendto(b"attack", (far, 9))
            s.connect((far, 9))
            s.send(b"attack")
            return s.getsockname()
    refused("to connect a socket that has the wildcard from sending", autobound_then_connected,
            errno.EADDRNOTAVAIL)
    with socket.socket(V4, UDP) as s:
        s.connect((far, 9))
        verdict("a connected socket has the own source", s.getsockname()[0] == OWN, s.getsockname())
        s.send(b"attack")
        libc = ctypes.CDLL(None)
        libc.connect(s.fileno(), bytes(16), 16)  # AF_UNSPEC: not connected any more
        s.sendto(b"attack", (far, 9))
        verdict("and keeps it when it is not connected any more", s.getsockname()[0] == OWN,
                s.getsockname())
    sent(V4, far, 9)()
    verdict("a datagram without bind leaves", True)


def unbound():
    """listen and sendto without bind: the wildcard, of which only the own addresses are heard."""
    with socket.socket(V4, UDP) as s:
        s.settimeout(1)
        s.sendto(b"hello", (HOST, int(told["ECHO_PORT"])))
        said = s.recv(100)
        verdict("who sends without bind is answered", said.startswith(b"hello from " + OWN.encode()), said)
        # The echo server sends a second datagram, to the host's own address and our port.
        try:
            said = s.recv(100)
            verdict("what is sent to the host's address is not heard", False, said)
        except TimeoutError:
            verdict("what is sent to the host's address is not heard", True)
    with socket.socket(V4, TCP) as s:
        s.listen()
        port = s.getsockname()[1]
        with socket.socket(V4, TCP) as c:
            c.settimeout(2)
            c.connect((OWN, port))
        s.settimeout(2)
        s.accept()[0].close()
        verdict("who listens without bind is reached at the own address", True)
        with socket.socket(V4, UDP) as u: # the host tries its own addresses
            u.settimeout(8)
            u.sendto(b"connect %d" % port, (HOST, int(told["ECHO_PORT"])))
            said = u.recv(100)
        verdict("and not at those of the host", said == b"none", said)


def sockets():
    refused("a raw ICMP socket", made(V4, socket.SOCK_RAW, 1), errno.EPERM)
    refused("a raw IP socket", made(V4, socket.SOCK_RAW, 255), errno.EPERM)
    refused("a raw ICMPv6 socket", made(V6, socket.SOCK_RAW, 58), errno.EPERM)
    refused("a packet socket", made(socket.AF_PACKET, socket.SOCK_RAW, 0x300), errno.EPERM)
    refused("a cooked packet socket", made(socket.AF_PACKET, UDP, 0x300), errno.EPERM)
    refused("an ICMP echo socket", made(V4, UDP, 1), errno.EPERM, errno.EACCES)
    refused("multipath TCP", made(V4, TCP, 262), errno.EPROTONOSUPPORT)
    refused("SCTP", made(V4, TCP, 132))
    refused("DCCP", made(V4, 6, 33))
    refused("UDP-Lite", made(V4, UDP, 136))
    for number, name in ((40, "vsock"), (38, "alg"), (29, "can"), (21, "rds"), (30, "tipc"), (31, "bluetooth"),
                         (44, "xdp"), (43, "smc"), (9, "x25"), (4, "ipx"), (5, "appletalk"), (15, "key")):
        for kind in TCP, UDP, socket.SOCK_RAW, 5:
            refused(f"a socket of the {name} family, type {kind}", made(number, kind))
    refused("sock_diag, which shows and destroys sockets", made(16, UDP, 4))


def options():
    membership = socket.inet_aton("224.0.0.251") + socket.inet_aton(OWN)
    group = struct.pack("=I4x", 0) + struct.pack("=HH4s", 2, 0, socket.inet_aton("224.0.0.251")) + bytes(120)
    for kind, name in (TCP, "TCP"), (UDP, "UDP"):
        for family in V4, V6:
            where = f"{name}, IPv{4 if family == V4 else 6}"
            one = struct.pack("=i", 1)
            refused(f"SO_BINDTODEVICE ({where})", set_option(family, 1, 25, b"lo\0", kind), errno.EPERM)
            refused(f"SO_BINDTOIFINDEX ({where})", set_option(family, 1, 62, one, kind), errno.EPERM)
            refused(f"SO_MARK ({where})", set_option(family, 1, 36, one, kind), errno.EPERM)
            refused(f"SO_PRIORITY ({where})", set_option(family, 1, 12, one, kind), errno.EPERM)
            for option in 15, 19, 50:
                refused(f"IP option {option} ({where})", set_option(family, 0, option, one, kind), errno.EPERM)
        for option in 75, 76, 78:
            refused(f"IPv6 option {option} ({name})", set_option(V6, 41, option, one, kind), errno.EPERM)
        refused(f"sticky IPV6_PKTINFO ({name})",
                set_option(V6, 41, 50, socket.inet_pton(V6, told["HOST6"]) + bytes(4), kind), errno.EPERM)
    refused("IP_ADD_MEMBERSHIP", set_option(V4, 0, 35, membership), errno.EPERM)
    refused("IP_ADD_SOURCE_MEMBERSHIP", set_option(V4, 0, 39, membership + membership[:4]), errno.EPERM)
    refused("MCAST_JOIN_GROUP", set_option(V4, 0, 42, group), errno.EPERM)
    refused("the same through a socket of IPv6", set_option(V6, 0, 42, group), errno.EPERM)
    refused("IPV6_JOIN_GROUP", set_option(V6, 41, 20, socket.inet_pton(V6, "ff02::fb") + bytes(4)),
            errno.EPERM)
    refused("to send to a group", sent(V4, "224.0.0.251", 5353), errno.EPERM)
    refused("to send to an IPv6 group", sent(V6, "ff02::fb", 5353), errno.EPERM)
    refused("to send to all", sent(V4, "255.255.255.255", 9,
                                   before=lambda s: s.setsockopt(1, socket.SO_BROADCAST, 1)), errno.EPERM)


def netlink():
    """A request that changes something, and what the kernel says to it."""
    def request(kind, flags, body):
        with socket.socket(16, socket.SOCK_RAW, 0) as s:
            s.send(struct.pack("=IHHII", 16 + len(body), kind, flags | 5, 1, 0) + body)
            code = struct.unpack_from("=i", s.recv(4096), 16)[0]
            if code:
                raise OSError(-code, os.strerror(-code))
    address = struct.pack("=HH4s", 8, 2, socket.inet_aton("10.99.0.1"))
    interface = int(told["INTERFACE"])
    refused("netlink: to add an address",
            lambda: request(20, 0x400, struct.pack("=BBBBI", 2, 24, 0, 0, interface) + address), errno.EPERM)
    refused("netlink: to remove the host's address",
            lambda: request(21, 0, struct.pack("=BBBBI", 2, 24, 0, 0, interface) +
                            struct.pack("=HH4s", 8, 2, socket.inet_aton(HOST))), errno.EPERM)
    refused("netlink: to take the interface down",
            lambda: request(16, 0, struct.pack("=BxHiII", 0, 0, interface, 0, 1)), errno.EPERM)
    refused("netlink: to add a route",
            lambda: request(24, 0x400, struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 3, 0, 1, 0) +
                            struct.pack("=HH4s", 8, 1, socket.inet_aton("10.98.0.0")) +
                            struct.pack("=HHi", 8, 4, interface)), errno.EPERM)


def unix():
    for kind, name in (TCP, "connect"), (UDP, "send"):
        def attack(kind=kind):
            with socket.socket(socket.AF_UNIX, kind) as s:
                s.connect("\0" + told["ABSTRACT"] + ("-d" if kind == UDP else ""))
        refused(f"to {name} to the host's abstract socket", attack, errno.EPERM)


for part in addresses, loopbacks, sources, unbound, sockets, options, netlink, unix:
    part()
