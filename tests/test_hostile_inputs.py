"""Files from elsewhere, spoiled in every way that we know: each is taken, or refused in one message, and costs little.

``pytest tests/test_hostile_inputs.py`` tries a few of each kind, ``pytest -m nightly tests/test_hostile_inputs.py -s``
a thousand, and prints how many were refused. Each input is made from a number, which a failure names.
"""

from __future__ import annotations

import copy
import io
import json
import math
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.validation.exceptions import ParameterValidationError

from archatlas.costs.counting import count_parts
from archatlas.costs.imported_latency import import_table
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.configuration import CheckedConfigLoader
from archatlas.kedro_ext.parameter_check import check_parameters
from archatlas.pipelines.parameters import ProjectParameters
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.verification.standalone import DOCUMENT, WEIGHTS, load_network, make_standalone, save_network

FEW, MANY = {"network_document": 100, "latency_csv": 15, "latency_parquet": 20, "parameter_file": 15}, 1000

LONGEST_MESSAGE = 5000
MOST_SECONDS, MOST_MIB = 5.0, 400
"""Of processor time and of memory beside what the process holds already, for one input."""

DEEP, DOUBLED, BOMB = "<deep>", "<doubled>", "<bomb>"
"""What stands for a hundred thousand brackets, a key that is written again, and aliases of YAML that repeat each other
to a billion values, until there is a text."""

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 7, 0.5, -0.0, 2**31, 10**9, 2**63, 10**30, 1e-308, 1e308),
    *(math.nan, math.inf, -math.inf, "", "x", "0", "1e3", "nan", "..", "/dev/zero", "\x00", "\ud800", "é\u202e"),
    *("${globals:experiment}", "${oc.env:HOME}", "!!python/object/apply:os.system [id]", "k3e1" * 1000, "9" * 5000),
    *([], {}, [[[]]], [None], [0] * 1000, {"a": 1}, {"": {}}, [math.nan], DEEP, DOUBLED, BOMB, "long" * 100_000),
]

Spoil = Callable[[Any, Random], Any]


def spoiled(document: Any, random: Random) -> Any:
    """The document with one to three of its values, names or items changed."""
    document = copy.deepcopy(document)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        places = list(_places(document))
        if not places:
            break
        inner, key = random.choice(places)
        random.choice(_CHANGES)(inner, key, places, random)
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


def _replace(inner: Any, key: Any, _: Any, random: Random) -> None:
    inner[key] = copy.deepcopy(random.choice(VALUES))


def _scale(inner: Any, key: Any, _: Any, random: Random) -> None:
    if isinstance(inner[key], int | float):
        inner[key] = random.choice([inner[key] * 1000, -inner[key], inner[key] + 1, float(inner[key]), str(inner[key])])
    else:
        inner[key] = [inner[key]]


def _delete(inner: Any, key: Any, _: Any, random: Random) -> None:
    del inner[key]


def _repeat(inner: Any, key: Any, _: Any, random: Random) -> None:
    if isinstance(inner, list):
        inner.extend([copy.deepcopy(inner[key])] * random.choice([1, 100]))
    else:
        inner[f"{key} "] = copy.deepcopy(inner[key])


def _rename(inner: Any, key: Any, _: Any, random: Random) -> None:
    if isinstance(inner, dict):
        inner[random.choice(["", "x", f"{key}s", str(key).upper(), "__class__", "1", "y" * 10_000])] = inner.pop(key)


def _swap(inner: Any, key: Any, places: Any, random: Random) -> None:
    other, name = random.choice(places)
    if other in (inner, inner[key]) or not isinstance(inner[key], list | dict):
        inner[key] = copy.deepcopy(other[name])


_CHANGES = [_replace, _replace, _replace, _scale, _delete, _repeat, _rename, _swap]


def spoiled_bytes(content: bytes, random: Random) -> bytes:
    """The content, which in every third case is damaged as bytes: cut, other bytes, or another encoding."""
    if random.randrange(3) or not content:
        return content
    at, length = random.randrange(len(content)), random.choice([1, 1, 4, 100])
    other = bytes(random.randrange(256) for _ in range(min(length, 8)))
    ways: list[Callable[[], bytes]] = [
        lambda: content[:at],
        lambda: content[:at] + content[at + length :],
        lambda: content[:at] + other + content[at + length :],
        lambda: content[:at] + content[:at],
        lambda: content[:at] + b"\t" + content[at:],
        lambda: content[:at] + b"\x00" * length + content[at:],
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.decode("utf-8", "replace").encode("utf-16"),
        lambda: content[:at] + "ü".encode("latin-1") + content[at:],
        lambda: content * 20,
        lambda: b"",
    ]
    return random.choice(ways)()


def _text(dumped: str) -> bytes:
    deep = "[" * 100_000 + "]" * 100_000
    bomb = "[&a0 [x, x], " + ", ".join(f"&a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30)) + "]"
    for mark, text in ((DEEP, deep), (BOMB, bomb)):
        dumped = dumped.replace(f'"{mark}"', text).replace(mark, text)
    lines = dumped.splitlines()
    doubled = [one for line in lines for one in ([line, line] if DOUBLED in line else [line])]
    return "\n".join(doubled).encode("utf-8", "surrogatepass")


class Exceeded(BaseException):
    """An input that takes too long: no code of ours catches this."""


@contextmanager
def bounded() -> Iterator[None]:
    """Fails for what takes more processor time or memory than ``MOST_SECONDS`` and ``MOST_MIB``."""

    def stop(*_: Any) -> None:
        raise Exceeded(f"more than {MOST_SECONDS} s")

    before, held, kept = time.process_time(), _memory("VmRSS"), signal.signal(signal.SIGVTALRM, stop)
    Path("/proc/self/clear_refs").write_text("5")  # The peak counts from here.
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, kept)
    assert time.process_time() - before < MOST_SECONDS
    assert _memory("VmHWM") - held < MOST_MIB


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


@pytest.fixture(scope="module")
def space() -> ChainSpace:
    return ChainSpace("small", (3, 8, 8), 2, 4, (Stage(6, 2, 2),), (Operation(3, 1), Operation(5, 2)))


class Attempts:
    """Reads inputs of one kind; counts how many were refused, and keeps what went wrong by the input's number."""

    def __init__(self, read: Callable[[Random], None], refusals: tuple[type[Exception], ...]) -> None:
        self._read, self._refusals = read, refusals
        self.refused = 0
        self.faults: dict[int, str] = {}

    def make(self, numbers: range) -> None:
        for number in numbers:
            try:
                with bounded():
                    self._read(Random(number))
            except self._refusals as error:
                self.refused += 1
                message = error.format_message() if isinstance(error, click.ClickException) else str(error)
                if not 0 < len(message.strip()) < LONGEST_MESSAGE:
                    self.faults[number] = f"a message of {len(message)} letters: {message[:200]}"
            except (Exception, Exceeded) as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                self.faults[number] = f"{type(error).__name__}: {str(error)[:200]} ({where.filename}:{where.lineno})"


@pytest.fixture(scope="module")
def network_document(space: ChainSpace, tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    images = ImageDescription(
        class_names=("a", "b"), channels=3, image_size=8, mean=(0.4, 0.5, 0.6), std=(0.2,) * 3, splits={}, source="made"
    )
    folder = tmp_path_factory.mktemp("network")
    stages = (Stage(6, 1, 1), Stage(8, 1, 2))
    spaces: list[Any] = [
        space,
        replace(space, head_width=8, squeeze_excitation=True, stem_block_width=4),
        NasBench201("cells", (3, 8, 8), 2, 4, stages),
        NasBench101("graphs", (3, 8, 8), 2, 4, stages),
    ]
    saved = []
    for one in spaces:
        choices = one.sample(1, np.random.default_rng(0))
        weights = one.build(choices[0]).state_dict()
        save_network(make_standalone(one, one.names(choices)[0], weights, images, "small"), folder)
        saved.append((json.loads((folder / DOCUMENT).read_text()), (folder / WEIGHTS).read_bytes()))
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)

    def read(random: Random) -> None:
        document, weights = random.choice(saved)
        changed = spoiled(document, random) if random.randrange(8) else document
        (folder / DOCUMENT).write_bytes(spoiled_bytes(_text(json.dumps(changed, indent=1)), random))
        (folder / WEIGHTS).write_bytes(weights if random.randrange(4) else spoiled_bytes(weights, random))
        answer = load_network(folder).predict(image)
        assert all(0 <= one <= 1 for one in answer.probabilities.values())
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)

    return Attempts(read, (ArchatlasError,))


def _timed(space: ChainSpace) -> pd.DataFrame:
    table = count_parts(space)[["part", "position", "choice", "operation", "macs"]]
    return table.assign(
        latency_ms=np.arange(len(table)) / 4, device="made up", batch_size=1, threads=1, note="", source="measured",
        latency_lower_quartile_ms=0.0, latency_upper_quartile_ms=9.0,
    )  # fmt: skip


def _read_table(space: ChainSpace, path: Path) -> None:
    table = import_table(path, space)
    latency = costs_of(space, space.enumerate_networks(0, 4), None, table)["predicted_latency_ms"]
    assert np.isfinite(latency).all()
    assert (latency >= 0).all()


@pytest.fixture(scope="module")
def latency_csv(space: ChainSpace, tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    path = tmp_path_factory.mktemp("latency") / "table.csv"
    table = _timed(space)
    rows = [list(table.columns), *table.astype(object).to_numpy().tolist()]

    def read(random: Random) -> None:
        lines = [one if isinstance(one, list) else [one] for one in spoiled(rows, random)]
        comma = random.choice([","] * 9 + [";", "\t"])
        written = "\n".join(comma.join(map(str, line)) for line in lines)
        path.write_bytes(spoiled_bytes(_text(written), random))
        _read_table(space, path)

    return Attempts(read, (ArchatlasError,))


@pytest.fixture(scope="module")
def latency_parquet(space: ChainSpace, tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("latency") / "table.parquet"
    columns = {name: column.tolist() for name, column in _timed(space).items()}
    rows = len(columns["part"])
    of_columns: list[Callable[[list[Any], Random], Any]] = [
        lambda values, random: pa.array([random.choice(VALUES[:16])] * rows, from_pandas=False),
        lambda values, random: pa.array([str(random.choice(VALUES))[:100]] * rows),
        lambda values, random: pa.array([[value] * 3 for value in values]),
        lambda values, random: pa.array([{"a": value} for value in values]),
        lambda values, random: pa.array(list(map(str, values))).dictionary_encode(),
        lambda values, random: pa.array([str(value).encode() + b"\xff" for value in values]),
        lambda values, random: pa.array([value == values[0] for value in values]),
        lambda values, random: pa.array(range(rows), pa.timestamp("ns", "UTC")),
        lambda values, random: pa.array(range(rows), pa.duration("s")),
        lambda values, random: pa.array(range(rows), pa.int8()).cast(pa.decimal128(9, 2)),
        lambda values, random: pa.array([None] * rows, random.choice([pa.null(), pa.int64(), pa.string()])),
        lambda values, random: pa.array(["long" * 10_000] * rows),
        lambda values, random: pa.array(random.sample(values, rows)),
        lambda values, random: pa.array([random.choice([0, -1, 10**9, 2**62])] * rows),
        lambda values, random: pa.array([random.choice([math.nan, math.inf, 0.5, 1e308])] * rows),
    ]

    def read(random: Random) -> None:
        arrays = {name: pa.array(values) for name, values in columns.items()}
        for _ in range(random.choice([0, 1, 1, 2])):
            name = random.choice(list(columns))
            arrays[name] = _array(random.choice(of_columns), columns[name], random)
        names = list(arrays)
        if not random.randrange(6):
            names[random.randrange(len(names))] = random.choice([*names, "", "x" * 1000])
        table = pa.Table.from_arrays(list(arrays.values()), names=names)
        if not random.randrange(6):
            repeated = [
                table.slice(random.randrange(rows), random.randrange(rows)) for _ in range(random.randrange(50))
            ]
            table = pa.concat_tables([table.slice(0, 0), *repeated])
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression=random.choice(["none", "snappy", "zstd"]))
        path.write_bytes(spoiled_bytes(buffer.getvalue(), random))
        _read_table(space, path)

    return Attempts(read, (ArchatlasError,))


def _array(make: Callable[[list[Any], Random], Any], values: list[Any], random: Random) -> Any:
    import pyarrow as pa

    try:
        return make(values, random)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):  # Parquet has no such value.
        return pa.array(values)


@pytest.fixture(scope="module")
def parameter_file(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    folder = tmp_path_factory.mktemp("conf")
    (folder / "base").mkdir()
    (folder / "mine").mkdir()
    configured: dict[str, Any] = {}
    for file in sorted((repository / "conf" / "base").glob("parameters*.yml")):
        configured |= yaml.safe_load(file.read_text().replace("${globals:experiment}", "digits")) or {}
    tiny = yaml.safe_load((repository / "conf" / "tiny" / "parameters.yml").read_text())
    (folder / "base" / "globals.yml").write_text("experiment: digits\n")
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    def read(random: Random) -> None:
        # The whole of conf/base, or an environment of one's own over it.
        base, own = (
            (spoiled(configured, random), {}) if random.randrange(4) == 0 else (configured, spoiled(tiny, random))
        )
        for name, content in (("base", base), ("mine", own)):
            try:
                written = yaml.dump(content, Dumper=dumper, allow_unicode=True, sort_keys=False)
            except UnicodeEncodeError:  # JSON is YAML too, and has a way to write what is no letter.
                written = json.dumps(content)
            changed = spoiled_bytes(_text(written), random) if content is not configured else written.encode()
            (folder / name / "parameters.yml").write_bytes(changed)
        loader = CheckedConfigLoader(
            str(folder), "mine", base_env="base", default_run_env="mine", merge_strategy={"parameters": "soft"}
        )
        check_parameters(ProjectParameters, loader["parameters"], partial(loader.place, "parameters"))

    return Attempts(read, (ArchatlasError, ParameterValidationError, click.ClickException))


@pytest.mark.parametrize("kind", FEW)
def test_a_few_of_each_kind(request: pytest.FixtureRequest, kind: str) -> None:
    attempts = request.getfixturevalue(kind)
    attempts.make(range(FEW[kind]))
    assert attempts.faults == {}
    # Some changes spoil, and some do not.
    assert 0.2 * FEW[kind] < attempts.refused < FEW[kind]


@pytest.mark.nightly
@pytest.mark.parametrize("kind", FEW)
def test_a_thousand_of_each_kind(request: pytest.FixtureRequest, kind: str) -> None:
    attempts = request.getfixturevalue(kind)
    began = time.process_time()
    attempts.make(range(MANY))
    print(f"\n{kind}: {MANY} tried, {attempts.refused} refused, {time.process_time() - began:.0f} s of processor time")
    assert attempts.faults == {}
