"""Files as the benchmarks themselves publish them."""

from __future__ import annotations

import base64
import bz2
import io
import json
import os
import pickle
import resource
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archatlas.errors import ArchatlasError
from archatlas.spaces.tables import nas_bench_101, nas_bench_201
from archatlas.spaces.tables import nats_bench as nats_bench_files
from archatlas.spaces.tables.files import converted
from archatlas.spaces.tables.nasbench_records import Metrics, parse_metrics

# One training of the published cell 00005c142e6f48ac74fdcf73e3439874 (four epochs) from the benchmark's file.
METRICS = (
    "Ci0JAAAAAAAAAAARAAAAAAAAAAAZAAAAoKqquT8hAAAAYJAGuT8pAAAAAGmQuT8KLQkAAAAAAAAAQBEAAADAdJNGQBkAAABgkAa6PyEAAAAg3/K6"
    "PykAAACAy7e6PwotCQAAAAAAABBAEQAAACDbeVZAGQAAAEAaZNY/IQAAAGBVVdY/KQAAAODybdY/EIqYigQZAABAhznbeUA="
)
ADJACENCY = "0100110001000000010010000010000001000000010000000"
OPERATIONS = "input,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output"


def test_a_published_protocol_buffer() -> None:
    assert parse_metrics(base64.b64decode(METRICS)) == Metrics(8_555_530, 0.3489583432674408, 0.3504607379436493)
    with pytest.raises(ValueError, match="no evaluations"):
        parse_metrics(b"\x10\x01")


def write_records(file: Path, records: list[list[Any]]) -> None:
    with file.open("wb") as stream:
        for record in records:
            body = json.dumps(record).encode()
            stream.write(struct.pack("<QI", len(body), 0) + body + struct.pack("<I", 0))


def test_the_tfrecord_of_nas_bench_101(tmp_path: Path) -> None:
    file = tmp_path / nas_bench_101.OFFICIAL
    small = ["b", 108, "010001000", "input,maxpool3x3,output", METRICS]
    write_records(
        file, [["a", 108, ADJACENCY, OPERATIONS, METRICS]] * 3 + [["a", 36, ADJACENCY, OPERATIONS, ""], small]
    )
    table = nas_bench_101.load(str(tmp_path))
    assert table.rows["architecture"].tolist() == [
        "3:1_m:01_3:001_3:1000_1:10011_o:001001",
        "m:1_3:00_3:000_3:0000_3:00000_o:010000",
    ]
    first = table.rows.iloc[0]
    assert first["table_params"] == 8_555_530 == table.space.counted_costs(table.choices[:1])["params"][0]
    assert first["test_accuracy"] == first["test_accuracy_2"] == 0.3504607379436493
    assert np.isnan(table.rows["validation_accuracy_1"][1]), "the second cell has one training"
    assert len(table.evaluations("test", table.rows["architecture"].tolist())) == 3 + 1


def test_a_converted_file_is_read_again_until_it_changes(tmp_path: Path) -> None:
    file = tmp_path / nas_bench_101.OFFICIAL
    write_records(file, [["a", 108, ADJACENCY, OPERATIONS, METRICS]] * 3)
    rows = nas_bench_101.load(str(file)).rows
    kept = file.with_name(f"{file.name}.archatlas.parquet")
    written = kept.stat().st_mtime_ns
    assert nas_bench_101.load(str(file)).rows.equals(rows)
    assert kept.stat().st_mtime_ns == written
    write_records(file, [["b", 108, "010001000", "input,maxpool3x3,output", METRICS]])
    assert nas_bench_101.load(str(file)).rows["architecture"].tolist() == ["m:1_3:00_3:000_3:0000_3:00000_o:010000"]


@pytest.mark.parametrize("damaged", ["source", "copy", "note"])
def test_no_bit_of_a_converted_file_or_its_copy_can_change_unnoticed(tmp_path: Path, damaged: str) -> None:
    file = tmp_path / nas_bench_101.OFFICIAL
    write_records(file, [["a", 108, ADJACENCY, OPERATIONS, METRICS]] * 3)
    rows = nas_bench_101.load(str(file)).rows
    kept = file.with_name(f"{file.name}.archatlas.parquet")
    target = {"source": file, "copy": kept, "note": kept.with_suffix(".json")}[damaged]
    if damaged == "source":
        write_records(file, [["b", 108, "010001000", "input,maxpool3x3,output", METRICS]])
        rows = nas_bench_101.load(str(file)).rows
        write_records(file, [["a", 108, ADJACENCY, OPERATIONS, METRICS]] * 3)
        assert not nas_bench_101.load(str(file)).rows.equals(rows)
        return
    state, data = target.stat(), bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert nas_bench_101.load(str(file)).rows.equals(rows)
    assert bytes(data) != target.read_bytes(), "it is made anew"


def test_a_tfrecord_that_is_cut_off_is_named(tmp_path: Path) -> None:
    file = tmp_path / nas_bench_101.OFFICIAL
    write_records(file, [["a", 108, ADJACENCY, OPERATIONS, METRICS]] * 3)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ArchatlasError, match=r"nasbench_only108.tfrecord is damaged .* ends within a record"):
        nas_bench_101.load(str(file))


@pytest.mark.parametrize("length", [2**40, 2**63])
def test_no_memory_is_taken_for_a_record_that_says_it_is_huge(tmp_path: Path, length: int) -> None:
    file = tmp_path / nas_bench_101.OFFICIAL
    file.write_bytes(struct.pack("<Q4x", length) + b"x" * 100)
    with pytest.raises(
        ArchatlasError, match=rf"nasbench_only108.tfrecord is damaged or another .*a record has {length:,} bytes"
    ):
        nas_bench_101.load(str(file))


def training(accuracies: dict[str, float], epochs: int = 200) -> dict[str, Any]:
    """A training as ``nats_bench.api_utils.ResultsCount.state_dict`` lays it out, as far as it is read."""
    last = {f"{part}@{epochs - 1}": accuracy for part, accuracy in accuracies.items()}
    first = {f"{part}@0": 10.0 for part in accuracies}
    return {"epochs": epochs, "eval_acc1es": first | last, "params": 0.129306, "flop": 17.9586, "net_state_dict": None}


def write_cell(folder: Path, number: int, results: Any) -> None:
    (folder / f"{number:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(results, protocol=4)))


CELL = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


@pytest.fixture
def nats_bench(tmp_path: Path) -> Path:
    folder = tmp_path / nas_bench_201.OFFICIAL
    folder.mkdir()
    trainings = {
        ("cifar10-valid", 777): training({"x-valid": 80.0, "ori-test": 79.0}),
        ("cifar10-valid", 888): training({"x-valid": 82.0, "ori-test": 79.0}),
        ("cifar10", 777): training({"ori-test": 86.0}),
        ("cifar100", 777): training({"x-valid": 50.0, "x-test": 52.0}),
    }
    write_cell(folder, 0, OrderedDict({"200": {"arch_str": CELL, "all_results": trainings}, "12": {}}))
    return folder


def test_the_files_of_nats_bench(nats_bench: Path) -> None:
    table = nas_bench_201.load(str(nats_bench.parent))
    row = table.rows.iloc[0]
    assert row["architecture"] == CELL
    assert row["validation_accuracy"] == pytest.approx(0.81)
    assert row[["validation_accuracy_777", "validation_accuracy_888", "test_accuracy"]].tolist() == [0.80, 0.82, 0.86]
    assert row[["cifar100_validation_accuracy", "cifar100_test_accuracy"]].tolist() == [0.50, 0.52]
    assert np.isnan(row["imagenet16_test_accuracy"])
    assert row[["table_params", "table_macs"]].tolist() == [129_306, 17_958_600]
    assert table.evaluations("validation", [CELL])["accuracy"].tolist() == [0.80, 0.82]


def test_numbers_of_numpy_are_read_as_they_are() -> None:
    given = {"a": np.float64(0.1), "b": [np.int32(-7), np.float32(0.5)], "c": np.bool_(True), "d": np.float64("nan")}
    for protocol in (3, 4, 5):
        found = nats_bench_files._Plain(io.BytesIO(pickle.dumps(given, protocol=protocol))).load()
        assert {name: found[name] for name in "abc"} == {"a": 0.1, "b": [-7, 0.5], "c": True}
        assert np.isnan(found["d"])


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(np.void(0), protocol=2).replace(b"V1", b"V300000000"),
        b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(S'V300000000'\ntRtR.",
        b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f8'\ntRtR.",
        b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f8'\ntRS'abc'\ntR.",
        b"\x80\x04K\x01r\xff\xff\xff\x0f.",  # The first object of 268 million.
    ],
)
def test_no_memory_is_taken_for_what_a_pickle_says_it_has(nats_bench: Path, content: bytes) -> None:
    (nats_bench / "000001.pickle.pbz2").write_bytes(bz2.compress(content))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArchatlasError, match=r"000001.pickle.pbz2 is damaged or of another version"):
        nas_bench_201.load(str(nats_bench))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


NO_TABLES = [Hostile(), {"200": {}}, "no dictionary", {"200": {"arch_str": "x", "all_results": ["no mapping"]}}]


@pytest.mark.parametrize("content", NO_TABLES)
def test_files_that_are_no_tables_are_named_and_run_nothing(
    nats_bench: Path, content: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cell(nats_bench, 1, content)
    with pytest.raises(ArchatlasError, match=r"000001.pickle.pbz2 is damaged or of another version"):
        nas_bench_201.load(str(nats_bench))
    assert capsys.readouterr().out == ""


def test_a_file_that_unpacks_to_more_than_any_cell_has_is_refused(
    nats_bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_bench_files, "_MOST_BYTES", 1000)
    write_cell(nats_bench, 1, "x" * 2000)
    with pytest.raises(ArchatlasError, match=r"000001.pickle.pbz2 is damaged .* unpacks to more than 1,000 bytes"):
        nas_bench_201.load(str(nats_bench))


def test_a_folder_of_a_table_that_cannot_be_listed_is_named(open_folder: Path, unprivileged: Any) -> None:
    (open_folder / "inner").mkdir(mode=0o311)
    told = rf"the folder `{open_folder / 'inner'}` cannot be listed \(Permission denied\): give it rights"
    with unprivileged(), pytest.raises(ArchatlasError, match=told):
        converted(open_folder, pytest.fail)
