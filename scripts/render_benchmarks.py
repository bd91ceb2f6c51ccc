"""Writes docs/benchmarks.md, the pages on one benchmark, and their pictures, from the JSON that benchmarks keep.

Run it after a full run: make bench-page
"""

# ruff: noqa: E402

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the benchmarks are of this checkout, and not installed

from benchmarks.comparison import comparison
from benchmarks.fedc4_size.page import page as size_page
from benchmarks.page import page
from benchmarks.pictures import growth_picture
from benchmarks.pipeline.profile import figures as profile_figures
from benchmarks.pipeline.profile.page import page as profile_page
from benchmarks.results import Result, load
from benchmarks.suite import SUITE

DOCS = ROOT / "docs"
PAGE = "benchmarks.md"
COMPARISON = "comparison.md"
SIZE, SIZE_PAGE = "fedc4_size", "fedc4-size.md"
PROFILE, PROFILE_PAGE = "pipeline.profile", "build-profile.md"
PICTURES = "assets/benchmarks"
PLOTTED = {"formats": ("time", "memory")}  # by benchmark, the figures that have a picture
PROFILE_PLOTTED = {  # what each goes over, and in words
    profile_figures.BY_SIZE: ("examples", "speed as the source grows"),
    profile_figures.BY_EXAMPLE: ("bytes of an example", "speed as examples grow"),
}


def kept_results() -> dict[str, Result]:
    """By the name of the benchmark, those that there are."""
    return {each.name: load(each.kept_file) for each in SUITE if each.kept_file.exists()}


def rendered(results: Mapping[str, Result]) -> dict[str, str]:
    """The content of each file below docs/, by its path there."""
    files, shown = {}, {}
    for name, figures in PLOTTED.items():
        for figure in figures:
            cases = [c for c in (results[name].cases if name in results else ()) if c.figure == figure and c.at]
            if cases:
                path = f"{PICTURES}/{name}-{figure}.svg"
                files[path] = growth_picture(f"{name}-{figure}", cases)
                shown[path] = f"{name}: {figure} as the number of examples grows"
    pages = {PAGE: page(results, SUITE, shown)}
    if SIZE in results:  # until then the page has what was found before
        pages[SIZE_PAGE] = size_page(results[SIZE])
    return {**pages, **files, **_profile(results.get(PROFILE))}


def _profile(result: Result | None) -> dict[str, str]:
    """The page on where the time of a build goes, with its pictures."""
    files, shown = {}, {}
    for figure, (across, words) in PROFILE_PLOTTED.items() if result else ():
        assert result is not None
        path = f"{PICTURES}/profile-{figure.replace(' ', '-')}.svg"
        files[path] = growth_picture(Path(path).stem, [c for c in result.cases if c.figure == figure], across)
        shown[path] = words
    return {PROFILE_PAGE: profile_page(result, shown), **files}


def differing(files: Mapping[str, str], docs: Path = DOCS) -> list[str]:
    """What is not as rendered: missing, other, or a picture too many."""
    there = {path.relative_to(docs).as_posix() for path in (docs / PICTURES).glob("*.svg")}
    return sorted(there - set(files)) + [path for path, text in files.items() if _text(docs / path) != text]


def write(files: Mapping[str, str], docs: Path = DOCS) -> None:
    """Writes them, and removes pictures of earlier results."""
    for path in differing(files, docs):
        if path not in files:
            (docs / path).unlink()
            continue
        (docs / path).parent.mkdir(parents=True, exist_ok=True)
        (docs / path).write_text(files[path], encoding="utf-8")


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    made = rendered(kept_results()) | {COMPARISON: comparison(kept_results())}
    if "--check" in sys.argv:
        others = ", ".join(differing(made))
        sys.exit(f"not what the JSON files say: {others}; run: make bench-page" if others else None)
    write(made)
