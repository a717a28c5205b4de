"""The atlas: a prediction and the costs of every network of a space, made and handed on in chunks."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.parameters import AtlasParameters
from archatlas.predictors.protocol import Predictor
from archatlas.progress import progress_bar
from archatlas.spaces.protocol import Choices, Enumerable, ListedSpace, SearchSpace, drawable
from archatlas.storage.atomic import atomic_path


def map_space(
    predictor: Predictor,
    space: SearchSpace,
    cost_table: pd.DataFrame | None,
    latency_table: pd.DataFrame | None,
    *,
    parameters: AtlasParameters,
    target: str,
    seed: int,
    alone: bool = False,
) -> Iterator[pd.DataFrame]:
    """Chunks of the atlas: network, predicted_supernet_<target>, predicted_std, macs, params, predicted_latency_ms.

    The prediction is called predicted_<target> if the predictor was fitted to scores of networks trained ``alone``.

    An enumerable space of at most ``parameters.max_networks`` networks is written out in its own order. Of a larger one
    ``parameters.sample`` networks drawn uniformly from ``seed`` are; the search goes on from there. A predicted log
    loss is the log loss itself: lower is better, unlike the predictor's score. Latency is left out where there is no
    table. Memory is that of a chunk (and of the choices of the sample).
    """
    from archatlas.costs.table import with_latency

    for choices in _choices(space, parameters, seed):
        batch = ArchitectureBatch(space, choices, cost_table=cost_table, canonical=True)
        counted = batch.costs  # Before the prediction, which may read them too.
        prediction = predictor.predict(batch)
        columns = {
            "network": space.names(choices),
            f"predicted_{'' if alone else 'supernet_'}{target}": (
                -prediction.mean if target == "log_loss" else prediction.mean
            ),
            "predicted_std": prediction.std,
        }
        yield pd.concat(
            [pd.DataFrame(columns), with_latency(counted, space, choices, latency_table, canonical=True)], axis=1
        )


def atlas_rows(space: SearchSpace, parameters: AtlasParameters) -> int:
    """How many networks the atlas of ``space`` holds."""
    return space.networks if _is_enumerated(space, parameters) else drawable(space, parameters.sample)


def _is_enumerated(space: SearchSpace, parameters: AtlasParameters) -> TypeGuard[ListedSpace]:
    return isinstance(space, Enumerable) and space.networks <= parameters.max_networks


def _choices(space: SearchSpace, parameters: AtlasParameters, seed: int) -> Iterator[Choices]:
    rows = atlas_rows(space, parameters)
    starts = range(0, rows, parameters.chunk)
    if _is_enumerated(space, parameters):
        for start in starts:
            yield space.enumerate_networks(start, min(start + parameters.chunk, rows))
        return
    drawn = space.sample(rows, np.random.default_rng(seed))
    for start in starts:
        yield drawn[start : start + parameters.chunk]


@dataclass(frozen=True)
class AtlasChunks:
    """An atlas in a temporary Parquet file, read chunk by chunk: what a data set that streams can save.

    The file is gone once all of it has been read.
    """

    path: Path

    def __iter__(self) -> Iterator[pd.DataFrame]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).to_pandas()
        self.path.unlink()


def write_atlas(chunks: Iterator[pd.DataFrame], path: Path, total: int) -> tuple[AtlasChunks, dict[str, Any]]:
    """Write chunks to a Parquet file as they come; the file is whole or not there.

    Returns the file's chunks, and its making in numbers: rows, seconds (predicting, costing and writing),
    architectures_per_second and peak_memory_mib (the most that this process has held in memory so far).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    began, rows = perf_counter(), 0
    with atomic_path(path) as temporary, progress_bar(total=total, desc="atlas", unit="network") as bar:
        writer: pq.ParquetWriter | None = None
        try:
            for chunk in chunks:
                table = pa.Table.from_pandas(chunk, preserve_index=False)
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table)
                rows += len(chunk)
                bar.update(len(chunk))
        finally:
            if writer is not None:
                writer.close()
    seconds = perf_counter() - began
    speed = {
        "rows": rows,
        "seconds": seconds,
        "architectures_per_second": rows / seconds,
        "peak_memory_mib": peak_memory_mib(),
    }
    return AtlasChunks(path), speed


def peak_memory_mib() -> float:
    """The largest resident memory of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere
