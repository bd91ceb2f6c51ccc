"""What readers of a deprecated version are told."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groupstream.catalog import DatasetCatalog

_PACKAGE = f"{Path(__file__).parent}{os.sep}"


class DeprecatedVersionWarning(UserWarning):
    """A version that was opened, pulled or looked up should not be used any more. It can be read as before."""


def warn_if_deprecated(catalog: DatasetCatalog, version: str) -> None:
    """Warns of a version that its catalog calls deprecated, where the caller of this library stands."""
    from groupstream.commands.printing import one_line

    known = catalog.get(version)
    if known is None or known.state != "deprecated":
        return
    newest = catalog.newest()
    reason = f": {one_line(known.message).rstrip('.')}" if known.message else ""
    instead = f"; newest is {newest}" if newest not in (None, version) else ""
    text = f"{catalog.name}@{version} is deprecated{reason}{instead}"
    warnings.warn(text, DeprecatedVersionWarning, stacklevel=_frames_of_ours())


def _frames_of_ours() -> int:
    """How far up the first caller is that is not of this library; the frame of `warn_if_deprecated` is 1."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
