"""The commands of docs/operations/backup.md bring a registry back as it was."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from registry import Metric, Registry

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "backup.md"


def commands(title: str) -> str:
    """The block of the page that follows this title."""
    found = re.search(rf"^## {title}\n.*?^```bash\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{PAGE} has no commands under {title!r}"
    return found[1]


def fill(registry: Registry, make_manifest, make_catalog) -> None:
    """What nothing but the registry knows: a run with its figures, and who pulled what."""
    registry.start_run("r1", "/data", "fedwiki", "a" * 64, kind="train")
    registry.record_published(make_manifest(), "/data", datetime(2026, 1, 1, tzinfo=UTC), run_id="r1")
    registry.sync_catalog("/data", make_catalog("1.0.0"))
    registry.record_metrics("r1", [Metric("loss", 0.5, step=3)])
    registry.finish_run("r1", "completed")


def content(registry: Registry) -> tuple:
    return registry.runs(), registry.metrics("r1"), registry.versions(), registry.aliases("/data", "fedwiki")


def test_a_copy_of_sqlite_made_while_it_is_written_is_whole(tmp_path: Path, make_manifest, make_catalog) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("no sqlite3 on PATH; get it with: apt-get install sqlite3")
    file = tmp_path / "registry.db"
    with closing(Registry(f"sqlite:///{file}")) as registry:  # open: its newest rows are in the -wal file
        fill(registry, make_manifest, make_catalog)
        expected = content(registry)
        run(commands("SQLite: back up"), tmp_path)
        registry.finish_run("r1", "failed", error="after the backup")
    copies = list(tmp_path.glob("registry-*.db"))
    assert len(copies) == 1
    run(commands("SQLite: restore").replace("registry-2026-11-30.db", copies[0].name), tmp_path)
    with closing(Registry(f"sqlite:///{file}")) as registry:
        assert content(registry) == expected
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.integration
def test_a_dump_of_postgresql_is_restored_into_an_empty_database(
    tmp_path: Path, postgresql, make_manifest, make_catalog
) -> None:
    import pgserver

    programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
    source, target = postgresql(), postgresql(template="")
    with closing(Registry(source)) as registry:
        fill(registry, make_manifest, make_catalog)
        expected = content(registry)
    for title, url in (("PostgreSQL: back up", source), ("PostgreSQL: restore", target)):
        database = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        script = commands(title).replace("registry-2026-11-30.dump", "registry.dump")
        script = re.sub(r"registry-\$\(date \+%F\)", "registry", script)
        run(script, tmp_path, f'export PATH="{programs}:$PATH" REGISTRY_DATABASE="{database}"')
    with closing(Registry(target)) as registry:
        assert content(registry) == expected


def run(script: str, folder: Path, before: str = "true") -> None:
    done = subprocess.run(
        ["bash", "-euc", f"{before}\n{script}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}: {done.stderr}"
