"""Draws the pictures of docs/partition-pictures.md, and its table, out of the specs that stand on the page.

Run it after the page or a partitioner has changed: .venv/bin/python scripts/partition_pictures.py
It needs mnist_idx.tar.gz and cifar100_png.tar.gz in $GROUPSTREAM_SHARED_DATA, or in shared/data beside the repository.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "partition-pictures.md"
WIDTH_INCHES = 7.2
_ARCHIVES = {"mnist": "mnist_idx", "cifar100": "cifar100_png"}
_PART = re.compile(r"^```yaml\n(?P<yaml>.*?)^```$|^!\[[^]]*\]\((?P<picture>[^)]+)\)$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"(?<=<!-- table -->\n\n).*?(?=\n\n<!-- end of table -->)", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A picture of the page: where it goes, of which dataset it is, and its spec."""

    file: Path
    dataset: str
    fields: dict[str, Any]

    @property
    def words(self) -> str:
        """The partitioner in a line, its kind first."""
        partitioner = self.fields["partitioner"]
        more = (f"{key}: {value}" for key, value in partitioner.items() if key not in ("kind", "shares"))
        return ", ".join([partitioner["kind"], *more])


def pictures_of(page: str, folder: Path = PAGE.parent) -> Iterator[Picture]:
    """The pictures in their order. A block with a name is a dataset; one with a partitioner is for what follows it."""
    datasets: dict[str, dict[str, Any]] = {}
    partitioner: dict[str, Any] = {}
    for part in _PART.finditer(page):
        if part["picture"]:
            dataset = Path(part["picture"]).name.partition("-")[0]
            yield Picture(folder / part["picture"], dataset, datasets[dataset] | partitioner)
        elif "name" in (fields := yaml.safe_load(part["yaml"])):
            datasets[fields["name"]] = fields
        else:
            partitioner = fields


def draw(picture: Picture) -> tuple[str, str]:
    """The picture as SVG, and its row of the table. The paths of its source are seen from the working folder."""
    from cards.ink import svg_file
    from cards.partition_picture import DrawnSplit, labels_svg
    from cards.split_part import percentiles
    from groupstream.label_skew import label_skew
    from pipelines.plan import make_plan
    from pipelines.preview import preview_plan
    from specs import Spec

    plan = make_plan(Spec.model_validate(picture.fields, extra="forbid"), identify=False)
    found = preview_plan(plan, sys.maxsize)
    split = found.splits["train"]
    names = plan.features[plan.label_feature or "label"].labels
    svg = labels_svg(DrawnSplit(split.sizes, split.labels, names), WIDTH_INCHES, picture.file.stem)
    if svg is None or split.labels is None:
        raise ValueError(f"{picture.file.name}: no example has a label")
    skew = label_skew(split.labels)
    sizes = " / ".join(f"{size:,}" for size in percentiles(split.sizes).values())
    cells = [
        f"`{picture.words}`",
        f"{len(split.sizes):,}",
        sizes,
        f"{skew.labels_a_group:.1f}",
        f"{skew.distance[1]:.2f}",
    ]
    return svg_file(svg), f"| {' | '.join(cells)} |"


@contextlib.contextmanager
def in_data(dataset: str) -> Iterator[None]:
    """In the block, the working folder is that of the unpacked dataset, with the tables that specs of the page name."""
    name = _ARCHIVES[dataset]
    archives = Path(os.environ.get("GROUPSTREAM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archives / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        for table in (PAGE.parent / "assets" / "partitions").glob("*.csv"):
            shutil.copy(table, Path(folder) / name)
        with contextlib.chdir(Path(folder) / name):
            yield


def main() -> None:
    """Draws all pictures and writes the table."""
    page = PAGE.read_text(encoding="utf-8")
    pictures = list(pictures_of(page))
    lines = []
    for dataset in _ARCHIVES:
        lines += [f"| **{dataset}** | | | | |"]
        with in_data(dataset):
            for picture in (p for p in pictures if p.dataset == dataset):
                svg, row = draw(picture)
                picture.file.write_text(svg, encoding="utf-8")
                lines.append(row)
                print(f"{picture.file.name}: {len(svg):,} bytes, {row}")
    heading = "| partitioner | groups | examples of a group at 10 / 50 / 90 % / max | labels of a group | distance |"
    table = "\n".join([heading, "|---|--:|--:|--:|--:|", *lines])
    PAGE.write_text(_TABLE.sub(lambda _: table, page), encoding="utf-8")


if __name__ == "__main__":
    main()
