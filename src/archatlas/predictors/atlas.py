"""The atlas: a prediction and the costs of every network of a space, made and handed on in chunks."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import pandas as pd

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.engines.engine import shares_or_here, side_by_side
from archatlas.predictors.parameters import AtlasParameters
from archatlas.predictors.protocol import Predictor
from archatlas.progress import progress_bar
from archatlas.spaces.protocol import Choices, Enumerable, ListedSpace, SearchSpace, draw_at_most, drawable
from archatlas.storage.atomic import atomic_path
from archatlas.storage.work_store import WorkStore

SPAN = 2**18
"""Networks of an atlas that are one task and one part of the work: some seconds of a core, and 20 MB."""


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
    work: WorkStore | None = None,
) -> Iterator[pd.DataFrame]:
    """Chunks of the atlas: network, predicted_supernet_<target>, predicted_std, macs, params, predicted_latency_ms.

    The prediction is called predicted_<target> if the predictor was fitted to scores of networks trained ``alone``.

    An enumerable space of at most ``parameters.max_networks`` networks is written out in its own order. Of a larger one
    ``parameters.sample`` networks drawn uniformly from ``seed`` are; the search goes on from there. A predicted log
    loss is the log loss itself: lower is better, unlike the predictor's score. Latency is left out where there is no
    table. Memory is that of a chunk (and of the choices of the sample).

    With ``work``, an atlas of more than ``SPAN`` networks is made span by span: each is a task of the engine, is kept
    there once it is done, and is one of the chunks given. It is left there: only who knows that the atlas lies safely
    elsewhere can let it go.
    """
    column = f"predicted_{'' if alone else 'supernet_'}{target}"
    given = predictor, space, cost_table, latency_table, parameters, column
    rows, drawn = atlas_rows(space, parameters), None
    if not _is_enumerated(space, parameters):
        drawn = draw_at_most(space, rows, np.random.default_rng(seed))
        rows = len(drawn)
    if work is not None and rows > SPAN:
        yield from _spans(rows, drawn, given, work)
    else:
        yield from _chunks((0, rows, drawn), *given)


_Span: TypeAlias = tuple[int, int, Choices | None]
"""First row, the one after the last, and the choices of what lies between; None: those of the space in its order."""


def _spans(rows: int, drawn: Choices | None, given: tuple[Any, ...], work: WorkStore) -> Iterator[pd.DataFrame]:
    """The atlas in spans, in their order; those in ``work`` are taken from there."""
    done, ends = set(work.keys(".parquet")), ((start, min(start + SPAN, rows)) for start in range(0, rows, SPAN))
    spans: list[_Span] = [(start, end, None if drawn is None else drawn[start:end]) for start, end in ends]
    todo = [span for span in spans if _key(span[0]) not in done]
    with side_by_side(_span, todo, *given, shares=shares_or_here(len(todo), threads=None)) as results:
        for start, table in results:
            work.save_table(_key(start), table)
    for span in spans:
        found = work.load_table(_key(span[0]))
        yield _span(span, *given)[1] if found is None else found  # None: it was damaged.


def _key(start: int) -> str:
    return f"from_{start:012d}"


def _span(span: _Span, *given: Any) -> tuple[int, pd.DataFrame]:
    """The first row of a span and its part of the atlas; runs in a worker where the engine has machines of its own."""
    return span[0], pd.concat(list(_chunks(span, *given)), ignore_index=True)


def _chunks(
    span: _Span,
    predictor: Predictor,
    space: SearchSpace,
    cost_table: pd.DataFrame | None,
    latency_table: pd.DataFrame | None,
    parameters: AtlasParameters,
    column: str,
) -> Iterator[pd.DataFrame]:
    from archatlas.costs.table import with_latency

    for choices in _choices(space, span, parameters.chunk):
        batch = ArchitectureBatch(space, choices, cost_table=cost_table, canonical=True)
        counted = batch.costs  # Before the prediction, which may read them too.
        prediction = predictor.predict(batch)
        columns = {
            "network": space.names(choices),
            column: -prediction.mean if column.endswith("log_loss") else prediction.mean,
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


def _choices(space: SearchSpace, span: _Span, chunk: int) -> Iterator[Choices]:
    first, end, drawn = span
    for start in range(first, end, chunk):
        if drawn is not None:
            yield drawn[start - first : start - first + chunk]
        else:
            assert isinstance(space, Enumerable)
            yield space.enumerate_networks(start, min(start + chunk, end))


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
