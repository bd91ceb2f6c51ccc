"""JAX for tests, and a version of numbers with its labels that a line can tell apart."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
import pytest

from groupstream import Dataset, Feature
from tests.training.data.conftest import make_dataset  # noqa: F401 - a fixture

jax.config.update("jax_num_cpu_devices", 4)  # before anything is computed: clients are spread over them
jax.config.update("jax_disable_most_optimizations", True)  # what is compiled here runs for milliseconds


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests run the same programs over and over, each of which takes about a second to compile."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


NUMBERS = {"numbers": Feature(dtype="float32", shape=[3]), "label": Feature(dtype="int64")}


@pytest.fixture
def numbers(make_dataset: Callable[..., Dataset]) -> Dataset:  # noqa: F811
    """20 groups of 4 to 10 examples; each group has a bias of its own."""
    draw = np.random.default_rng(0)
    weights = np.array([2.0, -1.0, 0.5])

    def example(bias: float) -> dict:
        values = draw.normal(size=3)
        return {"numbers": values.astype(np.float32).tolist(), "label": int(values @ weights + bias > 0)}

    groups = {f"group {number}": [example(draw.normal()) for _ in range(4 + number % 7)] for number in range(20)}
    return make_dataset(groups, NUMBERS)
