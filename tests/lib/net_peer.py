"""The host's side of the tests of the shared stack.
  serve HOST PORT LOCAL WILD ABSTRACT: an echo server on HOST that also does what attackers would
      like a host to do, services on loopback and wildcard, abstract sockets.
  sniff INTERFACE FILE: writes the source address of each IP packet that leaves, once, until killed.
"""
import selectors
import socket
import struct
import sys


def serve(host, port, local, wild, abstract):
    sel = selectors.DefaultSelector()

    def add(s, act):
        sel.register(s, selectors.EVENT_READ, act)

    def listener(family, address, number):
        s = socket.create_server((address, number), family=family, dualstack_ipv6=family == socket.AF_INET6)
        add(s, lambda s=s: s.accept()[0].close())

    def tries(number):
        for address in host, "127.0.0.1":
            s = socket.socket()
            s.settimeout(1)
            try:
                s.connect((address, number))
                return b"connected to " + address.encode()
            except OSError:
                pass
            finally:
                s.close()
        return b"none"

    def echo(s):
        data, peer = s.recvfrom(2048)
        if data.startswith(b"connect "):
            s.sendto(tries(int(data.split()[1])), peer)
            return
        s.sendto(data + b" from " + peer[0].encode(), peer)
        for address in host, "127.0.0.1":  # what is meant for others at the same port
            s.sendto(b"for the host", (address, peer[1]))

    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind((host, int(port)))
    add(u, lambda: echo(u))
    listener(socket.AF_INET, "127.0.0.1", int(local))
    listener(socket.AF_INET6, "::", int(wild))
    w = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    w.bind(("0.0.0.0", int(wild)))
    keep.append(w)
    for kind, name in (socket.SOCK_STREAM, abstract), (socket.SOCK_DGRAM, abstract + "-d"):
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind("\0" + name)
        if kind == socket.SOCK_STREAM:
            s.listen()
        keep.append(s)
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            try:
                key.data()
            except OSError:
                pass


def sniff(interface, path):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    s.bind((interface, 3))
    seen = set()
    with open(path, "w") as out:
        print("ready", file=out, flush=True)
        while True:
            data, where = s.recvfrom(65535)
            if where[2] == 4:  # PACKET_OUTGOING from this end: not what came from the other
                continue
            if where[1] == 0x800:
                source, to, kind = data[12:16], data[16:20], data[9]
                port = struct.unpack_from("!H", data, (data[0] & 15) * 4 + 2)[0] if kind in (6, 17) else 0
                text = f"{socket.inet_ntoa(source)} {socket.inet_ntoa(to)} {port}"
            elif where[1] == 0x86dd and data[6] in (6, 17):
                port = struct.unpack_from("!H", data, 42)[0]
                text = "%s %s %d" % (socket.inet_ntop(10, data[8:24]), socket.inet_ntop(10, data[24:40]), port)
            else:
                continue
            if text not in seen:
                seen.add(text)
                print(text, file=out, flush=True)


keep = []
globals()[sys.argv[1]](*sys.argv[2:])
