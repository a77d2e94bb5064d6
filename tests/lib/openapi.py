"""Calls every operation of docs/api.yaml on a live daemon, once for each answer that the document
lists, and compares: status, content type, and body against the schema. Prints a line for each,
"ok TEXT" or "not ok TEXT", and what is wrong on lines that begin with "#".

usage: openapi.py SOCKET DOCUMENT
"""
import json
import sys

import jsonschema
import yaml

import client
from client import verdict

SOCKET, DOCUMENT = sys.argv[1:3]
with open(DOCUMENT, encoding="utf-8") as f:
    API = yaml.safe_load(f)
OPERATIONS = {operation["operationId"]: (method, path, operation)
              for method, path, operation in client.operations(API)}
NOBODY = 65534
seen = set()


def resolve(node):
    return client.resolve(API, node)


def compare(operation, status, kind, text):
    """What differs from the document, or None."""
    responses = operation["responses"]
    if str(status) not in responses:
        return "%d is not documented: %s" % (status, text)
    content = resolve(responses[str(status)]).get("content")
    if not content:
        return "a body where none is documented: " + text if text else None
    if kind.split(";")[0] not in content:
        return "content type %s is not documented" % kind
    schema = dict(content[kind.split(";")[0]]["schema"])
    schema["components"] = API["components"]
    check = jsonschema.Draft202012Validator(schema)
    bodies = []
    if kind.startswith("application/json"):
        bodies = [text] if kind.split(";")[0] == "application/json" else text.splitlines()
    for body in bodies:
        for error in check.iter_errors(json.loads(body)):
            return "%s at %s in %s" % (error.message, list(error.absolute_path), body[:500])
    return None


def step(name, expected, /, body=None, query="", uid=0, headers=None, **params):
    method, path, operation = OPERATIONS[name]
    for key, value in params.items():
        path = path.replace("{%s}" % key, value)
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    status, kind, text = client.call(SOCKET, uid, method, path + query, body, headers)
    problem = compare(operation, status, kind, text)
    if not problem and status != expected:
        problem = "status %d: %s" % (status, text[:500])
    seen.add((name, str(expected)))
    verdict("%s %s%s%s is answered with %d" % (method, path, query, " by a stranger" if uid else "",
                                               expected), problem)
    return text


def documented():
    return {(name, status) for name, (_, _, op) in OPERATIONS.items() for status in op["responses"]}


def walk():
    """In an order in which each step finds what it needs."""
    sleeper = {"name": "sleeper", "context": {"command": ["sleep", "1000"]}}
    absent, box = {"name": "absent"}, {"name": "box"}
    for name, (method, path, op) in OPERATIONS.items():
        if "403" in op["responses"]:
            step(name, 403, uid=NOBODY, body={} if "requestBody" in op else None, name="box", key="cpu.limit")
        if "404" in op["responses"]:
            known = {"change": {"cpu.limit": "50%"}, "exec": {"command": ["true"]}, "reload": {"names": ["absent"]}}
            step(name, 404, body=known.get(name), key="cpu.limit",
                 headers={"Connection": "Upgrade", "Upgrade": "ward"} if name == "exec" else None, **absent)
        if any("in" in resolve(p) and resolve(p)["in"] == "query" for p in op.get("parameters", [])):
            step(name, 400, query="?surprise=1", body={"x.y": "1"} if "requestBody" in op else None, **box)
    step("version", 200)
    step("version", 400, query="?surprise=1")
    step("host", 200)
    step("host", 400, query="?surprise=1")

    step("declare", 201, body=sleeper)
    step("declare", 409, body=sleeper)
    step("declare", 201, body=sleeper, query="?replace=1")
    step("declare", 400, body={"name": "bad", "cpu": {"share": 0}})
    step("declare", 413, body="[" * (1 << 20) + " " * 10)
    step("start", 200, **box)
    step("start", 409, **box)
    step("stop", 200, **box)
    step("start", 200, query="?no-wait", **box)
    step("start", 400, name="faulty")
    step("declare", 201, body={"name": "broken", "context": {"command": ["/no/such/program"]}})
    step("start", 500, name="broken")
    step("startMany", 200, body={"contexts": ["sleeper", "box", "faulty", "broken"]})
    step("startMany", 400, body={})
    step("startMany", 400, body={"all": True, "mark": "web"})
    step("stopMany", 200, body={"contexts": ["sleeper", "absent"], "timeout_us": 5000000})
    step("stopMany", 400, body={"autostart": True})
    step("list", 200)
    step("list", 200, query="?usage=1")
    step("show", 200, **box)
    step("show", 200, query="?full", **box)
    step("key", 200, key="cpu.limit", **box)
    step("change", 200, body={"cpu.limit": "50%"}, **box)
    step("change", 200, body={"cpu.limit": "60%"}, query="?runtime=1", **box)
    step("change", 400, body={"cpu.limit": "much"}, **box)
    step("change", 409, body={"files.mode": "read-only"}, query="?runtime=1", **box)
    step("stats", 200, **box)
    step("stats", 409, name="sleeper")
    step("statsAll", 200)
    step("statsAll", 400, query="?surprise=1")
    step("metrics", 200)
    step("metrics", 400, query="?surprise=1")
    step("processes", 200, **box)
    step("processes", 409, name="sleeper")
    step("logs", 200, **box)
    step("logs", 200, query="?lines=1", **box)
    step("logs", 200, query="?since=1&until=2", **box)
    step("logs", 200, query="?frames&start=1", **box)
    step("declare", 201, body={"name": "silent", "context": {"command": ["true"], "log": "none"}})
    step("logs", 409, name="silent")
    step("reload", 200)
    step("reload", 200, query="?dry", body={"names": ["box"]})
    step("reload", 400, body={"names": ["Box"]})
    step("events", 200)
    step("events", 200, query="?after=1")
    step("events", 200, query="?last=3&context=box&context=job&kind=started&since=1")
    step("why", 200, **box)
    step("why", 200, name="broken")
    step("why", 200, name="faulty")
    step("wait", 200, query="?event=ready", **box)
    step("wait", 200, query="?event=started&after=1", **box)
    step("wait", 409, query="?event=ready&after=1", name="broken")

    upgrade = {"Connection": "Upgrade", "Upgrade": "ward"}
    step("exec", 101, body={"command": ["true"]}, headers=upgrade, **box)
    step("exec", 400, body={"command": []}, headers=upgrade, **box)
    step("exec", 409, body={"command": ["true"], "terminal": {"rows": 24, "cols": 80}},
         headers=upgrade | {"Ward-Streams": "0"}, name="sleeper")
    step("run", 101, body={"spec": {"context": {"command": ["true"]}}}, headers=upgrade)
    step("run", 200, body={"spec": {"name": "job", "context": {"command": ["sleep", "1000"]}}, "detach": True})
    step("run", 409, body={"spec": {"name": "job", "context": {"command": ["true"]}}, "detach": True})
    step("run", 400, body={"spec": {"cpu": {"share": 0}}, "detach": True})
    step("run", 500, body={"spec": {"context": {"command": ["/no/such/program"]}}, "detach": True})
    step("plan", 200, body=sleeper)
    step("plan", 400, body={"cpu": {"share": 0}})
    step("contextPlan", 200, **box)
    lacks = {f["name"] for f in json.loads(step("host", 200))["features"] if not f["present"]}
    if "memory-reserve" in lacks:
        greedy = {"context": {"command": ["true"]}, "memory": {"reserve": "1M"}}
        step("plan", 409, body=greedy)
        step("declare", 201, body=greedy | {"name": "greedy"})
        step("contextPlan", 409, name="greedy")
    else:
        seen.update({("plan", "409"), ("contextPlan", "409")})
        print("# this host has all that a plan can need: its 409 is not called")
    step("whatIf", 200, body={"specs": [sleeper, {"context": {"command": ["true"]}, "cpu": {"reserve": "900000%"}}]})
    step("whatIf", 400, body={"specs": []})
    step("budget", 200)
    step("budget", 400, query="?surprise=1")
    step("check", 200, body={"ini": "[context]\ncommand = true\n"})
    step("check", 400, body={"ini": "[cpu]\nshare = 0\n"})

    step("freeze", 200, **box)
    step("thaw", 200, **box)
    step("freeze", 409, name="sleeper")
    step("thaw", 409, name="sleeper")
    step("kill", 400, body={"signal": "BANG"}, **box)
    step("kill", 409, name="sleeper")
    step("delete", 409, **box)
    step("kill", 200, body={"signal": "KILL"}, **box)
    step("wait", 200, **box)
    step("stop", 400, body={"timeout_us": -1}, **box)
    step("stop", 200, **box)
    step("stop", 200, body={"timeout_us": 100000}, name="job")
    step("delete", 200, **box)


walk()
verdict("every documented answer was called", sorted(documented() - seen) or None)
