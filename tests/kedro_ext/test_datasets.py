from __future__ import annotations

import inspect
import json
import os
import pickle
import random
import subprocess
import sys
import time
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow.parquet as pq
import pytest
import torch
from kedro.io import DataCatalog, DatasetError
from kedro_viz.models.flowchart.node_metadata import DataNodeMetadata
from kedro_viz.models.flowchart.nodes import GraphNode

from archatlas.kedro_ext import datasets
from archatlas.kedro_ext.datasets import (
    AtomicDataset,
    FolderDataset,
    JSONDataset,
    ParquetDataset,
    PlotlyDataset,
    TableFileDataset,
    TensorPartitionsDataset,
    TensorsDataset,
    TextDataset,
    WorkFolderDataset,
)
from archatlas.kedro_ext.versions import entry_of
from archatlas.storage.table_file import TableFile

FRAME = pd.DataFrame({"network": [f"n{i}" for i in range(1000)], "score": np.arange(1000) / 7})


def tensors(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"weight": torch.randn(20, 30, generator=generator), "labels": torch.arange(5)}


def figure(title: str = "front") -> go.Figure:
    return go.Figure(go.Scatter(x=np.arange(200.0), y=np.arange(200.0) ** 2), {"title": {"text": title}})


def folder_of(path: Path, text: str = "text") -> Path:
    (path / "deep").mkdir(parents=True)
    (path / "a.txt").write_text(text)
    (path / "deep" / "b.txt").write_text(text)
    return path


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, pd.DataFrame):
        return one.equals(other)
    if isinstance(one, dict) and any(isinstance(value, torch.Tensor) for value in one.values()):
        return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def content(loaded: Any) -> Any:
    """What was saved, from what a load gives."""
    if isinstance(loaded, dict) and any(callable(value) for value in loaded.values()):
        return {key: value() for key, value in loaded.items()}
    if isinstance(loaded, TableFile):
        return loaded.table()
    if isinstance(loaded, Path):
        return {path.relative_to(loaded).as_posix(): path.read_text() for path in loaded.rglob("*.txt")}
    return loaded


KINDS: dict[str, tuple[type[AtomicDataset[Any, Any]], str, list[Any]]] = {
    "document": (JSONDataset, "document.json", [{"b": [1, 2.5, None], "a": "ä"}, ["other"]]),
    "text": (TextDataset, "text.html", ["ein Gräßlein\r\n☃\n", ""]),
    "table": (ParquetDataset, "table.parquet", [FRAME, FRAME.iloc[:3]]),
    "table_file": (TableFileDataset, "rows.parquet", [FRAME, FRAME.iloc[:3]]),
    "figure": (PlotlyDataset, "figure.json", [figure(), figure("other")]),
    "tensors": (TensorsDataset, "tensors.safetensors", [tensors(0), tensors(1)]),
    "partitions": (TensorPartitionsDataset, "partitions", [{"seed_0": tensors(0), "a.b": tensors(1)}, {}]),
}
ALL_KINDS = pytest.mark.parametrize("kind", KINDS)


def catalog_of(folder: Path, version: str, load_versions: dict[str, str] | None = None) -> DataCatalog:
    kinds = {name: (kind.__name__, file) for name, (kind, file, _) in KINDS.items()}
    kinds["folder"] = ("FolderDataset", "folder")
    config = {
        name: {"type": f"{datasets.__name__}.{kind}", "filepath": str(folder / file), "versioned": True}
        for name, (kind, file) in kinds.items()
    }
    config["work"] = {"type": f"{datasets.__name__}.WorkFolderDataset", "filepath": str(folder / "work")}
    return DataCatalog.from_config(config, load_versions=load_versions, save_version=version)


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- Saving and loading ---


@ALL_KINDS
def test_what_is_saved_is_loaded(tmp_path, kind):
    type_, file, contents = KINDS[kind]
    for number, data in enumerate(contents):
        dataset = type_(filepath=str(tmp_path / str(number) / file))
        assert not dataset.exists()
        dataset.save(data)
        assert dataset.exists()
        assert equal(content(dataset.load()), data)
        assert [path.name for path in (tmp_path / str(number)).iterdir()] == [file], "no litter"


@ALL_KINDS
def test_the_same_content_gives_the_same_bytes(tmp_path, kind):
    type_, file, contents = KINDS[kind]
    for run in "ab":
        type_(filepath=str(tmp_path / run / file)).save(contents[0])
    names = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(names) == (2 if kind == "partitions" else 1)
    for name in names:
        assert (tmp_path / "b" / name.relative_to(tmp_path / "a")).read_bytes() == name.read_bytes()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "partitions"])
def test_a_file_without_versions_is_replaced(tmp_path, kind):
    type_, file, contents = KINDS[kind]
    dataset = type_(filepath=str(tmp_path / file))
    for data in contents:
        dataset.save(data)
    assert equal(content(dataset.load()), contents[1])


def test_a_folder_without_versions_is_not_replaced(tmp_path):
    dataset = TensorPartitionsDataset(filepath=str(tmp_path / "parts"))
    dataset.save({"a": tensors(0)})
    with pytest.raises(
        DatasetError, match=r"parts was not written \(FileExistsError: .* cannot be replaced in one step"
    ):
        dataset.save({"b": tensors(1)})
    assert list(dataset.load()) == ["a"]


def test_bytes_of_documents_and_texts(tmp_path):
    document, text = tmp_path / "d.json", tmp_path / "t.txt"
    JSONDataset(filepath=str(document)).save({"z": 1, "a": ["é", 0.1]})
    assert document.read_bytes() == b'{\n  "z": 1,\n  "a": [\n    "\\u00e9",\n    0.1\n  ]\n}'
    TextDataset(filepath=str(text)).save("é\r\n")
    assert text.read_bytes() == b"\xc3\xa9\r\n"


def test_text_is_utf8_whatever_the_locale(tmp_path, repository):
    code = (
        "import sys; from archatlas.kedro_ext.datasets import TextDataset; d = TextDataset(filepath=sys.argv[1]); "
        "d.save('\\u2603'); assert d.load() == '\\u2603'"
    )
    run_python(repository, code, str(tmp_path / "t.txt"), LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (tmp_path / "t.txt").read_bytes() == "☃".encode()


def test_a_table_written_chunk_by_chunk_is_the_whole_table(tmp_path):
    dataset = ParquetDataset(filepath=str(tmp_path / "t.parquet"))
    dataset.save(FRAME.iloc[start : start + 300] for start in range(0, 1000, 300))
    pd.testing.assert_frame_equal(dataset.load(), FRAME)
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == 4


def test_the_index_of_a_table_is_not_saved(tmp_path):
    dataset = ParquetDataset(filepath=str(tmp_path / "t.parquet"))
    dataset.save(FRAME.iloc[990:])
    assert dataset.load().index.tolist() == list(range(10))


def test_chunks_of_another_kind_and_no_chunks_are_refused(tmp_path):
    dataset = ParquetDataset(filepath=str(tmp_path / "t.parquet"))
    with pytest.raises(DatasetError, match=r"t.parquet was not written"):
        dataset.save(iter([FRAME, FRAME[["score"]]]))
    with pytest.raises(DatasetError, match="no chunk"):
        dataset.save(iter([]))
    assert everything(tmp_path) == []


@pytest.mark.parametrize("key", ["a/b", "../b", "", "/etc/x"])
def test_a_key_that_is_no_name_is_refused(tmp_path, key):
    dataset = TensorPartitionsDataset(filepath=str(tmp_path / "parts"))
    with pytest.raises(DatasetError, match="is no name for a file"):
        dataset.save({"fine": tensors(0), key: tensors(0)})
    assert everything(tmp_path) == []


def test_changing_loaded_tensors_leaves_the_file(tmp_path):
    dataset = TensorsDataset(filepath=str(tmp_path / "t.safetensors"))
    dataset.save(tensors(0))
    dataset.load()["weight"].zero_()
    assert equal(dataset.load(), tensors(0))


# --- Folders ---


def test_a_folder_that_a_node_filled_is_moved_to_its_version(tmp_path):
    catalog = catalog_of(tmp_path / "data", "v1")
    given = folder_of(tmp_path / "work" / "made")
    catalog.save("folder", given)
    assert not given.exists()
    assert catalog.load("folder") == tmp_path / "data" / "folder" / "v1" / "folder"
    assert content(catalog.load("folder")) == {"a.txt": "text", "deep/b.txt": "text"}
    assert everything(tmp_path / "data" / "folder") == [
        "v1", "v1/folder", "v1/folder/a.txt", "v1/folder/deep", "v1/folder/deep/b.txt",
    ]  # fmt: skip


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no second file system")
def test_a_folder_of_another_file_system_is_copied(tmp_path):
    import tempfile

    if os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is on the same file system")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        given = folder_of(Path(other) / "made")
        dataset = FolderDataset(filepath=str(tmp_path / "folder"))
        dataset.save(given)
        assert not given.exists()
    assert content(dataset.load()) == {"a.txt": "text", "deep/b.txt": "text"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("a file")
    dataset = FolderDataset(filepath=str(tmp_path / "data" / "folder"))
    for given in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(DatasetError, match=f"the node gave {given}, which is no folder"):
            dataset.save(given)
    assert everything(tmp_path) == ["file"]


def test_a_work_folder_is_made_when_loaded_and_cannot_be_saved(tmp_path):
    dataset = WorkFolderDataset(filepath=str(tmp_path / "a" / "b"), metadata={"incremental": "volatile"})
    assert not (tmp_path / "a").exists()
    assert dataset.load() == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()
    assert dataset.metadata == {"incremental": "volatile"}
    with pytest.raises(DatasetError, match="input only"):
        dataset.save(tmp_path)


# --- Versions ---


def save_two_versions(folder: Path) -> None:
    for number, version in enumerate(["2024-01-01T00.00.00.000Z", "2024-02-02T00.00.00.000Z"]):
        catalog = catalog_of(folder / "data", version)
        for name, (_, _, contents) in KINDS.items():
            catalog.save(name, contents[number])
        catalog.save("folder", folder_of(folder / "made", str(number)))


def test_versions_lie_in_the_layout_of_kedro(tmp_path):
    save_two_versions(tmp_path)
    for name, (_, file, _) in KINDS.items():
        found = sorted(path.relative_to(tmp_path / "data" / file) for path in (tmp_path / "data" / file).glob("*/*"))
        assert found == [Path(f"2024-0{n}-0{n}T00.00.00.000Z", file) for n in (1, 2)], name


def test_the_latest_version_is_loaded_or_the_one_asked_for(tmp_path):
    save_two_versions(tmp_path)
    later = catalog_of(tmp_path / "data", "2024-03-03T00.00.00.000Z")
    first = "2024-01-01T00.00.00.000Z"
    pinned = catalog_of(tmp_path / "data", "2024-03-03T00.00.00.000Z", dict.fromkeys([*KINDS, "folder"], first))
    for name, (_, _, contents) in KINDS.items():
        assert equal(content(later.load(name)), contents[1])
        assert equal(content(pinned.load(name)), contents[0])
        assert equal(content(later.load(name, version=first)), contents[0])
    assert content(later.load("folder"))["a.txt"] == "1"
    assert content(pinned.load("folder"))["a.txt"] == "0"


def test_a_version_is_written_once(tmp_path):
    catalog = catalog_of(tmp_path, "v1")
    for name, (_, _, contents) in KINDS.items():
        catalog.save(name, contents[0])
        with pytest.raises(DatasetError, match="must not exist if versioning is enabled"):
            catalog.save(name, contents[1])
        assert equal(content(catalog.load(name)), contents[0])


def test_a_version_that_is_not_there_is_named_with_those_that_are(tmp_path):
    save_two_versions(tmp_path)
    catalog = catalog_of(tmp_path / "data", "v3", {"table": "2023-01-01T00.00.00.000Z"})
    message = (
        r"table: there is no .*table.parquet/2023-01-01T00.00.00.000Z/table.parquet "
        r"\(the newest versions are 2024-02-02T00.00.00.000Z, 2024-01-01T00.00.00.000Z\)"
    )
    with pytest.raises(DatasetError, match=message):
        catalog.load("table")


@ALL_KINDS
def test_what_was_never_made_is_named(tmp_path, kind):
    with pytest.raises(DatasetError, match=rf"{kind}: there is no version in .*{KINDS[kind][1]} yet. Run again"):
        catalog_of(tmp_path, "v1").load(kind)
    type_, file, _ = KINDS[kind]
    with pytest.raises(DatasetError, match=rf"there is no .*{file}. Run again"):
        type_(filepath=str(tmp_path / file)).load()
    assert not catalog_of(tmp_path, "v1").exists(kind)


def test_a_file_of_a_run_without_versions_is_explained(tmp_path):
    (tmp_path / "table.parquet").write_text("of version 0.1")
    with pytest.raises(
        DatasetError, match=r"table.parquet is a file of a run without versions.*Move it away or delete it"
    ):
        catalog_of(tmp_path, "v1").save("table", FRAME)
    assert (tmp_path / "table.parquet").read_text() == "of version 0.1"


@ALL_KINDS
def test_a_data_set_survives_pickling(tmp_path, kind):
    type_, file, contents = KINDS[kind]
    pickle.loads(pickle.dumps(type_(filepath=str(tmp_path / file)))).save(contents[0])
    assert type_(filepath=str(tmp_path / file)).exists()


# --- Failures ---


class Unwritable:
    """Breaks whoever writes it, half-way."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __iter__(self) -> typing.Iterator[pd.DataFrame]:
        yield FRAME
        raise self.error("no more")

    def items(self) -> typing.Iterator[tuple[str, dict[str, torch.Tensor]]]:
        yield "a", tensors(0)
        raise self.error("no more")


@pytest.mark.parametrize("error", [OSError, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("kind", ["table", "partitions"])
def test_a_save_that_breaks_half_way_leaves_nothing(tmp_path, kind, versioned, error):
    type_, file, _ = KINDS[kind]
    catalog = catalog_of(tmp_path, "v1")
    dataset = catalog[kind] if versioned else type_(filepath=str(tmp_path / file))
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else DatasetError, match="no more"):
        dataset.save(Unwritable(error))
    assert everything(tmp_path) == []


def test_a_save_that_breaks_leaves_the_old_file(tmp_path):
    dataset = ParquetDataset(filepath=str(tmp_path / "t.parquet"))
    dataset.save(FRAME)
    with pytest.raises(DatasetError, match=r"t.parquet was not written \(OSError: no more\). What was there before is"):
        dataset.save(Unwritable(OSError))
    pd.testing.assert_frame_equal(dataset.load(), FRAME)
    assert everything(tmp_path) == ["t.parquet"]


@pytest.mark.parametrize("kind", ["document", "tensors"])
def test_what_cannot_be_serialised_leaves_nothing(tmp_path, kind):
    type_, file, _ = KINDS[kind]
    with pytest.raises(DatasetError, match="was not written"):
        type_(filepath=str(tmp_path / file)).save({"a": object()})
    assert everything(tmp_path) == []


def run_python(repository: Path, code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": f"{repository / 'src'}:{repository / 'tests/kedro_ext'}"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


FULL_DISK = """
import resource, sys
from pathlib import Path
from test_datasets import KINDS, content, equal
from kedro.io import DatasetError

folder = Path(sys.argv[1])
for kind, (type_, file, contents) in KINDS.items():
    type_(filepath=str(folder / kind / file)).save(contents[0])
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
for kind, (type_, file, contents) in KINDS.items():
    try:
        type_(filepath=str(folder / kind / ("new" if kind == "partitions" else file))).save(contents[0])
    except DatasetError as error:
        print(kind, "|", error)
    assert equal(content(type_(filepath=str(folder / kind / file)).load()), contents[0]), kind
"""


def test_where_a_file_cannot_grow_one_message_says_so_and_the_old_file_stays(tmp_path, repository):
    """A limit on the size of files is met half-way through a write, as the end of a disk is."""
    messages = run_python(repository, FULL_DISK, str(tmp_path)).splitlines()
    assert [line.split(" | ")[0] for line in messages] == list(KINDS)
    assert all("was not written" in line and "File too large" in line for line in messages), messages
    assert not [path for path in everything(tmp_path) if ".partial" in path]


# --- Kills ---

WRITER = """
import json, sys, time
from itertools import count
from pathlib import Path
import pandas as pd
from kedro.io import DataCatalog
from archatlas.kedro_ext.datasets import JSONDataset

folder, config = Path(sys.argv[1]), json.loads(sys.argv[2])
for turn in count():
    started = time.perf_counter()
    JSONDataset(filepath=str(folder / "replaced.json")).save([turn] * 20_000)
    catalog = DataCatalog.from_config(config, save_version=f"v{turn:06}")
    (folder / "given").mkdir()
    for name in "abc":
        (folder / "given" / name).write_text("x" * 100_000)
    catalog.save("document", list(range(20_000)))
    catalog.save("text", "x" * 300_000)
    catalog.save("table", (pd.DataFrame({"a": range(20_000)}) for _ in range(3)))
    catalog.save("folder", folder / "given")
    if turn:  # The first turn imports pandas.
        print(time.perf_counter() - started, flush=True)
"""


def test_a_killed_writer_leaves_old_or_new_and_whole_versions(tmp_path, repository):
    delays = random.Random(1)
    kinds = {"document": "JSON", "text": "Text", "table": "Parquet", "folder": "Folder"}
    versions = dict.fromkeys(kinds, 0)
    for kill in range(12):
        folder = tmp_path / str(kill)
        replaced = JSONDataset(filepath=str(folder / "replaced.json"))
        replaced.save([-1] * 20_000)
        config = {
            name: {"type": f"{datasets.__name__}.{kind}Dataset", "filepath": str(folder / name), "versioned": True}
            for name, kind in kinds.items()
        }
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), json.dumps(config)],
            env=os.environ | {"PYTHONPATH": str(repository / "src")},
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            turn = float(writer.stdout.readline())
            time.sleep(delays.uniform(0, 2 * turn))
            writer.kill()
        read = replaced.load()
        assert read == [read[0]] * 20_000
        catalog = DataCatalog.from_config(config)
        for name in kinds:
            for version in catalog[name].list_versions(full_path=False):
                loaded = catalog.load(name, version=version)
                if name == "folder":
                    assert {path.name: path.stat().st_size for path in loaded.iterdir()} == dict.fromkeys(
                        "abc", 100_000
                    )
                else:
                    assert len(loaded) == {"document": 20_000, "text": 300_000, "table": 60_000}[name]
                versions[name] += 1
    assert min(versions.values()) >= 24, "the writers were killed at work, not before"


# --- Damage ---


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def lose_the_end(data: bytes) -> bytes:
    return data[:-3]


def flip_at_the_start(data: bytes) -> bytes:
    return bytes([data[0] ^ 0x80]) + data[1:]


def flip_in_the_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x80]) + data[middle + 1 :]


def empty(data: bytes) -> bytes:
    return b""


def zeros(data: bytes) -> bytes:
    return bytes(len(data))


def a_picture(data: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def another_document(data: bytes) -> bytes:
    return b'{"accuracy": 0.9, "of": ["another", "kind"]}'


DAMAGES = (
    truncate, lose_the_end, flip_at_the_start, flip_in_the_middle, empty, zeros, a_picture, another_document,
)  # fmt: skip
# Texts and documents of any other content are what they may be, safetensors has no checksum, and nobody reads the first
# bytes of a table: the digests that an incremental runner keeps know better.
UNKNOWABLE = {
    ("text", truncate), ("text", lose_the_end), ("text", empty), ("text", zeros), ("text", another_document),
    ("document", another_document), ("table", flip_at_the_start), ("table_file", flip_at_the_start),
    ("tensors", flip_in_the_middle), ("partitions", flip_in_the_middle),
}  # fmt: skip
NOTICED = [(kind, damage) for kind in KINDS for damage in DAMAGES if (kind, damage) not in UNKNOWABLE]


def test_how_many_ways_to_damage_a_file_are_noticed(repository):
    told = f"{len(NOTICED)} of {len(KINDS) * len(DAMAGES)} ways to damage a file are noticed"
    assert told in (repository / "docs" / "reliability.md").read_text()


@pytest.mark.parametrize(("kind", "damage"), NOTICED, ids=lambda one: one if isinstance(one, str) else one.__name__)
def test_a_damaged_file_is_named(tmp_path, kind, damage):
    catalog = catalog_of(tmp_path, "v1")
    catalog.save(kind, KINDS[kind][2][0])
    (file, *_) = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DatasetError) as told:
        content(catalog.load(kind))
    message = str(told.value)
    holds = KINDS["tensors" if kind == "partitions" else kind][0].holds
    said = f"{file} is damaged or is no {holds} ("
    # The catalog names the data set; parts of a folder, and pages of a table that is not loaded, are read later.
    later = kind == "partitions" or (kind, damage) == ("table_file", flip_in_the_middle)
    assert message.startswith(said if later else f"{kind}: {said}")
    assert message.endswith("Run again: the node that makes it makes it anew.")
    assert len(message) < 800
    assert "\n" not in message


@pytest.mark.parametrize("kind", [*KINDS, "folder"])
def test_a_file_where_a_folder_should_be_and_the_reverse_are_damage(tmp_path, kind):
    catalog = catalog_of(tmp_path / "data", "v1")
    catalog.save(kind, folder_of(tmp_path / "made") if kind == "folder" else KINDS[kind][2][0])
    (place,) = (tmp_path / "data").glob("*/v1/*")
    place.rename(tmp_path / "away")
    if kind in ("partitions", "folder"):
        place.write_text("a file")
    else:
        place.mkdir()
    with pytest.raises(DatasetError, match=rf"{kind}: {place} is damaged or is no "):
        catalog.load(kind)


# --- Previews ---


def viz_metadata(dataset: Any, name: str) -> DataNodeMetadata:
    node = GraphNode.create_data_node(
        dataset_id=name, dataset_name=name, layer=None, tags=set(), dataset=dataset, modular_pipelines=set()
    )
    return DataNodeMetadata(data_node=node)


@pytest.mark.parametrize(
    ("kind", "preview"), [("document", "JSONPreview"), ("table", "TablePreview"), ("figure", "PlotlyPreview")]
)
def test_kedro_viz_shows_a_preview(tmp_path, kind, preview):
    catalog = catalog_of(tmp_path, "v1")
    catalog.save(kind, KINDS[kind][2][0])
    shown = viz_metadata(catalog[kind], kind)
    assert shown.preview_type == preview
    if kind == "document":
        assert json.loads(shown.preview) == KINDS[kind][2][0]
    elif kind == "figure":
        assert go.Figure(shown.preview) == KINDS[kind][2][0]
    else:
        assert shown.preview == FRAME.iloc[:20].to_dict(orient="split")
    assert shown.filepath == str(tmp_path / KINDS[kind][1])
    assert typing.get_type_hints(type(catalog[kind]).preview)["return"].__name__ == preview
    assert inspect.signature(catalog[kind].preview).return_annotation == preview


def test_a_preview_of_a_table_reads_no_more_than_it_shows(tmp_path):
    dataset = ParquetDataset(filepath=str(tmp_path / "t.parquet"))
    dataset.save(iter([FRAME, FRAME]))
    data = (tmp_path / "t.parquet").read_bytes()
    second = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(1).column(0).dictionary_page_offset
    (tmp_path / "t.parquet").write_bytes(data[:second] + b"\xff" * 200 + data[second + 200 :])
    assert len(dataset.preview(nrows=7)["data"]) == 7
    dataset.save(FRAME.iloc[:0])
    assert dataset.preview()["data"] == []
    assert dataset.preview()["columns"] == ["network", "score"]


# --- Laziness ---

HEAVY = "{'torch', 'plotly', 'pyarrow', 'safetensors', 'pandas', 'numpy', 'fsspec'}"


def test_a_catalog_of_all_kinds_loads_no_library(tmp_path, repository):
    config = {
        name: {"type": f"{datasets.__name__}.{kind.__name__}", "filepath": str(tmp_path / file), "versioned": True}
        for name, (kind, file, _) in KINDS.items()
    }
    config["folder"] = {"type": f"{datasets.__name__}.FolderDataset", "filepath": "f", "versioned": True}
    config["work"] = {"type": f"{datasets.__name__}.WorkFolderDataset", "filepath": "w"}
    code = (
        "import json, sys, time; from kedro.io import DataCatalog; started = time.perf_counter(); "
        "before = set(sys.modules); "
        "catalog = DataCatalog.from_config(json.loads(sys.argv[1]), save_version='v1'); "
        "kinds = {type(catalog[name]).__name__ for name in catalog}; [catalog.exists(name) for name in catalog]; "
        f"heavy = {HEAVY} & set(sys.modules) - before; assert not heavy, heavy; "
        "print(len(kinds), time.perf_counter() - started)"
    )
    kinds, seconds = run_python(repository, code, json.dumps(config)).split()
    assert int(kinds) == 9
    assert float(seconds) < 1


def test_a_table_that_is_read_in_parts_is_recorded_as_the_table_that_it_is(tmp_path: Path) -> None:
    whole, in_parts = (kind(filepath=str(tmp_path / "rows.parquet")) for kind in (ParquetDataset, TableFileDataset))
    assert entry_of(in_parts) == entry_of(whole)
    assert entry_of(whole)["type"].endswith(".ParquetDataset")


def test_a_table_in_a_file_gives_columns_and_says_how_to_have_all(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    FRAME.to_parquet(file)
    table = TableFile(file)
    first, second = list(FRAME.columns)[:2]
    pd.testing.assert_frame_equal(table[[second, first]], FRAME[[second, first]])
    pd.testing.assert_series_equal(table[first], FRAME[first])
    assert ".table()" in repr(table)
    with pytest.raises(KeyError, match="none"):
        table[[first, "none"]]
