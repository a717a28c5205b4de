"""An atlas of 17 million networks: made span by span as `map_space` makes a large one, then read as later stages do.

    python -m benchmarks.large_atlas                 # some minutes on two quiet cores
    python -m benchmarks.large_atlas --stages 2      # 2.8 million

A chain of three stages with the blocks of `digits`, a GCN of the code's defaults fitted to 600 networks. Told are
networks a second (predicted, costed, named and kept), what writing the file takes beside that, and of what later stages
do with the file seconds, and the peak memory of a process that does nothing else: the search's whole answer (the 20
best within each of two budgets, ranked by score and by MACs, and all Pareto fronts), whether predictions say anything,
the figure over MACs, and which choice matters where.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.atlas import SPAN, atlas_rows, map_space, peak_memory_mib, write_atlas
from archatlas.predictors.make import make_predictor
from archatlas.predictors.parameters import AtlasParameters
from archatlas.predictors.protocol import Evaluations
from archatlas.reporting.figures.atlas import figure_atlas
from archatlas.reporting.figures.choices import choice_importance
from archatlas.search.answer import answer
from archatlas.search.enumeration import RankedBy, scored
from archatlas.search.parameters import SearchParameters
from archatlas.search.pareto import no_fronts
from archatlas.signals.predictor import constant_predictions
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.presets import preset
from archatlas.storage.table_file import TableFile
from archatlas.storage.work_store import WorkStore

_DEPTHS = {2: (3, 3, 2), 3: (3, 3, 3)}


def _search(atlas: TableFile, budget: int, ranked_by: RankedBy) -> str:
    budgets = {"small": [Constraint("macs", "max", budget)], "any": []}
    found, front = answer(map(scored, atlas.parts()), budgets, SearchParameters(), ranked_by=ranked_by)
    return f"{found['network'][0]} is the best of at most {budget:,} MACs, a front of {(front['cost'] == 'macs').sum()}"


_READERS: dict[str, Callable[[TableFile, ChainSpace, int], str]] = {
    "search": lambda atlas, space, budget: _search(atlas, budget, "predicted_score"),
    "search by MACs": lambda atlas, space, budget: _search(atlas, budget, "macs"),
    "signals": lambda atlas, space, budget: str(constant_predictions(atlas)),
    "figure": lambda atlas, space, budget: f"{len(figure_atlas(atlas, no_fronts(), [], pd.DataFrame()).data)} traces",
    "choices": lambda atlas, space, budget: f"{len(choice_importance(atlas, space))} rows",
}


def _read(name: str, file: Path, space: ChainSpace, budget: int) -> str:
    begun, before = perf_counter(), _own_peak_mib()
    told = _READERS[name](TableFile(file), space, budget)
    return f"{perf_counter() - begun:.1f} s, peak memory {_own_peak_mib():,.0f} MiB ({before:,.0f} before); {told}"


def _own_peak_mib() -> float:
    """Of this process since its program began; what ``getrusage`` tells begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**10


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
        for name in _READERS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                print(f"{name}: {alone.submit(_read, name, file, space, budget).result()}", flush=True)


if __name__ == "__main__":
    main()
