"""Base datasets. One file a kind; to add one, write its file and name it in AnySource."""

from typing import Annotated

from pydantic import Field

from sources.csv import CommaSeparated
from sources.dataset_grouper import DatasetGrouper
from sources.groupstream_version import GroupstreamVersion
from sources.huggingface import HuggingFace
from sources.idx import Idx
from sources.images import Images
from sources.jsonl import JsonLines
from sources.parquet import Parquet
from sources.python_modules import PythonModules
from sources.source import Piece, Source, SourceBatch
from sources.text import Text
from sources.tfds import Tfds
from sources.wikiextractor import WikiExtractor

AnySource = Annotated[
    CommaSeparated
    | DatasetGrouper
    | GroupstreamVersion
    | HuggingFace
    | Idx
    | Images
    | JsonLines
    | Parquet
    | PythonModules
    | Text
    | Tfds
    | WikiExtractor,
    Field(discriminator="kind"),
]

__all__ = [
    "AnySource",
    "CommaSeparated",
    "DatasetGrouper",
    "GroupstreamVersion",
    "HuggingFace",
    "Idx",
    "Images",
    "JsonLines",
    "Parquet",
    "Piece",
    "PythonModules",
    "Source",
    "SourceBatch",
    "Text",
    "Tfds",
    "WikiExtractor",
]
