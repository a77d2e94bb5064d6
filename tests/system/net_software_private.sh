#!/bin/bash
# timeout: 600
# Unmodified servers on stacks of their own: tests/lib/net_software.sh.
MODE=private
ROOT_OF_TESTS=$(dirname "$0")/..
. "$ROOT_OF_TESTS/lib/net_software.sh"
