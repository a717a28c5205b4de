"""Scores part by part: each part is the work of one task, and is kept when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.engines.engine import side_by_side
from archatlas.progress import progress_bar
from archatlas.scores.initialisation import draw_weights
from archatlas.scores.parameters import Initialisation
from archatlas.scores.probe import Probe
from archatlas.scores.registry import SCORES
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.storage.work_store import WorkStore, fingerprint
from archatlas.training.fabric import prepare_process, single_shares, threads_restored, torch_device
from archatlas.training.parameters import DeviceParameters


@dataclass(frozen=True)
class Setting:
    """What all networks are scored by.

    Attributes:
        space: what rows are choices of
        names: of the scores
        initialisation: of the weights, which are drawn by ``seed``
        device: where; on a CPU by one thread, so that no number of threads changes a digit
    """

    space: SearchSpace
    names: tuple[str, ...]
    initialisation: Initialisation
    seed: int
    device: DeviceParameters


def probe_network(setting: Setting, choices: NDArray[np.int8], images: Tensor, labels: Tensor) -> Probe:
    """The network of one row with fresh weights, and its batch, on the device."""
    place = torch_device(setting.device)
    with torch.random.fork_rng(devices=[]):  # Layers draw weights of their own when they are made.
        network = setting.space.build(choices)
    draw_weights(network, setting.initialisation, setting.seed)
    network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Probe(network, images.to(place), labels.to(place))


def scored(
    setting: Setting,
    rows: Choices,
    images: Tensor,
    labels: Tensor,
    *,
    part_size: int,
    store: WorkStore | None,
    progress: str | None,
) -> pd.DataFrame:
    """A column per score, float64, and a row per row of the choices; parts in the store are not computed again.

    On a CPU as many processes score side by side as ``device.workers`` says.
    """
    parts = [rows[start : start + part_size] for start in range(0, len(rows), part_size)]
    tables = [None if store is None else store.load_table(_key(setting, part)) for part in parts]
    todo = [(number, part) for number, (part, table) in enumerate(zip(parts, tables, strict=True)) if table is None]
    left = sum(len(part) for _, part in todo)
    batch = images.contiguous().cpu().numpy(), labels.cpu().numpy()
    shares = single_shares(setting.device, len(todo))
    shown: dict[str, Any] = {"total": len(rows), "initial": len(rows) - left, "unit": "network"}
    with (
        progress_bar(desc=progress, hidden=progress is None or not todo, **shown) as bar,
        threads_restored(),  # Where this process scores it does so by one thread, and has its threads back after.
        side_by_side(_score_part, todo, setting, *batch, shares=shares) as results,
    ):
        for number, table in results:
            if store is not None:
                store.save_table(_key(setting, parts[number]), table)
            tables[number] = table
            bar.update(len(parts[number]))
    return pd.concat([table for table in tables if table is not None], ignore_index=True)


def _score_part(
    job: tuple[int, Choices],
    setting: Setting,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> tuple[int, pd.DataFrame]:
    """The number of a part and its scores; runs in a worker where several are scored at a time."""
    prepare_process(setting.device.model_copy(update={"threads": 1}))
    number, rows = job
    batch = torch.tensor(images).contiguous(memory_format=torch.channels_last), torch.tensor(labels)
    functions = {name: SCORES.load(name) for name in setting.names}
    found = []
    for row in rows:
        probe = probe_network(setting, row, *batch)
        found.append([float(function(probe)) for function in functions.values()])
    return number, pd.DataFrame(found, columns=list(functions), dtype="float64")


def _key(setting: Setting, rows: Choices) -> str:
    return f"part_{fingerprint(setting.names, rows)}"
