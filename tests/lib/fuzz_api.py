"""Throws requests at a live daemon: every route of docs/api.yaml with bodies, queries and headers
that are right, nearly right and absurd, and lines that are no HTTP at all. Whatever comes, the
daemon answers, with a 5xx only where the document has one, and goes on answering.

Prints one line at the end, "N requests, statuses ..."; what is wrong before it, and exits with 1.
usage: fuzz_api.py SOCKET DOCUMENT SECONDS SEED KEY...
KEYs are those of the INI files, "cpu.limit", which bodies are made of.
"""
import collections
import json
import random
import re
import socket
import sys
import time

import yaml

import client

SOCKET, DOCUMENT, SECONDS, SEED = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
# Hooks are programs of the host, run as root: not for noise.
KEYS = [k for k in sys.argv[5:] if not k.startswith("hook")]
R = random.Random(SEED)
with open(DOCUMENT, encoding="utf-8") as f:
    API = yaml.safe_load(f)
ODD = ["", "0", "-1", "1e9", "18446744073709551616", "9" * 400, "NaN", "null", "true", "../../etc",
       "a/b", "%00", "\0", "\n", "é", "😀", "\ud800", "A" * 3000, "%s%n", "100%", "1T", "web", "box",
       "exec:true", "/bin/true", "$(id)", "tcp:80", "KILL", "[]", "{}", " ", ";", "#x", "\\", "\""]
RIGHT = ["1", "10", "50%", "64M", "1s", "started", "notify", "host", "none", "private", "tmpfs:16M",
         "always", "on-failure", "nobody", "0", "TERM 1s KILL", ["a", "b"], "/tmp:8M", "file:1M", "default"]
NAMES = ["box", "new1", "new2", "absent", "..", "a.b", "-x", "A", "x" * 63, "x" * 64]
NUMBERS = [0, 1, -1, 2**31, 2**53, 2**63, -2**63, 2**64, 1e308, 0.5]
# Every answer that a fuzzer may get wrong only costs itself: the host is not asked to run much.
CALM = {"command": [["true"], ["sh", "-c", "exit 3"], ["sleep", "0.2"], ["/nowhere"]]}
wrong = []
statuses = collections.Counter()


def resolve(node):
    return client.resolve(API, node)


OPERATIONS = [(method, path, operation, [resolve(p) for p in
               API["paths"][path].get("parameters", []) + operation.get("parameters", [])])
              for method, path, operation in client.operations(API)]


def anything(depth=0):
    pick = R.randrange(8 if depth < 3 else 5)
    if pick == 0:
        return R.choice(NUMBERS)
    if pick == 1:
        return R.choice([True, False, None])
    if pick < 5:
        return R.choice(ODD)
    if pick == 5:
        return {R.choice(ODD + NAMES): anything(depth + 1) for _ in range(R.randrange(4))}
    return [anything(depth + 1) for _ in range(R.randrange(4))]


def value_of(key):
    if key in CALM and R.random() < 0.8:
        return R.choice(CALM[key])
    return R.choice([R.choice(ODD), R.choice(RIGHT), R.choice(NUMBERS), anything()])


def spec():
    o = {"name": R.choice(NAMES)}
    for key in R.sample(KEYS, R.randrange(6)):
        section, word = key.split(".")
        if word in ("init", "command"):
            continue
        o.setdefault(section, {})
        if isinstance(o[section], dict):
            o[section][word] = value_of(word)
    o.setdefault("context", {})
    if isinstance(o["context"], dict) and R.random() < 0.9:
        o["context"]["command"] = R.choice(CALM["command"])
    return o


def body_for(schema, depth=0):
    schema = resolve(schema)
    if R.random() < 0.08 or depth > 4:
        return anything(depth)
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return body_for(R.choice(schema[word]), depth + 1)
    if "enum" in schema:
        return R.choice(schema["enum"])
    kind = schema.get("type", "object")
    kind = R.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        o = {k: (R.choice(CALM[k]) if k in CALM else body_for(v, depth + 1))
             for k, v in schema.get("properties", {}).items() if R.random() < 0.6}
        if schema.get("additionalProperties"):
            o.update({k: value_of(k.split(".")[1]) for k in R.sample(KEYS, R.randrange(4))})
        return o
    if kind == "array":
        return [body_for(schema.get("items", {}), depth + 1) for _ in range(R.randrange(4))]
    if kind in ("integer", "number"):
        return R.choice(NUMBERS)
    return R.choice(NAMES + ODD) if kind == "string" else R.choice([True, False])


def mangle(data):
    data = bytearray(data)
    for _ in range(R.randrange(1, 6)):
        at = R.randrange(len(data) + 1)
        pick = R.randrange(4)
        if pick == 0:
            data[at:at] = bytes(R.randrange(256) for _ in range(R.randrange(1, 9)))
        elif pick == 1:
            del data[at:at + R.randrange(1, 20)]
        elif pick == 2 and at < len(data):
            data[at] ^= 1 << R.randrange(8)
        else:
            data[at:at] = data[R.randrange(len(data) + 1):][:R.randrange(40)]
    return bytes(data)


def escaped(text):
    return "".join("%%%02X" % b for b in text.encode("utf-8", "surrogatepass"))


def request():
    """Its bytes, whether it is so well formed that an answer has to come, and the failures (5xx)
    that the document has for it: a step of the host's that failed, a command that is not there."""
    method, path, operation, parameters = R.choice(OPERATIONS)
    whole = not path.endswith("/wait")  # that may take as long as a context lives
    if R.random() < 0.05:
        method = R.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"])
    for p in re.findall(r"{(\w+)}", path):
        value = R.choice(KEYS) if p == "key" else R.choice(NAMES)
        if R.random() < 0.1:
            value = escaped(R.choice(ODD))
        path = path.replace("{%s}" % p, value)
    query = []
    for p in parameters:
        if p["in"] == "query" and R.random() < 0.4 and p["name"] != "follow":
            query.append(p["name"] + "=" + escaped(str(R.choice(ODD + ["1", "box", "exited", "10"]))))
    if R.random() < 0.05:
        query.append(escaped(R.choice(ODD)) + R.choice(["", "=1"]))
    if query:
        path += "?" + "&".join(query)
    head = ["%s %s HTTP/1.1" % (method, path), "Host: w", "Connection: close"]
    data = b""
    if "requestBody" in operation or R.random() < 0.05:
        content = resolve(operation.get("requestBody", {})).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        takes_spec = re.match(r"/v1/(contexts|run|plan|check)(\?|$)", path)
        content = spec() if takes_spec and R.random() < 0.6 else body_for(schema)
        if path.startswith("/v1/what-if") and R.random() < 0.6:
            content = {"specs": [spec() for _ in range(R.randrange(4))]}
        data = json.dumps(content).encode("utf-8", "surrogatepass")
        if R.random() < 0.2:
            data = mangle(data)
        if R.random() < 0.02:
            data = b"[" * R.choice([100, 5000]) + data
        length = R.choice([len(data)] * 12 + [len(data) + 5, 0, 2**63])
        head.append("Content-Length: %d" % length)
        whole = whole and length == len(data)
    if R.random() < 0.05:
        whole = False
        head.append(R.choice(["Accept: ", "Upgrade: ", "Expect: ", "X: ", "Transfer-Encoding: "])
                    + R.choice(ODD + ["chunked", "100-continue", "ward"]).encode("ascii", "replace").decode())
    raw = "\r\n".join(head).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + data
    failures = {b.encode() for b in operation["responses"] if b[0] == "5"} | {b"501", b"503", b"505"}
    return (mangle(raw), False, failures) if R.random() < 0.1 else (raw, whole, failures)


def ask(raw, whole):
    """What is answered; b"" when the connection just ends, or was given up."""
    said = b""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5 if whole else 0.05)
        s.connect(SOCKET)
        try:
            s.sendall(raw)
            while len(said) < 1 << 20:
                piece = s.recv(65536)
                if not piece:
                    break
                said += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
        except TimeoutError:
            said += b"(no end)" if whole else b""
    return said


def judge(raw, said, failures):
    if not said:
        statuses["none"] += 1
        return
    m = re.match(rb"HTTP/1\.[01] (\d{3}) ", said)
    statuses[m.group(1).decode() if m else "no HTTP"] += 1
    if not m:
        wrong.append(("no HTTP", raw, said))
    elif m.group(1)[0:1] == b"5" and m.group(1) not in failures:
        wrong.append(("status " + m.group(1).decode(), raw, said))
    elif said.endswith(b"(no end)") and m.group(1) != b"101":
        wrong.append(("no end", raw, said))


end = time.monotonic() + SECONDS
count = 0
while time.monotonic() < end and len(wrong) < 5:
    raw, whole, failures = request()
    try:
        judge(raw, ask(raw, whole), failures)
    except ConnectionRefusedError:
        wrong.append(("the daemon is gone after", raw, b""))
        break
    count += 1
for what, raw, said in wrong:
    print("%s: %r\n  -> %r" % (what, raw[:1500], said[:600]))
print("%d requests, statuses %s" % (count, dict(sorted(statuses.items()))))
sys.exit(1 if wrong else 0)
