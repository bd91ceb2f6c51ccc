"""Prints the forms of the flows in prefect.yaml as JSON, for `parameter_schemas_file`: run it in the checkout."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

from prefect.utilities.callables import parameter_schema

from orchestration.definitions import PREFECT_FILE, read_definitions

if __name__ == "__main__":
    entrypoints = {each.entrypoint.rpartition(".") for each in read_definitions(Path(PREFECT_FILE))}
    flows = [getattr(import_module(module), name) for module, _, name in sorted(entrypoints)]
    print(json.dumps({flow.name: parameter_schema(flow).model_dump() for flow in flows}))
