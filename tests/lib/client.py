"""What the walks over the API share: a request as anybody, the operations of docs/api.yaml, and how a
verdict is told: "ok TEXT" or "not ok TEXT", and what is wrong on lines that begin with "#" (walk in
harness.sh reads that)."""
import http.client
import json
import os
import socket

METHODS = ("get", "post", "put", "patch", "delete")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("ward")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def verdict(text, problem):
    print("not ok" if problem else "ok", text)
    if problem:
        print("# " + str(problem).replace("\n", "\n# ")[:1500])


def operations(document):
    """@return every (method, path, operation) of an OpenAPI document."""
    return [(method.upper(), path, item[method])
            for path, item in document["paths"].items() for method in METHODS if method in item]


def resolve(document, node):
    """@return what a "$ref" stands for, or `node` itself."""
    while isinstance(node, dict) and "$ref" in node:
        path, node = node["$ref"].lstrip("#/").split("/"), document
        for part in path:
            node = node[part]
    return node


def exchange(path, method, target, body, headers):
    c = UnixConnection(path)
    c.putrequest(method, target)
    for key, value in headers.items():
        c.putheader(key, value)
    if body is not None:
        c.putheader("Content-Length", str(len(body)))
    c.endheaders()
    try:
        c.send((body or "").encode())
    except BrokenPipeError:
        pass  # refused before all was said
    r = c.getresponse()
    return [r.status, r.headers.get("Content-Type", ""), "" if r.status == 101 else r.read().decode()]


def call(path, uid, method, target, body=None, headers=None):
    """In a process of its own, so that it can be somebody else. @return status (0: none), content type
    and text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        try:
            said = exchange(path, method, target, body, headers or {})
        except Exception as e:  # whatever it is, the test says so
            said = [0, "", repr(e)]
        with os.fdopen(writer, "w") as w:
            json.dump(said, w)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as r:
        said = json.load(r)
    os.waitpid(pid, 0)
    return said
