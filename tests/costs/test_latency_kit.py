from __future__ import annotations

import argparse
import os
import subprocess
import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from archatlas.costs import measure_latency
from archatlas.costs.imported_latency import import_table
from archatlas.costs.latency_kit import write_latency_kit
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage

NO_CUDA = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="what should be missing is there"
)


@pytest.fixture(scope="module")
def space() -> ChainSpace:
    operations = (Operation.parse("k3e1"), Operation.parse("skip"))
    return ChainSpace("two", (1, 6, 6), 2, 4, (Stage(4, 2, 1),), operations)


@pytest.fixture(scope="module")
def kit(space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    return folder, write_latency_kit(space, folder)


def test_every_part_has_its_file(space, kit):
    folder, summary = kit
    parts = pd.read_csv(folder / "parts.csv")
    assert parts["part"].tolist() == ["stem", "block", "block", "block", "block", "head", "call"]
    assert parts["file"].tolist() == [
        "part_000.onnx", "part_001.onnx", "part_002.onnx", "part_001.onnx", "part_002.onnx", "part_003.onnx",
        "part_call.onnx",
    ]  # fmt: skip
    assert sorted(summary["files"]) == sorted(file.name for file in folder.iterdir())
    assert summary["parts"] == 6


def test_no_file_says_anything_of_this_machine(kit, told_of_machine):
    assert {file.name: told for file in kit[0].iterdir() if (told := told_of_machine(file))} == {}


def test_the_script_stands_alone_and_its_table_is_imported(space, kit, tmp_path):
    folder, _ = kit
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [
        sys.executable,
        str(folder / "measure_latency.py"),
        "--calls",
        "10",
        "--name",
        "a phone",
        "--batch-size",
        "3",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "wrote latency_table.csv" in done.stdout
    table = import_table(tmp_path / "latency_table.csv", space)
    assert len(table) == 6
    assert table[["device", "batch_size", "threads", "source"]].drop_duplicates().to_numpy().tolist() == [
        ["a phone", 3, 1, "imported"]
    ]
    assert (table["latency_lower_quartile_ms"] <= table["latency_ms"]).all()
    assert table["latency_ms"].iloc[0] > 0
    latency = costs_of(space, space.sample(2, np.random.default_rng(0)), None, table)["predicted_latency_ms"]
    assert (latency > 0).all()


def test_the_script_imports_only_what_it_brings(repository):
    source = (repository / "src/archatlas/costs/measure_latency.py").read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"numpy", "onnxruntime"}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--threads", "0"), "must be at least 1"),
        (("--provider", "X"), "is not there"),
        (("--device", "tpu"), "invalid choice: 'tpu'"),
        pytest.param(
            ("--device", "cuda"), "--device cuda: the installed onnxruntime has no CUDAExecutionProvider", marks=NO_CUDA
        ),
    ],
)
def test_the_script_refuses_what_cannot_be(kit, option, message):
    done = subprocess.run(
        [sys.executable, str(kit[0] / "measure_latency.py"), *option], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_space_without_parts_has_no_kit(unshared, tmp_path):
    with pytest.raises(ArchatlasError, match="not a chain of parts"):
        write_latency_kit(unshared, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "provider", "name"),
    [
        ((), "CPUExecutionProvider", "{cpu}"),
        (("--device", "cuda"), "CUDAExecutionProvider", "H1 with {cpu}"),
        (
            ("--device", "cuda", "--provider", "TensorrtExecutionProvider"),
            "TensorrtExecutionProvider",
            "H1 with {cpu}, TensorrtExecutionProvider",
        ),
        (("--device", "cuda", "--name", "mine"), "CUDAExecutionProvider", "mine"),
    ],
)
def test_the_script_times_and_names_the_device_that_it_is_told(given, provider, name, monkeypatch):
    there = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    monkeypatch.setattr(measure_latency, "gpu_name", lambda: "H1")
    monkeypatch.setattr(sys, "argv", ["measure_latency.py", *given])
    options = measure_latency.read_options()
    assert options.provider == provider
    assert options.name == name.format(cpu=measure_latency.processor_name())


def test_the_script_times_on_its_device(kit, monkeypatch):
    asked = []
    monkeypatch.setattr(measure_latency, "call_of", lambda *given: asked.append(given) or (lambda: None))
    options = argparse.Namespace(
        batch_size=32, threads=2, provider="CUDAExecutionProvider", device="cuda", warm_up=1, calls=1
    )
    measure_latency.measure(kit[0], {"part_000.onnx": (1, 6, 6)}, options)
    ((file, x, *rest),) = asked
    assert (file, x.shape) == (str(kit[0] / "part_000.onnx"), (32, 1, 6, 6))
    assert rest == [2, "CUDAExecutionProvider", "cuda"]
