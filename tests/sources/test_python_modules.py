"""Python modules."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

import pytest

from groupstream import SourceError
from sources import PythonModules

_MODULE = '''"""Doc."""
import os

@decorated
@twice
def f():
    """Form feed next."""
\x0c
    return "\u2028"

X = 1
Y = 2
async def g(): pass
class C:
    def m(self): pass
# The end.
'''


def _definitions(folder: Path) -> PythonModules:
    return PythonModules(folder=str(folder), examples="definition")


def test_definitions_are_examples_and_hold_every_line(tmp_path: Path, read_rows: Any) -> None:
    (tmp_path / "m.py").write_text(_MODULE)
    rows = read_rows(_definitions(tmp_path))
    assert [row["name"] for row in rows] == ["", "f", "", "g", "C", ""]
    assert rows[1]["text"].startswith("@decorated")
    assert rows[1]["text"].endswith('return "\u2028"\n')
    assert "".join(row["text"] for row in rows) == _MODULE
    assert {(row["module"], row["path"]) for row in rows} == {("m", "m.py")}


def test_files_are_examples_by_default(tmp_path: Path, read_rows: Any) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__init__.py").write_text("# text")
    assert read_rows(PythonModules(folder=str(tmp_path))) == [
        {"module": "pkg", "path": "pkg/__init__.py", "name": "pkg", "text": "# text"}
    ]


def test_tests_and_installed_packages_are_left_out(tmp_path: Path, read_rows: Any) -> None:
    for name in ("a/tests/t.py", "site-packages/p.py", "a/m.py", "a/__pycache__/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [row["path"] for row in read_rows(PythonModules(folder=str(tmp_path)))] == ["a/m.py"]


def test_encoding_line_is_followed(tmp_path: Path, read_rows: Any) -> None:
    (tmp_path / "m.py").write_bytes("# coding: latin-1\n# é\n".encode("latin-1"))
    assert "é" in read_rows(PythonModules(folder=str(tmp_path)))[0]["text"]


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\0'\n"])
def test_file_that_does_not_parse_is_refused_as_definitions_only(
    text: str, tmp_path: Path, refusal: Any, read_rows: Any
) -> None:
    (tmp_path / "m.py").write_text(text)
    error = refusal(_definitions(tmp_path))
    assert isinstance(error, SourceError)
    assert "m.py is no Python this Python can parse" in str(error)
    assert "Use examples: file" in str(error)
    assert read_rows(PythonModules(folder=str(tmp_path)))[0]["text"] == text


def test_file_in_another_encoding_is_refused(tmp_path: Path, refusal: Any) -> None:
    (tmp_path / "m.py").write_bytes(b"# \xe9\n")
    assert "m.py as Python text" in str(refusal(PythonModules(folder=str(tmp_path))))


def test_folder_without_modules_is_refused(tmp_path: Path, refusal: Any) -> None:
    assert f"source.folder {tmp_path} holds no .py file" in str(refusal(PythonModules(folder=str(tmp_path))))


def test_strange_escapes_print_no_warning(tmp_path: Path, read_rows: Any) -> None:
    (tmp_path / "m.py").write_text("X = '\\d'\n")  # warnings are errors in these tests
    assert len(read_rows(_definitions(tmp_path))) == 1


def test_standard_library_is_the_default_and_every_line_of_a_module_is_in_one_example() -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    source = PythonModules(examples="definition")
    path = "argparse.py"
    piece = next(piece for piece in source.pieces() if library / path in piece.part)
    (batch,) = source.read(piece, source.available_features(), frozenset())
    parts = [row["text"] for row in batch.columns.to_pylist() if row["path"] == path]
    assert "".join(parts).split() == (library / path).read_text().split()
    assert len({file.relative_to(library).parts[0] for piece in source.pieces() for file in piece.part}) > 100
