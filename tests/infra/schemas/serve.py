"""Serves the schemas of providers to Terraform, so that it validates modules and tries them with mocked providers.

    python serve.py hashicorp/google=google-6.50.0.json prefecthq/prefect=prefect-2.json

prints one line, the value for TF_REATTACH_PROVIDERS, and serves until its input ends. Terraform then asks these servers
instead of programs of its own: `validate` compares every attribute, block and type with the schema, and `test` plans
and applies with values made up where the cloud would set them. Nothing else is answered: no `plan` without a mock.

It speaks version 6 of the protocol between Terraform and its providers, whose messages are written here by hand.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
EMPTY = (
    "ValidateProviderConfig",
    "ValidateResourceConfig",
    "ValidateDataResourceConfig",
    "ConfigureProvider",
    "StopProvider",
)


def _number(value: int) -> bytes:
    """A varint of protocol buffers."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _count(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value) if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _number(field << 3 | 2) + _number(len(value)) + value


def _attribute(name: str, about: dict[str, Any]) -> bytes:
    parts = [_bytes(1, name.encode())]
    if "type" in about:
        parts.append(_bytes(2, json.dumps(about["type"]).encode()))
    parts += [
        _count(field, about.get(flag, False))
        for field, flag in enumerate(("required", "optional", "computed", "sensitive"), 4)
    ]
    if nested := about.get("nested_type"):
        inner = b"".join(_bytes(1, _attribute(*each)) for each in nested["attributes"].items())
        parts.append(_bytes(10, inner + _count(3, NESTING[nested["nesting_mode"]])))
    return b"".join(parts)


def _nested_block(name: str, about: dict[str, Any]) -> bytes:
    limits = _count(4, about.get("min_items", 0)) + _count(5, about.get("max_items", 0))
    return (
        _bytes(1, name.encode())
        + _bytes(2, _block(about["block"]))
        + _count(3, NESTING[about["nesting_mode"]])
        + limits
    )


def _block(about: dict[str, Any]) -> bytes:
    attributes = (_bytes(2, _attribute(*each)) for each in about.get("attributes", {}).items())
    return b"".join((*attributes, *(_bytes(3, _nested_block(*each)) for each in about.get("block_types", {}).items())))


def _schema(about: dict[str, Any]) -> bytes:
    return _count(1, about.get("version", 0)) + _bytes(2, _block(about["block"]))


def _schemas(field: int, found: dict[str, Any]) -> Iterator[bytes]:
    for name, about in found.items():
        yield _bytes(field, _bytes(1, name.encode()) + _bytes(2, _schema(about)))


def answer(provider: dict[str, Any]) -> bytes:
    """What GetProviderSchema is answered."""
    resources, sources = _schemas(2, provider["resource_schemas"]), _schemas(3, provider["data_source_schemas"])
    return _bytes(1, _schema(provider["provider"])) + b"".join((*resources, *sources))


def serve(provider: dict[str, Any]) -> tuple[grpc.Server, int]:
    """The server, which must be kept, and its port."""
    replies = dict.fromkeys(EMPTY, b"") | {"GetProviderSchema": answer(provider)}
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(lambda _, __, reply=reply: reply) for name, reply in replies.items()
    }
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tfplugin6.Provider", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main(arguments: list[str]) -> None:
    servers, places = [], {}
    for each in arguments:
        name, file = each.split("=")
        server, port = serve(json.loads(Path(file).read_text()))
        servers.append(server)
        address = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
        about = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
        places[f"registry.terraform.io/{name}"] = about
    print(json.dumps(places), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
