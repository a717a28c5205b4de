"""What is compared: experiments with their manifests, and the metrics and fronts that these name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.errors import ArchatlasError, nearest

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """A finished run: its manifest, its metrics.json and its Pareto fronts."""

    name: str
    manifest: Json
    metrics: Json
    pareto_front: pd.DataFrame

    @property
    def target(self) -> str:
        """The kind of score that the fronts are of: ``accuracy`` or ``log_loss``."""
        return str((self.manifest["parameters"].get("predictor") or {}).get("target") or "accuracy")

    @property
    def winners(self) -> list[Json]:
        """Winners of the budgets that have one."""
        return [winner for winner in self.metrics["winners"] if winner["status"] == "found"]


def read_experiments(manifests: Mapping[str, Json], names: Sequence[str] = ()) -> list[Experiment]:
    """The experiments ``names`` in their order, or all by name, read from the files that their manifests name.

    Raises:
        ArchatlasError: a name is unknown, there are fewer than two, or a file is gone or is not what the run saved.
    """
    for name in names:
        if name not in manifests:
            raise ArchatlasError(
                f"`compare.experiments` names `{name}`, of which no run finished with metrics{nearest(name, manifests)}"
            )
    chosen = list(dict.fromkeys(names)) or sorted(manifests)
    if len(chosen) < 2:
        there = f"only `{chosen[0]}`" if chosen else "none"
        raise ArchatlasError(
            f"a comparison needs two experiments or more whose runs finished with metrics, but there is {there}. "
            "Make another: `kedro run --params experiment=OTHER_NAME` and what is to be different."
        )
    return [_read(name, manifests[name]) for name in chosen]


def output(manifest: Json, dataset: str) -> Json | None:
    """Path, version, size and SHA-256 of a data set, as the manifest names them."""
    return next((node["outputs"][dataset] for node in manifest["nodes"].values() if dataset in node["outputs"]), None)


def _read(name: str, manifest: Json) -> Experiment:
    metrics = json.loads(_file(name, manifest, "metrics").read_text())
    return Experiment(name, manifest, metrics, pd.read_parquet(_file(name, manifest, "pareto_front")))


def _file(name: str, manifest: Json, dataset: str) -> Path:
    """The file of a data set, checked."""
    named = output(manifest, dataset)
    if named is None:
        raise ArchatlasError(f"the run {manifest['session']} of `{name}` made no {dataset}; run it again")
    path = Path(named["path"])
    instead = (
        f"Make it again (`kedro run --params experiment={name}` and the other settings of that run), or leave `{name}` "
        "out of `compare.experiments`."
    )
    if not path.is_file():
        raise ArchatlasError(f"{dataset} of `{name}` is gone: its run {manifest['session']} left {path}. {instead}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != named["sha256"]:
        raise ArchatlasError(
            f"{dataset} of `{name}` is not what its run {manifest['session']} left: {path} was changed. {instead}"
        )
    return path
