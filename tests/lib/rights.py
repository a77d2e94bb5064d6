"""The right of every route, by every kind of caller. What must be is taken from the table of routes
in the source and from docs/api.yaml, which must agree: a route without a decision in both fails.
Prints a line for each, "ok TEXT" or "not ok TEXT", and what is wrong on lines that begin with "#".

usage: rights.py SOCKET ROOT OWNER OTHER STRANGER
ROOT is the source tree. The uids: OWNER owns the context "mine" only, OTHER owns "theirs" only.
"""
import json
import re
import sys

import yaml

import client
from client import verdict

SOCKET, TREE = sys.argv[1:3]
OWNER, OTHER, STRANGER = map(int, sys.argv[3:6])
BODIES = {"PATCH /v1/contexts/{name}": {"cpu.share": "150"},
          "POST /v1/contexts/{name}/exec": {"command": ["true"]},
          "POST /v1/start": {"contexts": ["mine"]},
          "POST /v1/stop": {"contexts": ["mine"]},
          "POST /v1/contexts/{name}/kill": {"signal": "CONT"}}
# What they leave behind suits the next.
FIRST = ["/start", "/freeze", "/thaw"]
LAST = ["/stop", "/wait"]


def call(uid, method, path, body):
    headers = {"Connection": "Upgrade", "Upgrade": "ward"} if path.endswith("/exec") else {}
    text = json.dumps(body) if body is not None else ""
    status, _, said = client.call(SOCKET, uid, method, path, text, headers)
    return status, said


def in_source():
    rows = {}
    with open(TREE + "/daemon/api/routes.c", encoding="utf-8") as f:
        table = f.read().split("api_routes[] = {")[1].split("\n};")[0] + "\n"
        text = re.sub(r"\s+", " ", table)
    for row in re.findall(r"\{ (\"[A-Z]+\",.*?) \}[,;]? ", text):
        method, inside, pattern, right = re.match(
            r'"([A-Z]+)", (C)? ?(?:"([^"]*)")?, \w+, \w+, (ROOT|OWNER|ANY),', row).groups()
        path = ("/v1/contexts/{}" if inside else "") + (pattern or "")
        rows[method + " " + path] = right.lower()
    return rows


def in_document():
    rows = {}
    with open(TREE + "/docs/api.yaml", encoding="utf-8") as f:
        for method, path, operation in client.operations(yaml.safe_load(f)):
            rows[method + " " + path] = operation.get("x-ward-right", "no decision")
    return rows


def order(route):
    for i, end in enumerate(FIRST):
        if route.endswith(end):
            return i
    for i, end in enumerate(LAST):
        if route.endswith(end):
            return 100 + i
    return 50


def judge(route, right):
    method, pattern = route.split(" ", 1)
    body = BODIES.get(route, {} if method in ("POST", "PATCH") and right == "root" else None)
    path = pattern.replace("{key}", "cpu.limit").replace("{name}", "mine")

    def expect(who, uid, path, allowed):
        status, text = call(uid, method, path, body)
        problem = None
        if status == 0 or (status == 403) == allowed or status >= 500:
            problem = "status %d: %s" % (status, text)
        elif not allowed and not json.loads(text)["error"]["text"]:
            problem = "no text: " + text
        verdict("%s: %s %s %s" % (right, who, "may" if allowed else "may not", method + " " + path), problem)
        return text

    expect("a stranger", STRANGER, path, False)
    if right == "owner":
        foreign = expect("another's owner", OTHER, path, False)
        absent = expect("an owner of others", OTHER, path.replace("/mine", "/absent"), False)
        verdict("%s looks the same whether it exists or not" % route,
                None if absent.replace("absent", "mine") == foreign else absent + foreign)
        expect("the owner", OWNER, path, True)
    elif right == "any":
        expect("an owner", OWNER, path, True)
    else:
        expect("an owner", OWNER, path, False)
    if right == "root":  # not one of these is called to the end
        body = body if body is None else {"surprise": 1}
        path = path.replace("/mine", "/absent")
    expect("root", 0, path, True)


source, document = in_source(), in_document()
plain = {re.sub(r"\{\w+\}", "{}", route): right for route, right in document.items()}
verdict("every route of the source has its right in docs/api.yaml",
        sorted(set(source.items()) ^ set(plain.items())) or None)
verdict("the table of routes was read", None if len(source) > 20 else source)
for route in sorted(document, key=lambda r: (order(r), r)):
    judge(route, document[route])
status, text = call(OWNER, "GET", "/v1/contexts", None)
verdict("a list shows an owner theirs alone", None if [c["name"] for c in json.loads(text)] == ["mine"] else text)
status, text = call(OWNER, "GET", "/v1/events", None)
verdict("and so do the events",
        None if text and {json.loads(e).get("context") for e in text.splitlines()} == {"mine"} else text)
