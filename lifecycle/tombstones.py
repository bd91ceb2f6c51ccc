"""The first sign that a version is deleted, in its folder: since when, by whom, and why. It stays for ever."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from groupstream import CorruptError
from groupstream.catalog.model import Moment
from groupstream.layout import TOMBSTONE
from groupstream.manifest import canonical_json
from groupstream.stores import Store


class Tombstone(BaseModel):
    """Says that a version is deleted.

    Attributes:
        digest: of the build, so that a rebuilt catalog knows what had the number. Empty if that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: Moment
    by: str
    reason: str
    digest: str = ""


def read_tombstone(store: Store, folder: str) -> Tombstone | None:
    """The tombstone in the folder of a version, None where there is none.

    Raises:
        CorruptError: what is there is none.
    """
    path = f"{folder}/{TOMBSTONE}"
    try:
        return Tombstone.model_validate_json(store.read(path))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise CorruptError(
            f"{store.root}/{path} is not a tombstone, which has at, by, reason and digest. Remove it, and delete the "
            "version again if it shall be deleted"
        ) from error


def write_tombstone(store: Store, folder: str, tombstone: Tombstone) -> Tombstone:
    """Writes it, unless there is one already; gives the one that is there then.

    Raises:
        PublishError: the store refuses the write.
        CorruptError: what is there is none.
    """
    if store.put_if_absent(f"{folder}/{TOMBSTONE}", canonical_json(tombstone.model_dump(mode="json"))):
        return tombstone
    return read_tombstone(store, folder) or tombstone  # None: somebody withdrew it this moment
