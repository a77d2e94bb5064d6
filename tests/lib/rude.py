"""Rude clients on a Unix socket, and what a polite one sees meanwhile (tests/system/clients.sh).

usage: rude.py SOCKET BEHAVIOUR [COUNT]   behaves that way until it is killed
       rude.py SOCKET polite COUNT        prints median and 95th percentile of COUNT answers, in ms
"""
import array
import os
import socket
import sys
import time


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def answered(s, request):
    """Sends, and reads headers and the body that they announce."""
    s.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            raise OSError("closed")
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:")))
    while len(body) < length:
        body += s.recv(65536)
    return head


def polite(path, count):
    """Connects for every request, as wardctl does."""
    times = []
    for _ in range(count):
        begun = time.monotonic()
        s = connect(path)
        if b" 200 " not in answered(s, b"GET /v1/version HTTP/1.1\r\nHost: w\r\n\r\n"):
            raise OSError("not 200")
        s.close()
        times.append((time.monotonic() - begun) * 1000)
        time.sleep(0.005)
    times.sort()
    print("%.2f %.2f" % (times[count // 2], times[count * 95 // 100]))


def drip(path, _):
    """A byte a second; when the daemon has had enough, again."""
    while True:
        s = connect(path)
        try:
            for byte in b"GET /v1/contexts HTTP/1.1\r\nHost: w\r\nX-Slow: " + b"y" * 1000:
                s.sendall(bytes([byte]))
                time.sleep(1)
        except OSError:
            pass


def slow(path, _):
    """A byte a second, once; prints after how many seconds the daemon has had enough."""
    begun, s = time.monotonic(), connect(path)
    try:
        for byte in b"GET /v1/contexts HTTP/1.1\r\nHost: w\r\nX-Slow: " + b"y" * 1000:
            s.sendall(bytes([byte]))
            time.sleep(1)
    except OSError:
        pass
    print("%.1f" % (time.monotonic() - begun))


def half(path, count):
    """Half a request, then silence."""
    kept = []
    for _ in range(count):
        s = connect(path)
        s.sendall(b"POST /v1/contexts HTTP/1.1\r\nHost: w\r\nContent-Length: 5000\r\n\r\n{")
        kept.append(s)
    time.sleep(1000)


def header(path, count):
    """COUNT MB of header as fast as they are taken; prints how many were, and what was said."""
    s = connect(path)
    sent, line = 0, b"X-Fill: " + b"z" * 8000 + b"\r\n"
    try:
        s.sendall(b"GET /v1/version HTTP/1.1\r\nHost: w\r\n")
        while sent < count << 20:
            s.sendall(line)
            sent += len(line)
    except OSError:
        pass
    try:
        said = s.recv(200).split(b"\r\n")[0].decode()
    except OSError:
        said = "nothing"
    print("%d bytes taken, answer: %s" % (sent, said))


def idle(path, count):
    """Connections that never say a word; those which are ended are opened again."""
    kept = [connect(path) for _ in range(count)]
    print("there", flush=True)
    while True:
        time.sleep(1)
        for i, s in enumerate(kept):
            try:
                if s.recv(1, socket.MSG_DONTWAIT) == b"":
                    s.close()
                    kept[i] = connect(path)
            except BlockingIOError:
                pass


def flood(path, _):
    """Connects as fast as it goes, asks, and does not wait for the answer."""
    while True:
        try:
            s = connect(path)
            s.setblocking(False)
            s.send(b"GET /v1/contexts HTTP/1.1\r\nHost: w\r\n\r\n")
            s.close()
        except OSError:
            pass


def hold(path, _):
    """Gives descriptors whose closing waits for ever: with a request, and for an exec in "mine"."""
    held, parent = os.open(os.environ["HELD"], os.O_RDWR), os.getppid()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [held] * 3))]
    kept = connect(path)
    kept.sendmsg([b"GET /v1/version HTTP/1.1\r\nHost: w\r\nWard-Streams: 3\r\n\r\n"], rights)
    print(kept.recv(4096).split(b"\r\n")[0].decode(), flush=True)
    s = connect(path)
    body = b'{"command": ["true"]}'
    s.sendall(b"POST /v1/contexts/mine/exec HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\n"
              b"Upgrade: ward\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    print(s.recv(4096).split(b"\r\n")[0].decode(), flush=True)
    try:
        s.sendmsg([b'{"streams": 3}\n'], rights)
    except OSError:
        pass
    s.settimeout(1)
    try:
        print(s.recv(4096).decode().strip(), flush=True)
    except OSError as e:
        print(e, flush=True)
    s.close()
    print("sent", flush=True)
    while os.getppid() == parent:
        time.sleep(0.1)


def deaf(path, count):
    """Asks and asks, and reads nothing."""
    kept = []
    for _ in range(count):
        s = connect(path)
        s.setblocking(False)
        try:
            for _ in range(10000):
                s.send(b"GET /v1/host HTTP/1.1\r\nHost: w\r\n\r\n")
        except OSError:
            pass
        kept.append(s)
    time.sleep(1000)


BEHAVIOURS = {"polite": polite, "drip": drip, "half": half, "slow": slow, "header": header, "idle": idle,
              "flood": flood, "hold": hold, "deaf": deaf}
BEHAVIOURS[sys.argv[2]](sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
