from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.one_hot import one_hot
from archatlas.engines.engine import Shares
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage


class Elsewhere:
    """An engine with machines of its own: what travels is pickled, arrays arrive read-only, the last job ends first.

    ``ended`` are its jobs; ``dies_after`` so many of them.
    """

    accelerator = None

    def __init__(self) -> None:
        self.ended: list[Any] = []
        self.dies_after = 10**9

    def shares(self, jobs: int, *, threads: int | None) -> Shares:
        return Shares(min(jobs, 2), threads or 1)

    @contextmanager
    def side_by_side(
        self, function: Any, jobs: Iterable[Any], given: tuple[Any, ...], shares: Shares
    ) -> Iterator[Iterator[Any]]:
        assert shares.threads == 1

        def results() -> Iterator[Any]:
            there = sent((function, given))
            for job in reversed(list(jobs)):
                if len(self.ended) == self.dies_after:
                    raise KeyboardInterrupt
                self.ended.append(job)
                yield sent(there[0](sent(job), *there[1]))

        yield results()


def sent(value: Any) -> Any:
    """What arrives of it."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(content, buffers=[bytes(buffer) for buffer in buffers])


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture(scope="session")
def space() -> ChainSpace:
    """Five positions in two stages, with 3 or 4 choices each."""
    return ChainSpace(
        name="small",
        input_shape=(1, 8, 8),
        num_classes=4,
        stem_width=4,
        stages=(Stage(6, 3, 1), Stage(8, 2, 2)),
        operations=tuple(Operation.parse(name) for name in ("k3e1", "k3e3", "k5e3", "skip")),
    )


@pytest.fixture(scope="session")
def cost_table(space: ChainSpace) -> pd.DataFrame:
    from archatlas.costs.counting import count_parts

    return count_parts(space)


@pytest.fixture(scope="session")
def batch(space: ChainSpace, cost_table: pd.DataFrame) -> ArchitectureBatch:
    choices = space.sample(160, np.random.default_rng(3))
    made = ArchitectureBatch(space, choices, cost_table=cost_table)
    _ = made.graphs, made.costs
    return made


@pytest.fixture(scope="session")
def truth(batch: ArchitectureBatch) -> np.ndarray:
    """Accuracies that are a sum over choices, with a little interplay of neighbours: a synthetic truth."""
    generator = np.random.default_rng(4)
    encoded = one_hot(batch.choices, batch.space.num_choices)
    additive = encoded @ generator.normal(size=encoded.shape[1])
    pairs = ((encoded[:, :4] @ generator.normal(size=(4, encoded.shape[1] - 4))) * encoded[:, 4:]).sum(axis=1)
    return 0.8 + 0.02 * additive + 0.005 * pairs


@pytest.fixture(scope="session")
def evaluations(batch: ArchitectureBatch, truth: np.ndarray) -> pd.DataFrame:
    """Two super-networks with levels and errors of their own, two halves of 200 images each."""
    generator = np.random.default_rng(5)
    names = batch.space.names(batch.choices)
    rows = []
    for seed in (0, 1):
        bias = generator.normal(scale=0.01, size=len(truth)) - 0.05 * seed
        for half in ("a", "b"):
            accuracy = np.clip(truth + bias + generator.normal(scale=0.008, size=len(truth)), 0, 1)
            rows.append(
                pd.DataFrame(
                    {
                        "architecture": names,
                        "network": names,
                        "seed": seed,
                        "half": half,
                        "accuracy": accuracy,
                        "log_loss": 1 - accuracy,
                        "images": 200,
                        "source": "supernet",
                        "noise": np.sqrt(accuracy * (1 - accuracy) / 200),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)
