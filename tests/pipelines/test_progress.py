"""How far a build is, by what its workers wrote."""

from __future__ import annotations

from pathlib import Path

from pipelines.progress import Progress, ProgressWriter, read_progress


def test_the_counts_of_all_workers_are_added_up(tmp_path: Path) -> None:
    for examples in (3, 4):
        ProgressWriter(tmp_path).add(pieces=1, examples=examples)
    assert read_progress(tmp_path) == Progress(pieces=2, examples=7)
    assert read_progress(None) == read_progress(tmp_path / "nowhere") == Progress()


def test_a_file_that_goes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    ProgressWriter(tmp_path).add(pieces=1, examples=3)
    (tmp_path / "gone.json").symlink_to(tmp_path / "removed")  # listed, and not there when it is opened
    assert read_progress(tmp_path) == Progress(pieces=1, examples=3)
