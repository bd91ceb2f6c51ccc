"""What a dead build finished is taken up by the next of the same, if it is still as it was; the bytes are the same."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from groupstream import CheckError, CorruptError, ExampleError, PublishError, SpecError, StoreError, WorkerError
from groupstream.stores import LocalStore, open_store
from pipelines.checks import Checked
from pipelines.draft import draft_version
from pipelines.partition import Partitioned, partition
from pipelines.plan import Plan, make_plan
from pipelines.resuming import FinishedStages
from pipelines.staging import StagingArea, staging_area, staging_for
from pipelines.staging_folders import sweep_folders
from pipelines.versions import describe_version
from specs import Spec

sys.path.insert(0, str(Path(__file__).parent))
from faulty import PASSED, Fault, with_fault

RULE = {"kind": "feature", "feature": "key"}
COUNTING = {"kind": "fixed_sizes", "num_groups": 30}


def plan_for(source: Path, partitioner: dict = RULE) -> Plan:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{source}/*.jsonl"]},
        "partitioner": partitioner,
        "splits": {"by": "example", "fractions": {"train": 0.8, "test": 0.2}},
        "label_feature": "file",
        "checks": {"examples": {"text": {"max_length": 150}}, "max_rejected": 800},
        "publish": {"shard_bytes": 8_000},
    }
    return make_plan(Spec.model_validate(fields, extra="forbid"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 examples in 23 groups; some are too long."""
    folder = tmp_path_factory.mktemp("source")
    for file in range(3):
        rows = (
            {"key": f"k{(row * row + file) % 23}", "text": "word " * (row % 40), "file": file} for row in range(300)
        )
        (folder / f"part-{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def plan(source: Path) -> Plan:
    return plan_for(source)


def manifest_of(plan: Plan, made: Partitioned, root: Path) -> bytes:
    """It has the size and the checksums of every file; and the quarantine."""
    store = LocalStore(root)
    drafted = describe_version(draft_version(plan, made, store), Checked((), b""), "1.0.0", store)
    assert made.quarantine is not None
    return drafted.manifest.to_json() + made.quarantine.read_bytes()


def build(plan: Plan, root: Path) -> tuple[bool, bytes]:
    """Whether it was resumed, and what it made."""
    with staging_area(root, plan.digest) as staging:
        made = partition(plan, staging)
        return made.resumed, manifest_of(plan, made, root)


@pytest.fixture(scope="module")
def expected(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an undisturbed build makes."""
    resumed, made = build(plan, tmp_path_factory.mktemp("undisturbed"))
    assert not resumed
    return made


@pytest.fixture(scope="module")
def ended_badly(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a build that could not publish."""
    root = tmp_path_factory.mktemp("ended-badly")
    end_badly(plan, root, PublishError("of the build"))
    return root


@pytest.fixture
def folder(ended_badly: Path, tmp_path: Path) -> Path:
    """The folder of such a build."""
    shutil.copytree(ended_badly / ".staging", tmp_path / ".staging")
    (found,) = folders(tmp_path)
    return found


def end_with(error: BaseException, plan: Plan, staging: StagingArea) -> None:
    partition(plan, staging)
    raise error


def end_badly(plan: Plan, root: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), staging_area(root, plan.digest) as staging:
        end_with(error, plan, staging)


def folders(root: Path) -> list[Path]:
    return sorted((root / ".staging").iterdir())


def test_what_is_finished_is_not_done_again(plan, tmp_path, folder, expected, caplog):
    nowhere = plan.spec.source.model_copy(update={"paths": ("/nowhere",)})  # nothing is read again
    caplog.set_level("INFO", "groupstream")
    changed = dataclasses.replace(plan, spec=plan.spec.model_copy(update={"source": nowhere}))
    with staging_area(tmp_path, plan.digest) as staging:
        made = partition(changed, staging)
        assert made.resumed and staging.folder == folder
        assert manifest_of(plan, made, tmp_path) == expected
    assert "Partition: taken up from an earlier build: " in caplog.text and " verified in " in caplog.text
    assert not folders(tmp_path)


def test_what_is_kept_is_what_is_finished_and_no_more(folder):
    kept = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}
    assert kept == {"finished", "lock", "outcome.json", "quarantine.parquet", "shards"}


def finish_a_stage(staging: StagingArea, digest: str, error: BaseException) -> None:
    staging.write("counts.pickle", b"counted")
    FinishedStages(staging, digest).finish("Count", ["counts.pickle"])
    raise error


@pytest.mark.parametrize("error", [PublishError, StoreError, WorkerError, OSError, SystemExit])
def test_errors_that_may_pass_keep_what_is_finished(tmp_path, error):
    with pytest.raises(error), staging_area(tmp_path, "1" * 64) as staging:
        finish_a_stage(staging, "1" * 64, error("of the build"))
    assert len(folders(tmp_path)) == 1


@pytest.mark.parametrize("error", [CheckError, SpecError, ExampleError, CorruptError, KeyboardInterrupt])
def test_errors_that_stay_keep_nothing(tmp_path, error):
    with pytest.raises(error), staging_area(tmp_path, "1" * 64) as staging:
        finish_a_stage(staging, "1" * 64, error("of the build"))
    assert not folders(tmp_path)


def test_a_build_that_is_cancelled_keeps_nothing(tmp_path):
    with pytest.raises(SystemExit), staging_area(tmp_path, "1" * 64, lambda: True) as staging:
        finish_a_stage(staging, "1" * 64, SystemExit())
    assert not folders(tmp_path)


def test_what_has_no_digest_is_never_resumed(tmp_path):
    with pytest.raises(PublishError), staging_area(tmp_path) as staging:
        finish_a_stage(staging, "1" * 64, PublishError("of the build"))
    assert not folders(tmp_path)
    with staging_area(tmp_path) as staging:
        staging.write("counts.pickle", b"counted")
        FinishedStages(staging, "").finish("Count", ["counts.pickle"])
        assert not FinishedStages(staging, "").take_up("Count") and not (staging.folder / "finished").exists()


BUILD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from groupstream import PublishError
from test_resume import plan_for
from pipelines.partition import partition
from pipelines.staging import staging_area
plan = plan_for(Path(sys.argv[2]), {"kind": "function", "function": "my_rules.clients:client_of", "features": ["key"]})
try:
    with staging_area(sys.argv[1], plan.digest) as staging:
        made = partition(plan, staging)
        print(made.resumed, sum(shard.num_groups for shard in made.splits["train"].shards))
        raise PublishError("of the build")
except PublishError:
    pass
"""


def test_code_that_the_function_of_the_user_imports_has_a_say(source, tmp_path):
    (tmp_path / "my_rules").mkdir()
    for path, code in {
        "my_rules/__init__.py": "",
        "my_rules/clients.py": "from my_rules.util import cut\n\ndef client_of(example):\n    return cut(example)\n",
        "my_rules/util.py": "def cut(example):\n    return example['key'][:2]\n",
    }.items():
        (tmp_path / path).write_text(code)

    def build_again() -> str:
        arguments = [str(tmp_path / "root"), str(source), str(Path(__file__).parent), str(tmp_path)]
        allowed = {"GROUPSTREAM_ALLOWED_PACKAGES": "my_rules", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", BUILD, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **allowed}).stdout

    assert build_again() == "False 10\n"
    assert build_again() == "True 10\n"
    file = tmp_path / "my_rules/util.py"
    file.write_text(file.read_text().replace("[:2]", "[:3]"))
    assert build_again() == "False 21\n"


@pytest.mark.parametrize(
    ("paths", "known", "gone"),
    [
        (["shards/", "outcome.json"], {"shards/train-00000.tfrecord": "0" * 8}, "shards/train-00000.tfrecord"),
        (["shards/", "outcome.json", "quarantine.parquet"], {}, "quarantine.parquet"),
    ],
)
def test_a_stage_is_not_finished_where_something_of_it_is_missing(tmp_path, paths, known, gone):
    with staging_area(tmp_path, "1" * 64) as staging:
        staging.write("outcome.json", b"counted")
        staging.write("shards/test-00000.tfrecord", b"written")
        stages = FinishedStages(staging, "1" * 64)
        with pytest.raises(CorruptError, match=f"{gone} is missing, one of 1 files that Partition has written"):
            stages.finish("Partition", paths, known)
        assert not (staging.folder / "finished").exists()


def test_another_digest_takes_nothing_up(tmp_path, folder):
    with staging_area(tmp_path, "0" * 64) as staging:
        assert staging.folder != folder and not FinishedStages(staging, "0" * 64).take_up("Partition")
    assert folders(tmp_path) == [folder]


def test_other_code_takes_nothing_up(plan, tmp_path, folder, expected, caplog):
    record = folder / "finished/partition.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "key": "0" * 64}))
    assert build(plan, tmp_path) == (False, expected)
    assert "(it was made by other code); it is done again" in caplog.text and not folders(tmp_path)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


SPOILT = [
    ("shards/train-00000.tfrecord", _flip, "has crc32c:"),
    ("shards/train-00001.tfrecord", Path.unlink, "is missing"),
    ("shards/test-00000.groups.parquet", _flip, "has crc32c:"),
    ("shards/train-00000.labels.parquet", lambda file: os.truncate(file, 9), "has 9 bytes, not"),
    ("shards/train-00000.json", _flip, "has crc32c:"),
    ("outcome.json", _flip, "has crc32c:"),
    ("quarantine.parquet", _flip, "has crc32c:"),
    ("finished/partition.json", lambda file: file.write_text("oops"), "its record is none"),
    ("finished/partition.json", lambda file: file.write_text("[]"), "its record is none"),
]


@pytest.mark.parametrize(("path", "spoil", "words"), SPOILT, ids=lambda value: getattr(value, "__name__", value))
def test_what_is_not_as_it_was_is_not_taken_up(plan, tmp_path, folder, caplog, path, spoil, words):
    spoil(folder / path)
    with staging_area(tmp_path, plan.digest) as staging:
        assert staging.folder == folder and not FinishedStages(staging, plan.digest).take_up("Partition")
    assert "Partition: what an earlier build left cannot be taken up (" in caplog.text and words in caplog.text
    assert not folders(tmp_path)


def test_what_is_not_as_it_was_is_done_again(plan, tmp_path, folder, expected):
    _flip(folder / "shards/train-00001.tfrecord")
    assert build(plan, tmp_path) == (False, expected)
    assert not folders(tmp_path)


def test_a_finished_count_is_taken_up(source, tmp_path, caplog):
    plan = plan_for(source, COUNTING)
    _, expected = build(plan, tmp_path / "undisturbed")
    PASSED.clear()
    with pytest.raises(RuntimeError, match="injected"):
        build(with_fault(plan, Fault("source", 4, "raise")), tmp_path)  # the first piece of the second pass
    (folder,) = folders(tmp_path)
    (folder / "shards").mkdir()
    (folder / "shards/train-00000.json").write_bytes(b"the rest of a merge")
    caplog.set_level("INFO", "groupstream")
    with staging_area(tmp_path, plan.digest) as staging:
        made = partition(with_fault(plan, Fault("count", 1, "raise")), staging)  # which is never reached
        assert not made.resumed and manifest_of(plan, made, tmp_path) == expected
    assert "Count: taken up from an earlier build: 2 files" in caplog.text
    assert not folders(tmp_path)


DIE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_resume import plan_for
from pipelines.partition import partition
from pipelines.staging import staging_area
plan = plan_for(Path(sys.argv[2]))
with staging_area(sys.argv[1], plan.digest) as staging:
    partition(plan, staging)
    print(staging.folder, flush=True)
    if sys.argv[4] == "hold":
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def start(root: Path, source: Path, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DIE, str(root), str(source), str(Path(__file__).parent), what]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_build_finished_is_taken_up(plan, source, tmp_path, expected):
    killed = start(tmp_path, source, "die")
    folder = Path(killed.communicate()[0].strip())
    assert killed.returncode == -signal.SIGKILL
    (folder / "unfinished" / "half").write_bytes(b"half")
    assert sweep_folders(tmp_path) == [] and folder.is_dir(), "kept for a day"
    assert build(plan, tmp_path) == (True, expected)
    assert not folders(tmp_path)


def test_of_two_builds_of_the_same_at_once_each_has_its_own_folder(plan, source, tmp_path, expected):
    first = start(tmp_path, source, "hold")
    try:
        folder = Path(first.stdout.readline().strip())
        assert build(plan, tmp_path) == (False, expected)
        assert folders(tmp_path) == [folder]
        assert sweep_folders(tmp_path, 0.0) == []
    finally:
        first.kill()
        first.communicate()
    assert build(plan, tmp_path) == (True, expected)


def test_what_is_finished_goes_after_a_day_or_when_it_is_told_to(tmp_path, folder, ended_badly):
    day = 24 * 3600
    ended_at = (folder / "lock").stat().st_mtime
    assert sweep_folders(tmp_path, now=ended_at + day - 60) == []
    assert sweep_folders(tmp_path, now=ended_at + day + 60) == [folder] and not folders(tmp_path)
    shutil.copytree(ended_badly / ".staging", tmp_path / ".staging", dirs_exist_ok=True)
    assert sweep_folders(tmp_path, 0.0) == [folder] and not folders(tmp_path)


def test_a_folder_in_which_nothing_is_finished_goes_at_once(tmp_path):
    with staging_area(tmp_path, "1" * 64) as staging:
        copy = staging.folder.with_name(f"build-{'1' * 16}-other")
        shutil.copytree(staging.folder, copy)
        assert sweep_folders(tmp_path) == [copy]


def test_what_a_killed_sweep_or_a_killed_start_left_is_swept(tmp_path):
    staging = tmp_path / ".staging"
    for name in ("build-1234", "new-build-1234", "new-build-5678/progress"):
        (staging / name).mkdir(parents=True)
    (staging / "new-build-9999/progress").mkdir(parents=True)
    (staging / "new-build-9999/lock").touch()
    (staging / "build-5678/runs").mkdir(parents=True)
    sweep_folders(tmp_path)
    assert folders(tmp_path) == [staging / "build-5678"], "something may be at work there"
    sweep_folders(tmp_path, now=time.time() + 25 * 3600)
    assert not folders(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give a folder to another user")
def test_the_folder_of_somebody_else_is_not_trusted(plan, tmp_path, folder):
    os.chown(folder, 65534, 65534)
    with staging_area(tmp_path, plan.digest) as staging:
        assert staging.folder != folder


def test_staging_in_a_temporary_folder_is_found_again(tmp_path, temporary):
    store, digest = open_store("gs://bucket/datasets"), "1" * 64
    with pytest.raises(StoreError), staging_for(store, None, digest=digest) as staging:
        finish_a_stage(staging, digest, StoreError("the bucket is out of reach"))
    with staging_for(store, None, digest=digest) as staging:
        assert FinishedStages(staging, digest).take_up("Count")
    assert list(temporary.glob("groupstream-staging-*")) and not list(temporary.rglob("build-*"))
