"""Secrets in all the places that they come from, and how to look for them wherever something is written."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from groupstream.cli import main
from tests.waiting import LONG


def secret(name: str) -> str:
    """With signs that URLs and HTML write in another way; what is searched for is what stands between them."""
    return f"&{core(name)}/+="


def core(name: str) -> str:
    return f"s3cr3t{name}Zq9"


NAMES = (
    *("registry", "query", "source", "root", "signature", "netrc"),
    *("aws", "session", "prefect", "huggingface", "google", "endpoint"),
)


def forms(name: str) -> list[bytes]:
    """The core as it is, and in base64 wherever in a text it begins."""
    text = core(name).encode()
    encoded = [base64.b64encode(b"\0" * skip + text)[(skip * 8 + 5) // 6 : -4] for skip in range(3)]
    return [text, text[::-1], text.hex().encode(), *encoded]


def leaks(data: bytes) -> list[str]:
    """The secrets that are in there."""
    return [name for name in NAMES if any(form in data for form in forms(name))]


@dataclass
class Workplace:
    """A folder with secrets around it, in which commands run as processes of their own."""

    folder: Path
    environment: dict[str, str]
    output: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def root(self) -> Path:
        return self.folder / "datasets"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `groupstream ARGUMENTS` and keeps what it prints."""
        command = [sys.executable, "-c", "from groupstream.cli import main; main()", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | environment, capture_output=True, text=True, timeout=LONG
        )
        self.output[f"{len(self.output)}: {' '.join(arguments)}"] = done.stdout + done.stderr
        return done

    def call(self, *arguments: str) -> int:
        """The same in this process, for what ends before Prefect is loaded: faster. Gives the exit code."""
        printed, code = io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
            patch.setattr(sys, "argv", ["groupstream", *arguments])
            patch.chdir(self.folder)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            try:
                main()
            except SystemExit as ending:
                code = int(ending.code or 0)
            except Exception:  # with --debug
                code = 1
                traceback.print_exc()
        self.output[f"{len(self.output)}: {' '.join(arguments)}"] = printed.getvalue()
        return code

    def spec(self, name: str = "small", **fields: Any) -> str:
        """Writes a spec of the source in the folder."""
        written = {
            "name": name,
            "source": {"kind": "jsonl", "paths": ["source.jsonl"]},
            "partitioner": {"kind": "feature", "feature": "key"},
            "publish": {"root": str(self.root)},
            **fields,
        }
        file = self.folder / f"{name}-{next(self.numbers)}.yaml"
        file.write_text(yaml.safe_dump(written))
        return str(file)

    def found(self) -> dict[str, list[str]]:
        """Where secrets are, by place: in what was printed since the last look, in files and in tables."""
        places = {what: text.encode() for what, text in self.output.items()}
        for file in self.folder.rglob("*"):
            if file.is_file() and not file.name.endswith(".yaml") and "secrets" not in file.parts:
                places[str(file)] = file.read_bytes()
                if file.suffix == ".db":
                    places[f"tables of {file}"] = _tables(file)
        self.output.clear()
        return {place: names for place, data in places.items() if (names := leaks(data))}


def _tables(file: Path) -> bytes:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return "\n".join(database.iterdump()).encode()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("secrets-everywhere")
    (folder / "secrets").mkdir()
    (folder / "source.jsonl").write_text("".join(f'{{"key": "k{i % 12}", "text": "text {i}"}}\n' for i in range(60)))
    key = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": core("google"),
        "private_key": f"-----BEGIN PRIVATE KEY-----\n{core('google')}\n-----END PRIVATE KEY-----\n",
        "client_email": "a@p.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:1/token",
    }
    (folder / "secrets" / "google.json").write_text(json.dumps(key))
    (folder / "secrets" / ".netrc").write_text(f"machine 127.0.0.1 login me password {core('netrc')}\n")
    (folder / "secrets" / ".netrc").chmod(0o600)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "GROUPSTREAM_", "AWS_", "GOOGLE_"))}
    planted = {
        "AWS_ACCESS_KEY_ID": "AKIA000000000000",
        "AWS_SECRET_ACCESS_KEY": secret("aws"),
        "AWS_SESSION_TOKEN": secret("session"),
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "secrets" / "google.json"),
        "PREFECT_API_KEY": secret("prefect"),
        "HF_TOKEN": secret("huggingface"),
        "NETRC": str(folder / "secrets" / ".netrc"),
    }
    usual = {
        "PREFECT_HOME": str(folder / "prefect"),
        "GROUPSTREAM_CACHE": str(folder / "cache"),
        "GROUPSTREAM_ROOT": str(folder / "datasets"),
        "NO_COLOR": "1",
        "COLUMNS": "300",
    }
    return Workplace(folder, kept | planted | usual)


def in_url(name: str) -> str:
    """As a URL takes it."""
    return quote(secret(name), safe="")


@pytest.fixture(scope="session")
def planted() -> Any:
    """The functions for tests: `planted.url("root")` is how a URL takes that secret."""

    class Planted:
        url = staticmethod(in_url)
        leaks = staticmethod(leaks)
        forms = staticmethod(forms)
        names = NAMES
        core = staticmethod(core)

    return Planted
