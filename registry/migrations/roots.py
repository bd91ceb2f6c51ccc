"""Datasets before revision 0003 had no root: it is found from where their versions lie."""

from __future__ import annotations

import sqlalchemy as sa

from registry.errors import RegistryError

_DATASETS = sa.table("datasets", *map(sa.column, ("id", "root", "name", "catalog_revision", "created_at")))
_VERSIONS = sa.table("versions", *map(sa.column, ("id", "dataset_id", "version", "digest", "location")))
_RUNS = sa.table("runs", *map(sa.column, ("dataset_id", "digest")))


def give_roots(connection: sa.Connection) -> None:
    """Gives each dataset the root of its newest version, and versions in other roots a dataset of their own.

    A run follows the version of its digest. A dataset without versions, or with such that lie elsewhere than in
    `<root>/<name>/<version>`, keeps the root "": the first that records something of it with a root takes it over.
    """
    for dataset in connection.execute(sa.select(_DATASETS)).all():
        query = sa.select(_VERSIONS).where(_VERSIONS.c.dataset_id == dataset.id).order_by(_VERSIONS.c.id.desc())
        roots: dict[str, list[sa.Row]] = {}
        for version in connection.execute(query):
            roots.setdefault(root_of(version.location, dataset.name, version.version), []).append(version)
        for index, (root, versions) in enumerate(roots.items()):
            if index == 0:
                connection.execute(sa.update(_DATASETS).where(_DATASETS.c.id == dataset.id).values(root=root))
            else:
                _move(connection, dataset, root, versions)


def root_of(location: str, name: str, version: str) -> str:
    """The root of a version that lies in `<root>/<name>/<version>`, else "".

    >>> root_of("gs://bucket/data/fedwiki/1.0.0", "fedwiki", "1.0.0")
    'gs://bucket/data'
    """
    ending = f"/{name}/{version}"
    return location.removesuffix(ending) or "/" if location.endswith(ending) else ""


def refuse_names_in_several_roots(connection: sa.Connection) -> None:
    """Refuses to go back to where a name is one dataset.

    Raises:
        RegistryError: a name is in several roots.
    """
    query = sa.select(_DATASETS.c.name).group_by(_DATASETS.c.name).having(sa.func.count() > 1)
    if names := connection.scalars(query.order_by(_DATASETS.c.name)).all():
        raise RegistryError(
            f"cannot go back to revision 0002, which knows no roots: {len(names)} names, such as {names[0]!r}, are in "
            "several roots. Delete the rows of all but one root first, or go on with this revision"
        )


def _move(connection: sa.Connection, dataset: sa.Row, root: str, versions: list[sa.Row]) -> None:
    columns = {"root": root, "name": dataset.name, "catalog_revision": 0, "created_at": dataset.created_at}
    connection.execute(sa.insert(_DATASETS).values(**columns))
    new_id = connection.scalar(
        sa.select(_DATASETS.c.id).where(_DATASETS.c.root == root, _DATASETS.c.name == dataset.name)
    )
    ids, digests = [row.id for row in versions], [row.digest for row in versions]
    connection.execute(sa.update(_VERSIONS).where(_VERSIONS.c.id.in_(ids)).values(dataset_id=new_id))
    of_them = sa.and_(_RUNS.c.dataset_id == dataset.id, _RUNS.c.digest.in_(digests))
    connection.execute(sa.update(_RUNS).where(of_them).values(dataset_id=new_id))
