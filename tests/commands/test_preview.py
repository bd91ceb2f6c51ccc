"""`groupstream preview`: which examples it takes, what it counts, and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from pipelines.preview import least_groups, preview_plan, unseen_share
from pipelines.sample import Sampler, spread_order

NUM_FILES, ROWS = 8, 500


def test_every_beginning_of_the_order_is_spread_evenly():
    for num_pieces in (1, 2, 3, 8, 100, 1000):
        order = list(spread_order(num_pieces))
        assert sorted(order) == list(range(num_pieces))
        for length in (4, 16, 64):
            gaps = np.diff([0, *sorted(order[:length]), num_pieces])
            assert num_pieces < length or gaps.max() <= 2.1 * num_pieces / length + 1
    assert list(spread_order(0)) == []


@pytest.mark.parametrize("limit", [1, 7, 100, 1_000, 3_999, 4_000, 10_000])
def test_a_sample_is_the_first_examples_of_pieces_as_many_of_each(plan_of, limit):
    plan = plan_of()
    sampler = Sampler(plan, limit)
    taken: dict[int, list[int]] = {}
    for batch in sampler:
        assert batch.tally.examples_in == len(batch.rows) == len(batch.columns)
        taken.setdefault(batch.piece.index, []).extend(batch.rows.tolist())
    assert sampler.num_examples == sum(map(len, taken.values())) == min(limit, NUM_FILES * ROWS)
    assert all(rows == list(range(len(rows))) for rows in taken.values()), "from the first on, each once"
    lengths = [len(rows) for rows in taken.values()]
    assert len(lengths) == min(limit, NUM_FILES) and max(lengths) - min(lengths) <= -(-limit // NUM_FILES)
    assert sampler.complete is (limit > NUM_FILES * ROWS)


def test_a_sample_goes_round_again_where_pieces_are_small(plan_of, source):
    for file in range(1, NUM_FILES):
        (source / f"part-{file}.jsonl").write_text('{"text": "x", "label": 1, "author": "b"}\n')
    sampler = Sampler(plan_of(), 300)
    rows = [row for batch in sampler for row in batch.rows.tolist() if batch.piece.index == 0]
    assert rows == list(range(300 - NUM_FILES + 1))
    assert sum(reading.whole for reading in sampler.readings) == NUM_FILES - 1


def test_the_groups_of_the_whole_are_those_of_the_source(plan_of, source):
    rows = [json.loads(line) for file in source.glob("part-*") for line in file.read_text().splitlines()]
    sizes, pairs = Counter(row["author"] for row in rows), Counter((row["author"], row["label"]) for row in rows)
    found = preview_plan(plan_of(), 1 << 20)
    split = found.splits["train"]
    ids = [group_id.decode() for group_id in split.groups["group_id"].to_pylist()]
    assert dict(zip(ids, split.sizes.tolist(), strict=True)) == sizes
    assert (np.diff(split.sizes) <= 0).all()
    labels = {(ids[row["group_row"]], int(row["label"])): row["num_examples"] for row in split.labels.to_pylist()}
    assert labels == pairs
    group_rows = split.labels["group_row"].to_numpy()
    assert (np.diff(group_rows) >= 0).all()
    assert found.complete and found.num_pieces == NUM_FILES


def test_splits_are_shown_each_for_itself(plan_of):
    whole = preview_plan(plan_of(), 2_000).splits["train"]
    splits = preview_plan(plan_of("splits={by: group, fractions: {train: 0.7, test: 0.3}}"), 2_000).splits
    assert list(splits) == ["train", "test"]
    assert sum(len(split.sizes) for split in splits.values()) == len(whole.sizes)
    assert sum(int(split.sizes.sum()) for split in splits.values()) == 2_000
    assert sum(sum(split.labels["num_examples"].to_pylist()) for split in splits.values()) == 2_000
    assert 0.2 < len(splits["test"].sizes) / len(whole.sizes) < 0.4


def test_no_label_no_label_table(plan_of):
    assert preview_plan(plan_of('label_feature=""'), 100).splits["train"].labels is None


def test_unseen_groups_are_estimated_from_those_seen_once():
    draw = np.random.default_rng(0)
    groups = draw.integers(0, 2_000, 4_000)
    first, rest = groups[:1_000], groups[1_000:2_000]
    sizes = np.unique(first, return_counts=True)[1]
    assert unseen_share(sizes) == pytest.approx((~np.isin(rest, first)).mean(), abs=0.05)
    assert len(sizes) < 1_600 < least_groups(sizes) < 2_400


def test_preview_shows_groups_labels_and_what_a_sample_cannot_show(command, spec_file):
    code, out, err = command("preview", str(spec_file), "--limit", "1000")
    assert (code, err) == (0, "")
    for words in ("a sample: 1,000 examples of 8 pieces", "train: ", "largest groups", "of 5 labels on average", "█"):
        assert words in out
    assert "note: a sample shows fewer groups than the whole" in " ".join(out.split())


def test_preview_as_json_has_every_figure(command, spec_file):
    code, out, _ = command("preview", str(spec_file), "--limit", "5000", "--json")
    found = json.loads(out)
    assert code == 0 and found["sample"]["complete"] is True and found["warnings"] == []
    train = found["splits"]["train"]
    assert train["sizes"]["total"] == 4_000 and train["labels"]["num_labels"] == 5
    assert sum(bar["num_groups"] for bar in train["histogram"]) == train["num_groups"]
    assert train["largest"][0]["num_examples"] == train["sizes"]["max"]
    assert command("preview", str(spec_file), "--limit", "5000", "--json")[1] == out


def test_a_sample_of_a_source_that_is_sorted_by_label_says_so(command, spec_file, tmp_path):
    for label in ("cat", "dog", "eel"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(40):
            (tmp_path / "images" / label / f"{number:02d}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    source = "source={kind: images, paths: [images/*/*.png]}"
    arguments = ("preview", str(spec_file), "--set", source, "--set", "partitioner={kind: iid, num_groups: 4}")
    few = " ".join(command(*arguments, "--limit", "60")[1].split())
    assert "note: the sample has 2 of 3 labels: the source seems to be sorted by them" in few
    assert "labels: the source" not in " ".join(command(*arguments)[1].split())


def test_the_rest_of_a_sample_is_none_of_the_whole(command, spec_file):
    settings = ("--set", "partitioner={kind: fixed_sizes, group_examples: 400}", "--set", "label_feature=label")
    code, out, err = command("preview", str(spec_file), "--limit", "1000", *settings)
    assert (code, err) == (0, "")
    assert "2 groups, 800 examples" in out and "dropped (no group): 200 (20.0 %)" in out
    assert command("preview", str(spec_file), *settings)[0] == 0
    code, _, err = command("preview", str(spec_file), "--set", "partitioner={kind: fixed_sizes, group_examples: 300}")
    assert code == 2 and "100 examples remain that fill no group" in err and "--limit" not in err
    sizes = ("--set", "partitioner={kind: fixed_sizes, sizes: [3000, 1000]}")
    code, _, err = command("preview", str(spec_file), "--limit", "1000", *sizes)
    assert code == 2 and "That is of a sample of 1,000 examples: try a larger --limit" in err


def test_preview_says_what_was_dropped_and_where(command, spec_file):
    code, out, err = command(
        "preview", str(spec_file), "--set", "checks={examples: {label: {max_value: 3}}}", "--limit", "100"
    )
    assert code == 1, "a build would refuse these examples"
    assert "dropped (check label: max_value 3): 15 (15.0 %), first at part-0.jsonl row 5" in out
    assert err.startswith("error: 15 of 100 examples break a check") and len(err.splitlines()) == 1


@pytest.mark.parametrize("ending", [".png", ".html"])
def test_preview_draws_a_picture(command, spec_file, tmp_path, ending):
    file = tmp_path / f"picture{ending}"
    code, _, err = command("preview", str(spec_file), "--picture", str(file))
    assert (code, err) == (0, f"picture: {file}\n")
    content = file.read_bytes()
    if ending == ".png":
        assert content.startswith(b"\x89PNG")
    else:
        page = content.decode()
        assert page.count("<svg") == 4 and "groups, by " in page and "http" not in page.replace("http-equiv", "")


BAD = {
    "ending": (["--picture", "x.gif"], 2, "--picture x.gif is neither of .png nor .html"),
    "folder": (["--picture", "/proc/nowhere/x.png"], 1, "cannot write to /proc/nowhere"),
    "feature": (["--set", "partitioner.feature=autor"], 2, "did you mean 'author'?"),
    "limit": (["--limit", "0"], 2, "greater than or equal to 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_line(command, spec_file, case):
    arguments, exit_code, words = BAD[case]
    code, _, err = command("preview", str(spec_file), *arguments)
    assert code == exit_code and words in err and "Traceback" not in err


@pytest.mark.parametrize("name", ["plan", "preview"])
def test_help_is_quick_and_ends_in_an_example(name):
    script = (
        "import sys; from groupstream.cli import main; sys.argv = ['groupstream', %r, '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & set(%r)))"
    )
    heavy = ["numpy", "pyarrow", "pandas", "matplotlib", "apache_beam", "prefect", "tensorflow"]
    done = subprocess.run([sys.executable, "-c", script % (name, heavy)], capture_output=True, text=True, check=True)
    *text, modules = done.stdout.strip().splitlines()
    assert modules == "[]"
    assert next(line for line in reversed(text) if line.strip()).strip().startswith(f"Example: groupstream {name} ")
    assert "Beam" not in done.stderr


def test_a_preview_needs_neither_beam_nor_prefect(spec_file):
    script = (
        "import sys; from groupstream.cli import main; sys.argv = ['groupstream', 'preview', %r]\n"
        "main()\nassert not {'apache_beam', 'prefect', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script % str(spec_file)], capture_output=True, check=True)
