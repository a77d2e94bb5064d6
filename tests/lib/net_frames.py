"""Frames by hand, for the tests of private networks.
  attack MAC IP IP6 OTHER_MAC OTHER OTHER6 GATEWAY: sends, from eth0, frames as their true owner and in
      others' names; each has its own UDP port or a mark that `sniff` can tell.
  sniff INTERFACE FILE: writes a line for each different frame that comes: what it is and from whom.
"""
import socket
import struct
import sys

BROADCAST = b"\xff" * 6


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(port, payload=b"attack"):
    return struct.pack("!HHHH", 9, port, 8 + len(payload), 0) + payload


def ip4(source, to, body, protocol=17):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(to))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def ip6(source, to, body, following=17):
    return struct.pack("!IHBB", 6 << 28, len(body), following, 255) + socket.inet_pton(10, source) + \
        socket.inet_pton(10, to) + body


def icmp6(source, to, body):
    pseudo = socket.inet_pton(10, source) + socket.inet_pton(10, to) + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return ip6(source, to, body, 58)


def arp(operation, sender_mac, sender, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, operation, sender_mac, socket.inet_aton(sender),
                       bytes(6), socket.inet_aton(target))


def advert(source, target, target_mac):
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + socket.inet_pton(10, target) + b"\2\1" + target_mac
    return icmp6(source, "ff02::1", body)


def attack(own_mac, own, own6, other_mac, other, other6, gateway):
    own_mac, other_mac = mac(own_mac), mac(other_mac)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("eth0", 0))

    def send(kind, payload, source=own_mac, to=BROADCAST):
        s.send(to + source + struct.pack("!H", kind) + payload)

    nobody = b"\2nobody"[:6]  # unknown to the bridge: goes to all its ports
    send(0x800, ip4(own, gateway, udp(7001)), to=nobody)
    send(0x86dd, ip6(own6, "fd05::1", udp(7002)), to=nobody)
    send(0x806, arp(1, own_mac, own, gateway))
    send(0x86dd, advert(own6, own6, own_mac), to=b"\x33\x33\0\0\0\1")
    print("true")
    for n, (kind, payload, source) in enumerate((
            (0x800, ip4(other, gateway, udp(7100)), own_mac),  # another's address
            (0x800, ip4("192.0.2.9", gateway, udp(7101)), own_mac),
            (0x800, ip4("0.0.0.0", gateway, udp(7102)), own_mac),
            (0x800, ip4(own, gateway, udp(7103)), other_mac),  # another's hardware
            (0x86dd, ip6(other6, own6, udp(7104)), own_mac),
            (0x86dd, ip6("::", own6, udp(7105)), own_mac),
            (0x86dd, ip6(own6, "fd05::1", udp(7106)), other_mac),
            (0x806, arp(2, own_mac, other, gateway), own_mac),  # to be taken for another
            (0x806, arp(1, other_mac, own, gateway), own_mac),
            (0x806, arp(2, own_mac, gateway, other), own_mac),
            (0x806, arp(9, own_mac, own, gateway), own_mac),
            (0x806, b"\0\6" + arp(2, own_mac, other, gateway)[2:], own_mac),  # of other hardware
            (0x86dd, advert(own6, other6, own_mac), own_mac),
            (0x86dd, icmp6(own6, "ff02::1", struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)), own_mac),
            (0x8100, struct.pack("!HH", 5, 0x800) + ip4(other, gateway, udp(7107)), own_mac),
            (0x88a8, struct.pack("!HH", 5, 0x800) + ip4(other, gateway, udp(7108)), own_mac),
            (0x88cc, b"\2\7\4" + own_mac, own_mac),  # LLDP
            (0x800, ip4(own, "224.0.0.251", udp(7109)), own_mac),  # groups are not allowed
            (0x800, ip4(own, "255.255.255.255", udp(7110)), own_mac))):
        to = nobody if kind != 0x806 and n < 17 else BROADCAST
        send(kind, payload, source, to)
    s.send(b"\1\x80\xc2\0\0\0" + own_mac + b"\0\x26\x42\x42\3" + bytes(35))  # a spanning tree's
    print("sent")


def tell(data):
    source, kind = data[6:12].hex(":"), struct.unpack("!H", data[12:14])[0]
    body = data[14:]
    if kind == 0x800 and body[9] == 17:
        port = struct.unpack_from("!H", body, (body[0] & 15) * 4 + 2)[0]
        return f"ip {source} {socket.inet_ntoa(body[12:16])} {socket.inet_ntoa(body[16:20])} {port}"
    if kind == 0x86dd and body[6] == 17:
        return f"ip6 {source} {socket.inet_ntop(10, body[8:24])} {struct.unpack_from('!H', body, 42)[0]}"
    if kind == 0x86dd and body[6] == 58:
        target = socket.inet_ntop(10, body[48:64]) if body[40] in (135, 136) else ""
        return f"icmp6 {source} {socket.inet_ntop(10, body[8:24])} {body[40]} {target}"
    if kind == 0x806:
        return f"arp {source} {body[8:14].hex(':')} {socket.inet_ntoa(body[14:18])} {body[7]} {body[1]}"
    return f"{kind:#x} {source}"


def sniff(interface, path):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((interface, 3))
    seen = set()
    with open(path, "w") as out:
        print("ready", file=out, flush=True)
        while True:
            try:
                data, where = s.recvfrom(65535)
            except OSError:  # the interface is gone
                return
            if where[2] == 4 or len(data) < 34:  # what leaves here
                continue
            text = tell(data)
            if text not in seen:
                seen.add(text)
                print(text, file=out, flush=True)


globals()[sys.argv[1]](*sys.argv[2:])
