"""Where a pipeline runs, apart from what runs. One file a place; `run_beam` knows them all.

What a spec says of each is in `specs.runner`. Each takes the same graph, so the same spec gives the same bytes on all.
"""

from pipelines.runners.run import prepare_workers, run_beam, run_pipeline

__all__ = ["prepare_workers", "run_beam", "run_pipeline"]
