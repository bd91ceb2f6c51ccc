"""Nothing secret is printed, logged or written: secrets are planted wherever they come from, and searched for."""

from __future__ import annotations

import base64
import urllib.parse

import pytest

from groupstream.testing import FolderServer, GcsServer
from tests.extent import ONLY_WITH_ALL

pytestmark = pytest.mark.integration


class PasswordServer(FolderServer):
    """Serves a folder to who brings the password."""

    password = ""

    def reply(self, method, path, headers, body):
        expected = base64.b64encode(f"me:{self.password}".encode()).decode()
        if headers.get("authorization") != f"Basic {expected}":
            return super().reply(method, "/none/such", headers, body)._replace(status=401)
        return super().reply(method, path, headers, body)


@pytest.fixture(scope="module")
def server(workplace, planted):
    with PasswordServer(workplace.folder) as served:
        served.password = planted.core("netrc")
        yield served


@pytest.fixture(scope="module")
def built(workplace, server):
    """A build whose source lies behind a password, with Prefect's own server and a registry in a file."""
    spec = workplace.spec(source={"kind": "jsonl", "paths": [f"{server.url}/source.jsonl"]})
    done = workplace.run("--debug", "build", spec)
    assert done.returncode == 0, done.stderr[-2000:]
    return workplace


def test_a_secret_is_found_in_all_its_forms(planted):
    for name in planted.names:
        text = f"a:{planted.core(name)}@x"
        for data in (text.encode(), urllib.parse.quote(text).encode(), base64.b64encode(text.encode())):
            assert planted.leaks(b"x" + data) == [name]


def test_a_build_leaves_no_secret(built):
    names = {path.name for path in built.folder.rglob("*")}
    assert {"claim.json", "manifest.json", "card.html", "checks.json", "croissant.json", "catalog.json"} <= names
    assert {"catalog.html", "registry.db", "prefect.db"} <= names
    assert built.found() == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "SPEC"],
        ["preview", "SPEC"],
        ["ls"],
        ["info", "small"],
        ["card", "small", "--to", "card.html"],
        ["catalog"],
        ["tag", "small@1.0.0", "stable"],
        ["deprecate", "small@1.0.0", "--message", "old"],
        ["history", "small"],
        ["lineage", "small"],
        ["doctor"],
        ["gc", "--dry-run"],
        ["publish", "small@1.0.0", "--to", "elsewhere"],
        ["pull", "small@1.0.0", "--to", "pulled"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_shows_no_secret(built, server, arguments):
    spec = built.spec(source={"kind": "jsonl", "paths": [f"{server.url}/source.jsonl"]})
    built.run("--debug", *(spec if each == "SPEC" else each for each in arguments))
    assert built.found() == {}


def registry_at_no_port(planted) -> str:
    words = f"groups:{planted.url('registry')}@127.0.0.1:1/name?sslpassword={planted.url('query')}"
    return f"postgresql+psycopg://{words}"


@pytest.mark.parametrize("debug", [["--debug"], pytest.param([], marks=ONLY_WITH_ALL)], ids=["debug", "line"])
def test_a_build_that_fails_leaves_no_secret(built, planted, debug):
    checks = built.spec(seed=1, checks={"groups": {"min_groups": 100}})
    assert built.run(*debug, "build", checks).returncode == 1
    registry = {"GROUPSTREAM_REGISTRY_URL": registry_at_no_port(planted)}
    no_registry = built.run(*debug, "build", built.spec(seed=2), **registry)
    assert no_registry.returncode == 1 and "registry postgresql+psycopg://groups:***@127.0.0.1:1" in no_registry.stderr
    assert built.found() == {}


@pytest.mark.parametrize("command", ["build", "plan", "preview"])
def test_an_address_with_a_secret_is_refused_and_not_shown(built, planted, command):
    for fields in (
        {"source": {"kind": "jsonl", "paths": [f"https://me:{planted.url('source')}@127.0.0.1:1/a.jsonl"]}},
        {"source": {"kind": "jsonl", "paths": [f"https://127.0.0.1:1/a.jsonl?sig={planted.url('signature')}"]}},
        {"source": {"kind": "groupstream", "ref": f"https://{planted.url('source')}@127.0.0.1:1/a/1.0.0"}},
        {"source": f"https://me:{planted.url('source')}@127.0.0.1:1/a.jsonl"},
        {"publish": {"root": f"https://me:{planted.url('root')}@127.0.0.1:1/datasets"}},
        {"runner": {"kind": "local", "staging": f"https://me:{planted.url('root')}@127.0.0.1:1/datasets"}},
    ):
        assert built.call("--debug", command, built.spec(**fields)) in (1, 2), fields
    assert built.found() == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "--root", "ADDRESS"],
        ["info", "ADDRESS/small/1.0.0"],
        ["pull", "small", "--root", "ADDRESS"],
        ["pull", "small", "--to", "ADDRESS"],
        ["publish", "small", "--to", "ADDRESS"],
        ["catalog", "--root", "ADDRESS"],
        ["tag", "small", "stable", "--root", "ADDRESS"],
        ["build", "SPEC", "--root", "ADDRESS"],
        ["build", "SPEC", "--set", "publish.root=ADDRESS"],
        ["build", "SPEC", "--set", "publish=ADDRESS"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_an_address_on_the_command_line_is_not_shown(built, planted, arguments):
    spec = built.spec()
    for address in (
        f"https://me:{planted.url('root')}@127.0.0.1:1/datasets",
        f"https://127.0.0.1:1/datasets?token={planted.url('signature')}",
        f"gs://me:{planted.url('root')}@bucket/datasets",
        f"ftp://me:{planted.url('root')}@127.0.0.1/datasets",
    )[: 2 if "build" in arguments else 4]:
        words = [each.replace("ADDRESS", address).replace("SPEC", spec) for each in arguments]
        assert built.call(*words) in (1, 2), words
    assert built.found() == {}


def test_a_store_that_refuses_learns_no_secret(built, planted):
    """A bucket that answers 403; credentials that are none; a server's address with a password in it."""
    with GcsServer() as server:
        server.faults.refuse(times=1000, status=403)
        there = {"STORAGE_EMULATOR_HOST": server.url}
        denied = built.run("--debug", "ls", "--root", "gs://bucket/datasets", **there)
        assert denied.returncode == 1 and "permission denied (403)" in denied.stderr
        denied = built.run("--debug", "build", built.spec(seed=3, publish={"root": "gs://bucket/datasets"}), **there)
        assert denied.returncode == 1
    assert built.run("--debug", "ls", "--root", "gs://bucket/datasets").returncode == 1
    endpoint = f"http://me:{planted.url('endpoint')}@127.0.0.1:1"
    assert built.run("ls", "--root", "s3://bucket/datasets", AWS_ENDPOINT_URL=endpoint).returncode == 1
    assert built.found() == {}
