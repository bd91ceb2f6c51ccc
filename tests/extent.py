"""How much is tried: every combination with GROUPSTREAM_TESTS=all, an hour more of tests; else each value in turn."""

from __future__ import annotations

import os

ALL = os.environ.get("GROUPSTREAM_TESTS") == "all"
