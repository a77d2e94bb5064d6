#!/bin/bash
# timeout: 600
# Unmodified servers on the shared stack: tests/lib/net_software.sh.
MODE=shared
ROOT_OF_TESTS=$(dirname "$0")/..
. "$ROOT_OF_TESTS/lib/net_software.sh"
