"""Whatever dies at whatever write, in whatever order: the doctor makes store and registry agree, and loses nothing."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groupstream import GroupstreamError
from groupstream.catalog import dataset_names, read_catalog, update_catalog
from groupstream.catalog.changes import set_alias, set_deprecated
from lifecycle.collection import collect, plan_collection
from lifecycle.deletion import delete_version
from lifecycle.doctor import examine
from lifecycle.folders import version_folders
from lifecycle.retention import RetentionPolicy

NAMES, NUMBERS = ("text", "text", "text", "news"), ("1.0.0", "1.1.0", "1.2.0", "2.0.0")
LATER = datetime.now(UTC) + timedelta(days=8)  # all that died is dead by now
SEEDS = 60


class Mess:
    """Does things to a store and its registry, most of which die on the way. It knows what must have come of them."""

    def __init__(self, seed: int, places, fuse, killed, publish_into) -> None:
        self.random, self.places, self.publish_into = random.Random(seed), places, publish_into
        self._fuse, self._killed, self._runs = fuse, killed, 0
        self.published: set[str] = set()  # and said so
        self.may_be_gone: set[str] = set()  # somebody began to delete it
        self.deleted: set[str] = set()  # and said so

    def step(self) -> None:
        """One thing."""
        name, version = self.random.choice(NAMES), self.random.choice(NUMBERS)
        kinds = (self._delete, self._delete, self._change, self._collect, self._doctor, self._damage)
        is_publish = self.random.random() < 0.5
        dies_at = self.random.choice([None, None, None, *range(10 if is_publish else 4)])
        store, registry = self.places.dying(self._fuse(dies_at, after=self.random.random() < 0.5))
        with contextlib.suppress(self._killed, GroupstreamError):
            kind = self._publish if is_publish else self.random.choice(kinds)
            kind(store, registry, name, version)

    def dying_doctor(self) -> None:
        """A doctor that does not come far."""
        store, registry = self.places.dying(self._fuse(self.random.randrange(10), after=self.random.random() < 0.5))
        with contextlib.suppress(self._killed):
            examine(store, registry, now=LATER)

    def _publish(self, store, registry, name: str, version: str) -> None:
        self._runs += 1
        aliases = ("stable",) if self.random.random() < 0.3 else ()
        self.publish_into(store, registry, f"{name}@{version}", run=f"run {self._runs}", aliases=aliases)
        self.published.add(f"{name}@{version}")

    def _delete(self, store, registry, name: str, version: str) -> None:
        self.may_be_gone.add(f"{name}@{version}")
        grace = timedelta(0) if self.random.random() < 0.5 else timedelta(hours=1)
        delete_version(store, registry, name, version, "not wanted", grace=grace, allow_last=True)
        self.deleted.add(f"{name}@{version}")

    def _change(self, store, registry, name: str, version: str) -> None:
        now = datetime.now(UTC)
        if self.random.random() < 0.5:
            catalog = update_catalog(store, name, lambda c: set_alias(c, "stable", version, now))
        else:
            catalog = update_catalog(store, name, lambda c: set_deprecated(c, version, "old", now))
        registry.sync_catalog(store.root, catalog)

    def _collect(self, store, registry, name: str, version: str) -> None:
        policy = RetentionPolicy(keep_last=2, keep_newer_than_days=0, keep_abandoned_hours=1)
        now = self.random.choice([LATER, datetime.now(UTC)])
        plan = plan_collection(store, registry, policy, now=now)
        self.may_be_gone |= {item.ref for item in plan.items}
        list(collect(store, registry, plan, policy))

    def _doctor(self, store, registry, name: str, version: str) -> None:
        examine(store, registry, now=self.random.choice([LATER, datetime.now(UTC)]))

    def _damage(self, store, registry, name: str, version: str) -> None:
        """What no crash does, but people and disks do. The folders of versions stay."""
        root = Path(self.places.store.root)
        kind = self.random.randrange(5)
        if kind == 0:
            (root / name / "catalog.json").unlink(missing_ok=True)
        elif kind == 1 and (root / name / "catalog.json").exists():
            self.places.store.replace(f"{name}/catalog.json", b'{"format_version": 1, "vers')
        elif kind == 2:
            (root / "catalog.json").unlink(missing_ok=True)
        elif kind == 3:
            self.places.new_registry()
        else:
            pull = {"at": datetime.now(UTC).isoformat(), "by": "ann", "splits": [], "bytes": 1}
            store.put_if_absent(f".pulls/{name}/{version}/{self._runs}.json", json.dumps(pull).encode())


def assert_all_agree(places) -> None:
    store, registry = places.store, places.registry
    names = [name for name in dataset_names(store) if read_catalog(store, name)]
    for name in names:
        catalog, folders = read_catalog(store, name), version_folders(store, name)
        assert set(catalog.readable()) == {f.version for f in folders if f.has_manifest and not f.has_tombstone}
        gone = {each.version for each in catalog.versions if not each.is_readable}
        assert gone == {folder.version for folder in folders if folder.has_tombstone}
        assert set(catalog.aliases.values()) <= set(catalog.readable())
        assert ("latest" in catalog.aliases) == bool(catalog.readable())
        states = {each.version: (each.state, each.message) for each in catalog.versions}
        rows = {row.version: (row.state, row.message) for row in registry.versions(name, root=store.root)}
        assert {version: row for version, row in rows.items() if row[0] not in ("failed", "pending")} == states
        assert registry.aliases(store.root, name) == catalog.aliases
    assert not any(v.state == "pending" for v in registry.versions(root=store.root))
    listed = json.loads(store.read("catalog.json"))["datasets"] if names else []
    assert set(names) <= set(listed)
    assert list(store.objects(".pulls")) == []


def make_mess(seed: int, places, fuse, killed, publish_into) -> None:
    mess = Mess(seed, places, fuse, killed, publish_into)
    for _ in range(mess.random.randint(3, 20)):
        mess.step()
    for _ in range(2):  # the doctor may die too
        mess.dying_doctor()
    remaining = [each for each in examine(places.store, places.registry, now=LATER) if each.remains]
    assert remaining == []
    assert [each for each in examine(places.store, places.registry, now=LATER) if not each.is_note] == []
    assert_all_agree(places)
    for ref in mess.published - mess.may_be_gone:
        name, version = ref.split("@")
        assert version in read_catalog(places.store, name).readable(), f"{ref} is lost"
    for ref in mess.deleted:
        name, version = ref.split("@")
        assert version not in read_catalog(places.store, name).readable(), f"{ref} came back"


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_any_mess_the_doctor_makes_all_agree(seed: int, make_places, fuse, killed, publish_into) -> None:
    places = make_places("mess")
    make_mess(seed, places, fuse, killed, publish_into)
    shutil.rmtree(places.folder)
