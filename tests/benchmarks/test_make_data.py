"""Sources of the benchmarks are what they are called, and the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.pipeline.make_data import SOURCES, Data, Made, make_data
from benchmarks.pipeline.words import texts


def table_of(made: Made) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(Path(made.folder).glob("*.parquet")))


@pytest.mark.parametrize("name", sorted(name for name, data in SOURCES.items() if not data.is_tfds))
def test_a_source_has_the_groups_and_sizes_that_it_says(tmp_path, name):
    made = make_data(tmp_path, name, part=0.0002)
    table, data = table_of(made), SOURCES[name].part(0.0002)
    found = np.unique(table["key"].to_numpy(), return_counts=True)[1]
    assert sorted(found) == sorted(data.group_sizes())
    assert (made.num_examples, made.num_groups) == (len(table), len(found))
    assert made.payload_bytes == sum(len(value) for column in table.columns for value in column.to_pylist())
    assert made.payload_bytes == pytest.approx(data.example_bytes * len(table), rel=0.1)


def test_the_files_are_the_same_each_time(tmp_path):
    one, two = (make_data(tmp_path / name, "zipf-5gb", part=0.0002) for name in "ab")
    assert table_of(one).equals(table_of(two))
    assert (
        table_of(one)["text"].to_pylist() != table_of(make_data(tmp_path, "zipf-5gb", part=0.0004))["text"].to_pylist()
    )


def test_sizes_are_those_of_the_kind():
    assert Data(1_000, 10, sizes="hot").group_sizes().tolist()[0] == 500
    assert set(Data(75, 50, sizes="few").group_sizes().tolist()) == {1, 2}
    assert Data(75, 50, sizes="few").group_sizes().sum() == 75


def test_parts_of_a_file_differ():
    one, two = (texts(np.random.default_rng([2, number]), 50, 100) for number in (0, 1))
    assert not set(one.to_pylist()) & set(two.to_pylist())
    assert all(50 <= len(text) <= 150 for text in one.to_pylist())


@pytest.mark.integration
def test_the_prepared_dataset_opens_in_tfds(tmp_path):
    import tensorflow_datasets as tfds

    made = make_data(tmp_path, "talk", part=0.002)
    examples = list(tfds.builder_from_directory(made.folder).as_dataset("train").as_numpy_iterator())
    assert len(examples) == made.num_examples
    assert len({example["key"] for example in examples}) == made.num_groups
    assert sum(len(example["key"] + example["text"]) for example in examples) == made.payload_bytes
