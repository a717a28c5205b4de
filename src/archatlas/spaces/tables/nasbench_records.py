"""The benchmark's own file of NAS-Bench-101, read without TensorFlow.

``nasbench_only108.tfrecord`` is a sequence of records, each framed by its length (eight bytes, little-endian) and two
checksums of four bytes, which are not checked. A record is a JSON list: hash, epochs, adjacency matrix as a string of 0
and 1, operations, and a protocol buffer ``ModelMetrics`` in base64, whose last ``EvaluationData`` is that of the
trained network (``nasbench/lib/model_metrics.proto``).
"""

from __future__ import annotations

import base64
import json
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError, brief
from archatlas.progress import progress_bar
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.protocol import Names

EPOCHS, TRAININGS = 108, 3
_FRAME = struct.Struct("<Q4x")
_VALIDATION, _TEST = 4, 5
_MOST_BYTES = 1_000_000
"""Of a record; the published ones have some thousands."""


@dataclass(frozen=True)
class Metrics:
    """What a record says of one training."""

    params: int
    validation_accuracy: float
    test_accuracy: float


def read_nasbench_records(file: Path) -> pd.DataFrame:
    """One row per cell: architecture, network (both canonical), accuracies by training and their means, table_params.

    Trainings of other schedules than 108 epochs are passed over.

    Raises:
        ArchatlasError: the file is cut off or holds something else.
    """
    cells: dict[str, int] = {}
    shapes: list[tuple[str, str]] = []
    params, row, accuracies = array("q"), array("q"), array("d")
    try:
        with progress_bar(total=file.stat().st_size, desc=file.name, unit="byte", unit_scale=True) as bar:
            for record in records(file):
                bar.update(len(record) + 16)
                digest, epochs, adjacency, operations, message = json.loads(record)
                if epochs != EPOCHS:
                    continue
                metrics = parse_metrics(base64.b64decode(message))
                if digest not in cells:
                    cells[digest] = len(cells)
                    shapes.append((sys.intern(adjacency), sys.intern(operations)))
                    params.append(metrics.params)
                row.append(cells[digest])
                accuracies.extend((metrics.validation_accuracy, metrics.test_accuracy))
        names = _names(shapes)
        runs = _by_training(np.array(row), np.array(accuracies).reshape(-1, 2))
    except Exception as error:  # Whatever records of something else lead to.
        raise ArchatlasError(f"{file} is damaged or another file ({brief(repr(error))}): get it again") from error
    columns: dict[str, Any] = {"architecture": names, "network": names}
    for place, label in enumerate(("validation_accuracy", "test_accuracy")):
        columns[label] = np.nanmean(runs[:, :, place], axis=1)
        columns |= {f"{label}_{number}": runs[:, number, place] for number in range(runs.shape[1])}
    return pd.DataFrame(columns | {"table_params": np.array(params)})


def records(file: Path) -> Iterator[bytes]:
    """The records of a TFRecord file; ValueError if it ends within one."""
    with file.open("rb") as stream:
        while head := stream.read(_FRAME.size):
            (length,) = _FRAME.unpack(head)
            if length > _MOST_BYTES:
                raise ValueError(f"a record has {length:,} bytes")
            body = stream.read(length + 4)
            if len(body) < length + 4:
                raise ValueError("the file ends within a record")
            yield body[:-4]


def parse_metrics(message: bytes) -> Metrics:
    """A ``ModelMetrics`` message; ValueError if it is none."""
    fields = list(_fields(message))
    evaluations = [value for number, value in fields if number == 1]
    params = [value for number, value in fields if number == 2]
    if not evaluations or not params:
        raise ValueError("a record has no evaluations")
    last = dict(_fields(evaluations[-1]))
    return Metrics(int(params[0]), float(last[_VALIDATION]), float(last[_TEST]))


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protocol buffer: int, double or bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        match key & 7:
            case 0:
                value, place = _varint(message, place)
                yield key >> 3, value
            case 1:
                yield key >> 3, struct.unpack_from("<d", message, place)[0]
                place += 8
            case 2:
                length, place = _varint(message, place)
                yield key >> 3, message[place : place + length]
                place += length
            case kind:
                raise ValueError(f"a protocol buffer has a field of kind {kind}")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place


def _names(shapes: list[tuple[str, str]]) -> Names:
    """Canonical names of cells given by matrices and operations as in the file; ValueError for unknown operations."""
    space = NasBench101("nas_bench_101", (3, 32, 32), 10)
    matrices = np.zeros((len(shapes), space.vertices, space.vertices), dtype=np.bool_)
    operations = np.zeros((len(shapes), space.vertices - 2), dtype=np.int8)
    for row, (adjacency, words) in enumerate(shapes):
        side = round(len(adjacency) ** 0.5)
        kept = [*range(side - 1), space.vertices - 1]
        matrices[np.ix_([row], kept, kept)] = np.frombuffer(adjacency.encode(), dtype=np.uint8).reshape(side, -1) == 49
        operations[row, : side - 2] = [space.operations.index(word) for word in words.split(",")[1:-1]]
    return space.names(space.canonicalise(space.validate(space.cells.rows(matrices, operations))))


def _by_training(row: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values ``[records, v]`` of rows as ``[rows, trainings, v]``, in the file's order, NaN where a row has fewer."""
    order = np.argsort(row, kind="stable")
    first = np.flatnonzero(np.diff(row[order], prepend=-1))
    number = np.arange(len(row)) - np.repeat(first, np.diff(first, append=len(row)))
    runs = np.full((len(first), TRAININGS, values.shape[1]), np.nan)
    runs[row[order], number] = values[order]
    return runs
