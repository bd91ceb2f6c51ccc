"""What partitioners share whose groups are drawn at random."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from partitioners.draws import draw_words, seed_word, unit_floats
from partitioners.key_words import key_words
from partitioners.keys import key_bytes
from partitioners.partitioner import ExampleIds


class Seeded(BaseModel):
    """A seed, and the name of an example that its draw is a function of."""

    model_config = ConfigDict(frozen=True)

    seed: int = Field(0, ge=-(1 << 63), lt=1 << 63, description="Another seed gives another partition.")
    example_key: str | None = Field(
        None,
        description="The feature that names each example. Draws follow it instead of the example's position, so groups "
        "stay the same when the source is put in another order. Examples of the same name fall together.",
    )

    @property
    def reads_key(self) -> frozenset[str]:
        """The feature that names examples, where there is one."""
        return frozenset([self.example_key] if self.example_key is not None else [])

    def draw(self, batch: pa.RecordBatch, ids: ExampleIds, name: str = "group") -> np.ndarray:
        """float64[num_examples] in [0, 1): a uniform number for each example; NaN where its name is null or empty."""
        if self.example_key is None:
            return unit_floats(draw_words(ids, self.seed, name))
        keys = key_bytes(batch.column(self.example_key), self.example_key)
        draws = unit_floats(key_words(keys, seed_word(self.seed, f"{name} of a key")))
        has_key = pc.greater(pc.fill_null(pc.binary_length(keys), 0), 0).to_numpy(zero_copy_only=False)
        return np.where(has_key, draws, np.nan)
