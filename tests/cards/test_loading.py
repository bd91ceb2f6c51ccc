"""The lines of code on a card, run on versions that were published long ago."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import groupstream
from cards.loading import loading_code
from groupstream.features import Feature

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
NEEDED = {"PyTorch": "torch", "TensorFlow": "tensorflow", "JAX": "jax", "TFDS": "tensorflow_datasets"}
LIBRARIES = ["NumPy", "PyTorch", "TensorFlow", "JAX", "TFDS", "Command line"]


def code_of(name: str, library: str) -> str:
    snippets = {s.library: s for s in loading_code(groupstream.open(GOLDEN / name / "1.0.0").manifest, "train")}
    assert list(snippets) == LIBRARIES
    return snippets[library].code


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
@pytest.mark.parametrize("name", ["text", "digits", "tags"])
@pytest.mark.parametrize("library", LIBRARIES[:-1])
def test_the_code_loads_a_version(library, name, monkeypatch, capsys):
    if (module := NEEDED.get(library)) and importlib.util.find_spec(module) is None:
        pytest.skip(f"the code needs {module}, which is not installed")
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(GOLDEN))
    code = code_of(name, library)
    assert all(len(line) <= 90 for line in code.splitlines())
    try:
        exec(compile(code, library, "exec"), {"__name__": "__main__"})
    finally:
        if library == "JAX":
            importlib.import_module("jax").config.update("jax_enable_x64", False)
    lines = capsys.readouterr().out.splitlines()
    train = groupstream.open(f"{name}@1.0.0")["train"]
    expected = train.num_examples if library in ("TFDS", "TensorFlow") else train.num_groups
    assert len(lines) == expected, "a line a group, or an example"


def test_the_commands_run(monkeypatch, tmp_path):
    environment = {**os.environ, "GROUPSTREAM_ROOT": str(GOLDEN), "GROUPSTREAM_CACHE": str(tmp_path)}
    commands = code_of("text", "Command line").splitlines()
    assert [command.split()[1] for command in commands] == ["pull", "info", "head"]
    for command in commands:
        arguments = [sys.executable, "-c", "from groupstream.cli import main; main()", *command.split()[1:]]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout, done.stderr


def test_jax_gets_numbers_only(monkeypatch):
    manifest = groupstream.open(GOLDEN / "text" / "1.0.0").manifest
    features = {"text": Feature(dtype="string"), "b": Feature(dtype="int64"), "a": Feature(dtype="float32", shape=(2,))}
    code = {s.library: s.code for s in loading_code(manifest.model_copy(update={"features": features}), "train")}["JAX"]
    assert 'train.select("a", "b").shuffle(seed=0).to_jax()' in code and "jax_enable_x64" in code
    no_text = {name: feature for name, feature in features.items() if name != "text"}
    code = {s.library: s.code for s in loading_code(manifest.model_copy(update={"features": no_text}), "train")}["JAX"]
    assert "select" not in code and "to_jax" in code
    floats = {"a": features["a"]}
    code = {s.library: s.code for s in loading_code(manifest.model_copy(update={"features": floats}), "train")}["JAX"]
    assert "jax_enable_x64" not in code


def test_a_name_is_a_literal_whatever_it_holds():
    manifest = groupstream.open(GOLDEN / "text" / "1.0.0").manifest
    for snippet in loading_code(manifest, 'tr"ain\n\\'):
        if snippet.library != "Command line":
            compile(snippet.code, snippet.library, "exec")
            assert '"tr\\"ain\\n\\\\"' in snippet.code
