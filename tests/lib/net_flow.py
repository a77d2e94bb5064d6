"""Traffic of a known shape, and what arrives of it. Bytes are those on the wire (UDP), or payload (TCP).

send udp|tcp FROM TO PORT BYTES MBIT SECONDS   MBIT 0: as much as goes
receive ADDRESS SECONDS PORT...                  one line a port: PORT MBIT MOST P50 P99 COUNT
    MBIT of the whole, MOST of the greatest second, P50 and P99 of the delay of datagrams in ms
send ends as soon as there is a file `stop` beside this one;
receive waits for the first byte on each port, and measures from half a second later on.
"""
import os
import select
import socket
import struct
import sys
import time

HEADERS = 42  # Ethernet, IPv4, UDP
SO_TIMESTAMPNS = 35


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def pace(begin, sent, mbit):
    ahead = sent * 8 / (mbit * 1e6) - (time.monotonic() - begin)
    if ahead > 0.001:
        time.sleep(ahead)


def connect(kind, source, to, port, end):
    s = socket.socket(family(to), socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    if source != "-":
        s.bind((source, 0))
    while True:
        try:
            s.connect((to, port))
            return s
        except OSError:
            if time.monotonic() > end or stopped():
                sys.exit(0)
            time.sleep(0.05)


def stopped():
    return os.path.exists(os.path.join(os.path.dirname(sys.argv[0]), "stop"))


def send(kind, source, to, port, size, mbit, seconds):
    end = time.monotonic() + seconds
    s = connect(kind, source, to, port, end)
    begin, sent = time.monotonic(), 0
    body = bytes(size - 8)
    looked = begin
    while time.monotonic() < end:
        if time.monotonic() - looked > 0.1:
            looked = time.monotonic()
            if stopped():
                break
        try:
            if kind == "udp":
                s.send(struct.pack("!Q", time.time_ns()) + body)
                sent += size + HEADERS
            else:
                sent += s.send(bytes(65536))
        except ConnectionRefusedError:
            time.sleep(0.01)  # nobody is there yet
        except OSError:  # whoever measured is gone; another comes
            s.close()
            s = connect(kind, source, to, port, end)
        if mbit:
            pace(begin, sent, mbit)


class Port:
    def __init__(self, address, port):
        self.port, self.bytes, self.delays, self.marks = port, 0, [], []
        self.udp = socket.socket(family(address), socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.udp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.tcp = socket.socket(family(address))
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for s in (self.udp, self.tcp):
            s.bind((address, port))
            s.setblocking(False)
        self.tcp.listen()

    def read(self, s):
        for _ in range(64):
            try:
                if s is not self.udp:
                    data = s.recv(1 << 18)
                    self.bytes += len(data)
                    return bool(data)
                data, stamp, _, _ = s.recvmsg(2048, 64)
            except BlockingIOError:
                return True
            self.bytes += len(data) + HEADERS
            sec, ns = struct.unpack("qq", stamp[0][2])  # when it came, not when we had time for it
            self.delays.append((sec * 10**9 + ns - struct.unpack("!Q", data[:8])[0]) / 1e6)
        return True


def result(p, begin):
    marks = [m for m in p.marks if m[0] >= begin]
    (t0, b0), (t1, b1) = marks[0], marks[-1]
    most, first = 0, 0
    for t, b in marks:
        while t - marks[first + 1][0] >= 1 if first + 1 < len(marks) else False:
            first += 1
        if t - marks[first][0] >= 1:
            most = max(most, (b - marks[first][1]) / (t - marks[first][0]))
    d = sorted(p.delays) or [0]
    print(p.port, "%.3f %.3f" % ((b1 - b0) * 8e-6 / (t1 - t0), most * 8e-6),
          "%.2f %.2f" % (d[len(d) // 2], d[len(d) * 99 // 100]), len(p.delays))


def receive(address, seconds, ports):
    ports = [Port(address, p) for p in ports]
    poll = select.epoll()
    by_fd = {}
    for p in ports:
        for s in (p.udp, p.tcp):
            by_fd[s.fileno()] = (p, s)
            poll.register(s, select.EPOLLIN)
    begin, end, mark = None, time.monotonic() + 30, 0
    while time.monotonic() < end:
        for fd, _ in poll.poll(0.01):
            p, s = by_fd[fd]
            if s is p.tcp:
                c = s.accept()[0]
                c.setblocking(False)
                by_fd[c.fileno()] = (p, c)
                poll.register(c, select.EPOLLIN)
            elif not p.read(s):
                poll.unregister(s)
        now = time.monotonic()
        if begin is None and all(p.bytes for p in ports):
            begin, end = now + 0.5, now + 0.5 + seconds
            for p in ports:
                p.begun = False
        if begin and now >= begin and not ports[0].begun:
            for p in ports:
                p.begun, p.delays = True, []
        if now - mark >= 0.02:
            mark = now
            for p in ports:
                p.marks.append((now, p.bytes))
    if begin is None:
        print("nothing came on", *[p.port for p in ports if not p.bytes])
        sys.exit(1)
    for p in ports:
        result(p, begin)


if sys.argv[1] == "send":
    send(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]),
         float(sys.argv[7]), float(sys.argv[8]))
else:
    receive(sys.argv[2], float(sys.argv[3]), [int(p) for p in sys.argv[4:]])
