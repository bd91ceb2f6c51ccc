from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from groupstream import PublishError, UsageError
from groupstream.stores import LocalStore, open_store
from groupstream.testing import GcsServer
from pipelines.staging import StagingArea, refuse_full_disk, staging_area, staging_for
from pipelines.staging_folders import sweep_folders

HOLD = """
import sys, time
from pathlib import Path
from pipelines.staging import staging_area
with staging_area(Path(sys.argv[1])) as staging:
    print(staging.folder, flush=True)
    time.sleep(600)
"""


def test_a_live_build_keeps_its_folder_and_a_dead_one_is_swept(tmp_path):
    build = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    folder = Path(build.stdout.readline().strip())
    assert sweep_folders(tmp_path) == [] and folder.is_dir()
    build.send_signal(signal.SIGKILL)
    build.communicate()
    assert folder.is_dir()
    assert sweep_folders(tmp_path) == [folder] and not folder.exists()


def test_the_temporary_folder_of_a_dead_build_is_swept_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    hold = HOLD.replace("staging_area(Path(sys.argv[1]))", "staging_for(open_store('gs://bucket/x'), None)").replace(
        "import staging_area", "import open_store, staging_for"
    )
    build = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    folder = Path(build.stdout.readline().strip())
    with staging_for(open_store("gs://bucket/x"), None):
        assert folder.is_dir()
    build.send_signal(signal.SIGKILL)
    build.communicate()
    assert folder.is_dir()
    with staging_for(open_store("gs://bucket/x"), None):
        assert not folder.exists()
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir() or path.name.startswith("build-")]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_the_folder_of_somebody_else_is_left_alone():
    code = "import os, sys, pathlib\nfrom pipelines.staging_folders import sweep_folders\nos.setuid(65534)\n"
    code += "print(sweep_folders(pathlib.Path(sys.argv[1])))"
    with tempfile.TemporaryDirectory() as root:  # not below the folder of pytest, which others may not even enter
        Path(root).chmod(0o755)
        with staging_area(root) as staging:
            run = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=False)
            assert (run.stdout, run.stderr) == ("[]\n", "") and staging.folder.is_dir()


def _fail_where_nothing_can_be_removed(bucket: GcsServer) -> None:
    with staging_area("gs://bucket/x") as staging:
        staging.write("runs/a", b"whole")
        bucket.faults.refuse(times=9, status=403, method="DELETE")
        staging.remove("runs")
        raise RuntimeError("of the build")


def test_a_bucket_that_lets_nothing_be_removed_does_not_hide_the_error_of_the_build(monkeypatch, caplog):
    with GcsServer("bucket") as bucket:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.url)
        with pytest.raises(RuntimeError, match="of the build"):
            _fail_where_nothing_can_be_removed(bucket)
    assert "is not empty" in caplog.text and "permission denied" in caplog.text


def test_the_folder_goes_when_the_build_fails(tmp_path):
    with pytest.raises(RuntimeError), staging_area(tmp_path) as staging:
        raise RuntimeError
    assert not staging.folder.exists()


def test_a_root_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PublishError, match=r"cannot write to .*file: Not a directory.*publish.root"),
        staging_area(tmp_path / "file"),
    ):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become a user without rights")
def test_a_read_only_root_is_refused(tmp_path):
    code = "import os, pipelines.staging\nos.setuid(65534)\n" + HOLD
    with tempfile.TemporaryDirectory() as root:  # not below the folder of pytest, which others may not even enter
        Path(root).chmod(0o755)
        run = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=False)
    assert "PublishError: cannot write to" in run.stderr and "Permission denied" in run.stderr


def test_errors_of_the_disk_say_what_to_do(tmp_path):
    with (
        staging_area(tmp_path) as staging,
        pytest.raises(
            PublishError, match=r"cannot write to the staging area .*: No space left on device. .*runner.staging"
        ),
        staging.explaining_errors(),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


PUT = """
import os, sys, time
from groupstream.stores import LocalStore
os.link = lambda source, target: (print("linking", flush=True), time.sleep(600))
LocalStore(sys.argv[1]).put_if_absent("a", b"content")
"""


def test_the_file_of_a_put_stays_while_it_lives_and_is_swept_when_it_was_killed(tmp_path):
    put = subprocess.Popen([sys.executable, "-c", PUT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert put.stdout.readline()
    (file,) = (tmp_path / ".staging").iterdir()
    later = time.time() + 3600
    sweep_folders(tmp_path, now=later)
    assert file.exists(), "its lock is held"
    put.kill()
    put.communicate()
    sweep_folders(tmp_path)
    assert file.exists(), "one that was just made has no lock for a moment"
    sweep_folders(tmp_path, now=later)
    assert not file.exists()


def test_staging_lies_beside_the_datasets_or_where_the_spec_says(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    with staging_for(LocalStore(root), None) as staging:
        assert staging.folder.is_relative_to(root)
    with staging_for(LocalStore(root), str(other)) as staging:
        assert staging.folder.is_relative_to(other)
    with staging_for(open_store("gs://bucket/x"), None) as staging:
        assert staging.folder.is_dir()
    assert not staging.folder.exists()


@pytest.mark.parametrize(
    ("root", "staging", "is_distributed", "words"),
    [
        ("/data", None, True, "publish.root /data is a folder of this machine"),
        ("gs://bucket/x", "gs://other/x", False, "runner.staging 'gs://other/x'"),
        ("gs://bucket/x", "/scratch", True, "runner.staging '/scratch'"),
    ],
)
def test_staging_that_workers_cannot_reach_is_refused(root, staging, is_distributed, words):
    with pytest.raises(UsageError, match=words), staging_for(open_store(root), staging, is_distributed=is_distributed):
        pass


def _write_half(staging: StagingArea, path: str) -> None:
    with staging.writing(path) as file:
        file.write_bytes(b"half")
        raise RuntimeError


def test_an_object_is_whole_or_not_there(tmp_path):
    with staging_area(tmp_path) as staging:
        with pytest.raises(RuntimeError):
            _write_half(staging, "runs/a")
        assert staging.store.size_bytes("runs/a") is None
        staging.write("runs/a", b"whole")
        staging.write("runs/a", b"again")
        assert staging.read("runs/a") == b"again"
        assert sorted(path.name for path in staging.folder.rglob("*") if path.is_file()) == ["a", "lock"]
        staging.remove("runs")
        assert staging.store.size_bytes("runs/a") is None


def test_a_full_disk_is_refused_before_anything_is_read(tmp_path):
    with staging_area(tmp_path) as staging:
        refuse_full_disk(staging, 1)
        with pytest.raises(PublishError, match=r"bytes free, the build needs at least 1,000,000,000,000,000.*staging"):
            refuse_full_disk(staging, 10**15)
