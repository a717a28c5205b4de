"""NASI: search at initialisation (Shu et al., ICLR 2022, arXiv 2109.00817). No network is trained, none is scored.

Published: the trace T as the measure, the reward, algorithm 1 with its one step from zero logits, on the DARTS space
100 draws of 64 images. Reconstruction: straight-through gates, weights by Kaiming, what the adaptive threshold
averages. Ours: a quantile of T as threshold (the default), log T, bounds, networks in the place of spellings, and that
a network must look at its images to be chosen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archatlas.errors import ArchatlasError
from archatlas.predictors.threads import single_thread
from archatlas.scores.parameters import Initialisation, ScoreParameters
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.protocol import Supernet
from archatlas.systems.account import VISITED
from archatlas.systems.ledger import COUNTED, Ledger, Spending
from archatlas.systems.nasi.reward import Reward, Threshold, logits_of
from archatlas.systems.nasi.selection import ranked
from archatlas.systems.nasi.start import Start, looking
from archatlas.systems.nasi.steepness import Draw, Through, draw, gumbel
from archatlas.systems.problem import Problem
from archatlas.training.seeds import mixed_seed

_LOGGER = logging.getLogger(__name__)
_NOISE = 2
_LOOKED_AT = 5
_PRICE = "price"
_Given = tuple[Supernet, list[Tensor], list[Tensor], Tensor, Tensor]


@dataclass(frozen=True)
class Nasi:
    """Draws architectures of an untrained super-network and steps once to where the loss is steep, but not too steep.

    ``steps`` draws with ``batch`` images each, fewer where the ledger closes; ``threshold``, ``mu``, ``nu`` and
    ``logarithm`` are the reward (``reward.Reward``), and another one needs no new draw. Batches, their size and labels
    and the weights are as for scores without training (``scores/parameters.py``). ``candidates`` networks are given.
    """

    steps: int = 100
    batch: int = 64
    threshold: Threshold = "quantile"
    mu: float = 2.0
    nu: float = 0.5
    logarithm: bool = False
    through: Through = "all"
    temperature: float = 1.0
    images: Literal["training", "gaussian"] = "training"
    labels: Literal["given", "random"] = "given"
    image_size: int | None = None
    initialisation: Initialisation = "kaiming"
    candidates: int = 10

    def __post_init__(self) -> None:
        if min(self.steps, self.candidates) < 1 or not self.temperature > 0:
            raise ArchatlasError(f"`steps`, `candidates` and `temperature` of NASI must be above 0, but got {self}")

    @property
    def reward(self) -> Reward:
        return Reward(self.threshold, self.mu, self.nu, self.logarithm)

    def search(
        self, problem: Problem, evaluator: Start, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        """The candidates as ``account.VISITED``, the most favoured first; the score is how much logits favour them."""
        start, reward, seed = evaluator, self.reward, seed_of(generator)
        parameters = self.parameters(start)
        supernet = start.supernet(parameters, seed)
        draws = self.draws(start, supernet, ledger, seed)
        chosen, scores = ranked(problem, logits_of(draws, reward), generator, _LOOKED_AT * self.candidates)
        found = looking(supernet, chosen, start.batch(parameters, seed, 0)[0], self.candidates)
        if not len(found):
            raise ArchatlasError(
                f"none of the {len(chosen)} networks within bounds that NASI favours most looks at its images: relax a "
                "budget, or take more `steps`"
            )
        rows = problem.costs(chosen[found]).reindex(columns=["macs", "params", "predicted_latency_ms"])
        rows.insert(0, "network", pd.Series(problem.space.names(chosen[found]), dtype="str"))
        rows.insert(1, "score", scores[found])
        spent = asdict(ledger.spent)
        return rows.assign(**{kind: spent[kind] for kind in COUNTED})[VISITED]

    def draws(self, start: Start, supernet: Supernet, ledger: Ledger, seed: int) -> list[Draw]:
        """What was drawn until the ledger closed; draws whose trace is no finite number are left out and told of.

        On one thread: draws are small, and are then the same however many threads there are.

        Raises:
            ArchatlasError: none is left.
        """
        with single_thread():
            return _finite(self._draws(start, supernet, ledger, seed))

    def _draws(self, start: Start, supernet: Supernet, ledger: Ledger, seed: int) -> list[Draw]:
        parameters = self.parameters(start)
        kept = start.kept(parameters, seed, self.through, self.temperature)
        counts = start.space.num_choices
        drawn = partial(draw, temperature=self.temperature, through=self.through)

        def given(step: int) -> _Given:
            noise = gumbel(counts, torch.Generator().manual_seed(mixed_seed(seed, _NOISE, step)))
            return supernet, [torch.zeros(count) for count in counts], noise, *start.batch(parameters, seed, step)

        first, price = None, _load_price(kept)
        if price is None:
            first, price = _priced(drawn, self.through, *given(0))
            _save(kept, _PRICE, asdict(price))
        found: list[Draw] = []
        for step in range(self.steps):
            if not ledger.charge(price):
                break
            made = _load(kept, step)
            if made is None:
                made = first if first is not None and step == 0 else drawn(*given(step))
                _save(kept, _key(step), {**asdict(made), "gradient": made.gradient.tolist()})
            found.append(made)
        return found

    def parameters(self, start: Start) -> ScoreParameters:
        """How batches and weights are drawn; without images of its own ``start`` has Gaussian ones."""
        images = "gaussian" if start.train is None else self.images
        return ScoreParameters(
            batch=self.batch, images=images, labels=self.labels, image_size=self.image_size,
            initialisation=self.initialisation,
        )  # fmt: skip


def seed_of(generator: np.random.Generator) -> int:
    """What a search draws its weights, batches and noise by: the first number of its generator."""
    return int(generator.integers(2**62))


def _priced(
    drawn: Callable[..., Draw],
    through: Through,
    supernet: Supernet,
    logits: list[Tensor],
    noise: list[Tensor],
    images: Tensor,
    labels: Tensor,
) -> tuple[Draw, Spending]:
    """A draw, and what it costs: multiply-accumulates as PyTorch counts them, half of its floating-point operations."""
    chosen = None if through == "all" else [int(one.argmax()) for one in noise]
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        supernet.mixed(images, [torch.ones_like(one) for one in logits], chosen)
    with FlopCounterMode(display=False) as whole:
        made = drawn(supernet, logits, noise, images, labels)
    once = forward.get_total_flops() / 2
    return made, Spending(forward_macs=once, backward_macs=whole.get_total_flops() / 2 - once)


def _load_price(kept: WorkStore | None) -> Spending | None:
    document = None if kept is None else kept.load_json(_PRICE)
    return None if document is None else Spending(**document)


def _load(kept: WorkStore | None, step: int) -> Draw | None:
    document = None if kept is None else kept.load_json(_key(step))
    if document is None:
        return None
    gradient = np.array(document["gradient"], dtype=np.float64)
    return Draw(tuple(document["choices"]), document["trace"], document["tensors"], gradient)


def _save(kept: WorkStore | None, key: str, document: object) -> None:
    if kept is not None:
        kept.save_json(key, document)


def _key(step: int) -> str:
    return f"draw_{step:05}"


def _finite(draws: Sequence[Draw]) -> list[Draw]:
    fit = [one for one in draws if np.isfinite(one.trace) and np.isfinite(one.gradient).all()]
    if not fit:
        raise ArchatlasError(
            f"NASI made {len(draws)} draws, and none has a finite trace: allow more (`methods`), or look at the images "
            "and at `initialisation`"
        )
    if len(fit) < len(draws):
        _LOGGER.warning(
            "NASI leaves out %d of %d draws, whose trace is no finite number.", len(draws) - len(fit), len(draws)
        )
    return fit
