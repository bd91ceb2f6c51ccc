"""Small files of each modality, written as others write them, and what is in them, one of them wrong."""

from __future__ import annotations

import csv
import gzip
import io
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ("ada", "bea", "cid", "dee", "eva", "fay", "gil", "hal", "ivy", "jon")
RATE = 8000  # samples a second
TONES = {"low": 250, "high": 1000}  # Hz

Found = tuple[str | None, tuple[Any, ...]]
"""The group of an example, None where it is drawn; and the values of its features."""


@dataclass(frozen=True)
class Modality:
    """What a section of docs/modalities.md is about.

    Attributes:
        title: of the section.
        features: those that are compared, in this order; tensors as their bytes.
        rejected: the reason for which the one wrong example is left out.
        write: writes files below a folder; gives the examples that are right, as they were written.
    """

    title: str
    features: tuple[str, ...]
    rejected: str
    write: Callable[[Path], Iterator[Found]]


def write_letters(folder: Path) -> Iterator[Found]:
    """A file for each author: lines end as on Windows, and are not all ASCII."""
    for number, name in enumerate(NAMES):
        lines = [f"Dear {other}, it is {'very ' * (number % 3)}cold in Köln." for other in NAMES]
        wrong = ["Hm."] if name == "eva" else []
        (folder / f"{name}.txt").write_bytes("".join(f"{line}\r\n" for line in lines[:5] + wrong + lines[5:]).encode())
        yield from ((f"{name}.txt", (line,)) for line in lines)


def write_drawings(folder: Path) -> Iterator[Found]:
    """PNG files: red or blue, each artist in other shades; one is too small."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for name in NAMES:
        for label, colour in enumerate(("blue", "red")):
            (folder / name / colour).mkdir(parents=True)
            for number in range(6):
                pixels = draw.integers(0, 60, (8, 8, 3), np.uint8)
                pixels[..., 2 - 2 * label] += 150
                stream = io.BytesIO()
                Image.fromarray(pixels).save(stream, "PNG")
                (folder / name / colour / f"{number}.png").write_bytes(stream.getvalue())
                yield name, (stream.getvalue(), label)
    stream = io.BytesIO()
    Image.new("RGB", (8, 4)).save(stream, "PNG")
    (folder / "gil" / "red" / "small.png").write_bytes(stream.getvalue())


def write_digits(folder: Path) -> Iterator[Found]:
    """Two pairs of idx files, gzipped; digit n is bright in row n, and one label is no digit."""
    draw = np.random.default_rng(0)
    for part, labels in (("train", np.arange(150) % 6), ("test", np.append(np.arange(30) % 6, 77))):
        images = draw.integers(0, 50, (len(labels), 6, 6), np.uint8)
        images[np.arange(len(labels)), labels % 6] += 180
        header = b"\0\0\x08\3" + b"".join(size.to_bytes(4, "big") for size in images.shape)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        header = b"\0\0\x08\1" + len(labels).to_bytes(4, "big")
        content = gzip.compress(header + labels.astype(np.uint8).tobytes())
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(content)
        yield from (
            (None, (image.tobytes(), int(label))) for image, label in zip(images, labels, strict=True) if label < 10
        )


def write_flats(folder: Path) -> Iterator[Found]:
    """Two CSV files of all agents: cheap flats are let, and those in the east; one has no rooms."""
    draw = np.random.default_rng(0)
    rows = []
    for number in range(240):
        rooms, rent = 1 + number % 5, float(np.float32(draw.uniform(300, 3000)))
        quarter = ("north", "east", "south", "west")[draw.integers(4)]
        is_let = rent / rooms < 600 or quarter == "east"
        rows.append((NAMES[draw.integers(10)], quarter, rooms, rent, is_let))
    wrong = ("cid", "west", 0, 500.0, True)
    for file, some in (("old.csv", [*rows[:100], wrong]), ("new.csv", rows[100:])):
        with open(folder / file, "w", newline="") as text:
            csv.writer(text).writerows([("agent", "quarter", "rooms", "rent", "let"), *some])
    yield from ((row[0], row) for row in rows)


def tone(speaker: int, name: str, number: int) -> bytes:
    """A WAV file of 8 bits a sample and 1/20 s; each speaker is a little higher than the one before."""
    times = np.arange(RATE // 20) / RATE
    samples = 128 + 100 * np.sin(2 * np.pi * (TONES[name] + 5 * speaker) * (times + number / RATE))
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 1, RATE, 0, "NONE", "not compressed"))
        file.writeframes(samples.astype(np.uint8).tobytes())
    return stream.getvalue()


def write_tones(folder: Path) -> Iterator[Found]:
    """WAV files by speaker and tone; one is empty, as of a recorder that failed."""
    for speaker, name in enumerate(NAMES):
        for which in TONES:
            (folder / name / which).mkdir(parents=True)
            for number in range(4):
                audio = tone(speaker, which, number)
                (folder / name / which / f"{number}.wav").write_bytes(audio)
                yield name, (audio, which)
    (folder / "hal" / "low" / "empty.wav").write_bytes(b"")


def write_spectra(folder: Path) -> Iterator[Found]:
    """A Parquet file of what the same sounds are made of; one is no number."""
    speakers, tones, spectra = [], [], []
    for speaker, name in enumerate(NAMES):
        for which in TONES:
            for number in range(4):
                with wave.open(io.BytesIO(tone(speaker, which, number))) as file:
                    samples = np.frombuffer(file.readframes(file.getnframes()), np.uint8).astype(np.float32) / 128 - 1
                frames = samples[: 4 * 64].reshape(4, 64)
                spectra.append(np.log1p(np.abs(np.fft.rfft(frames))).astype(np.float32))
                speakers.append(name)
                tones.append(which)
    wrong = np.full((4, 33), np.nan, np.float32)
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack([*spectra, wrong]))
    table = pa.table({"speaker": [*speakers, "ada"], "tone": [*tones, "low"], "spectrum": column})
    pq.write_table(table, folder / "all.parquet")
    for name, which, spectrum in zip(speakers, tones, spectra, strict=True):
        yield name, (which, spectrum.tobytes())


MODALITIES = (
    Modality("Text", ("text",), "check text: min_words 2", write_letters),
    Modality("Encoded images", ("image", "label"), "check image: min_height 8", write_drawings),
    Modality("Arrays of pixels", ("image", "label"), "check label: max_value 9", write_digits),
    Modality("Tables", ("agent", "quarter", "rooms", "rent", "let"), "check rooms: min_value 1", write_flats),
    Modality("Sound", ("audio", "tone"), "check audio: min_length 45", write_tones),
    Modality("Vectors", ("tone", "spectrum"), "check spectrum: not finite", write_spectra),
)
