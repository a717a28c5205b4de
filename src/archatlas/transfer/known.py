"""Networks that others have trained, as what a predictor that needs no search space is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.graphs.computation_statistics import statistic_names

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class KnownNetworks:
    """``n`` trained networks, of one task or of several.

    Attributes:
        names: of each, as its source spells it.
        sources: of each, whose accuracies are comparable with one another: a public table, or ``timm``.
        families: of each, what is left out together when it is asked how far knowledge carries: a public table's
            space, a module of timm.
        features: ``[n, f]``, in the order of ``statistic_names``; 32 bits, as they are kept.
        quantiles: ``[n]``, test accuracies as normal quantiles among those of the same source.
        recipes: ``[n, r]``, single trainings on the same scale, as far as more than their mean is known; NaN fills up.
    """

    names: tuple[str, ...]
    sources: NDArray[np.str_]
    families: NDArray[np.str_]
    features: Features
    quantiles: Floats
    recipes: Floats

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: NDArray[np.generic]) -> KnownNetworks:
        """Those of a mask or of indices."""
        names = tuple(np.asarray(self.names, dtype=object)[rows])
        parts = (self.sources, self.families, self.features, self.quantiles, self.recipes)
        return KnownNetworks(names, *(part[rows] for part in parts))

    def table(self) -> pd.DataFrame:
        """A row per network: name, source, family, quantile, ``recipe_<number>`` and a column for each feature."""
        import pandas as pd

        words = {"name": self.names, "source": self.sources, "family": self.families, "quantile": self.quantiles}
        return pd.DataFrame(
            words | recipe_columns(self.recipes) | dict(zip(statistic_names(), self.features.T, strict=True))
        )

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> KnownNetworks:
        """Inverse of ``table``."""
        return cls(
            tuple(table["name"].astype(str)),
            table["source"].to_numpy(dtype=np.str_),
            table["family"].to_numpy(dtype=np.str_),
            np.ascontiguousarray(table[list(statistic_names())].to_numpy(dtype=np.float32)),
            table["quantile"].to_numpy(dtype=np.float64),
            recipes_of(table),
        )

    def column(self, name: str) -> Floats:
        """One feature by name, ``[n]``."""
        return column_of(self.features, name)


def column_of(features: Features | Floats, name: str) -> Floats:
    """One feature by name, ``[n]`` of ``[n, f]``."""
    return features[:, statistic_names().index(name)].astype(np.float64)


_RECIPE = "recipe_"


def recipe_columns(recipes: Floats) -> dict[str, Floats]:
    """Single trainings ``[n, r]`` as columns of a table."""
    return {f"{_RECIPE}{number}": column for number, column in enumerate(recipes.T)}


def recipes_of(table: pd.DataFrame) -> Floats:
    """Inverse of ``recipe_columns``."""
    return table[[name for name in table if str(name).startswith(_RECIPE)]].to_numpy(dtype=np.float64)


def joined(parts: Sequence[KnownNetworks]) -> KnownNetworks:
    """Networks of several sources."""
    most = max(part.recipes.shape[1] for part in parts)
    filled = [
        np.pad(part.recipes, ((0, 0), (0, most - part.recipes.shape[1])), constant_values=np.nan) for part in parts
    ]
    return KnownNetworks(
        tuple(name for part in parts for name in part.names),
        np.concatenate([part.sources for part in parts]),
        np.concatenate([part.families for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.quantiles for part in parts]),
        np.concatenate(filled),
    )


def on_scale(values: Floats, accuracy: Floats) -> Floats:
    """Other accuracies on the scale of ``normal_quantiles(accuracy)``, linear between them; NaN stays NaN."""
    order = np.argsort(accuracy, kind="stable")
    scale = np.interp(values, accuracy[order], normal_quantiles(accuracy)[order])
    return np.where(np.isnan(values), np.nan, scale)
