"""Which predictor should be fitted to a super-network's scores, by super-networks and spaces that took no part?

A collection of super-networks of two public spaces is trained on CIFAR-10, good and bad ones: other strategies, short
and long, on small and on few images. Each scores the same networks of its space, whose true accuracies the table knows.
Every way to learn from such scores is then tried on each of them, and a default is chosen three times: knowing all
(what it looks like), by leaving out one super-network after the other, and by leaving out one space after the other.
What is reported of a super-network is the figure of the way that was chosen without it. Controls: the scores
themselves, a ridge, params and MACs.

The data folder is what ARCHATLAS_BENCHMARK_DATA names. Weights and scores are kept under data/work, a table of scores
under data/benchmarks/score_collection: a command that was stopped goes on.

    python -m benchmarks.score_collection --collect     # train and score, hours on two cores
    python -m benchmarks.score_collection               # choose, minutes
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from benchmarks.untrained_scores import cifar10
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.images.preparing import PreparedImages
from archatlas.pipelines.work import work_store
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half
from archatlas.predictors.protocol import Evaluations
from archatlas.predictors.scores import network_scores
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.spaces.tables.table import BenchmarkTable
from archatlas.supernet.evaluate_all import evaluate_on_all
from archatlas.supernet.parameters import EvaluationParameters, SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.training.parameters import DeviceParameters

Floats = NDArray[np.float64]

_DATA = Path(__file__).parent.parent / "data"
_WORK, _KEPT = _DATA / "work" / "score_collection", _DATA / "benchmarks" / "score_collection"
_MACRO, _CELLS = "nas_bench_macro", "nas_bench_201"
_IMAGES, _VALIDATION = 16_500, 500
"""Of CIFAR-10, of all splits, so many that 10,000 are to be trained on; and those that networks are scored on."""


@dataclass(frozen=True)
class Recipe:
    """How one super-network of the collection is trained, for so many epochs of so many images."""

    space: str
    epochs: int
    images: int = 10_000
    side: int = 16
    supernet: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


_FEWER = 5_000
RECIPES: dict[str, Recipe] = {
    "201: uniform": Recipe(_CELLS, 8, _FEWER),
    "macro: uniform": Recipe(_MACRO, 12),
    "201: long": Recipe(_CELLS, 20, _FEWER),
    "macro: long": Recipe(_MACRO, 24),
    "201: fair": Recipe(_CELLS, 2, _FEWER, supernet={"strategy": "fair"}),
    "macro: fair": Recipe(_MACRO, 4, supernet={"strategy": "fair"}),
    "201: sandwich": Recipe(_CELLS, 3, _FEWER, supernet={"strategy": "sandwich"}),
    "macro: sandwich": Recipe(_MACRO, 4, supernet={"strategy": "sandwich"}),
    "macro: largest first": Recipe(_MACRO, 6, supernet={"largest_first_epochs": 3, "skip_weight": 0.5}),
    "201: few images": Recipe(_CELLS, 60, 500),
    "macro: few images": Recipe(_MACRO, 60, 1_000),
    "201: small images": Recipe(_CELLS, 16, _FEWER, side=8),
    "macro: small images": Recipe(_MACRO, 20, side=8),
    "201: short": Recipe(_CELLS, 2, _FEWER),
    "macro: short": Recipe(_MACRO, 2),
}
SCORED = {_MACRO: 800, _CELLS: 400}
"""Networks that each super-network of a space scores: the same ones."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    if options.collect:
        joblib.Parallel(options.workers, batch_size=1)(joblib.delayed(collected)(name) for name in options.only)
    known = [name for name in options.only if _file(name).exists()]
    if not known:
        raise SystemExit("nothing is collected yet: add --collect")
    pairs = [(way, name) for name in known for way in ways()]
    figures = joblib.Parallel(options.workers)(joblib.delayed(figure)(*pair, options.seeds) for pair in pairs)
    table = pd.DataFrame(figures, index=pd.MultiIndex.from_tuples(pairs, names=["way", "supernet"]))
    table.to_csv(_KEPT / "figures.csv")
    _print(table)


# Collecting


def collected(name: str) -> None:
    """Train super-network ``name`` and score its networks, unless that is done."""
    if _file(name).exists():
        return
    torch.set_num_threads(1)
    recipe, begun = RECIPES[name], time.perf_counter()
    images, space = _images(recipe.side), _space(recipe)
    device = DeviceParameters(accelerator="cpu", workers=1, threads=1)
    train = images.train.subset(torch.arange(recipe.images))
    parameters = SupernetParameters.model_validate(
        {
            "seeds": 1,
            "augmentation": {"flip": True, "shift": 2 if recipe.side > 8 else 1},
            **recipe.supernet,
            "training": {"epochs": recipe.epochs, "batch_size": 128, "learning_rate": 0.1, **recipe.training},
        }
    )
    weights, _ = train_supernets(
        space,
        train,
        images.description,
        parameters=parameters,
        device=device,
        seed=0,
        work=work_store(_WORK, "archatlas.supernet.train"),
        progress=False,
    )
    trained = time.perf_counter() - begun
    (run,) = evaluate_on_all(
        {0: weights["seed_0"]},
        space,
        _scored(recipe.space),
        train=train,
        validation=images.validation.subset(torch.arange(_VALIDATION)),
        description=images.description,
        parameters=EvaluationParameters(calibration_images=128, calibration_batch=128, part_size=50),
        device=device,
        images_seed=0,
        work=work_store(_WORK, "archatlas.supernet.evaluate_all"),
        progress=False,
    )
    _KEPT.mkdir(parents=True, exist_ok=True)
    run.table.to_csv(_file(name), index=False)
    print(f"{name}: {trained:.0f} s of training, {time.perf_counter() - begun - trained:.0f} s of scoring", flush=True)


def _file(name: str) -> Path:
    return _KEPT / f"{name.replace(': ', '_').replace(' ', '_')}.csv.gz"


@cache
def _images(side: int) -> PreparedImages:
    return cifar10(side, images=_IMAGES)


@cache
def _table(space: str) -> BenchmarkTable:
    return load_table(TableParameters(name=space)).networks()


def _space(recipe: Recipe) -> SearchSpace:
    return preset(recipe.space, (3, recipe.side, recipe.side), 10)


@cache
def _scored(space: str) -> NDArray[np.int8]:
    """Networks drawn of a table's, the same for all super-networks: canonical and connected ones."""
    table = _table(space)
    names = table.rows["network"].sample(SCORED[space], random_state=0).to_numpy(dtype=np.str_)
    return table.space.parse(names)


# Choosing

_CONTROLS = ("accuracy", "log loss", "params", "macs", "ridge on counts, raw")


@dataclass(frozen=True)
class Way:
    """A predictor by its family and settings, and which score of a super-network it learns."""

    family: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    target: str = "log_loss"


def ways() -> dict[str, Way | Callable[[ArchitectureBatch], Floats] | str]:
    """By name: a predictor, a score as it is, or a cost."""
    residual = {"additive": "residual", "width": 32, "depth": 2, "weight_decay": 0.01}
    shares = {"a third": 1 / 3, "half": 0.5, "all": 1.0}
    gcns = {
        f"gcn: {share} of the residual, ridge on {features}, {transform}": Way(
            "gcn",
            {**residual, "residual_share": shares[share], "additive_features": features, "transform": transform},
        )
        for share in shares
        for features in ("kinds", "both")
        for transform in ("raw", "quantile")
    }
    return {
        "accuracy": "accuracy",
        "log loss": "log_loss",
        "params": "params",
        "macs": "macs",
        "ridge on counts, raw": Way("ridge", {"features": "kinds", "transform": "raw"}),
        "ridge on counts, quantile": Way("ridge", {"features": "kinds", "transform": "quantile"}),
        "ridge on one-hot choices, raw": Way("ridge", {"features": "one_hot", "transform": "raw"}),
        "gcn: the library's default": Way("gcn"),
        "gcn: alone, raw": Way("gcn", {"additive": "none", "transform": "raw"}),
        "gcn: alone, quantile": Way("gcn", {"additive": "none"}),
        **gcns,
        "gp": Way("gp"),
        "gp, raw": Way("gp", {"transform": "raw"}),
        "lightgbm": Way("lightgbm"),
    }


def figure(way: str, supernet: str, seeds: int) -> dict[str, float]:
    """Tau and tau within the better half, with the table's accuracies, of what a way says of the scored networks."""
    torch.set_num_threads(1)
    recipe = RECIPES[supernet]
    space = _space(Recipe(recipe.space, 1, side=32))
    batch = ArchitectureBatch(space, _scored(recipe.space))
    names = [str(name) for name in space.names(batch.choices)]
    truth = _table(recipe.space).rows_of(names)["test_accuracy"].to_numpy(np.float64)
    said = _said(
        ways()[way], batch, pd.read_csv(_file(supernet), dtype={"network": str, "architecture": str}), names, seeds
    )
    taus = [(kendall_tau(truth, one), kendall_tau_top_half(truth, one)) for one in said]
    tau, top = np.mean(taus, axis=0)
    return {"tau": float(tau), "top_half": float(top)}


def _said(way: Any, batch: ArchitectureBatch, scores: pd.DataFrame, names: list[str], seeds: int) -> list[Floats]:
    if isinstance(way, str):
        if way in {"params", "macs"}:
            return [batch.costs[way].to_numpy(np.float64)]
        return [network_scores(scores, names, way).evaluations().score]  # type: ignore[arg-type]
    evaluations: Evaluations = network_scores(scores, names, way.target).evaluations()
    return [_fitted(way, batch, evaluations, seed) for seed in range(seeds)]


def _fitted(way: Way, batch: ArchitectureBatch, evaluations: Evaluations, seed: int) -> Floats:
    predictor = make_predictor(way.family, dict(way.settings), seed)
    predictor.fit(batch, evaluations)
    return predictor.predict(batch).mean


def _print(table: pd.DataFrame) -> None:
    both = table.mean(axis=1).unstack("supernet")  # The mean of tau and tau within the better half.
    known = ways()
    learned = both.loc[[name for name, way in known.items() if isinstance(way, Way) and way.family == "gcn"]]
    spaces = {name: RECIPES[name].space for name in both}
    print(f"\n| super-network | {' | '.join(_CONTROLS)} | all known | it left out | its space left out |")
    print(f"|---|{'--:|' * (len(_CONTROLS) + 3)}")
    everything = learned.mean(axis=1).idxmax()
    for name, space in spaces.items():
        strangers = [other for other, its in spaces.items() if its != space]
        chosen = [learned.drop(columns=name), learned[strangers]]
        ways_shown = [*_CONTROLS, everything, *(best.mean(axis=1).idxmax() for best in chosen if len(best.columns))]
        print(f"| {name} | {' | '.join(_cell(table.loc[way, name]) for way in ways_shown)} |")
    print(f"\nall known: {everything}")
    for left in sorted(set(spaces.values())):
        rest = learned[[name for name, space in spaces.items() if space != left]]
        print(f"without {left}: {rest.mean(axis=1).idxmax() if len(rest.columns) else '-'}")
    print("\n| way | mean tau (top half) | least lead over the best control |\n|---|--:|--:|")
    means = table.groupby("way").mean().assign(worst=_worst(both)).sort_values("tau", ascending=False)
    for way, row in means.iterrows():
        print(f"| {way} | {_cell(row)} | {row['worst']:+.3f} |")


def _worst(both: pd.DataFrame) -> pd.Series:
    """Of each way, how far it is ahead of the best control on the super-network where that is least."""
    controls = both.loc[list(_CONTROLS)].max()
    return (both - controls).min(axis=1)


def _cell(row: pd.Series) -> str:
    return f"{row['tau']:.3f} ({row['top_half']:.3f})"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collect", action="store_true", help="train and score what is not there yet")
    parser.add_argument("--only", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=3, help="of predictors")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    return parser.parse_args(arguments)


if __name__ == "__main__":
    from benchmarks.score_collection import main as main_of_module  # Workers find its functions there, not here.

    main_of_module()
