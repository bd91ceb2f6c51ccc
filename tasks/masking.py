"""Secrets that a line of a log or the text of an error may hold are not shown.

Nothing of ours writes one on purpose. But what a library says of a failed request may hold the address that was asked,
with a password or a signature in it, and the log of a run is read by more people than may read its environment.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

MASK = "***"
_PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")
_SIGNATURE = re.compile(
    r"([?&](?:X-Goog-Signature|X-Amz-Signature|X-Amz-Security-Token|sig|token|access_token"
    r"|Signature|Policy|Key-Pair-Id)=)[^&\s\"']+",  # these are CloudFront's, by which Hugging Face serves files
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bBearer\s+)[\w.~+/=-]{16,}", re.IGNORECASE)
_SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY|ACCESS_KEY|AUTH_STRING", re.IGNORECASE)
_LEAST_LENGTH = 8  # shorter values are words that stand in any line


def masked(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text without passwords in addresses, signatures of addresses, tokens, and secrets of the environment.

    >>> masked("postgresql://me:very-secret@host/db refused", {})
    'postgresql://me:***@host/db refused'
    """
    for name, value in environment.items():
        if len(value) >= _LEAST_LENGTH and value in text and _SECRET_NAME.search(name):
            text = text.replace(value, MASK)
    text = _PASSWORD_IN_ADDRESS.sub(rf"\1:{MASK}@", text)
    text = _SIGNATURE.sub(rf"\1{MASK}", text)
    return _BEARER.sub(rf"\1{MASK}", text)


@contextmanager
def masked_errors() -> Iterator[None]:
    """An error that leaves it stays what it is, and its text is masked: Prefect shows that as the state of a run."""
    try:
        yield
    except Exception as error:
        _mask(error)
        raise


def _mask(error: Exception) -> None:
    """Where errors keep their text: in args, in attributes of their own, and those of the system in three more."""
    error.args = tuple(masked(each) if isinstance(each, str) else each for each in error.args)
    names = [*vars(error), *(("strerror", "filename", "filename2") if isinstance(error, OSError) else ())]
    for name in names:
        if isinstance(text := getattr(error, name, None), str) and (safe := masked(text)) != text:
            setattr(error, name, safe)


class MaskingFormatter(logging.Formatter):
    """Formats as another formatter does, and masks what it gives.

    Args:
        formatter: the other one. Default: only the message, and the traceback of its error.
    """

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return masked(self._formatter.format(record))
