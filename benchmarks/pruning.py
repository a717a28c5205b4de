"""Does a learned meta-graph know which edges a wired network can do without?

For each seed a network is drawn edge by edge, as GRAM draws from equal weights (of 64 the one at the upper quartile of
MACs), and trained alone. Then edges go, until at most a share of its MACs is left:

- the lightest ones of a meta-graph that a search by GRAM has learned, from so many short trainings (a search a seed);
- the lightest ones of equal weights: edges in the order of their positions, the control of what was learned;
- random ones;
- greedily, the best of ten random removals by validation accuracy with the weights that are left (AutoShrink).

What is left is trained by the schedule of the whole network, with the weights that it inherits and from scratch. Beside
it stands a network that was drawn alike and never pruned, the largest of 256 draws within the same MACs. It is trained
from scratch for as long, for what is pruned and trained from scratch to be compared with; and for twice as many epochs,
which is what a pruned network with inherited weights has had. Test accuracies in %, the differences seed by seed, each
± half of a 95% interval by Student's t.

    python -m benchmarks.pruning                                   # digits; goes on where it stopped
    python -m benchmarks.pruning --images cifar10 --seeds 3        # at 16 x 16 (ARCHATLAS_BENCHMARK_DATA)
    python -m benchmarks.pruning --quick                           # a check that it works

What is done is kept under data/work.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from benchmarks.kept import work_of
from benchmarks.untrained_scores import cifar10
from benchmarks.wired_cells import CIFAR10, DIGITS, wired_space
from numpy.typing import NDArray
from torch import Tensor

from archatlas.costs.constraints import Constraint
from archatlas.images.parameters import AugmentationParameters, ImagesParameters
from archatlas.images.preparing import PreparedImages, prepare
from archatlas.predictors.noise import reach_of_mean
from archatlas.spaces.protocol import Choices
from archatlas.spaces.wired_cells import WiredCells
from archatlas.storage.work_store import WorkStore
from archatlas.systems.evaluators import AloneEvaluator
from archatlas.systems.gram.complete_graph import Edges
from archatlas.systems.gram.history import weights_over_time
from archatlas.systems.gram.meta_graph import Floats
from archatlas.systems.gram.method import Gram
from archatlas.systems.gram.pruning import Row, inherited, prune_lightest, prune_randomly, shrink
from archatlas.systems.ledger import Ledger, Limit
from archatlas.systems.problem import Problem
from archatlas.training.evaluate import accuracy_and_log_loss, logits_of
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.training.seeds import mixed_seed
from archatlas.training.weights import arrays_of
from archatlas.verification.trainings import FurtherTraining, TrainingJob, Trainings

_DRAWS, _DRAWS_BESIDE, _AT_ONCE = 64, 256, 4
_DRAW, _LEARN, _PRUNE, _TRAIN, _TRAIN_ON = range(5)
"""What a random choice is for: mixed into its seed."""

WHOLE, BESIDE = "the whole network", "never pruned"
COLUMNS = ["seed", "network", "share", "vertices", "inherited", "scratch"]
"""Share of the whole network's MACs, used vertices, test accuracy with inherited weights and from scratch.

Of the network that was never pruned ``inherited`` is that of twice as many epochs, and of the whole one NaN.
"""


@dataclass(frozen=True)
class Setting:
    """Images, wired cells for them, and how their networks are trained."""

    space: WiredCells
    images: PreparedImages
    augmentation: AugmentationParameters
    options: argparse.Namespace
    work: WorkStore

    def trainings(self, epochs: int) -> Trainings:
        """Trainings of so many epochs, whose weights are kept."""
        return Trainings(
            self.images.train,
            self.images.validation,
            self.images.description,
            TrainingParameters(epochs=epochs, batch_size=self.options.batch, warmup_epochs=min(1.0, epochs / 4)),
            self.augmentation,
            self._device,
            self.work,
        )

    @cached_property
    def _device(self) -> DeviceParameters:
        return DeviceParameters(accelerator="cpu", workers=self.options.workers)

    def macs(self, rows: Choices) -> NDArray[np.int64]:
        return self.space.counted_costs(rows)["macs"]

    def drawn(self, count: int, generator: np.random.Generator) -> Choices:
        """Networks as GRAM draws them before it has learned, not canonical: each edge is at its own position."""
        graph = Edges(self.space)
        drawn = Gram().drawing(graph).draw(np.ones(len(graph.edges)), count, generator)
        return drawn.astype(np.int8)

    def job(self, row: Row, seed: int) -> TrainingJob:
        return TrainingJob(self.space, self.name(row), mixed_seed(seed, _TRAIN) >> 32)

    def further(self, row: Row, seed: int, weights: Mapping[str, Tensor]) -> FurtherTraining:
        given = arrays_of(weights)
        return FurtherTraining(self.space, self.name(row), mixed_seed(seed, _TRAIN_ON) >> 32, weights=given)

    def name(self, row: Row) -> str:
        return str(self.space.names(row[None])[0])

    def accuracy(self, row: Row, weights: Mapping[str, Tensor]) -> float:
        """On the validation images, as it is."""
        network = self.space.build(row)
        network.load_state_dict(dict(weights))
        logits = logits_of(network, self.images.validation, self.images.description, device=self._device)
        return accuracy_and_log_loss(logits, self.images.validation.labels)[0]


def meta_graph(setting: Setting, seed: int) -> Floats:
    """The weights that GRAM has learned from so many short trainings of its own draws."""
    method, problem = Gram(at_once=_AT_ONCE), Problem(setting.space)
    evaluator = AloneEvaluator(setting.space, setting.trainings(setting.options.short), seed=mixed_seed(seed, _LEARN))
    ledger = Ledger(Limit(evaluations=setting.options.evaluations))
    visited = method.search(problem, evaluator, ledger, np.random.default_rng([seed, _LEARN]))
    return weights_over_time(visited, method, len(setting.space.edges))[-1]


def smaller(setting: Setting, row: Row, weights: Mapping[str, Tensor], seed: int) -> dict[str, Row]:
    """What each way of pruning leaves of a trained network."""
    space = setting.space
    problem = Problem(space, [Constraint("macs", "max", setting.options.share * float(setting.macs(row[None])[0]))])

    def score(rows: Choices) -> Floats:
        return np.array([setting.accuracy(one, inherited(space, row, dict(weights), one)) for one in rows])

    random, greedy = (np.random.default_rng([seed, _PRUNE, number]) for number in range(2))
    return {
        "lightest edges, learned": prune_lightest(problem, row, meta_graph(setting, seed)),
        "lightest edges, equal weights": prune_lightest(problem, row, np.ones(len(row))),
        "random edges": prune_randomly(problem, row, random),
        "greedy shrinking": shrink(problem, row, score, greedy),
    }


def measured(setting: Setting, seed: int) -> pd.DataFrame:
    """``COLUMNS`` of one seed."""
    space, options, test = setting.space, setting.options, setting.images.test
    generator = np.random.default_rng([seed, _DRAW])
    drawn = setting.drawn(_DRAWS, generator)
    row = drawn[np.argsort(setting.macs(drawn), kind="stable")[3 * _DRAWS // 4]]
    limit = options.share * float(setting.macs(row[None])[0])
    others = setting.drawn(_DRAWS_BESIDE, generator)
    within = others[setting.macs(others) <= limit]
    beside = within[int(np.argmax(setting.macs(within)))]
    trainings, longer = setting.trainings(options.epochs), setting.trainings(2 * options.epochs)
    weights = trainings.weights(setting.job(row, seed))
    pruned = smaller(setting, row, weights, seed)
    scratch = {WHOLE: setting.job(row, seed), BESIDE: setting.job(beside, seed)}
    scratch |= {way: setting.job(left, seed) for way, left in pruned.items()}
    further = {way: setting.further(left, seed, inherited(space, row, weights, left)) for way, left in pruned.items()}
    trainings.run([*scratch.values(), *further.values()], f"seed {seed}")

    def accuracy(of: Trainings, job: TrainingJob) -> float:
        return 100 * float(of.test(job, test).mean())

    told = []
    for network, one in {WHOLE: row, BESIDE: beside, **pruned}.items():
        again = accuracy(trainings, further[network]) if network in further else np.nan
        if network == BESIDE:
            again = accuracy(longer, scratch[network])
        share = float(setting.macs(one[None])[0] / setting.macs(row[None])[0])
        used = int(space.used(one[None]).sum())
        told.append((seed, network, share, used, again, accuracy(trainings, scratch[network])))
    return pd.DataFrame(told, columns=COLUMNS)


def lines(found: pd.DataFrame) -> Iterator[str]:
    """A row for each way, over all seeds."""
    yield (
        "| | MACs, of the whole | vertices | inherited weights | from scratch | ahead of one never pruned: inherited, "
        "twice the epochs | from scratch |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|"
    beside = found[found["network"] == BESIDE].set_index("seed")
    for network, own in found.groupby("network", sort=False):
        rows = own.set_index("seed")
        cells = [f"{rows['share'].mean():.2f}", f"{rows['vertices'].mean():.1f}"]
        cells += [_mean(rows[column]) for column in ("inherited", "scratch")]
        compared = network not in (WHOLE, BESIDE)
        cells += [_mean(rows[one] - beside[one], "+") if compared else "" for one in ("inherited", "scratch")]
        yield f"| {network} | {' | '.join(cells)} |"


def _mean(values: pd.Series, sign: str = "") -> str:
    if values.isna().any():
        return ""
    return f"{values.mean():{sign}.2f} ± {reach_of_mean(values):.2f}"


def setting_of(options: argparse.Namespace, work: WorkStore) -> Setting:
    """The digits at 8 x 8, or CIFAR-10 at 16 x 16, with cells as in conf/wired_digits and conf/wired_cifar10."""
    if options.images == "digits":
        images, cells, augmentation = prepare(ImagesParameters(source="digits"), 0), DIGITS, AugmentationParameters()
    else:
        images, cells = cifar10(16, options.number), CIFAR10
        augmentation = AugmentationParameters(flip=True, shift=2)
    space = wired_space(cells, images.description.input_shape)
    return Setting(space, images, augmentation, options, work)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    setting = setting_of(options, work_of(__file__, "lines", "_mean", "main", "_parse"))
    space = setting.space
    print(
        f"{options.images}: {options.seeds} seeds, {options.share:.0%} of the MACs, {options.epochs} epochs, ", end=""
    )
    print(f"meta-graphs of {options.evaluations} trainings of {options.short} epochs; {len(space.edges)} edges\n")
    print("\n".join(lines(pd.concat([measured(setting, seed) for seed in range(options.seeds)], ignore_index=True))))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", choices=["digits", "cifar10"], default="digits")
    parser.add_argument("--number", type=int, default=10_000, help="images of CIFAR-10, of all splits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.6, help="of the whole network's MACs, at most")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--evaluations", type=int, default=60, help="networks that a meta-graph learns from")
    parser.add_argument("--short", type=int, default=4, help="epochs of each")
    parser.add_argument("--workers", type=int, default=None, help="trainings at a time; default: as many as cores")
    parser.add_argument("--quick", action="store_true", help="two seeds, one epoch")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.epochs, options.evaluations, options.short = 2, 1, 8, 1
    return options


if __name__ == "__main__":
    main()
