"""The specs in specs/, and those of tests/shared_specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs import load_spec

_ROOT = Path(__file__).parents[2]
_FILES = sorted([*(_ROOT / "specs").glob("*.yaml"), *(_ROOT / "tests/shared_specs").glob("*.yaml")])


def test_datasets_of_the_paper_have_a_spec() -> None:
    names = {file.stem for file in _FILES}
    assert {"fedc4", "fedwiki", "fedbookco", "fedccnews", "cifar100", "mnist", "demo"} <= names


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_spec_loads_is_short_and_says_what_it_is(file: Path) -> None:
    spec = load_spec(file)
    lines = file.read_text().splitlines()
    assert len(lines) < 25
    assert max(map(len, lines)) <= 120
    assert lines[0].startswith("# ")
    assert spec.description
    assert spec.checks.groups.min_groups > 1


@pytest.mark.parametrize("name", ["fedc4", "fedwiki", "fedbookco", "fedccnews", "cifar100", "mnist"])
def test_spec_that_needs_the_internet_names_the_paper_and_says_that_it_was_not_run(name: str) -> None:
    file = _ROOT / f"specs/{name}.yaml"
    assert "2307.09619" in load_spec(file).description
    assert "Not run here, where there is no internet" in file.read_text()
