"""Whatever is killed, in whichever stage of a build: its run ends, and the next gives what an undisturbed one gives.

GROUPSTREAM_TESTS=all tries every victim in every stage, in seven rounds. Without it there is one round: each victim is
killed in another stage, and a machine that does more than that takes what time it takes.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.extent import ALL
from tests.waiting import LONG, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

STAGES = ("Locate", "Partition", "Check", "Number", "Draw the card", "Publish", "Register")
FIRST = {"flow": 2, "worker": 1, "server": 3, "worker and flow": 5}  # the stages of the first round
ROUNDS = range(len(STAGES)) if ALL else range(1)
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
FINAL_SECONDS = 180 if ALL else LONG


@dataclass
class Build:
    """A build that is held at the start of a stage."""

    victim: str
    stage: str
    fields: dict[str, Any]
    hold: Path
    run: str
    killed_at: float = 0.0
    ended: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def root(self) -> Path:
        return Path(self.fields["publish"]["root"])

    @property
    def pid(self) -> int:
        return int(self.hold.read_text())

    def is_held(self) -> bool:
        return self.hold.read_text().endswith("\n")


@pytest.fixture
def start_build(platform, write_source, tmp_path) -> Callable[[str, str], Build]:
    """Submits a build that stops where a stage begins; each has a root of its own, and all are the same dataset."""
    fields = write_source(platform.sources, "killed")

    def start(victim: str, stage: str) -> Build:
        name = f"{victim} {stage}".replace(" ", "-").lower()
        hold = tmp_path / name
        hold.touch()
        own = {**fields, "publish": {**fields["publish"], "root": str(platform.root / "kills" / name)}}
        env = {"PYTHONPATH": str(Path(__file__).with_name("holding")), "HOLD_AT": stage, "HOLD_FILE": str(hold)}
        run = platform.submit("build-dataset/build-dataset", {"spec": own}, env)
        return Build(victim, stage, own, hold, run)

    return start


@pytest.fixture
def files_of() -> Callable[[Path], dict[str, bytes]]:
    """All files of the version but the claim, which says who built it and when."""

    def read(root: Path) -> dict[str, bytes]:
        folder = root / "killed" / "1.0.0"
        files = (f for f in folder.rglob("*") if f.is_file() and f.name != "claim.json")
        return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}

    return read


@pytest.fixture
def here(platform) -> Iterator[None]:
    """Flows that are called in this process are runs of the platform's server."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: platform.api_url}):
        yield


@pytest.mark.parametrize("number", ROUNDS)
def test_each_run_ends_and_the_next_gives_the_same(platform, start_build, files_of, here, tmp_path, capsys, number):
    builds = [start_build(victim, STAGES[(first + number) % len(STAGES)]) for victim, first in FIRST.items()]
    wait_until(lambda: all(build.is_held() for build in builds), "held", 900)
    of = {victim: [build for build in builds if build.victim == victim] for victim in FIRST}

    _kill(of["flow"], [build.pid for build in of["flow"]])
    _note_ends(platform, of["flow"])
    assert {build.ended["state"]["name"] for build in of["flow"]} == {"Crashed"}, "its worker saw it die"

    _kill([*of["worker"], *of["worker and flow"]], [platform.worker_pid, *(b.pid for b in of["worker and flow"])])
    _release(of["worker"])
    _note_ends(platform, of["worker"])
    assert {build.ended["state"]["name"] for build in of["worker"]} == {"Completed"}, "it needs no worker"

    _kill(of["server"], [platform.server_pid])
    _release(of["server"])
    _note_ends(platform, of["server"])
    assert {build.ended["state"]["name"] for build in of["server"]} == {"Completed"}, "the server came back"

    again = [platform.submit("build-dataset/build-dataset", {"spec": build.fields}) for build in builds]
    _note_ends(platform, of["worker and flow"])
    assert {build.ended["state"]["name"] for build in of["worker and flow"]} == {"Crashed"}, "by the automation"
    for build in builds:
        assert build.seconds < FINAL_SECONDS, f"{build.victim} in {build.stage}: final after {build.seconds:.0f} s"
    for run in again:
        platform.wait_for_run(run, ["COMPLETED"])
    with capsys.disabled():
        print(
            "", *(f"{b.victim} | {b.stage} | {b.ended['state']['name']} | {b.seconds:.0f} s" for b in builds), sep="\n"
        )

    undisturbed = _undisturbed(builds[0], tmp_path, files_of)
    for build in builds:
        assert files_of(build.root) == undisturbed, f"other bytes after {build.victim} was killed in {build.stage}"
        _maintain(build)


def _kill(builds: list[Build], pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for build in builds:
        build.killed_at = time.monotonic()


def _release(builds: list[Build]) -> None:
    for build in builds:
        build.hold.unlink()


def _note_ends(platform: Any, builds: list[Build]) -> None:
    """Waits for the ends of the runs, and how long after the kill they came."""

    def look() -> bool:
        for build in (each for each in builds if not each.ended):
            run = _run(platform, build)
            if run is not None and run["state"]["type"] in FINAL:
                build.ended, build.seconds = run, time.monotonic() - build.killed_at
        return all(build.ended for build in builds)

    wait_until(look, "final", 900)


def _run(platform: Any, build: Build) -> dict[str, Any] | None:
    try:
        return platform.run(build.run)
    except httpx.TransportError:  # the server was killed
        return None


def _undisturbed(build: Build, folder: Path, files_of: Callable[[Path], dict[str, bytes]]) -> dict[str, bytes]:
    from flows.build_dataset import build_dataset
    from specs import Spec

    root = folder / "undisturbed"
    publish = {**build.fields["publish"], "root": str(root)}
    assert build_dataset(Spec.model_validate({**build.fields, "publish": publish})).built
    return files_of(root)


def _maintain(build: Build) -> None:
    from flows.maintain import maintain

    maintain(root=str(build.root), keep_staging_hours=0)
    left = [path.name for path in (build.root / ".staging").glob("*") if path.is_dir()]
    assert not left, f"after {build.victim} was killed in {build.stage}: {left}"
