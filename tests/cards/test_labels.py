from __future__ import annotations

import re
from collections import Counter
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

import cards
from cards.ink import LIGHT, STAND_INS, drawing, pixels_of, svg_file
from cards.label_part import label_name
from cards.label_plots import draw_labels, label_figure
from cards.labels import MAX_LABELS, OTHER_LABELS, choose_groups, label_matrix
from groupstream.group_table import LABEL_SCHEMA
from groupstream.label_skew import label_skew, label_skew_of


def table_of(groups: dict[int, dict[bytes, int]]) -> pa.Table:
    rows = [
        {"group_row": row, "label": label, "num_examples": count}
        for row, labels in sorted(groups.items())
        for label, count in sorted(labels.items())
    ]
    return pa.Table.from_pylist(rows, LABEL_SCHEMA)


def random_groups(num_groups: int, num_labels: int, seed: int = 0) -> dict[int, dict[bytes, int]]:
    draw = np.random.default_rng(seed)
    return {
        row: dict(Counter(b"%d" % label for label in draw.integers(0, num_labels, int(draw.integers(1, 40))).tolist()))
        for row in range(num_groups)
    }


def test_matrix_counts_what_the_table_counts():
    groups = random_groups(30, 12)
    del groups[7]  # a group without labels
    chosen = np.array([29, 7, 0, 13])
    matrix = label_matrix(table_of(groups).to_batches, chosen)
    assert matrix.labels == tuple(b"%d" % label for label in range(12)), "numbers stand in the order of their values"
    for column, row in enumerate(chosen.tolist()):
        expected = [groups.get(row, {}).get(label, 0) for label in matrix.labels]
        assert matrix.counts[:, column].tolist() == expected
    assert matrix.overall.tolist() == [sum(g.get(label, 0) for g in groups.values()) for label in matrix.labels]
    assert matrix.shares().sum(axis=0).round(9).tolist() == [1, 0, 1, 1]


def test_matrix_of_no_chosen_groups_is_empty():
    assert label_matrix(table_of(random_groups(3, 4)).to_batches, np.array([], np.int64)).counts.shape == (4, 0)


def test_rare_labels_share_the_last_row():
    groups = {row: {b"label %03d" % row: 1000 - row} for row in range(MAX_LABELS + 20)}
    matrix = label_matrix(table_of(groups).to_batches, np.array([0, MAX_LABELS + 19]))
    assert (len(matrix.labels), matrix.labels[-1]) == (MAX_LABELS, OTHER_LABELS)
    assert matrix.counts[-1].tolist() == [0, 1000 - MAX_LABELS - 19]
    assert matrix.overall.sum() == sum(sum(labels.values()) for labels in groups.values())


def test_groups_stand_by_their_most_common_label_the_purest_first():
    groups = {0: {b"b": 10}, 1: {b"a": 20, b"b": 10}, 2: {b"a": 90}, 3: {b"a": 10, b"b": 20}}
    matrix = label_matrix(table_of(groups).to_batches, np.arange(4)).ordered()
    assert matrix.counts.tolist() == [[90, 20, 0, 10], [0, 10, 10, 20]]
    assert matrix.order == "by most common label"


def test_groups_whose_labels_differ_by_chance_only_stand_by_their_size():
    matrix = label_matrix(table_of(random_groups(60, 8)).to_batches, np.arange(60))
    assert matrix.skew_over_chance == pytest.approx(1, abs=0.3)
    sizes = matrix.ordered().counts.sum(axis=0)
    assert (np.diff(sizes) <= 0).all() and matrix.ordered().order == "by size"


def test_skew_is_what_its_definition_says():
    groups = random_groups(50, 7)
    counts = label_matrix(table_of(groups).to_batches, np.arange(50)).counts
    shares, overall = counts / counts.sum(axis=0), counts.sum(axis=1) / counts.sum()
    distances = np.abs(shares - overall[:, None]).sum(axis=0) / 2
    skew = label_skew(table_of(groups))
    assert (skew.num_labels, skew.num_groups) == (7, 50)
    assert skew.labels_a_group == pytest.approx((counts > 0).sum(axis=0).mean())
    quantiles = [0.1, 0.5, 0.9]
    assert skew.distance == pytest.approx(np.quantile(distances, quantiles, method="lower"))
    assert skew.top_share == pytest.approx(np.quantile(shares.max(axis=0), quantiles, method="lower"))


@pytest.mark.parametrize("part_rows", [1, 7, 100])
@pytest.mark.parametrize("batch_rows", [1, 5, 1000])
def test_skew_does_not_depend_on_where_the_table_is_cut(part_rows, batch_rows, monkeypatch):
    table = table_of(random_groups(50, 7))
    whole = label_skew(table)
    monkeypatch.setattr("groupstream.label_skew._PART_ROWS", part_rows)
    assert label_skew_of(partial(table.to_batches, batch_rows)) == whole
    chosen = np.array([29, 7, 0, 13])
    matrices = [label_matrix(partial(table.to_batches, rows), chosen) for rows in (batch_rows, 10**6)]
    assert (matrices[0].counts == matrices[1].counts).all() and matrices[0].labels == matrices[1].labels


def test_equal_groups_have_no_distance_and_pure_ones_nearly_all():
    equal = label_skew(table_of({row: {b"0": 5, b"1": 5} for row in range(4)}))
    assert equal.distance == (0, 0, 0) and equal.top_share == (0.5, 0.5, 0.5)
    pure = label_skew(table_of({row: {b"%d" % row: 10} for row in range(10)}))
    assert pure.distance == pytest.approx((0.9, 0.9, 0.9)) and pure.top_share == (1, 1, 1)


def test_groups_are_chosen_evenly_over_their_sizes():
    sizes = np.random.default_rng(1).permutation(1000) + 1
    chosen = sizes[choose_groups(sizes, 100)]
    assert (len(chosen), chosen[0], chosen[-1]) == (100, 1000, 1)
    assert set(np.diff(chosen)) <= {-10, -11}
    assert sizes[choose_groups(sizes[:5])].tolist() == sorted(sizes[:5].tolist(), reverse=True)


@pytest.mark.parametrize("num_labels", [1, 10, 100])
def test_picture_shows_a_share_by_its_shade(num_labels):
    """The cell of a pure group is the accent, an empty one the paper."""
    matrix = label_matrix(
        table_of({0: {b"%d" % label: 1 for label in range(num_labels)}, 1: {b"0": 9}}).to_batches, np.arange(2)
    )
    names = [label.decode() for label in matrix.labels]
    with drawing("x"):
        figure = label_figure(matrix, 2, names, 6, LIGHT)
        pixels = pixels_of(figure)
    x, y, width, height = figure.axes[1].get_position().bounds
    rows, columns, _ = pixels.shape
    across = int((x + width * 0.75) * columns)  # the middle of the second group
    first, last = (int((1 - y - height * part) * rows) for part in (1 - 0.5 / num_labels, 0.5 / num_labels))
    accent, paper = ([int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (LIGHT.accent, LIGHT.paper))
    assert np.abs(pixels[first, across].astype(int) - accent).max() <= 2
    if num_labels > 1:
        assert pixels[last, across].tolist() == paper


def test_picture_in_a_page_takes_the_colours_of_the_page():
    matrix = label_matrix(table_of(random_groups(120, 10)).to_batches, np.arange(100)).ordered()
    svg = draw_labels(matrix, 120, [label.decode() for label in matrix.labels], 9.4, "x")
    assert not any(color in svg for color in STAND_INS)
    assert svg.count("<mask") == svg.count('style="fill: var(--accent)"') == svg.count("<image") == 3
    ids = re.findall(r' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids)) and all(i.startswith("x-") for i in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(ids)
    assert "100 of 120 groups, by size" in svg and len(svg) < 60_000
    assert svg == draw_labels(matrix, 120, [label.decode() for label in matrix.labels], 9.4, "x")


def test_picture_as_a_file_brings_both_sets_of_colours():
    file = svg_file('<svg viewBox="0 0 9 9"><g/></svg>')
    assert file.startswith('<svg viewBox="0 0 9 9" xmlns="http://www.w3.org/2000/svg"><style>')
    assert f"--accent:{LIGHT.accent}" in file and "prefers-color-scheme:dark" in file


def test_card_shows_the_labels_of_each_split(make_table, make_content):
    groups = {"train": random_groups(40, 3), "validation": random_groups(9, 3, 1), "test": random_groups(7, 3, 2)}
    tables = {s: make_table([sum(labels.values()) for labels in found.values()]) for s, found in groups.items()}
    label_tables = {split: table_of(found) for split, found in groups.items() if split != "test"}
    page = cards.render_card(make_content(tables, label_tables))
    assert page.count(">Labels <") == 2
    assert all(f"Groups of <bdi>{split}</bdi>" in page for split in tables)
    assert page.count('class="figures small"') == 3
    assert "politics" in page and "3 labels, " in page, "class indices are shown by their names"
    skew = label_skew(label_tables["validation"])
    assert f'<td class="number">{skew.distance[1]:.2f}</td>' in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert cards.render_card(make_content(tables)).count(">Labels <") == 0


def test_label_is_shown_by_its_name_where_it_has_one():
    assert [label_name(label, ("a", "b")) for label in (b"1", b"2", b"-1", b"x\xff")] == ["b", "2", "-1", "x\\xff"]
