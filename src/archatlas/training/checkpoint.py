"""What a training needs to go on where it stopped, in one file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from archatlas.storage.work_store import WorkStore

_KEY = "checkpoint"
_GROUPS = ("network", "average", "optimizer", "scaler")


@dataclass(frozen=True)
class Checkpoint:
    """State after some whole epochs.

    ``optimizer`` is keyed ``<parameter index>.<name>``; the checkpoint of a finished training has none.
    """

    curve: list[dict[str, float]]
    network: Mapping[str, Tensor]
    average: Mapping[str, Tensor] = field(default_factory=dict)
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    scaler: Mapping[str, Tensor] = field(default_factory=dict)


def save_checkpoint(store: WorkStore, checkpoint: Checkpoint) -> None:
    """Replace the store's checkpoint, atomically: one file, so that its parts always belong together."""
    tensors = {f"{group}.{name}": tensor for group in _GROUPS for name, tensor in getattr(checkpoint, group).items()}
    # Not every epoch has every figure: those of validation stand where there was one.
    for column in dict.fromkeys(name for row in checkpoint.curve for name in row):
        values = [row.get(column, math.nan) for row in checkpoint.curve]
        tensors[f"curve.{column}"] = torch.tensor(values, dtype=torch.float64)
    store.save_tensors(_KEY, tensors)


def load_checkpoint(store: WorkStore) -> Checkpoint | None:
    """The store's checkpoint, or None if there is no whole one: that training starts again."""
    tensors = store.load_tensors(_KEY)
    if tensors is None:
        return None
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in (*_GROUPS, "curve")}
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    columns = groups.pop("curve")
    epochs = len(next(iter(columns.values()), ()))
    # Integers such as the epoch went through float64, which holds them exactly.
    curve = [
        {name: _number(name, values[row]) for name, values in columns.items() if not _is_absent(name, values[row])}
        for row in range(epochs)
    ]
    return Checkpoint(curve=curve, **groups)


def _is_absent(name: str, value: Tensor) -> bool:
    return name.startswith("validation_") and bool(value.isnan())


def _number(name: str, value: Tensor) -> float:
    return int(value) if name == "epoch" else float(value)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state by ``<parameter index>.<name>``; parameters that no step has touched have none."""
    return {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Inverse of ``optimizer_tensors``; the groups' settings stay the optimiser's own."""
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def package_version() -> str:
    """The installed version of archatlas: work of another version is never resumed."""
    try:
        return version("archatlas")
    except PackageNotFoundError:
        return "source"
