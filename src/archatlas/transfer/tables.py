"""Known networks, read from public tables and from timm's results."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.computation_graphs import computation_graphs
from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.errors import ArchatlasError
from archatlas.graphs.computation_statistics import statistics_of
from archatlas.graphs.graph_files import read_graphs
from archatlas.spaces.tables.files import find_file
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table, table_files
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.transfer.known import Floats, KnownNetworks, joined, on_scale
from archatlas.transfer.parameters import TransferParameters
from archatlas.transfer.sources import TIMM

_TIMM_PAGE = "https://github.com/huggingface/pytorch-image-models (results/), with graphs recorded of its models"

OTHER_DATA = re.compile(r"in2\dk|in12k|ig1b|yfcc|jft|laion|swag|seer|ssld|dist|usi|beitv2")
"""Names of models and weights of timm that other images than ImageNet-1k's, or a teacher, had a part in."""
_MISCOUNTED = 0.02
"""Recordings cannot tell weights that are used twice, or tables that are no weights: such networks are left out."""


def files_of(transfer: TransferParameters) -> list[Path]:
    """All files that ``read_known`` reads.

    Raises:
        ArchatlasError: one is missing; says which, and where it is to be had.
    """
    tables = (TableParameters(name=name, path=transfer.path) for name in transfer.tables)
    files = [file for table in tables for file in table_files(table)]
    return files + (_timm_files(_timm_folder(transfer)) if transfer.timm else [])


def read_known(transfer: TransferParameters) -> KnownNetworks:
    """The networks that the parameters name, those of timm first.

    Raises:
        ArchatlasError: a file is missing or damaged.
    """
    tables = [TableParameters(name=name, path=transfer.path) for name in transfer.tables]
    real = [from_timm(_timm_folder(transfer))] if transfer.timm else []
    return joined([*real, *(from_table(table, transfer.networks) for table in tables)])


def _timm_folder(transfer: TransferParameters) -> Path:
    return find_file(transfer.path, [TIMM], _TIMM_PAGE)


def _timm_files(folder: Path) -> list[Path]:
    return [folder / name for name in ("results-imagenet.csv", "families.csv", "timm_in1k_graphs.jsonl.gz")]


def from_table(table: TableParameters, networks: int) -> KnownNetworks:
    """``networks`` of a public table, drawn uniformly with seed 0 (0: all), each once, with its mean test accuracy.

    Where a table has none, the validation accuracy. Left out are those whose input is cut off from their output.

    Raises:
        ArchatlasError: the table's files are missing or damaged.
    """
    loaded = load_table(table)
    label = next((one for one in loaded.labels if one.name == "test"), loaded.labels[0])
    accuracy = loaded.rows.groupby("network")[label.column].mean()
    if networks and networks < len(accuracy):
        accuracy = accuracy.sample(networks, random_state=0)
    names = accuracy.index.to_numpy(dtype=np.str_)
    graphs, index = computation_graphs(loaded.space, loaded.space.parse(names))
    # A graph that two names share is one network.
    _, first = np.unique(index, return_index=True)
    alive = np.array([graphs[index[row]].count("fill") == 0 for row in first])
    kept = first[alive]
    features = statistics_of([graphs[index[row]] for row in kept]).astype(np.float32)
    mean = accuracy.to_numpy()[kept]
    single = _single_trainings(loaded, label, names[kept])
    named = np.full(len(kept), table.name)
    return KnownNetworks(tuple(names[kept]), named, named, features, normal_quantiles(mean), on_scale(single, mean))


def _single_trainings(table: BenchmarkTable, label: Label, names: NDArray[np.str_]) -> Floats:
    """Accuracies of each training of these networks ``[n, r]``, or their mean where no single ones are known."""
    rows = table.rows.drop_duplicates("network").set_index("network")
    return rows.loc[list(names), list(label.trainings) or [label.column]].to_numpy(np.float64)


def from_timm(folder: Path) -> KnownNetworks:
    """Architectures of timm that were trained on ImageNet-1k alone, without a teacher; top-1, the mean over recipes.

    The image size is that nearest to the recorded graph's.

    Args:
        folder: with ``results-imagenet.csv`` of timm, ``families.csv`` (module and family of each architecture) and
            ``timm_in1k_graphs.jsonl.gz`` (recorded operators).

    Raises:
        ArchatlasError: a file is missing or damaged.
    """
    files = _timm_files(folder)
    for file in files:
        if not file.is_file():
            raise ArchatlasError(f"there is no file {file}: results, families and graphs of timm belong there")
    results = pd.read_csv(files[0])
    parts = results["model"].str.partition(".")
    results = results.assign(architecture=parts[0], tag=parts[2])
    results = results[results["tag"].str.contains("in1k") & ~results["model"].str.contains(OTHER_DATA)]
    by_name = dict(iter(results.groupby("architecture")))
    modules = pd.read_csv(files[1]).set_index("model")["module"]
    names, graphs, single = [], [], []
    for name, graph in read_graphs(files[2]):
        if name not in by_name:
            continue
        found = by_name[name]
        params = 1e6 * float(found["param_count"].iloc[0])
        if abs(graph.params - params) > _MISCOUNTED * params:
            continue
        side = round(float(graph.nodes["places_out"][0]) ** 0.5)
        away = (found["img_size"] - side).abs()
        names.append(name)
        graphs.append(graph)
        single.append(found.loc[away == away.min(), "top1"].to_numpy(np.float64) / 100)
    recipes = np.full((len(single), max(map(len, single))), np.nan)
    for row, accuracies in enumerate(single):
        recipes[row, : len(accuracies)] = accuracies
    mean = np.nanmean(recipes, axis=1)
    return KnownNetworks(
        tuple(names),
        np.full(len(names), TIMM),
        modules.loc[names].to_numpy(dtype=np.str_),
        statistics_of(graphs).astype(np.float32),
        normal_quantiles(mean),
        on_scale(recipes, mean),
    )
