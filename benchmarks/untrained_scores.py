"""How do scores without training rank the networks of a public table, and are they the published ones?

Networks are scored at initialisation on CIFAR-10 images (`<data>/cifar10`, Parquet files); accuracies, and published
scores where there are some, are the table's. Kendall's tau-b, and within the truly better half in brackets. Beside the
scores stand the controls that they have to beat, params and MACs, and the mean of the ranks of nwot, jacov and params.

The data folder is what ARCHATLAS_BENCHMARK_DATA names. What is done is kept under data/work and never done again: a
command that was stopped goes on, and a larger sample begins with a smaller one.

    python -m benchmarks.untrained_scores --networks 200 --image-size 32                 # are they the published ones?
    python -m benchmarks.untrained_scores                                               # all 5,425 networks: 15 minutes
    python -m benchmarks.untrained_scores --space nas_bench_macro                        # all 3,969 networks
    python -m benchmarks.untrained_scores --networks 200 --noise 3                       # how far seeds agree
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from archatlas.images.parameters import ImagesParameters
from archatlas.images.preparing import PreparedImages, prepare
from archatlas.pipelines.score_untrained.nodes import scores_in
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half
from archatlas.scores.parameters import ALL, ScoreParameters
from archatlas.scores.score import score_networks
from archatlas.spaces.tables.files import find_file
from archatlas.spaces.tables.known import CIFAR10
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.spaces.tables.table import BenchmarkTable
from archatlas.training.parameters import DeviceParameters

_WORK = Path(__file__).parent.parent / "data" / "work" / "untrained_scores_benchmark"
_RANK_MEAN = ("nwot", "jacov", "params")
_IMAGES = 5_000


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    table = load_table(TableParameters(name=options.space))
    networks = _networks(table).sample(frac=1, random_state=0).head(options.networks)
    images = cifar10(options.image_size)
    found = [_scored(table, networks, images, seed, options) for seed in range(options.noise)]
    both = networks.merge(found[0], on="network", validate="one_to_one")
    names = [*options.scores, "params", "macs"]
    if set(_RANK_MEAN) <= {*names}:
        names.append(mean := f"rank mean of {', '.join(_RANK_MEAN)}")
        both[mean] = both[list(_RANK_MEAN)].rank().mean(axis=1)
    print(f"\n{len(both)} networks of {options.space}, {options.image_size} x {options.image_size}, seed 0")
    print(f"| score | tau (top half) with test accuracy |{' with the published score |' * bool(table.proxies)}")
    print(f"|---|--:|{'--:|' * bool(table.proxies)}")
    for name in names:
        print(f"| {name} | {_ranking(both, name)} |{_published(both, name, table)}")
    if options.noise > 1:
        print("\n| score | tau between seeds (another batch, other weights), least to most |\n|---|--:|")
        for name in options.scores:
            taus = sorted(kendall_tau(*_finite(one[name], other[name])) for one, other in combinations(found, 2))
            print(f"| {name} | {taus[0]:.3f} to {taus[-1]:.3f} |")


def _networks(table: BenchmarkTable) -> pd.DataFrame:
    """A row per network: network, the canonical architecture's test accuracy, published scores where there are some.

    Where some networks have published scores these alone are asked for: cells that are connected.
    """
    published = table.networks().rows.set_index("network")[list(table.proxies)].dropna(how="all")
    names = published.index.tolist() if table.proxies else table.rows["network"].drop_duplicates().tolist()
    accuracy = table.rows_of(names)["test_accuracy"].to_numpy(dtype=np.float64)
    return pd.DataFrame({"network": names, "accuracy": accuracy}).merge(
        published.reset_index(), on="network", how="left"
    )


def cifar10(image_size: int, images: int = _IMAGES) -> PreparedImages:
    """A sample of CIFAR-10: so many of its images, of all splits."""
    folder = str(find_file(None, ["cifar10"], "https://huggingface.co/datasets/uoft-cs/cifar10"))
    names = CIFAR10.class_names
    given = {"source": "parquet", "path": folder, "image_column": "img", "class_names": names, "image_size": image_size}
    return prepare(ImagesParameters.model_validate({**given, "max_images": images}), seed=0)


def _scored(
    table: BenchmarkTable, networks: pd.DataFrame, images: PreparedImages, seed: int, options: argparse.Namespace
) -> pd.DataFrame:
    """The scores of one seed; says how long they took."""
    begun = time.perf_counter()
    scores = score_networks(
        table.space,
        table.space.parse(networks["network"].to_numpy(dtype=np.str_)),
        train=images.train,
        description=images.description,
        parameters=ScoreParameters(
            names=tuple(options.scores),
            batch=options.batch,
            initialisation=options.initialisation,
            images=options.images,
            part_size=20,
        ),
        device=DeviceParameters(accelerator="cpu", workers=options.workers),
        seed=seed,
        work=scores_in(_WORK),
        progress=f"seed {seed}",
    )
    seconds = time.perf_counter() - begun
    print(f"seed {seed}: {seconds:.0f} s, {len(scores) / seconds:.1f} networks a second (none where all were done)")
    return scores


def _ranking(both: pd.DataFrame, name: str) -> str:
    truth, score = _finite(both["accuracy"], both[name])
    lost = f", without {len(both) - len(truth)}" if len(truth) < len(both) else ""
    return f"{kendall_tau(truth, score):.3f} ({kendall_tau_top_half(truth, score):.3f}){lost}"


def _published(both: pd.DataFrame, name: str, table: BenchmarkTable) -> str:
    column = f"proxy_{name}"
    if column not in both:
        return " - |" if table.proxies else ""
    theirs = kendall_tau(*_finite(both["accuracy"], both[column]))
    return f" {kendall_tau(*_finite(both[column], both[name])):.3f} (its own tau {theirs:.3f}) |"


def _finite(*columns: pd.Series) -> list[np.ndarray]:
    """The rows in which all are finite."""
    values = np.stack([column.to_numpy(dtype=np.float64) for column in columns])
    return [*values[:, np.isfinite(values).all(axis=0)]]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=["nas_bench_201", "nas_bench_macro"], default="nas_bench_201")
    parser.add_argument("--networks", type=int, default=10**6, help="drawn at random; default: all")
    parser.add_argument("--scores", nargs="+", default=list(ALL))
    parser.add_argument("--image-size", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--initialisation", choices=["pytorch", "kaiming"], default="pytorch")
    parser.add_argument("--images", choices=["training", "gaussian"], default="training")
    parser.add_argument("--noise", type=int, default=1, help="seeds; more than one say how far they agree")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
