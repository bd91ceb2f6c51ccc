"""What the documentation shows, runs: the Python blocks of a page, one after the other, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = {ROOT / "docs" / "tutorial.md"}  # tests/flows/test_tutorial.py; README.md has tests of its own, too
PAGES = sorted({*ROOT.glob("docs/**/*.md"), *ROOT.glob("reader/README.md")} - ELSEWHERE)
NEEDED = {  # what a page shows and an environment may lack: PyTorch stands in requirements of its own
    "docs/train/pytorch.md": ("torch", "torchdata"),
    "docs/train/tensorflow.md": ("tensorflow",),
    "docs/train/jax.md": ("jax",),
    "docs/train/grain.md": ("grain",),
    "docs/train/hugging-face.md": ("datasets",),
}
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_blocks(page: str, name: str) -> int:
    """Runs the Python blocks of a page; how many there were. An error names the line of the page."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    blocks = list(_BLOCK.finditer(page))
    for block in blocks:
        line = page.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], name, "exec"), namespace)
    return len(blocks)


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torchdata asks PyTorch for it
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_page_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in NEEDED.get(path.relative_to(ROOT).as_posix(), ()):
        pytest.importorskip(module, reason=f"{path.name} shows {module}, which is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(ROOT / "tests" / "golden" / "v1"))
    text = path.read_text(encoding="utf-8")
    assert run_blocks(text, str(path)) == text.count("```python")


def test_the_pages_are_found() -> None:
    assert ROOT / "docs" / "format.md" in PAGES
    assert {ROOT / page for page in NEEDED} <= set(PAGES)


def test_a_block_that_fails_fails_with_its_line() -> None:
    page = "# Title\n\n```python\nx = 1\n```\n\n```python\nassert x == 1\nassert x == 2\n```\n"
    with pytest.raises(AssertionError) as caught:
        run_blocks(page, "page.md")
    assert caught.traceback[-1].lineno + 1 == 9
