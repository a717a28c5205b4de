"""Vectors of the networks that NASGEM has scored, in the plane, and how far their cosines follow the kernel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.wl_features import WLFeatures, wl_kernel
from archatlas.predictors.families.nasgem import NasgemSettings, trained_encoder
from archatlas.spaces.protocol import SearchSpace, draw_at_most
from archatlas.systems.nasgem.method import ENCODER_SEED, Nasgem

EMBEDDED = ["budget", "network", "score", "x", "y"]
"""Networks at their vectors' first two principal components: those that were scored, and others, without a score."""
PAIRS = ["kernel", "cosine"]
"""Pairs of networks that were not scored: the kernel of their graphs, and the cosine of their vectors."""

_OTHERS, _SHOWN_PAIRS = 600, 2_000

Floats = NDArray[np.float64]


class Embedding(NamedTuple):
    """``EMBEDDED`` and ``PAIRS``."""

    networks: pd.DataFrame
    pairs: pd.DataFrame


def embedding_of(visited: pd.DataFrame, method: Nasgem, space: SearchSpace, seed: int) -> Embedding:
    """The embedding that the searches looked at; nothing where they had another predictor, or did not run.

    Args:
        visited: columns budget, ``account.VISITED``.
        method: that searched.
        space: that it searched.
        seed: of the others, and of the pairs that are kept.
    """
    known = visited.dropna(subset="score")
    if known.empty or method.predictor != "nasgem":
        return Embedding(_table([], EMBEDDED), _table([], PAIRS))
    settings = NasgemSettings.model_validate(dict(method.settings))
    encoder = trained_encoder(space, settings, ENCODER_SEED)
    generator = np.random.default_rng(seed)
    drawn = draw_at_most(space, _OTHERS, generator)
    others = space.graphs(drawn, canonical=True)
    scored = space.graphs(space.parse(known["network"].to_numpy(dtype=np.str_)))
    vectors = [encoder.vectors(graphs).astype(np.float64) for graphs in (scored, others)]
    plane = _principal(np.concatenate(vectors))
    networks = pd.concat(
        [
            known[["budget", "network", "score"]],
            pd.DataFrame({"budget": "", "network": space.names(drawn), "score": np.nan}),
        ],
        ignore_index=True,
    ).assign(x=plane[:, 0], y=plane[:, 1])
    blocks = WLFeatures.find_in(others, settings.rounds)[1]
    first, second = np.triu_indices(len(drawn), 1)
    kept = generator.permutation(len(first))[:_SHOWN_PAIRS]
    pairs = {"kernel": wl_kernel(blocks, blocks), "cosine": vectors[1] @ vectors[1].T}
    return Embedding(
        networks[EMBEDDED], pd.DataFrame({name: values[first[kept], second[kept]] for name, values in pairs.items()})
    )


def _principal(vectors: Floats) -> Floats:
    """The first two principal components, ``[n, 2]``; each points to where most of its weight is positive."""
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ directions[:2].T
    return np.asarray(plane * np.where((plane**3).sum(axis=0) < 0, -1.0, 1.0))


def _table(rows: list[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    texts = ("budget", "network")
    return pd.DataFrame(rows, columns=columns).astype({name: "str" if name in texts else "float64" for name in columns})
