#!/bin/bash
# attacks.sh once more, where tmpfs cannot be id-mapped: what Ward makes is chowned, the layer that
# masks is an image.
. "$(dirname "$0")/../lib/harness.sh"
as_old_kernel "$ROOT/tests/escape/attacks.sh"
