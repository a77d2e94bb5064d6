#!/bin/bash
# docs/api.yaml against a live daemon: every operation, every answer that it lists.
. "$(dirname "$0")/../lib/harness.sh"
/usr/bin/python3 -c 'import yaml, jsonschema' 2>/dev/null || skip_all "needs python3-yaml and python3-jsonschema"
start_daemon
ini box <<-END
	[context]
	command = sleep 1000
	stop = KILL
END
printf '[cpu]\nshare = 0\n' | ini faulty
chmod 755 "$WARD_DIR" "$WARD_DIR/run" && chmod 666 "$SOCK"
walk "$ROOT/tests/lib/openapi.py" "$SOCK" "$ROOT/docs/api.yaml"
finish
