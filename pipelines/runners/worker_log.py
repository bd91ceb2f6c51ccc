"""What worker processes say to a logger is said again by the process that runs the build, where somebody listens."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, endpoints_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.worker.log_handler import LOGENTRY_TO_LOG_LEVEL_MAP, FnApiLogRecordHandler

_FORMAT = "%(name)s\t%(message)s"  # Beam's entries have no place for the name of the logger
_REPEATING = ("apache_beam.runners.common", "apache_beam.runners.worker.sdk_worker")
_MISTAKEN = "If direct_num_workers is not equal to 1"  # Beam does not know that workers of ours are processes


class WorkerLog(beam_fn_api_pb2_grpc.BeamFnLoggingServicer):
    """Takes the lines of all workers."""

    def Logging(self, batches: Iterable[Any], context: Any) -> Iterator[Any]:  # noqa: N802 - its name in Beam's protocol
        """Says each line again, to the logger and at the level of the worker."""
        yield beam_fn_api_pb2.LogControl()
        for batch in batches:
            for entry in batch.log_entries:
                name, _, text = entry.message.partition("\t")
                logging.getLogger(name).log(LOGENTRY_TO_LOG_LEVEL_MAP[entry.severity], "%s", text)


@contextmanager
def said_elsewhere(url: str) -> Iterator[None]:
    """Inside a worker: its warnings, and our own lines, go to the `WorkerLog` at an address."""
    handler, root = FnApiLogRecordHandler(endpoints_pb2.ApiServiceDescriptor(url=url)), logging.getLogger()
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.addFilter(is_news)
    root.addHandler(handler)
    logging.getLogger("groupstream").setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def is_news(record: logging.LogRecord) -> bool:
    """Not an error that the build raises as well, nor what Beam warns of without a reason."""
    is_repeated = record.name in _REPEATING and record.levelno >= logging.ERROR
    return not is_repeated and not str(record.msg).startswith(_MISTAKEN)


def quiet_beam() -> None:
    """Lets Beam say in this process what it warns of, and nothing twice."""
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    for name in (*_REPEATING, fn_runner.__name__):
        logging.getLogger(name).addFilter(is_news)
