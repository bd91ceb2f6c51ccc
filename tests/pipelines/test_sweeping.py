"""What dead builds left is swept, and nothing that is another user's or that only a link leads to."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipelines.staging_folders import sweep_folders, sweep_temporary

A_DAY_ON = 25 * 3600.0


def _abandoned(staging: Path) -> list[Path]:
    """Folders that a sweep would remove after a day: with a lock, and without one."""
    made = [staging / "build-1234", staging / "new-build-1234", staging / "build-5678"]
    for folder in made:
        (folder / "data").mkdir(parents=True)
    for folder in made[:2]:
        (folder / "lock").touch()
    return made


def test_the_temporary_sweep_follows_no_links(tmp_path, temporary):
    left = _abandoned(tmp_path / "project") + _abandoned(tmp_path / "other/.staging")
    (temporary / "groupstream-x").mkdir()
    (temporary / "groupstream-x/.staging").symlink_to(tmp_path / "project")
    (temporary / "groupstream-y").symlink_to(tmp_path / "other")
    assert sweep_temporary(now=time.time() + A_DAY_ON) == []
    assert [folder for folder in left if not (folder / "data").is_dir()] == []


def test_a_sweep_follows_no_links_to_folders_of_builds(tmp_path):
    (left, *_) = _abandoned(tmp_path / "project")
    (tmp_path / ".staging").mkdir()
    (tmp_path / ".staging/build-1234").symlink_to(left)
    assert sweep_folders(tmp_path, now=time.time() + A_DAY_ON) == [] and (left / "data").is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give a folder to another user")
@pytest.mark.parametrize("given", [".", ".staging", ".staging/build-5678"])
def test_the_temporary_sweep_leaves_what_is_of_somebody_else(temporary, given):
    left = _abandoned(temporary / "groupstream-x/.staging")[2]
    os.chown(temporary / "groupstream-x" / given, 65534, 65534)
    sweep_temporary(now=time.time() + A_DAY_ON)
    assert (left / "data").is_dir()


def test_the_temporary_sweep_removes_what_is_abandoned(temporary):
    left = _abandoned(temporary / "groupstream-x/.staging")
    assert sweep_temporary(now=time.time() + A_DAY_ON) == left[:1]
    assert not any(folder.exists() for folder in left)
