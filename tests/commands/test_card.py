"""`groupstream card`: the page of a version, drawn from what is published."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream import CorruptError
from groupstream.commit import describe_file
from groupstream.dataset import Dataset
from groupstream.group_table import statistics_of
from groupstream.manifest import Counts
from groupstream.refs import resolve
from partitioners import ByFeature, ByMapping
from pipelines.card import draw_card, partitioner_in_words, splits_in_words

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """Golden versions that may be changed; of text a second one, from which the last group is gone."""
    shutil.copytree(GOLDEN, tmp_path / "root", copy_function=shutil.copyfile)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    first, second = (tmp_path / "root" / "text" / version for version in ("1.0.0", "1.1.0"))
    shutil.copytree(first, second)
    manifest, table = groupstream.open(first).manifest, second / "train.groups.parquet"
    kept = pq.read_table(table).slice(0, groupstream.open(first)["train"].num_groups - 1)
    pq.write_table(kept, table)
    split = manifest.splits["train"].model_copy(
        update={"group_table": describe_file(table.name, table), "statistics": statistics_of(kept)}
    )
    changed = manifest.model_copy(update={"version": "1.1.0", "splits": {"train": split}})
    (second / "manifest.json").write_bytes(changed.to_json())
    return tmp_path / "root"


def test_card_of_a_ref_is_written_here_by_its_name(command, root):
    code, out, err = command("card", "text@1.0.0", "--root", str(root))
    assert (code, out, err) == (0, "text-1.0.0.html\n", "")
    page = Path("text-1.0.0.html").read_text()
    assert "<title>text@1.0.0</title>" in page and "No earlier version was there to compare it with." in page
    again = Path("again.html")
    assert command("card", str(root / "text" / "1.0.0"), "--to", str(again))[:2] == (0, "again.html\n")
    assert again.read_text() == page, "the folder of a version says the same"


@pytest.mark.parametrize("ref", ["text", "text@latest", "text@1.1.0"])
def test_card_compares_with_the_version_before(command, root, ref):
    assert command("card", ref, "--root", str(root))[0] == 0
    page = Path("text-1.1.0.html").read_text()
    assert "since <bdi>text@1.0.0</bdi>" in page and "1 removed" in page
    assert "groupstream diff text@1.0.0 text@1.1.0" in page


def test_a_version_whose_folder_was_moved_is_compared_with_nothing(command, root, tmp_path):
    shutil.move(root / "text" / "1.1.0", tmp_path / "elsewhere")
    assert command("card", str(tmp_path / "elsewhere"))[0] == 0
    assert "No earlier version" in Path("text-1.1.0.html").read_text()


def test_card_opens_in_a_browser_where_that_is_asked_for(command, root, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr("typer.launch", lambda url: shown.append(url))
    command("card", "text@1.0.0", "--root", str(root))
    assert shown == []
    command("card", "text@1.0.0", "--root", str(root), "--open", "--to", "x.html")
    assert shown == [Path("x.html").absolute().as_uri()]


BAD = {
    "version": (["text@9.0.0"], 2, "text@9.0.0 not found; newest is 1.1.0"),
    "folder": (["text", "--to", "nowhere/x.html"], 1, "choose another file with --to"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_line(command, root, case):
    arguments, exit_code, words = BAD[case]
    code, out, err = command("card", *arguments, "--root", str(root))
    assert (code, out) == (exit_code, "") and words in err and len(err.splitlines()) == 1


def test_help_is_quick_and_ends_in_an_example():
    script = (
        "import sys; from groupstream.cli import main; sys.argv = ['groupstream', 'card', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'pyarrow', 'matplotlib', 'jinja2'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *text, modules = done.stdout.strip().splitlines()
    assert modules == "[]"
    assert next(line for line in reversed(text) if line.strip()).strip().startswith("Example: groupstream card ")


@pytest.mark.parametrize("name", ["text", "digits", "tags"])
def test_golden_versions_have_a_card(name):
    dataset = groupstream.open(GOLDEN / name / "1.0.0")
    page = draw_card(dataset.manifest, dataset)
    assert page == draw_card(dataset.manifest, dataset)
    train = dataset["train"]
    assert f"{train.num_groups:,} groups, {train.num_examples:,} examples" in page
    largest = max(train.group_table(["group_id", "num_examples"]).to_pylist(), key=lambda row: row["num_examples"])
    assert f"{largest['num_examples']:,}</td>" in page
    assert ("Labels" in page) is (train.label_file is not None)
    assert "first examples" in page


def test_examples_of_quarantine_come_with_the_command_that_shows_them():
    dataset = groupstream.open(GOLDEN / "text" / "1.0.0")
    counts = Counts(examples_in=99, examples_out=90, dropped={"check text: min_length 1": 5, "no group": 4})
    page = draw_card(dataset.manifest.model_copy(update={"counts": counts}), dataset)
    assert "in quarantine: check text: min_length 1" in page and "left out: no group" in page
    assert "groupstream quarantine text@1.0.0" in page
    assert "groupstream quarantine" not in draw_card(dataset.manifest, dataset)


def test_a_report_is_drawn_also_where_the_data_cannot_be_read(root):
    dataset = groupstream.open(root / "text" / "1.0.0")
    (root / "text" / "1.0.0" / "train.groups.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorruptError):
        draw_card(dataset.manifest, dataset)
    page = draw_card(dataset.manifest, dataset, notice="Not published: 1 of 2 checks failed")
    assert "Not published: 1 of 2 checks failed" in page and "Its tables cannot be read." in page


def test_a_partitioner_is_in_words_as_far_as_a_published_spec_says_it():
    published = ByFeature(feature="a", missing="drop").model_dump(mode="json")
    assert partitioner_in_words({"partitioner": published}) == (
        "One group for each value of `a`. Examples without a group are left out."
    )
    mapping = ByMapping(feature="a", file="x.csv")
    without_place = mapping.model_dump(mode="json", exclude=set(mapping.places))
    assert partitioner_in_words({"partitioner": without_place}) == mapping.in_words
    for unknown in (
        {},
        {"partitioner": None},
        {"partitioner": {"kind": "of tomorrow"}},
        {"partitioner": {"kind": [1]}},
    ):
        assert partitioner_in_words(unknown) == ""


def test_splits_are_in_words():
    assert splits_in_words({}) == "All examples are in train."
    assert splits_in_words({"splits": {"by": "group", "fractions": {"a": 1}, "seed": 0}}).endswith("100 % a.")
    assert splits_in_words({"splits": {"by": "phase of the moon"}}) == ""


@pytest.mark.parametrize(("by", "times"), [("example", 1), ("both", 1), ("group", 2)])
def test_a_group_in_two_splits_is_one_where_examples_are_held_out(by, times):
    golden = groupstream.open(GOLDEN / "text" / "1.0.0")
    splits = dict.fromkeys(("train", "test"), golden.manifest.splits["train"])
    manifest = golden.manifest.model_copy(update={"splits": splits, "spec": {"splits": {"by": by}}})
    page = draw_card(manifest, Dataset(resolve(GOLDEN / "text" / "1.0.0"), manifest))
    num_groups = times * golden["train"].num_groups
    assert f'<dt>groups</dt><dd class="value">{num_groups}</dd><dd class="note">in 2 splits</dd>' in page
