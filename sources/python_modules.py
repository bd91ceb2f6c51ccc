"""Python source code that lies on the machine: the input of the demo."""

from __future__ import annotations

import ast
import io
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import SourceError
from groupstream.features import Features
from sources.allowed import refuse_outside_any
from sources.choice import SELECTION_HELP, Selection
from sources.files import identity_of
from sources.selection import conform, selected_features
from sources.source import Piece, Source, SourceBatch

_SCHEMA = pa.schema([(name, pa.string()) for name in ("module", "path", "name", "text")])
_LEFT_OUT = {"__pycache__", "site-packages", "dist-packages", "test", "tests", "idle_test"}
_FILES_A_PIECE = 50


class PythonModules(Source):
    """The text of Python modules, by default of Python's own standard library: no download.

    Features: module (the top-level module or package), path, name (of the definition), text. Tests are left out.
    """

    model_config = ConfigDict(title="Python")

    kind: Literal["python_modules"] = "python_modules"
    places: ClassVar[frozenset[str]] = frozenset(["folder"])
    folder: str | None = Field(None, description="Where the modules lie. Default: the standard library of this Python.")
    examples: Literal["file", "definition"] = Field(
        "file",
        description="One example for each file, or for each top-level function, class or run of other statements.",
    )
    features: Selection = Field(None, description=SELECTION_HELP)

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        return selected_features(self.features, _SCHEMA)

    def pieces(self) -> list[Piece]:
        """Fifty files a piece. See `Source.pieces`."""
        files = self._files()
        parts = [files[i : i + _FILES_A_PIECE] for i in range(0, len(files), _FILES_A_PIECE)]
        return [Piece(i, f"{self._path(part[0])} ... {self._path(part[-1])}", part) for i, part in enumerate(parts)]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return identity_of(self._files())

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        rows = [row for file in piece.part for row in self._rows(file)]
        batch = pa.RecordBatch.from_pylist(rows, _SCHEMA)
        yield SourceBatch(conform(batch, features, f"{piece.label}, example", wanted=self.features))

    def _root(self) -> Path:
        return Path(self.folder or sysconfig.get_paths()["stdlib"]).expanduser().absolute()

    def _files(self) -> list[Path]:
        root = self._root()
        files = [f for f in root.rglob("*.py") if _LEFT_OUT.isdisjoint(f.relative_to(root).parts)]
        if not files:
            raise SourceError(f"source.folder {root} holds no .py file. Name a folder with Python modules")
        if self.folder is not None:
            refuse_outside_any(files, "source.folder")
        return sorted(files)

    def _path(self, file: Path) -> str:
        return file.relative_to(self._root()).as_posix()

    def _rows(self, file: Path) -> Iterator[dict[str, str]]:
        path = self._path(file)
        module = path.split("/")[0].removesuffix(".py")
        text = _text_of(file)
        parts = [(module, text)] if self.examples == "file" else _definitions(file, text)
        for name, part in parts:
            yield {"module": module, "path": path, "name": name, "text": part}


def _text_of(file: Path) -> str:
    try:
        with tokenize.open(file) as handle:
            return handle.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot read {file} as Python text: {error}. Mend the file, or its coding line") from error


def _definitions(file: Path, text: str) -> list[tuple[str, str]]:
    """Name and text of each top-level definition; what lies between two of them is one more, without a name.

    Every line of the file is in exactly one part.
    """
    lines = io.StringIO(text).readlines()  # not splitlines, which breaks lines at form feeds too
    try:
        with warnings.catch_warnings(action="ignore"):  # of strange escapes and the like
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise SourceError(f"{file} is no Python this Python can parse: {error}. Use examples: file") from error
    parts, at = [], 0
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            parts += [("", "".join(lines[at:start])), (node.name, "".join(lines[start : node.end_lineno]))]
            at = node.end_lineno or start
    parts.append(("", "".join(lines[at:])))
    return [(name, part) for name, part in parts if part.strip()]
