"""Architectures per second of map_space with the default GCN, beside PyTorch Geometric over the same graphs.

Both run in this process, on the same threads. The rival is what one would write with torch_geometric: a `Data` object
per architecture, a DataLoader, and an ensemble of GCNs of equal width and depth with forward and reverse convolutions.
It maps a part of the space (its speed does not depend on how much). Peak memory is read before the rival begins.

    python -m benchmarks.map_space --space digits --threads 2
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.atlas import atlas_rows, map_space, write_atlas
from archatlas.predictors.make import make_predictor
from archatlas.predictors.parameters import AtlasParameters, GCNSettings
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.presets import preset

_SHAPES = {"digits": (1, 8, 8), "nas_bench_macro": (3, 32, 32), "mobile": (3, 32, 32)}


def rival_speed(space: ChainSpace, settings: GCNSettings, rows: int) -> float:
    """Architectures per second of a PyTorch Geometric DataLoader and an ensemble of directed GCNs."""
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader
    from torch_geometric.nn import GCNConv, global_mean_pool

    inputs = len(space.graph_features)
    widths = [inputs, *[settings.width] * settings.depth]
    layers = [
        [tuple(GCNConv(before, after) for _ in range(2)) for before, after in pairwise(widths)]
        for _ in range(settings.ensemble)
    ]
    read_outs = [torch.nn.Linear(settings.width, 1) for _ in range(settings.ensemble)]
    began = perf_counter()
    graphs = space.graphs(space.sample(rows, np.random.default_rng(1)))
    data = []
    for features, adjacency, mask in zip(graphs.features, graphs.adjacency, graphs.mask, strict=True):
        edges = np.stack(np.nonzero(adjacency[mask][:, mask]))
        data.append(Data(x=torch.from_numpy(features[mask]), edge_index=torch.from_numpy(edges)))
    with torch.inference_mode():
        for part in DataLoader(data, batch_size=512):
            outputs = []
            for convolutions, read_out in zip(layers, read_outs, strict=True):
                hidden = part.x
                for along, against in convolutions:
                    hidden = along(hidden, part.edge_index).relu() + against(hidden, part.edge_index.flip(0)).relu()
                outputs.append(read_out(global_mean_pool(hidden / 2, part.batch)))
            torch.cat(outputs, dim=1).mean(dim=1)
    return rows / (perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=sorted(_SHAPES), default="digits")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    parser.add_argument("--fitted", type=int, default=600, help="architectures that the GCN is fitted to")
    parser.add_argument("--chunk", type=int, default=AtlasParameters().chunk, help="architectures predicted at once")
    parser.add_argument(
        "--sample", type=int, default=300_000, help="networks drawn from a space that is not enumerated"
    )
    parser.add_argument("--rival", type=int, default=6000, help="architectures that the rival maps; 0: no rival")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    space = preset(arguments.space, _SHAPES[arguments.space], 10)
    cost_table = count_parts(space)
    batch = ArchitectureBatch(space, space.sample(arguments.fitted, np.random.default_rng(0)), cost_table=cost_table)
    macs = np.log(batch.costs["macs"].to_numpy(np.float64))
    score = macs + np.random.default_rng(0).normal(scale=macs.std() / 3, size=len(macs))
    predictor = make_predictor("gcn", None, seed=0)
    began = perf_counter()
    predictor.fit(batch, Evaluations(score, np.zeros(len(score)), np.full(len(score), "supernet")))
    print(f"fit: {arguments.fitted} architectures in {perf_counter() - began:.2f} s")
    parameters = AtlasParameters(chunk=arguments.chunk, sample=arguments.sample)
    chunks = map_space(predictor, space, cost_table, None, parameters=parameters, target="accuracy", seed=0)
    with tempfile.TemporaryDirectory() as folder:
        _, speed = write_atlas(chunks, Path(folder) / "atlas.parquet", atlas_rows(space, parameters))
    print(
        f"map_space: {speed['rows']:,} networks in {speed['seconds']:.2f} s, "
        f"{speed['architectures_per_second']:,.0f} architectures/s (predicted, costed, named and written), "
        f"peak memory {speed['peak_memory_mib']:,.0f} MiB"
    )
    if arguments.rival:
        rival = rival_speed(space, GCNSettings(), min(arguments.rival, space.networks))
        ratio = speed["architectures_per_second"] / rival
        print(f"torch_geometric: {rival:,.0f} architectures/s; map_space is {ratio:.1f} times as fast")


if __name__ == "__main__":
    main()
