"""What the documentation shows, runs: the Python blocks of a page, one after the other, in one namespace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES as ALL_PAGES
from tests.docs.pages import ROOT, blocks_in

ELSEWHERE = {"docs/tutorial.md", "README.md"}  # tests/flows/test_tutorial.py and test_readme.py
PAGES = [path for path in ALL_PAGES if path.relative_to(ROOT).as_posix() not in ELSEWHERE]
NEEDED = {  # what a page shows and an environment may lack: PyTorch stands in requirements of its own
    "docs/train/pytorch.md": ("torch", "torchdata"),
    "docs/train/tensorflow.md": ("tensorflow",),
    "docs/train/jax.md": ("jax",),
    "docs/train/grain.md": ("grain",),
    "docs/train/hugging-face.md": ("datasets",),
}


def run_blocks(page: str, name: str) -> int:
    """Runs the Python blocks of a page; how many there were. An error names the line of the page."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    blocks = [block for block in blocks_in(page, name) if block.language == "python"]
    for block in blocks:
        exec(compile("\n" * block.line + block.text, name, "exec"), namespace)
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
