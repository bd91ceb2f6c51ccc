"""What a TFDS dataset could run: TFDS imports the classes of features by the names that stand in its files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from groupstream import SpecError

_OWN = "tensorflow_datasets"
_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")
_ALLOWED_PACKAGES = "GROUPSTREAM_ALLOWED_PACKAGES"


def refuse_foreign_classes(folder: str | os.PathLike[str]) -> None:
    """Refuses a dataset whose features are of other packages than TFDS and those that a deployment allows.

    Args:
        folder: of a prepared version, or one around several.

    Raises:
        SpecError: a features.json below it names such a class.
    """
    allowed = [_OWN, *filter(None, map(str.strip, os.environ.get(_ALLOWED_PACKAGES, "").split(",")))]
    for file in sorted(Path(folder).expanduser().rglob("features.json")):
        for name in _class_names(_content(file)):
            if not any(name.startswith(f"{package}.") for package in allowed):
                raise SpecError(
                    f"{file} names the class {name!r}, which TFDS would import, and {_ALLOWED_PACKAGES} allows "
                    f"{', '.join(allowed[1:]) or 'no package'}. Whoever runs the deployment allows it with: "
                    f"export {_ALLOWED_PACKAGES}={','.join([*allowed[1:], name.partition('.')[0]])}"
                )


def _content(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None  # TFDS says what is wrong


def _class_names(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key in _CLASS_KEYS and isinstance(value, str) and "." in value:
                yield value
            else:
                yield from _class_names(value)
    elif isinstance(content, list):
        for value in content:
            yield from _class_names(value)
