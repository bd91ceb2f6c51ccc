"""The golden versions are built again from their specs: the same bytes."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream.manifest import Manifest
from pipelines.partition import Partitioned, partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from pipelines.versions import describe_version
from specs import load_spec
from validation.groups import check_groups

GOLDEN = Path(__file__).parents[1] / "golden"
