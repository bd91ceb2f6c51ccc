"""What turns groups into the arrays of other libraries. A split has these methods, and so has a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from groupstream.adapters.jax_batches import JaxBatches
    from groupstream.adapters.numpy_batches import By, PadTo
    from groupstream.adapters.torch_data import TorchStream
    from groupstream.batches import ExampleBatches
    from groupstream.stream import GroupStream


class FrameworkMethods:
    """Gives `GroupStream` and `Split` their `to_...()`; each imports its library when it is called."""

    def _as_stream(self) -> GroupStream:
        raise NotImplementedError

    def batches(self, batch_size: int | None = None, *, drop_last: bool = False) -> ExampleBatches:
        """Its examples, across groups, as Arrow record batches with a `group_id` column first.

        Args:
            batch_size: examples a batch; the last of an epoch is smaller. Default: as they are read, up to about 4 MiB.
            drop_last: leaves a smaller last batch out.

        Returns:
            An iterator with `state_dict()` and `load_state_dict()`, exact to the example.
        """
        from groupstream.adapters.arrow import arrow_batches

        return arrow_batches(self._as_stream(), batch_size, drop_last=drop_last)

    def to_arrow(self, batch_size: int | None = None) -> pa.RecordBatchReader:
        """The same batches as a reader that DuckDB, Polars and pandas take; they are read as they are asked for."""
        from groupstream.adapters.arrow import to_arrow

        return to_arrow(self._as_stream(), batch_size)

    def to_numpy(
        self,
        batch_size: int | None = None,
        *,
        by: By | None = None,
        drop_last: bool = False,
        pad_to: PadTo = None,
        decode_images: bool = False,
    ) -> ExampleBatches:
        """Groups, or batches of examples, as NumPy arrays.

        Without a `batch_size`, items are `(group_id, arrays)`, one a group, which is held whole. With one, items are
        dictionaries of so many examples across groups, with an array `group_id`. The arrays, by feature:

        - Numbers: [num_examples]; tensors: [num_examples, *shape]; read-only views of what was decoded where
          they can be.
        - Texts and bytes, and ids of groups: object arrays of `str` and `bytes`, which all libraries know, unlike
          NumPy's StringDType.
        - Lists: a `Ragged`, which indexes like a list of arrays, and is two: `values` and `offsets`.
        - Optional features: also `<name>_is_there`, bool[num_examples]. A missing value is 0, None or an empty list.

        Args:
            batch_size: examples an item; the last of an epoch, or of a group, is smaller.
            by: "group" with a `batch_size` gives `(group_id, arrays)` of so many examples of one group: for groups
                larger than memory. "example" without one gives batches as they are read. Default: "group" without a
                `batch_size`, else "example".
            drop_last: leaves smaller last batches out.
            pad_to: makes lists of numbers [num_examples, pad_to], filled with 0 or cut, beside `<name>_length`, their
                lengths before that. One number for all, or a number by feature.
            decode_images: encoded images become [num_examples, height, width, channels] where those of an item are of
                one size, else an object array of such.

        Returns:
            An iterator with `state_dict()` and `load_state_dict()`, exact to the example.
        """
        from groupstream.adapters.numpy_batches import Batching, to_numpy

        return to_numpy(self._as_stream(), Batching(batch_size, by, drop_last, pad_to, decode_images))

    def to_jax(
        self,
        batch_size: int | None = None,
        *,
        by: By | None = None,
        drop_last: bool = False,
        pad_to: PadTo = None,
        decode_images: bool = False,
        sharding: Any = None,
    ) -> JaxBatches:
        """Groups, or batches of examples, as JAX arrays, moved to the device one ahead.

        As `to_numpy()`, but for what JAX has no array for: leave texts and bytes out with `select()`, pad lists of
        numbers. Batches across groups are without the ids of these. int64 becomes int32 unless JAX is set to 64 bits.

        Args:
            batch_size, by, drop_last, pad_to, decode_images: see `to_numpy`. Images must be of one size.
            sharding: a `jax.sharding.Sharding`, where the arrays go; default the first device. It must divide
                batches, so drop the last.

        Raises:
            UsageError: a feature has no array in JAX, or a value does not fit one.
        """
        from groupstream.adapters.jax_batches import to_jax
        from groupstream.adapters.numpy_batches import Batching

        return to_jax(self._as_stream(), Batching(batch_size, by, drop_last, pad_to, decode_images), sharding)

    def to_torch(
        self,
        batch_size: int | None = None,
        *,
        by: By | None = None,
        drop_last: bool = False,
        pad_to: PadTo = None,
        decode_images: bool = False,
    ) -> TorchStream:
        """Groups, or batches of examples, as a PyTorch IterableDataset, for a loader with `batch_size=None`.

        Items are dictionaries: `group_id`, which is bytes or a list of them, and by feature a tensor, a list of texts,
        or a list of tensors where lengths differ. Workers share the stream; each of the processes of a distributed
        training takes its part with `shard(rank, world_size)`. With torchdata's StatefulDataLoader it resumes exactly.

        A pass is an epoch, or those of `repeat()`. Call `set_epoch(n)` before each pass, or all have the same order.

        Args:
            batch_size, by, drop_last, pad_to, decode_images: see `to_numpy`.
        """
        from groupstream.adapters.numpy_batches import Batching
        from groupstream.adapters.torch_data import to_torch

        return to_torch(self._as_stream(), Batching(batch_size, by, drop_last, pad_to, decode_images))

    def to_tf(self, *, nested: bool = True, tensors: bool = False, decode_images: bool = False) -> Any:
        """A tf.data.Dataset. Iterating over it anew begins anew, with the first epoch of the stream.

        Nested, an element is a group: `{"group_id": ..., "examples": a tf.data.Dataset}`, also if it is larger than
        memory. Not nested, an element is an example with its `group_id`. An example is a dictionary, by feature:

        - Numbers and tensors of the dtype of the feature; texts, bytes and encoded images as tf.string.
        - Lists: a tensor of as many values; `batch()` makes a RaggedTensor of them.
        - Optional features: also `<name>_is_there`, a bool. A missing value is 0, no bytes, an empty list.

        All CRCs are checked, and Python runs once for each chunk of 4 MiB. Flattening a nested dataset, with
        `flat_map(lambda group: group["examples"].batch(64))`, costs little; a loop in Python over the examples of a
        group costs TensorFlow about 1 ms to begin, and `tensors=True` does without. It calls back into this process, so
        it cannot be saved or sent elsewhere.

        Args:
            nested: whether elements are groups.
            tensors: the examples of a group are a dictionary of tensors of the whole group, which is held in memory:
                [num_examples, ...], lists as RaggedTensors.
            decode_images: encoded images become uint8[height, width, channels], missing ones 0 x 0 x 1.

        Raises:
            UsageError: TensorFlow is not installed, a feature is named as what is added, or `tensors` is asked for
                without groups, or with images to decode, which are of many sizes.
        """
        from groupstream.adapters.tf_data import to_tf

        return to_tf(self._as_stream(), nested=nested, tensors=tensors, decode_images=decode_images)

    def to_hf(self, *, streaming: bool = False, binary_ids: bool = False) -> Any:
        """A Hugging Face `datasets.Dataset` of its examples, with a `group_id` column; or an IterableDataset.

        A Dataset is mapped from an Arrow file in the cache, which is made the first time, in the order of the stream
        and with bounded memory. An IterableDataset needs no file: its shards are stretches of the stream, so workers of
        a DataLoader share them, and its `state_dict()` is exact; resuming reads at most one stretch, of about 64 MiB,
        again.

        Labels become ClassLabel, encoded images Image, tensors of 2 to 5 dimensions Array2D to Array5D, other tensors
        lists of fixed length. Missing values are None.

        Args:
            streaming: whether it is an IterableDataset.
            binary_ids: `group_id` is binary. By default it is a string, whatever the ids are, so that splits and
                versions go together; an id that is not UTF-8 is an error then.

        Raises:
            UsageError: `datasets` is not installed, the stream has no end, or an id is not UTF-8.
            PublishError: the cache cannot be written.
        """
        from groupstream.adapters.hf_dataset import to_hf

        return to_hf(self._as_stream(), streaming=streaming, binary_ids=binary_ids)

    def to_grain(
        self,
        batch_size: int | None = None,
        *,
        by: By | None = None,
        streaming: bool | None = None,
        drop_last: bool = False,
        pad_to: PadTo = None,
        decode_images: bool = False,
    ) -> Any:
        """A `grain.MapDataset` of groups, or a `grain.IterDataset` of groups or of batches of examples.

        Items are dictionaries, of arrays as `to_numpy()` has them: of a group `{"group_id": ..., "examples": arrays}`,
        of a batch across groups the arrays, with `group_id` among them.

        - Without arguments, a MapDataset: item i is group i of the stream, held whole, read in one range request. Grain
          may shuffle, slice and repeat it; several epochs of the stream follow each other.
        - With a `batch_size` or `streaming=True`, an IterDataset, which reads ahead in large pieces: about ten times
          faster. Its states are exact, and each worker of `mp_prefetch` reads a shard of its own.

        Grain's worker processes need absl's flags to be parsed: by `absl.app.run`, or `flags.FLAGS.mark_as_parsed()`.

        Args:
            streaming: True for an IterDataset of groups. Default: by the other arguments.
            batch_size, by, drop_last, pad_to, decode_images: see `to_numpy`.

        Raises:
            UsageError: grain is not installed, or a MapDataset is asked for of a stream without end.
        """
        from groupstream.adapters.grain_data import to_grain
        from groupstream.adapters.numpy_batches import Batching

        return to_grain(self._as_stream(), Batching(batch_size, by, drop_last, pad_to, decode_images), streaming)
