"""An atlas of 17 million networks: made span by span as `map_space` makes a large one, then asked by pyarrow.

    python -m benchmarks.large_atlas                 # some minutes on two quiet cores
    python -m benchmarks.large_atlas --stages 2      # 2.8 million

A chain of three stages with the blocks of `digits`, a GCN of the code's defaults fitted to 600 networks. Told are
networks a second (predicted, costed, named and kept), what writing the file takes beside that, peak memory, and seconds
of two questions to the file: the 20 best within a budget, and the Pareto front of score and MACs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import torch

from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.atlas import SPAN, atlas_rows, map_space, peak_memory_mib, write_atlas
from archatlas.predictors.make import make_predictor
from archatlas.predictors.parameters import AtlasParameters
from archatlas.predictors.protocol import Evaluations
from archatlas.search.pareto import pareto_rows
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.presets import preset
from archatlas.storage.work_store import WorkStore

_SCORE = "predicted_supernet_accuracy"
_DEPTHS = {2: (3, 3, 2), 3: (3, 3, 3)}


def best(file: Path, most_macs: int, count: int) -> pa.Table:
    """The ``count`` networks of highest score within a budget: read in batches, of which the best are kept."""
    columns, within = ["network", _SCORE, "macs"], pc.field("macs") <= most_macs
    kept: pa.Table | None = None
    for batch in ds.dataset(file).scanner(columns=columns, filter=within).to_batches():
        table = pa.Table.from_batches([batch])
        table = table if kept is None else pa.concat_tables([kept, table])
        kept = table.take(pc.select_k_unstable(table, min(count, len(table)), [(_SCORE, "descending")]))
    assert kept is not None
    return kept


def front(file: Path) -> pd.DataFrame:
    """Networks that no other beats in score with as few MACs."""
    kept = pd.DataFrame({"macs": [], _SCORE: []})
    for batch in ds.dataset(file).scanner(columns=["network", _SCORE, "macs"]).to_batches():
        table = pd.concat([kept, batch.to_pandas()])
        kept = table.iloc[pareto_rows(table[_SCORE], table["macs"])]
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, choices=sorted(_DEPTHS), default=3, help="3: 17 million; 2: 2.8 million")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the atlas is kept; null: it is deleted")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    shapes = zip((8, 16, 24), _DEPTHS[asked.stages], (1, 2, 2), strict=True)
    space = replace(preset("digits", (1, 8, 8), 10), stages=tuple(Stage(*shape) for shape in shapes))
    cost_table = count_parts(space)
    batch = ArchitectureBatch(space, space.sample(600, np.random.default_rng(0)), cost_table=cost_table)
    score = np.log(batch.costs["macs"].to_numpy(np.float64)) + np.random.default_rng(0).normal(scale=0.1, size=600)
    predictor = make_predictor("gcn", None, seed=0)
    predictor.fit(batch, Evaluations(score, np.zeros(600), np.full(600, "supernet")))
    parameters = AtlasParameters(max_networks=100_000_000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        begun = perf_counter()
        first: list[float] = []

        work = WorkStore(folder / "work")

        def chunks() -> Iterator[pd.DataFrame]:
            given = {"parameters": parameters, "target": "accuracy", "seed": 0, "work": work}
            for chunk in map_space(predictor, space, cost_table, None, **given):  # type: ignore[arg-type]
                first.append(perf_counter() - begun)
                yield chunk

        file = folder / "atlas.parquet"
        _, speed = write_atlas(chunks(), file, atlas_rows(space, parameters))
        work.discard()
        rows, whole, mapped = speed["rows"], speed["seconds"], first[0]
        print(
            f"{rows:,} networks in {whole:.0f} s: {rows / whole:,.0f} a second; {rows / mapped:,.0f} until all are kept"
        )
        each, size = (whole - mapped) / rows * SPAN, file.stat().st_size / rows
        print(f"the file: {each:.2f} s for each {SPAN:,}, {size:.0f} bytes a network")
        print(f"peak memory {peak_memory_mib():,.0f} MiB", flush=True)
        budget = int(batch.costs["macs"].median())
        begun = perf_counter()
        found = best(file, budget, 20)
        print(f"the 20 best of at most {budget:,} MACs: {perf_counter() - begun:.1f} s; {found['network'][0]}")
        begun = perf_counter()
        print(
            f"a front of {len(front(file))}: {perf_counter() - begun:.1f} s; peak memory {peak_memory_mib():,.0f} MiB"
        )


if __name__ == "__main__":
    main()
