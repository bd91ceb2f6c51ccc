"""The tutorial, followed: its files are saved, its commands run, and what they print is what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import groupstream
from tests.docs.pages import ROOT, Block, blocks_in

pytestmark = pytest.mark.integration

PAGE = ROOT / "docs" / "tutorial.md"
TEXT = PAGE.read_text(encoding="utf-8")
_SAVED = re.compile(r"Save this as `([\w.]+)`:$")
_NUMBER = re.compile(r"-?[\d,]*\.\d+")

LEFT_OUT = (  # commands that install, change the checkout, stay up or need what stays up
    "make demo",
    "export CHECKOUT=$PWD",
    "cp films.yaml $CHECKOUT/specs/",
    "prefect deployment schedule ls build-dataset/films",
)


def saved_as(block: Block) -> str | None:
    """The file that the line before a block says to save it as."""
    before = TEXT.splitlines()[block.line - 3]
    found = _SAVED.search(before)
    return found[1] if found else None


def scripts() -> Iterator[tuple[str, list[str]]]:
    """What to run of each block, and the lines that are then shown."""
    blocks = list(blocks_in(TEXT, "tutorial.md"))
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language == "bash" and not block.text.startswith(LEFT_OUT):
            shown = after.text.splitlines() if after is not None and after.language == "text" else []
            yield block.text, shown


def is_shown(printed: str, line: str) -> bool:
    """Whether a line is the one that is shown, up to spaces and to a twentieth of a number with decimals."""
    words, expected = printed.split(), line.split()
    return len(words) == len(expected) and all(map(is_same, words, expected))


def is_same(word: str, expected: str) -> bool:
    if _NUMBER.fullmatch(word) and _NUMBER.fullmatch(expected):
        return float(word.replace(",", "")) == pytest.approx(float(expected.replace(",", "")), abs=0.05)
    return word == expected


@pytest.fixture
def run(tmp_path: Path, process_environment: dict[str, str]) -> Any:
    """Runs a script in the folder of the tutorial; what it printed."""
    environment = process_environment | {
        "GROUPSTREAM_ROOT": str(tmp_path / "datasets"),
        "GROUPSTREAM_CACHE": str(tmp_path / "cache"),
        "PATH": f"{Path(sys.executable).parent}:{process_environment['PATH']}",
        "BROWSER": "true",
        "COLUMNS": "100",
    }

    def run_it(script: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run_it


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
def test_the_tutorial_can_be_followed(tmp_path: Path, run: Any) -> None:
    for block in blocks_in(TEXT, "tutorial.md"):
        if name := saved_as(block):
            (tmp_path / name).write_text(block.text, encoding="utf-8")
    for script, shown in scripts():
        script, shown = without_the_platform(script), list(shown)
        if find_spec("torch") is None:
            script, shown = script.replace("python read_torch.py\n", ""), [s for s in shown if "torch" not in s]
        if "groupstream card" in script:
            continue  # tests/docs has it, without a browser
        printed = run(script).splitlines()
        for line in shown:
            assert line == "..." or any(is_shown(each, line) for each in printed), f"{line}\n" + "\n".join(printed)
    dataset = groupstream.open("films@stable", str(tmp_path / "datasets"))
    assert (dataset.manifest.version, dataset.manifest.counts.examples_out) == ("1.0.0", 4894)
    assert len(list((tmp_path / "datasets" / ".training").glob("*/report.html"))) == 1


def without_the_platform(script: str) -> str:
    """As the deployment builds it: here without a worker."""
    kept = [line for line in script.splitlines() if not re.match(r"cd ~|export |source |prefect deployment run", line)]
    return "\n".join([*kept, *["groupstream build films.yaml"] * ("prefect deployment run" in script)]) + "\n"


def test_every_file_is_saved_and_used() -> None:
    saved = [name for block in blocks_in(TEXT, "tutorial.md") if (name := saved_as(block))]
    assert len(saved) == len(set(saved)) == 6
    assert all(f" {name}" in "".join(script for script, _ in scripts()) for name in saved)
    unsaved = [block for block in blocks_in(TEXT, "tutorial.md") if block.language in ("python", "yaml")]
    assert len(unsaved) == len(saved), "a block of code that nobody is told to save"


def test_the_pictures_are_there_and_small() -> None:
    for name in re.findall(r"\]\((assets/tutorial/[\w.]+)\)", TEXT):
        assert (PAGE.parent / name).stat().st_size < 150_000


def test_what_is_left_out_is_there() -> None:
    starts = [block.text for block in blocks_in(TEXT, "tutorial.md") if block.language == "bash"]
    for command in LEFT_OUT:
        assert sum(text.startswith(command) for text in starts) == 1, command


@pytest.mark.parametrize(
    ("printed", "line", "expected"),
    [
        ("fedavg  loss  before  0.64", "fedavg loss before 0.639", True),
        ("fedavg  loss  before  0.84", "fedavg loss before 0.639", False),
        ("films@1.0.0 is published", "films@1.0.0 is published", True),
        ("films@1.0.1 is published", "films@1.0.0 is published", False),
        ("96 groups", "95 groups", False),
    ],
)
def test_a_line_that_differs_is_seen(printed: str, line: str, expected: bool) -> None:
    assert is_shown(printed, line) is expected
