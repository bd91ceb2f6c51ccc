"""Every block of code of the pages is run or checked, or named here with the reason why it is neither."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore
from pydantic import TypeAdapter

from sources.choice import Selection
from specs import Spec, load_spec
from tests.docs.pages import ROOT, Block, all_blocks, blocks_in
from training.spec import TrainSpec
from training.study import Study

ELSEWHERE = {  # languages whose blocks have tests of their own
    "python": "test_blocks.py and, of README.md, tests/flows/test_readme.py run them",
    "bash": "test_shell_blocks.py",
    "console": "test_shell_blocks.py",
}

# By page and beginning: what is neither run nor checked here, and why.
OUTPUT = "what a command prints"
SHOWN = {
    ("README.md", "spec.yaml ──► locate"): "a picture",
    ("docs/catalog.md", "https://storage.googleapis.com"): "addresses",
    ("docs/checks/drift.md", "change in the number of groups"): f"{OUTPUT}; tests/validation/test_drift.py compares it",
    ("docs/checks/examples.md", "error: checks.examples.year.pattern"): OUTPUT,
    ("docs/checks/examples.md", "text: min_length: 12 of 7,488"): OUTPUT,
    ("docs/checks/files.md", "passed  groups: 1,024"): OUTPUT,
    ("docs/checks/files.md", "MAILTO=data@example.org"): "a crontab",
    ("docs/checks/groups.md", "examples per group: 1 to 722"): OUTPUT,
    (
        "docs/deploy/prefect-cloud.md",
        "GROUPSTREAM_ROOT=gs://",
    ): "variables; test_operations.py knows those that are read",
    ("docs/first-build.md", "import groupstream"): "what the card says; tests/cards/test_loading.py runs it",
    ("docs/format.md", "<root>/<name>/<version>/"): "a list of files",
    ("docs/from-dataset-grouper.md", "partitioned_dataset ="): "of Dataset Grouper, which cannot live beside us",
    ("docs/from-dataset-grouper.md", "features = tfds"): "of Dataset Grouper, which cannot live beside us",
    ("docs/operations/costs.md", "worker hours ="): "a formula",
    ("docs/operations/credentials.md", "CREATE ROLE"): "it asks a database",
    ("docs/recovery.md", "Partition: taken up"): OUTPUT,
    ("docs/splits.md", "dataset = groupstream.open"): "of a split that no golden version has",
    ("docs/tutorial.md", ""): f"{OUTPUT}; tests/flows/test_tutorial.py compares it",
    ("docs/up.md", "UI        http://127.0.0.1:4200"): f"{OUTPUT}; tests/platform/test_up.py reads it",
    ("docs/versions.md", "1.3.0: minor:"): OUTPUT,
    ("docs/versions.md", "publish.version 1.2.4 promises"): OUTPUT,
    ("docs/zombies.md", "waiting for the build of news"): OUTPUT,
}

# What a page shows a part of: the rest of a spec.
REST = {"name": "shown", "source": {"kind": "csv", "paths": ["x"]}, "partitioner": {"kind": "feature", "feature": "x"}}


def check(block: Block, folder: Path) -> None:
    """Holds a block against what it is an instance of."""
    match block.language:
        case "yaml":
            check_yaml(block, folder)
        case "json":
            json.loads("{" + block.text + "}" if block.text.startswith('"') else block.text)
        case "hcl":
            assert hcl2.loads(block.text)
        case language:
            raise AssertionError(f"{block}: nothing checks {language or 'a block without a language'}; see SHOWN")


def check_yaml(block: Block, folder: Path) -> None:
    """A spec, or a part of one; a spec of a training or of a study; an automation; features of a source."""
    fields = yaml.safe_load(block.text)
    path = folder / "shown.yaml"
    if fields.keys() <= Spec.model_fields.keys():
        rest = {key: value for key, value in REST.items() if key not in fields}
        path.write_text(block.text + yaml.safe_dump(rest) * bool(rest))
        load_spec(path)
    elif (model := model_of(fields)) is not None:
        path.write_text(block.text)
        load_spec(path, (), model)
    elif "trigger" in fields:
        AutomationCore.model_validate(fields, extra="forbid")
    elif fields.keys() == {"features"}:
        TypeAdapter(Selection).validate_python(fields["features"])
    else:
        raise AssertionError(f"{block}: it has {', '.join(fields)}, which is no spec, training, study or automation")


def model_of(fields: dict[str, Any]) -> type[TrainSpec | Study] | None:
    """Of what is trained; None where it is something else."""
    return Study if "train" in fields else TrainSpec if "algorithms" in fields else None


def excuse(block: Block) -> tuple[str, str] | None:
    """Its key in SHOWN; None where it has none."""
    if block.language not in ("text", "sql"):
        return None  # it has a way to be checked
    return next((key for key in SHOWN if key[0] == block.page and block.text.startswith(key[1])), None)


CHECKED = [block for block in all_blocks() if block.language not in ELSEWHERE and not excuse(block)]


@pytest.mark.parametrize("block", CHECKED, ids=str)
def test_every_block_is_what_it_shows(block: Block, tmp_path: Path) -> None:
    check(block, tmp_path)


def test_what_is_excused_is_there() -> None:
    assert {excuse(block) for block in all_blocks()} - {None} == SHOWN.keys()


def test_all_blocks_are_found() -> None:
    for page in {block.page for block in all_blocks()}:
        fences = [line for line in (ROOT / page).read_text().splitlines() if line.strip().startswith("```")]
        assert len(fences) == 2 * sum(block.page == page for block in all_blocks())


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("yaml\npartitioner: {kind: url_domian, feature: url}\n", "url_domian"),
        ("yaml\nname: a\npartitionr: {kind: iid}\n", "partitionr"),
        ("yaml\nchecks: {groups: {min_groups: many}}\n", "min_groups"),
        ("yaml\nchecks: {}\nchecks: {}\n", "stands twice"),
        ("yaml\nalgorithms: [{kind: fedavg}]\ndataset: a\nround: 5\n", "round is not a key"),
        ("yaml\ntrain: {dataset: a, algorithms: [{kind: fedavg}]}\nvari: {}\n", "vari is not a key"),
        ("yaml\nname: a\ntrigger: {type: event, posture: Reactiv}\nactions: []\n", "Reactiv"),
        ("yaml\nfeatures: {a: strin}\n", "strin"),
        ("yaml\nwhat: is this\n", "no spec, training, study or automation"),
        ('json\n{"a": 1,}\n', "property name"),
        ("hcl\na = [\n", "Unexpected"),
        ("text\nan output that nobody excused\n", "nothing checks text"),
        ("\nan output that nobody excused\n", "without a language"),
        ("rust\nfn main() {}\n", "nothing checks rust"),
    ],
)
def test_a_wrong_block_is_found(block: str, problem: str, tmp_path: Path) -> None:
    [found] = blocks_in(f"```{block}```\n", "page.md")
    with pytest.raises(Exception, match=problem):
        check(found, tmp_path)


@pytest.mark.parametrize("page", ["README.md", "reader/README.md"])  # mkdocs looks after the others
def test_links_of_a_readme_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_a_block_without_an_end_is_found() -> None:
    with pytest.raises(ValueError, match=r"page\.md:2: the block has no end"):
        list(blocks_in("# Title\n```yaml\na: 1\n", "page.md"))
