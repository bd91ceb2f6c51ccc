"""The work that is timed, the same for every format: each example of each group once, counted, its bytes added up.

The standard library alone, since every environment runs it. Texts are ASCII, so that a text has as many bytes as
letters, whether a format gives it as `str` or as `bytes`. What takes less than a second is opened and read once more,
and that counts: the first time pays for what is imported late.
"""

import json
import time
from importlib import metadata

AGAIN_SECONDS = 1.0


def measure(open_groups, library):
    """Opens, reads everything, and prints what was seen and what it took, as JSON.

    Args:
        open_groups: opens the data; gives an iterator of groups, each an iterable of its texts. What is imported before
            is not timed; opening is timed apart.
        library: its version is told.
    """
    bytes_before = peak_bytes()
    found = _timed(open_groups)
    if found["open_seconds"] + found["seconds"] < AGAIN_SECONDS:
        found = _timed(open_groups)
    version = metadata.version(library)
    memory = {"peak_bytes": peak_bytes(), "bytes_before": bytes_before}
    print(json.dumps({**found, **memory, "library": f"{library} {version}"}))


def _timed(open_groups):
    start = time.perf_counter()
    groups = open_groups()
    opened = time.perf_counter()
    seen = read(groups)
    end = time.perf_counter()
    return {**seen, "open_seconds": opened - start, "seconds": end - opened}


def read(groups):
    """How many groups, examples and bytes of text there are."""
    num_groups = num_examples = num_bytes = 0
    for texts in groups:
        num_groups += 1
        for text in texts:
            num_examples += 1
            num_bytes += len(text)
    return {"num_groups": num_groups, "num_examples": num_examples, "num_bytes": num_bytes}


def peak_bytes():
    """Of this process; getrusage would give that of its parent where that was larger."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
