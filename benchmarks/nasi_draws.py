"""How many draws does NASI need on the digits space, through which choices? Agreement of searches by other seeds.

Nothing is trained and no accuracy is looked at: searches that differ in weights, batches and noise alone should favour
the same networks.

    python -m benchmarks.nasi_draws             # some two minutes on one core
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from archatlas.images.parameters import ImagesParameters
from archatlas.images.preparing import prepare
from archatlas.predictors.metrics import kendall_tau
from archatlas.spaces.presets import preset
from archatlas.systems.ledger import Ledger
from archatlas.systems.nasi.method import Nasi
from archatlas.systems.nasi.reward import logits_of
from archatlas.systems.nasi.selection import favoured
from archatlas.systems.nasi.start import Start

_WAYS = (Nasi(steps=16, batch=32, through="all"), Nasi(steps=100, batch=64, through="chosen"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--networks", type=int, default=3000)
    options = parser.parse_args(arguments)
    images = prepare(ImagesParameters(source="digits"), 0, None)
    space = preset("digits", images.description.input_shape, images.description.num_classes)
    start, rows = (
        Start(space, images.train, images.description),
        space.sample(options.networks, np.random.default_rng(0)),
    )
    print("| through | batch | draws | seconds of CPU | Kendall's tau, mean of pairs of seeds |\n|---|--:|--:|--:|--:|")
    for nasi in _WAYS:
        began = time.process_time()
        draws = [
            nasi.draws(start, start.supernet(nasi.parameters(start), seed), Ledger(), seed)
            for seed in range(options.seeds)
        ]
        seconds = (time.process_time() - began) / options.seeds
        for count in (nasi.steps // 2, nasi.steps):
            scores = [
                favoured(space, logits_of(one[:count], nasi.reward), rows, np.random.default_rng(0)) for one in draws
            ]
            tau = np.mean([kendall_tau(*pair) for pair in combinations(scores, 2)])
            took = seconds * count / nasi.steps
            print(f"| {nasi.through} | {nasi.batch} | {count} | {took:.1f} | {tau:.3f} |", flush=True)


if __name__ == "__main__":
    main()
