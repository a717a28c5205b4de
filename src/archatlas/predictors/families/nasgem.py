"""NASGEM's predictor: a Gaussian process on vectors of an encoder that learned from graphs without labels.

Cheng et al., AAAI 2021, arXiv 2007.04452, stages (a) and (b). How the encoder learns is told in
``graph_networks/kernel_encoder.py``; that a Gaussian process reads its vectors is our reconstruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.blocks import Blocks
from archatlas.encodings.flat_graphs import FlatGraphs
from archatlas.encodings.weisfeiler_lehman import node_labels, vocabulary
from archatlas.encodings.wl_features import WLFeatures, joined
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.families.graph_kernel import Encoding, GraphKernelPredictor, GraphKernelSettings
from archatlas.predictors.families.weisfeiler_lehman import WLEncoding
from archatlas.predictors.parameters import Tuned
from archatlas.predictors.protocol import State
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import SearchSpace, draw_at_most, networks_of

_RAW, _LEARNED = "wl", "encoder"


class NasgemSettings(GraphKernelSettings):
    """An encoder, what it learns from, and whether it has to be better than what it learned from."""

    tuned: ClassVar[Mapping[str, Tuned]] = {"kernel": ["matern", "dot"], "transform": ["quantile", "raw"]}

    rounds: int = Field(default=3, ge=0, le=10, description="rounds of relabelling of the kernel that is learned")
    dimensions: int = Field(default=128, ge=2, le=4096, description="length of a vector")
    width: int = Field(default=256, ge=2, le=4096, description="width of the encoder's two layers")
    graphs: int = Field(default=10_000, ge=2, le=1_000_000, description="graphs without labels, at most")
    steps: int = Field(default=1500, ge=1, le=1_000_000, description="steps of training")
    batch_size: int = Field(
        default=128, ge=4, le=10_000, description="graphs of a step, all pairs of which are compared"
    )
    learning_rate: float = Field(default=0.01, gt=0, le=1, description="peak of the one-cycle schedule")
    pairs: Literal["wl", "shuffled", "none"] = Field(
        default="wl",
        description="what the cosine of two vectors is to follow: the Weisfeiler-Lehman kernel of their graphs, that "
        "of other graphs (a control), or nothing, which leaves an autoencoder",
    )
    reconstruction: float = Field(
        default=0.1, ge=0, le=1000, description="weight of telling edges and nodes from a vector, beside 1 for pairs"
    )
    refused: bool = Field(
        default=True,
        description="whether the features that the kernel is made of predict in the encoder's place, where they "
        "foretell left-out rows better",
    )


@dataclass(frozen=True)
class EncoderEncoding:
    """Vectors of an encoder as one block."""

    flat: FlatGraphs
    parameters: State

    def vectors(self, graphs: ArchitectureGraphs) -> NDArray[np.float32]:
        """Of length 1, ``[n, dimensions]``."""
        from archatlas.predictors.graph_networks.kernel_encoder import encoded

        return encoded(self.parameters, self.flat.matrix(graphs))

    def blocks(self, batch: ArchitectureBatch) -> Blocks:
        return Blocks.of_unit_length([self.vectors(batch.graphs).astype(np.float64)])

    def state(self) -> State:
        return self.flat.state() | {f"encoder.{name}": value for name, value in self.parameters.items()}

    @classmethod
    def from_state(cls, state: State) -> EncoderEncoding:
        """Inverse of ``state``."""
        parameters = {name.removeprefix("encoder."): state[name] for name in state if name.startswith("encoder.")}
        return cls(FlatGraphs.from_state(state), parameters)


class NasgemPredictor(GraphKernelPredictor):
    """A Gaussian process on vectors of graphs.

    The encoder learns from networks of the batch's space, drawn as its sampler draws; it sees no score, and within a
    process one that was trained the same way is taken again.
    """

    family = "nasgem"

    def __init__(self, settings: NasgemSettings, seed: int) -> None:
        super().__init__(settings, seed)
        self._nasgem = settings

    def encodings(self, batch: ArchitectureBatch) -> Mapping[str, Encoding]:
        learned: dict[str, Encoding] = {_LEARNED: trained_encoder(batch.space, self._nasgem, self._seed)}
        if self._nasgem.refused:
            learned[_RAW] = WLEncoding.find(batch, self._nasgem.rounds)
        return learned

    def encoding_from_state(self, name: str, state: State) -> Encoding:
        if name == _RAW:
            return WLEncoding(WLFeatures.from_state(state, self._nasgem.rounds))
        return EncoderEncoding.from_state(state)


def trained_encoder(space: SearchSpace, settings: NasgemSettings, seed: int) -> EncoderEncoding:
    """The encoder of a space; which settings are the predictor's and not its own makes no difference."""
    own = settings.model_dump(exclude=set(GraphKernelSettings.model_fields) | {"refused"})
    key = _Key(identity_of(space), networks_of(space), tuple(sorted(own.items())), seed, space, settings)
    return _trained(key)


@dataclass(frozen=True)
class _Key:
    """What an encoder depends on; of the space its identity, and how many networks of it may be drawn."""

    identity: str
    networks: int | None
    own: tuple[tuple[str, object], ...]
    seed: int
    space: SearchSpace = field(compare=False)
    settings: NasgemSettings = field(compare=False)


@lru_cache(maxsize=4)
def _trained(key: _Key) -> EncoderEncoding:
    from archatlas.predictors.graph_networks.kernel_encoder import (
        EncoderLesson,
        EncoderShape,
        EncoderTraining,
        train_encoder,
    )

    space, settings = key.space, key.settings
    choices = draw_at_most(space, settings.graphs, np.random.default_rng(key.seed))
    graphs = space.graphs(choices, canonical=True)
    flat = FlatGraphs.find(graphs)
    inputs = flat.matrix(graphs)
    features = None
    if settings.pairs != "none":
        features = joined(WLFeatures.find_in(graphs, settings.rounds)[1])
        if settings.pairs == "shuffled":
            features = features[np.random.default_rng([key.seed, 1]).permutation(len(graphs))]
    lesson = EncoderLesson(inputs, features, flat.adjacency(graphs), _kinds(graphs))
    shape = EncoderShape(inputs.shape[1], settings.width, settings.dimensions)
    training = EncoderTraining(settings.steps, settings.batch_size, settings.learning_rate, settings.reconstruction)
    return EncoderEncoding(flat, train_encoder(shape, lesson, training, key.seed))


def _kinds(graphs: ArchitectureGraphs) -> NDArray[np.int64]:
    """A number for the kind of each node, 0 for padding, ``[n, v]``; nodes of one kind in all graphs are left out."""
    labels = node_labels(graphs)
    known = vocabulary(labels, graphs.mask)
    kinds = np.where(graphs.mask, np.searchsorted(known, labels) + 1, 0)
    varying: NDArray[np.int64] = kinds[:, np.ptp(kinds, axis=0) > 0]
    return varying
