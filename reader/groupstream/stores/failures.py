"""How every remote store says what went wrong: one line with the object, the reason and the way out."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from groupstream.errors import PublishError, StoreError, UsageError
from groupstream.stores.address import without_credentials

ATTEMPTS = 6  # of one request, before it counts as failed; the waits between them double
NUM_CONNECTIONS = 64  # that are kept open: more threads than this wait for one another

_REASON_CHARS = 200


class Failure(NamedTuple):
    """Why a request failed and what helps. Each store makes these of its library's errors."""

    reason: str
    way_out: str

    def on_reading(self, where: str) -> StoreError:
        """What a failed reading raises."""
        return StoreError(f"cannot read {where}: {self.reason}. {self.way_out}")

    def on_writing(self, where: str) -> PublishError:
        """What a failed writing raises."""
        return PublishError(f"cannot write {where}: {self.reason}. {self.way_out}")

    def on_deleting(self, where: str) -> PublishError:
        """What a failed removal raises."""
        return PublishError(f"cannot remove {where}: {self.reason}. {self.way_out}")


def unreachable(error: Exception) -> Failure:
    """Also for all that has no better name: the words of the system, or else of the library, cut to one line."""
    words = without_credentials(" ".join((_of_system(error) or str(error)).split())) or type(error).__name__
    reason = words if len(words) <= _REASON_CHARS else words[: _REASON_CHARS - 1] + "…"
    return Failure(reason.rstrip("."), "Check the address and the network, then try again")


def _of_system(error: Exception) -> str | None:
    """What began it, such as "Connection refused". The libraries wrap it in the names of their classes."""
    first: BaseException = error
    while cause := first.__cause__ or first.__context__:
        first = cause
    return first.strerror if isinstance(first, OSError) and first.errno else None


def other_bytes(found: str, crc32c: str) -> Failure:
    """For content that is not what its writer said it would be."""
    return Failure(
        f"the bytes have crc32c {found}, {crc32c} was described",
        "Try again; if it stays so, the file was changed since it was described: make it again",
    )


def missing(where: str) -> FileNotFoundError:
    """What reading an object that is not there raises."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where)


def missing_extra(root: str, extra: str) -> UsageError:
    """For a library that is not installed."""
    return UsageError(f"{root} needs a library that is not installed; get it with: pip install 'groupstream[{extra}]'")
