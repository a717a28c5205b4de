from __future__ import annotations

import pytest

from archatlas.costs.counting import count_parts
from archatlas.costs.parameters import LatencyParameters
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage


@pytest.fixture(scope="session")
def tiny() -> ChainSpace:
    """54 architectures, 42 networks."""
    return ChainSpace(
        name="tiny",
        input_shape=(1, 8, 8),
        num_classes=3,
        stem_width=4,
        stages=(Stage(4, 2, 1), Stage(6, 2, 2)),
        operations=tuple(Operation.parse(name) for name in ("k3e1", "skip", "k5e3")),
    )


@pytest.fixture(scope="session")
def counted(tiny):
    return count_parts(tiny)


@pytest.fixture(scope="session")
def timed(counted):
    """A latency table with made-up times: quarters of a millisecond, exact in floating point."""
    table = counted[["part", "position", "choice", "operation"]].copy()
    return table.assign(
        latency_ms=[0.25 * (index + 1) for index in range(len(table))],
        device="made up", batch_size=1, threads=1, source="measured",
        latency_lower_quartile_ms=0.0, latency_upper_quartile_ms=9.0,
    )  # fmt: skip


@pytest.fixture
def quick() -> LatencyParameters:
    return LatencyParameters(warm_up_calls=2, calls=10, check_networks=3, fit_networks=8)


class OneByOne:
    """A space whose cost is not a sum over positions, as far as anything can tell: a chain without its parts."""

    def __init__(self, space: ChainSpace) -> None:
        self._space = space
        for name in (
            "name", "num_choices", "size", "networks", "input_shape", "num_classes", "graph_features", "validate",
            "sample", "names", "parse", "canonicalise", "graphs", "build", "enumerate_networks",
        ):  # fmt: skip
            setattr(self, name, getattr(space, name))


@pytest.fixture
def unshared(tiny) -> OneByOne:
    return OneByOne(tiny)
