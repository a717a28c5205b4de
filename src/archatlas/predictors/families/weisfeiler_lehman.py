"""A Gaussian process on Weisfeiler-Lehman features: graphs are alike that have their neighbourhoods in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.blocks import Blocks
from archatlas.encodings.wl_features import WLFeatures
from archatlas.predictors.families.graph_kernel import Encoding, GraphKernelPredictor, GraphKernelSettings
from archatlas.predictors.parameters import Tuned
from archatlas.predictors.protocol import State

if TYPE_CHECKING:
    from typing import Self


class WLSettings(GraphKernelSettings):
    """A Gaussian process on counts of neighbourhoods."""

    tuned: ClassVar[Mapping[str, Tuned]] = {
        "rounds": [1, 2, 3],
        "kernel": ["matern", "dot"],
        "transform": ["quantile", "raw"],
    }

    rounds: int = Field(default=3, ge=0, le=10, description="rounds of relabelling: how far a neighbourhood reaches")


class WLEncoding:
    """The features of ``encodings/wl_features.py`` as blocks."""

    def __init__(self, features: WLFeatures) -> None:
        self._features = features

    @classmethod
    def find(cls, batch: ArchitectureBatch, rounds: int) -> Self:
        """With a column for every label of ``batch``: of others nothing is known."""
        return cls(WLFeatures.find(batch.graphs, rounds))

    def blocks(self, batch: ArchitectureBatch) -> Blocks:
        return Blocks.of_unit_length(self._features.blocks(batch.graphs))

    def state(self) -> State:
        return self._features.state()


class WLPredictor(GraphKernelPredictor):
    """A Gaussian process on counts of neighbourhoods.

    With ``kernel: dot`` it is that of NAS-BOWL (Ru et al., ICLR 2021, arXiv 2006.07556) with directed neighbourhoods
    and a weight for each round [ours]; ``matern``, the default, compares distances.
    """

    family = "wl"

    def __init__(self, settings: WLSettings, seed: int) -> None:
        super().__init__(settings, seed)
        self._rounds = settings.rounds

    def encodings(self, batch: ArchitectureBatch) -> Mapping[str, Encoding]:
        return {"wl": WLEncoding.find(batch, self._rounds)}

    def encoding_from_state(self, name: str, state: State) -> Encoding:
        return WLEncoding(WLFeatures.from_state(state, self._rounds))
